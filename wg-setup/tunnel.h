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

#define TUNNEL_PEERS_MAX 1024
/* ICE ports and pairs of one peer: the path's, the next one's, and one that is about to be closed. */
#define TUNNEL_PORTS_MAX 4

struct tunnel;

/* Makes the interface or adopts one that has our key. The caller keeps `key`. NULL with `err` filled, and nothing
 * changed on the host. */
struct tunnel *tunnel_open(const struct interface *interface, const struct key *key,
                           struct error *err);
/* Frees memory alone: everything stays standing. */
void tunnel_destroy(struct tunnel *tunnel);
/* Takes down all that is ours. */
void tunnel_undo(struct tunnel *tunnel);

const char *tunnel_backend(const struct tunnel *tunnel);
uint16_t tunnel_listen_port(const struct tunnel *tunnel);

/* The requests of punchguard-protocol(7). Each: 0, or -errno with `err` filled and everything else as it was. */
int tunnel_peer_set(struct tunnel *tunnel, const struct message_peer_set *m, struct error *err);
int tunnel_peer_remove(struct tunnel *tunnel, const char *peer, struct error *err);
int tunnel_port_open(struct tunnel *tunnel, const char *peer, const struct endpoint *base,
                     struct error *err);
int tunnel_port_close(struct tunnel *tunnel, const char *peer, const struct endpoint *base,
                      struct error *err);
int tunnel_path_set(struct tunnel *tunnel, const struct message_path_set *m, struct error *err);
/* Calls `seen` for each peer that was set. */
int tunnel_status(struct tunnel *tunnel,
                  void (*seen)(void *data, const char *peer, const struct device_status *status),
                  void *data, struct error *err);

/* A descriptor that polls readable when the userspace WireGuard has ended, or -1. Changes with
 * tunnel_restore(). */
int tunnel_watch(const struct tunnel *tunnel);
/* The userspace WireGuard ended: starts it again and sets everything again. */
int tunnel_restore(struct tunnel *tunnel, struct error *err);
/* Somebody removed nftables tables: puts ours back if it is among them. 1 where it was, 0, or -errno. */
int tunnel_redirect_check(struct tunnel *tunnel, struct error *err);

#endif
