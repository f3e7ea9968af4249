/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ice-agent/candidate.h"

#define GOOD "candidate:1 1 UDP 2015363327 203.0.113.7 4711 typ host"

static void assert_refused(const char *text, const char *part)
{
    struct candidate candidate;
    struct error err = {.message = ""};

    if (candidate_parse(&candidate, text, &err) != -EINVAL)
        fail_msg("accepted: %s", text);
    if (strstr(err.message, part) == NULL)
        fail_msg("%s: the error does not name '%s': %s", text, part, err.message);
    assert_string_equal(err.code, "bad-candidate");
}

static int check(const char *address, const char *exclude, struct error *err)
{
    struct candidate candidate = {.foundation = "1", .priority = 1};
    struct prefix prefix;

    assert_int_equal(endpoint_set(&candidate.endpoint, address, 4711), 0);
    if (exclude != NULL)
        assert_int_equal(prefix_parse(&prefix, exclude, true, NULL), 0);
    return candidate_check(&candidate, &prefix, exclude != NULL, err);
}

static void what_libnice_says_is_read_whole(void **state)
{
    static const struct {
        const char *text, *address;
        enum candidate_kind kind;
    } cases[] = {
        {GOOD, "203.0.113.7", CANDIDATE_HOST},
        {"candidate:2 1 UDP 1679819263 198.51.100.2 61000 typ srflx raddr 10.2.0.2 rport 61000",
         "198.51.100.2", CANDIDATE_SERVER_REFLEXIVE},
        {"candidate:a+/9 1 udp 1 2001:DB8::0:7 1 typ relay raddr :: rport 9 generation 0 x y",
         "2001:db8::7", CANDIDATE_RELAYED},
        {"candidate:1 1 UDP 2147483647 203.0.113.7 65535 typ host", "203.0.113.7", CANDIDATE_HOST},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct candidate candidate;

        assert_int_equal(candidate_parse(&candidate, cases[i].text, NULL), 0);
        assert_string_equal(candidate.endpoint.address, cases[i].address);
        assert_int_equal(candidate.kind, cases[i].kind);
    }
}

static void every_field_is_kept(void **state)
{
    struct candidate candidate;

    (void)state;
    assert_int_equal(candidate_parse(&candidate, GOOD, NULL), 0);
    assert_string_equal(candidate.foundation, "1");
    assert_int_equal(candidate.priority, 2015363327);
    assert_int_equal(candidate.endpoint.port, 4711);
}

static void an_error_names_the_part_that_is_wrong(void **state)
{
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"", "beginning"},
        {"a=" GOOD, "beginning"},
        {"Candidate:1 1 UDP 5 203.0.113.7 4711 typ host", "beginning"},
        {"candidate:", "foundation"},
        {"candidate: 1 UDP 5 203.0.113.7 4711 typ host", "foundation"},
        {"candidate:-1 1 UDP 5 203.0.113.7 4711 typ host", "foundation"},
        {"candidate:123456789012345678901234567890123 1 UDP 5 203.0.113.7 4711 typ host",
         "foundation"},
        {"candidate:1", "component"},
        {"candidate:1 0 UDP 5 203.0.113.7 4711 typ host", "component"},
        {"candidate:1 2 UDP 5 203.0.113.7 4711 typ host", "component"},
        {"candidate:1 1x UDP 5 203.0.113.7 4711 typ host", "component"},
        {"candidate:1 1 TCP 5 203.0.113.7 4711 typ host", "transport"},
        {"candidate:1 1 TCP 5 203.0.113.7 9 typ host tcptype active", "transport"},
        {"candidate:1 1  5 203.0.113.7 4711 typ host", "transport"},
        {"candidate:1 1 UDP 0 203.0.113.7 4711 typ host", "priority"},
        {"candidate:1 1 UDP -5 203.0.113.7 4711 typ host", "priority"},
        {"candidate:1 1 UDP 2147483648 203.0.113.7 4711 typ host", "priority"},
        {"candidate:1 1 UDP 99999999999999999999 203.0.113.7 4711 typ host", "priority"},
        {"candidate:1 1 UDP 5 203.0.113.7 0 typ host", "port"},
        {"candidate:1 1 UDP 5 203.0.113.7 65536 typ host", "port"},
        {"candidate:1 1 UDP 5 203.0.113.7 +1 typ host", "port"},
        {"candidate:1 1 UDP 5 203.0.113.7", "port"},
        {"candidate:1 1 UDP 5 home.example 4711 typ host", "address"},
        {"candidate:1 1 UDP 5 0a7b.local 4711 typ host", "address"},
        {"candidate:1 1 UDP 5 203.0.113 4711 typ host", "address"},
        {"candidate:1 1 UDP 5 0x7f000001 4711 typ host", "address"},
        {"candidate:1 1 UDP 5 fe80::1%eth0 4711 typ host", "address"},
        {"candidate:1 1 UDP 5 [2001:db8::1] 4711 typ host", "address"},
        {"candidate:1 1 UDP 5 203.0.113.7 4711 host", "word"},
        {"candidate:1 1 UDP 5 203.0.113.7 4711", "word"},
        {"candidate:1 1 UDP 5 203.0.113.7 4711 typ", "type"},
        {"candidate:1 1 UDP 5 203.0.113.7 4711 typ prflx", "type"},
        {"candidate:1 1 UDP 5 203.0.113.7 4711 typ HOST", "type"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_refused(cases[i].text, cases[i].part);
}

