/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The launcher keeps the privilege that root has, so these need root.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/launcher.h"
#include "protocol/log.h"

#define WAIT_MS 5000

static void only_root(void)
{
    if (geteuid() != 0)
        skip();
}

static char config[64]; /* the path of what it may open */

static struct launcher *open_shell(const char *script)
{
    char path[] = "/bin/sh", option[] = "-c", text[256];
    char *argv[] = {path, option, text, NULL};
    struct launcher *launcher;
    struct error err;

    snprintf(text, sizeof text, "%s", script);
    assert_int_equal(launcher_open(&launcher, argv, config, &err), 0);
    /* What it runs was fixed before: this changes nothing. */
    strcpy(path, "/bin/no");
    strcpy(text, "exit 99");
    return launcher;
}

static bool ready_within(int fd, int wait_ms)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};

    int count;

    while ((count = poll(&ready, 1, wait_ms)) < 0 && errno == EINTR)
        ;
    return count == 1;
}

static int reap(struct launcher *launcher)
{
    int status = -1;

    assert_true(ready_within(launcher_fd(launcher), WAIT_MS));
    assert_int_equal(launcher_reap(launcher, &status), 1);
    return status;
}

static void start(struct launcher *launcher, struct launcher_start *started)
{
    struct error err;

    assert_int_equal(launcher_start(launcher, started, &err), 0);
}

static void stop(struct launcher_start *started)
{
    close(started->in);
    close(started->out);
}

static void what_it_starts_was_fixed_before_the_fork(void **state)
{
    struct launcher *launcher;
    struct launcher_start started;
    char text[16] = "";

    (void)state;
    only_root();
    launcher = open_shell("read x; echo \"got $x\"; exit 7");
    start(launcher, &started);
    assert_int_equal(write(started.in, "y\n", 2), 2);
    assert_true(ready_within(started.out, WAIT_MS));
    assert_true(read(started.out, text, sizeof text - 1) > 0);
    assert_string_equal(text, "got y\n");
    assert_int_equal(WEXITSTATUS(reap(launcher)), 7);
    stop(&started);
    launcher_close(launcher);
}

static void one_at_a_time_and_then_again(void **state)
{
    struct launcher *launcher;
    struct launcher_start started, second;
    struct error err;
    int status;

    (void)state;
    only_root();
    launcher = open_shell("read x");
    for (int i = 0; i < 3; i++) {
        start(launcher, &started);
        assert_int_equal(launcher_start(launcher, &second, &err), -EBUSY);
        assert_int_equal(launcher_reap(launcher, &status), 0);
        stop(&started);
        reap(launcher);
    }
    launcher_close(launcher);
}

/* All but start and kill. */
static void say_other_words(const struct launcher *launcher)
{
    for (int word = 0; word < 256; word++) {
        unsigned char byte = (unsigned char)word;

        if (word != 1 && word != 2)
            assert_int_equal(send(launcher_fd(launcher), &byte, 1, 0), 1);
    }
}

static void on_alarm(int signal)
{
    (void)signal;
}

/* SIGTERM while it waits for the launcher's answer is heard of later, in the event loop. */
static void a_signal_does_not_cut_the_start_short(void **state)
{
    struct sigaction action = {.sa_handler = on_alarm};
    struct itimerval timer = {.it_interval = {.tv_usec = 200}, .it_value = {.tv_usec = 200}};
    struct launcher *launcher;
    struct launcher_start started = {.in = -1, .out = -1};
    struct error err;
    int failed = 0, status;

    (void)state;
    only_root();
    sigaction(SIGALRM, &action, NULL);
    launcher = open_shell("read x");
    setitimer(ITIMER_REAL, &timer, NULL);
    for (int i = 0; i < 10 && failed == 0; i++) {
        failed = launcher_start(launcher, &started, &err);
        stop(&started);
        ready_within(launcher_fd(launcher), WAIT_MS);
        launcher_reap(launcher, &status);
    }
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    assert_int_equal(failed, 0);
    launcher_close(launcher);
}

