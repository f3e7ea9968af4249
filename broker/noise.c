/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/noise.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

/* BLAKE2b's block, which HMAC needs (section 12.8). */
#define BLOCK_BYTES 128
#define MESSAGES    2

/* Section 9.3: in this order. */
enum token { TOKEN_END, TOKEN_E, TOKEN_S, TOKEN_EE, TOKEN_ES, TOKEN_SE, TOKEN_SS, TOKEN_PSK };

static const struct pattern {
    const char *name;
    bool initiator_known; /* a pre-message has the initiator's static key */
    bool psk;
    enum token messages[MESSAGES][5];
} patterns[] = {
    [NOISE_KK] = {"Noise_KK_25519_ChaChaPoly_BLAKE2b",
                  true,
                  false,
                  {{TOKEN_E, TOKEN_ES, TOKEN_SS}, {TOKEN_E, TOKEN_EE, TOKEN_SE}}},
    [NOISE_IKPSK2] = {"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2b",
                      false,
                      true,
                      {{TOKEN_E, TOKEN_ES, TOKEN_S, TOKEN_SS},
                       {TOKEN_E, TOKEN_EE, TOKEN_SE, TOKEN_PSK}}},
};

/* Where the next bytes of a message are read or written. */
struct cursor {
    uint8_t *out;
    const uint8_t *in;
    size_t left;
};

static void hash_two(const uint8_t *a, size_t a_length, const uint8_t *b, size_t b_length,
                     uint8_t out[NOISE_HASH_BYTES])
{
    crypto_generichash_state state;

    crypto_generichash_init(&state, NULL, 0, NOISE_HASH_BYTES);
    crypto_generichash_update(&state, a, a_length);
    crypto_generichash_update(&state, b, b_length);
    crypto_generichash_final(&state, out, NOISE_HASH_BYTES);
    sodium_memzero(&state, sizeof state);
}

/* RFC 2104, with a key of one hash's length. */
static void hmac(const uint8_t key[NOISE_HASH_BYTES], const uint8_t *data, size_t length,
                 uint8_t out[NOISE_HASH_BYTES])
{
    uint8_t block[BLOCK_BYTES], inner[NOISE_HASH_BYTES];

    memset(block, 0x36, sizeof block);
    for (size_t i = 0; i < NOISE_HASH_BYTES; i++)
        block[i] ^= key[i];
    hash_two(block, sizeof block, data, length, inner);
    for (size_t i = 0; i < sizeof block; i++)
        block[i] ^= 0x36 ^ 0x5c;
    hash_two(block, sizeof block, inner, sizeof inner, out);
    sodium_memzero(block, sizeof block);
    sodium_memzero(inner, sizeof inner);
}

/* Section 4.3, HKDF: `count` (2 or 3) hashes one after the other in `out`. */
static void derive(const uint8_t chaining_key[NOISE_HASH_BYTES], const uint8_t *material,
                   size_t length, unsigned count, uint8_t out[][NOISE_HASH_BYTES])
{
    uint8_t temporary[NOISE_HASH_BYTES], input[NOISE_HASH_BYTES + 1];

    hmac(chaining_key, material, length, temporary);
    input[0] = 1;
    hmac(temporary, input, 1, out[0]);
    for (unsigned i = 1; i < count; i++) {
        memcpy(input, out[i - 1], NOISE_HASH_BYTES);
        input[NOISE_HASH_BYTES] = (uint8_t)(i + 1);
        hmac(temporary, input, sizeof input, out[i]);
    }
    sodium_memzero(temporary, sizeof temporary);
    sodium_memzero(input, sizeof input);
}

/* Section 12.4: four zero bytes, then the counter in little-endian order. */
static void nonce_make(uint64_t counter, uint8_t nonce[12])
{
    memset(nonce, 0, 4);
    for (unsigned i = 0; i < 8; i++)
        nonce[4 + i] = (uint8_t)(counter >> (8 * i));
}

