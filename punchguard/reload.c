/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "punchguard/client.h"

static enum outcome run(struct context *context, int argc, char **argv)
{
    struct client *client;
    struct message m;
    struct error err;
    enum outcome outcome;

    command_option(context, argc, argv, "", NULL, 0, 0);
    outcome = client_connect(&client, context, &err);
    if (outcome == OUTCOME_OK) {
        message_init(&m, MESSAGE_control_reload);
        outcome = client_call(client, &m, NULL, NULL, &err);
    }
    client_close(client);
    if (outcome != OUTCOME_OK)
        return command_fail(outcome, &err);
    puts(context->json ? "{\"reloaded\":true}" : "the configuration was reread");
    return OUTCOME_OK;
}

const struct command command_reload = {
    .name = "reload",
    .arguments = "",
    .summary = "Have the broker reread its configuration",
    .help = "",
    .run = run,
};
