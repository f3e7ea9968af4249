/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Hooks are shell scripts here; that they are run without one is shown by their arguments.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/hook.h"
#include "protocol/log.h"

#define WAIT_MS 5000
#define END_MS  300

static char folder[64], output[128];

struct running {
    uv_loop_t loop;
    struct hooks *hooks;
    struct config_hook list[2];
    char *commands[2][8];
    bool ended;
};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* $0 is the file that the tests look at. */
static void set_hook(struct running *r, int index, enum message_type type, const char *script)
{
    char **command = r->commands[index];

    command[0] = "/bin/sh";
    command[1] = "-c";
    command[2] = (char *)(uintptr_t)script;
    command[3] = output;
    command[4] = "$(touch x); a";
    r->list[index] =
        (struct config_hook){.events = config_hook_event(type), .command = command, .timeout = 5};
}

static void begin(struct running *r, const char *script)
{
    memset(r, 0, sizeof *r);
    assert_int_equal(uv_loop_init(&r->loop), 0);
    r->hooks = hooks_new(&r->loop);
    assert_non_null(r->hooks);
    set_hook(r, 0, MESSAGE_event_path, script);
    hooks_set(r->hooks, r->list, 1);
}

static void event(struct running *r, enum message_type type, const char *line)
{
    hooks_event(r->hooks, type, line, strlen(line));
}

static void on_ended(void *data)
{
    ((struct running *)data)->ended = true;
}

/* Runs until all is done, as the broker does when it ends. */
static void end(struct running *r)
{
    bool busy = hooks_end(r->hooks, END_MS, on_ended, r);

    uv_run(&r->loop, UV_RUN_DEFAULT);
    assert_int_equal(r->ended, busy);
    hooks_destroy(r->hooks);
    uv_run(&r->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&r->loop), 0);
}

static const char *written(void)
{
    static char text[4096];
    FILE *file = fopen(output, "r");
    size_t length = 0;

    if (file != NULL) {
        length = fread(text, 1, sizeof text - 1, file);
        fclose(file);
        unlink(output);
    }
    text[length] = '\0';
    return text;
}

static void it_finds_the_event_on_its_standard_input(void **state)
{
    struct running r;

    (void)state;
    begin(&r, "cat >$0");
    event(&r, MESSAGE_event_path, "{\"type\":\"path\"}\n");
    end(&r);
    assert_string_equal(written(), "{\"type\":\"path\"}\n");
}

static void arguments_are_passed_as_they_are(void **state)
{
    struct running r;

    (void)state;
    begin(&r, "echo \"$1\" >$0");
    event(&r, MESSAGE_event_path, "{}\n");
    end(&r);
    assert_string_equal(written(), "$(touch x); a\n");
}

static void its_environment_holds_nothing_of_ours(void **state)
{
    struct running r;

    (void)state;
    setenv("NOTIFY_SOCKET", "/run/secret", 1);
    begin(&r, "tr '\\0' '\\n' </proc/$$/environ >$0");
    event(&r, MESSAGE_event_path, "{}\n");
    end(&r);
    assert_string_equal(written(),
                        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
                        "LANG=C.UTF-8\n");
}

static void other_events_are_not_its_business(void **state)
{
    struct running r;

    (void)state;
    begin(&r, "cat >>$0");
    event(&r, MESSAGE_event_ready, "ready\n");
    event(&r, MESSAGE_event_candidate, "candidate\n");
    end(&r);
    assert_string_equal(written(), "");
    assert_false(r.ended);
}

/* The first is slower than all that come after it. */
static void events_reach_one_hook_in_their_order(void **state)
{
    char expected[128] = "", line[16];
    struct running r;

    (void)state;
    begin(&r, "read x; test $x != 0 || sleep 0.1; echo $x >>$0");
    for (int i = 0; i < 20; i++) {
        snprintf(line, sizeof line, "%d\n", i);
        strcat(expected, line);
        event(&r, MESSAGE_event_path, line);
    }
    end(&r);
    assert_string_equal(written(), expected);
}

/* Each waits for what the other one writes. */
static void hooks_run_beside_each_other(void **state)
{
    struct running r;

    (void)state;
    begin(&r, "mkfifo $0; read x <$0");
    set_hook(&r, 1, MESSAGE_event_path, "until test -p $0; do :; done; echo x >$0");
    hooks_set(r.hooks, r.list, 2);
    event(&r, MESSAGE_event_path, "{}\n");
    uv_run(&r.loop, UV_RUN_DEFAULT);
    end(&r);
    assert_false(r.ended);
    unlink(output);
}

static void one_that_takes_too_long_is_killed_with_what_it_started(void **state)
{
    int64_t began = now_ms();
    struct running r;

    (void)state;
    begin(&r, "(trap '' TERM; sleep 60; echo late >$0) & wait");
    r.list[0].timeout = 0;
    event(&r, MESSAGE_event_path, "{}\n");
    uv_run(&r.loop, UV_RUN_DEFAULT);
    end(&r);
    assert_true(now_ms() - began < WAIT_MS);
    assert_string_equal(written(), "");
}

/* One that reads nothing, writes without end and fails. */
static void nothing_that_it_does_holds_us(void **state)
{
    static char line[60000];
    struct running r;

    (void)state;
    memset(line, 'x', sizeof line - 1);
    begin(&r, "exec 0<&-; head -c 300000 /dev/zero >&2; head -c 300000 /dev/zero; exit 7");
    event(&r, MESSAGE_event_path, line);
    event(&r, MESSAGE_event_path, line);
    uv_run(&r.loop, UV_RUN_DEFAULT);
    end(&r);
}

