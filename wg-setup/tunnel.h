/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What should stand: the interface, its peers, their paths; and making it so.
 */
#ifndef WG_SETUP_TUNNEL_H
#define WG_SETUP_TUNNEL_H

#include "protocol/interface.h"
#include "protocol/message.h"
#include "wg-setup/device.h"
#include "wg-setup/key.h"
#include "wg-setup/sysctl.h"

#define TUNNEL_PEERS_MAX 1024
/* So long after its start a broker has to set the peers that stood before it; then the others go,
 * in ms. */
#define TUNNEL_ADOPTION_MS 60000

struct tunnel;

/* Makes the interface or adopts one that has our key, with its peers and its nftables table as they
 * are. The caller keeps `key`. `now_ms` is any monotonic clock's. NULL with `err` filled, and
 * nothing changed on the host. */
struct tunnel *tunnel_open(const struct interface *interface, const struct key *key, int64_t now_ms,
                           struct error *err);
/* Frees memory alone: everything stays standing. */
void tunnel_destroy(struct tunnel *tunnel);
/* Takes down all that is ours. */
void tunnel_undo(struct tunnel *tunnel);

const char *tunnel_backend(const struct tunnel *tunnel);
uint16_t tunnel_listen_port(const struct tunnel *tunnel);

/* Drops the adopted peers for whose allowed IPs `granted` says no. */
void tunnel_adopted_check(struct tunnel *tunnel,
                          bool (*granted)(const void *data, const struct prefix *allowed,
                                          size_t count),
                          const void *data);
/* What is granted has changed: drops the peers for which `granted` says no without a prefix, and
 * takes from the others the allowed IPs for which it says no. Their traffic else goes on. */
void tunnel_granted_check(struct tunnel *tunnel,
                          bool (*granted)(const void *data, const char *peer,
                                          const struct prefix *prefix),
                          const void *data);
/* What each peer may begin is what the grant says that `grant_of` names for it and one of its
 * allowed IPs; NULL: everything. `peer` is "" for an adopted one that no broker has set yet. To be
 * called once before the first peer-set, and with every change of the grants, which live until the
 * next call. Where that can't be enforced the peers that it would restrict are dropped. */
typedef const struct grant *tunnel_grant_of(const void *grants, const char *peer,
                                            const struct prefix *allowed);
void tunnel_inbound_set(struct tunnel *tunnel, tunnel_grant_of *grant_of, const void *grants);
/* To be called once, before the first peer-set: whose packets go beside the tunnel (a uid, -1:
 * nobody's but WireGuard's), and by what the kernel's settings are changed (NULL: not at all), which
 * outlives the tunnel. Puts rules for adopted peers, and removes those that nobody needs. */
void tunnel_routing_set(struct tunnel *tunnel, int64_t user, struct sysctls *sysctls);
/* Somebody removed routing rules: puts ours back. 0, or -errno. */
int tunnel_rules_check(struct tunnel *tunnel, struct error *err);
/* In how many ms tunnel_tick() wants to be called, -1 for not at all. */
int tunnel_timeout(const struct tunnel *tunnel, int64_t now_ms);
/* Drops what was adopted and that no broker has asked for in time. */
void tunnel_tick(struct tunnel *tunnel, int64_t now_ms);

/* The requests of punchguard-protocol(7). Each: 0, or -errno with `err` filled and everything else
 * as it was. */
int tunnel_peer_set(struct tunnel *tunnel, const struct message_peer_set *m, struct error *err);
int tunnel_peer_remove(struct tunnel *tunnel, const char *peer, struct error *err);
int tunnel_port_open(struct tunnel *tunnel, const char *peer, const struct endpoint *base,
                     struct error *err);
int tunnel_port_close(struct tunnel *tunnel, const char *peer, const struct endpoint *base,
                      struct error *err);
int tunnel_path_set(struct tunnel *tunnel, const struct message_path_set *m, struct error *err);
/* Calls `seen` for each peer that was set, with the base that its endpoint goes by (address "":
 * none). */
typedef void tunnel_seen(void *data, const char *peer, const struct device_status *status,
                         const struct endpoint *base);
int tunnel_status(struct tunnel *tunnel, tunnel_seen *seen, void *data, struct error *err);

/* Calls `seen` for each peer that was set, with what it was given. */
void tunnel_each_peer(const struct tunnel *tunnel,
                      void (*seen)(void *data, const char *peer, const struct prefix *allowed,
                                   size_t count),
                      void *data);
/* What a peer that was set was given; without one nothing is changed. */
void tunnel_peer_allowed(const struct tunnel *tunnel, const char *peer,
                         const struct prefix **allowed, size_t *count);

/* A descriptor that polls readable when the userspace WireGuard has ended, or -1. Changes with
 * tunnel_restore(). */
int tunnel_watch(const struct tunnel *tunnel);
/* The userspace WireGuard ended: starts it again and sets everything again. */
int tunnel_restore(struct tunnel *tunnel, struct error *err);
/* Links of the host changed: makes the interface again if it is gone. 1 where it was, 0, or -errno.
 */
int tunnel_link_check(struct tunnel *tunnel, struct error *err);
/* Addresses of the host changed: pairs whose base is not this host's any more leave from whatever
 * address routing chooses, until it is back. 1 where that changed a pair, 0, or -errno. */
int tunnel_addresses_check(struct tunnel *tunnel, struct error *err);
/* The host's network has settled: peers whose base came or went hear from us. */
void tunnel_settled(struct tunnel *tunnel);
/* Somebody removed nftables tables: puts ours back that are among them. 1 where one was, 0, or
 * -errno. */
int tunnel_tables_check(struct tunnel *tunnel, struct error *err);

#endif