int noise_seal(const uint8_t key[NOISE_KEY_BYTES], uint64_t counter, const uint8_t *header,
               size_t header_length, const uint8_t *plaintext, size_t length, uint8_t *out)
{
    uint8_t nonce[12];

    if (counter == UINT64_MAX)
        return -EOVERFLOW;
    nonce_make(counter, nonce);
    crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plaintext, length, header, header_length,
                                              NULL, nonce, key);
    return 0;
}

int noise_open(const uint8_t key[NOISE_KEY_BYTES], uint64_t counter, const uint8_t *header,
               size_t header_length, const uint8_t *message, size_t length, uint8_t *out)
{
    uint8_t nonce[12];

    if (counter == UINT64_MAX)
        return -EOVERFLOW;
    if (length < NOISE_TAG_BYTES)
        return -EBADMSG;
    nonce_make(counter, nonce);
    if (crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, message, length, header,
                                                  header_length, nonce, key) != 0)
        return -EBADMSG;
    return 0;
}

static void mix_hash(struct noise_handshake *handshake, const uint8_t *data, size_t length)
{
    hash_two(handshake->hash, NOISE_HASH_BYTES, data, length, handshake->hash);
}

/* Sections 5.1 and 5.2: a longer hash is cut to 32 bytes for the cipher. */
static void set_key(struct noise_handshake *handshake, const uint8_t hash[NOISE_HASH_BYTES])
{
    memcpy(handshake->key, hash, NOISE_KEY_BYTES);
    handshake->has_key = true;
    handshake->nonce = 0;
}

static void mix_key(struct noise_handshake *handshake, const uint8_t material[NOISE_KEY_BYTES])
{
    uint8_t out[2][NOISE_HASH_BYTES];

    derive(handshake->chaining_key, material, NOISE_KEY_BYTES, 2, out);
    memcpy(handshake->chaining_key, out[0], NOISE_HASH_BYTES);
    set_key(handshake, out[1]);
    sodium_memzero(out, sizeof out);
}

static void mix_key_and_hash(struct noise_handshake *handshake,
                             const uint8_t material[NOISE_KEY_BYTES])
{
    uint8_t out[3][NOISE_HASH_BYTES];

    derive(handshake->chaining_key, material, NOISE_KEY_BYTES, 3, out);
    memcpy(handshake->chaining_key, out[0], NOISE_HASH_BYTES);
    mix_hash(handshake, out[1], NOISE_HASH_BYTES);
    set_key(handshake, out[2]);
    sodium_memzero(out, sizeof out);
}

static int mix_exchange(struct noise_handshake *handshake, const uint8_t secret[NOISE_KEY_BYTES],
                        const uint8_t public[NOISE_KEY_BYTES])
{
    uint8_t shared[NOISE_KEY_BYTES];

    if (crypto_scalarmult_curve25519(shared, secret, public) != 0)
        return -EBADMSG;
    mix_key(handshake, shared);
    sodium_memzero(shared, sizeof shared);
    return 0;
}

/* The tokens name the initiator's key first, the responder's second. */
static int exchange_token(struct noise_handshake *handshake, enum token token)
{
    bool own_first = handshake->initiator;
    bool first_ephemeral = token == TOKEN_EE || token == TOKEN_ES;
    bool second_ephemeral = token == TOKEN_EE || token == TOKEN_SE;
    bool own_ephemeral = own_first ? first_ephemeral : second_ephemeral;
    bool remote_ephemeral = own_first ? second_ephemeral : first_ephemeral;

    return mix_exchange(handshake,
                        own_ephemeral ? handshake->own_ephemeral_secret : handshake->own_secret,
                        remote_ephemeral ? handshake->remote_ephemeral : handshake->remote_static);
}

