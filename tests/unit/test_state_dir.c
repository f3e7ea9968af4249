/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Root's folders are at stake, so these need root.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/state_dir.h"

static const struct privilege_user user = {.uid = 65534, .gid = 65534};
static char folder[] = "/tmp/test_state_dir-XXXXXX";
static char place[128];

static const char *at(const char *name)
{
    snprintf(place, sizeof place, "%s/%s", folder, name);
    return place;
}

static int make(const char *name, struct error *err)
{
    return state_dir_make(at(name), &user, err);
}

/* "MODE UID GID" */
static const char *about(const char *name)
{
    static char text[64];
    struct stat status;

    assert_int_equal(lstat(at(name), &status), 0);
    snprintf(text, sizeof text, "%o %u %u", (unsigned)status.st_mode & 07777,
             (unsigned)status.st_uid, (unsigned)status.st_gid);
    return text;
}

static void put_file(const char *name)
{
    int fd = open(at(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    close(fd);
}

static int setup(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    umask(077);
    return mkdtemp(folder) != NULL && chmod(folder, 0755) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    char command[64];

    (void)state;
    snprintf(command, sizeof command, "rm -r %s", folder);
    if (geteuid() == 0 && system(command) != 0)
        return -1;
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    return 0;
}

static void it_is_made_with_all_above_it(void **state)
{
    struct error err;

    (void)state;
    assert_int_equal(make("a/b/c", &err), 0);
    assert_string_equal(about("a"), "755 0 0");
    assert_string_equal(about("a/b"), "755 0 0");
    assert_string_equal(about("a/b/c"), "1770 65534 0");
    put_file("a/b/c/identity.key");
    assert_int_equal(make("a/b/c", &err), 0);
    assert_string_equal(about("a/b/c"), "1770 65534 0");
}

static void an_empty_folder_of_roots_is_taken(void **state)
{
    struct error err;

    (void)state;
    assert_int_equal(mkdir(at("empty"), 0700), 0);
    assert_int_equal(make("empty", &err), 0);
    assert_string_equal(about("empty"), "1770 65534 0");
}

/* The folder of conf.json, say. */
static void a_folder_of_roots_with_something_in_it_is_left(void **state)
{
    struct error err;

    (void)state;
    assert_int_equal(mkdir(at("etc"), 0700), 0);
    put_file("etc/conf.json");
    assert_int_equal(make("etc", &err), -EEXIST);
    assert_non_null(strstr(err.message, "$.state_dir"));
    assert_non_null(strstr(err.message, "not empty"));
    assert_string_equal(about("etc"), "700 0 0");
}

static void a_symbolic_link_is_not_followed(void **state)
{
    struct error err;

    (void)state;
    assert_int_equal(mkdir(at("victim"), 0700), 0);
    assert_int_equal(symlink("victim", at("link")), 0);
    assert_true(make("link", &err) < 0);
    assert_string_equal(about("victim"), "700 0 0");
}

static void a_file_is_no_folder(void **state)
{
    struct error err;

    (void)state;
    put_file("file");
    assert_int_equal(make("file", &err), -ENOTDIR);
    assert_int_equal(make("file/below", &err), -ENOTDIR);
    assert_string_equal(about("file"), "600 0 0");
}

static void without_a_user_it_stays_the_callers(void **state)
{
    struct error err;

    (void)state;
    assert_int_equal(state_dir_make(at("own/state"), NULL, &err), 0);
    assert_string_equal(about("own/state"), "700 0 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_is_made_with_all_above_it, setup, teardown),
        cmocka_unit_test_setup_teardown(an_empty_folder_of_roots_is_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(a_folder_of_roots_with_something_in_it_is_left, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_symbolic_link_is_not_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_is_no_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_user_it_stays_the_callers, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
