/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The links this host is on, and word of their changes. By rtnetlink(7).
 */
#ifndef SIGNAL_LAN_LINKS_H
#define SIGNAL_LAN_LINKS_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#include "protocol/error.h"
#include "signal-lan/options.h"

#define LINKS_MAX 32

struct link {
    unsigned index;
    char name[IFNAMSIZ];
    bool ipv4,
        ipv6; /* it has an address to send from: of IPv6 a link-local one that is no duplicate */
};

struct links {
    struct link items[LINKS_MAX];
    size_t count; /* ascending by index */
};

/* A descriptor, readable when a link or address changes; the caller's to close. -errno with `err`
 * filled. */
int links_watch(struct error *err);
/* Takes the news. Whether there was any. */
bool links_changed(int watch);

/* Every Ethernet-like interface that is up, has an address, does multicast, and is neither a tunnel
 * nor part of a bridge or bond; or those of options.interfaces that are up and have an address.
 * What is beyond LINKS_MAX is left out. 0, or -errno with `err` filled. */
int links_list(struct links *links, const struct options *options, struct error *err);

bool links_equal(const struct links *a, const struct links *b);
/* NULL where there is no such link. */
const struct link *links_find(const struct links *links, unsigned index);

/* What links_list() does with each message of the kernel's dumps, of links first. A link without
 * any address is listed too. */
struct nlmsghdr;
void links_take(struct links *links, const struct options *options, const struct nlmsghdr *header);

#endif
