/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What comes over the link: without the keys nothing has an effect; with them, but without the
 * token that was given out, nobody is present; a peer that is met can say anything.
 */
#include <sodium.h>
#include <string.h>
#include <sys/socket.h>

#include "signal-lan/peer.h"
#include "tests/fuzz/fuzz.h"

#define TOKENS 32
#define HEAD   40

/* After both tokens, which the target puts in front: counter, kind, and what belongs to it. */
static const char *const seeds[] = {
    "\x00\x00\x00\x00\x00\x00\x00\x05\x01\x01",
    "\x00\x00\x00\x00\x00\x00\x00\x06\x02",
    "\x00\x00\x00\x00\x00\x00\x00\x07\x03\x01\x02\x03\x04\x05\x06\x07\x08\x00\x01hello",
    "\x00\x00\x00\x00\x00\x00\x00\x08\x04\x01\x02\x03\x04\x05\x06\x07\x08\x00\x00\x00\x01",
    "\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00",
};
static const size_t lengths[] = {10, 9, 24, 21, 10};

static const uint8_t rendezvous[RENDEZVOUS_BYTES] = {1};
static const struct place here = {.family = AF_INET, .link = 1, .port = 1};

static int online;
static uint8_t last[SEAL_BODY_MAX]; /* the body of what the peer said last */

size_t fuzz_seed(size_t index, uint8_t *out, size_t space)
{
    if (index >= sizeof lengths / sizeof lengths[0])
        return 0;
    INVARIANT(lengths[index] <= space);
    memcpy(out, seeds[index], lengths[index]);
    return lengths[index];
}

static bool on_send(void *data, const struct place *place, const uint8_t *packet, size_t length)
{
    struct seal_keys keys;

    (void)data;
    (void)place;
    seal_keys_derive(&keys, rendezvous);
    INVARIANT(length <= SEAL_PACKET_MAX);
    INVARIANT(seal_open(&keys, packet, length, last) > HEAD);
    return true;
}

static void on_presence(void *data, const char *peer, bool now_online, const struct place *place)
{
    (void)data;
    (void)peer;
    (void)place;
    INVARIANT(online != now_online);
    online = now_online;
}

static void on_sent(void *data, int64_t ref)
{
    (void)data;
    (void)ref;
    INVARIANT(!"sent");
}

static void on_receive(void *data, const char *peer, const char *text)
{
    (void)data;
    (void)peer;
    INVARIANT(online && strlen(text) > 0);
}

static struct peer *peer_make(void)
{
    static const uint8_t instance[PEER_INSTANCE_BYTES] = {7};
    struct peer_events events = {
        .send = on_send, .presence = on_presence, .sent = on_sent, .receive = on_receive};
    struct peer *peer = peer_new("peer", rendezvous, instance, &events, 1000);

    INVARIANT(peer != NULL);
    online = 0;
    INVARIANT(peer_post(peer, 1, "waiting", 1000) == 0);
    peer_work(peer, 1000);
    return peer;
}

/* `to` is what the peer gave out, or not. */
static void say(struct peer *peer, const uint8_t *to, const uint8_t *data, size_t size)
{
    uint8_t body[SEAL_BODY_MAX] = {42};

    if (size > sizeof body - TOKENS)
        size = sizeof body - TOKENS;
    memcpy(body + TOKENS / 2, to, TOKENS / 2);
    memcpy(body + TOKENS, data, size);
    peer_body(peer, &here, body, TOKENS + size, 1001);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t nobody[TOKENS / 2];
    struct peer *peer = peer_make();
    uint8_t token[TOKENS / 2];

    memcpy(token, last, sizeof token);
    INVARIANT(!peer_packet(peer, &here, data, size, 1001));
    peer_body(peer, &here, data, size < SEAL_BODY_MAX ? size : SEAL_BODY_MAX, 1001);
    say(peer, nobody, data, size);
    INVARIANT(!online);
    say(peer, token, data, size);
    say(peer, token, data, size);
    for (size_t i = 0; i + HEAD < size; i += 16)
        say(peer, token, data + i, size - i);
    peer_work(peer, 1002);
    peer_destroy(peer);
    return 0;
}
