/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "wg-setup/sysctl.h"

#define FORWARD "net/ip_forward"
#define OTHER   "net/other"

static char proc[64], state[64], shared[64];
static struct error err;

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[200];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static const char *value(const char *name)
{
    static char text[64];
    char path[200];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", proc, name);
    file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof text, file));
    fclose(file);
    text[strcspn(text, "\n")] = '\0';
    return text;
}

static bool is_there(const char *name)
{
    char path[200];

    snprintf(path, sizeof path, "%s/%s", state, name);
    return access(path, F_OK) == 0;
}

static bool is_kept(void)
{
    return is_there(SYSCTL_FILE);
}

static void make_folder(const char *name)
{
    char path[200];

    snprintf(path, sizeof path, "%s/%s", proc, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static int setup(void **state_)
{
    (void)state_;
    snprintf(proc, sizeof proc, "/tmp/test-sysctl-XXXXXX");
    snprintf(state, sizeof state, "/tmp/test-sysctl-state-XXXXXX");
    snprintf(shared, sizeof shared, "/tmp/test-sysctl-shared-XXXXXX");
    if (mkdtemp(proc) == NULL || mkdtemp(state) == NULL || mkdtemp(shared) == NULL)
        return -1;
    make_folder("kernel");
    make_folder("kernel/random");
    make_folder("net");
    write_file(proc, "kernel/random/boot_id", "first-boot\n");
    write_file(proc, FORWARD, "0\n");
    write_file(proc, OTHER, "2\n");
    return 0;
}

static int teardown(void **state_)
{
    char command[200];

    (void)state_;
    snprintf(command, sizeof command, "rm -r %s %s %s", proc, state, shared);
    return system(command);
}

/* Where the file can't be shared. */
static struct sysctls *begin(void)
{
    struct sysctls *sysctls = sysctls_new(proc, "/nonexistent/shared", state, &err);

    if (sysctls == NULL)
        fail_msg("%s", err.message);
    return sysctls;
}

/* One of several on the host, by the name of its state folder in `state`. */
static struct sysctls *begin_shared(const char *who)
{
    struct sysctls *sysctls;
    char path[200];

    snprintf(path, sizeof path, "%s/%s", state, who);
    sysctls = sysctls_new(proc, shared, path, &err);
    if (sysctls == NULL)
        fail_msg("%s", err.message);
    return sysctls;
}

static size_t files_shared(void)
{
    const struct dirent *entry;
    DIR *folder = opendir(shared);
    size_t count = 0;

    assert_non_null(folder);
    while ((entry = readdir(folder)) != NULL)
        count += strncmp(entry->d_name, SYSCTL_FILE "-", strlen(SYSCTL_FILE "-")) == 0;
    closedir(folder);
    return count;
}

static void a_setting_is_put_back_and_forgotten(void **unused)
{
    struct sysctls *sysctls = begin();

    (void)unused;
    assert_int_equal(sysctls_set(sysctls, FORWARD, "1", &err), 0);
    assert_int_equal(sysctls_set(sysctls, OTHER, "1", &err), 0);
    assert_string_equal(value(FORWARD), "1");
    assert_true(is_kept());
    assert_int_equal(sysctls_restore(sysctls, OTHER, &err), 0);
    assert_string_equal(value(OTHER), "2");
    assert_string_equal(value(FORWARD), "1");
    assert_int_equal(sysctls_restore_all(sysctls, NULL, &err), 0);
    assert_string_equal(value(FORWARD), "0");
    assert_false(is_kept());
    sysctls_destroy(sysctls);
}

static void one_may_be_left_for_another_to_put_back(void **unused)
{
    struct sysctls *sysctls = begin();

    (void)unused;
    assert_int_equal(sysctls_set(sysctls, FORWARD, "1", &err), 0);
    assert_int_equal(sysctls_set(sysctls, OTHER, "1", &err), 0);
    assert_int_equal(sysctls_restore_all(sysctls, FORWARD, &err), 0);
    assert_string_equal(value(FORWARD), "1");
    assert_string_equal(value(OTHER), "2");
    sysctls_destroy(sysctls);
}

static void what_was_so_already_is_not_ours(void **unused)
{
    struct sysctls *sysctls = begin();

    (void)unused;
    write_file(proc, FORWARD, "1\n");
    assert_int_equal(sysctls_set(sysctls, FORWARD, "1", &err), 0);
    assert_false(is_kept());
    assert_int_equal(sysctls_restore_all(sysctls, NULL, &err), 0);
    assert_string_equal(value(FORWARD), "1");
    sysctls_destroy(sysctls);
}

static void whoever_comes_after_a_crash_knows_what_was(void **unused)
{
    struct sysctls *sysctls = begin();

    (void)unused;
    assert_int_equal(sysctls_set(sysctls, FORWARD, "1", &err), 0);
    sysctls_destroy(sysctls);
    sysctls = begin();
    assert_int_equal(sysctls_set(sysctls, FORWARD, "1", &err), 0);
    assert_int_equal(sysctls_restore_all(sysctls, NULL, &err), 0);
    assert_string_equal(value(FORWARD), "0");
    assert_false(is_kept());
    sysctls_destroy(sysctls);
}

static void another_boot_has_its_own_settings(void **unused)
{
    struct sysctls *sysctls = begin();

    (void)unused;
    assert_int_equal(sysctls_set(sysctls, FORWARD, "1", &err), 0);
    sysctls_destroy(sysctls);
    write_file(proc, "kernel/random/boot_id", "second-boot\n");
    sysctls = begin();
    assert_int_equal(sysctls_set(sysctls, FORWARD, "1", &err), 0);
    assert_int_equal(sysctls_restore_all(sysctls, NULL, &err), 0);
    assert_string_equal(value(FORWARD), "1");
    sysctls_destroy(sysctls);
}

static void what_can_not_be_set_or_kept_stays(void **unused)
{
    struct sysctls *sysctls = begin();

    (void)unused;
    assert_int_equal(sysctls_set(sysctls, "net/missing", "1", &err), -ENOENT);
    assert_non_null(strstr(err.message, "net/missing"));
    assert_false(is_kept());
    assert_int_equal(rmdir(state), 0);
    assert_true(sysctls_set(sysctls, FORWARD, "1", &err) < 0);
    assert_string_equal(value(FORWARD), "0");
    assert_int_equal(mkdir(state, 0700), 0);
    sysctls_destroy(sysctls);
}

static void a_setting_that_is_gone_is_forgotten(void **unused)
{
    struct sysctls *sysctls = begin();
    char path[200];

    (void)unused;
    assert_int_equal(sysctls_set(sysctls, OTHER, "1", &err), 0);
    snprintf(path, sizeof path, "%s/%s", proc, OTHER);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(sysctls_restore_all(sysctls, NULL, &err), 0);
    assert_false(is_kept());
    sysctls_destroy(sysctls);
}

static void a_file_leads_to_nothing_but_settings(void **unused)
{
    struct sysctls *sysctls;
    char target[200], who[64], text[600];
    struct stat about;

    (void)unused;
    assert_int_equal(stat(state, &about), 0);
    snprintf(who, sizeof who, "%jx:%ju", (uintmax_t)about.st_dev, (uintmax_t)about.st_ino);
    write_file(state, "target", "mine\n");
    snprintf(target, sizeof target, "net/../..%s/target", state + strlen("/tmp"));
    snprintf(text, sizeof text,
             "first-boot\n%s 1 %s\n/etc/passwd 1 %s\nnospace\n" FORWARD " 7 %s\n" OTHER
             " 9 %s more\n",
             target, who, who, who, who);
    write_file(state, SYSCTL_FILE, text);
    sysctls = begin();
    assert_int_equal(sysctls_restore_all(sysctls, NULL, &err), 0);
    assert_string_equal(value(FORWARD), "7");
    assert_string_equal(value(OTHER), "2");
    snprintf(text, sizeof text, "../%s/target", state + strlen("/tmp/"));
    assert_string_equal(value(text), "mine");
    sysctls_destroy(sysctls);
    snprintf(text, sizeof text, "%s/target", state);
    unlink(text);
}

/* Who may write into the folder could else have us set anything. */
static void a_file_of_somebody_else_is_ignored(void **unused)
{
    struct sysctls *sysctls;
    char path[200];

    (void)unused;
    sysctls = begin();
    assert_int_equal(sysctls_set(sysctls, FORWARD, "1", &err), 0);
    sysctls_destroy(sysctls);
    snprintf(path, sizeof path, "%s/" SYSCTL_FILE, state);
    if (chown(path, 64711, 64711) < 0)
        skip();
    sysctls = begin();
    assert_int_equal(sysctls_restore_all(sysctls, NULL, &err), 0);
    assert_string_equal(value(FORWARD), "1");
    sysctls_destroy(sysctls);
}

static void the_last_one_that_needs_a_setting_puts_it_back(void **unused)
{
    struct sysctls *one = begin_shared("one"), *two = begin_shared("two");

    (void)unused;
    assert_int_equal(sysctls_set(one, FORWARD, "1", &err), 0);
    assert_int_equal(sysctls_set(two, FORWARD, "1", &err), 0);
    assert_int_equal(sysctls_set(two, OTHER, "1", &err), 0);
    assert_int_equal(sysctls_restore_all(one, NULL, &err), 0);
    assert_string_equal(value(FORWARD), "1");
    assert_string_equal(value(OTHER), "1");
    assert_int_equal(sysctls_restore(two, FORWARD, &err), 0);
    assert_string_equal(value(FORWARD), "0");
    assert_int_equal(files_shared(), 1);
    assert_int_equal(sysctls_restore_all(two, NULL, &err), 0);
    assert_string_equal(value(OTHER), "2");
    assert_int_equal(files_shared(), 0);
    sysctls_destroy(one);
    sysctls_destroy(two);
}

static void one_that_crashed_still_needs_its_settings(void **unused)
{
    struct sysctls *one = begin_shared("one"), *two;

    (void)unused;
    assert_int_equal(sysctls_set(one, FORWARD, "1", &err), 0);
    sysctls_destroy(one);
    two = begin_shared("two");
    assert_int_equal(sysctls_set(two, FORWARD, "1", &err), 0);
    assert_int_equal(sysctls_restore_all(two, NULL, &err), 0);
    sysctls_destroy(two);
    assert_string_equal(value(FORWARD), "1");
    one = begin_shared("one");
    assert_int_equal(sysctls_restore_all(one, NULL, &err), 0);
    assert_string_equal(value(FORWARD), "0");
    assert_int_equal(files_shared(), 0);
    sysctls_destroy(one);
}

static void a_setting_that_somebody_undid_is_still_put_back_as_it_was(void **unused)
{
    struct sysctls *one = begin_shared("one"), *two = begin_shared("two");

    (void)unused;
    assert_int_equal(sysctls_set(one, OTHER, "1", &err), 0);
    write_file(proc, OTHER, "0\n");
    assert_int_equal(sysctls_set(two, OTHER, "1", &err), 0);
    assert_string_equal(value(OTHER), "1");
    assert_int_equal(sysctls_restore_all(one, NULL, &err), 0);
    assert_int_equal(sysctls_restore_all(two, NULL, &err), 0);
    assert_string_equal(value(OTHER), "2");
    sysctls_destroy(one);
    sysctls_destroy(two);
}

/* What stands in the state folder of one, kept when it could not be shared. */
static void kept_before(const char *text)
{
    char path[200];

    snprintf(path, sizeof path, "%s/one", state);
    assert_int_equal(mkdir(path, 0700), 0);
    write_file(path, SYSCTL_FILE, text);
    write_file(proc, FORWARD, "1\n");
}

static void what_was_kept_unshared_is_shared_once(void **unused)
{
    struct sysctls *one, *two;

    (void)unused;
    kept_before("first-boot\n" FORWARD " 0\n");
    one = begin_shared("one");
    assert_false(is_there("one/" SYSCTL_FILE));
    assert_int_equal(files_shared(), 1);
    two = begin_shared("two");
    assert_int_equal(sysctls_set(two, FORWARD, "1", &err), 0);
    assert_int_equal(sysctls_restore_all(one, NULL, &err), 0);
    assert_string_equal(value(FORWARD), "1");
    assert_int_equal(sysctls_restore_all(two, NULL, &err), 0);
    assert_string_equal(value(FORWARD), "0");
    assert_int_equal(files_shared(), 0);
    sysctls_destroy(one);
    sysctls_destroy(two);
}

static void what_is_shared_already_is_not_taken_over(void **unused)
{
    struct sysctls *one = begin_shared("one");
    char path[200];

    (void)unused;
    assert_int_equal(sysctls_set(one, FORWARD, "1", &err), 0);
    sysctls_destroy(one);
    snprintf(path, sizeof path, "%s/one", state);
    write_file(path, SYSCTL_FILE, "first-boot\n" FORWARD " 7\n");
    one = begin_shared("one");
    assert_false(is_there("one/" SYSCTL_FILE));
    assert_int_equal(sysctls_restore(one, FORWARD, &err), 0);
    assert_string_equal(value(FORWARD), "0");
    assert_int_equal(files_shared(), 0);
    sysctls_destroy(one);
}

static void what_another_boot_kept_unshared_is_not_taken_over(void **unused)
{
    struct sysctls *one;

    (void)unused;
    kept_before("earlier-boot\n" FORWARD " 0\n");
    one = begin_shared("one");
    assert_int_equal(files_shared(), 0);
    assert_int_equal(sysctls_restore_all(one, NULL, &err), 0);
    assert_string_equal(value(FORWARD), "1");
    sysctls_destroy(one);
}

static void what_somebody_else_kept_unshared_is_not_taken_over(void **unused)
{
    struct sysctls *one;
    char path[200];

    (void)unused;
    kept_before("first-boot\n" FORWARD " 0\n");
    snprintf(path, sizeof path, "%s/one/" SYSCTL_FILE, state);
    if (chown(path, 64711, 64711) < 0)
        skip();
    one = begin_shared("one");
    assert_true(is_there("one/" SYSCTL_FILE));
    assert_int_equal(files_shared(), 0);
    sysctls_destroy(one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_setting_is_put_back_and_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(one_may_be_left_for_another_to_put_back, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_so_already_is_not_ours, setup, teardown),
        cmocka_unit_test_setup_teardown(whoever_comes_after_a_crash_knows_what_was, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(another_boot_has_its_own_settings, setup, teardown),
        cmocka_unit_test_setup_teardown(what_can_not_be_set_or_kept_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(a_setting_that_is_gone_is_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_of_somebody_else_is_ignored, setup, teardown),
        cmocka_unit_test_setup_teardown(the_last_one_that_needs_a_setting_puts_it_back, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(one_that_crashed_still_needs_its_settings, setup, teardown),
        cmocka_unit_test_setup_teardown(a_setting_that_somebody_undid_is_still_put_back_as_it_was,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_leads_to_nothing_but_settings, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_kept_unshared_is_shared_once, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_shared_already_is_not_taken_over, setup, teardown),
        cmocka_unit_test_setup_teardown(what_another_boot_kept_unshared_is_not_taken_over, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_somebody_else_kept_unshared_is_not_taken_over, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
