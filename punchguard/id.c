/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/json.h"
#include "punchguard/client.h"
#include "punchguard/snapshot.h"

static void print_addresses(const char *document)
{
    struct json *parsed = json_parse(document, strlen(document), NULL);
    struct json_at root, at;
    const char *key, *address;

    if (parsed == NULL)
        return;
    root = json_root(parsed);
    for (size_t i = 0; (key = json_key(&root, i)) != NULL; i++)
        if (json_member(&root, key, &at) && json_as_string(&at, &address, NULL) == 0)
            printf("%-8s  %s\n", key, address);
    json_destroy(parsed);
}

static void on_answer(void *data, const struct message *m, const char *line)
{
    const struct context *context = data;
    char *object;

    if (m->type != MESSAGE_control_identity)
        return;
    if (context->json) {
        object = snapshot_object(line);
        printf("%s\n", object != NULL ? object : "{}");
        free(object);
        return;
    }
    printf("id        %s\n", m->control_identity.id);
    print_addresses(m->control_identity.addresses);
    for (size_t i = 0; i < m->control_identity.overlay.count; i++)
        printf("overlay   %s\n", m->control_identity.overlay.items[i]);
}

static enum outcome run(struct context *context, int argc, char **argv)
{
    struct message m;

    command_option(context, argc, argv, "", NULL, 0, 0);
    message_init(&m, MESSAGE_control_id);
    return client_ask(context, &m, on_answer, context);
}

const struct command command_id = {
    .name = "id",
    .arguments = "",
    .summary = "Print what the other device must know of this one",
    .help = "",
    .run = run,
};
