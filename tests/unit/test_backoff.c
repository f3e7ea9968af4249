/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/backoff.h"

/* Random bits that give the shortest and the longest wait for each base. */
static uint32_t shortest(void)
{
    return 0;
}

static uint32_t longest(uint32_t base)
{
    return 2 * (base / 5);
}

static void it_doubles_from_200_ms_to_30_s(void **state)
{
    const uint32_t bases[] = {200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000, 30000};
    struct backoff low = {0}, high = {0}, middle = {0};

    (void)state;
    for (size_t i = 0; i < sizeof bases / sizeof bases[0]; i++) {
        uint32_t most = bases[i] + bases[i] / 5;

        assert_int_equal(backoff_next(&middle, bases[i] / 5), bases[i]);
        assert_int_equal(backoff_next(&low, shortest()), bases[i] - bases[i] / 5);
        assert_int_equal(backoff_next(&high, longest(bases[i])), most < 30000 ? most : 30000);
    }
}

static void it_never_gives_up(void **state)
{
    struct backoff backoff = {0};

    (void)state;
    for (uint32_t i = 0; i < 100000; i++) {
        uint32_t wait = backoff_next(&backoff, i * 2654435761u);

        assert_in_range(wait, 160, BACKOFF_MAX_MS);
        assert_true(i < 10 || wait >= 24000);
    }
}

static void it_is_jittered(void **state)
{
    struct backoff one = {0}, other = {0};

    (void)state;
    assert_int_not_equal(backoff_next(&one, 1), backoff_next(&other, 2));
}

static void after_a_reset_it_begins_anew(void **state)
{
    struct backoff backoff = {0};

    (void)state;
    for (int i = 0; i < 20; i++)
        backoff_next(&backoff, 0);
    backoff_reset(&backoff);
    assert_in_range(backoff_next(&backoff, UINT32_MAX), 160, 240);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_doubles_from_200_ms_to_30_s),
        cmocka_unit_test(it_never_gives_up),
        cmocka_unit_test(it_is_jittered),
        cmocka_unit_test(after_a_reset_it_begins_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
