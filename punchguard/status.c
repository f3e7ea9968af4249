/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "punchguard/status_table.h"
#include "punchguard/watching.h"

#define INTERVAL_S 1

enum { OPTION_WATCH = OPTION_OWN, OPTION_INTERVAL, OPTION_PROMETHEUS };

static const struct option options[] = {
    {"watch", no_argument, NULL, OPTION_WATCH},
    {"interval", required_argument, NULL, OPTION_INTERVAL},
    {"prometheus", no_argument, NULL, OPTION_PROMETHEUS},
    {NULL, 0, NULL, 0},
};

static enum outcome status_once(const struct context *context, const char *peer, bool prometheus)
{
    struct client *client;
    struct snapshot snapshot = {0};
    struct error err;
    enum outcome outcome = client_connect(&client, context, &err);

    if (outcome == OUTCOME_OK)
        outcome = snapshot_take(&snapshot, client, peer, &err);
    client_close(client);
    if (outcome == OUTCOME_NOT_RUNNING && prometheus) {
        metrics_print(NULL, stdout);
        return OUTCOME_OK;
    }
    if (outcome != OUTCOME_OK)
        return command_fail(outcome, &err);
    if (prometheus)
        metrics_print(&snapshot, stdout);
    else if (context->json)
        printf("%s\n", snapshot.json);
    else
        status_print(&snapshot, NULL, stdout, watching_width(stdout), 0, "\n");
    snapshot_clear(&snapshot);
    return OUTCOME_OK;
}

static enum outcome run(struct context *context, int argc, char **argv)
{
    bool watch = false, prometheus = false;
    const char *peer;
    long interval = 0; /* not given */
    int option;

    while ((option = command_option(context, argc, argv, "w", options, 0, 1)) != -1) {
        if (option == 'w' || option == OPTION_WATCH)
            watch = true;
        else if (option == OPTION_INTERVAL)
            interval = command_number("--interval", optarg, 1, 3600);
        else
            prometheus = true;
    }
    if (watch && prometheus)
        return command_failf(OUTCOME_USAGE, "--watch and --prometheus do not go together");
    if (interval > 0 && !watch)
        return command_failf(OUTCOME_USAGE, "--interval is of use with --watch only");
    peer = optind < argc ? argv[optind] : NULL;
    return watch ? watching_run(context, peer, interval > 0 ? (int)interval : INTERVAL_S)
                 : status_once(context, peer, prometheus);
}

const struct command command_status = {
    .name = "status",
    .arguments = "[-w | --watch] [--interval S] [--prometheus] [PEER]",
    .summary = "Say how the device, its transports and its peers are, or one peer",
    .help = "  -w, --watch       go on saying it, in place on a terminal; q or ^C ends it\n"
            "      --interval S  every so many seconds (1), and at once where something changes\n"
            "      --prometheus  as node_exporter's textfile collector reads it\n",
    .run = run,
};