static void a_flood_of_events_is_bounded_and_the_last_one_counts(void **state)
{
    char line[16], last[16], *end_of_text;
    struct running r;

    (void)state;
    begin(&r, "read x; echo $x >>$0");
    for (int i = 0; i < HOOK_WAITING_MAX + 5; i++) {
        snprintf(line, sizeof line, "%d\n", i);
        event(&r, MESSAGE_event_path, line);
    }
    /* 0 runs, and 1 to 4 made room. */
    uv_run(&r.loop, UV_RUN_ONCE);
    while (strchr(end_of_text = (char *)(uintptr_t)written(), '\n') == NULL)
        uv_run(&r.loop, UV_RUN_ONCE);
    assert_string_equal(end_of_text, "0\n");
    while (strchr(end_of_text = (char *)(uintptr_t)written(), '\n') == NULL)
        uv_run(&r.loop, UV_RUN_ONCE);
    snprintf(last, sizeof last, "%d\n", 5);
    assert_string_equal(end_of_text, last);
    hooks_set(r.hooks, NULL, 0);
    end(&r);
    written();
}

static void what_has_happened_is_still_told_when_the_broker_ends(void **state)
{
    struct running r;

    (void)state;
    begin(&r, "cat >>$0");
    event(&r, MESSAGE_event_path, "1\n");
    event(&r, MESSAGE_event_path, "2\n");
    assert_true(hooks_end(r.hooks, END_MS, on_ended, &r));
    event(&r, MESSAGE_event_path, "3\n");
    uv_run(&r.loop, UV_RUN_DEFAULT);
    assert_true(r.ended);
    hooks_destroy(r.hooks);
    uv_run(&r.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&r.loop), 0);
    assert_string_equal(written(), "1\n2\n");
}

static void one_that_hangs_holds_the_end_for_so_long_and_no_longer(void **state)
{
    int64_t began = now_ms();
    struct running r;

    (void)state;
    begin(&r, "sleep 60");
    event(&r, MESSAGE_event_path, "1\n");
    event(&r, MESSAGE_event_path, "2\n");
    end(&r);
    assert_in_range(now_ms() - began, END_MS - 100, END_MS + 2000);
}

static void a_program_that_is_gone_is_tried_again_with_a_later_event(void **state)
{
    char program[128];
    struct running r;
    FILE *file;

    (void)state;
    snprintf(program, sizeof program, "%s/program", folder);
    begin(&r, "unused");
    r.commands[0][0] = program;
    event(&r, MESSAGE_event_path, "1\n");
    event(&r, MESSAGE_event_path, "2\n");
    file = fopen(program, "w");
    fprintf(file, "#!/bin/sh\ncat >%s\n", output);
    fclose(file);
    chmod(program, 0755);
    uv_run(&r.loop, UV_RUN_DEFAULT);
    end(&r);
    unlink(program);
    assert_string_equal(written(), "2\n");
}

/* What is as before keeps its waiting events; what is gone is not run any more. */
static void a_reload_changes_only_what_differs(void **state)
{
    struct config_hook kept[2];
    struct running r;

    (void)state;
    begin(&r, "cat >>$0");
    set_hook(&r, 1, MESSAGE_event_ready, "read x; echo gone $x >>$0");
    hooks_set(r.hooks, r.list, 2);
    event(&r, MESSAGE_event_path, "1\n");
    event(&r, MESSAGE_event_path, "2\n");
    kept[0] = r.list[0];
    hooks_set(r.hooks, kept, 1);
    memset(&r.list, 0, sizeof r.list);
    event(&r, MESSAGE_event_ready, "ready\n");
    event(&r, MESSAGE_event_path, "3\n");
    end(&r);
    assert_string_equal(written(), "1\n2\n3\n");
}

static void one_that_runs_outlives_its_place_in_the_configuration(void **state)
{
    struct running r;

    (void)state;
    begin(&r, "sleep 0.05; cat >$0");
    event(&r, MESSAGE_event_path, "1\n");
    event(&r, MESSAGE_event_path, "2\n");
    hooks_set(r.hooks, NULL, 0);
    uv_run(&r.loop, UV_RUN_DEFAULT);
    end(&r);
    assert_string_equal(written(), "1\n");
}

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/test-hook-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(output, sizeof output, "%s/output", folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_finds_the_event_on_its_standard_input),
        cmocka_unit_test(arguments_are_passed_as_they_are),
        cmocka_unit_test(its_environment_holds_nothing_of_ours),
        cmocka_unit_test(other_events_are_not_its_business),
        cmocka_unit_test(events_reach_one_hook_in_their_order),
        cmocka_unit_test(hooks_run_beside_each_other),
        cmocka_unit_test(one_that_takes_too_long_is_killed_with_what_it_started),
        cmocka_unit_test(nothing_that_it_does_holds_us),
        cmocka_unit_test(a_flood_of_events_is_bounded_and_the_last_one_counts),
        cmocka_unit_test(what_has_happened_is_still_told_when_the_broker_ends),
        cmocka_unit_test(one_that_hangs_holds_the_end_for_so_long_and_no_longer),
        cmocka_unit_test(a_program_that_is_gone_is_tried_again_with_a_later_event),
        cmocka_unit_test(a_reload_changes_only_what_differs),
        cmocka_unit_test(one_that_runs_outlives_its_place_in_the_configuration),
    };

    signal(SIGPIPE, SIG_IGN);
    log_open("test_hook", false);
    return cmocka_run_group_tests(tests, setup, teardown);
}
