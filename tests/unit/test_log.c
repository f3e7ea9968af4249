/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "protocol/log.h"

/* The clock that log.c sees: linked with --wrap=clock_gettime. */
static struct timespec now = {.tv_sec = 1000};

int __wrap_clock_gettime(clockid_t clock, struct timespec *out);
int __wrap_clock_gettime(clockid_t clock, struct timespec *out)
{
    (void)clock;
    *out = now;
    return 0;
}

static int captured[2];
static int real_stderr;

static void capture(void)
{
    now.tv_sec += 10;
    assert_int_equal(pipe(captured), 0);
    real_stderr = dup(STDERR_FILENO);
    dup2(captured[1], STDERR_FILENO);
    close(captured[1]);
}

/* What was logged since capture(), terminated. */
static const char *release(void)
{
    static char text[65536];
    size_t used = 0;
    ssize_t n;

    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    while ((n = read(captured[0], text + used, sizeof text - 1 - used)) > 0)
        used += (size_t)n;
    close(captured[0]);
    text[used] = '\0';
    return text;
}

static size_t lines_in(const char *text)
{
    size_t count = 0;

    for (; *text != '\0'; text++)
        count += *text == '\n';
    return count;
}

static void each_level_says_what_it_is(void **state)
{
    (void)state;
    capture();
    log_open("tester", true);
    log_debug("a %d", 1);
    log_info("b");
    log_warn("c");
    log_error("d");
    assert_string_equal(release(), "tester: debug: a 1\ntester: b\ntester: warning: c\n"
                                   "tester: error: d\n");
}

static void debug_is_silent_unless_asked_for(void **state)
{
    (void)state;
    capture();
    log_open("tester", false);
    log_debug("a");
    log_info("b");
    assert_string_equal(release(), "tester: b\n");
}

static void a_flood_is_cut_and_counted(void **state)
{
    const char *text;

    (void)state;
    log_open("tester", false);
    capture();
    for (int i = 0; i < LOG_LINES_PER_SECOND + 50; i++)
        log_info("line %d", i);
    assert_int_equal(lines_in(release()), LOG_LINES_PER_SECOND);

    capture();
    log_info("after");
    text = release();
    assert_string_equal(text, "tester: 50 log lines left out\ntester: after\n");
    capture();
    log_info("later");
    assert_string_equal(release(), "tester: later\n");
}

static void debug_lines_that_are_not_shown_count_for_nothing(void **state)
{
    (void)state;
    log_open("tester", false);
    capture();
    for (int i = 0; i < 1000; i++)
        log_debug("line %d", i);
    log_info("shown");
    assert_string_equal(release(), "tester: shown\n");
}

static void what_would_drive_a_terminal_is_replaced(void **state)
{
    (void)state;
    log_open("tester", false);
    capture();
    log_info("%s", "a\x1b[2Jb\nc\rd\x7f\xc2\x9b"
                   "31me");
    assert_string_equal(release(), "tester: a?[2Jb?c?d???31me\n");
}

static void text_in_utf8_is_shown_as_it_is(void **state)
{
    (void)state;
    log_open("tester", false);
    capture();
    log_info("%s", "\xc3\xa9\xe2\x82\xac\xff");
    assert_string_equal(release(), "tester: \xc3\xa9\xe2\x82\xac?\n");
}

static void a_long_line_is_cut_but_ended(void **state)
{
    char text[5000];
    const char *logged;

    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    log_open("tester", false);
    capture();
    log_info("%s", text);
    log_info("next");
    logged = release();
    assert_int_equal(lines_in(logged), 2);
    assert_true(strlen(logged) < 1300);
    assert_non_null(strstr(logged, "x\ntester: next\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_level_says_what_it_is),
        cmocka_unit_test(debug_is_silent_unless_asked_for),
        cmocka_unit_test(a_flood_is_cut_and_counted),
        cmocka_unit_test(debug_lines_that_are_not_shown_count_for_nothing),
        cmocka_unit_test(what_would_drive_a_terminal_is_replaced),
        cmocka_unit_test(text_in_utf8_is_shown_as_it_is),
        cmocka_unit_test(a_long_line_is_cut_but_ended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
