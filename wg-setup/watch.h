/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What others change on the host: addresses and default routes, and the nftables ruleset.
 */
#ifndef WG_SETUP_WATCH_H
#define WG_SETUP_WATCH_H

#include <stdbool.h>

#include "protocol/error.h"

/* A change of network is told when nothing has changed for so long, and at the latest so long after
 * the first, in ms: a link that comes up changes much at once, and whoever changes something all
 * the time must not hide the rest. */
#define WATCH_SETTLE_MS 100
#define WATCH_LATEST_MS 300

struct watch;

/* `interface` is the tunnel's, whose changes do not count. NULL with `err` filled. */
struct watch *watch_new(const char *interface, struct error *err);
void watch_destroy(struct watch *watch);

/* Descriptors to poll for reading: the network's, and nftables' (-1 in a kernel without). */
int watch_network_fd(const struct watch *watch);
int watch_ruleset_fd(const struct watch *watch);

/* Reads what is there. Whether links or addresses were among it. */
bool watch_network_read(struct watch *watch);
/* Whether rules of routing were removed since the last call; what was read counts. */
bool watch_rules_removed(struct watch *watch);
/* Whether a table was removed since the last call. */
bool watch_ruleset_read(struct watch *watch);

/* In how many ms watch_network_changed() wants to be called, -1 for not at all. */
int watch_timeout(const struct watch *watch);
/* Whether addresses or default routes are others than before, now that they have settled. */
bool watch_network_changed(struct watch *watch);

#endif
