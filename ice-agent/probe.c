/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ice-agent/probe.h"

#include <sodium.h>
#include <string.h>

static const char magic[4] = {'P', 'G', 'P', '1'};

#define KIND_AT  4
#define NONCE_AT 5
#define TAG_AT   13
#define TAG_SIZE (PROBE_BYTES - TAG_AT)

#define KIND_ASK    'a'
#define KIND_ANSWER 'r'

void probe_init(struct probe *probe)
{
    memset(probe, 0, sizeof *probe);
    probe->rtt_ms = -1;
}

void probe_clear(struct probe *probe)
{
    sodium_memzero(probe, sizeof *probe);
}

void probe_set_passwords(struct probe *probe, const char *one, const char *other)
{
    const char *first = strcmp(one, other) < 0 ? one : other, *second = first == one ? other : one;
    crypto_generichash_state hash;

    memcpy(probe->key[1], probe->key[0], PROBE_KEY_BYTES);
    crypto_generichash_init(&hash, NULL, 0, PROBE_KEY_BYTES);
    crypto_generichash_update(&hash, (const unsigned char *)first, strlen(first) + 1);
    crypto_generichash_update(&hash, (const unsigned char *)second, strlen(second) + 1);
    crypto_generichash_final(&hash, probe->key[0], PROBE_KEY_BYTES);
    sodium_memzero(&hash, sizeof hash);
    if (probe->keys < 2)
        probe->keys++;
}

static void packet_tag(const uint8_t key[PROBE_KEY_BYTES], const uint8_t packet[PROBE_BYTES],
                       uint8_t tag[TAG_SIZE])
{
    uint8_t hash[crypto_generichash_BYTES];

    crypto_generichash(hash, sizeof hash, packet, TAG_AT, key, PROBE_KEY_BYTES);
    memcpy(tag, hash, TAG_SIZE);
}

static void packet_make(const uint8_t key[PROBE_KEY_BYTES], char kind,
                        const uint8_t nonce[PROBE_NONCE_BYTES], uint8_t packet[PROBE_BYTES])
{
    memcpy(packet, magic, sizeof magic);
    packet[KIND_AT] = (uint8_t)kind;
    memcpy(packet + NONCE_AT, nonce, PROBE_NONCE_BYTES);
    packet_tag(key, packet, packet + TAG_AT);
}

void probe_start(struct probe *probe, int64_t now)
{
    memset(probe->asks, 0, sizeof probe->asks);
    probe->state = PROBE_TRYING;
    probe->waiting = false;
    probe->misses = 0;
    probe->due = now;
    probe->rtt_ms = -1;
}

void probe_stop(struct probe *probe)
{
    probe->state = PROBE_IDLE;
}

void probe_hurry(struct probe *probe, int64_t now)
{
    probe->waiting = false;
    probe->due = now;
}

static bool is_new_pair(const struct probe *probe)
{
    return probe->state == PROBE_TRYING && probe->misses < PROBE_FIRST_ASKS;
}

/* How long an answer may take before it counts as a miss: twice the last one, where that is more.
 */
static int64_t patience(const struct probe *probe)
{
    int64_t wait = is_new_pair(probe) ? PROBE_FIRST_MS : PROBE_RETRY_MS;

    if (probe->state == PROBE_DEAD && probe->misses > PROBE_HOPE_ASKS)
        return PROBE_INTERVAL_MS;
    if (probe->rtt_ms * 2 > wait)
        wait = probe->rtt_ms * 2;
    return wait < PROBE_INTERVAL_MS ? wait : PROBE_INTERVAL_MS;
}

static void note_miss(struct probe *probe)
{
    unsigned most = PROBE_DEAD_MISSES + (probe->state == PROBE_TRYING ? PROBE_FIRST_ASKS : 0);

    probe->count.missed++;
    probe->misses++;
    if (probe->misses >= most)
        probe->state = PROBE_DEAD;
}

bool probe_ask(struct probe *probe, int64_t now, uint8_t packet[PROBE_BYTES])
{
    struct probe_ask *ask;

    if (now < probe_deadline(probe))
        return false;
    if (probe->waiting)
        note_miss(probe);
    ask = &probe->asks[probe->next_ask++ % PROBE_OUTSTANDING];
    randombytes_buf(ask->nonce, sizeof ask->nonce);
    ask->sent = now;
    packet_make(probe->key[0], KIND_ASK, ask->nonce, packet);
    probe->waiting = true;
    probe->due = now + patience(probe);
    probe->count.asked++;
    return true;
}

int64_t probe_deadline(const struct probe *probe)
{
    return probe->state == PROBE_IDLE || probe->keys == 0 ? INT64_MAX : probe->due;
}

static bool may_answer(struct probe *probe, int64_t now)
{
    if (now / 1000 != probe->answer_second) {
        probe->answer_second = now / 1000;
        probe->answers_in_second = 0;
    }
    if (probe->answers_in_second == PROBE_ANSWERS_PER_S) {
        probe->count.answers_refused++;
        return false;
    }
    probe->answers_in_second++;
    probe->count.answers_given++;
    return true;
}

static void take_answer(struct probe *probe, int64_t now, const uint8_t nonce[PROBE_NONCE_BYTES])
{
    for (size_t i = 0; i < PROBE_OUTSTANDING; i++) {
        struct probe_ask *ask = &probe->asks[i];

        if (ask->sent == 0 || memcmp(ask->nonce, nonce, PROBE_NONCE_BYTES) != 0)
            continue;
        probe->rtt_ms = now - ask->sent;
        ask->sent = 0;
        probe->count.answered++;
        probe->misses = 0;
        probe->waiting = false;
        probe->due = now + PROBE_INTERVAL_MS;
        if (probe->state != PROBE_IDLE)
            probe->state = PROBE_ALIVE;
        return;
    }
}

/* The key that the packet was made with, or NULL. */
static const uint8_t *packet_key(const struct probe *probe, const uint8_t *packet, size_t length)
{
    uint8_t tag[TAG_SIZE];

    if (length != PROBE_BYTES || memcmp(packet, magic, sizeof magic) != 0)
        return NULL;
    for (unsigned i = 0; i < probe->keys; i++) {
        packet_tag(probe->key[i], packet, tag);
        if (sodium_memcmp(tag, packet + TAG_AT, TAG_SIZE) == 0)
            return probe->key[i];
    }
    return NULL;
}

bool probe_receive(struct probe *probe, int64_t now, const void *data, size_t length,
                   uint8_t answer[PROBE_BYTES])
{
    const uint8_t *packet = data, *key = packet_key(probe, packet, length);

    if (key == NULL) {
        probe->count.foreign++;
        return false;
    }
    if (packet[KIND_AT] == KIND_ANSWER)
        take_answer(probe, now, packet + NONCE_AT);
    if (packet[KIND_AT] != KIND_ASK || !may_answer(probe, now))
        return false;
    packet_make(key, KIND_ANSWER, packet + NONCE_AT, answer);
    return true;
}
