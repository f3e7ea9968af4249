/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * ICE and WireGuard on one port: the nftables table that turns WireGuard's packets between the port
 * of the ICE socket and WireGuard's own, inside the kernel.
 *
 * To conntrack, and so to stateful firewalls and the host's own NAT, everything is the ICE socket's
 * flow: what comes in is turned after conntrack and dstnat, what goes out before conntrack.
 */
#ifndef WG_SETUP_REDIRECT_H
#define WG_SETUP_REDIRECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "protocol/endpoint.h"
#include "protocol/error.h"

/* After conntrack (-200) and dstnat (-100): nft(8), priorities. */
#define REDIRECT_INGRESS_PRIORITY (-90)
/* Before raw (-300) and conntrack (-200). */
#define REDIRECT_EGRESS_PRIORITY (-310)
/* How long a peer's new mapping is known without a packet from it, in s, and how many of them:
 * longer than the 120 s for which a NAT keeps UDP at least (RFC 4787 section 4.3). */
#define REDIRECT_LEARNED_S   180
#define REDIRECT_LEARNED_MAX 1024

/* One selected pair: what WireGuard sends to `remote` leaves from `base`. */
struct redirect_pair {
    struct endpoint remote, base;
    bool away; /* base's address is not this host's now: the port alone is turned */
};

struct redirect_rules {
    const char *interface; /* the tunnel's: its packets are left alone */
    uint16_t listen_port;  /* WireGuard's */
    const uint16_t *ports; /* of ICE sockets whose WireGuard packets are ours */
    size_t port_count;
    const struct redirect_pair *pairs;
    size_t pair_count;
};

/* A table as it was found. `learned` holds where peers were seen last, with the port alone in
 * `base`. */
struct redirect_standing {
    uint16_t *ports;
    size_t port_count;
    struct redirect_pair *pairs, *learned;
    size_t pair_count, learned_count;
};

struct redirect;

/* `interface` passes interface_set_name(). NULL without memory or with another name. Where nftables
 * is missing, each call below fails with an error that says so. */
struct redirect *redirect_new(const char *interface);
/* Leaves the table standing. */
void redirect_destroy(struct redirect *redirect);

/* Puts the rules in place of those that are there, as one transaction; what was learned stays. 0,
 * or -EIO with `err` telling what nftables said. */
int redirect_apply(struct redirect *redirect, const struct redirect_rules *rules,
                   struct error *err);
int redirect_remove(struct redirect *redirect, struct error *err);
/* Whether our table is there. */
bool redirect_stands(struct redirect *redirect);
/* 0 with *standing to be given to redirect_standing_clear(); -ENOENT where there is no table of
 * ours; -EBADMSG where it is no table as we write it; -EIO. */
int redirect_read(struct redirect *redirect, struct redirect_standing *standing, struct error *err);
void redirect_standing_clear(struct redirect_standing *standing);
/* Forgets what was learned of `remote`, or with NULL of all that were last seen on `port`. */
void redirect_forget(struct redirect *redirect, const struct endpoint *remote, uint16_t port);

/* The transaction's text, and the listing's reading (nft(8), JSON); for the functions above and
 * tests. */
void redirect_write(FILE *out, const struct redirect_rules *rules);
int redirect_parse(const char *json, size_t length, struct redirect_standing *standing,
                   struct error *err);

#endif
