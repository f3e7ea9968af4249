/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <signal.h>

#include <cmocka.h>

#include "protocol/file.h"

static char path[64];
static int folder;
static struct error err;

static int begin(void **state)
{
    (void)state;
    strcpy(path, "/tmp/punchguard-file-XXXXXX");
    if (mkdtemp(path) == NULL)
        return -1;
    folder = open(path, O_RDONLY | O_DIRECTORY);
    return folder < 0 ? -1 : 0;
}

static int end(void **state)
{
    static const char *const names[] = {"key", "link", "fifo", "other", ".key.new"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (unlinkat(folder, names[i], 0) < 0 && errno != ENOENT)
            return -1;
    close(folder);
    return rmdir(path);
}

static void expect_content(const char *name, const char *text)
{
    size_t length;
    void *data;

    assert_int_equal(file_read(folder, name, 1000, &data, &length, &err), 0);
    assert_int_equal(length, strlen(text));
    assert_string_equal(data, text);
    free(data);
}

static void what_is_written_for_another_is_that_ones(void **state)
{
    uid_t user = 64711;
    gid_t group = 64712;
    struct stat about;

    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(file_write_for(folder, "key", "x", 1, &user, &group, &err), 0);
    assert_int_equal(fstatat(folder, "key", &about, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(about.st_uid, user);
    assert_int_equal(about.st_gid, group);
    assert_int_equal(about.st_mode & 07777, 0600);
}

static void what_is_written_is_read(void **state)
{
    struct stat about;

    (void)state;
    assert_int_equal(file_write(folder, "key", "one", 3, &err), 0);
    expect_content("key", "one");
    assert_int_equal(file_write(folder, "key", "another", 7, &err), 0);
    expect_content("key", "another");
    assert_int_equal(file_write(folder, "key", "", 0, &err), 0);
    expect_content("key", "");
    assert_int_equal(fstatat(folder, "key", &about, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(about.st_mode & 07777, 0600);
    assert_int_equal(fstatat(folder, ".key.new", &about, 0), -1);
}

static void what_a_crash_left_is_replaced(void **state)
{
    int fd = openat(folder, ".key.new", O_CREAT | O_WRONLY, 0644);

    (void)state;
    assert_int_equal(write(fd, "half", 4), 4);
    close(fd);
    assert_int_equal(file_write(folder, "key", "whole", 5, &err), 0);
    expect_content("key", "whole");
}

static void a_full_disk_leaves_the_old_file(void **state)
{
    struct rlimit before, small = {.rlim_cur = 10};
    struct stat about;

    (void)state;
    assert_int_equal(file_write(folder, "key", "old", 3, &err), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    assert_int_equal(file_write(folder, "key", "more than ten bytes", 19, &err), -EFBIG);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_string_equal(err.code, "file");
    assert_non_null(strstr(err.message, "cannot write key"));
    expect_content("key", "old");
    assert_int_equal(fstatat(folder, ".key.new", &about, 0), -1);
}

static void a_missing_file_is_told_apart(void **state)
{
    size_t length;
    void *data;

    (void)state;
    assert_int_equal(file_read(folder, "key", 10, &data, &length, &err), -ENOENT);
    assert_string_equal(err.code, "no-file");
    assert_non_null(strstr(err.message, "key"));
}

static void a_large_file_is_refused(void **state)
{
    size_t length;
    void *data;

    (void)state;
    assert_int_equal(file_write(folder, "key", "12345678", 8, &err), 0);
    assert_int_equal(file_read(folder, "key", 7, &data, &length, &err), -EFBIG);
    assert_non_null(strstr(err.message, "8 bytes, at most 7"));
    assert_int_equal(file_read(folder, "key", 8, &data, &length, &err), 0);
    free(data);
}

static void symbolic_links_are_not_followed(void **state)
{
    size_t length;
    void *data;

    (void)state;
    assert_int_equal(file_write(folder, "other", "text", 4, &err), 0);
    assert_int_equal(symlinkat("other", folder, "link"), 0);
    assert_int_equal(file_read(folder, "link", 10, &data, &length, &err), -ELOOP);
    assert_int_equal(symlinkat("other", folder, ".key.new"), 0);
    assert_int_equal(file_write(folder, "key", "new", 3, &err), 0);
    expect_content("other", "text");
    expect_content("key", "new");
}

static void what_is_no_regular_file_is_refused(void **state)
{
    size_t length;
    void *data;

    (void)state;
    assert_int_equal(mkfifoat(folder, "fifo", 0600), 0);
    assert_int_equal(file_read(folder, "fifo", 10, &data, &length, &err), -EINVAL);
    assert_non_null(strstr(err.message, "not a regular file"));
}

static void a_folder_is_made_where_it_is_missing(void **state)
{
    char inside[100], deep[100];
    struct stat about;
    int fd;

    (void)state;
    snprintf(inside, sizeof inside, "%s/new", path);
    snprintf(deep, sizeof deep, "%s/no/such", path);
    fd = folder_open(inside, 0700, &err);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &about), 0);
    assert_int_equal(about.st_mode & 07777, 0700);
    close(fd);
    fd = folder_open(inside, 0700, &err);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(rmdir(inside), 0);
    assert_int_equal(folder_open(deep, 0700, &err), -ENOENT);
    assert_non_null(strstr(err.message, deep));
    assert_int_equal(file_write(folder, "key", "x", 1, &err), 0);
    snprintf(inside, sizeof inside, "%s/key", path);
    assert_int_equal(folder_open(inside, 0700, &err), -ENOTDIR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_written_for_another_is_that_ones, begin, end),
        cmocka_unit_test_setup_teardown(what_is_written_is_read, begin, end),
        cmocka_unit_test_setup_teardown(what_a_crash_left_is_replaced, begin, end),
        cmocka_unit_test_setup_teardown(a_full_disk_leaves_the_old_file, begin, end),
        cmocka_unit_test_setup_teardown(a_missing_file_is_told_apart, begin, end),
        cmocka_unit_test_setup_teardown(a_large_file_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(symbolic_links_are_not_followed, begin, end),
        cmocka_unit_test_setup_teardown(what_is_no_regular_file_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_folder_is_made_where_it_is_missing, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
