/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What goes over the link: packets that nobody without the rendezvous can tell from random bytes,
 * nor from one another.
 *
 *   nonce (24) | tag (8) | the body, encrypted and authenticated (16 more than the body)
 *
 * The tag is keyed BLAKE2b of the nonce, so that a receiver with many peers finds the sender
 * without trying to decrypt; no two packets have the same. Encryption is XChaCha20-Poly1305, whose
 * nonces may be random (draft-irtf-cfrg-xchacha). Both keys come from the rendezvous.
 */
#ifndef SIGNAL_LAN_SEAL_H
#define SIGNAL_LAN_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RENDEZVOUS_BYTES 32

#define SEAL_NONCE_BYTES 24
#define SEAL_TAG_BYTES   8
#define SEAL_MAC_BYTES   16
#define SEAL_OVERHEAD    (SEAL_NONCE_BYTES + SEAL_TAG_BYTES + SEAL_MAC_BYTES)
/* UDP's payload in the smallest packet that IPv6 promises to carry is 1,232 bytes (RFC 8200 section
 * 5: 1280). */
#define SEAL_PACKET_MAX 1200
#define SEAL_BODY_MAX   (SEAL_PACKET_MAX - SEAL_OVERHEAD)

struct seal_keys {
    uint8_t tag[32], box[32];
};

void seal_keys_derive(struct seal_keys *keys, const uint8_t rendezvous[RENDEZVOUS_BYTES]);

/* Seals a body of at most SEAL_BODY_MAX bytes; returns the packet's length. */
size_t seal_close(const struct seal_keys *keys, const uint8_t *body, size_t length,
                  uint8_t packet[SEAL_PACKET_MAX]);

/* Whether the packet bears a tag of these keys: cheap, and by itself no proof. */
bool seal_is_tagged(const struct seal_keys *keys, const uint8_t *packet, size_t length);

/* The body's length, or -EBADMSG where the packet was not sealed under these keys. */
int seal_open(const struct seal_keys *keys, const uint8_t *packet, size_t length,
              uint8_t body[SEAL_BODY_MAX]);

#endif
