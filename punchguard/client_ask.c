/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "punchguard/client.h"

enum outcome client_ask(const struct context *context, struct message *request,
                        void (*each)(void *data, const struct message *m, const char *line),
                        void *data)
{
    struct client *client;
    struct error err;
    enum outcome outcome = client_connect(&client, context, &err);

    if (outcome == OUTCOME_OK)
        outcome = client_call(client, request, each, data, &err);
    client_close(client);
    return outcome == OUTCOME_OK ? outcome : command_fail(outcome, &err);
}
