/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Each test is a process of its own: a sandbox is never left.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "signal-lan/links.h"
#include "signal-lan/sandbox.h"
#include "signal-lan/wire.h"

/* What the child found wrong: a line number, 0 for nothing. */
#define NEED(condition)                                                                            \
    if (!(condition))                                                                              \
    return __LINE__

static void in_child(int (*body)(void))
{
    int ends[2], found = -1, status;
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    pid = fork();
    if (pid == 0) {
        found = body();
        _exit(write(ends[1], &found, sizeof found) != sizeof found);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &found, sizeof found), sizeof found);
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (found != 0)
        fail_msg("%s:%d does not hold in the sandbox", __FILE__, found);
}

static int forbidden(void)
{
    char *const argv[] = {(char[]){"/bin/true"}, NULL};
    struct error err;
    int n;

    NEED(sandbox_enter(&err) == 0);
    NEED(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 0);
    NEED(execv(argv[0], argv) < 0 && errno == ENOSYS);
    NEED(syscall(SYS_clone, 17, 0, 0, 0, 0) < 0 && errno == ENOSYS);
    NEED(syscall(SYS_clone3, NULL, 0) < 0 && errno == ENOSYS);
    NEED(open("/etc/passwd", O_RDONLY) < 0 && errno == ENOSYS);
    NEED(syscall(SYS_open, "/etc/passwd", O_RDONLY) < 0 && errno == ENOSYS);
    NEED(mkdir("inside", 0700) < 0 && errno == ENOSYS);
    NEED(ioctl(0, FIONREAD, &n) < 0 && errno == ENOSYS);
    NEED(socket(AF_UNIX, SOCK_STREAM, 0) < 0 && errno == ENOSYS);
    NEED(socket(AF_PACKET, SOCK_RAW, 0) < 0 && errno == ENOSYS);
    NEED(socket(AF_INET, SOCK_RAW, 1) < 0);
    NEED(setuid(0) < 0 && errno == ENOSYS);
    NEED(syscall(SYS_ptrace, 0, 0, 0, 0) < 0 && errno == ENOSYS);
    return 0;
}

static int needed(void)
{
    struct options options;
    struct links links;
    struct wire wire;
    struct error err;
    int watch;

    NEED(options_read(&options, "{\"port\":20552}", &err) == 0);
    NEED(sandbox_enter(&err) == 0);
    watch = links_watch(&err);
    NEED(watch >= 0);
    NEED(!links_changed(watch));
    NEED(links_list(&links, &options, &err) == 0);
    NEED(wire_open(&wire, &options, &err) == 0);
    wire_join(&wire, &links);
    wire_close(&wire);
    return 0;
}

static void no_file_program_thread_or_other_socket_is_left(void **state)
{
    (void)state;
#ifdef PG_SANITIZED /* needs what the sandbox denies */
    skip();
#endif
    in_child(forbidden);
}

static void links_and_sockets_can_be_opened(void **state)
{
    (void)state;
    in_child(needed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_file_program_thread_or_other_socket_is_left),
        cmocka_unit_test(links_and_sockets_can_be_opened),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
