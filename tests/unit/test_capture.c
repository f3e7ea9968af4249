/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "punchguard/capture.h"

#define WAIT_MS 5000

static struct capture run(const char *script, const char *input, int timeout_ms)
{
    char *argv[] = {"sh", "-c", (char *)(uintptr_t)script, NULL};
    struct capture capture;

    assert_int_equal(capture_run(&capture, argv, input, timeout_ms), 0);
    return capture;
}

static void what_it_prints_is_kept_apart(void **state)
{
    struct capture capture = run("cat; echo wrong >&2; exit 3", "in\n", WAIT_MS);

    (void)state;
    assert_int_equal(capture.status, 3);
    assert_string_equal(capture.out, "in\n");
    assert_string_equal(capture.err, "wrong\n");
    capture_clear(&capture);
}

static void much_on_both_sides_is_no_deadlock(void **state)
{
    struct capture capture =
        run("head -c 9000000 /dev/zero | tr '\\0' x; head -c 300000 /dev/zero | tr '\\0' y >&2", "",
            WAIT_MS);

    (void)state;
    assert_int_equal(capture.status, 0);
    assert_in_range(strlen(capture.out), CAPTURE_MAX - 70000, CAPTURE_MAX);
    assert_int_equal(strlen(capture.err), 300000);
    capture_clear(&capture);
}

/* A pipe is at its end once nobody holds the other one. */
static void one_that_takes_too_long_is_killed_with_its_children(void **state)
{
    struct timespec began, ended;
    struct capture capture;
    struct pollfd held;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    clock_gettime(CLOCK_MONOTONIC, &began);
    capture = run("echo begun; sleep 60 & sleep 60", "", 50);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    assert_int_equal(capture.status, -1);
    assert_string_equal(capture.out, "begun\n");
    assert_true(ended.tv_sec - began.tv_sec < 5);
    close(ends[1]);
    held = (struct pollfd){.fd = ends[0], .events = POLLIN};
    assert_int_equal(poll(&held, 1, WAIT_MS), 1);
    assert_true((held.revents & POLLHUP) != 0);
    close(ends[0]);
    capture_clear(&capture);
}

static void one_that_is_not_there_is_told_by_its_status(void **state)
{
    char *argv[] = {"/nonexistent/program", NULL};
    struct capture capture;

    (void)state;
    assert_int_equal(capture_run(&capture, argv, "", WAIT_MS), 0);
    assert_int_equal(capture.status, -1);
    assert_string_equal(capture.out, "");
    capture_clear(&capture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_prints_is_kept_apart),
        cmocka_unit_test(much_on_both_sides_is_no_deadlock),
        cmocka_unit_test(one_that_takes_too_long_is_killed_with_its_children),
        cmocka_unit_test(one_that_is_not_there_is_told_by_its_status),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
