/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * rename and remove: one request each.
 */
#include <stdio.h>

#include "punchguard/client.h"

static enum outcome call(const struct context *context, struct message *request)
{
    struct client *client;
    struct error err;
    enum outcome outcome = client_connect(&client, context, &err);

    if (outcome == OUTCOME_OK)
        outcome = client_call(client, request, NULL, NULL, &err);
    client_close(client);
    if (outcome == OUTCOME_OK && context->json)
        puts("{}");
    return outcome == OUTCOME_OK ? outcome : command_fail(outcome, &err);
}

static enum outcome run_rename(struct context *context, int argc, char **argv)
{
    struct message m;

    command_option(context, argc, argv, "", NULL, 2, 2);
    message_init(&m, MESSAGE_control_rename);
    m.control_rename.peer = argv[optind];
    m.control_rename.name = argv[optind + 1];
    return call(context, &m);
}

static enum outcome run_remove(struct context *context, int argc, char **argv)
{
    struct message m;

    command_option(context, argc, argv, "", NULL, 1, 1);
    message_init(&m, MESSAGE_control_remove);
    m.control_remove.peer = argv[optind];
    return call(context, &m);
}

const struct command command_rename = {
    .name = "rename",
    .arguments = "PEER NAME",
    .summary = "Call a peer that joined by another name; its tunnel is made anew",
    .help = "",
    .run = run_rename,
};

const struct command command_remove = {
    .name = "remove",
    .arguments = "PEER",
    .summary = "Forget a peer that joined, and its keys; its tunnel ends at once",
    .help = "",
    .run = run_remove,
};
