/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "punchguard/layout.h"
#include "punchguard/snapshot.h"
#include "punchguard/status_table.h"
#include "punchguard/watching.h"

enum { OPTION_NAMES = OPTION_OWN };

static const struct option options[] = {
    {"names", no_argument, NULL, OPTION_NAMES},
    {NULL, 0, NULL, 0},
};

static void join_texts(const struct strings *texts, char *out, size_t size)
{
    size_t used = 0;

    snprintf(out, size, "-");
    for (size_t i = 0; i < texts->count && used < size; i++)
        used +=
            (size_t)snprintf(out + used, size - used, "%s%s", i > 0 ? ", " : "", texts->items[i]);
}

static void print_table(const struct snapshot *s)
{
    struct table table = {
        .columns = {{"PEER", false, 0},
                    {"STATE", false, 0},
                    {"ONLINE", false, 4},
                    {"INBOUND", false, 2},
                    {"ALLOWED", false, 3},
                    {"ID", false, 1}},
        .column_count = 6,
    };

    for (size_t i = 0; i < s->peer_count; i++) {
        const struct message_status_peer *peer = &s->peers[i].status_peer;
        struct table_row *row = table_add(&table);

        if (row == NULL)
            break;
        snprintf(row->cells[0], TABLE_CELL, "%s", peer->peer);
        status_words(peer->state, row->cells[1], TABLE_CELL);
        join_texts(&peer->online, row->cells[2], TABLE_CELL);
        table_cell(row->cells[3], peer->inbound);
        join_texts(&peer->allowed_ips, row->cells[4], TABLE_CELL);
        snprintf(row->cells[5], TABLE_CELL, "%s", peer->id);
    }
    if (s->peer_count == 0)
        puts("no peers");
    else
        table_print(&table, stdout, watching_width(stdout), 0, "\n");
    table_clear(&table);
}

static void print_json(const struct snapshot *s)
{
    const char *peers = strstr(s->json, "\"peers\":[");
    size_t length = peers != NULL ? strlen(peers) : 0;

    if (length > 0)
        printf("%.*s\n", (int)(length - strlen("\"peers\":") - 1), peers + strlen("\"peers\":"));
}

static enum outcome run(struct context *context, int argc, char **argv)
{
    struct client *client;
    struct snapshot snapshot = {0};
    struct error err;
    enum outcome outcome;
    bool names = false;

    while (command_option(context, argc, argv, "", options, 0, 0) != -1)
        names = true;
    outcome = client_connect(&client, context, &err);
    if (outcome == OUTCOME_OK)
        outcome = snapshot_take(&snapshot, client, NULL, &err);
    client_close(client);
    if (outcome != OUTCOME_OK)
        return command_fail(outcome, &err);
    if (names)
        for (size_t i = 0; i < snapshot.peer_count; i++)
            puts(snapshot.peers[i].status_peer.peer);
    else if (context->json)
        print_json(&snapshot);
    else
        print_table(&snapshot);
    snapshot_clear(&snapshot);
    return OUTCOME_OK;
}

const struct command command_peers = {
    .name = "peers",
    .arguments = "[--names]",
    .summary = "List the peers of this device",
    .help = "      --names  their names alone, one a line\n",
    .run = run,
};
