/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The peers, the links and the sockets together. Single threaded; the caller polls.
 */
#ifndef SIGNAL_LAN_TRANSPORT_H
#define SIGNAL_LAN_TRANSPORT_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "protocol/error.h"
#include "signal-lan/options.h"

#define TRANSPORT_PEERS_MAX 1024
#define TRANSPORT_FDS       5

/* What strangers can make us do in a second: compare the tag of a packet with those of so many
 * peers (0.4 µs each), and take so many packets from one socket. Beyond the first only packets from
 * where a peer is already are looked at. */
#define TRANSPORT_TAGS_A_SECOND    100000
#define TRANSPORT_PACKETS_A_SECOND 10000
/* What we send to everybody in a second. */
#define TRANSPORT_CALLS_A_SECOND 400
/* The host's links are listed again at most this often, in ms. */
#define TRANSPORT_LINKS_MS 100

struct transport;

struct transport_events {
    /* `via` is the interface's name; NULL with a peer that went. */
    void (*presence)(void *data, const char *peer, bool online, const char *via);
    void (*sent)(void *data, int64_t ref);
    void (*receive)(void *data, const char *peer, const char *text);
    void *data;
};

/* `online` false touches no network. `options` must outlive it. NULL with `err` filled. */
struct transport *transport_new(const struct options *options, bool online,
                                const struct transport_events *events, struct error *err);
/* Says goodbye to the peers that are there. */
void transport_destroy(struct transport *transport);

/* `rendezvous` is 64 hex digits. A peer that is there already gets the new one. */
int transport_peer_add(struct transport *transport, const char *peer, const char *rendezvous,
                       struct error *err);
int transport_peer_remove(struct transport *transport, const char *peer, struct error *err);
/* Queues; `sent` follows when the other side has it. */
int transport_send(struct transport *transport, int64_t ref, const char *peer, const char *text,
                   struct error *err);
/* The network is another than before: looks for links and peers at once. */
void transport_network_changed(struct transport *transport);

/* Does what is due of the peers, fills what to wait for (fd -1: nothing), and returns the ms until
 * there is something to do again; -1 when offline. */
int transport_wait(struct transport *transport, struct pollfd fds[TRANSPORT_FDS]);
/* Takes what poll() found. */
void transport_iterate(struct transport *transport, const struct pollfd fds[TRANSPORT_FDS]);

#endif