/* A compromised broker may say what it likes. */
static void it_knows_two_words_alone(void **state)
{
    static const unsigned char nonsense[300] = {3, 1, 2, 0};
    struct launcher *launcher;
    struct launcher_start started;

    (void)state;
    only_root();
    launcher = open_shell("read x; exit 5");
    for (size_t length = 1; length <= sizeof nonsense; length += 7)
        assert_true(send(launcher_fd(launcher), nonsense, length, 0) > 0);
    say_other_words(launcher);
    assert_false(ready_within(launcher_fd(launcher), 20));
    start(launcher, &started);
    say_other_words(launcher);
    assert_false(ready_within(launcher_fd(launcher), 20));
    launcher_kill(launcher);
    assert_int_equal(WTERMSIG(reap(launcher)), SIGKILL);
    stop(&started);
    launcher_close(launcher);
}

static void a_program_that_is_missing_is_an_error(void **state)
{
    char *argv[] = {"/nonexistent/wg-setup", NULL};
    struct launcher *launcher;
    struct launcher_start started;
    struct error err;

    (void)state;
    only_root();
    assert_int_equal(launcher_open(&launcher, argv, config, &err), 0);
    assert_int_equal(launcher_start(launcher, &started, &err), -ENOENT);
    assert_string_equal(err.code, "start-failed");
    launcher_close(launcher);
}

static void write_config(const char *name, const char *text)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void expect_config(struct launcher *launcher, const char *text)
{
    char buffer[64] = "";
    struct error err;
    int fd = launcher_open_config(launcher, &err);

    assert_true(fd >= 0);
    assert_true(read(fd, buffer, sizeof buffer - 1) >= 0);
    assert_string_equal(buffer, text);
    assert_int_equal(write(fd, "x", 1), -1);
    close(fd);
}

/* Editors write another file and rename it. */
static void it_opens_the_configuration_as_it_is_by_now(void **state)
{
    struct launcher *launcher;
    char other[80];

    (void)state;
    only_root();
    write_config(config, "first");
    launcher = open_shell("exit 0");
    expect_config(launcher, "first");
    snprintf(other, sizeof other, "%s.new", config);
    write_config(other, "second");
    assert_int_equal(rename(other, config), 0);
    expect_config(launcher, "second");
    launcher_close(launcher);
    unlink(config);
}

static void what_is_no_regular_file_is_not_opened(void **state)
{
    struct launcher *launcher;
    struct error err;

    (void)state;
    only_root();
    launcher = open_shell("exit 0");
    assert_int_equal(launcher_open_config(launcher, &err), -ENOENT);
    assert_string_equal(err.code, "no-file");
    assert_int_equal(symlink("/etc/shadow", config), 0);
    assert_int_equal(launcher_open_config(launcher, &err), -ELOOP);
    assert_int_equal(unlink(config), 0);
    assert_int_equal(mkfifo(config, 0600), 0);
    assert_int_equal(launcher_open_config(launcher, &err), -EINVAL);
    unlink(config);
    launcher_close(launcher);
}

/* The end of wg-setup may be told at any moment: neither answer is taken for the other. */
static void the_configuration_does_not_meet_the_end_of_what_it_started(void **state)
{
    struct launcher *launcher;
    struct launcher_start started;

    (void)state;
    only_root();
    write_config(config, "text");
    launcher = open_shell("exit 6");
    for (int i = 0; i < 3; i++) {
        start(launcher, &started);
        assert_true(ready_within(launcher_fd(launcher), WAIT_MS));
        expect_config(launcher, "text");
        assert_int_equal(WEXITSTATUS(reap(launcher)), 6);
        stop(&started);
    }
    launcher_close(launcher);
    unlink(config);
}

