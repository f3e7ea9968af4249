/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "protocol/helper.h"
#include "protocol/line.h"
#include "protocol/outbox.h"

/* What the broker's side of a running helper has. */
struct rig {
    pid_t pid;
    int to, from, log;
    FILE *lines; /* `from` */
};

static struct rig rig;
static struct helper *helper; /* in the child */
static bool noisy;
static bool telling; /* of the first read, by a byte in the log */
static struct protocol_range protocols;
static const char *waiting; /* input that is there when the helper starts */

/* Answers `send` with `sent`, `configure` with `sent` of the protocol that is spoken, and
 * `peer-remove` with as many events as the peer's name says. */
static void on_message(void *data, const struct message *message)
{
    struct message answer;

    assert_ptr_equal(data, &rig);
    if (noisy) {
        printf("a library's chatter\n");
        fflush(stdout);
    }
    if (message->type == MESSAGE_send) {
        message_init(&answer, MESSAGE_sent);
        answer.sent.ref = message->send.ref;
        helper_send(helper, &answer);
    } else if (message->type == MESSAGE_signal_configure) {
        message_init(&answer, MESSAGE_sent);
        answer.sent.ref = helper_protocol(helper);
        helper_send(helper, &answer);
    } else if (message->type == MESSAGE_signal_peer_remove) {
        message_init(&answer, MESSAGE_presence);
        answer.presence.peer = message->signal_peer_remove.peer;
        for (int i = atoi(message->signal_peer_remove.peer); i > 0; i--)
            helper_send(helper, &answer);
    }
}

/* The loop that every helper has; its exit status says how it ended. */
static int helper_program(void)
{
    static const char *const capabilities[] = {"datagrams", NULL};
    struct helper_options options = {.role = ROLE_SIGNAL,
                                     .name = "tester",
                                     .capabilities = capabilities,
                                     .protocols = protocols,
                                     .on_message = on_message,
                                     .data = &rig};
    struct error err;
    int status;

    helper = helper_new(&options, &err);
    if (helper == NULL) {
        dprintf(STDERR_FILENO, "%s: %s\n", err.code, err.message);
        return 99;
    }
    while (helper_end(helper) == HELPER_OPEN) {
        struct pollfd fds[] = {
            {.fd = helper_congested(helper) ? -1 : helper_fd_in(helper), .events = POLLIN},
            {.fd = helper_wants_write(helper) ? helper_fd_out(helper) : -1, .events = POLLOUT}};

        poll(fds, 2, -1);
        if (fds[0].revents)
            helper_read(helper);
        if (fds[0].revents && telling) {
            dprintf(STDERR_FILENO, "r");
            telling = false;
        }
        if (fds[1].revents)
            helper_flush(helper);
    }
    helper_drain(helper, 300);
    status = 10 + (int)helper_end(helper);
    helper_destroy(helper);
    return status;
}

static void start(int (*program)(void))
{
    int in[2], out[2], log[2];

    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(log, O_CLOEXEC), 0);
    if (waiting != NULL)
        assert_int_equal(write(in[1], waiting, strlen(waiting)), (ssize_t)strlen(waiting));
    waiting = NULL;
    rig.pid = fork();
    if (rig.pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        dup2(log[1], 2);
        for (int fd = 3; fd < 64; fd++)
            close(fd);
        alarm(10);
        _exit(program());
    }
    close(in[0]);
    close(out[1]);
    close(log[1]);
    rig.to = in[1];
    rig.from = out[0];
    rig.log = log[0];
    rig.lines = fdopen(rig.from, "r");
}

static void expect(const char *wanted)
{
    static char line[LINE_MAX_BYTES + 2];

    assert_non_null(fgets(line, sizeof line, rig.lines));
    if (strstr(line, wanted) == NULL)
        fail_msg("'%s', not '%s'", line, wanted);
}

static void await_log(void)
{
    char byte;

    assert_int_equal(read(rig.log, &byte, 1), 1);
}

