/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An invitation: the one text that is copied from a device to one that shall become its peer.
 *
 *   PGI1-ABCDE-FGHIJ-…   four digits (A-Z and 2-7, RFC 4648) and a check digit in each group
 *
 * The digits are the inviter's public identity key, the secret, the expiry (4 bytes, big-endian),
 * its contact, 4 bytes of BLAKE2b of all that, and zero bits up to a whole group. Capital letters,
 * digits and '-' alone: a QR code's alphanumeric mode holds them.
 *
 * The check digit tells each mistyped digit and each two that were exchanged in a group, and the
 * place of the group counts too: so it can be said which group is wrong.
 */
#ifndef PROTOCOL_INVITATION_H
#define PROTOCOL_INVITATION_H

#include <stdint.h>

#include "protocol/contact.h"
#include "protocol/id.h"

#define INVITATION_SECRET_BYTES 16

struct invitation {
    uint8_t key[ID_KEY_BYTES]; /* the inviter's public identity key */
    uint8_t secret[INVITATION_SECRET_BYTES];
    int64_t expires; /* seconds since 1970, below 2^32 */
    struct contact inviter;
};

#define INVITATION_BYTES_MAX (ID_KEY_BYTES + INVITATION_SECRET_BYTES + 4 + CONTACT_PACKED_MAX + 4)
/* "PGI1", six characters for each 20 bits, and the terminator. */
#define INVITATION_TEXT_SIZE (4 + 6 * ((INVITATION_BYTES_MAX * 8 + 19) / 20) + 1)

void invitation_encode(const struct invitation *invitation, char out[INVITATION_TEXT_SIZE]);

/* White space and '-' between groups may be there or not, letters be small or capital. 0, or
 * -EINVAL with `err` saying what is wrong, and in which group: bad-invitation, newer-version,
 * mistyped, too-short, too-long. Whether it has expired is not looked at. */
int invitation_decode(const char *text, struct invitation *invitation, struct error *err);

/* 0, or -ETIME with `err` saying since when. `now` in seconds since 1970. */
int invitation_check_expiry(const struct invitation *invitation, int64_t now, struct error *err);

#endif
