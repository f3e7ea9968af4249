/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The text in which the secret identity key is kept: three lines, what it is, the key in hex
 * digits, and a checksum of both.
 */
#ifndef PROTOCOL_IDENTITY_KEY_H
#define PROTOCOL_IDENTITY_KEY_H

#include <stddef.h>
#include <stdint.h>

#define IDENTITY_SECRET_BYTES 32
#define IDENTITY_TEXT_LENGTH  124

/* Terminated. */
void identity_key_format(const uint8_t secret[IDENTITY_SECRET_BYTES],
                         char text[IDENTITY_TEXT_LENGTH + 1]);
/* 0, or -EINVAL for what is torn or no such text, which need not be terminated. */
int identity_key_parse(const char *text, size_t length, uint8_t secret[IDENTITY_SECRET_BYTES]);

#endif
