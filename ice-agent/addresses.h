/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The local addresses to gather host candidates on: RFC 8445 section 5.1.1.1, less our own
 * tunnel's.
 */
#ifndef ICE_AGENT_ADDRESSES_H
#define ICE_AGENT_ADDRESSES_H

#include <stdbool.h>
#include <stddef.h>

#include "protocol/endpoint.h"
#include "protocol/error.h"

/* Each may give a host and a server-reflexive candidate; a peer takes 20 (DESIGN.md section 5). */
#define ADDRESSES_MAX 10
/* Where IPv6 overlay addresses are (DESIGN.md section 6): inside some device's tunnel, so no
 * candidate of anybody, whether or not it is a tunnel that we were told of. */
#define ADDRESSES_OVERLAY "fd50:4755:4152:4400::/64"

struct local_address {
    struct endpoint endpoint; /* port 0 */
    char interface[16];
    bool point_to_point; /* a tunnel, or a modem */
    bool preferred;      /* what is sent to the internet leaves with it */
};

struct addresses {
    struct endpoint items[ADDRESSES_MAX];
    size_t count;
};

/* Chooses, without I/O. Left out are loopback, link-local IPv6 (a candidate has no scope),
 * site-local, mapped and multicast addresses, interfaces that only join containers and virtual
 * machines to this host (docker*, veth*, virbr*, vnet*), point-to-point interfaces that are not
 * the way to the internet, and what `exclude` contains: WireGuard inside another tunnel would be
 * slower than beside it, and be cut where that one is. Of a family that is left with none,
 * addresses come back, last: those on tunnels, and without any those that `exclude` contains on
 * interfaces that are no tunnels, for a peer may have been granted the very network that we are in.
 * The first ones win where there are too many. */
void addresses_choose(struct addresses *chosen, const struct local_address *all, size_t count,
                      const struct prefix *exclude, size_t exclude_count);

/* Lists the interfaces that are up, the addresses that lead to the internet first, and chooses. 0,
 * or -errno with `err` filled, -EADDRNOTAVAIL where there is none. */
int addresses_list(struct addresses *chosen, const struct prefix *exclude, size_t exclude_count,
                   struct error *err);

/* Whether a host of some network could have it: none of those that addresses_choose() leaves out
 * whatever their interface. */
bool addresses_is_usable(const struct endpoint *endpoint);
/* The interface that has the address; "" where none has. */
void addresses_interface(const struct endpoint *endpoint, char name[16]);

#endif
