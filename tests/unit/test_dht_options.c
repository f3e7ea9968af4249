/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "signal-dht/options.h"

static struct options options;

static void the_default_is_the_public_network(void **state)
{
    struct error err;

    (void)state;
    assert_int_equal(options_read(&options, NULL, &err), 0);
    assert_int_equal(options.bootstrap_count, 1);
    assert_string_equal(options.bootstrap[0].host, "bootstrap.jami.net");
    assert_int_equal(options.bootstrap[0].port, 4222);
    assert_int_equal(options.port, 0);
    assert_int_equal(options_read(&options, "{\"port\":4000}", &err), 0);
    assert_int_equal(options.bootstrap_count, 1);
    assert_int_equal(options.port, 4000);
}

static void the_configuration_s_own_nodes_replace_it(void **state)
{
    struct error err;

    (void)state;
    assert_int_equal(options_read(&options,
                                  "{\"bootstrap\":[\"a.example.org\",\"192.0.2.1:1\","
                                  "\"[2001:db8::1]:2\"]}",
                                  &err),
                     0);
    assert_int_equal(options.bootstrap_count, 3);
    assert_string_equal(options.bootstrap[0].host, "a.example.org");
    assert_int_equal(options.bootstrap[0].port, 4222);
    assert_string_equal(options.bootstrap[1].host, "192.0.2.1");
    assert_int_equal(options.bootstrap[1].port, 1);
    assert_string_equal(options.bootstrap[2].host, "2001:db8::1");
    assert_int_equal(options.bootstrap[2].port, 2);
    assert_int_equal(options_read(&options, "{\"bootstrap\":[]}", &err), 0);
    assert_int_equal(options.bootstrap_count, 0);
}

static void wrong_ones_are_named_with_their_path(void **state)
{
    static const struct {
        const char *text, *code, *path;
    } wrong[] = {
        {"{\"bootstrap\":\"a:1\"}", "wrong-type", "$.bootstrap"},
        {"{\"bootstrap\":[\"a:1\",7]}", "wrong-type", "$.bootstrap[1]"},
        {"{\"bootstrap\":[\"a:0\"]}", "bad-bootstrap", "$.bootstrap[0]"},
        {"{\"bootstrap\":[\"a:70000\"]}", "bad-bootstrap", "$.bootstrap[0]"},
        {"{\"bootstrap\":[\"\"]}", "bad-bootstrap", "$.bootstrap[0]"},
        {"{\"bootstrap\":[\"two words:1\"]}", "bad-bootstrap", "$.bootstrap[0]"},
        {"{\"bootstrap\":[\"-x:1\"]}", "bad-bootstrap", "$.bootstrap[0]"},
        {"{\"port\":65536}", "out-of-range", "$.port"},
        {"{\"port\":\"1\"}", "wrong-type", "$.port"},
        {"{\"bootstraps\":[]}", "unknown-key", "'bootstraps'"},
        {"{", "bad-json", ""},
    };
    struct error err;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        memset(&err, 0, sizeof err);
        assert_int_equal(options_read(&options, wrong[i].text, &err), -EINVAL);
        assert_string_equal(err.code, wrong[i].code);
        if (strstr(err.message, wrong[i].path) == NULL)
            fail_msg("%s: no %s in: %s", wrong[i].text, wrong[i].path, err.message);
    }
}

static void more_than_16_nodes_are_too_many(void **state)
{
    char text[512] = "{\"bootstrap\":[\"a\"";
    struct error err;

    (void)state;
    for (int i = 1; i < OPTIONS_BOOTSTRAP_MAX + 1; i++)
        strcat(text, ",\"a\"");
    strcat(text, "]}");
    assert_int_equal(options_read(&options, text, &err), -EINVAL);
    assert_string_equal(err.code, "too-many");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_is_the_public_network),
        cmocka_unit_test(the_configuration_s_own_nodes_replace_it),
        cmocka_unit_test(wrong_ones_are_named_with_their_path),
        cmocka_unit_test(more_than_16_nodes_are_too_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
