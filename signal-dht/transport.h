/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Peers and messages over the DHT: a link and a seal for each peer, and one node for all of them.
 * Single threaded; the caller iterates it.
 */
#ifndef SIGNAL_DHT_TRANSPORT_H
#define SIGNAL_DHT_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/error.h"
#include "signal-dht/options.h"

#define TRANSPORT_PEERS_MAX 1024
/* Between two new starts of the node, in ms. */
#define TRANSPORT_RECONNECT_MS 2000
/* So much that does not open, each value counted with TRANSPORT_NOISE_VALUE more, may come to one
 * peer's place in ten minutes; what opens counts one part in TRANSPORT_NOISE_OPENED. After that
 * nobody listens there for a minute, doubling to ten. */
#define TRANSPORT_NOISE_MAX    (256 * 1024)
#define TRANSPORT_NOISE_VALUE  512
#define TRANSPORT_NOISE_OPENED 64

struct transport;

struct transport_events {
    void (*presence)(void *data, const char *peer, bool online, const char *via);
    void (*sent)(void *data, int64_t ref);
    void (*receive)(void *data, const char *peer, const char *text);
    void *data;
};

/* One in a process. `online` false touches no network. NULL with `err` filled. */
struct transport *transport_new(const struct options *options, bool online,
                                const struct transport_events *events, struct error *err);
/* Says goodbye to the peers, waits at most a second until the network has that, and closes. Whether
 * OpenDHT's threads have ended too: else only _exit() is safe. */
bool transport_destroy(struct transport *transport);

/* `rendezvous` has 64 hex digits. A peer that is there already gets the new one. */
int transport_peer_add(struct transport *transport, const char *peer, const char *rendezvous,
                       struct error *err);
int transport_peer_remove(struct transport *transport, const char *peer, struct error *err);
/* Queues; `sent` follows when the other side has it. */
int transport_send(struct transport *transport, int64_t ref, const char *peer, const char *text,
                   struct error *err);

/* The network is another than before: a new node takes the place of the one we have. */
void transport_reconnect(struct transport *transport);

/* Readable when something has come from the DHT: iterate then. It stays the transport's; -1 when
 * offline. */
int transport_fd(const struct transport *transport);
/* Does what is due; the ms until it wants to be called again, -1 when offline. */
int transport_iterate(struct transport *transport);

#endif