static void expect_hello(void)
{
    expect("{\"type\":\"hello\",\"protocol\":1,\"role\":\"signal\",\"name\":\"tester\",");
}

static void say(const char *text)
{
    assert_int_equal(write(rig.to, text, strlen(text)), (ssize_t)strlen(text));
}

static void say_many(char byte, size_t count)
{
    char *text = malloc(count);

    memset(text, byte, count);
    assert_int_equal(write(rig.to, text, count), (ssize_t)count);
    free(text);
}

/* Closes what is open, gives what came on standard error, and the exit status. */
static int finish(char *log, size_t size)
{
    size_t used = 0;
    int status;
    ssize_t n;

    close(rig.to);
    while (used + 1 < size && (n = read(rig.log, log + used, size - 1 - used)) > 0)
        used += (size_t)n;
    log[used] = '\0';
    assert_int_equal(waitpid(rig.pid, &status, 0), rig.pid);
    assert_true(WIFEXITED(status));
    if (rig.lines != NULL)
        fclose(rig.lines);
    close(rig.log);
    return WEXITSTATUS(status);
}

static void expect_end(enum helper_end end)
{
    char log[4000];
    int status = finish(log, sizeof log);

    if (status != 10 + (int)end)
        fail_msg("ended with %d, not %d: %s", status, 10 + (int)end, log);
}

static void hello_comes_first(void **state)
{
    (void)state;
    start(helper_program);
    expect("{\"type\":\"hello\",\"protocol\":1,\"role\":\"signal\",\"name\":\"tester\",\"version\":"
           "\"");
    expect_end(HELPER_EOF);
}

static void a_ping_is_answered(void **state)
{
    (void)state;
    start(helper_program);
    expect_hello();
    say("{\"type\":\"ping\",\"ref\":9007199254740993}\n");
    expect("{\"type\":\"pong\",\"ref\":9007199254740993}\n");
    say("{\"type\":\"pong\",\"ref\":1}\n\n{\"type\":\"ping\",\"ref\":2}\n");
    expect("{\"type\":\"pong\",\"ref\":2}\n");
    expect_end(HELPER_EOF);
}

static void messages_are_handed_on(void **state)
{
    (void)state;
    start(helper_program);
    expect_hello();
    say("{\"type\":\"send\",\"ref\":5,\"peer\":\"a\",\"data\":\"x\"}\n");
    expect("{\"type\":\"sent\",\"ref\":5}\n");
    expect_end(HELPER_EOF);
}

/* A line `configure`, and what comes of it in one who speaks 1 to 2. */
static void assert_configured(const char *line, const char *wanted)
{
    protocols = (struct protocol_range){1, 2};
    start(helper_program);
    protocols = (struct protocol_range){0, 0};
    expect("{\"type\":\"hello\",\"protocol\":1,");
    say(line);
    expect(wanted);
    expect_end(HELPER_EOF);
}

static void the_broker_chooses_the_protocol(void **state)
{
    (void)state;
    assert_configured("{\"type\":\"configure\",\"state_dir\":\"/x\"}\n", "\"ref\":1}");
    assert_configured("{\"type\":\"configure\",\"state_dir\":\"/x\",\"protocol\":1}\n",
                      "\"ref\":1}");
    assert_configured("{\"type\":\"configure\",\"state_dir\":\"/x\",\"protocol\":2}\n",
                      "\"ref\":2}");
    assert_configured(
        "{\"type\":\"configure\",\"state_dir\":\"/x\",\"protocol\":3}\n",
        "\"code\":\"protocol-version\",\"message\":\"configure: the protocol 3 was not "
        "offered: 1 to 2 are possible\"");
}

static void more_than_one_protocol_is_offered_as_a_range(void **state)
{
    (void)state;
    protocols = (struct protocol_range){1, 2};
    start(helper_program);
    protocols = (struct protocol_range){0, 0};
    expect("\"protocol_max\":2");
    expect_end(HELPER_EOF);
}

