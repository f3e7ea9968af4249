/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "punchguard/client.h"
#include "punchguard/service.h"
#include "punchguard/settings.h"

/* The broker gives its helpers 3 s, in ms. */
#define END_MS 10000

enum { OPTION_KEEP = OPTION_OWN };

static const struct option options[] = {
    {"keep", no_argument, NULL, OPTION_KEEP},
    {NULL, 0, NULL, 0},
};

static enum outcome await_end(struct client *client, struct error *err)
{
    enum outcome outcome = OUTCOME_OK;
    char *line = NULL;

    do
        outcome = client_line(client, END_MS, &line, err);
    while (outcome == OUTCOME_OK && line != NULL);
    if (outcome == OUTCOME_NOT_RUNNING)
        return OUTCOME_OK;
    error_set(err, "timeout", "the broker has not ended within %d s", END_MS / 1000);
    return OUTCOME_TIMEOUT;
}

static enum outcome stop_by_socket(struct client *client, bool keep, struct error *err)
{
    struct message m;
    enum outcome outcome;

    message_init(&m, MESSAGE_control_stop);
    m.control_stop.keep = keep;
    outcome = client_call(client, &m, NULL, NULL, err);
    return outcome == OUTCOME_OK ? await_end(client, err) : outcome;
}

static void print_end(const struct context *context, bool keep, bool again)
{
    if (context->json)
        printf("{\"down\":true,\"kept\":%s,\"starts_again\":%s}\n", keep ? "true" : "false",
               again ? "true" : "false");
    else if (again)
        puts("the broker has ended, and systemd starts it again; the tunnels stay");
    else
        puts(keep ? "the broker has ended; the tunnels stay" : "the tunnels are down");
}

static enum outcome run(struct context *context, int argc, char **argv)
{
    struct settings settings;
    struct client *client = NULL;
    struct error err;
    enum outcome outcome;
    bool keep = false, again = false;

    while (command_option(context, argc, argv, "", options, 0, 0) != -1)
        keep = true;
    outcome = settings_read(context, false, &settings, &err);
    if (outcome == OUTCOME_OK)
        outcome = client_open(&client, settings.socket, &err);
    /* A service that its manager knows of is started again. */
    again = outcome == OUTCOME_OK && client_may_change(client) &&
            service_is_active(&settings, client_fd(client));
    if (again && !keep)
        outcome = service_stop(&err);
    else if (outcome == OUTCOME_OK)
        outcome = stop_by_socket(client, keep, &err);
    client_close(client);
    if (outcome != OUTCOME_OK)
        return command_fail(outcome, &err);
    print_end(context, keep, keep && again);
    return OUTCOME_OK;
}

const struct command command_down = {
    .name = "down",
    .arguments = "[--keep]",
    .summary = "End the broker and take the tunnels down",
    .help = "      --keep  end the broker alone: the tunnels stay for the one that comes next,\n"
            "              which systemd starts at once where it runs the broker\n",
    .run = run,
};
