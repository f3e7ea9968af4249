/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One Tox instance: the only user of tox.h. Single threaded; the caller iterates it.
 */
#ifndef SIGNAL_TOX_TRANSPORT_H
#define SIGNAL_TOX_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/error.h"
#include "signal-tox/options.h"

#define TRANSPORT_ADDRESS_DIGITS 76
#define TRANSPORT_PEERS_MAX      1024
/* tox.h: TOX_MAX_FRIEND_REQUEST_LENGTH is 921 bytes; `request` data is shorter. */
#define TRANSPORT_REQUEST_MAX 900
/* Strangers' requests handed on in a minute; the rest has no effect. */
#define TRANSPORT_REQUESTS_A_MINUTE 10
/* Strangers that we asked and that are no peers yet: more means that the oldest is given up. */
#define TRANSPORT_ASKED_MAX 16

/* Between two new starts after a change of network, in ms. */
#define TRANSPORT_RECONNECT_MS 10000

struct transport;

struct transport_events {
    void (*presence)(void *data, const char *peer, bool online, const char *via);
    void (*sent)(void *data, int64_t ref);
    void (*receive)(void *data, const char *peer, const char *text);
    void (*request)(void *data, const char *key, const char *text); /* 64 hex digits */
    void *data;
};

/* Reads or makes the identity in the folder, which stays the caller's. `online` false touches no
 * network. NULL with `err` filled; a save that can't be read whole is never replaced, and a new
 * identity that can't be saved is never used. */
struct transport *transport_new(int folder, const struct options *options, bool online,
                                const struct transport_events *events, struct error *err);
/* Tells the peers that we go, waits at most 200 ms until relays have that, and closes. */
void transport_destroy(struct transport *transport);

/* Our own address, 76 hex digits. */
void transport_address(const struct transport *transport, char out[TRANSPORT_ADDRESS_DIGITS + 1]);

/* The peer's address is checked: length, digits, checksum; its first 64 digits, the key, do as
 * well. A peer that is there already gets the new address. */
int transport_peer_add(struct transport *transport, const char *peer, const char *address,
                       struct error *err);
int transport_peer_remove(struct transport *transport, const char *peer, struct error *err);
/* Queues; `sent` follows when the other side has it. */
int transport_send(struct transport *transport, int64_t ref, const char *peer, const char *text,
                   struct error *err);
/* Asks a stranger; not acknowledged. */
int transport_request(struct transport *transport, const char *address, const char *text,
                      struct error *err);

/* The network is another than before: Tox starts anew, with the same identity and peers, rather than
 * wait for the time-outs of connections that lead nowhere. Within TRANSPORT_RECONNECT_MS of the last
 * time only when those are over. */
void transport_reconnect(struct transport *transport);

/* Readable when something has come for Tox: iterate then. It stays the transport's. */
int transport_fd(const struct transport *transport);
/* Lets Tox work; the ms until it wants to be called again, -1 when offline. */
int transport_iterate(struct transport *transport);

#endif
