/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "protocol/identity_key.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define TITLE          "PunchGuard identity key 1\n"
#define TITLE_LENGTH   (sizeof TITLE - 1)
#define SECRET_DIGITS  (2 * IDENTITY_SECRET_BYTES)
#define CHECKSUM_BYTES 16
#define CHECKSUM_AT    (TITLE_LENGTH + SECRET_DIGITS + 1)

_Static_assert(CHECKSUM_AT + 2 * CHECKSUM_BYTES + 1 == IDENTITY_TEXT_LENGTH,
               "the length of all three lines");

/* What stands before the checksum, and the checksum's digits, terminated. */
static void checksum_digits(const char *text, char digits[2 * CHECKSUM_BYTES + 1])
{
    uint8_t hash[CHECKSUM_BYTES];

    crypto_generichash(hash, sizeof hash, (const uint8_t *)text, CHECKSUM_AT, NULL, 0);
    sodium_bin2hex(digits, 2 * CHECKSUM_BYTES + 1, hash, sizeof hash);
    sodium_memzero(hash, sizeof hash);
}

void identity_key_format(const uint8_t secret[IDENTITY_SECRET_BYTES],
                         char text[IDENTITY_TEXT_LENGTH + 1])
{
    char digits[SECRET_DIGITS + 1], checksum[2 * CHECKSUM_BYTES + 1];

    sodium_bin2hex(digits, sizeof digits, secret, IDENTITY_SECRET_BYTES);
    snprintf(text, IDENTITY_TEXT_LENGTH + 1, TITLE "%s\n", digits);
    checksum_digits(text, checksum);
    snprintf(text + CHECKSUM_AT, IDENTITY_TEXT_LENGTH + 1 - CHECKSUM_AT, "%s\n", checksum);
    sodium_memzero(digits, sizeof digits);
}

int identity_key_parse(const char *text, size_t length, uint8_t secret[IDENTITY_SECRET_BYTES])
{
    char checksum[2 * CHECKSUM_BYTES + 1];

    if (length != IDENTITY_TEXT_LENGTH || memcmp(text, TITLE, TITLE_LENGTH) != 0)
        return -EINVAL;
    checksum_digits(text, checksum);
    if (memcmp(text + CHECKSUM_AT, checksum, 2 * CHECKSUM_BYTES) != 0)
        return -EINVAL;
    return sodium_hex2bin(secret, IDENTITY_SECRET_BYTES, text + TITLE_LENGTH, SECRET_DIGITS, NULL,
                          NULL, NULL) == 0
               ? 0
               : -EINVAL;
}
