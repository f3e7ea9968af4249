/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/timex.h>

#include <cmocka.h>

#include "punchguard/clock.h"

#define NOW (CLOCK_LEAST + 1)

static void a_clock_that_something_keeps_is_right(void **state)
{
    (void)state;
    assert_int_equal(clock_judge(NOW, TIME_OK, STA_PLL | STA_NANO), CLOCK_KEPT);
    assert_int_equal(clock_judge(NOW, TIME_INS, STA_PLL | STA_INS), CLOCK_KEPT);
    assert_int_equal(clock_judge(CLOCK_LEAST, TIME_OK, STA_PLL), CLOCK_KEPT);
}

static void one_that_nothing_keeps_is_told(void **state)
{
    (void)state;
    assert_int_equal(clock_judge(NOW, TIME_ERROR, STA_UNSYNC), CLOCK_UNKEPT);
    assert_int_equal(clock_judge(NOW, TIME_ERROR, STA_PLL | STA_UNSYNC), CLOCK_UNKEPT);
}

static void one_that_was_never_set_is_told_whoever_keeps_it(void **state)
{
    (void)state;
    assert_int_equal(clock_judge(CLOCK_LEAST - 1, TIME_OK, STA_PLL), CLOCK_BEHIND);
    assert_int_equal(clock_judge(0, -1, 0), CLOCK_BEHIND);
}

static void what_the_system_does_not_tell_is_not_made_up(void **state)
{
    (void)state;
    assert_int_equal(clock_judge(NOW, -1, 0), CLOCK_UNKNOWN);
    assert_int_equal(clock_judge(NOW, -1, STA_UNSYNC), CLOCK_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clock_that_something_keeps_is_right),
        cmocka_unit_test(one_that_nothing_keeps_is_told),
        cmocka_unit_test(one_that_was_never_set_is_told_whoever_keeps_it),
        cmocka_unit_test(what_the_system_does_not_tell_is_not_made_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
