/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/privilege.h"

/* What is given up is not come by again: each try has a process of its own. Its exit status is 0,
 * or the number of the first thing that was wrong. */
static int in_a_process(int (*attempt)(void))
{
    pid_t pid = fork();
    int status;

    if (pid == 0)
        _exit(attempt());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 100;
}

static void only_root(void)
{
    if (geteuid() != 0)
        skip();
}

/* The line of /proc/self/status that begins with `name`. */
static unsigned long long status_value(const char *name)
{
    unsigned long long value = 0;
    char line[256];
    FILE *file = fopen("/proc/self/status", "r");

    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            sscanf(line + strlen(name), ":%llx", &value);
    if (file != NULL)
        fclose(file);
    return value;
}

static void root_is_refused(void **state)
{
    struct privilege_user user;
    struct error err;

    (void)state;
    assert_int_equal(privilege_find_user("root", &user, &err), -EINVAL);
    assert_string_equal(err.code, "user-privileged");
    assert_non_null(strstr(err.message, "'root'"));
}

static void a_missing_user_comes_with_the_command_that_makes_it(void **state)
{
    struct privilege_user user;
    struct error err;

    (void)state;
    assert_int_equal(privilege_find_user("no-such-user", &user, &err), -ENOENT);
    assert_string_equal(err.code, "user-missing");
    assert_non_null(strstr(err.message, "adduser --system"));
    assert_non_null(strstr(err.message, "no-such-user"));
}

static int become_nobody(void)
{
    struct privilege_user user;
    const gid_t root = 0;
    struct error err;

    if (privilege_find_user("nobody", &user, &err) < 0)
        return 1;
    if (privilege_become(&user, &err) < 0)
        return 2;
    if (getuid() != user.uid || geteuid() != user.uid || getgid() != user.gid)
        return 3;
    if (status_value("CapPrm") || status_value("CapEff") || status_value("CapInh"))
        return 4;
    if (status_value("CapBnd") || status_value("CapAmb"))
        return 5;
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return 6;
    if (setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0 || setgroups(1, &root) == 0)
        return 7;
    return open("/etc/shadow", O_RDONLY) >= 0 ? 8 : 0;
}

static void nothing_is_left_after_becoming_a_user(void **state)
{
    (void)state;
    only_root();
    assert_int_equal(in_a_process(become_nobody), 0);
}

static int become_without_right(void)
{
    const struct privilege_user nobody = {.uid = 65534, .gid = 65534}, other = {.uid = 1, .gid = 1};
    struct error err;

    if (privilege_become(&nobody, &err) < 0)
        return 1;
    if (privilege_become(&other, &err) == 0)
        return 2;
    return strcmp(err.code, "privilege") != 0 || strstr(err.message, "user 1") == NULL ? 3 : 0;
}

static void becoming_another_user_without_the_right_is_an_error(void **state)
{
    (void)state;
    only_root();
    assert_int_equal(in_a_process(become_without_right), 0);
}

static int keep_two(void)
{
    const int kept[] = {CAP_NET_ADMIN, CAP_KILL};
    const unsigned long long wanted = 1ULL << CAP_NET_ADMIN | 1ULL << CAP_KILL;
    struct error err;

    if (privilege_keep(kept, 2, &err) < 0)
        return 1;
    if (status_value("CapPrm") & ~wanted || status_value("CapEff") & ~wanted)
        return 2;
    if (status_value("CapBnd") & ~wanted || status_value("CapAmb") != 0)
        return 3;
    if ((status_value("CapEff") & 1ULL << CAP_KILL) == 0)
        return 4;
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return 5;
    return getuid() != 0 ? 6 : 0;
}

static void what_is_not_on_the_list_is_given_up(void **state)
{
    (void)state;
    only_root();
    assert_int_equal(in_a_process(keep_two), 0);
}

/* As under a service manager that gives few capabilities, CAP_SETPCAP not among them. */
static int keep_twice(void)
{
    const int kept[] = {CAP_NET_ADMIN};
    struct error err;

    if (privilege_keep(kept, 1, &err) < 0)
        return 1;
    return privilege_keep(kept, 1, &err) < 0 ? 2 : 0;
}

static void what_was_dropped_before_needs_no_right(void **state)
{
    (void)state;
    only_root();
    assert_int_equal(in_a_process(keep_twice), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(root_is_refused),
        cmocka_unit_test(a_missing_user_comes_with_the_command_that_makes_it),
        cmocka_unit_test(nothing_is_left_after_becoming_a_user),
        cmocka_unit_test(becoming_another_user_without_the_right_is_an_error),
        cmocka_unit_test(what_is_not_on_the_list_is_given_up),
        cmocka_unit_test(what_was_dropped_before_needs_no_right),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
