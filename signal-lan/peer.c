/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "signal-lan/peer.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "signal-lan/bucket.h"
#include "signal-lan/parcel.h"

#define TOKEN_BYTES 16
#define BODY_HEAD   (2 * TOKEN_BYTES + 8)

#define KIND_HELLO   1
#define KIND_GOODBYE 2

#define FLAG_ASK 1

/* From which of the vain questions on the peer is also looked for on every link. */
#define ASKS_WIDER 3
/* When a call could not be sent, and again when one was refused. */
#define CALL_AGAIN_MS 20

static_assert(BODY_HEAD + PARCEL_PACKET_MAX == SEAL_BODY_MAX, "a piece fills a packet");

static const int64_t calls_ms[] = PEER_CALLS_MS;

#define CALLS (sizeof calls_ms / sizeof calls_ms[0])

struct peer {
    char name[PEER_NAME_BYTES + 1];
    uint8_t rendezvous[RENDEZVOUS_BYTES];
    struct seal_keys keys;
    struct peer_events events;
    struct parcels *parcels;
    struct place place;
    bool met;                  /* the tokens of this meeting are known */
    uint8_t ours[TOKEN_BYTES]; /* in this meeting */
    uint8_t theirs[TOKEN_BYTES];
    uint8_t next[TOKEN_BYTES]; /* given out for the next one */
    uint64_t counter;          /* of the last packet sent */
    uint64_t highest, taken;   /* received: bit N of `taken` is highest - N */
    size_t call;               /* which of calls_ms is next */
    int64_t call_at, hurried;
    int64_t ask_at;
    unsigned asks;
    struct bucket answers;
};

/* Sending */

static void number_write(uint8_t *out, uint64_t number)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(number >> (56 - 8 * i));
}

static uint64_t number_read(const uint8_t *in)
{
    uint64_t number = 0;

    for (int i = 0; i < 8; i++)
        number = number << 8 | in[i];
    return number;
}

static bool send_body(struct peer *peer, const struct place *place, const uint8_t *from,
                      const uint8_t *to, const uint8_t *text, size_t length)
{
    uint8_t body[SEAL_BODY_MAX], packet[SEAL_PACKET_MAX];
    size_t size;

    memcpy(body, from, TOKEN_BYTES);
    memcpy(body + TOKEN_BYTES, to, TOKEN_BYTES);
    number_write(body + 2 * TOKEN_BYTES, ++peer->counter);
    memcpy(body + BODY_HEAD, text, length);
    size = seal_close(&peer->keys, body, BODY_HEAD + length, packet);
    return peer->events.send(peer->events.data, place, packet, size);
}

static bool send_hello(struct peer *peer, const struct place *place, const uint8_t *from,
                       const uint8_t *to, uint8_t flags)
{
    const uint8_t hello[] = {KIND_HELLO, flags};

    return send_body(peer, place, from, to, hello, sizeof hello);
}

static void send_goodbye(struct peer *peer)
{
    const uint8_t goodbye[] = {KIND_GOODBYE};

    send_body(peer, &peer->place, peer->ours, peer->theirs, goodbye, sizeof goodbye);
}

/* To everybody, when it is no answer. */
static bool send_call(struct peer *peer)
{
    static const uint8_t nobody[TOKEN_BYTES];

    return send_hello(peer, NULL, peer->next, nobody, FLAG_ASK);
}

static void parcel_out(void *data, const uint8_t *packet, size_t length)
{
    struct peer *peer = data;

    if (peer->met)
        send_body(peer, &peer->place, peer->ours, peer->theirs, packet, length);
}

static void parcel_delivered(void *data, int64_t ref)
{
    struct peer *peer = data;

    peer->events.sent(peer->events.data, ref);
}

static void parcel_received(void *data, const char *text, size_t length)
{
    struct peer *peer = data;

    (void)length;
    peer->events.receive(peer->events.data, peer->name, text);
}

/* Its life */

static void token_new(struct peer *peer)
{
    randombytes_buf(peer->next + PEER_INSTANCE_BYTES, TOKEN_BYTES - PEER_INSTANCE_BYTES);
}

