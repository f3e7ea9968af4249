/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Supervision against tests/bad-helper, which stands beside this program's folder. Times are those
 * of child.h divided by HURRY.
 */
#include <config.h>

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/child.h"
#include "protocol/line.h"
#include "protocol/log.h"
#include "protocol/outbox.h"

#define HURRY 10
/* A start on a busy machine, in ms. */
#define START_MS 2000
#define STARTS   8

struct supervised {
    uv_loop_t loop;
    struct child *child;
    unsigned hellos, messages, downs, exits;
    char why[sizeof((struct error *)0)->code];
    uint64_t down_at[STARTS];
};

static void on_hello(struct child *child, void *data, const struct message *message)
{
    struct supervised *s = data;

    (void)child;
    assert_int_equal(message->type, MESSAGE_hello);
    s->hellos++;
}

static void on_message(struct child *child, void *data, const struct message *message)
{
    struct supervised *s = data;

    (void)child;
    (void)message;
    s->messages++;
}

static void on_down(struct child *child, void *data, const struct error *why)
{
    struct supervised *s = data;

    (void)child;
    if (s->downs < STARTS)
        s->down_at[s->downs] = uv_now(&s->loop);
    s->downs++;
    memcpy(s->why, why->code, sizeof s->why);
}

static void on_exit_told(struct child *child, void *data, const struct error *why)
{
    struct supervised *s = data;

    (void)child;
    s->exits++;
    if (why != NULL)
        memcpy(s->why, why->code, sizeof s->why);
}

static void supervise_range(struct supervised *s, const char *how, const char *file, unsigned hurry,
                            struct protocol_range protocols)
{
    char program[4096];
    char *argv[] = {program, (char *)(uintptr_t)how, (char *)(uintptr_t)file, NULL};
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 32);
    struct child_options options = {
        .loop = &s->loop,
        .role = ROLE_SIGNAL,
        .name = how,
        .argv = argv,
        .hurry = hurry,
        .protocols = protocols,
        .on_hello = on_hello,
        .on_message = on_message,
        .on_down = on_down,
        .on_exit = on_exit_told,
        .data = s,
    };
    struct error err;

    assert_true(n > 0);
    program[n] = '\0';
    strcpy(strrchr(program, '/'), "/../bad-helper");
    memset(s, 0, sizeof *s);
    assert_int_equal(uv_loop_init(&s->loop), 0);
    assert_int_equal(child_start(&s->child, &options, &err), 0);
}

static void supervise(struct supervised *s, const char *how, const char *file, unsigned hurry)
{
    supervise_range(s, how, file, hurry, (struct protocol_range){0, 0});
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

/* Until *count reaches `wanted`; false after `ms`. */
static bool run_until(struct supervised *s, const unsigned *count, unsigned wanted, uint64_t ms)
{
    uint64_t deadline = uv_hrtime() / 1000000 + ms;
    uv_timer_t tick;

    uv_timer_init(&s->loop, &tick);
    uv_timer_start(&tick, on_tick, 2, 2);
    while (*count < wanted && uv_hrtime() / 1000000 < deadline)
        uv_run(&s->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&tick, NULL);
    uv_run(&s->loop, UV_RUN_NOWAIT);
    return *count >= wanted;
}

static void run_for(struct supervised *s, uint64_t ms)
{
    static const unsigned never = 0;

    run_until(s, &never, 1, ms);
}

static void end(struct supervised *s)
{
    child_destroy(s->child);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&s->loop), 0);
}

static void assert_falls_for(const char *how, const char *code, uint64_t at_least_ms,
                             uint64_t at_most_ms)
{
    struct supervised s;
    uint64_t begin;
    unsigned hellos;

    supervise(&s, how, NULL, HURRY);
    begin = uv_now(&s.loop);
    assert_true(run_until(&s, &s.downs, 1, at_most_ms + START_MS));
    assert_string_equal(s.why, code);
    assert_true(s.down_at[0] - begin >= at_least_ms);
    hellos = s.hellos;
    /* And once more: it is started again. */
    assert_true(run_until(&s, &s.downs, 2, at_most_ms + START_MS));
    assert_true(child_counts(s.child).starts >= 2);
    assert_int_equal(s.exits, 0);
    assert_true(s.hellos >= 2 * hellos);
    end(&s);
}

