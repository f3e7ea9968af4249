/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "signal-lan/options.h"

static struct options options;

static void by_default_it_is_both_families_on_every_link(void **state)
{
    static const char *const texts[] = {NULL, "{}"};
    char group[INET6_ADDRSTRLEN];
    struct error err;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(options_read(&options, texts[i], &err), 0);
        assert_true(options.ipv4 && options.ipv6);
        assert_int_equal(options.port, OPTIONS_PORT);
        assert_int_equal(options.direct_port, 0);
        assert_int_equal(options.interface_count, 0);
        assert_string_equal(inet_ntop(AF_INET, &options.group4, group, sizeof group),
                            OPTIONS_GROUP_IPV4);
        assert_string_equal(inet_ntop(AF_INET6, &options.group6, group, sizeof group),
                            OPTIONS_GROUP_IPV6);
    }
}

static void each_option_is_taken(void **state)
{
    char group[INET6_ADDRSTRLEN];
    struct error err;

    (void)state;
    assert_int_equal(options_read(&options,
                                  "{\"groups\":[\"ff02::1234\"],\"port\":7000,"
                                  "\"direct_port\":7001,\"interfaces\":[\"eth0\",\"wlan0\"]}",
                                  &err),
                     0);
    assert_false(options.ipv4);
    assert_true(options.ipv6);
    assert_string_equal(inet_ntop(AF_INET6, &options.group6, group, sizeof group), "ff02::1234");
    assert_int_equal(options.port, 7000);
    assert_int_equal(options.direct_port, 7001);
    assert_int_equal(options.interface_count, 2);
    assert_string_equal(options.interfaces[0], "eth0");
    assert_string_equal(options.interfaces[1], "wlan0");
}

static void what_is_wrong_is_named_with_its_path(void **state)
{
    static const struct {
        const char *text, *path, *word;
    } wrong[] = {
        {"[]", "$", "object"},
        {"{\"group\":[]}", "$", "groups"},
        {"{\"groups\":\"239.1.2.3\"}", "$.groups", "array"},
        {"{\"groups\":[]}", "$.groups", "needed"},
        {"{\"groups\":[\"192.0.2.1\"]}", "$.groups[0]", "239.0.0.0/8"},
        {"{\"groups\":[\"224.0.0.251\"]}", "$.groups[0]", "239.0.0.0/8"},
        {"{\"groups\":[\"ff05::1\"]}", "$.groups[0]", "link-local"},
        {"{\"groups\":[\"fe80::1\"]}", "$.groups[0]", "link-local"},
        {"{\"groups\":[\"239.1.2.3\",\"239.1.2.4\"]}", "$.groups[1]", "second"},
        {"{\"groups\":[\"239.1.2.3\",\"ff02::1\",\"ff02::2\"]}", "$.groups", "2"},
        {"{\"port\":0}", "$.port", "65535"},
        {"{\"port\":\"20551\"}", "$.port", "integer"},
        {"{\"direct_port\":65536}", "$.direct_port", "65535"},
        {"{\"direct_port\":20551}", "$.direct_port", "another"},
        {"{\"interfaces\":\"eth0\"}", "$.interfaces", "array"},
        {"{\"interfaces\":[\"\"]}", "$.interfaces[0]", "15"},
        {"{\"interfaces\":[\"eth0\",\"0123456789abcdef\"]}", "$.interfaces[1]", "15"},
        {"{\"interfaces\":[1]}", "$.interfaces[0]", "string"},
        {"{\"port\":1", "", "line"},
    };
    struct error err;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(options_read(&options, wrong[i].text, &err), -EINVAL);
        if (strstr(err.message, wrong[i].path) == NULL ||
            strstr(err.message, wrong[i].word) == NULL)
            fail_msg("%s: %s", wrong[i].text, err.message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_default_it_is_both_families_on_every_link),
        cmocka_unit_test(each_option_is_taken),
        cmocka_unit_test(what_is_wrong_is_named_with_its_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