struct peer *peer_new(const char *name, const uint8_t rendezvous[RENDEZVOUS_BYTES],
                      const uint8_t instance[PEER_INSTANCE_BYTES], const struct peer_events *events,
                      int64_t now)
{
    struct peer *peer = calloc(1, sizeof *peer);
    struct parcel_events parcel_events = {.send = parcel_out,
                                          .delivered = parcel_delivered,
                                          .received = parcel_received,
                                          .data = peer};

    if (peer == NULL)
        return NULL;
    peer->parcels = parcels_new(&parcel_events);
    if (peer->parcels == NULL) {
        free(peer);
        return NULL;
    }
    snprintf(peer->name, sizeof peer->name, "%s", name);
    memcpy(peer->rendezvous, rendezvous, sizeof peer->rendezvous);
    seal_keys_derive(&peer->keys, rendezvous);
    peer->events = *events;
    memcpy(peer->next, instance, PEER_INSTANCE_BYTES);
    token_new(peer);
    bucket_init(&peer->answers, PEER_ANSWERS, PEER_ANSWERS_BURST, now);
    peer->call_at = now;
    peer->hurried = now;
    peer->ask_at = INT64_MAX;
    return peer;
}

void peer_destroy(struct peer *peer)
{
    if (peer == NULL)
        return;
    /* Twice, for one may be lost. */
    if (peer->met) {
        send_goodbye(peer);
        send_goodbye(peer);
    }
    parcels_destroy(peer->parcels);
    sodium_memzero(peer, sizeof *peer);
    free(peer);
}

const char *peer_name(const struct peer *peer)
{
    return peer->name;
}

bool peer_meets_at(const struct peer *peer, const uint8_t rendezvous[RENDEZVOUS_BYTES])
{
    return sodium_memcmp(peer->rendezvous, rendezvous, RENDEZVOUS_BYTES) == 0;
}

const struct place *peer_place(const struct peer *peer)
{
    return &peer->place;
}

int peer_post(struct peer *peer, int64_t ref, const char *text, int64_t now)
{
    int rc = parcels_post(peer->parcels, ref, text, now);

    if (rc < 0 || !peer->met)
        return rc;
    parcels_work(peer->parcels, now);
    /* Where no acknowledgement comes, the way may be another than before. */
    if (peer->ask_at > now + PEER_ASK_MS)
        peer->ask_at = now + PEER_ASK_MS;
    return 0;
}

static void presence(struct peer *peer, bool online)
{
    peer->events.presence(peer->events.data, peer->name, online, &peer->place);
}

static void call_quickly(struct peer *peer, size_t from, int64_t now)
{
    peer->call = from;
    peer->call_at = now + calls_ms[from];
    peer->hurried = now;
}

static int64_t rarely(int64_t now)
{
    return now + PEER_CALL_RARE_MS * 3 / 4 + randombytes_uniform(PEER_CALL_RARE_MS / 2);
}

static void part(struct peer *peer)
{
    peer->met = false;
    memset(&peer->place, 0, sizeof peer->place);
    peer->ask_at = INT64_MAX;
    presence(peer, false);
}

void peer_look(struct peer *peer, int64_t now)
{
    if (peer->met) {
        peer->asks = ASKS_WIDER - 1;
        peer->ask_at = now;
    } else {
        call_quickly(peer, 0, now);
    }
}

/* What comes */

static void heard(struct peer *peer, int64_t now)
{
    peer->asks = 0;
    /* So that one of the two asks first, and the other need not. */
    peer->ask_at = now + PEER_SILENCE_MS + randombytes_uniform(PEER_ASK_MS);
}

/* The newcomer has repeated our token, so that it is here now. */
static void meet(struct peer *peer, const uint8_t *body, const struct place *place)
{
    bool was_met = peer->met;
    bool same = was_met && memcmp(peer->theirs, body, PEER_INSTANCE_BYTES) == 0;

    memcpy(peer->theirs, body, TOKEN_BYTES);
    memcpy(peer->ours, peer->next, TOKEN_BYTES);
    token_new(peer);
    peer->met = true;
    peer->highest = number_read(body + 2 * TOKEN_BYTES);
    peer->taken = 1;
    peer->call_at = INT64_MAX;
    if (was_met && !same) {
        memset(&peer->place, 0, sizeof peer->place);
        presence(peer, false);
    }
    peer->place = *place;
    if (!same)
        presence(peer, true);
    parcels_connected(peer->parcels);
}

/* Whether the counter comes for the first time, as far as can be told. */
static bool counter_take(struct peer *peer, uint64_t counter, const struct place *place)
{
    uint64_t behind = peer->highest - counter;

    if (counter > peer->highest) {
        uint64_t ahead = counter - peer->highest;

        peer->taken = ahead < 64 ? peer->taken << ahead | 1 : 1;
        peer->highest = counter;
        peer->place = *place;
        return true;
    }
    if (behind >= 64 || (peer->taken >> behind & 1))
        return false;
    peer->taken |= UINT64_C(1) << behind;
    return true;
}

