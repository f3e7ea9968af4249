/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The device's identity key: the long-term X25519 key pair that names it. It never enters WireGuard.
 */
#ifndef BROKER_IDENTITY_H
#define BROKER_IDENTITY_H

#include <stdint.h>

#include "protocol/error.h"

#define IDENTITY_FILE "identity.key"

struct identity {
    uint8_t secret[32];
    uint8_t public[32];
};

/* Reads STATE_DIR/identity.key, or makes it where neither it nor its previous copy is there. A file that is
 * torn is an error or gives the previous copy, never a new identity. NULL with `err` filled. */
struct identity *identity_load(const char *state_dir, struct error *err);
/* Wipes it. */
void identity_destroy(struct identity *identity);

/* The 32 bytes, as 64 hex digits, that only this device and the owner of `peer` can compute: BLAKE2b of the
 * transport's name keyed with X25519 of the identity keys. 0, or -EINVAL for a key of low order. */
int identity_rendezvous(const struct identity *identity, const uint8_t peer[32],
                        const char *transport, char out[65]);

#endif
