/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>

#include "punchguard/client.h"
#include "punchguard/layout.h"
#include "punchguard/snapshot.h"

static void on_answer(void *data, const struct message *m, const char *line)
{
    const struct context *context = data;
    const struct strings *changed = &m->control_reloaded.changed;
    char *object;

    if (m->type != MESSAGE_control_reloaded)
        return;
    if (context->json) {
        object = snapshot_object(line);
        printf("%s\n", object != NULL ? object : "{}");
        free(object);
        return;
    }
    for (size_t i = 0; i < changed->count; i++) {
        layout_print(stdout, changed->items[i], 0);
        putchar('\n');
    }
    if (changed->count == 0)
        puts("nothing differs");
}

static enum outcome run(struct context *context, int argc, char **argv)
{
    struct message m;

    command_option(context, argc, argv, "", NULL, 0, 0);
    message_init(&m, MESSAGE_control_reload);
    return client_ask(context, &m, on_answer, context);
}

const struct command command_reload = {
    .name = "reload",
    .arguments = "",
    .summary = "Have the broker reread its configuration, and say what changed",
    .help = "",
    .run = run,
};
