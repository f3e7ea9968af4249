/* SPDX-License-Identifier: GPL-3.0-or-later */
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
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/process.h"

#define WAIT_MS 5000

static struct process start_shell(const char *script, bool own_log)
{
    char *argv[] = {"sh", "-c", (char *)(uintptr_t)script, NULL};
    struct process process;
    struct error err;

    assert_int_equal(process_start(&process, "/bin/sh", argv, NULL, own_log, &err), 0);
    return process;
}

static bool ends_within(int pidfd, int wait_ms)
{
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};

    return poll(&ended, 1, wait_ms) == 1;
}

/* What comes until the end of file; the descriptor is non-blocking. */
static size_t read_text(int fd, char *text, size_t size)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    size_t used = 0;
    ssize_t n;

    while (used < size - 1 && poll(&ready, 1, WAIT_MS) == 1 &&
           (n = read(fd, text + used, size - 1 - used)) > 0)
        used += (size_t)n;
    text[used] = '\0';
    return used;
}

static void its_pipes_lead_to_it(void **state)
{
    struct process process = start_shell("read x; echo \"got $x\"; echo log >&2; exit 3", true);
    char text[64];
    int status;

    (void)state;
    assert_int_equal(process_reap(&process, &status, true), 0);
    assert_int_equal(write(process.in, "word\n", 5), 5);
    read_text(process.out, text, sizeof text);
    assert_string_equal(text, "got word\n");
    read_text(process.log, text, sizeof text);
    assert_string_equal(text, "log\n");
    assert_true(ends_within(process.pidfd, WAIT_MS));
    assert_int_equal(process_reap(&process, &status, true), 1);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 3);
    assert_int_equal(process.pid, 0);
    assert_int_equal(process.in, -1);
    assert_int_equal(process_reap(&process, &status, true), 0);
}

static void it_inherits_three_descriptors_and_no_more(void **state)
{
    int stray = open("/dev/null", O_RDONLY);
    struct process process = start_shell("ls /proc/self/fd; exec cat", true);
    char text[256], *end = text;
    long fd;
    int status;

    (void)state;
    assert_true(stray >= 0 && fcntl(stray, F_GETFD) == 0);
    close(process.in);
    process.in = -1;
    read_text(process.out, text, sizeof text);
    for (int i = 0; i < 4; i++) { /* the fourth is ls' own, of the folder */
        fd = strtol(end, &end, 10);
        assert_int_equal(fd, i);
    }
    assert_string_equal(end, "\n");
    assert_true(ends_within(process.pidfd, WAIT_MS));
    process_reap(&process, &status, true);
    close(stray);
}

static void it_gets_the_environment_that_is_given(void **state)
{
    char *argv[] = {"env", NULL}, *env[] = {"A=1", "B=x y", NULL};
    struct process process;
    struct error err;
    char text[256];
    int status;

    (void)state;
    assert_int_equal(process_start(&process, "/usr/bin/env", argv, env, true, &err), 0);
    read_text(process.out, text, sizeof text);
    assert_string_equal(text, "A=1\nB=x y\n");
    assert_true(ends_within(process.pidfd, WAIT_MS));
    process_reap(&process, &status, true);
}

static void its_log_never_blocks_it(void **state)
{
    struct process process =
        start_shell("dd if=/dev/zero bs=65536 count=64 >&2 2>/dev/null; exit 0", true);
    int status;

    (void)state;
    assert_true(ends_within(process.pidfd, WAIT_MS));
    assert_int_equal(process_reap(&process, &status, true), 1);
}

