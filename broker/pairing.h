/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Joining by invitation, on both sides, and what comes of it: learned peers. No event loop: what it
 * wants done it asks of struct pairing_broker, which brings time, transports and events.
 *
 * On transports with requests (Tox) the joiner's first message is a request to the inviter's
 * address, and both add each other as peers. On others (LAN, DHT, a folder) inviter and joiner meet
 * at a rendezvous of the invitation's secret, under a name that no peer can have. Whichever way is
 * faster counts; that the peer's sealed channel stands (envelope.h) counts as an answer too.
 */
#ifndef BROKER_PAIRING_H
#define BROKER_PAIRING_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/identity.h"
#include "broker/learned.h"
#include "protocol/message.h"

/* An invitation that nothing is said of is good for so long, in seconds, and at most. */
#define PAIRING_EXPIRES_S     (24 * 3600)
#define PAIRING_EXPIRES_MAX_S (90 * 24 * 3600)
/* A joiner asks again after so long, in ms, doubling to the second. A transport may repeat a
 * request by itself meanwhile, as Tox does. */
#define PAIRING_AGAIN_MS     30000
#define PAIRING_AGAIN_MAX_MS 300000
/* Where a transport is there at once, as by a rendezvous. */
#define PAIRING_MEET_MS 2000
/* Joins at once. */
#define PAIRING_JOINS_MAX 16
/* What strangers ask is read so often at once, and one more in so many ms: two X25519 each. */
#define PAIRING_STRANGERS    20
#define PAIRING_STRANGERS_MS 1000
/* Words about those that prove nothing, likewise. */
#define PAIRING_WORDS    5
#define PAIRING_WORDS_MS 60000
/* Who is refused is told for so long, in ms, and so many at a time. */
#define PAIRING_REFUSE_MS  60000
#define PAIRING_REFUSE_MAX 4
/* An answer waits so long for the new peer to be reached, in ms; so many at a time. */
#define PAIRING_ANSWER_MS  600000
#define PAIRING_ANSWER_MAX 16

/* Introduced, and not accepted: so many at once. */
#define PAIRING_INTRODUCED_MAX 16
/* Peers on the word of one introducer alone, as with `introductions: accept`. */
#define PAIRING_ACCEPTED_MAX 128
/* One introducer may tell of so many devices at once, and of one more in so many ms. */
#define PAIRING_INTRODUCTIONS    128
#define PAIRING_INTRODUCTIONS_MS 10000
/* Introducers whose rate is remembered. */
#define PAIRING_INTRODUCERS_MAX 32

struct pairing_transport {
    const char *name;
    const char *address; /* this device's on it; NULL or "" where it has none */
    unsigned slot;       /* below 32, its own */
    bool requests;       /* it can bring a request to an address */
    bool ready;
};

/* Each gets `data`. Transports are numbered from 0. */
struct pairing_broker {
    int64_t (*now)(void *data);  /* ms, of a clock that never goes back */
    int64_t (*wall)(void *data); /* seconds since 1970 */
    /* False past the last one. */
    bool (*transport)(void *data, size_t index, struct pairing_transport *out);
    /* To one that is ready. `address` may be NULL. */
    void (*add)(void *data, size_t index, const char *name, const char *address,
                const char *rendezvous);
    void (*remove)(void *data, size_t index, const char *name);
    void (*send)(void *data, size_t index, const char *name, const char *text);
    /* Sends a request to an address that is that of a peer, which stays a peer. */
    void (*ask)(void *data, size_t index, const char *peer, const char *address, const char *text);
    /* Whether the transport says that it reaches the peer. */
    bool (*reaches)(void *data, size_t index, const char *peer);
    /* By which this device offers itself; any text. */
    const char *(*own_name)(void *data);
    /* What the configuration alone says: whether it has that name; the name of that id, or NULL. */
    bool (*has_name)(void *data, const char *name);
    const char *(*name_of)(void *data, const uint8_t key[ID_KEY_BYTES]);
    /* Whether the peer was ever connected. */
    bool (*knows)(void *data, const char *peer);
    /* Peers were learned, renamed or forgotten: to be put into place soon, then pairing_tick(). */
    void (*changed)(void *data);
    /* pairing_next() may be sooner now. */
    void (*rearm)(void *data);
    /* For events: `state` is of messages.def's `pairing`; `peer` and `reason` may be NULL. */
    void (*tell)(void *data, const char *peer, const char *state, const char *reason);
};

struct pairing_options {
    const struct identity *identity;     /* kept */
    const char *state_dir;               /* copied */
    const struct pairing_broker *broker; /* kept */
    void *data;
};

struct pairing;

/* Reads peers.json; where it can't be had nothing can be changed. NULL without memory. */
struct pairing *pairing_new(const struct pairing_options *options);
void pairing_free(struct pairing *pairing);

/* Why nothing can be changed, or NULL. */
const struct error *pairing_broken(const struct pairing *pairing);

/* What was learned; with NULL, nothing. */
const struct learned *pairing_learned(const struct pairing *pairing);

/* When pairing_tick() is due, INT64_MAX for never. */
int64_t pairing_next(const struct pairing *pairing);
void pairing_tick(struct pairing *pairing);

/* What transports bring. `index` is the transport's; NULL for `pairing` is fine. */
void pairing_transport_ready(struct pairing *pairing, size_t index);
void pairing_transport_lost(struct pairing *pairing, unsigned slot);
/* Of a name that no peer has. */
void pairing_presence(struct pairing *pairing, size_t index, const char *name, bool online);
void pairing_receive(struct pairing *pairing, size_t index, const char *name, const char *text);
void pairing_requested(struct pairing *pairing, size_t index, const char *text);
/* Of a peer. True where it is no envelope but one of joining.h. */
bool pairing_peer_data(struct pairing *pairing, size_t index, const char *peer, const char *text);
void pairing_peer_online(struct pairing *pairing, size_t index, const uint8_t key[ID_KEY_BYTES]);
/* The sealed channel with the peer stands. */
void pairing_peer_there(struct pairing *pairing, const uint8_t key[ID_KEY_BYTES]);

/* The peer `by` tells of another one, which is a peer once somebody accepts it here, or at once
 * with `accept`. Without effect for whom we know, and beyond the limits above. */
void pairing_introduced(struct pairing *pairing, const char *by,
                        const struct message_introduce *told, bool accept);

/* What people ask for. Each: 0, or -errno with `err` filled. */

/* Where `inbound` is given it says what the other device may begin here. With NULL that is
 * everything, but for a device that is a peer already what it was. */

/* `name` ("" for its own) is the joiner's here; `lifetime` in seconds, 0 for PAIRING_EXPIRES_S. */
int pairing_invite(struct pairing *pairing, const char *name, int64_t lifetime,
                   const struct inbound *inbound, struct invitation *made, struct error *err);
/* Takes back the invitation with that name, 16 hex digits (joining_name()). */
int pairing_cancel(struct pairing *pairing, const char *invitation, struct error *err);
/* `name` ("" for its own) is the inviter's here; `peer` gets the name that it has, `key` its public
 * identity key. */
int pairing_join(struct pairing *pairing, const char *text, const char *name,
                 const struct inbound *inbound, char peer[PEER_NAME_MAX + 1],
                 uint8_t key[ID_KEY_BYTES], struct error *err);
/* One that was introduced; pairing_remove() declines it. */
int pairing_accept(struct pairing *pairing, const char *peer, const struct inbound *inbound,
                   struct error *err);
int pairing_rename(struct pairing *pairing, const char *peer, const char *name, struct error *err);
int pairing_remove(struct pairing *pairing, const char *peer, struct error *err);

#endif