static int write_sealed(struct noise_handshake *handshake, struct cursor *cursor,
                        const uint8_t *data, size_t length)
{
    if (cursor->left < NOISE_TAG_BYTES || cursor->left - NOISE_TAG_BYTES < length)
        return -EMSGSIZE;
    noise_seal(handshake->key, handshake->nonce++, handshake->hash, NOISE_HASH_BYTES, data, length,
               cursor->out);
    mix_hash(handshake, cursor->out, length + NOISE_TAG_BYTES);
    cursor->out += length + NOISE_TAG_BYTES;
    cursor->left -= length + NOISE_TAG_BYTES;
    return 0;
}

/* `length` is the plaintext's. */
static int read_sealed(struct noise_handshake *handshake, struct cursor *cursor, uint8_t *data,
                       size_t length)
{
    size_t sealed = length + NOISE_TAG_BYTES;

    if (cursor->left < sealed)
        return -EBADMSG;
    if (noise_open(handshake->key, handshake->nonce++, handshake->hash, NOISE_HASH_BYTES,
                   cursor->in, sealed, data) != 0)
        return -EBADMSG;
    mix_hash(handshake, cursor->in, sealed);
    cursor->in += sealed;
    cursor->left -= sealed;
    return 0;
}

static void mix_ephemeral(struct noise_handshake *handshake, const uint8_t public[NOISE_KEY_BYTES])
{
    mix_hash(handshake, public, NOISE_KEY_BYTES);
    if (patterns[handshake->pattern].psk)
        mix_key(handshake, public);
}

static int write_ephemeral(struct noise_handshake *handshake, struct cursor *cursor)
{
    if (cursor->left < NOISE_KEY_BYTES)
        return -EMSGSIZE;
    if (!handshake->injected_ephemeral)
        randombytes_buf(handshake->own_ephemeral_secret, NOISE_KEY_BYTES);
    crypto_scalarmult_curve25519_base(handshake->own_ephemeral_public,
                                      handshake->own_ephemeral_secret);
    memcpy(cursor->out, handshake->own_ephemeral_public, NOISE_KEY_BYTES);
    cursor->out += NOISE_KEY_BYTES;
    cursor->left -= NOISE_KEY_BYTES;
    mix_ephemeral(handshake, handshake->own_ephemeral_public);
    return 0;
}

static int read_ephemeral(struct noise_handshake *handshake, struct cursor *cursor)
{
    if (cursor->left < NOISE_KEY_BYTES)
        return -EBADMSG;
    memcpy(handshake->remote_ephemeral, cursor->in, NOISE_KEY_BYTES);
    cursor->in += NOISE_KEY_BYTES;
    cursor->left -= NOISE_KEY_BYTES;
    mix_ephemeral(handshake, handshake->remote_ephemeral);
    return 0;
}

static int walk_token(struct noise_handshake *handshake, enum token token, struct cursor *cursor)
{
    bool writing = cursor->out != NULL;

    switch (token) {
    case TOKEN_E:
        return writing ? write_ephemeral(handshake, cursor) : read_ephemeral(handshake, cursor);
    case TOKEN_S:
        if (writing)
            return write_sealed(handshake, cursor, handshake->own_public, NOISE_KEY_BYTES);
        return read_sealed(handshake, cursor, handshake->remote_static, NOISE_KEY_BYTES);
    case TOKEN_PSK:
        mix_key_and_hash(handshake, handshake->psk);
        return 0;
    default:
        return exchange_token(handshake, token);
    }
}

static int walk_tokens(struct noise_handshake *handshake, struct cursor *cursor)
{
    const enum token *token = patterns[handshake->pattern].messages[handshake->turn];

    for (; *token != TOKEN_END; token++) {
        int rc = walk_token(handshake, *token, cursor);

        if (rc < 0)
            return rc;
    }
    return 0;
}

static bool is_own_turn(const struct noise_handshake *handshake)
{
    return (handshake->turn % 2 == 0) == handshake->initiator;
}

