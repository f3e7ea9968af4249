/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "protocol/invitation.h"

#include <ctype.h>
#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define TITLE          "PGI1"
#define TITLE_LENGTH   4
#define GROUP_DATA     4 /* digits of a group before the check digit */
#define GROUP          (GROUP_DATA + 1)
#define GROUP_BITS     (5 * GROUP_DATA)
#define GROUPS_MAX     ((INVITATION_BYTES_MAX * 8 + GROUP_BITS - 1) / GROUP_BITS)
#define CHECKSUM_BYTES 4
#define CHECKSUM       "PunchGuard invitation checksum"
/* Everything but the contact and the checksum. */
#define HEAD_BYTES (ID_KEY_BYTES + INVITATION_SECRET_BYTES + 4)

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/* In GF(32) by x^5 + x^2 + 1. */
static unsigned times_x(unsigned a)
{
    return (a << 1 ^ (a & 16 ? 0x25 : 0)) & 31;
}

/* The sum of the digits, each times another power of x: any one that differs makes another sum, and
 * any two that are exchanged. */
static unsigned check_digit(const uint8_t values[GROUP_DATA], size_t group)
{
    unsigned sum = 0;

    for (unsigned i = 0; i < GROUP_DATA; i++)
        sum = times_x(sum ^ values[i]);
    return sum ^ (group & 31);
}

static void checksum_make(const uint8_t *bytes, size_t length, uint8_t out[CHECKSUM_BYTES])
{
    uint8_t hash[32];

    crypto_generichash(hash, sizeof hash, bytes, length, (const uint8_t *)CHECKSUM,
                       sizeof CHECKSUM - 1);
    memcpy(out, hash, CHECKSUM_BYTES);
}

static unsigned digit_at(const uint8_t *bytes, size_t length, size_t index)
{
    size_t bit = 5 * index;
    unsigned first = bit / 8 < length ? bytes[bit / 8] : 0;
    unsigned second = bit / 8 + 1 < length ? bytes[bit / 8 + 1] : 0;

    return (first << 8 | second) >> (11 - bit % 8) & 31;
}

static void text_make(const uint8_t *bytes, size_t length, char *out)
{
    size_t groups = (length * 8 + GROUP_BITS - 1) / GROUP_BITS;

    memcpy(out, TITLE, TITLE_LENGTH);
    out += TITLE_LENGTH;
    for (size_t group = 0; group < groups; group++) {
        uint8_t values[GROUP_DATA];

        *out++ = '-';
        for (size_t i = 0; i < GROUP_DATA; i++) {
            values[i] = (uint8_t)digit_at(bytes, length, GROUP_DATA * group + i);
            *out++ = digits[values[i]];
        }
        *out++ = digits[check_digit(values, group)];
    }
    *out = '\0';
}

void invitation_encode(const struct invitation *invitation, char out[INVITATION_TEXT_SIZE])
{
    uint8_t bytes[INVITATION_BYTES_MAX], *at = bytes;

    memcpy(at, invitation->key, ID_KEY_BYTES);
    at += ID_KEY_BYTES;
    memcpy(at, invitation->secret, INVITATION_SECRET_BYTES);
    at += INVITATION_SECRET_BYTES;
    for (int shift = 24; shift >= 0; shift -= 8)
        *at++ = (uint8_t)((uint64_t)invitation->expires >> shift);
    at += contact_pack(&invitation->inviter, at);
    checksum_make(bytes, (size_t)(at - bytes), at);
    at += CHECKSUM_BYTES;
    text_make(bytes, (size_t)(at - bytes), out);
    sodium_memzero(bytes, sizeof bytes);
}

static int fail_digit(char wrong, size_t group, struct error *err)
{
    const char *hint = wrong == '0'   ? ": perhaps it is the letter O"
                       : wrong == '1' ? ": perhaps it is the letter I or L"
                       : wrong == '8' ? ": perhaps it is the letter B"
                                      : "";

    if (wrong <= ' ' || wrong > '~')
        wrong = '?';
    error_set(err, "mistyped",
              "group %zu of the invitation: '%c' is not one of A-Z and 2-7, of which it is made%s",
              group + 1, wrong, hint);
    return -EINVAL;
}

static bool is_separator(char c)
{
    return c == '-' || isspace((unsigned char)c);
}

/* The next group. How many digits it has, 0 at the end, or -EINVAL. */
static int group_read(const char **text, size_t group, uint8_t values[GROUP], struct error *err)
{
    int count = 0;

    while (is_separator(**text))
        ++*text;
    for (; count < GROUP && **text != '\0' && !is_separator(**text); ++*text) {
        const char *digit = strchr(digits, toupper((unsigned char)**text));

        if (digit == NULL)
            return fail_digit(**text, group, err);
        values[count++] = (uint8_t)(digit - digits);
    }
    return count;
}

static void bits_put(uint8_t *bytes, size_t bit, const uint8_t values[GROUP_DATA])
{
    for (size_t i = 0; i < GROUP_BITS; i++, bit++)
        if (values[i / 5] >> (4 - i % 5) & 1)
            bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
}

