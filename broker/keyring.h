/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The keys that handshakes with one peer gave: which to seal with, which to go on accepting.
 */
#ifndef BROKER_KEYRING_H
#define BROKER_KEYRING_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/noise.h"
#include "broker/window.h"

#define KEYS_NAME_BYTES 8
#define KEYRING_MAX     6
/* Keys that no message confirmed: so few that replayed initiations can't push the others out. */
#define KEYRING_UNCONFIRMED_MAX 3

/* One handshake's result. The initiator's may be used at once, the responder's once confirmed. */
struct keys {
    bool used;
    bool confirmed; /* a message came under them: the peer has them too */
    uint64_t order; /* later handshakes have greater ones */
    uint8_t name[KEYS_NAME_BYTES];
    uint8_t send[NOISE_KEY_BYTES];
    uint8_t receive[NOISE_KEY_BYTES];
    uint64_t counter; /* of the next message sent */
    struct window window;
    int64_t since;       /* ms */
    int64_t expires;     /* ms; INT64_MAX: never */
    uint64_t initiation; /* the responder's, until confirmed: what was answered, with what, when */
    char *response;
    int64_t answered;
    char *hello; /* the peer's */
};

struct keyring {
    bool initiator;
    uint64_t order;
    struct keys keys[KEYRING_MAX];
};

/* Wipes everything. */
void keyring_clear(struct keyring *keyring);
/* Wipes what has expired. */
void keyring_expire(struct keyring *keyring, int64_t now);
/* When the next keys expire, or INT64_MAX. */
int64_t keyring_next(const struct keyring *keyring);
/* The new keys of a finished handshake, not confirmed. Where there is no room the oldest make some,
 * but never the newest confirmed ones. */
struct keys *keyring_add(struct keyring *keyring, const struct noise_handshake *handshake,
                         int64_t now);
/* The keys to seal with, or NULL. */
struct keys *keyring_current(struct keyring *keyring);
/* The keys with this name, or those that answered this initiation, or NULL. */
struct keys *keyring_named(struct keyring *keyring, const uint8_t name[KEYS_NAME_BYTES]);
struct keys *keyring_answering(struct keyring *keyring, uint64_t initiation);
/* Whether a message came under the keys of a later handshake. */
bool keyring_has_later(const struct keyring *keyring, const struct keys *keys);
/* A first message came under these keys. True when they are the newest confirmed ones now: all
 * older ones expire in `grace` ms. */
bool keyring_confirm(struct keyring *keyring, struct keys *keys, int64_t now, int64_t grace);

#endif
