/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The answers to one request for the status, kept together.
 */
#ifndef PUNCHGUARD_SNAPSHOT_H
#define PUNCHGUARD_SNAPSHOT_H

#include <stdint.h>
#include <stdio.h>

#include "protocol/message.h"
#include "punchguard/client.h"

struct snapshot {
    int64_t taken_ms;      /* CLOCK_MONOTONIC */
    int64_t wall_s;        /* s since 1970 */
    struct message device; /* MESSAGE_NONE until there is one */
    struct message *transports, *peers;
    size_t transport_count, peer_count;
    char *json; /* all of it as one object, without newline */
};

/* Asks the broker, for one peer or with NULL for all. OUTCOME_OK with *snapshot to be given to
 * snapshot_clear(); else with `err` filled. */
enum outcome snapshot_take(struct snapshot *snapshot, struct client *client, const char *peer,
                           struct error *err);
/* Empty is fine. */
void snapshot_clear(struct snapshot *snapshot);

/* An answer's line as an object without type and ref, to be freed; NULL without memory. */
char *snapshot_object(const char *line);

#endif
