/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/json.h"

static struct json *document;
static struct error err;

static struct json_at read_text(const char *text)
{
    json_destroy(document);
    document = json_parse(text, strlen(text), &err);
    assert_non_null(document);
    return json_root(document);
}

static int forget(void **state)
{
    (void)state;
    json_destroy(document);
    document = NULL;
    return 0;
}

static void expect_error(const char *code, const char *text)
{
    assert_string_equal(err.code, code);
    if (strstr(err.message, text) == NULL)
        fail_msg("'%s' does not say '%s'", err.message, text);
}

static void what_is_not_json_is_told_with_its_place(void **state)
{
    static const struct {
        const char *text, *code, *says;
    } bad[] = {
        {"", "bad-json", "line 1"},
        {"{\n\"a\": nope}", "bad-json", "line 2, column 9"},
        {"{\"a\":1} x", "bad-json", "end of file"},
        {"{\"a\":1,\"a\":2}", "duplicate-key", "\"a\""},
        {"{\"b\":[{\"a\":1,\"a\":2}]}", "duplicate-key", "\"a\""},
        {"\"\xff\"", "bad-json", "0xff"},
        {"\"\xc0\x80\"", "bad-json", "line 1"},
        {"\"\\u0000\"", "bad-json", "\\u0000"},
        {"{\"\\u0000\":1}", "bad-json", "line 1"},
        {"\"\\ud800\"", "bad-json", "line 1"},
        {"\"a\nb\"", "bad-json", "line 1"},
        {"99999999999999999999", "bad-json", "too big"},
        {"1e999", "bad-json", "line 1"},
        {"[1,]", "bad-json", "line 1"},
        {"{'a':1}", "bad-json", "line 1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_null(json_parse(bad[i].text, strlen(bad[i].text), &err));
        expect_error(bad[i].code, bad[i].says);
    }
    assert_null(json_parse("1\0", 2, &err));
    assert_null(json_parse("\"\0\"", 3, &err));
}

static void endless_nesting_is_refused(void **state)
{
    static char text[60000];

    (void)state;
    memset(text, '[', sizeof text);
    assert_null(json_parse(text, sizeof text, &err));
    expect_error("bad-json", "depth");
    for (size_t i = 0; i + 5 <= sizeof text; i += 5)
        memcpy(text + i, "{\"a\":", 5);
    assert_null(json_parse(text, sizeof text, &err));
    expect_error("bad-json", "depth");
}

static void every_type_is_read(void **state)
{
    struct json_at root = read_text("{\"s\":\"text\",\"i\":-7,\"t\":true,\"f\":false,\"a\":[1,2]}"),
                   at;
    const char *text;
    int64_t number;
    size_t count;
    bool truth;

    (void)state;
    assert_int_equal(json_as_object(&root, NULL, &err), 0);
    assert_int_equal(json_require(&root, "s", &at, &err), 0);
    assert_int_equal(json_as_string(&at, &text, &err), 0);
    assert_string_equal(text, "text");
    assert_true(json_member(&root, "i", &at));
    assert_int_equal(json_as_integer(&at, -7, 7, &number, &err), 0);
    assert_int_equal(number, -7);
    assert_true(json_member(&root, "t", &at));
    assert_int_equal(json_as_boolean(&at, &truth, &err), 0);
    assert_true(truth);
    assert_true(json_member(&root, "f", &at));
    assert_int_equal(json_as_boolean(&at, &truth, &err), 0);
    assert_false(truth);
    assert_true(json_member(&root, "a", &at));
    assert_int_equal(json_as_array(&at, 2, &count, &err), 0);
    assert_int_equal(count, 2);
    assert_false(json_member(&root, "x", &at));
}

static void a_wrong_type_is_told_with_its_path(void **state)
{
    struct json_at root = read_text("{\"peers\":[{\"n\":{\"x\":1.5}}]}");
    struct json_at peers, peer, n, x;
    const char *text;
    int64_t number;
    size_t count;
    bool truth;

    (void)state;
    assert_true(json_member(&root, "peers", &peers));
    peer = json_item(&peers, 0);
    assert_true(json_member(&peer, "n", &n));
    assert_true(json_member(&n, "x", &x));
    assert_int_equal(json_as_string(&x, &text, &err), -EINVAL);
    expect_error("wrong-type", "$.peers[0].n.x: a string is expected, this is a number with");
    assert_int_equal(json_as_integer(&x, 0, 9, &number, &err), -EINVAL);
    expect_error("wrong-type", "an integer is expected");
    assert_int_equal(json_as_boolean(&x, &truth, &err), -EINVAL);
    expect_error("wrong-type", "true or false is expected");
    assert_int_equal(json_as_object(&peers, NULL, &err), -EINVAL);
    expect_error("wrong-type", "$.peers: an object is expected, this is an array");
    assert_int_equal(json_as_array(&root, 9, &count, &err), -EINVAL);
    expect_error("wrong-type", "$: an array is expected, this is an object");
}

static void bounds_are_told(void **state)
{
    struct json_at root = read_text("[5, 6]"), item = json_item(&root, 1);
    int64_t number;
    size_t count;

    (void)state;
    assert_int_equal(json_as_integer(&item, 6, 6, &number, &err), 0);
    assert_int_equal(json_as_integer(&item, 7, 9, &number, &err), -EINVAL);
    expect_error("out-of-range", "$[1]: 6 is not between 7 and 9");
    assert_int_equal(json_as_integer(&item, 0, 5, &number, &err), -EINVAL);
    assert_int_equal(json_as_array(&root, 1, &count, &err), -EINVAL);
    expect_error("too-many", "$: 2 items, at most 1");
}

static void a_missing_field_is_named(void **state)
{
    struct json_at root = read_text("{}"), at;

    (void)state;
    assert_int_equal(json_require(&root, "peers", &at, &err), -EINVAL);
    expect_error("missing-field", "$: the field 'peers' is missing");
}

static void an_unknown_key_is_told_with_the_nearest_known_one(void **state)
{
    static const char *const known[] = {"name", "allowed_ips", NULL};
    struct json_at root = read_text("{\"alowed_ip\":1}");

    (void)state;
    assert_int_equal(json_as_object(&root, known, &err), -EINVAL);
    expect_error("unknown-key", "'alowed_ip'; did you mean 'allowed_ips'?");
    root = read_text("{\"something_else\":1}");
    assert_int_equal(json_as_object(&root, known, &err), -EINVAL);
    expect_error("unknown-key", "known are: name, allowed_ips");
    root = read_text("{\"name\":1,\"allowed_ips\":2}");
    assert_int_equal(json_as_object(&root, known, &err), 0);
}

static void long_and_many_keys_fit_the_message(void **state)
{
    static char text[4100], deep[3000];
    static const char *const known[] = {
        "0123456789012345678901234567890123456789", "1123456789012345678901234567890123456789",
        "2123456789012345678901234567890123456789", "3123456789012345678901234567890123456789",
        "4123456789012345678901234567890123456789", "5123456789012345678901234567890123456789",
        "6123456789012345678901234567890123456789", "7123456789012345678901234567890123456789",
        "8123456789012345678901234567890123456789", NULL};
    struct json_at root, at[400];
    char path[40];

    (void)state;
    memset(text, 'k', sizeof text - 1);
    memcpy(text, "{\"", 2);
    strcpy(text + sizeof text - 5, "\":1}");
    root = read_text(text);
    assert_int_equal(json_as_object(&root, known, &err), -EINVAL);
    expect_error("unknown-key", "kkkk");

    memset(deep, '[', 400);
    memset(deep + 400, ']', 400);
    at[0] = read_text(deep);
    for (size_t i = 1; i < 400; i++)
        at[i] = json_item(&at[i - 1], 0);
    json_path(&at[399], path, sizeof path);
    assert_int_equal(strlen(path), sizeof path - 1);
}

static void keys_come_in_their_order(void **state)
{
    struct json_at root = read_text("{\"b\":1,\"a\":2,\"c\":3}");

    (void)state;
    assert_string_equal(json_key(&root, 0), "b");
    assert_string_equal(json_key(&root, 1), "a");
    assert_string_equal(json_key(&root, 2), "c");
    assert_null(json_key(&root, 3));
}

static void texts_are_quoted(void **state)
{
    char *text = json_quote("a\"b\\\n\x01\xc3\xa9");

    (void)state;
    assert_string_equal(text, "\"a\\\"b\\\\\\n\\u0001\xc3\xa9\"");
    free(text);
    assert_null(json_quote("\xff"));
}

static void a_value_is_written_compactly(void **state)
{
    struct json_at root = read_text("{ \"a\" : [ 1, 2.5, null ] }"), at;
    char *text = json_text(&root);

    (void)state;
    assert_string_equal(text, "{\"a\":[1,2.5,null]}");
    free(text);
    assert_true(json_member(&root, "a", &at));
    at = json_item(&at, 2);
    text = json_text(&at);
    assert_string_equal(text, "null");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_json_is_told_with_its_place),
        cmocka_unit_test(endless_nesting_is_refused),
        cmocka_unit_test_teardown(every_type_is_read, forget),
        cmocka_unit_test_teardown(a_wrong_type_is_told_with_its_path, forget),
        cmocka_unit_test_teardown(bounds_are_told, forget),
        cmocka_unit_test_teardown(a_missing_field_is_named, forget),
        cmocka_unit_test_teardown(an_unknown_key_is_told_with_the_nearest_known_one, forget),
        cmocka_unit_test_teardown(long_and_many_keys_fit_the_message, forget),
        cmocka_unit_test_teardown(keys_come_in_their_order, forget),
        cmocka_unit_test(texts_are_quoted),
        cmocka_unit_test_teardown(a_value_is_written_compactly, forget),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