static void a_program_that_cannot_start_is_an_error(void **state)
{
    char *argv[] = {"x", NULL};
    struct process process;
    struct error err;

    (void)state;
    assert_int_equal(process_start(&process, "/nonexistent/x", argv, NULL, true, &err), -ENOENT);
    assert_string_equal(err.code, "start-failed");
    assert_non_null(strstr(err.message, "/nonexistent/x"));
    assert_int_equal(process_start(&process, "/etc/passwd", argv, NULL, true, &err), -EACCES);
    assert_int_equal(process.pid, 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no zombie is left */
}

static void signals_are_as_by_default(void **state)
{
    struct process process;
    sigset_t set, old;
    int status;

    (void)state;
    signal(SIGTERM, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, &old);
    process = start_shell("exec sleep 60", false);
    sigprocmask(SIG_SETMASK, &old, NULL);
    signal(SIGTERM, SIG_DFL);
    assert_int_equal(process.log, -1);
    process_signal(&process, SIGTERM, false);
    assert_true(ends_within(process.pidfd, WAIT_MS));
    assert_int_equal(process_reap(&process, &status, false), 1);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

/* Starts a shell that prints the pid of a process it leaves running; its pidfd. */
static int leave_running(struct process *process, const char *prefix)
{
    char script[128], text[32];
    int pidfd;

    snprintf(script, sizeof script, "%s sleep 60 >/dev/null 2>&1 & echo $!; exit 0", prefix);
    *process = start_shell(script, false);
    read_text(process->out, text, sizeof text);
    assert_true(ends_within(process->pidfd, WAIT_MS));
    pidfd = pidfd_open(atoi(text), 0);
    assert_true(pidfd >= 0);
    return pidfd;
}

static void its_group_goes_with_it_where_wanted(void **state)
{
    struct process process;
    int status, left = leave_running(&process, "");

    (void)state;
    assert_int_equal(process_reap(&process, &status, true), 1);
    assert_true(ends_within(left, WAIT_MS));
    close(left);
}

static void its_group_stays_where_wanted(void **state)
{
    struct process process;
    int status, left = leave_running(&process, "");

    (void)state;
    assert_int_equal(process_reap(&process, &status, false), 1);
    assert_false(ends_within(left, 50));
    assert_int_equal(pidfd_send_signal(left, SIGKILL, NULL, 0), 0);
    close(left);
}

static void it_has_a_session_of_its_own(void **state)
{
    struct process process = start_shell("exec sleep 60", false);
    int status;

    (void)state;
    assert_int_equal(getsid(process.pid), process.pid);
    process_signal(&process, SIGKILL, true);
    assert_true(ends_within(process.pidfd, WAIT_MS));
    process_reap(&process, &status, true);
}

static void it_dies_with_its_parent(void **state)
{
    int ends[2], pidfd, status;
    pid_t parent, child = 0;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    parent = fork();
    if (parent == 0) {
        struct process process = start_shell("trap '' TERM HUP; exec sleep 60", false);

        if (write(ends[1], &process.pid, sizeof process.pid) < 0)
            _exit(1);
        pause();
    }
    assert_int_equal(read(ends[0], &child, sizeof child), (ssize_t)sizeof child);
    pidfd = pidfd_open(child, 0);
    assert_true(pidfd >= 0);
    assert_false(ends_within(pidfd, 20));
    kill(parent, SIGKILL);
    assert_int_equal(waitpid(parent, &status, 0), parent);
    assert_true(ends_within(pidfd, WAIT_MS));
    close(pidfd);
    close(ends[0]);
    close(ends[1]);
}

static void an_end_is_described(void **state)
{
    char text[80];

    (void)state;
    process_describe(3 << 8, text, sizeof text);
    assert_string_equal(text, "exit status 3");
    process_describe(SIGKILL, text, sizeof text);
    assert_string_equal(text, "signal 9 (Killed)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_pipes_lead_to_it),
        cmocka_unit_test(it_inherits_three_descriptors_and_no_more),
        cmocka_unit_test(it_gets_the_environment_that_is_given),
        cmocka_unit_test(its_log_never_blocks_it),
        cmocka_unit_test(a_program_that_cannot_start_is_an_error),
        cmocka_unit_test(signals_are_as_by_default),
        cmocka_unit_test(its_group_goes_with_it_where_wanted),
        cmocka_unit_test(its_group_stays_where_wanted),
        cmocka_unit_test(it_has_a_session_of_its_own),
        cmocka_unit_test(it_dies_with_its_parent),
        cmocka_unit_test(an_end_is_described),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
