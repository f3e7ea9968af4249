/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/endpoint.h"

static void an_address_is_brought_to_one_form(void **state)
{
    static const char *const same[][2] = {{"192.0.2.1", "192.0.2.1"},
                                          {"2001:DB8:0:0::1", "2001:db8::1"},
                                          {"::ffff:192.0.2.1", "::ffff:192.0.2.1"}};
    struct endpoint endpoint;

    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        assert_int_equal(endpoint_set(&endpoint, same[i][0], 7), 0);
        assert_string_equal(endpoint.address, same[i][1]);
        assert_int_equal(endpoint.port, 7);
    }
}

static void what_is_no_numeric_address_is_refused(void **state)
{
    static const char *const bad[] = {"",           "example.org", "192.0.2",      "192.0.2.256",
                                      "0300.1.1.1", "::1%lo",      "192.0.2.1 ",   "[::1]",
                                      ":",          "1::2::3",     "192.0.2.1:80", "0x7f.0.0.1"};
    struct endpoint endpoint;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(endpoint_set(&endpoint, bad[i], 1), -EINVAL);
}

static void a_socket_address_and_back_is_the_same(void **state)
{
    static const char *const addresses[] = {"0.0.0.0", "192.0.2.1", "::", "fe80::1", "2001:db8::1"};
    struct endpoint in, out;
    struct sockaddr_storage address;

    (void)state;
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        assert_int_equal(endpoint_set(&in, addresses[i], 54321), 0);
        assert_true(endpoint_to_sockaddr(&in, &address) > 0);
        assert_int_equal(address.ss_family, endpoint_family(&in));
        assert_int_equal(endpoint_from_sockaddr(&out, (struct sockaddr *)&address), 0);
        assert_true(endpoint_equal(&in, &out));
    }
    assert_int_equal(((struct sockaddr_in6 *)&address)->sin6_port, htons(54321));
}

static void a_mapped_address_from_a_socket_is_ipv4(void **state)
{
    struct endpoint endpoint;
    struct sockaddr_storage address;

    (void)state;
    assert_int_equal(endpoint_set(&endpoint, "::ffff:192.0.2.1", 9), 0);
    endpoint_to_sockaddr(&endpoint, &address);
    assert_int_equal(endpoint_from_sockaddr(&endpoint, (struct sockaddr *)&address), 0);
    assert_string_equal(endpoint.address, "192.0.2.1");
    assert_int_equal(endpoint_family(&endpoint), AF_INET);
}

static void no_endpoint_is_no_socket_address(void **state)
{
    struct endpoint none = {.address = ""};
    struct sockaddr_storage address;
    struct sockaddr local = {.sa_family = AF_UNIX};

    (void)state;
    assert_int_equal(endpoint_family(&none), AF_UNSPEC);
    assert_int_equal(endpoint_to_sockaddr(&none, &address), -EINVAL);
    assert_int_equal(endpoint_from_sockaddr(&none, &local), -EINVAL);
}

static void only_loopback_is_loopback(void **state)
{
    static const char *const loopback[] = {"127.0.0.1", "127.255.0.9", "::1"};
    static const char *const others[] = {"128.0.0.1", "12.7.0.1", "::", "::2", "::ffff:127.0.0.1"};
    struct endpoint endpoint;

    (void)state;
    for (size_t i = 0; i < sizeof loopback / sizeof loopback[0]; i++) {
        assert_int_equal(endpoint_set(&endpoint, loopback[i], 1), 0);
        assert_true(endpoint_is_loopback(&endpoint));
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_int_equal(endpoint_set(&endpoint, others[i], 1), 0);
        assert_false(endpoint_is_loopback(&endpoint));
    }
}

static void host_and_port_are_cut(void **state)
{
    static const struct {
        const char *text, *host;
        uint16_t port;
    } good[] = {
        {"203.0.113.1:3478", "203.0.113.1", 3478},
        {"203.0.113.1", "203.0.113.1", 99},
        {"stun.example.org:1", "stun.example.org", 1},
        {"stun.example.org", "stun.example.org", 99},
        {"[2001:db8::1]:65535", "2001:db8::1", 65535},
        {"[2001:db8::1]", "2001:db8::1", 99},
        {"2001:db8::1", "2001:db8::1", 99},
    };
    char host[256];
    uint16_t port;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(endpoint_split(good[i].text, 99, host, &port, NULL), 0);
        assert_string_equal(host, good[i].host);
        assert_int_equal(port, good[i].port);
    }
}

static void what_is_not_host_and_port_is_refused(void **state)
{
    static const char *const bad[] = {
        "",           ":1",         "host:",       "host:0",
        "host:65536", "host:+1",    "host:1x",     "host: 1",
        "[::1]x",     "[::1]:",     "[]:1",        "[::1",
        "a b:1",      "stun:a/b:1", "user@host:1", "host:99999999999999999999",
        "host\t:1",   "a]b:1",      "a[b",         "[a[b]",
        "stun:203.0.113.1:3478",     "[stun.example]:1"};
    char host[256], text[400];
    struct error err;
    uint16_t port;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (endpoint_split(bad[i], 99, host, &port, &err) != -EINVAL)
            fail_msg("'%s' is taken", bad[i]);
        assert_string_equal(err.code, "bad-endpoint");
        assert_non_null(strstr(err.message, bad[i]));
        assert_non_null(strstr(err.message, "203.0.113.1:3478"));
    }
    memset(text, 'a', 255);
    strcpy(text + 255, ":1");
    assert_int_equal(endpoint_split(text, 99, host, &port, &err), 0);
    memset(text, 'a', 256);
    strcpy(text + 256, ":1");
    assert_int_equal(endpoint_split(text, 99, host, &port, &err), -EINVAL);
}

