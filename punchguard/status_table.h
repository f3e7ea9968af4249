/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The status as a table for people, and as metrics for Prometheus.
 */
#ifndef PUNCHGUARD_STATUS_TABLE_H
#define PUNCHGUARD_STATUS_TABLE_H

#include <stdio.h>

#include "punchguard/snapshot.h"

/* `before` is an earlier one that rates are told from, or NULL. Width and height in characters, 0
 * where they do not matter; each line ends with `end`. */
void status_print(const struct snapshot *snapshot, const struct snapshot *before, FILE *out,
                  size_t width, size_t height, const char *end);

/* What keeps the path to a peer from being a better one; "" where nothing does. */
void status_reason(const struct message_status_peer *peer, char *out, size_t size);
/* The words of a state: "waiting for signalling". */
void status_words(const char *state, char *out, size_t size);

/* In the text format that node_exporter's textfile collector reads; NULL: there is no broker. */
void metrics_print(const struct snapshot *snapshot, FILE *out);

#endif
