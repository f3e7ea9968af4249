/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/invitation.h"

#define TOX "ABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABAB"

/* Made by Python's hashlib and arithmetic in GF(32) written anew: key 0…31, secret 100…115, expiry
 * 0x6a000000, contact as in sample_make(). */
static const char known[] =
    "PGI1-AAAQF-EAYEM-AUDA7-OCAJ2-BIFQP-YDIO5-B4IBK-CEQTO-CQKRT-MFYYA-DENBJ-W"
    "HA5L-DYPWX-IZLGK-M5UGV-S2TLZ-NRWWZ-433QC-OFZHB-G2QAY-AAAAU-KYLML-NFRWS-K"
    "AUD2-ORXXC-QJVL6-VOV25-XK5L6-VOV23-XK5LY-VOV2Z-XK5L2-VOV2H-XK5LE-VOV2F-X"
    "K5LG-VOV2D-XK5LA-VOV2B-XK5LC-VOVQ3-I3LFY-ONUAM-S3TP5-MRSSN-2NZPD-MFRAT-M"
    "4XR3-SEAA5";

static struct error err;

static void sample_make(struct invitation *invitation)
{
    memset(invitation, 0, sizeof *invitation);
    for (uint8_t i = 0; i < sizeof invitation->key; i++)
        invitation->key[i] = i;
    for (uint8_t i = 0; i < sizeof invitation->secret; i++)
        invitation->secret[i] = (uint8_t)(100 + i);
    invitation->expires = 0x6a000000;
    contact_set_name(&invitation->inviter, "alice");
    assert_int_equal(contact_add(&invitation->inviter, "tox", TOX, NULL), 0);
    assert_int_equal(contact_add(&invitation->inviter, "mesh", "node-7/ab", NULL), 0);
}

static void refused(const char *text, const char *code, const char *why)
{
    struct invitation got;

    memset(&err, 0, sizeof err);
    assert_int_equal(invitation_decode(text, &got, &err), -EINVAL);
    assert_string_equal(err.code, code);
    if (strstr(err.message, why) == NULL)
        fail_msg("'%s' does not say '%s'", err.message, why);
}

static void an_invitation_is_that_of_another_implementation(void **state)
{
    char text[INVITATION_TEXT_SIZE];
    struct invitation sample, got;

    (void)state;
    sample_make(&sample);
    invitation_encode(&sample, text);
    assert_string_equal(text, known);
    assert_int_equal(invitation_decode(known, &got, &err), 0);
    assert_memory_equal(got.key, sample.key, sizeof got.key);
    assert_memory_equal(got.secret, sample.secret, sizeof got.secret);
    assert_int_equal(got.expires, sample.expires);
    assert_string_equal(got.inviter.name, "alice");
    assert_int_equal(got.inviter.count, 2);
    assert_string_equal(got.inviter.items[0].transport, "tox");
    assert_string_equal(got.inviter.items[0].address, TOX);
    assert_string_equal(got.inviter.items[1].transport, "mesh");
    assert_string_equal(got.inviter.items[1].address, "node-7/ab");
}

static void an_invitation_with_a_tox_address_fits_a_small_qr_code(void **state)
{
    char text[INVITATION_TEXT_SIZE];
    struct invitation sample;

    (void)state;
    sample_make(&sample);
    sample.inviter.count = 1;
    invitation_encode(&sample, text);
    /* ISO 18004: alphanumeric, version 10 with level L. */
    assert_true(strlen(text) <= 395);
    assert_int_equal(strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-"), strlen(text));
}

static void an_invitation_with_all_that_fits_in_is_read_back(void **state)
{
    char text[INVITATION_TEXT_SIZE], address[CONTACT_ADDRESS_MAX + 1];
    struct invitation sample, got;

    (void)state;
    sample_make(&sample);
    sample.inviter.count = 0;
    memset(sample.inviter.name, 'n', PEER_NAME_MAX);
    for (int i = 0; i < CONTACT_TRANSPORTS_MAX; i++) {
        char name[CONTACT_TRANSPORT_MAX + 1];

        snprintf(name, sizeof name, "%032d", i);
        memset(address, 'A' + i, sizeof address - 1);
        address[sizeof address - 1] = '\0';
        assert_int_equal(contact_add(&sample.inviter, name, address, NULL), 0);
    }
    invitation_encode(&sample, text);
    assert_int_equal(strlen(text) + 1, INVITATION_TEXT_SIZE);
    assert_int_equal(invitation_decode(text, &got, &err), 0);
    assert_memory_equal(&got, &sample, sizeof got);
}

static void spaces_line_breaks_and_small_letters_do_not_matter(void **state)
{
    char text[2 * sizeof known], *out = text;
    struct invitation got;

    (void)state;
    out += sprintf(out, "  ");
    for (size_t i = 0; known[i] != '\0'; i++)
        out += known[i] == '-' ? sprintf(out, "%s", i % 3 == 0 ? "" : "\n ")
                               : sprintf(out, "%c", tolower((unsigned char)known[i]));
    strcpy(out, "\r\n");
    assert_int_equal(invitation_decode(text, &got, &err), 0);
    assert_string_equal(got.inviter.name, "alice");
}

static void the_group_of_every_mistyped_character_is_said(void **state)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    char text[sizeof known], group[32];

    (void)state;
    for (size_t i = 5; known[i] != '\0'; i++) {
        if (known[i] == '-')
            continue;
        snprintf(group, sizeof group, "group %zu of", (i - 5) / 6 + 1);
        for (const char *digit = digits; *digit != '\0'; digit++) {
            if (*digit == known[i])
                continue;
            strcpy(text, known);
            text[i] = *digit;
            refused(text, "mistyped", group);
        }
    }
}

