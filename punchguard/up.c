/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "punchguard/starting.h"
#include "punchguard/status_table.h"

enum { OPTION_LOG = OPTION_OWN, OPTION_TIMEOUT };

static const struct option options[] = {
    {"log", required_argument, NULL, OPTION_LOG},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {NULL, 0, NULL, 0},
};

static enum outcome run(struct context *context, int argc, char **argv)
{
    struct starting s = {.context = context, .log = STARTING_LOG_DEFAULT, .timeout_ms = 60000};
    struct snapshot snapshot = {0};
    enum outcome outcome;
    int option;

    while ((option = command_option(context, argc, argv, "", options, 0, 0)) != -1) {
        if (option == OPTION_LOG)
            s.log = optarg;
        else
            s.timeout_ms = 1000L * command_number("--timeout", optarg, 1, 3600);
    }
    outcome = starting_run(&s, &snapshot);
    if (outcome == OUTCOME_OK && context->json)
        printf("%s\n", snapshot.json);
    else if (outcome == OUTCOME_OK)
        status_print(&snapshot, NULL, stdout, 0, 0, "\n");
    snapshot_clear(&snapshot);
    client_close(s.client);
    return outcome == OUTCOME_OK ? outcome : command_fail(outcome, &s.err);
}

const struct command command_up = {
    .name = "up",
    .arguments = "[--log FILE] [--timeout S]",
    .summary = "Start the broker, and wait until it is ready",
    .help = "      --log FILE   where its log goes without systemd (" STARTING_LOG_DEFAULT ")\n"
            "      --timeout S  how long to wait, in seconds (60)\n",
    .run = run,
};
