/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Networks behind peers, up to the whole internet, without what carries the tunnel going into it:
 * their routes are in a table of our own, and rules (ip-rule(8)) lead there what is neither
 * WireGuard's nor our helpers', where the main table knows nothing better than its default route.
 *
 * Five rules one after the other, for each family:
 *   fwmark RULES_MARK            goto the last
 *   uidrange HELPERS-HELPERS     goto the last
 *   suppress_prefixlength 0      lookup main
 *                                lookup our table
 *   nop
 */
#ifndef WG_SETUP_RULES_H
#define WG_SETUP_RULES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "protocol/error.h"
#include "protocol/interface.h"

/* On WireGuard's packets, and on those of flows that must go beside the tunnel. */
#define RULES_MARK 0x5047u

/* Without it a strict rp_filter does not look at marks. */
#define RULES_SETTING "net/ipv4/conf/all/src_valid_mark"

struct rules {
    char interface[INTERFACE_NAME_SIZE];
    uint32_t table;    /* number of our routing table */
    uint32_t priority; /* of the first rule */
    int64_t user;      /* the helpers' uid, -1 where it is not known */
};

/* Table and priority follow from the interface's name, so that whoever comes after a crash finds
 * them. */
void rules_init(struct rules *rules, const char *interface, int64_t user);
/* `family` AF_INET or AF_INET6. Adds what is not there, or removes what is. 0, or -errno with `err`
 * filled. */
int rules_put(const struct rules *rules, int family, struct error *err);
int rules_remove(const struct rules *rules, int family, struct error *err);

/* The table inet punchguard-routes_INTERFACE, as a transaction's text: gives answers of flows
 * beside the tunnel, and of those that others began from beside it, the mark, so that they leave as
 * they came, and a strict rp_filter with src_valid_mark lets them in. */
void rules_write(FILE *out, const struct rules *rules);

#endif
