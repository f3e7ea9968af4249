/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What two peers make of their rendezvous: the key of the DHT under which they meet, and the seal
 * on everything that they put there, where anybody may read it.
 */
#ifndef SIGNAL_DHT_SEAL_H
#define SIGNAL_DHT_SEAL_H

#include <stddef.h>
#include <stdint.h>

#define SEAL_RENDEZVOUS_BYTES 32
/* XChaCha20-Poly1305's nonce, random, and tag. */
#define SEAL_OVERHEAD (24 + 16)
/* OpenDHT's InfoHash. */
#define SEAL_PLACE_BYTES 20

struct seal {
    uint8_t place[SEAL_PLACE_BYTES]; /* tells nothing to who does not know the rendezvous */
    uint8_t key[32];
};

void seal_init(struct seal *seal, const uint8_t rendezvous[SEAL_RENDEZVOUS_BYTES]);
/* `out` has room for length + SEAL_OVERHEAD bytes, all of which are written. */
void seal_close(const struct seal *seal, const uint8_t *plain, size_t length, uint8_t *out);
/* `out` has room for length - SEAL_OVERHEAD bytes, and they are written. 0, or -EBADMSG for what
 * was not sealed with the same rendezvous. */
int seal_open(const struct seal *seal, const uint8_t *sealed, size_t length, uint8_t *out);

#endif
