/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One peer of the tunnel: what WireGuard has of it, its open ICE ports and its selected pairs.
 * Pure.
 */
#ifndef WG_SETUP_PEER_H
#define WG_SETUP_PEER_H

#include "protocol/interface.h"
#include "wg-setup/device.h"
#include "wg-setup/redirect.h"

/* ICE ports and pairs of one peer: the path's, the next one's, and one that is about to be closed. */
#define PEER_PORTS_MAX 4

struct peer {
    char name[PEER_NAME_MAX + 1];          /* "": adopted, and not set by a broker yet */
    struct device_peer device;             /* as it should be; `allowed` is owned */
    uint16_t keepalive_now;                /* WireGuard's; device.keepalive once there is a path */
    struct endpoint ports[PEER_PORTS_MAX]; /* an adopted one's address may be unknown: "" */
    size_t port_count;
    struct redirect_pair pairs[PEER_PORTS_MAX]; /* the oldest first */
    size_t pair_count;
    struct grant *told; /* owned: by its broker, where the configuration says nothing; NULL: all */
    bool has_path;
    bool moved; /* a base came or went, and the network has not settled since */
};

/* NULL without memory. */
struct peer *peer_new(const char *name);
/* As WireGuard has it. NULL without memory. */
struct peer *peer_from_status(const struct device_status *status);
void peer_destroy(struct peer *peer);

bool peer_port_has(const struct peer *peer, const struct endpoint *base);
/* 0, or -ENOBUFS where PEER_PORTS_MAX are open. */
int peer_port_add(struct peer *peer, const struct endpoint *base);
/* With the pairs that leave from it. Whether it was there. */
bool peer_port_drop(struct peer *peer, const struct endpoint *base);
/* Whether another open port has the same number. */
bool peer_port_number(const struct peer *peer, uint16_t port);

/* The pair to `remote`, NULL where there is none. */
const struct redirect_pair *peer_pair(const struct peer *peer, const struct endpoint *remote);
/* In place of another one to the same remote, and of the oldest where there are PEER_PORTS_MAX. */
void peer_pair_add(struct peer *peer, const struct endpoint *remote, const struct endpoint *base);
void peer_pair_drop(struct peer *peer, const struct endpoint *remote);

/* Moves from a table that was found what is this peer's: what its endpoint, as WireGuard has it,
 * goes by. */
void peer_adopt(struct peer *peer, struct redirect_standing *standing);
/* What `endpoint` goes by: a pair's base, or that of the port where it was seen last; false where
 * neither is known. `standing` may be NULL. */
bool peer_base(const struct peer *peer, const struct endpoint *endpoint,
               const struct redirect_standing *standing, struct endpoint *base);

/* What the table found has and nobody's peer. */
void standing_port_drop(struct redirect_standing *standing, uint16_t port);
void standing_pair_drop(struct redirect_standing *standing, const struct endpoint *remote);

bool device_peer_allows(const struct device_peer *peer, const struct prefix *prefix);
/* Whether both have the same allowed IPs, in any order. */
bool device_peer_same_allowed(const struct device_peer *a, const struct device_peer *b);

#endif