static void the_group_of_every_two_exchanged_characters_is_said(void **state)
{
    char text[sizeof known], group[32];

    (void)state;
    for (size_t i = 5; known[i] != '\0'; i++) {
        size_t first = (i - 5) / 6 * 6 + 5;

        snprintf(group, sizeof group, "group %zu of", (i - 5) / 6 + 1);
        for (size_t j = first; j < i && known[i] != '-'; j++) {
            if (known[i] == known[j])
                continue;
            strcpy(text, known);
            text[i] = known[j];
            text[j] = known[i];
            refused(text, "mistyped", group);
        }
    }
}

static void exchanged_groups_and_a_missing_character_are_said(void **state)
{
    char text[sizeof known + 8];

    (void)state;
    strcpy(text, known);
    memcpy(text + 11, known + 17, 5);
    memcpy(text + 17, known + 11, 5);
    refused(text, "mistyped", "group 2 of");
    strcpy(text, known);
    memmove(text + 13, text + 14, strlen(text + 14) + 1);
    refused(text, "mistyped", "group 2 of the invitation has 4 characters, 5 are right");
    strcpy(text, known);
    text[12] = '0';
    refused(text, "mistyped", "group 2 of the invitation: '0'");
    refused(text, "mistyped", "the letter O");
    text[12] = (char)0xc3;
    refused(text, "mistyped", "'?'");
}

static void every_cut_is_refused(void **state)
{
    char text[sizeof known];

    (void)state;
    for (size_t length = 0; length < strlen(known); length++) {
        struct invitation got;

        memcpy(text, known, length);
        text[length] = '\0';
        assert_int_equal(invitation_decode(text, &got, &err), -EINVAL);
    }
    strcpy(text, known);
    text[4 + 6 * 20] = '\0';
    refused(text, "too-short", "cut off");
    text[strlen(known) - 6] = '\0';
    memcpy(text, known, strlen(known) - 6);
    refused(text, "too-short", "cut off");
}

static void what_is_no_invitation_is_told_from_one_of_another_version(void **state)
{
    char text[sizeof known];

    (void)state;
    refused("", "bad-invitation", "begins with PGI1");
    refused("PG1AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQTCQKRMFYYDENBWHA5DYPQNTDNSA", "bad-invitation",
            "punchguard invite");
    strcpy(text, known);
    text[3] = '2';
    refused(text, "newer-version", "PGI2");
}

static void what_stands_behind_an_invitation_is_refused(void **state)
{
    char text[sizeof known + 16];

    (void)state;
    /* A group of zeros has its place as check digit. */
    snprintf(text, sizeof text, "%s-AAAA%c", known,
             "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[(strlen(known) - 4) / 6 % 32]);
    refused(text, "too-long", "something more");
}

static void expiry_is_told_with_both_times(void **state)
{
    struct invitation sample;

    (void)state;
    sample_make(&sample);
    assert_int_equal(invitation_check_expiry(&sample, sample.expires - 1, &err), 0);
    assert_int_equal(invitation_check_expiry(&sample, sample.expires, &err), -ETIME);
    assert_string_equal(err.code, "expired");
    assert_non_null(strstr(err.message, "2026-05-10"));
}

static void any_name_of_a_device_becomes_one_of_a_peer(void **state)
{
    struct contact contact;

    (void)state;
    contact_set_name(&contact, "Anna's laptop");
    assert_string_equal(contact.name, "Anna-s-laptop");
    contact_set_name(&contact, "");
    assert_string_equal(contact.name, "device");
    contact_set_name(&contact, "M\xc3\xbcller.local");
    assert_string_equal(contact.name, "M--ller.local");
    contact_set_name(&contact,
                     "0123456789012345678901234567890123456789012345678901234567890123456");
    assert_int_equal(strlen(contact.name), PEER_NAME_MAX);
}

static void addresses_that_can_not_be_passed_on_are_told(void **state)
{
    struct contact contact = {.name = "a"};
    char name[] = "a";

    (void)state;
    assert_int_equal(contact_add(&contact, "Tox", "a", &err), -EINVAL);
    assert_string_equal(err.code, "bad-transport-name");
    assert_int_equal(contact_add(&contact, "tox", "", &err), -EINVAL);
    assert_string_equal(err.code, "bad-address");
    assert_int_equal(contact_add(&contact, "tox", "a b", &err), -EINVAL);
    for (; contact.count < CONTACT_TRANSPORTS_MAX; name[0]++)
        assert_int_equal(contact_add(&contact, name, "x", NULL), 0);
    assert_int_equal(contact_add(&contact, "a", "x", &err), -EINVAL);
    assert_string_equal(err.code, "bad-transport-name");
    assert_int_equal(contact_add(&contact, "z", "x", &err), -EINVAL);
    assert_string_equal(err.code, "too-many");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_invitation_is_that_of_another_implementation),
        cmocka_unit_test(an_invitation_with_a_tox_address_fits_a_small_qr_code),
        cmocka_unit_test(an_invitation_with_all_that_fits_in_is_read_back),
        cmocka_unit_test(spaces_line_breaks_and_small_letters_do_not_matter),
        cmocka_unit_test(the_group_of_every_mistyped_character_is_said),
        cmocka_unit_test(the_group_of_every_two_exchanged_characters_is_said),
        cmocka_unit_test(exchanged_groups_and_a_missing_character_are_said),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(what_is_no_invitation_is_told_from_one_of_another_version),
        cmocka_unit_test(what_stands_behind_an_invitation_is_refused),
        cmocka_unit_test(expiry_is_told_with_both_times),
        cmocka_unit_test(any_name_of_a_device_becomes_one_of_a_peer),
        cmocka_unit_test(addresses_that_can_not_be_passed_on_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