static void a_line_may_come_in_parts(void **state)
{
    (void)state;
    start(helper_program);
    expect_hello();
    say("{\"type\":\"ping\",\"ref\":1}\n{\"type\":");
    expect("{\"type\":\"pong\",\"ref\":1}\n");
    say("\"ping\",\"ref\":2}");
    say("\n");
    expect("{\"type\":\"pong\",\"ref\":2}\n");
    expect_end(HELPER_EOF);
}

static void shutdown_and_the_end_of_input_are_told_apart(void **state)
{
    (void)state;
    start(helper_program);
    expect_hello();
    say("{\"type\":\"shutdown\"}\n");
    expect_end(HELPER_SHUTDOWN);
    start(helper_program);
    expect_hello();
    say("{\"type\":\"ping\",\"ref\":1}\n{\"type\":\"shutdown\"}");
    expect("{\"type\":\"pong\",\"ref\":1}\n");
    expect_end(HELPER_EOF);
}

static void what_came_before_the_end_of_input_is_answered(void **state)
{
    (void)state;
    start(helper_program);
    say("{\"type\":\"ping\",\"ref\":1}\n{\"type\":\"ping\",\"ref\":2}\n");
    close(rig.to);
    expect_hello();
    expect("{\"type\":\"pong\",\"ref\":1}\n");
    expect("{\"type\":\"pong\",\"ref\":2}\n");
    expect_end(HELPER_EOF);
}

static void nothing_after_shutdown_is_taken(void **state)
{
    (void)state;
    start(helper_program);
    expect_hello();
    say("{\"type\":\"shutdown\"}\n{\"type\":\"ping\",\"ref\":1}\n");
    assert_int_equal(fgetc(rig.lines), EOF);
    expect_end(HELPER_SHUTDOWN);
}

static void a_bad_line_is_answered_and_the_stream_goes_on(void **state)
{
    (void)state;
    start(helper_program);
    expect_hello();
    say("nonsense\n");
    expect("{\"type\":\"error\",\"code\":\"bad-json\",");
    say("{\"type\":\"send\",\"ref\":6,\"peer\":\"a\"}\n");
    expect(
        "\"code\":\"missing-field\",\"message\":\"send: the field 'data' is missing\",\"ref\":6}");
    say("{\"type\":\"send\",\"ref\":-6,\"peer\":\"a\",\"data\":\"x\"}\n");
    expect("send: the field 'ref' must be between 0 and");
    say("{\"type\":\"send\",\"ref\":7,\"peer\":\"a\",\"data\":\"\xff\"}\n");
    expect("{\"type\":\"error\",\"code\":\"bad-json\",");
    say("{\"type\":\"ping\",\"ref\":1}\n");
    expect("{\"type\":\"pong\",\"ref\":1}\n");
    expect_end(HELPER_EOF);
}

static void an_over_long_line_is_answered_once(void **state)
{
    (void)state;
    start(helper_program);
    expect_hello();
    for (int i = 0; i < 40; i++)
        say_many('x', 30000);
    say("\n{\"type\":\"ping\",\"ref\":1}\n");
    expect("{\"type\":\"error\",\"code\":\"line-too-long\",");
    expect("{\"type\":\"pong\",\"ref\":1}\n");
    expect_end(HELPER_EOF);
}

static void what_libraries_print_goes_to_the_log(void **state)
{
    char log[400];

    (void)state;
    noisy = true;
    start(helper_program);
    noisy = false;
    expect_hello();
    say("{\"type\":\"send\",\"ref\":5,\"peer\":\"a\",\"data\":\"x\"}\n");
    expect("{\"type\":\"sent\",\"ref\":5}\n");
    assert_int_equal(finish(log, sizeof log), 10 + HELPER_EOF);
    assert_string_equal(log, "a library's chatter\n");
}

