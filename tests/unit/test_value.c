/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "signal-dht/value.h"

static const struct value sample = {.from = 0x0102030405060708,
                                    .to = 2,
                                    .counter = 3,
                                    .settled = 4,
                                    .mask = 5,
                                    .base = 6,
                                    .bye = true};

static void what_is_written_is_read(void **state)
{
    uint8_t bytes[VALUE_MAX];
    struct value value;
    struct value_message message = {8, "text", 4};
    size_t length = value_write(&sample, bytes);

    (void)state;
    assert_int_equal(length, VALUE_HEAD);
    length = value_append(bytes, length, &sample, &message);
    length = value_pad(bytes, length);
    assert_int_equal(value_read(&value, bytes, length), 0);
    assert_int_equal(value.from, sample.from);
    assert_int_equal(value.to, 2);
    assert_int_equal(value.counter, 3);
    assert_int_equal(value.settled, 4);
    assert_int_equal(value.mask, 5);
    assert_int_equal(value.base, 6);
    assert_true(value.bye);
    memset(&message, 0, sizeof message);
    assert_true(value_next(&value, &message));
    assert_int_equal(message.number, 8);
    assert_int_equal(message.length, 4);
    assert_memory_equal(message.text, "text", 4);
    assert_false(value_next(&value, &message));
}

static void numbers_are_big_endian(void **state)
{
    static const uint8_t from[] = {1, 2, 3, 4, 5, 6, 7, 8};
    uint8_t bytes[VALUE_HEAD];

    (void)state;
    value_write(&sample, bytes);
    assert_memory_equal(bytes + 2, from, sizeof from);
}

static void the_longest_message_fits(void **state)
{
    static char text[VALUE_DATA_MAX];
    uint8_t bytes[VALUE_MAX];
    struct value value;
    struct value_message message = {6, text, sizeof text};
    size_t length;

    (void)state;
    memset(text, 'x', sizeof text);
    length = value_append(bytes, value_write(&sample, bytes), &sample, &message);
    length = value_pad(bytes, length);
    assert_in_range(length, 1, VALUE_MAX);
    assert_int_equal(value_read(&value, bytes, length), 0);
    assert_true(value_next(&value, &message));
    assert_int_equal(message.length, VALUE_DATA_MAX);
}

static void lengths_tell_little(void **state)
{
    uint8_t bytes[VALUE_MAX];
    size_t sizes = 0, last = 0;

    (void)state;
    for (size_t length = VALUE_HEAD; length <= VALUE_MAX; length++) {
        size_t padded = value_pad(bytes, length);

        assert_in_range(padded, length, VALUE_MAX);
        sizes += padded != last;
        last = padded;
    }
    assert_in_range(sizes, 1, 8);
}

static void what_makes_no_sense_is_refused(void **state)
{
    uint8_t bytes[VALUE_MAX + 1] = {0};
    struct value value, wrong = sample;

    (void)state;
    value_write(&sample, bytes);
    assert_int_equal(value_read(&value, bytes, VALUE_HEAD), 0);
    assert_int_equal(value_read(&value, bytes, VALUE_HEAD - 1), -EBADMSG);
    assert_int_equal(value_read(&value, bytes, VALUE_MAX + 1), -EBADMSG);
    bytes[0] = 2;
    assert_int_equal(value_read(&value, bytes, VALUE_HEAD), -EBADMSG);
    wrong.from = 0;
    value_write(&wrong, bytes);
    assert_int_equal(value_read(&value, bytes, VALUE_HEAD), -EBADMSG);
    wrong = sample;
    wrong.counter = 0;
    value_write(&wrong, bytes);
    assert_int_equal(value_read(&value, bytes, VALUE_HEAD), -EBADMSG);
    wrong = sample;
    wrong.base = UINT64_MAX;
    value_write(&wrong, bytes);
    assert_int_equal(value_read(&value, bytes, VALUE_HEAD), -EBADMSG);
}

static void a_message_that_is_too_long_or_far_away_ends_the_list(void **state)
{
    uint8_t bytes[VALUE_MAX];
    struct value value;
    struct value_message message = {6, "text", 4};
    size_t length = value_append(bytes, value_write(&sample, bytes), &sample, &message);

    (void)state;
    value_read(&value, bytes, length - 1);
    assert_false(value_next(&value, &message));
    bytes[VALUE_HEAD] = VALUE_WINDOW;
    value_read(&value, bytes, length);
    assert_false(value_next(&value, &message));
    bytes[VALUE_HEAD] = VALUE_WINDOW - 1;
    value_read(&value, bytes, length);
    assert_true(value_next(&value, &message));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(numbers_are_big_endian),
        cmocka_unit_test(the_longest_message_fits),
        cmocka_unit_test(lengths_tell_little),
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(a_message_that_is_too_long_or_far_away_ends_the_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