/* The bits of all groups, into zeroed bytes. 0 with how many groups there were, or -EINVAL. */
static int groups_read(const char *text, uint8_t *bytes, size_t *groups, struct error *err)
{
    uint8_t values[GROUP];
    int count;

    for (*groups = 0; (count = group_read(&text, *groups, values, err)) > 0; ++*groups) {
        if (count < GROUP) {
            error_set(err, "mistyped",
                      "group %zu of the invitation has %d characters, %d are right: something is "
                      "missing there",
                      *groups + 1, count, GROUP);
            return -EINVAL;
        }
        if (check_digit(values, *groups) != values[GROUP_DATA]) {
            error_set(err, "mistyped", "group %zu of the invitation is mistyped", *groups + 1);
            return -EINVAL;
        }
        if (*groups == GROUPS_MAX) {
            error_set(err, "too-long", "this is longer than an invitation can be");
            return -EINVAL;
        }
        bits_put(bytes, GROUP_BITS * *groups, values);
    }
    return count;
}

static int title_check(const char **text, struct error *err)
{
    const char *at = *text;

    while (isspace((unsigned char)*at))
        at++;
    if (strncasecmp(at, TITLE, TITLE_LENGTH - 1) != 0 ||
        !isdigit((unsigned char)at[TITLE_LENGTH - 1])) {
        error_set(err, "bad-invitation",
                  "an invitation begins with " TITLE "; 'punchguard invite' on the other device "
                  "prints one");
        return -EINVAL;
    }
    if (at[TITLE_LENGTH - 1] != TITLE[TITLE_LENGTH - 1]) {
        error_set(err, "newer-version",
                  "the invitation is of another version, PGI%c; this PunchGuard understands " TITLE,
                  at[TITLE_LENGTH - 1]);
        return -EINVAL;
    }
    *text = at + TITLE_LENGTH;
    return 0;
}

/* How many bytes the invitation has, of `length` that are there; or -EINVAL. */
static int bytes_read(const uint8_t *bytes, size_t length, struct invitation *invitation,
                      struct error *err)
{
    size_t used = HEAD_BYTES;
    int rc;

    if (length < HEAD_BYTES) {
        error_set(err, "too-short", "the invitation is cut off: something of its end is missing");
        return -EINVAL;
    }
    memcpy(invitation->key, bytes, ID_KEY_BYTES);
    memcpy(invitation->secret, bytes + ID_KEY_BYTES, INVITATION_SECRET_BYTES);
    invitation->expires = 0;
    for (unsigned i = 4; i > 0; i--)
        invitation->expires = invitation->expires << 8 | bytes[HEAD_BYTES - i];
    rc = contact_unpack(&invitation->inviter, bytes + used, length - used);
    used += rc < 0 ? 0 : (size_t)rc;
    if (rc < 0 || length - used < CHECKSUM_BYTES) {
        error_set(err, "too-short",
                  "the invitation is cut off, or no invitation: its end does not fit");
        return -EINVAL;
    }
    return (int)used;
}

static bool is_padding(const uint8_t *bytes, size_t used, size_t groups)
{
    size_t length = (GROUP_BITS * groups + 7) / 8;

    return GROUP_BITS * groups - 8 * used < GROUP_BITS &&
           sodium_is_zero(bytes + used, length - used);
}

int invitation_decode(const char *text, struct invitation *invitation, struct error *err)
{
    uint8_t bytes[(GROUP_BITS * GROUPS_MAX + 7) / 8] = {0}, checksum[CHECKSUM_BYTES];
    size_t groups;
    int used, rc = -EINVAL;

    memset(invitation, 0, sizeof *invitation);
    if (title_check(&text, err) < 0 || groups_read(text, bytes, &groups, err) < 0)
        goto out;
    used = bytes_read(bytes, GROUP_BITS * groups / 8, invitation, err);
    if (used < 0)
        goto out;
    checksum_make(bytes, (size_t)used, checksum);
    if (memcmp(bytes + used, checksum, CHECKSUM_BYTES) != 0) {
        error_set(err, "mistyped",
                  "the invitation's groups are not those of one invitation, or "
                  "not in their order: copy all of it again");
        goto out;
    }
    if (!is_padding(bytes, (size_t)used + CHECKSUM_BYTES, groups)) {
        error_set(err, "too-long", "there is something more behind the invitation");
        goto out;
    }
    rc = 0;
out:
    sodium_memzero(bytes, sizeof bytes);
    if (rc < 0)
        sodium_memzero(invitation, sizeof *invitation);
    return rc;
}

int invitation_check_expiry(const struct invitation *invitation, int64_t now, struct error *err)
{
    time_t expires = (time_t)invitation->expires, today = (time_t)now;
    char until[40] = "", clock[40] = "";
    struct tm parts;

    if (now < invitation->expires)
        return 0;
    if (gmtime_r(&expires, &parts) != NULL)
        strftime(until, sizeof until, "%Y-%m-%d %H:%M:%S UTC", &parts);
    if (gmtime_r(&today, &parts) != NULL)
        strftime(clock, sizeof clock, "%Y-%m-%d %H:%M:%S UTC", &parts);
    error_set(err, "expired",
              "the invitation was good until %s, and here it is %s: ask for a new one", until,
              clock);
    return -ETIME;
}
