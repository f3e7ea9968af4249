/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "signal-lan/seal.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

static_assert(SEAL_NONCE_BYTES == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "nonce");
static_assert(SEAL_MAC_BYTES == crypto_aead_xchacha20poly1305_ietf_ABYTES, "authentication");
static_assert(RENDEZVOUS_BYTES == crypto_kdf_KEYBYTES, "key");

/* Changed with the packets, so that versions do not understand each other by half. */
static const char context[crypto_kdf_CONTEXTBYTES] = {'P', 'G', '-', 'L', 'A', 'N', '-', '1'};

void seal_keys_derive(struct seal_keys *keys, const uint8_t rendezvous[RENDEZVOUS_BYTES])
{
    crypto_kdf_derive_from_key(keys->tag, sizeof keys->tag, 1, context, rendezvous);
    crypto_kdf_derive_from_key(keys->box, sizeof keys->box, 2, context, rendezvous);
}

static void tag_make(const struct seal_keys *keys, const uint8_t *nonce, uint8_t *tag)
{
    uint8_t hash[crypto_generichash_BYTES_MIN];

    crypto_generichash(hash, sizeof hash, nonce, SEAL_NONCE_BYTES, keys->tag, sizeof keys->tag);
    memcpy(tag, hash, SEAL_TAG_BYTES);
}

size_t seal_close(const struct seal_keys *keys, const uint8_t *body, size_t length,
                  uint8_t packet[SEAL_PACKET_MAX])
{
    uint8_t *tag = packet + SEAL_NONCE_BYTES, *sealed = tag + SEAL_TAG_BYTES;

    randombytes_buf(packet, SEAL_NONCE_BYTES);
    tag_make(keys, packet, tag);
    crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, NULL, body, length, NULL, 0, NULL, packet,
                                               keys->box);
    return length + SEAL_OVERHEAD;
}

bool seal_is_tagged(const struct seal_keys *keys, const uint8_t *packet, size_t length)
{
    uint8_t tag[SEAL_TAG_BYTES];

    if (length < SEAL_OVERHEAD || length > SEAL_PACKET_MAX)
        return false;
    tag_make(keys, packet, tag);
    return sodium_memcmp(tag, packet + SEAL_NONCE_BYTES, sizeof tag) == 0;
}

int seal_open(const struct seal_keys *keys, const uint8_t *packet, size_t length,
              uint8_t body[SEAL_BODY_MAX])
{
    const uint8_t *sealed = packet + SEAL_NONCE_BYTES + SEAL_TAG_BYTES;

    if (!seal_is_tagged(keys, packet, length) ||
        crypto_aead_xchacha20poly1305_ietf_decrypt(body, NULL, NULL, sealed,
                                                   length - SEAL_NONCE_BYTES - SEAL_TAG_BYTES, NULL,
                                                   0, packet, keys->box) != 0)
        return -EBADMSG;
    return (int)(length - SEAL_OVERHEAD);
}
