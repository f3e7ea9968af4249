/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One peer: finding it, knowing that it is still there, and passing messages. Pure: packets and
 * time (in ms, that counts while the machine sleeps) are passed in and out.
 *
 * The body of every packet (numbers big-endian):
 *
 *   from (16) | to (16) | counter (8) | kind (1) | …
 *
 * kind 1, flags (1)   hello; bit 0 of flags: answer, please
 * kind 2              goodbye
 * kind 3, 4           of a message: signal-lan/parcel.h
 *
 * `from` and `to` are tokens: 8 bytes that name the process (so that it knows its own packets,
 * which multicast brings back: both sides have the same keys), 8 that are new for every meeting.
 * Whoever repeats the token that we gave out for the next meeting has heard us just now; from then
 * on only packets between the two tokens count, each counter once. So a packet recorded earlier, in
 * this meeting or another, changes nothing: one of no meeting costs an answer, of which there are
 * ANSWERS a second. Where the first word comes from somebody new, the meeting before stays until
 * the newcomer has repeated our token.
 */
#ifndef SIGNAL_LAN_PEER_H
#define SIGNAL_LAN_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "signal-lan/place.h"
#include "signal-lan/seal.h"

#define PEER_NAME_BYTES     64
#define PEER_INSTANCE_BYTES 8

/* Answers in a second to what can't be told from a recording, and at once. */
#define PEER_ANSWERS       5
#define PEER_ANSWERS_BURST 20
/* While a peer is away it is called at these times, then from time to time, a quarter earlier or
 * later: whoever comes calls at once, so later calls only make up for losses. */
#define PEER_CALLS_MS                                                                              \
    {                                                                                              \
        0, 50, 150, 400, 1000, 2500, 5000                                                          \
    }
#define PEER_CALL_RARE_MS 30000
/* The quick calls are not begun again within this. */
#define PEER_HURRY_MS 2000
/* A peer not heard for so long, or for PEER_ASK_MS after a message to it, is asked, so often at
 * most, each time waiting so long. On a link that loses every fifth packet all fail once in 3,500
 * times, every few hours; it is back 50 ms later. */
#define PEER_SILENCE_MS 5000
#define PEER_ASK_MS     500
#define PEER_ASKS       8

struct peer;

struct peer_events {
    /* A packet to one place; NULL: to everybody on every link. False: not now, too many were sent.
     */
    bool (*send)(void *data, const struct place *place, const uint8_t *packet, size_t length);
    void (*presence)(void *data, const char *peer, bool online, const struct place *place);
    void (*sent)(void *data, int64_t ref);
    void (*receive)(void *data, const char *peer, const char *text);
    void *data;
};

/* `instance` names this process, random. NULL without memory. */
struct peer *peer_new(const char *name, const uint8_t rendezvous[RENDEZVOUS_BYTES],
                      const uint8_t instance[PEER_INSTANCE_BYTES], const struct peer_events *events,
                      int64_t now);
/* Says goodbye where the peer is there. */
void peer_destroy(struct peer *peer);

const char *peer_name(const struct peer *peer);
bool peer_meets_at(const struct peer *peer, const uint8_t rendezvous[RENDEZVOUS_BYTES]);
/* Where it was heard last; family AF_UNSPEC while it is away. */
const struct place *peer_place(const struct peer *peer);

/* Takes a message: 0, -EMSGSIZE, -ENOBUFS when too many wait, -ENOMEM. */
int peer_post(struct peer *peer, int64_t ref, const char *text, int64_t now);
/* Whether the packet was sealed for this peer and us; then it has been dealt with. */
bool peer_packet(struct peer *peer, const struct place *place, const uint8_t *packet, size_t length,
                 int64_t now);
/* The same for what is inside. */
void peer_body(struct peer *peer, const struct place *place, const uint8_t *body, size_t length,
               int64_t now);
/* The links are others than before: looks for the peer at once. */
void peer_look(struct peer *peer, int64_t now);
/* Does what is due; when it wants to be called again. */
int64_t peer_work(struct peer *peer, int64_t now);

#endif
