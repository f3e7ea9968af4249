/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/program.h"

static char folder[] = "/tmp/test-program-XXXXXX";
static char beside[PATH_MAX];

static void make_file(const char *in, const char *name, mode_t mode)
{
    char path[PATH_MAX + 64];
    int fd;

    snprintf(path, sizeof path, "%s/%s", in, name);
    fd = open(path, O_WRONLY | O_CREAT, mode);
    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void remove_file(const char *in, const char *name)
{
    char path[PATH_MAX + 64];

    snprintf(path, sizeof path, "%s/%s", in, name);
    assert_int_equal(unlink(path), 0);
}

static int find(const char *name, char *path, struct error *err)
{
    memset(err, 0, sizeof *err);
    return program_find(name, path, PATH_MAX, err);
}

static void beside_the_own_program_comes_first(void **state)
{
    char path[PATH_MAX], expected[PATH_MAX + 64];
    struct error err;

    (void)state;
    make_file(folder, "pg-test-both", 0755);
    make_file(beside, "pg-test-both", 0755);
    assert_int_equal(find("pg-test-both", path, &err), 0);
    snprintf(expected, sizeof expected, "%s/pg-test-both", beside);
    assert_string_equal(path, expected);
    remove_file(beside, "pg-test-both");
    assert_int_equal(find("pg-test-both", path, &err), 0);
    snprintf(expected, sizeof expected, "%s/pg-test-both", folder);
    assert_string_equal(path, expected);
    remove_file(folder, "pg-test-both");
}

static void a_missing_one_is_named(void **state)
{
    char path[PATH_MAX];
    struct error err;

    (void)state;
    assert_int_equal(find("pg-test-none", path, &err), -ENOENT);
    assert_string_equal(err.code, "program-missing");
    assert_non_null(strstr(err.message, "'pg-test-none'"));
    assert_non_null(strstr(err.message, "PATH"));
    assert_int_equal(find("", path, &err), -ENOENT);
    assert_non_null(strstr(err.message, "empty"));
}

static void what_cannot_run_is_passed_over(void **state)
{
    char path[PATH_MAX], given[PATH_MAX + 64];
    struct error err;

    (void)state;
    make_file(folder, "pg-test-text", 0644);
    snprintf(given, sizeof given, "%s/pg-test-dir", folder);
    assert_int_equal(mkdir(given, 0755), 0);
    assert_int_equal(find("pg-test-text", path, &err), -ENOENT);
    assert_int_equal(find("pg-test-dir", path, &err), -ENOENT);
    assert_int_equal(find(given, path, &err), -ENOENT);
    assert_non_null(strstr(err.message, given));
    rmdir(given);
    remove_file(folder, "pg-test-text");
}

static void a_path_is_taken_as_it_is(void **state)
{
    char path[PATH_MAX], given[PATH_MAX + 64];
    struct error err;

    (void)state;
    make_file(folder, "pg-test-path", 0755);
    snprintf(given, sizeof given, "%s/pg-test-path", folder);
    assert_int_equal(find(given, path, &err), 0);
    assert_string_equal(path, given);
    remove_file(folder, "pg-test-path");
}

static void one_too_long_is_an_error(void **state)
{
    char path[PATH_MAX], given[PATH_MAX + 10];
    struct error err;

    (void)state;
    memset(given, 'x', sizeof given);
    given[0] = '/';
    given[sizeof given - 1] = '\0';
    assert_int_equal(find(given, path, &err), -ENAMETOOLONG);
    assert_int_equal(find(given + 1, path, &err), -ENOENT);
}

static void the_current_folder_is_not_searched(void **state)
{
    char path[PATH_MAX], search[PATH_MAX];
    struct error err;

    (void)state;
    assert_int_equal(chdir(folder), 0);
    make_file(".", "pg-test-here", 0755);
    strcpy(search, getenv("PATH"));
    setenv("PATH", ":.::/nonexistent", 1);
    assert_int_equal(find("pg-test-here", path, &err), -ENOENT);
    unsetenv("PATH");
    assert_int_equal(find("pg-test-here", path, &err), -ENOENT);
    setenv("PATH", search, 1);
    assert_int_equal(find("pg-test-here", path, &err), 0);
    remove_file(folder, "pg-test-here");
}

static int prepare(void **state)
{
    ssize_t n = readlink("/proc/self/exe", beside, sizeof beside - 1);
    char search[PATH_MAX];

    (void)state;
    if (n <= 0 || mkdtemp(folder) == NULL)
        return -1;
    *strrchr(beside, '/') = '\0';
    snprintf(search, sizeof search, "/nonexistent:%s:/usr/bin:/bin", folder);
    return setenv("PATH", search, 1);
}

static int tidy(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beside_the_own_program_comes_first),
        cmocka_unit_test(a_missing_one_is_named),
        cmocka_unit_test(what_cannot_run_is_passed_over),
        cmocka_unit_test(a_path_is_taken_as_it_is),
        cmocka_unit_test(one_too_long_is_an_error),
        cmocka_unit_test(the_current_folder_is_not_searched),
    };

    return cmocka_run_group_tests(tests, prepare, tidy);
}
