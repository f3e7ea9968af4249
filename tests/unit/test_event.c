/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/event.h"
#include "protocol/log.h"
#include "protocol/outbox.h"

/* cmocka reports on standard output, which is a pipe while a test runs. */
struct emitting {
    uv_loop_t loop;
    struct event_log *events;
    int reader, terminal;
};

static void begin(struct emitting *e)
{
    int ends[2];

    fflush(stdout);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    e->terminal = dup(STDOUT_FILENO);
    e->reader = ends[0];
    dup2(ends[1], STDOUT_FILENO);
    close(ends[1]);
    assert_int_equal(uv_loop_init(&e->loop), 0);
    e->events = event_log_new(&e->loop);
    assert_non_null(e->events);
}

static void end(struct emitting *e)
{
    event_log_destroy(e->events);
    uv_run(&e->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&e->loop), 0);
    fflush(stdout);
    dup2(e->terminal, STDOUT_FILENO);
    close(e->terminal);
    if (e->reader >= 0)
        close(e->reader);
}

static size_t read_all(struct emitting *e, char *text, size_t size)
{
    size_t used = 0;
    ssize_t n;

    fcntl(e->reader, F_SETFL, O_NONBLOCK);
    while (used < size - 1 && (n = read(e->reader, text + used, size - 1 - used)) > 0)
        used += (size_t)n;
    text[used] = '\0';
    return used;
}

static void an_event_is_one_line_with_its_time(void **state)
{
    struct emitting e;
    char text[1024];
    int64_t mono_ms;

    (void)state;
    begin(&e);
    event_emit_error(e.events, "home", "broken", "what \"and\" where");
    read_all(&e, text, sizeof text);
    end(&e);
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    assert_non_null(strstr(text, "\"type\":\"error\""));
    assert_non_null(strstr(text, "\"time\":\"20"));
    assert_non_null(strstr(text, "\"peer\":\"home\""));
    assert_non_null(strstr(text, "what \\\"and\\\" where"));
    assert_int_equal(sscanf(strstr(text, "\"mono_ms\""), "\"mono_ms\":%ld", &mono_ms), 1);
    assert_true(mono_ms > 0);
}

static void what_a_library_prints_is_no_event(void **state)
{
    struct emitting e;
    char text[1024];

    (void)state;
    begin(&e);
    printf("a library's chatter\n");
    fflush(stdout);
    event_emit_error(e.events, NULL, "broken", "x");
    read_all(&e, text, sizeof text);
    end(&e);
    assert_int_equal(text[0], '{');
    assert_null(strstr(text, "chatter"));
}

/* Who waits for the reader waits for ever: it is this process. */
static void a_slow_reader_loses_events_and_holds_nobody(void **state)
{
    static char text[4 * OUTBOX_MAX_BYTES], filler[2049];
    struct emitting e;
    uint64_t begun;
    size_t used;

    (void)state;
    memset(filler, 'x', sizeof filler - 1);
    begin(&e);
    begun = uv_hrtime();
    for (int i = 0; i < 2000; i++)
        event_emit_error(e.events, NULL, "broken", filler);
    assert_true(uv_hrtime() - begun < UINT64_C(10000000000));
    /* It reads again: whole lines come, and later events too. */
    used = 0;
    for (int i = 0; i < 2 * OUTBOX_MAX_BYTES / 65536; i++) {
        used += read_all(&e, text + used, sizeof text - used);
        event_emit_error(e.events, "late", "later", "y");
    }
    end(&e);
    assert_in_range(used, OUTBOX_MAX_BYTES / 2, OUTBOX_MAX_BYTES + 256 * 1024);
    assert_non_null(strstr(text, "\"later\""));
    for (char *line = text, *next; (next = strchr(line, '\n')) != NULL; line = next + 1)
        assert_true(line[0] == '{' && next[-1] == '}');
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

static void what_waits_is_written_from_the_loop(void **state)
{
    static char filler[2049], text[512 * 1024];
    struct emitting e;
    uv_timer_t tick;
    size_t first, rest = 0;

    (void)state;
    memset(filler, 'x', sizeof filler - 1);
    begin(&e);
    for (int i = 0; i < 100; i++)
        event_emit_error(e.events, NULL, "broken", filler);
    first = read_all(&e, text, sizeof text);
    uv_timer_init(&e.loop, &tick);
    uv_timer_start(&tick, on_tick, 10, 10);
    for (int i = 0; i < 100 && first + rest < 100 * sizeof filler; i++) {
        uv_run(&e.loop, UV_RUN_ONCE);
        rest += read_all(&e, text, sizeof text);
    }
    uv_close((uv_handle_t *)&tick, NULL);
    end(&e);
    assert_true(first < 100 * sizeof filler && first + rest >= 100 * sizeof filler);
}

static void a_reader_that_is_gone_ends_nothing(void **state)
{
    struct emitting e;

    (void)state;
    begin(&e);
    close(e.reader);
    e.reader = -1;
    for (int i = 0; i < 10; i++)
        event_emit_error(e.events, NULL, "broken", "x");
    end(&e);
    event_log_destroy(NULL);
}

struct heard {
    char text[2048];
    size_t count;
};

static void on_event(void *data, enum message_type type, const char *line, size_t length)
{
    struct heard *heard = data;

    assert_int_equal(type, MESSAGE_event_error);
    assert_true(length < sizeof heard->text);
    memcpy(heard->text, line, length + 1);
    heard->count++;
}

static void another_reader_gets_the_same_line_with_or_without_the_first(void **state)
{
    struct heard heard = {.count = 0};
    struct emitting e;
    char text[2048];

    (void)state;
    begin(&e);
    event_also(e.events, on_event, &heard);
    event_emit_error(e.events, "home", "broken", "x");
    read_all(&e, text, sizeof text);
    assert_string_equal(heard.text, text);
    close(e.reader);
    e.reader = -1;
    event_emit_error(e.events, NULL, "broken", "y");
    event_emit_error(e.events, NULL, "broken", "z");
    assert_int_equal(heard.count, 3);
    assert_non_null(strstr(heard.text, "\"z\""));
    event_also(e.events, NULL, NULL);
    event_emit_error(e.events, NULL, "broken", "x");
    assert_int_equal(heard.count, 3);
    end(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_one_line_with_its_time),
        cmocka_unit_test(what_a_library_prints_is_no_event),
        cmocka_unit_test(a_slow_reader_loses_events_and_holds_nobody),
        cmocka_unit_test(what_waits_is_written_from_the_loop),
        cmocka_unit_test(a_reader_that_is_gone_ends_nothing),
        cmocka_unit_test(another_reader_gets_the_same_line_with_or_without_the_first),
    };

    signal(SIGPIPE, SIG_IGN);
    log_open("test_event", false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
