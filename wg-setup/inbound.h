/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What peers may begin towards this host, and towards what it forwards to: an nftables table of its
 * own, which judges what comes out of the tunnel by its source address. WireGuard lets no peer send
 * from another's.
 *
 * Answers to what was begun here always pass. Where no peer is restricted there is no table.
 */
#ifndef WG_SETUP_INBOUND_H
#define WG_SETUP_INBOUND_H

#include <stdio.h>

#include "protocol/interface.h"

/* One of WireGuard's allowed IPs. The longest one with a packet's source judges it; of equal ones
 * the strictest. */
struct inbound_claim {
    struct prefix prefix;
    const struct grant *grant; /* whose it is; NULL: it may begin everything */
};

struct inbound_table;

/* `interface` passes interface_set_name(). NULL without memory. */
struct inbound_table *inbound_new(const char *interface);
/* Leaves the table standing. */
void inbound_destroy(struct inbound_table *table);

/* Puts the rules for these in place of those that stand, as one transaction, unless they are the
 * same. Sorts the claims. 0, or -errno with `err` filled: what stood before stands. */
int inbound_apply(struct inbound_table *table, struct inbound_claim *claims, size_t count,
                  struct error *err);
/* Puts back what inbound_apply() put last, where somebody removed it. 1 where it was, 0, or -errno.
 */
int inbound_check(struct inbound_table *table, struct error *err);
int inbound_remove(struct inbound_table *table, struct error *err);

bool inbound_restricts(const struct grant *grant);
/* The transaction's text for sorted claims; `stale` are chains that go. For inbound_apply() and
 * tests. */
void inbound_sort(struct inbound_claim *claims, size_t count);
void inbound_write(FILE *out, const char *interface, const struct inbound_claim *claims,
                   size_t count, char *const *stale, size_t stale_count);
/* Chains for peers that stand, from a listing of all chains (nft(8), JSON): an array that ends with
 * NULL, for inbound_chains_free(). NULL with `err` filled. */
char **inbound_chains_parse(const char *json, size_t length, const char *interface,
                            struct error *err);
void inbound_chains_free(char **chains);

#endif