int noise_write(struct noise_handshake *handshake, const uint8_t *payload, size_t length,
                uint8_t *out, size_t size, size_t *written)
{
    struct cursor cursor = {.out = out,
                            .left = size < NOISE_MESSAGE_MAX ? size : NOISE_MESSAGE_MAX};
    size_t room = cursor.left;
    int rc;

    if (noise_done(handshake) || !is_own_turn(handshake))
        return -EPROTO;
    rc = walk_tokens(handshake, &cursor);
    if (rc == 0)
        rc = write_sealed(handshake, &cursor, payload, length);
    if (rc < 0)
        return rc;
    handshake->turn++;
    *written = room - cursor.left;
    return 0;
}

int noise_read(struct noise_handshake *handshake, const uint8_t *message, size_t length,
               uint8_t *payload, size_t size, size_t *written)
{
    struct cursor cursor = {.in = message, .left = length};
    int rc;

    if (noise_done(handshake) || is_own_turn(handshake))
        return -EPROTO;
    if (length > NOISE_MESSAGE_MAX)
        return -EBADMSG;
    rc = walk_tokens(handshake, &cursor);
    if (rc < 0)
        return rc;
    if (cursor.left < NOISE_TAG_BYTES)
        return -EBADMSG;
    *written = cursor.left - NOISE_TAG_BYTES;
    if (*written > size)
        return -EMSGSIZE;
    rc = read_sealed(handshake, &cursor, payload, *written);
    if (rc < 0)
        return rc;
    handshake->turn++;
    return 0;
}

bool noise_done(const struct noise_handshake *handshake)
{
    return handshake->turn == MESSAGES;
}

void noise_split(const struct noise_handshake *handshake, uint8_t send[NOISE_KEY_BYTES],
                 uint8_t receive[NOISE_KEY_BYTES])
{
    uint8_t out[2][NOISE_HASH_BYTES];

    derive(handshake->chaining_key, NULL, 0, 2, out);
    memcpy(send, out[handshake->initiator ? 0 : 1], NOISE_KEY_BYTES);
    memcpy(receive, out[handshake->initiator ? 1 : 0], NOISE_KEY_BYTES);
    sodium_memzero(out, sizeof out);
}

static void copy_key(uint8_t to[NOISE_KEY_BYTES], const uint8_t *from)
{
    if (from != NULL)
        memcpy(to, from, NOISE_KEY_BYTES);
}

void noise_begin(struct noise_handshake *handshake, const struct noise_setup *setup)
{
    const struct pattern *pattern = &patterns[setup->pattern];

    memset(handshake, 0, sizeof *handshake);
    handshake->pattern = setup->pattern;
    handshake->initiator = setup->initiator;
    handshake->injected_ephemeral = setup->ephemeral_secret != NULL;
    copy_key(handshake->own_secret, setup->own_secret);
    copy_key(handshake->own_public, setup->own_public);
    copy_key(handshake->remote_static, setup->remote_public);
    copy_key(handshake->psk, setup->psk);
    copy_key(handshake->own_ephemeral_secret, setup->ephemeral_secret);

    /* Section 5.2: both names are shorter than a hash, so they are padded, not hashed. */
    memcpy(handshake->hash, pattern->name, strlen(pattern->name));
    memcpy(handshake->chaining_key, handshake->hash, NOISE_HASH_BYTES);
    mix_hash(handshake, setup->prologue, setup->prologue_length);
    if (pattern->initiator_known)
        mix_hash(handshake, setup->initiator ? handshake->own_public : handshake->remote_static,
                 NOISE_KEY_BYTES);
    mix_hash(handshake, setup->initiator ? handshake->remote_static : handshake->own_public,
             NOISE_KEY_BYTES);
}

void noise_set_psk(struct noise_handshake *handshake, const uint8_t psk[NOISE_KEY_BYTES])
{
    memcpy(handshake->psk, psk, NOISE_KEY_BYTES);
}

void noise_clear(struct noise_handshake *handshake)
{
    sodium_memzero(handshake, sizeof *handshake);
}
