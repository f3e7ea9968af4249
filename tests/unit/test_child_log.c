/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The test's own standard error is a pipe while it runs, and what is read from it the broker's log.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/child_log.h"
#include "protocol/log.h"

static char logged[256 * 1024];

struct logging {
    uv_loop_t loop;
    struct child_log *log;
    int helper;   /* write end of the helper's standard error */
    int broker;   /* read end of ours */
    int terminal; /* the real standard error */
};

static void begin(struct logging *l)
{
    int helper[2], broker[2];

    assert_int_equal(pipe2(helper, O_NONBLOCK | O_CLOEXEC), 0);
    assert_int_equal(pipe2(broker, O_NONBLOCK | O_CLOEXEC), 0);
    l->terminal = dup(STDERR_FILENO);
    dup2(broker[1], STDERR_FILENO);
    close(broker[1]);
    l->broker = broker[0];
    l->helper = helper[1];
    assert_int_equal(uv_loop_init(&l->loop), 0);
    l->log = child_log_open(&l->loop, helper[0], "tox");
    assert_non_null(l->log);
}

static void say(struct logging *l, const char *text)
{
    assert_int_equal(write(l->helper, text, strlen(text)), (ssize_t)strlen(text));
}

static void on_timeout(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

static void run_for(struct logging *l, uint64_t ms)
{
    uv_timer_t timer;

    uv_timer_init(&l->loop, &timer);
    uv_timer_start(&timer, on_timeout, ms, 0);
    uv_run(&l->loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&l->loop, UV_RUN_NOWAIT);
}

/* Ends the log too; returns what the broker's log holds. */
static const char *end(struct logging *l)
{
    ssize_t n;

    child_log_close(l->log);
    uv_run(&l->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&l->loop), 0);
    dup2(l->terminal, STDERR_FILENO);
    close(l->terminal);
    close(l->helper);
    n = read(l->broker, logged, sizeof logged - 1);
    close(l->broker);
    logged[n > 0 ? n : 0] = '\0';
    return logged;
}

static size_t count(const char *text, const char *what)
{
    size_t found = 0;

    for (const char *at = text; (at = strstr(at, what)) != NULL; at += strlen(what))
        found++;
    return found;
}

/* The caps are for each second of a clock: what is counted must happen within one. */
static void await_a_new_second(void)
{
    struct timespec now, rest = {0};

    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_nsec > 500000000) {
        rest.tv_nsec = 1000000000 - now.tv_nsec;
        nanosleep(&rest, NULL);
    }
}

static void each_line_stands_under_the_helpers_name(void **state)
{
    struct logging l;

    (void)state;
    begin(&l);
    say(&l, "one\n\ntw");
    run_for(&l, 5);
    say(&l, "o\n");
    run_for(&l, 30);
    assert_string_equal(end(&l), "test: tox: one\ntest: tox: two\n");
}

static void the_last_line_needs_no_newline(void **state)
{
    struct logging l;

    (void)state;
    begin(&l);
    say(&l, "assertion failed");
    assert_string_equal(end(&l), "test: tox: assertion failed\n");
}

static void control_characters_become_harmless(void **state)
{
    struct logging l;
    const char *text;

    (void)state;
    begin(&l);
    say(&l, "\033[2J\a\r\t\x7f \302\233 gr\303\274n\n");
    run_for(&l, 20);
    text = end(&l);
    assert_string_equal(text, "test: tox: ?[2J???? ?? gr\303\274n\n");
}

static void a_long_line_is_cut(void **state)
{
    char line[2 * CHILD_LOG_LINE_BYTES + 2];
    struct logging l;
    const char *text;

    (void)state;
    memset(line, 'x', sizeof line);
    strcpy(line + sizeof line - 2, "\n");
    begin(&l);
    say(&l, line);
    say(&l, "next\n");
    run_for(&l, 20);
    text = end(&l);
    /* In "tox" twice and in "next" too. */
    assert_int_equal(count(text, "x"), CHILD_LOG_LINE_BYTES + strlen("xxx"));
    assert_int_equal(count(text, "tox: next\n"), 1);
}

static void lines_a_second_are_capped_and_the_rest_is_said(void **state)
{
    struct logging l;
    const char *text;

    (void)state;
    await_a_new_second();
    begin(&l);
    for (int i = 0; i < 500; i++)
        say(&l, "nonsense\n");
    run_for(&l, 100);
    text = end(&l);
    assert_int_equal(count(text, "tox: nonsense\n"), CHILD_LOG_LINES_PER_SECOND);
    assert_int_equal(count(text, "tox: 480 lines of its log left out\n"), 1);
}

/* So that it costs little however much there is. */
static void a_flood_is_read_slowly(void **state)
{
    char text[1024];
    struct logging l;
    size_t written = 0, pauses;
    uint64_t begun = uv_hrtime();

    (void)state;
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\n';
    begin(&l);
    for (int i = 0; i < 20; i++) {
        ssize_t n;

        while ((n = write(l.helper, text, sizeof text)) > 0)
            written += (size_t)n;
        run_for(&l, 5);
    }
    end(&l);
    pauses = (size_t)(uv_hrtime() - begun) / 1000000 / CHILD_LOG_PAUSE_MS;
    assert_in_range(written, 65536, 65536 + (pauses + 2) * CHILD_LOG_READ_BYTES);
}

static void no_log_is_closed_without_fuss(void **state)
{
    (void)state;
    child_log_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_line_stands_under_the_helpers_name),
        cmocka_unit_test(the_last_line_needs_no_newline),
        cmocka_unit_test(control_characters_become_harmless),
        cmocka_unit_test(a_long_line_is_cut),
        cmocka_unit_test(lines_a_second_are_capped_and_the_rest_is_said),
        cmocka_unit_test(a_flood_is_read_slowly),
        cmocka_unit_test(no_log_is_closed_without_fuss),
    };

    log_open("test", false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