static long resident_kib(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*d %ld", &pages), 1);
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE) / 1024;
}

/* The sanitizers keep what was freed. */
static void assert_memory_since(long before_kib, long grown_kib)
{
#ifdef PG_SANITIZED
    (void)before_kib;
    (void)grown_kib;
#else
    assert_in_range((uintmax_t)(resident_kib() > before_kib ? resident_kib() - before_kib : 0), 0,
                    (uintmax_t)grown_kib);
#endif
}

static void a_tame_helper_stays(void **state)
{
    struct supervised s;

    (void)state;
    supervise(&s, "good", NULL, HURRY);
    assert_true(run_until(&s, &s.messages, 1, START_MS));
    assert_int_equal(s.hellos, 1);
    run_for(&s, (CHILD_PING_MS + 2 * CHILD_MISS_MS) / HURRY + 200);
    assert_int_equal(s.downs, 0);
    assert_int_equal(child_counts(s.child).starts, 1);
    end(&s);
}

static void without_a_hello_it_is_restarted(void **state)
{
    (void)state;
    assert_falls_for("silent", "no-hello", CHILD_HELLO_MS / HURRY, CHILD_HELLO_MS / HURRY + 200);
}

static void another_protocol_version_is_restarted(void **state)
{
    (void)state;
    assert_falls_for("2-only", "protocol-version", 0, 0);
}

static void assert_agrees(const char *how, struct protocol_range speaks, int64_t wanted)
{
    struct supervised s;

    supervise_range(&s, how, NULL, HURRY, speaks);
    assert_true(run_until(&s, &s.messages, 1, START_MS));
    assert_int_equal(s.hellos, 1);
    assert_int_equal(child_protocol(s.child), wanted);
    end(&s);
}

static void a_helper_of_protocol_1_goes_on_when_the_broker_speaks_2_too(void **state)
{
    (void)state;
    assert_agrees("good", (struct protocol_range){1, 1}, MESSAGE_ABSENT);
    assert_agrees("good", (struct protocol_range){1, 2}, MESSAGE_ABSENT);
}

static void the_protocol_is_chosen_where_the_helper_leaves_a_choice(void **state)
{
    (void)state;
    assert_agrees("1-to-2", (struct protocol_range){1, 1}, 1);
    assert_agrees("1-to-2", (struct protocol_range){1, 2}, 2);
    assert_agrees("1-to-2", (struct protocol_range){2, 3}, 2);
    assert_agrees("2-only", (struct protocol_range){1, 2}, MESSAGE_ABSENT);
}

static void another_role_is_restarted(void **state)
{
    (void)state;
    assert_falls_for("wrong-role", "wrong-role", 0, 0);
}

static void a_capability_insisted_on_ends_it_for_good(void **state)
{
    struct supervised s;

    (void)state;
    supervise(&s, "insists", NULL, HURRY);
    assert_true(run_until(&s, &s.exits, 1, START_MS));
    assert_string_equal(s.why, "unknown-capability");
    assert_int_equal(s.hellos + s.downs, 0);
    end(&s);
}

static void three_bad_lines_restart_it(void **state)
{
    (void)state;
    assert_falls_for("garbage", "bad-lines", 0, 0);
}

static void two_bad_lines_are_dropped_and_counted(void **state)
{
    struct supervised s;

    (void)state;
    supervise(&s, "two-bad-lines", NULL, HURRY);
    assert_true(run_until(&s, &s.messages, 1, START_MS));
    assert_int_equal(child_counts(s.child).bad_lines, 2);
    run_for(&s, 50);
    assert_int_equal(s.downs, 0);
    end(&s);
}

