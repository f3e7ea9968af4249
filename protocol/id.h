/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How people name a device, and the overlay addresses that follow from that name.
 */
#ifndef PROTOCOL_ID_H
#define PROTOCOL_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/endpoint.h"
#include "protocol/error.h"

#define ID_KEY_BYTES 32
/* "PG1" and 58 base32 digits (RFC 4648 section 6, no padding) of key and 4 bytes of checksum. */
#define ID_TEXT_LENGTH (3 + 58)

/* Writes the id of a public identity key, terminated. */
void id_encode(const uint8_t key[ID_KEY_BYTES], char out[ID_TEXT_LENGTH + 1]);
/* 0, or -EINVAL with `err` saying which of length, digit, trailing bits or checksum is wrong. */
int id_decode(const char *text, uint8_t key[ID_KEY_BYTES], struct error *err);

/* The device's own addresses, as single hosts (/128 and /32): fd50:4755:4152:4400::/64 with 64 bits of
 * BLAKE2b of the key, and 22 bits of it in 100.64.0.0/10 (RFC 6598) outside 100.100.0.0/16, which
 * some clouds use for their own services. */
void id_overlay(const uint8_t key[ID_KEY_BYTES], struct prefix *ipv6, struct prefix *ipv4);
/* Whether all of the prefix lies where the overlay addresses of ids do. */
bool id_is_overlay(const struct prefix *prefix);

#endif
