/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/line.h"

static struct line_reader reader;

static int begin(void **state)
{
    (void)state;
    return line_reader_init(&reader);
}

static int end(void **state)
{
    (void)state;
    line_reader_free(&reader);
    return 0;
}

/* Gives bytes that fit. */
static void feed(const char *data, size_t length)
{
    size_t space;
    char *where = line_space(&reader, &space);

    assert_true(space >= length);
    if (length > 0)
        memcpy(where, data, length);
    line_filled(&reader, length);
}

static void feed_many(char byte, size_t count)
{
    while (count > 0) {
        size_t space, part;
        char *where = line_space(&reader, &space);

        assert_true(space > 0);
        part = space < count ? space : count;
        memset(where, byte, part);
        line_filled(&reader, part);
        count -= part;
        if (count > 0) {
            size_t length;
            char *line;

            assert_int_not_equal(line_next(&reader, &line, &length), LINE_OK);
        }
    }
}

static void expect_line(const char *text, size_t length)
{
    size_t got;
    char *line;

    assert_int_equal(line_next(&reader, &line, &got), LINE_OK);
    assert_int_equal(got, length);
    assert_memory_equal(line, text, length + 1);
}

static void expect(enum line_result result)
{
    size_t length;
    char *line;

    assert_int_equal(line_next(&reader, &line, &length), result);
}

static void a_stream_is_cut_into_lines(void **state)
{
    (void)state;
    feed("one\ntwo\n\nfo", 11);
    expect_line("one", 3);
    expect_line("two", 3);
    expect_line("", 0);
    expect(LINE_NONE);
    feed("ur\n", 3);
    expect_line("four", 4);
    expect(LINE_NONE);
}

static void a_line_may_come_byte_by_byte(void **state)
{
    (void)state;
    for (const char *at = "byte by byte"; *at != '\0'; at++) {
        feed(at, 1);
        expect(LINE_NONE);
    }
    feed("\n", 1);
    expect_line("byte by byte", 12);
}

static void a_nul_byte_is_part_of_its_line(void **state)
{
    (void)state;
    feed("a\0b\nc\n", 6);
    expect_line("a\0b", 3);
    expect_line("c", 1);
}

static void the_longest_line_has_64_kib_with_its_newline(void **state)
{
    size_t length;
    char *line;

    (void)state;
    feed_many('x', LINE_MAX_BYTES - 1);
    expect(LINE_NONE);
    feed("\n", 1);
    assert_int_equal(line_next(&reader, &line, &length), LINE_OK);
    assert_int_equal(length, LINE_MAX_BYTES - 1);
    assert_int_equal(strlen(line), LINE_MAX_BYTES - 1);
    expect(LINE_NONE);
}

static void a_longer_one_is_told_once_and_the_stream_goes_on(void **state)
{
    (void)state;
    feed_many('x', LINE_MAX_BYTES);
    expect(LINE_TOO_LONG);
    for (int i = 0; i < 40; i++) {
        feed_many('x', LINE_MAX_BYTES - 1);
        expect(LINE_NONE);
    }
    feed("rest\nnext\n", 10);
    expect_line("next", 4);
    expect(LINE_NONE);
    feed_many('y', LINE_MAX_BYTES);
    expect(LINE_TOO_LONG);
    feed("\nlast\n", 6);
    expect_line("last", 4);
}

static void there_is_always_space_once_more_is_needed(void **state)
{
    size_t length, space;
    char *line;

    (void)state;
    feed_many('x', LINE_MAX_BYTES - 2);
    feed("\ny", 2);
    assert_int_equal(line_next(&reader, &line, &length), LINE_OK);
    expect(LINE_NONE);
    line_space(&reader, &space);
    assert_int_equal(space, LINE_MAX_BYTES - 1);
    feed("z\n", 2);
    expect_line("yz", 2);
}

static void freeing_takes_null(void **state)
{
    (void)state;
    line_reader_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_stream_is_cut_into_lines, begin, end),
        cmocka_unit_test_setup_teardown(a_line_may_come_byte_by_byte, begin, end),
        cmocka_unit_test_setup_teardown(a_nul_byte_is_part_of_its_line, begin, end),
        cmocka_unit_test_setup_teardown(the_longest_line_has_64_kib_with_its_newline, begin, end),
        cmocka_unit_test_setup_teardown(a_longer_one_is_told_once_and_the_stream_goes_on, begin,
                                        end),
        cmocka_unit_test_setup_teardown(there_is_always_space_once_more_is_needed, begin, end),
        cmocka_unit_test(freeing_takes_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
