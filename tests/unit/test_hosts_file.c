/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "wg-setup/hosts.h"
#include "wg-setup/hosts_file.h"

#define HOME   "100.64.7.9\thome.pg.internal\n"
#define OTHERS "127.0.0.1\tlocalhost\n"

static char folder[64], path[96], other[96];

static void write_text(const char *to, const char *text)
{
    FILE *file = fopen(to, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static const char *read_text(const char *from)
{
    static char text[4096];
    FILE *file = fopen(from, "r");
    size_t length;

    assert_non_null(file);
    length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    return text;
}

static ino_t inode(const char *of)
{
    struct stat about;

    assert_int_equal(lstat(of, &about), 0);
    return about.st_ino;
}

static int put(const char *lines)
{
    struct error err;
    int rc = hosts_file_put(path, "pg0", lines, &err);

    if (rc < 0)
        assert_non_null(strstr(err.message, path));
    return rc;
}

static void a_new_file_takes_the_place_and_keeps_the_mode(void **state)
{
    struct stat about;
    ino_t before;

    (void)state;
    write_text(path, OTHERS);
    chmod(path, 0604);
    before = inode(path);
    assert_int_equal(put(HOME), 1);
    assert_non_null(strstr(read_text(path), HOME));
    assert_int_not_equal(inode(path), before);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 07777, 0604);
    assert_int_equal(put(""), 1);
    assert_string_equal(read_text(path), OTHERS);
}

static void what_is_there_already_is_not_written(void **state)
{
    ino_t before;

    (void)state;
    write_text(path, OTHERS);
    assert_int_equal(put(""), 0);
    assert_int_equal(put(HOME), 1);
    before = inode(path);
    assert_int_equal(put(HOME), 0);
    assert_int_equal(inode(path), before);
}

/* As in containers, where the file is a mount point or a link. */
static void a_link_is_kept_and_what_it_leads_to_is_written(void **state)
{
    ino_t before;

    (void)state;
    write_text(other, OTHERS);
    assert_int_equal(symlink(other, path), 0);
    before = inode(path);
    assert_int_equal(put(HOME), 1);
    assert_int_equal(inode(path), before);
    assert_non_null(strstr(read_text(other), HOME));
    assert_int_equal(put(""), 1);
    assert_string_equal(read_text(other), OTHERS);
}

static void a_link_that_leads_nowhere_stays(void **state)
{
    ino_t before;

    (void)state;
    assert_int_equal(symlink(other, path), 0);
    before = inode(path);
    assert_int_equal(put(HOME), -ENOENT);
    assert_int_equal(inode(path), before);
    assert_int_equal(put(""), 0);
}

static void a_file_with_two_names_keeps_both(void **state)
{
    (void)state;
    write_text(path, OTHERS);
    assert_int_equal(link(path, other), 0);
    assert_int_equal(put(HOME), 1);
    assert_int_equal(inode(path), inode(other));
    assert_non_null(strstr(read_text(other), HOME));
}

static void one_of_another_owner_stays_its(void **state)
{
    struct stat about;

    (void)state;
    if (geteuid() != 0)
        skip();
    write_text(path, OTHERS);
    assert_int_equal(chown(path, 4711, 4712), 0);
    assert_int_equal(put(HOME), 1);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_uid, 4711);
    assert_int_equal(about.st_gid, 4712);
    assert_non_null(strstr(read_text(path), HOME));
}

static void where_there_is_no_file_there_will_be_one(void **state)
{
    struct stat about;

    (void)state;
    assert_int_equal(put(""), 0);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(put(HOME), 1);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 07777, 0644);
}

static void what_is_no_file_is_an_error_that_names_it(void **state)
{
    (void)state;
    assert_int_equal(mkdir(path, 0755), 0);
    assert_true(put(HOME) < 0);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mkfifo(path, 0644), 0);
    assert_true(put(HOME) < 0);
}

static void while_another_of_ours_writes_it_is_tried_later(void **state)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    (void)state;
    write_text(path, OTHERS);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(put(HOME), -EAGAIN);
    assert_string_equal(read_text(path), OTHERS);
    close(fd);
    assert_int_equal(put(HOME), 1);
}

static void what_a_crash_left_behind_is_no_hindrance(void **state)
{
    char temporary[128];

    (void)state;
    snprintf(temporary, sizeof temporary, "%s/.hosts.punchguard", folder);
    write_text(path, OTHERS);
    write_text(temporary, "half");
    assert_int_equal(put(HOME), 1);
    assert_non_null(strstr(read_text(path), HOME));
    assert_int_equal(access(temporary, F_OK), -1);
}

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/test-hosts-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/hosts", folder);
    snprintf(other, sizeof other, "%s/other", folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    unlink(other);
    return rmdir(folder);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_file_takes_the_place_and_keeps_the_mode),
        TEST(what_is_there_already_is_not_written),
        TEST(a_link_is_kept_and_what_it_leads_to_is_written),
        TEST(a_link_that_leads_nowhere_stays),
        TEST(a_file_with_two_names_keeps_both),
        TEST(one_of_another_owner_stays_its),
        TEST(where_there_is_no_file_there_will_be_one),
        TEST(what_is_no_file_is_an_error_that_names_it),
        TEST(while_another_of_ours_writes_it_is_tried_later),
        TEST(what_a_crash_left_behind_is_no_hindrance),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
