/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/keyring.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static void keys_clear(struct keys *keys)
{
    free(keys->response);
    free(keys->hello);
    sodium_memzero(keys, sizeof *keys);
}

void keyring_expire(struct keyring *keyring, int64_t now)
{
    for (unsigned i = 0; i < KEYRING_MAX; i++)
        if (keyring->keys[i].used && keyring->keys[i].expires <= now)
            keys_clear(&keyring->keys[i]);
}

static struct keys *newest_confirmed(struct keyring *keyring)
{
    struct keys *newest = NULL;

    for (struct keys *at = keyring->keys; at < keyring->keys + KEYRING_MAX; at++)
        if (at->used && at->confirmed && (newest == NULL || at->order > newest->order))
            newest = at;
    return newest;
}

struct keys *keyring_current(struct keyring *keyring)
{
    struct keys *current = NULL;

    if (!keyring->initiator)
        return newest_confirmed(keyring);
    for (struct keys *at = keyring->keys; at < keyring->keys + KEYRING_MAX; at++)
        if (at->used && (current == NULL || at->order > current->order))
            current = at;
    return current;
}

struct keys *keyring_named(struct keyring *keyring, const uint8_t name[KEYS_NAME_BYTES])
{
    for (struct keys *at = keyring->keys; at < keyring->keys + KEYRING_MAX; at++)
        if (at->used && memcmp(at->name, name, KEYS_NAME_BYTES) == 0)
            return at;
    return NULL;
}

struct keys *keyring_answering(struct keyring *keyring, uint64_t initiation)
{
    for (struct keys *at = keyring->keys; at < keyring->keys + KEYRING_MAX; at++)
        if (at->used && at->response != NULL && at->initiation == initiation)
            return at;
    return NULL;
}

/* The oldest of the (un)confirmed keys. */
static struct keys *oldest(struct keyring *keyring, bool confirmed, unsigned *count)
{
    struct keys *oldest = NULL;

    *count = 0;
    for (struct keys *at = keyring->keys; at < keyring->keys + KEYRING_MAX; at++) {
        if (!at->used || at->confirmed != confirmed)
            continue;
        ++*count;
        if (oldest == NULL || at->order < oldest->order)
            oldest = at;
    }
    return oldest;
}

/* A free place. The newest confirmed keys are never given up for it. */
static struct keys *place_make(struct keyring *keyring)
{
    unsigned unconfirmed_count, confirmed_count;
    struct keys *unconfirmed = oldest(keyring, false, &unconfirmed_count);
    struct keys *confirmed = oldest(keyring, true, &confirmed_count);
    struct keys *place = NULL;

    if (unconfirmed_count >= KEYRING_UNCONFIRMED_MAX)
        place = unconfirmed;
    else if (unconfirmed_count + confirmed_count == KEYRING_MAX)
        place = confirmed; /* there are four at least: not the newest */
    for (unsigned i = 0; place == NULL; i++)
        if (!keyring->keys[i].used)
            place = &keyring->keys[i];
    keys_clear(place);
    return place;
}

struct keys *keyring_add(struct keyring *keyring, const struct noise_handshake *handshake,
                         int64_t now)
{
    struct keys *keys = place_make(keyring);

    keys->used = true;
    keys->order = ++keyring->order;
    keys->since = now;
    keys->expires = INT64_MAX;
    memcpy(keys->name, handshake->hash, KEYS_NAME_BYTES);
    noise_split(handshake, keys->send, keys->receive);
    return keys;
}

bool keyring_has_later(const struct keyring *keyring, const struct keys *keys)
{
    for (const struct keys *at = keyring->keys; at < keyring->keys + KEYRING_MAX; at++)
        if (at->used && at->confirmed && at->order > keys->order)
            return true;
    return false;
}

bool keyring_confirm(struct keyring *keyring, struct keys *keys, int64_t now, int64_t grace)
{
    const struct keys *before = newest_confirmed(keyring);

    keys->confirmed = true;
    keys->expires = INT64_MAX;
    if (before != NULL && before->order > keys->order) {
        keys->expires = now + grace;
        return false;
    }
    for (struct keys *at = keyring->keys; at < keyring->keys + KEYRING_MAX; at++)
        if (at->used && at->order < keys->order && at->expires > now + grace)
            at->expires = now + grace;
    return true;
}

int64_t keyring_next(const struct keyring *keyring)
{
    int64_t next = INT64_MAX;

    for (unsigned i = 0; i < KEYRING_MAX; i++)
        if (keyring->keys[i].used && keyring->keys[i].expires < next)
            next = keyring->keys[i].expires;
    return next;
}

void keyring_clear(struct keyring *keyring)
{
    for (unsigned i = 0; i < KEYRING_MAX; i++)
        keys_clear(&keyring->keys[i]);
}
