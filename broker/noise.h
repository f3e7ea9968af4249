/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Noise handshakes (The Noise Protocol Framework, revision 34): KK, and IKpsk2 for invitations,
 * both with 25519, ChaChaPoly and BLAKE2b. "Section" below means a section of that text.
 */
#ifndef BROKER_NOISE_H
#define BROKER_NOISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NOISE_KEY_BYTES  32
#define NOISE_HASH_BYTES 64
#define NOISE_TAG_BYTES  16
/* What the first (or the only other) handshake message adds to its payload. */
#define NOISE_KK_OVERHEAD     (NOISE_KEY_BYTES + NOISE_TAG_BYTES)
#define NOISE_IKPSK2_OVERHEAD (NOISE_KK_OVERHEAD + NOISE_KEY_BYTES + NOISE_TAG_BYTES)
/* Section 3. */
#define NOISE_MESSAGE_MAX 65535

enum noise_pattern {
    NOISE_KK,
    NOISE_IKPSK2,
};

/* What both sides must know before the first message. Everything is copied. */
struct noise_setup {
    enum noise_pattern pattern;
    bool initiator;
    const uint8_t *prologue;
    size_t prologue_length;
    const uint8_t *own_secret;    /* 32 bytes */
    const uint8_t *own_public;    /* 32 bytes, of own_secret */
    const uint8_t *remote_public; /* 32 bytes; NULL for IKpsk2's responder */
    const uint8_t *psk;           /* 32 bytes; NULL for KK, or where noise_set_psk() follows */
    /* 32 bytes in place of random ones, for tests against published vectors; else NULL. */
    const uint8_t *ephemeral_secret;
};

/* Members are noise.c's, but `remote_static` and `hash` (the channel's binding, section 11.2),
 * which may be read when the handshake is done. A copy of the struct is a handshake of its own: a
 * caller keeps the original where a message may turn out to be forged. */
struct noise_handshake {
    enum noise_pattern pattern;
    bool initiator;
    bool injected_ephemeral;
    bool has_key;
    unsigned turn;
    uint64_t nonce;
    uint8_t key[NOISE_KEY_BYTES];
    uint8_t chaining_key[NOISE_HASH_BYTES];
    uint8_t hash[NOISE_HASH_BYTES];
    uint8_t own_secret[NOISE_KEY_BYTES];
    uint8_t own_public[NOISE_KEY_BYTES];
    uint8_t own_ephemeral_secret[NOISE_KEY_BYTES];
    uint8_t own_ephemeral_public[NOISE_KEY_BYTES];
    uint8_t remote_static[NOISE_KEY_BYTES];
    uint8_t remote_ephemeral[NOISE_KEY_BYTES];
    uint8_t psk[NOISE_KEY_BYTES];
};

void noise_begin(struct noise_handshake *handshake, const struct noise_setup *setup);
/* Before the message that needs it, for who learns from an earlier one which it is. */
void noise_set_psk(struct noise_handshake *handshake, const uint8_t psk[NOISE_KEY_BYTES]);
/* Wipes it. */
void noise_clear(struct noise_handshake *handshake);

/* The next message, ours. 0 and `*written`; -EMSGSIZE when `out` is too small; -EBADMSG when the
 * other's key gives an all-zero secret; -EPROTO when it is not our turn. After an error the
 * handshake is of no use any more. */
int noise_write(struct noise_handshake *handshake, const uint8_t *payload, size_t length,
                uint8_t *out, size_t size, size_t *written);
/* The next message, the other's. Errors as noise_write's; -EBADMSG also for what is forged or cut.
 */
int noise_read(struct noise_handshake *handshake, const uint8_t *message, size_t length,
               uint8_t *payload, size_t size, size_t *written);
/* Both messages are through. */
bool noise_done(const struct noise_handshake *handshake);
/* The transport's keys; then the handshake should be cleared. Only when done. */
void noise_split(const struct noise_handshake *handshake, uint8_t send[NOISE_KEY_BYTES],
                 uint8_t receive[NOISE_KEY_BYTES]);

/* Transport messages with a counter of the caller's (section 11.4). `out` has room for `length` +
 * NOISE_TAG_BYTES. The counter 2^64-1 is reserved (section 5.1): -EOVERFLOW. */
int noise_seal(const uint8_t key[NOISE_KEY_BYTES], uint64_t counter, const uint8_t *header,
               size_t header_length, const uint8_t *plaintext, size_t length, uint8_t *out);
/* `out` has room for `length` - NOISE_TAG_BYTES. -EBADMSG when it is not authentic. */
int noise_open(const uint8_t key[NOISE_KEY_BYTES], uint64_t counter, const uint8_t *header,
               size_t header_length, const uint8_t *message, size_t length, uint8_t *out);

#endif