static int telling_program(void)
{
    telling = true;
    return helper_program();
}

/* One read brings 30,000 errors of 100 bytes and more: several times what may be queued. */
static void a_flood_of_bad_lines_is_read_as_fast_as_its_answers_are(void **state)
{
    static char text[60001];

    (void)state;
    for (size_t i = 0; i + 1 < sizeof text; i += 2)
        memcpy(text + i, "x\n", 2);
    waiting = text;
    start(telling_program);
    await_log();
    expect_hello();
    say("{\"type\":\"ping\",\"ref\":1}\n");
    for (size_t i = 0; i < 30000; i++)
        expect("bad-json");
    expect("{\"type\":\"pong\",\"ref\":1}\n");
    expect_end(HELPER_EOF);
}

/* 10,000 events are 0.5 MB, more than a pipe holds and less than the queue. */
static void a_slow_reader_pauses_the_input(void **state)
{
    (void)state;
    start(helper_program);
    expect_hello();
    say("{\"type\":\"peer-remove\",\"peer\":\"10000\"}\n{\"type\":\"ping\",\"ref\":1}\n");
    for (int i = 0; i < 10000; i++)
        expect("{\"type\":\"presence\",\"peer\":\"10000\",\"online\":false}\n");
    expect("{\"type\":\"pong\",\"ref\":1}\n");
    expect_end(HELPER_EOF);
}

static void a_reader_that_does_not_keep_up_is_given_up(void **state)
{
    (void)state;
    start(helper_program);
    say("{\"type\":\"peer-remove\",\"peer\":\"40000\"}\n");
    expect_end(HELPER_BROKEN);
}

static void nobody_reading_ends_it(void **state)
{
    char log[400];

    (void)state;
    start(helper_program);
    expect_hello();
    fclose(rig.lines);
    rig.lines = NULL;
    say("{\"type\":\"ping\",\"ref\":1}\n");
    assert_int_equal(finish(log, sizeof log), 10 + HELPER_BROKEN);
    assert_non_null(strstr(log, "standard output: Broken pipe"));
}

/* Queues more than the pipe holds, then has to end while the reader goes away. */
static int last_words_program(void)
{
    struct helper_options options = {
        .role = ROLE_SIGNAL, .name = "tester", .on_message = on_message, .data = &rig};
    struct timespec used;
    struct error err;

    helper = helper_new(&options, &err);
    while (helper_end(helper) == HELPER_OPEN)
        helper_read(helper);
    assert_true(helper_wants_write(helper));
    dprintf(STDERR_FILENO, "r");
    helper_drain(helper, 2000);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    helper_destroy(helper);
    return used.tv_sec > 0 || used.tv_nsec > 300000000 ? 98 : 97;
}

static void last_words_to_nobody_cost_nothing(void **state)
{
    char log[400];

    (void)state;
    start(last_words_program);
    expect_hello();
    say("{\"type\":\"peer-remove\",\"peer\":\"4000\"}\n{\"type\":\"shutdown\"}\n");
    await_log();
    fclose(rig.lines);
    rig.lines = NULL;
    assert_int_equal(finish(log, sizeof log), 97);
}

static void last_words_are_heard(void **state)
{
    (void)state;
    start(last_words_program);
    expect_hello();
    say("{\"type\":\"peer-remove\",\"peer\":\"4000\"}\n{\"type\":\"shutdown\"}\n");
    for (int i = 0; i < 4000; i++)
        expect("presence");
    assert_int_equal(fgetc(rig.lines), EOF);
}

static int without_descriptor_program(int fd)
{
    close(fd);
    return helper_program();
}

static int without_input_program(void)
{
    return without_descriptor_program(STDIN_FILENO);
}

static int without_output_program(void)
{
    return without_descriptor_program(STDOUT_FILENO);
}

