/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the files of the tunnel share, and nobody else.
 */
#ifndef WG_SETUP_TUNNEL_STATE_H
#define WG_SETUP_TUNNEL_STATE_H

#include "wg-setup/inbound.h"
#include "wg-setup/peer.h"
#include "wg-setup/redirect.h"
#include "wg-setup/rules.h"
#include "wg-setup/ruleset.h"
#include "wg-setup/tunnel.h"

struct tunnel {
    struct interface interface;
    struct key key;
    const struct device_ops *ops;
    struct redirect *redirect;
    struct inbound_table *inbound;
    tunnel_grant_of *grant_of; /* NULL until tunnel_inbound_set(): what stands is left as it is */
    const void *grants;
    struct rules rules;
    struct ruleset *ruleset; /* for the marks that go with them */
    struct sysctls *sysctls; /* the caller's; may be NULL */
    bool ruled[2];           /* whether the rules of IPv4, of IPv6 stand */
    bool marked;             /* whether what WireGuard sends has the mark */
    bool routing_told;       /* by tunnel_routing_set(): until then rules and marks stay as they are */
    uint16_t listen_port;
    int watch;
    unsigned link; /* the interface's number */
    struct peer *peers[TUNNEL_PEERS_MAX];
    size_t peer_count;
    struct redirect_standing stray; /* of the table found, what is no peer's */
    int64_t adopted_until;          /* 0: nothing waits for its broker */
};

/* Writes the table. 0, or -errno with `err` filled. */
int tunnel_apply(struct tunnel *t, struct error *err);
/* Where WireGuard sends to the peer now, address "" for nowhere. 0, or -errno. */
int tunnel_endpoint_now(const struct tunnel *t, const struct peer *peer, struct endpoint *now);
/* Endpoint and keep-alive of a peer that has a path, so that WireGuard sends at once. */
int tunnel_path_kick(struct tunnel *t, struct peer *peer, struct error *err);
/* Makes the routes those of `new`, after the rules that they need; prefixes of other peers keep
 * theirs. */
int tunnel_routes(struct tunnel *t, const struct peer *peer, const struct device_peer *old,
                  const struct device_peer *new, struct error *err);
/* Somebody removed nftables tables, or the interface: puts ours, or its mark, back. 1 where it was
 * gone, 0, or -errno. */
int tunnel_marks_check(struct tunnel *t, struct error *err);
int tunnel_marks_again(struct tunnel *t, struct error *err);
/* Takes rules and marks down; routes go with the interface. */
void tunnel_routing_undo(struct tunnel *t);
/* Takes away what a peer that has less, or is gone, leaves of rules for what it may begin, and for
 * networks. */
void tunnel_tidy(struct tunnel *t);

/* Writes the table of what peers may begin, as if `changing` had what it has and what is `wanted`
 * for it (both NULL: as it is). Before WireGuard is given more, and after it has less. 0, or -errno
 * with `err` filled. */
int tunnel_inbound_apply(struct tunnel *t, const struct peer *changing,
                         const struct device_peer *wanted, struct error *err);
/* Somebody removed nftables tables: puts this one back. 1 where it was gone, 0, or -errno. */
int tunnel_inbound_check(struct tunnel *t, struct error *err);

/* Takes over peers and table. */
int tunnel_adopt(struct tunnel *t, int64_t now_ms, struct error *err);
/* From WireGuard, the routes, and the list; not from the table. */
int tunnel_peer_drop(struct tunnel *t, struct peer *peer, struct error *err);
/* Appends and owns it; false where there are TUNNEL_PEERS_MAX. */
bool tunnel_peer_append(struct tunnel *t, struct peer *peer);
/* Takes it from the list alone. */
void tunnel_peer_unlist(struct tunnel *t, const struct peer *peer);

#endif
