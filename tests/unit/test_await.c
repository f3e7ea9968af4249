/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "protocol/await.h"

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static volatile sig_atomic_t alarms;
static int alarm_fd = -1;

static void on_alarm(int signal)
{
    (void)signal;
    if (++alarms == 5 && alarm_fd >= 0 && write(alarm_fd, "x", 1) < 0)
        alarms = -1;
}

/* A signal every `interval_us` microseconds, 0 for none any more; no call is restarted after it. */
static void alarms_set(int interval_us)
{
    struct sigaction action = {.sa_handler = on_alarm};
    struct itimerval timer = {.it_interval = {.tv_usec = interval_us},
                              .it_value = {.tv_usec = interval_us}};

    if (interval_us > 0)
        alarms = 0;
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
}

static void signals_shorten_no_wait(void **state)
{
    int ends[2];
    int64_t began = now_ms();

    (void)state;
    assert_int_equal(pipe(ends), 0);
    alarms_set(2000);
    assert_false(await_fd(ends[0], POLLIN, 40));
    alarms_set(0);
    assert_true(now_ms() - began >= 39);
    close(ends[0]);
    close(ends[1]);
}

static void what_comes_among_signals_is_seen(void **state)
{
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    alarm_fd = ends[1];
    alarms_set(2000);
    assert_true(await_fd(ends[0], POLLIN, -1));
    alarms_set(0);
    assert_true(alarms >= 5);
    alarm_fd = -1;
    close(ends[0]);
    close(ends[1]);
}

static void an_end_is_seen(void **state)
{
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    close(ends[1]);
    assert_true(await_fd(ends[0], POLLIN, 0));
    close(ends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signals_shorten_no_wait),
        cmocka_unit_test(what_comes_among_signals_is_seen),
        cmocka_unit_test(an_end_is_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
