/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "broker/window.h"

static void a_counter_is_accepted_once(void **state)
{
    struct window window = {0};

    (void)state;
    for (uint64_t counter = 0; counter < 5000; counter++) {
        assert_true(window_accepts(&window, counter));
        window_mark(&window, counter);
        assert_false(window_accepts(&window, counter));
    }
}

static void exactly_the_last_1024_may_come_late(void **state)
{
    struct window window = {0};

    (void)state;
    window_mark(&window, 5000);
    assert_false(window_accepts(&window, 5000 - 1024));
    assert_true(window_accepts(&window, 5000 - 1023));
    assert_false(window_accepts(&window, 0));
    window_mark(&window, 5000 - 1023);
    assert_false(window_accepts(&window, 5000 - 1023));
    window_mark(&window, 5001);
    assert_false(window_accepts(&window, 5001 - 1024));
    assert_true(window_accepts(&window, 5001 - 1022));
}

static void the_reserved_counter_is_refused(void **state)
{
    struct window window = {0};

    (void)state;
    assert_false(window_accepts(&window, UINT64_MAX));
    window_mark(&window, UINT64_MAX - 1);
    assert_false(window_accepts(&window, UINT64_MAX - 1));
    assert_false(window_accepts(&window, UINT64_MAX));
}

/* Random steps against the plainest model: a list of everything seen. */
static void it_agrees_with_a_plain_list(void **state)
{
    enum { RANGE = 20000, STEPS = 60000 };
    static bool seen[RANGE];
    struct window window = {0};
    uint64_t next = 0;

    (void)state;
    for (int step = 0; step < STEPS; step++) {
        uint32_t jump = randombytes_uniform(100) == 0 ? 3000 : 8;
        uint64_t counter = next + randombytes_uniform(jump);
        bool right;

        if (randombytes_uniform(2))
            counter = counter > 1100 ? counter - randombytes_uniform(1100) : counter;
        if (counter >= RANGE)
            break;
        right = !seen[counter] && (counter >= next || next - counter <= WINDOW_SIZE);
        assert_true(window_accepts(&window, counter) == right);
        if (!right)
            continue;
        window_mark(&window, counter);
        seen[counter] = true;
        if (counter >= next)
            next = counter + 1;
    }
    assert_true(next > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_counter_is_accepted_once),
        cmocka_unit_test(exactly_the_last_1024_may_come_late),
        cmocka_unit_test(the_reserved_counter_is_refused),
        cmocka_unit_test(it_agrees_with_a_plain_list),
    };

    if (sodium_init() < 0)
        return 99;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