static void what_comes_before_hello_is_a_bad_line(void **state)
{
    struct supervised s;

    (void)state;
    supervise(&s, "early", NULL, HURRY);
    assert_true(run_until(&s, &s.messages, 1, START_MS));
    assert_int_equal(child_counts(s.child).bad_lines, 1);
    assert_int_equal(s.downs, 0);
    end(&s);
}

/* A line without end is one bad line, and takes no memory. */
static void an_endless_line_takes_constant_memory(void **state)
{
    struct supervised s;
    long before;

    (void)state;
    supervise(&s, "endless-line", NULL, 1);
    assert_true(run_until(&s, &s.hellos, 1, START_MS));
    run_for(&s, 50);
    before = resident_kib();
    run_for(&s, 400);
    assert_memory_since(before, 256);
    assert_int_equal(child_counts(s.child).bad_lines, 1);
    assert_int_equal(s.downs, 0);
    end(&s);
}

static void a_flood_is_read_slowly_and_its_pings_answered(void **state)
{
    struct supervised s;
    unsigned before_count, windows;
    uint64_t begun;
    long before;

    (void)state;
    supervise(&s, "flood", NULL, 1);
    assert_true(run_until(&s, &s.messages, 100, START_MS));
    before = resident_kib();
    before_count = s.messages;
    begun = uv_hrtime();
    run_for(&s, 10 * CHILD_WINDOW_MS);
    windows = (unsigned)((uv_hrtime() - begun) / 1000000 / CHILD_WINDOW_MS);
    assert_true(s.messages - before_count <= (windows + 2) * CHILD_WINDOW_LINES);
    assert_true(s.messages - before_count > 2 * CHILD_WINDOW_LINES);
    assert_memory_since(before, 256);
    assert_int_equal(s.downs, 0);
    end(&s);
}

static void who_asks_without_end_and_reads_the_answers_stays(void **state)
{
    struct supervised s;
    long before;

    (void)state;
    supervise(&s, "ping-flood", NULL, 1);
    assert_true(run_until(&s, &s.messages, 1, START_MS));
    before = resident_kib();
    run_for(&s, 300);
    assert_memory_since(before, 1024);
    assert_int_equal(s.downs, 0);
    end(&s);
}

static void who_does_not_read_is_restarted_at_1_mib(void **state)
{
    struct supervised s;
    struct message message;
    static char data[MESSAGE_DATA_MAX + 1];
    size_t queued = 0;
    int result;

    (void)state;
    memset(data, 'x', MESSAGE_DATA_MAX);
    supervise(&s, "deaf", NULL, 1);
    assert_true(run_until(&s, &s.hellos, 1, START_MS));
    message_init(&message, MESSAGE_send);
    message.send.ref = 1;
    message.send.peer = data + MESSAGE_DATA_MAX - 4;
    message.send.data = data;
    while ((result = child_send(s.child, &message)) == 0) {
        queued += MESSAGE_DATA_MAX;
        assert_true(queued < 4 * OUTBOX_MAX_BYTES);
    }
    assert_int_equal(result, -ENOBUFS);
    /* What is above the cap is in the pipe. */
    assert_in_range(queued, OUTBOX_MAX_BYTES / 2, OUTBOX_MAX_BYTES + 128 * 1024);
    assert_int_equal(child_send(s.child, &message), -ENOTCONN);
    assert_true(run_until(&s, &s.downs, 1, START_MS));
    assert_string_equal(s.why, "slow-reader");
    assert_true(run_until(&s, &s.hellos, 2, START_MS));
    end(&s);
}

static void who_stands_still_is_replaced(void **state)
{
    const uint64_t promised = (CHILD_PING_MS + 2 * CHILD_MISS_MS + 1000) / HURRY;
    struct supervised s;
    uint64_t begin;

    (void)state;
    supervise(&s, "good", NULL, HURRY);
    assert_true(run_until(&s, &s.messages, 1, START_MS));
    kill(child_pid(s.child), SIGSTOP);
    begin = uv_now(&s.loop);
    assert_true(run_until(&s, &s.hellos, 2, promised + START_MS));
    assert_string_equal(s.why, "no-answer");
    assert_in_range(s.down_at[0] - begin, 2 * CHILD_MISS_MS / HURRY, promised + START_MS / 4);
    end(&s);
}

