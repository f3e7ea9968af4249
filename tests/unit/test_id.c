/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "protocol/id.h"

/* Made with Python's hashlib.blake2b (the contexts as keys) and base64.b32encode. The second key's
 * first IPv4 address would lie in 100.100.0.0/16. */
static const struct {
    uint8_t key[ID_KEY_BYTES];
    const char *id, *ipv6, *ipv4;
} known[] = {
    {{0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
      16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31},
     "PG1AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQTCQKRMFYYDENBWHA5DYPQNTDNSA",
     "fd50:4755:4152:4400:acc9:e35c:7f0b:a950/128",
     "100.81.69.202/32"},
    {{8},
     "PG1BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAFNTZOHI",
     "fd50:4755:4152:4400:4aa:7ffe:8fa8:d4b6/128",
     "100.80.159.172/32"},
};

static void ids_and_overlay_addresses_are_those_of_another_implementation(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        char text[ID_TEXT_LENGTH + 1], address[PREFIX_TEXT_SIZE];
        struct prefix ipv6, ipv4;
        uint8_t key[ID_KEY_BYTES];

        id_encode(known[i].key, text);
        assert_string_equal(text, known[i].id);
        assert_int_equal(id_decode(text, key, NULL), 0);
        assert_memory_equal(key, known[i].key, sizeof key);
        id_overlay(key, &ipv6, &ipv4);
        prefix_format(&ipv6, address);
        assert_string_equal(address, known[i].ipv6);
        prefix_format(&ipv4, address);
        assert_string_equal(address, known[i].ipv4);
    }
}

static void refused(const char *text, const char *why)
{
    uint8_t key[ID_KEY_BYTES];
    struct error err = {0};
    json_t *sendable;

    assert_int_equal(id_decode(text, key, &err), -EINVAL);
    assert_string_equal(err.code, "bad-id");
    if (strstr(err.message, why) == NULL)
        fail_msg("'%s' does not say '%s'", err.message, why);
    sendable = json_string(err.message);
    assert_non_null(sendable);
    json_decref(sendable);
}

static void any_mistyped_digit_is_noticed(void **state)
{
    char text[ID_TEXT_LENGTH + 1];
    uint8_t key[ID_KEY_BYTES];

    (void)state;
    for (size_t i = 3; i < ID_TEXT_LENGTH; i++) {
        for (const char *digit = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"; *digit != '\0'; digit++) {
            strcpy(text, known[0].id);
            if (text[i] == *digit)
                continue;
            text[i] = *digit;
            assert_int_equal(id_decode(text, key, NULL), -EINVAL);
        }
    }
}

static void neighbours_exchanged_are_noticed(void **state)
{
    char text[ID_TEXT_LENGTH + 1];

    (void)state;
    for (size_t i = 3; i + 1 < ID_TEXT_LENGTH; i++) {
        strcpy(text, known[0].id);
        text[i] = known[0].id[i + 1];
        text[i + 1] = known[0].id[i];
        if (text[i] != text[i + 1])
            refused(text, "");
    }
}

static void the_error_says_what_is_wrong(void **state)
{
    char text[ID_TEXT_LENGTH + 2];

    (void)state;
    refused("", "begins with PG1");
    refused("pg1aaaq", "begins with PG1");
    refused("PG1", "61 characters, this has 3");
    snprintf(text, sizeof text, "%sA", known[0].id);
    refused(text, "61 characters, this has 62");
    strcpy(text, known[0].id);
    text[9] = 'a';
    refused(text, "character 10");
    text[9] = '1';
    refused(text, "character 10");
    memcpy(text + 9, "\xc3\xa9", 2);
    refused(text, "character 10");
    strcpy(text, known[0].id);
    text[20] ^= 1;
    refused(text, "checksum");
}

/* Else one key would have several ids. */
static void bits_past_the_end_must_be_zero(void **state)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    char text[ID_TEXT_LENGTH + 1];
    size_t last;

    (void)state;
    strcpy(text, known[0].id);
    last = (size_t)(strchr(digits, text[ID_TEXT_LENGTH - 1]) - digits);
    assert_int_equal(last & 3, 0);
    for (size_t bits = 1; bits < 4; bits++) {
        text[ID_TEXT_LENGTH - 1] = digits[last | bits];
        refused(text, "last character");
    }
}

static void overlay_addresses_stay_in_their_networks(void **state)
{
    struct prefix network6, network4, elsewhere, ipv6, ipv4;
    uint8_t key[ID_KEY_BYTES] = {0};

    (void)state;
    assert_int_equal(prefix_parse(&network6, "fd50:4755:4152:4400::/64", false, NULL), 0);
    assert_int_equal(prefix_parse(&network4, "100.64.0.0/10", false, NULL), 0);
    assert_int_equal(prefix_parse(&elsewhere, "100.100.0.0/16", false, NULL), 0);
    for (unsigned i = 0; i < 5000; i++) {
        memcpy(key, &i, sizeof i);
        id_overlay(key, &ipv6, &ipv4);
        assert_int_equal(ipv6.length, 128);
        assert_int_equal(ipv4.length, 32);
        assert_true(prefix_contains(&network6, &ipv6));
        assert_true(prefix_contains(&network4, &ipv4));
        assert_false(prefix_contains(&elsewhere, &ipv4));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_and_overlay_addresses_are_those_of_another_implementation),
        cmocka_unit_test(any_mistyped_digit_is_noticed),
        cmocka_unit_test(neighbours_exchanged_are_noticed),
        cmocka_unit_test(the_error_says_what_is_wrong),
        cmocka_unit_test(bits_past_the_end_must_be_zero),
        cmocka_unit_test(overlay_addresses_stay_in_their_networks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
