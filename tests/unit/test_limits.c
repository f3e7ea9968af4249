/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "wg-setup/limits.h"

/* In the child: 0, or which of them it may still do. */
static int forbidden(void)
{
    struct error err;

    if (limits_apply(&err) < 0)
        return 1;
    if (mount("none", "/proc", "tmpfs", 0, NULL) == 0 || errno != EPERM)
        return 2;
    if (syscall(SYS_bpf, 0, NULL, 0) == 0 || errno != EPERM)
        return 3;
    if (syscall(SYS_unshare, 0) == 0 || errno != EPERM)
        return 4;
    if (syscall(SYS_keyctl, 0) >= 0 || errno != EPERM)
        return 5;
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return 6;
    return limits_check(&err) < 0 ? 7 : 0;
}

static void what_is_not_needed_is_denied(void **state)
{
    struct error err;
    int status;
    pid_t pid;

    (void)state;
    if (limits_check(&err) < 0)
        skip();
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(forbidden());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_not_needed_is_denied)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