/* Somebody who may be a recording. */
static void answer(struct peer *peer, const uint8_t *from, const struct place *place, int64_t now)
{
    if (!bucket_take(&peer->answers, 1, now))
        return;
    if (peer->met && memcmp(from, peer->theirs, TOKEN_BYTES) == 0) {
        send_hello(peer, place, peer->ours, peer->theirs, 0);
        return;
    }
    send_hello(peer, place, peer->next, from, FLAG_ASK);
    /* A firewall may let in to the newcomer only what goes to everybody. */
    if (now - peer->hurried >= PEER_HURRY_MS)
        call_quickly(peer, 1, now);
}

static bool is_question(const uint8_t *text, size_t length)
{
    return text[0] == KIND_HELLO && length >= 2 && (text[1] & FLAG_ASK);
}

static void act(struct peer *peer, const uint8_t *text, size_t length, int64_t now)
{
    if (is_question(text, length))
        send_hello(peer, &peer->place, peer->ours, peer->theirs, 0);
    else if (text[0] == KIND_GOODBYE) {
        part(peer);
        peer->call = CALLS;
        peer->call_at = rarely(now);
    } else
        parcels_packet(peer->parcels, text, length);
}

void peer_body(struct peer *peer, const struct place *place, const uint8_t *body, size_t length,
               int64_t now)
{
    const uint8_t *from = body, *to = body + TOKEN_BYTES, *text = body + BODY_HEAD;
    uint64_t counter;

    if (length <= BODY_HEAD || memcmp(from, peer->next, PEER_INSTANCE_BYTES) == 0)
        return;
    counter = number_read(body + 2 * TOKEN_BYTES);
    if (memcmp(to, peer->next, TOKEN_BYTES) == 0) {
        if (text[0] == KIND_GOODBYE)
            return;
        meet(peer, body, place);
    } else if (!peer->met || memcmp(to, peer->ours, TOKEN_BYTES) != 0 ||
               memcmp(from, peer->theirs, TOKEN_BYTES) != 0) {
        if (text[0] != KIND_GOODBYE)
            answer(peer, from, place, now);
        return;
    } else if (!counter_take(peer, counter, place)) {
        /* A question goes out on every link; the one by which it came first may be deaf there. */
        if (is_question(text, length - BODY_HEAD) && !place_equal(place, &peer->place))
            answer(peer, from, place, now);
        return;
    }
    heard(peer, now);
    act(peer, text, length - BODY_HEAD, now);
}

bool peer_packet(struct peer *peer, const struct place *place, const uint8_t *packet, size_t length,
                 int64_t now)
{
    uint8_t body[SEAL_BODY_MAX];
    int size = seal_open(&peer->keys, packet, length, body);

    if (size < 0)
        return false;
    peer_body(peer, place, body, (size_t)size, now);
    return true;
}

/* What is due */

static void ask(struct peer *peer, int64_t now)
{
    if (++peer->asks > PEER_ASKS) {
        part(peer);
        call_quickly(peer, 0, now);
        return;
    }
    peer->ask_at = now + PEER_ASK_MS;
    send_hello(peer, &peer->place, peer->ours, peer->theirs, FLAG_ASK);
    if (peer->asks >= ASKS_WIDER)
        send_hello(peer, NULL, peer->ours, peer->theirs, FLAG_ASK);
}

/* The quick calls, one after the other; then rare ones to a peer that is away. */
static void call(struct peer *peer, int64_t now)
{
    if (!send_call(peer)) {
        peer->call_at = now + CALL_AGAIN_MS + randombytes_uniform(CALL_AGAIN_MS);
        return;
    }
    if (++peer->call < CALLS) {
        int64_t step = calls_ms[peer->call] - calls_ms[peer->call - 1];

        peer->call_at = now + step + randombytes_uniform((uint32_t)step / 4);
    } else
        peer->call_at = peer->met ? INT64_MAX : rarely(now);
}

int64_t peer_work(struct peer *peer, int64_t now)
{
    int64_t next = INT64_MAX;

    if (peer->ask_at <= now)
        ask(peer, now);
    if (peer->call_at <= now)
        call(peer, now);
    if (peer->met)
        next = parcels_work(peer->parcels, now);
    if (peer->ask_at < next)
        next = peer->ask_at;
    return peer->call_at < next ? peer->call_at : next;
}