static void who_closes_its_output_but_lives_is_replaced(void **state)
{
    (void)state;
    assert_falls_for("closes-out", "no-answer", (CHILD_PING_MS + 2 * CHILD_MISS_MS) / HURRY,
                     (CHILD_PING_MS + 2 * CHILD_MISS_MS + 1000) / HURRY);
}

/* PROMISES: 0.2 s doubling, jittered, never given up; below 1 % of a core. */
static void a_crash_for_ever_backs_off(void **state)
{
    enum { CRASHES = 5 };
    struct supervised s;
    struct rusage before, after;
    int64_t used;

    (void)state;
    supervise(&s, "crash", NULL, HURRY);
    getrusage(RUSAGE_SELF, &before);
    assert_true(run_until(&s, &s.downs, CRASHES, 200 * (1 << CRASHES) / HURRY + START_MS));
    getrusage(RUSAGE_SELF, &after);
    for (unsigned i = 1, wait = 200 / HURRY; i < CRASHES; i++, wait *= 2)
        assert_true(s.down_at[i] - s.down_at[i - 1] >= wait * 8 / 10);
    used = (after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000000 + after.ru_utime.tv_usec -
           before.ru_utime.tv_usec + (after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1000000 +
           after.ru_stime.tv_usec - before.ru_stime.tv_usec;
    /* In the end one of these every 24 s at least. */
    assert_true(used / CRASHES < 24 * 10000);
    assert_string_equal(s.why, "exited");
    assert_int_equal(s.exits, 0);
    end(&s);
}

static void who_prints_without_end_stays_and_costs_little(void **state)
{
    struct supervised s;
    long before;

    (void)state;
    supervise(&s, "chatter", NULL, HURRY);
    assert_true(run_until(&s, &s.messages, 1, START_MS));
    before = resident_kib();
    run_for(&s, 300);
    assert_memory_since(before, 256);
    assert_int_equal(s.downs, 0);
    end(&s);
}

/* Its end is seen though the pipes stay open. */
static void assert_end_is_seen(const char *how)
{
    struct supervised s;

    supervise(&s, how, NULL, HURRY);
    assert_true(run_until(&s, &s.downs, 2, START_MS));
    assert_string_equal(s.why, "exited");
    end(&s);
}

static void a_grandchild_that_holds_the_pipes_hinders_nothing(void **state)
{
    (void)state;
    assert_end_is_seen("grandchild");
    assert_end_is_seen("grandchild-apart");
}

static void a_tame_helper_ends_at_once(void **state)
{
    const enum child_stop_how hows[] = {CHILD_SHUTDOWN, CHILD_EOF};
    struct supervised s;

    (void)state;
    for (int i = 0; i < 2; i++) {
        supervise(&s, "good", NULL, 1);
        assert_true(run_until(&s, &s.messages, 1, START_MS));
        child_stop(s.child, hows[i]);
        child_stop(s.child, hows[i]);
        assert_true(run_until(&s, &s.exits, 1, CHILD_TERM_MS / 2));
        assert_int_equal(child_pid(s.child), 0);
        assert_int_equal(s.downs, 0);
        assert_int_equal(s.exits, 1);
        end(&s);
    }
}

static bool stops_with_term(enum child_stop_how how)
{
    char file[] = "/tmp/test-child-XXXXXX";
    int fd = mkstemp(file);
    struct supervised s;
    uint64_t begin;
    char c;
    bool termed;

    assert_true(fd >= 0);
    supervise(&s, "stubborn", file, HURRY);
    assert_true(run_until(&s, &s.hellos, 1, START_MS));
    begin = uv_now(&s.loop);
    child_stop(s.child, how);
    assert_true(run_until(&s, &s.exits, 1, CHILD_KILL_MS / HURRY + START_MS));
    assert_true(uv_now(&s.loop) - begin >= CHILD_KILL_MS / HURRY - 5);
    end(&s);
    termed = read(fd, &c, 1) == 1;
    close(fd);
    unlink(file);
    return termed;
}

static void who_ignores_shutdown_is_killed(void **state)
{
    (void)state;
    assert_true(stops_with_term(CHILD_SHUTDOWN));
}

/* SIGTERM would make it undo what is to stay. */
static void who_ignores_eof_is_killed_without_sigterm(void **state)
{
    (void)state;
    assert_false(stops_with_term(CHILD_EOF));
}

static void one_that_waits_to_be_started_stops_at_once(void **state)
{
    struct supervised s;

    (void)state;
    supervise(&s, "crash", NULL, 1);
    assert_true(run_until(&s, &s.downs, 1, START_MS));
    child_stop(s.child, CHILD_SHUTDOWN);
    assert_true(run_until(&s, &s.exits, 1, 100));
    assert_int_equal(child_counts(s.child).starts, 1);
    end(&s);
}

static void one_destroyed_says_nothing_more(void **state)
{
    struct supervised s;
    pid_t pid;

    (void)state;
    supervise(&s, "good", NULL, 1);
    assert_true(run_until(&s, &s.messages, 1, START_MS));
    pid = child_pid(s.child);
    end(&s);
    assert_int_equal(s.downs + s.exits, 0);
    assert_int_equal(kill(pid, 0), -1);
    child_destroy(NULL);
}

static void a_missing_program_is_an_error(void **state)
{
    char *argv[] = {"/nonexistent/helper", NULL};
    struct child_options options = {.role = ROLE_SIGNAL, .name = "none", .argv = argv};
    struct child *child;
    struct error err;

    (void)state;
    assert_int_equal(child_start(&child, &options, &err), -ENOENT);
    assert_null(child);
    assert_non_null(strstr(err.message, "/nonexistent/helper"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tame_helper_stays),
        cmocka_unit_test(without_a_hello_it_is_restarted),
        cmocka_unit_test(another_protocol_version_is_restarted),
        cmocka_unit_test(a_helper_of_protocol_1_goes_on_when_the_broker_speaks_2_too),
        cmocka_unit_test(the_protocol_is_chosen_where_the_helper_leaves_a_choice),
        cmocka_unit_test(another_role_is_restarted),
        cmocka_unit_test(a_capability_insisted_on_ends_it_for_good),
        cmocka_unit_test(three_bad_lines_restart_it),
        cmocka_unit_test(two_bad_lines_are_dropped_and_counted),
        cmocka_unit_test(what_comes_before_hello_is_a_bad_line),
        cmocka_unit_test(an_endless_line_takes_constant_memory),
        cmocka_unit_test(a_flood_is_read_slowly_and_its_pings_answered),
        cmocka_unit_test(who_asks_without_end_and_reads_the_answers_stays),
        cmocka_unit_test(who_does_not_read_is_restarted_at_1_mib),
        cmocka_unit_test(who_stands_still_is_replaced),
        cmocka_unit_test(who_closes_its_output_but_lives_is_replaced),
        cmocka_unit_test(a_crash_for_ever_backs_off),
        cmocka_unit_test(who_prints_without_end_stays_and_costs_little),
        cmocka_unit_test(a_grandchild_that_holds_the_pipes_hinders_nothing),
        cmocka_unit_test(a_tame_helper_ends_at_once),
        cmocka_unit_test(who_ignores_shutdown_is_killed),
        cmocka_unit_test(who_ignores_eof_is_killed_without_sigterm),
        cmocka_unit_test(one_that_waits_to_be_started_stops_at_once),
        cmocka_unit_test(one_destroyed_says_nothing_more),
        cmocka_unit_test(a_missing_program_is_an_error),
    };

    log_open("test_child", false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
