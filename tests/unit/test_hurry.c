/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <config.h>

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "signal-tox/hurry.h"

enum { PACE = 10, SPAN = 30 };

static int64_t ms_of(clockid_t id)
{
    struct timespec now;

    assert_int_equal(clock_gettime(id, &now), 0);
    assert_in_range(now.tv_nsec, 0, 999999999);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Until `ms` have passed on another clock. */
static void spend(int64_t ms)
{
    int64_t end = ms_of(CLOCK_BOOTTIME) + ms, last = ms_of(CLOCK_MONOTONIC);

    while (ms_of(CLOCK_BOOTTIME) < end) {
        int64_t now = ms_of(CLOCK_MONOTONIC);

        assert_true(now >= last);
        last = now;
    }
}

static void libraries_get_our_clock(void **state)
{
    int (*ours)(clockid_t, struct timespec *) = clock_gettime;
    void *theirs = dlsym(RTLD_DEFAULT, "clock_gettime"), *next = dlsym(RTLD_NEXT, "clock_gettime");

    (void)state;
    assert_memory_equal(&theirs, &ours, sizeof theirs);
    assert_ptr_not_equal(theirs, next);
}

/* The clock gains 9 ms in each of 30 ms, then none. */
static void the_monotonic_clock_gains_for_a_while(void **state)
{
    int64_t boot = ms_of(CLOCK_BOOTTIME), monotonic = ms_of(CLOCK_MONOTONIC), gained;

    (void)state;
    hurry_begin(PACE, SPAN);
    spend(SPAN + 5);
    gained = ms_of(CLOCK_MONOTONIC) - monotonic - (ms_of(CLOCK_BOOTTIME) - boot);
    assert_in_range(gained, (PACE - 1) * SPAN - 2, (PACE - 1) * SPAN + 2);
    spend(30);
    gained = ms_of(CLOCK_MONOTONIC) - monotonic - (ms_of(CLOCK_BOOTTIME) - boot);
    assert_in_range(gained, (PACE - 1) * SPAN - 2, (PACE - 1) * SPAN + 2);
}

/* What was gained stays, and a hurry that another one cuts short counts for as long as it was. */
static void a_further_hurry_goes_on_from_there(void **state)
{
    int64_t boot = ms_of(CLOCK_BOOTTIME), monotonic = ms_of(CLOCK_MONOTONIC), gained, cut;

    (void)state;
    hurry_begin(PACE, SPAN);
    spend(10);
    cut = ms_of(CLOCK_BOOTTIME) - boot;
    hurry_begin(PACE, SPAN);
    spend(SPAN + 5);
    gained = ms_of(CLOCK_MONOTONIC) - monotonic - (ms_of(CLOCK_BOOTTIME) - boot);
    assert_in_range(gained, (PACE - 1) * (SPAN + cut - 2), (PACE - 1) * (SPAN + cut + 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(libraries_get_our_clock),
        cmocka_unit_test(the_monotonic_clock_gains_for_a_while),
        cmocka_unit_test(a_further_hurry_goes_on_from_there),
    };

#ifdef PG_SANITIZED
    print_message("sanitizers bring a clock_gettime() of their own\n");
    return 77;
#endif
    return cmocka_run_group_tests(tests, NULL, NULL);
}