static void a_part_of_512_bytes_is_refused_wherever_it_stands(void **state)
{
    static const char *const before[] = {"candidate:",
                                         "candidate:1 ",
                                         "candidate:1 1 ",
                                         "candidate:1 1 UDP ",
                                         "candidate:1 1 UDP 5 ",
                                         "candidate:1 1 UDP 5 203.0.113.7 4711 ",
                                         "candidate:1 1 UDP 5 203.0.113.7 4711 typ "};
    char text[1024];

    (void)state;
    for (size_t i = 0; i < sizeof before / sizeof before[0]; i++) {
        struct candidate candidate;

        snprintf(text, sizeof text, "%s%0512d", before[i], 1);
        assert_int_equal(candidate_parse(&candidate, text, NULL), -EINVAL);
    }
}

static void nobody_can_point_us_at_what_is_no_other_host(void **state)
{
    static const char *const bad[] = {
        "127.0.0.1",       "127.255.255.254",  "0.0.0.0",          "0.1.2.3", "224.0.0.251",
        "239.255.255.250", "255.255.255.255",  "240.0.0.1",        "::",      "::1",
        "::203.0.113.7",   "::ffff:127.0.0.1", "::ffff:192.0.2.1", "fe80::1", "febf::1",
        "fec0::1",         "ff02::1",          "ff0e::1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct error err;

        if (check(bad[i], NULL, &err) != -EINVAL)
            fail_msg("accepted: %s", bad[i]);
        assert_string_equal(err.code, "refused-candidate");
        assert_non_null(strstr(err.message, bad[i]));
    }
}

static void private_and_public_addresses_are_right(void **state)
{
    static const char *const good[] = {"10.0.0.1",    "192.168.1.2", "169.254.3.4", "100.64.0.1",
                                       "203.0.113.7", "2001:db8::1", "fd00::1",     "64:ff9b::1"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (check(good[i], NULL, NULL) != 0)
            fail_msg("refused: %s", good[i]);
}

static void nothing_is_sent_into_our_own_tunnel(void **state)
{
    struct error err;

    (void)state;
    assert_int_equal(check("10.66.0.2", "10.66.0.1/24", &err), -EINVAL);
    assert_non_null(strstr(err.message, "tunnel"));
    assert_int_equal(check("10.66.1.2", "10.66.0.1/24", NULL), 0);
    assert_int_equal(check("fd00:1::2", "fd00:1::/64", NULL), -EINVAL);
    assert_int_equal(check("fd00:1::2", "10.66.0.1/24", NULL), 0);
}

static void overlay_addresses_are_inside_some_tunnel(void **state)
{
    (void)state;
    assert_int_equal(check("fd50:4755:4152:4400::1", NULL, NULL), -EINVAL);
    assert_int_equal(check("fd50:4755:4152:4401::1", NULL, NULL), 0);
}

static void doubles_are_seen(void **state)
{
    struct candidate a, b;

    (void)state;
    assert_int_equal(candidate_parse(&a, GOOD, NULL), 0);
    assert_int_equal(candidate_parse(&b, GOOD " generation 1", NULL), 0);
    assert_true(candidate_equal(&a, &b));
    b.endpoint.port++;
    assert_false(candidate_equal(&a, &b));
    b = a;
    b.kind = CANDIDATE_RELAYED;
    assert_false(candidate_equal(&a, &b));
}

static void ufrags_have_4_to_256_ice_characters(void **state)
{
    char text[300];

    (void)state;
    memset(text, 'a', sizeof text);
    text[256] = '\0';
    assert_true(candidate_is_ice_text(text, 4));
    text[256] = 'a';
    text[257] = '\0';
    assert_false(candidate_is_ice_text(text, 4));
    assert_true(candidate_is_ice_text("a+/9", 4));
    assert_false(candidate_is_ice_text("abc", 4));
    assert_false(candidate_is_ice_text("ab:cd", 4));
    assert_false(candidate_is_ice_text("abcd ", 4));
    assert_false(candidate_is_ice_text("abc\xc3\xa9", 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_libnice_says_is_read_whole),
        cmocka_unit_test(every_field_is_kept),
        cmocka_unit_test(an_error_names_the_part_that_is_wrong),
        cmocka_unit_test(a_part_of_512_bytes_is_refused_wherever_it_stands),
        cmocka_unit_test(nobody_can_point_us_at_what_is_no_other_host),
        cmocka_unit_test(private_and_public_addresses_are_right),
        cmocka_unit_test(nothing_is_sent_into_our_own_tunnel),
        cmocka_unit_test(overlay_addresses_are_inside_some_tunnel),
        cmocka_unit_test(doubles_are_seen),
        cmocka_unit_test(ufrags_have_4_to_256_ice_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
