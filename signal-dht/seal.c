/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "signal-dht/seal.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

_Static_assert(SEAL_OVERHEAD == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES +
                                    crypto_aead_xchacha20poly1305_ietf_ABYTES,
               "the overhead is the nonce and the tag");

/* Keyed BLAKE2b. The texts are part of the protocol between two devices. */
static void derive(const uint8_t rendezvous[SEAL_RENDEZVOUS_BYTES], const char *purpose,
                   uint8_t *out, size_t length)
{
    crypto_generichash(out, length, (const uint8_t *)purpose, strlen(purpose), rendezvous,
                       SEAL_RENDEZVOUS_BYTES);
}

void seal_init(struct seal *seal, const uint8_t rendezvous[SEAL_RENDEZVOUS_BYTES])
{
    derive(rendezvous, "punchguard signal-dht 1 place", seal->place, sizeof seal->place);
    derive(rendezvous, "punchguard signal-dht 1 seal", seal->key, sizeof seal->key);
}

void seal_close(const struct seal *seal, const uint8_t *plain, size_t length, uint8_t *out)
{
    uint8_t *nonce = out, *box = out + crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;

    randombytes_buf(nonce, crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
    crypto_aead_xchacha20poly1305_ietf_encrypt(box, NULL, plain, length, NULL, 0, NULL, nonce,
                                               seal->key);
}

int seal_open(const struct seal *seal, const uint8_t *sealed, size_t length, uint8_t *out)
{
    const size_t nonce = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;

    if (length < SEAL_OVERHEAD ||
        crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed + nonce, length - nonce,
                                                   NULL, 0, sealed, seal->key) < 0)
        return -EBADMSG;
    return 0;
}