static void however_long_a_wrong_text_is_the_right_one_is_told(void **state)
{
    static char text[3000];
    char host[256];
    struct prefix prefix;
    struct error err;
    uint16_t port;

    (void)state;
    memset(text, ' ', sizeof text - 1);
    assert_int_equal(endpoint_split(text, 99, host, &port, &err), -EINVAL);
    assert_non_null(strstr(err.message, "203.0.113.1:3478"));
    assert_int_equal(prefix_parse(&prefix, text, true, &err), -EINVAL);
    assert_non_null(strstr(err.message, "10.66.0.2/32"));
}

static void an_endpoint_is_written_as_it_is_read(void **state)
{
    static const char *const texts[] = {"203.0.113.1:3478", "[2001:db8::1]:1",
                                        "[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535"};
    char host[256], text[ENDPOINT_TEXT_SIZE];
    struct endpoint endpoint;
    uint16_t port;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(endpoint_split(texts[i], 0, host, &port, NULL), 0);
        assert_int_equal(endpoint_set(&endpoint, host, port), 0);
        endpoint_format(&endpoint, text);
        if (i < 2)
            assert_string_equal(text, texts[i]);
    }
}

static void a_prefix_is_read_and_written(void **state)
{
    static const char *const same[][2] = {{"10.0.0.0/8", "10.0.0.0/8"},
                                          {"0.0.0.0/0", "0.0.0.0/0"},
                                          {"192.0.2.1", "192.0.2.1/32"},
                                          {"2001:db8::/32", "2001:db8::/32"},
                                          {"::1", "::1/128"},
                                          {"::/0", "::/0"},
                                          {"192.0.2.128/25", "192.0.2.128/25"}};
    char text[PREFIX_TEXT_SIZE];
    struct prefix prefix;

    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        assert_int_equal(prefix_parse(&prefix, same[i][0], false, NULL), 0);
        prefix_format(&prefix, text);
        assert_string_equal(text, same[i][1]);
    }
}

static void a_wrong_prefix_is_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "/8",
                                      "10.0.0.0/",
                                      "10.0.0.0/33",
                                      "10.0.0.0/-1",
                                      "10.0.0.0/+8",
                                      "10.0.0.0/8x",
                                      "10.0.0/8",
                                      "::/129",
                                      "host/8",
                                      "10.0.0.0/ 8",
                                      "10.0.0.0/8/8",
                                      "::1%lo/128",
                                      "10.0.0.0/18446744073709551624"};
    struct prefix prefix;
    struct error err;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(prefix_parse(&prefix, bad[i], true, &err), -EINVAL);
        assert_string_equal(err.code, "bad-prefix");
        assert_non_null(strstr(err.message, bad[i]));
    }
}

static void host_bits_are_right_only_where_they_are_asked_for(void **state)
{
    static const char *const inside[] = {"10.66.0.1/24", "10.0.0.1/31", "10.0.0.1/0", "fd00::1/64"};
    struct prefix prefix;
    struct error err;

    (void)state;
    for (size_t i = 0; i < sizeof inside / sizeof inside[0]; i++) {
        assert_int_equal(prefix_parse(&prefix, inside[i], true, NULL), 0);
        assert_int_equal(prefix_parse(&prefix, inside[i], false, &err), -EINVAL);
        assert_non_null(strstr(err.message, "bits set past its length"));
    }
}

static struct prefix prefix_of(const char *text)
{
    struct prefix prefix;

    assert_int_equal(prefix_parse(&prefix, text, true, NULL), 0);
    return prefix;
}

static void a_network_contains_what_lies_in_it(void **state)
{
    static const struct {
        const char *outer, *inner;
        bool contains, overlap;
    } cases[] = {
        {"10.0.0.0/8", "10.66.0.0/24", true, true},
        {"10.66.0.0/24", "10.0.0.0/8", false, true},
        {"10.0.0.0/8", "11.0.0.0/8", false, false},
        {"0.0.0.0/0", "1.2.3.4", true, true},
        {"0.0.0.0/0", "::1", false, false},
        {"::/0", "::1", true, true},
        {"10.0.0.0/9", "10.128.0.0/9", false, false},
        {"10.0.0.1", "10.0.0.1", true, true},
        {"fd00::/65", "fd00:0:0:0:8000::/66", false, false},
        {"ff00::/127", "ff00::1", true, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct prefix outer = prefix_of(cases[i].outer), inner = prefix_of(cases[i].inner);

        assert_int_equal(prefix_contains(&outer, &inner), cases[i].contains);
        assert_int_equal(prefix_overlap(&outer, &inner), cases[i].overlap);
        assert_int_equal(prefix_overlap(&inner, &outer), cases[i].overlap);
        assert_true(prefix_equal(&outer, &outer));
        assert_int_equal(prefix_equal(&outer, &inner), i == 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_brought_to_one_form),
        cmocka_unit_test(what_is_no_numeric_address_is_refused),
        cmocka_unit_test(a_socket_address_and_back_is_the_same),
        cmocka_unit_test(a_mapped_address_from_a_socket_is_ipv4),
        cmocka_unit_test(no_endpoint_is_no_socket_address),
        cmocka_unit_test(only_loopback_is_loopback),
        cmocka_unit_test(host_and_port_are_cut),
        cmocka_unit_test(what_is_not_host_and_port_is_refused),
        cmocka_unit_test(however_long_a_wrong_text_is_the_right_one_is_told),
        cmocka_unit_test(an_endpoint_is_written_as_it_is_read),
        cmocka_unit_test(a_prefix_is_read_and_written),
        cmocka_unit_test(a_wrong_prefix_is_refused),
        cmocka_unit_test(host_bits_are_right_only_where_they_are_asked_for),
        cmocka_unit_test(a_network_contains_what_lies_in_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