static void a_closed_standard_descriptor_is_an_error(void **state)
{
    char log[400];

    (void)state;
    start(without_input_program);
    assert_int_equal(finish(log, sizeof log), 99);
    assert_non_null(strstr(log, "no-descriptors: "));
    start(without_output_program);
    assert_int_equal(finish(log, sizeof log), 99);
    assert_non_null(strstr(log, "no-descriptors: "));
}

static int error_program(void)
{
    struct helper_options options = {
        .role = ROLE_WG, .name = "tester", .on_message = on_message, .data = &rig};
    char text[900];
    struct error err;

    helper = helper_new(&options, &err);
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (size_t i = 0; i + 3 < sizeof text; i += 3)
        memcpy(text + i, "\xe2\x82\xac", 3);
    error_set(&err, "bad-value", "y%s", text);
    helper_error(helper, 7, false, &err);
    error_set(&err, "bad-value", "\xff");
    helper_error(helper, MESSAGE_ABSENT, true, &err);
    helper_destroy(helper);
    return 0;
}

static void every_error_can_be_sent(void **state)
{
    char log[400];

    (void)state;
    start(error_program);
    expect("\"role\":\"wg\"");
    expect("\"ref\":7}");
    expect("{\"type\":\"error\",\"code\":\"bad-value\",\"message\":\"?\",\"fatal\":true}\n");
    assert_int_equal(finish(log, sizeof log), 0);
}

static int options_program(const char *option)
{
    char name[] = "tester", argument[20];
    char *arguments[] = {name, argument, NULL};

    snprintf(argument, sizeof argument, "%s", option);
    helper_common_options(2, arguments, "usage: tester\n", ROLE_ICE);
    return 42;
}

static int help_program(void)
{
    return options_program("--help");
}

static int version_program(void)
{
    return options_program("--version");
}

static int describe_program(void)
{
    return options_program("--describe");
}

static int other_option_program(void)
{
    return options_program("--stun");
}

static void every_helper_has_three_options(void **state)
{
    char log[400];

    (void)state;
    start(help_program);
    expect("usage: tester\n");
    assert_int_equal(finish(log, sizeof log), 0);
    start(version_program);
    expect("(protocol 1)\n");
    assert_int_equal(finish(log, sizeof log), 0);
    start(describe_program);
    expect("[\n");
    assert_int_equal(finish(log, sizeof log), 0);
    start(other_option_program);
    assert_int_equal(finish(log, sizeof log), 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello_comes_first),
        cmocka_unit_test(a_ping_is_answered),
        cmocka_unit_test(messages_are_handed_on),
        cmocka_unit_test(the_broker_chooses_the_protocol),
        cmocka_unit_test(more_than_one_protocol_is_offered_as_a_range),
        cmocka_unit_test(a_line_may_come_in_parts),
        cmocka_unit_test(shutdown_and_the_end_of_input_are_told_apart),
        cmocka_unit_test(what_came_before_the_end_of_input_is_answered),
        cmocka_unit_test(nothing_after_shutdown_is_taken),
        cmocka_unit_test(a_bad_line_is_answered_and_the_stream_goes_on),
        cmocka_unit_test(an_over_long_line_is_answered_once),
        cmocka_unit_test(what_libraries_print_goes_to_the_log),
        cmocka_unit_test(a_flood_of_bad_lines_is_read_as_fast_as_its_answers_are),
        cmocka_unit_test(a_slow_reader_pauses_the_input),
        cmocka_unit_test(a_reader_that_does_not_keep_up_is_given_up),
        cmocka_unit_test(nobody_reading_ends_it),
        cmocka_unit_test(last_words_to_nobody_cost_nothing),
        cmocka_unit_test(last_words_are_heard),
        cmocka_unit_test(a_closed_standard_descriptor_is_an_error),
        cmocka_unit_test(every_error_can_be_sent),
        cmocka_unit_test(every_helper_has_three_options),
    };

    signal(SIGPIPE, SIG_IGN);
    alarm(30);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
