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
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "protocol/file.h"
#include "signal-tox/sandbox.h"

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

static int calls(void)
{
    char *const argv[] = {(char[]){"/bin/true"}, NULL};
    struct error err;

    NEED(sandbox_enter(&err) == 0);
    NEED(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 0);
    NEED(execv(argv[0], argv) < 0 && errno == ENOSYS);
    NEED(syscall(SYS_clone, 17, 0, 0, 0, 0) < 0 && errno == ENOSYS);
    NEED(syscall(SYS_clone3, NULL, 0) < 0 && errno == ENOSYS);
    NEED(socket(AF_UNIX, SOCK_STREAM, 0) < 0 && errno == ENOSYS);
    NEED(socket(AF_NETLINK, SOCK_RAW, 0) < 0 && errno == ENOSYS);
    NEED(socket(AF_INET, SOCK_DGRAM, 0) >= 0);
    NEED(socket(AF_INET, SOCK_RAW, 1) < 0);
    NEED(setuid(0) < 0 && errno == ENOSYS);
    NEED(syscall(SYS_ptrace, 0, 0, 0, 0) < 0 && errno == ENOSYS);
    return 0;
}

static char path[] = "test_tox_sandbox.XXXXXX";

static int files(void)
{
    struct error err;
    void *data;
    size_t length;
    int folder = folder_open(path, 0700, &err);

    NEED(folder >= 0);
    NEED(sandbox_enter(&err) == 0);
    NEED(sandbox_folder(folder, &err) == 0);
    NEED(open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES);
    NEED(open("outside", O_WRONLY | O_CREAT, 0600) < 0 && errno == EACCES);
    NEED(openat(folder, "../outside", O_WRONLY | O_CREAT, 0600) < 0 && errno == EACCES);
    NEED(mkdirat(folder, "inside", 0700) < 0 && errno == EACCES);
    NEED(file_write(folder, "inside", "x", 1, &err) == 0);
    NEED(file_write(folder, "inside", "y", 1, &err) == 0);
    NEED(file_read(folder, "inside", 1, &data, &length, &err) == 0);
    NEED(renameat(folder, "inside", folder, "../outside") < 0);
    NEED(unlinkat(folder, "inside", 0) == 0);
    return 0;
}

static void no_program_thread_or_other_socket_can_be_made(void **state)
{
    (void)state;
    in_child(calls);
}

static void only_the_folder_can_be_read_and_written(void **state)
{
    (void)state;
    if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1 /* LANDLOCK_CREATE_RULESET_VERSION */) < 1)
        skip();
    assert_non_null(mkdtemp(path));
    in_child(files);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(access("outside", F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_program_thread_or_other_socket_can_be_made),
        cmocka_unit_test(only_the_folder_can_be_read_and_written),
    };

#ifdef PG_SANITIZED
    puts("sanitizers need what the sandbox denies");
    return 77;
#endif
    return cmocka_run_group_tests(tests, NULL, NULL);
}