/* A broker of its own, killed: `script` is what the launcher started. True once both are gone. */
static bool ends_with_the_broker(const char *script, int wait_ms)
{
    struct launcher_start started;
    int ends[2], pidfd, status;
    pid_t broker, helper = 0;
    bool gone;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    broker = fork();
    if (broker == 0) {
        start(open_shell(script), &started);
        if (write(ends[1], &started.pid, sizeof started.pid) < 0)
            _exit(1);
        pause();
    }
    assert_int_equal(read(ends[0], &helper, sizeof helper), (ssize_t)sizeof helper);
    pidfd = pidfd_open(helper, 0);
    assert_true(pidfd >= 0);
    assert_false(ready_within(pidfd, 30));
    kill(broker, SIGKILL);
    assert_int_equal(waitpid(broker, &status, 0), broker);
    gone = ready_within(pidfd, wait_ms);
    /* The launcher, an orphan now, is ours as the subreaper. */
    assert_true(waitpid(-1, &status, 0) > 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(waitpid(-1, &status, 0), -1);
    close(pidfd);
    close(ends[0]);
    close(ends[1]);
    return gone;
}

static void it_and_its_helper_end_with_the_broker(void **state)
{
    (void)state;
    only_root();
    assert_true(ends_with_the_broker("read x; exit 0", LAUNCHER_EOF_MS - 500));
}

static void a_helper_that_ignores_eof_is_killed(void **state)
{
    (void)state;
    only_root();
    assert_true(ends_with_the_broker("trap '' TERM HUP; exec sleep 60", LAUNCHER_EOF_MS + 2000));
}

static void signals_of_a_terminal_do_not_end_it(void **state)
{
    static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    struct launcher *launcher;
    struct launcher_start started;
    pid_t pid;

    (void)state;
    only_root();
    launcher = open_shell("echo $PPID; read x; exit 0");
    start(launcher, &started);
    {
        char text[16] = "";

        assert_true(ready_within(started.out, WAIT_MS));
        assert_true(read(started.out, text, sizeof text - 1) > 0);
        pid = atoi(text);
    }
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        assert_int_equal(kill(pid, signals[i]), 0);
    assert_int_not_equal(getsid(pid), getsid(0));
    stop(&started);
    assert_int_equal(reap(launcher), 0);
    launcher_close(launcher);
}

static void one_that_is_gone_is_told_apart(void **state)
{
    struct launcher *launcher;
    struct launcher_start started;
    struct error err;
    int status;

    (void)state;
    only_root();
    launcher = open_shell("read x; kill -9 $PPID; read x");
    start(launcher, &started);
    assert_int_equal(write(started.in, "y\n", 2), 2);
    assert_true(ready_within(launcher_fd(launcher), WAIT_MS));
    assert_int_equal(launcher_reap(launcher, &status), -EPIPE);
    stop(&started);
    assert_int_equal(launcher_start(launcher, &started, &err), -EPIPE);
    assert_string_equal(err.code, "launcher-gone");
    assert_int_equal(launcher_open_config(launcher, &err), -EPIPE);
    assert_string_equal(err.code, "launcher-gone");
    launcher_close(launcher);
    launcher_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_starts_was_fixed_before_the_fork),
        cmocka_unit_test(one_at_a_time_and_then_again),
        cmocka_unit_test(a_signal_does_not_cut_the_start_short),
        cmocka_unit_test(it_knows_two_words_alone),
        cmocka_unit_test(a_program_that_is_missing_is_an_error),
        cmocka_unit_test(it_opens_the_configuration_as_it_is_by_now),
        cmocka_unit_test(what_is_no_regular_file_is_not_opened),
        cmocka_unit_test(the_configuration_does_not_meet_the_end_of_what_it_started),
        cmocka_unit_test(it_and_its_helper_end_with_the_broker),
        cmocka_unit_test(a_helper_that_ignores_eof_is_killed),
        cmocka_unit_test(signals_of_a_terminal_do_not_end_it),
        cmocka_unit_test(one_that_is_gone_is_told_apart),
    };

    log_open("test_launcher", false);
    snprintf(config, sizeof config, "/tmp/test-launcher-%d.json", (int)getpid());
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
