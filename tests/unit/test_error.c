/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "protocol/error.h"

static bool is_utf8(const char *text)
{
    json_t *value = json_string(text);

    json_decref(value);
    return value != NULL;
}

static void the_message_is_formatted(void **state)
{
    struct error err;

    (void)state;
    error_set(&err, "some-code", "%s has %d", "it", 7);
    assert_string_equal(err.code, "some-code");
    assert_string_equal(err.message, "it has 7");
    error_prefix(&err, "%s: ", "conf.json");
    assert_string_equal(err.message, "conf.json: it has 7");
    assert_string_equal(err.code, "some-code");
}

static void nobody_need_want_to_know(void **state)
{
    (void)state;
    error_set(NULL, "some-code", "text");
    error_prefix(NULL, "text");
}

static void long_texts_are_cut(void **state)
{
    char text[2000];
    struct error err;

    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    error_set(&err, text, "%s", text);
    assert_int_equal(strlen(err.code), sizeof err.code - 1);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    error_prefix(&err, "file: ");
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    assert_memory_equal(err.message, "file: xxx", 9);
    error_prefix(&err, "%s", text);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
}

/* Else the error could not be sent: JSON takes UTF-8 only. */
static void a_message_cut_within_a_character_is_still_utf8(void **state)
{
    char text[1500];
    struct error err;

    (void)state;
    for (size_t shift = 0; shift < 3; shift++) {
        memset(text, 'x', shift);
        for (size_t i = shift; i + 3 < sizeof text; i += 3)
            memcpy(text + i, "\xe2\x82\xac", 4);
        error_set(&err, "some-code", "%s", text);
        assert_true(is_utf8(err.message));
        assert_true(strlen(err.message) >= sizeof err.message - 3);
        error_prefix(&err, "y");
        assert_true(is_utf8(err.message));
    }
}

static void bytes_that_are_not_utf8_are_replaced(void **state)
{
    static const char *const bad[][2] = {
        {"a\xff\x62", "a?b"},
        {"\x80", "?"},
        {"\xc0\x80", "??"},
        {"\xc3", "?"},
        {"\xc3(", "?("},
        {"\xe0\x80\xaf", "???"},
        {"\xed\xa0\x80", "???"},
        {"\xf4\x90\x80\x80", "????"},
        {"\xf0\x8f\xbf\xbf", "????"},
        {"\xf5\x80\x80\x80", "????"},
        {"\xe2\x82", "??"},
        {"\xf0\x9f\x98x", "???x"},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"\xed\x9f\xbf\xee\x80\x80", "\xed\x9f\xbf\xee\x80\x80"},
        {"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
    };
    struct error err;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        error_set(&err, "some-code", "%s", bad[i][0]);
        assert_string_equal(err.message, bad[i][1]);
        assert_true(is_utf8(err.message));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_message_is_formatted),
        cmocka_unit_test(nobody_need_want_to_know),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(a_message_cut_within_a_character_is_still_utf8),
        cmocka_unit_test(bytes_that_are_not_utf8_are_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
