/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "punchguard/settings.h"

static char path[] = "/tmp/test-settings-XXXXXX";
static struct settings settings;
static struct error err;

static enum outcome read_text(const char *text, const char *socket)
{
    struct context context = {.config = path, .socket = socket};
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return settings_read(&context, false, &settings, &err);
}

static void the_socket_follows_from_the_configuration(void **state)
{
    (void)state;
    assert_int_equal(read_text("{\"peers\":[]}", NULL), OUTCOME_OK);
    assert_string_equal(settings.socket, "/run/punchguard/pg0.sock");
    assert_true(settings.there);
    assert_int_equal(read_text("{\"interface\":{\"name\":\"wg7\"}}", NULL), OUTCOME_OK);
    assert_string_equal(settings.socket, "/run/punchguard/wg7.sock");
    assert_int_equal(read_text("{\"control\":\"/run/x\",\"interface\":{\"name\":\"wg7\"}}", NULL),
                     OUTCOME_OK);
    assert_string_equal(settings.socket, "/run/x");
    assert_int_equal(read_text("{\"control\":\"/run/x\"}", "/run/y"), OUTCOME_OK);
    assert_string_equal(settings.socket, "/run/y");
}

static void a_wrong_configuration_is_told_with_its_place(void **state)
{
    (void)state;
    assert_int_equal(read_text("{\"control\":7}", NULL), OUTCOME_USAGE);
    assert_non_null(strstr(err.message, path));
    assert_non_null(strstr(err.message, "$.control"));
    assert_int_equal(read_text("{\"control\":\"x.sock\"}", NULL), OUTCOME_USAGE);
    assert_int_equal(read_text("{\"interface\":{\"name\":\"a/b\"}}", NULL), OUTCOME_USAGE);
    assert_int_equal(read_text("[]", NULL), OUTCOME_USAGE);
    assert_int_equal(read_text("{", NULL), OUTCOME_USAGE);
    assert_int_equal(read_text("{", "/run/y"), OUTCOME_OK); /* it is not needed */
}

static void one_that_was_named_must_be_there_unless_it_may_be_made(void **state)
{
    struct context named = {.config = "/nonexistent/conf.json"}, unnamed = {0};

    (void)state;
    assert_int_equal(settings_read(&named, false, &settings, &err), OUTCOME_USAGE);
    assert_int_equal(settings_read(&named, true, &settings, &err), OUTCOME_OK);
    assert_false(settings.there);
    assert_string_equal(settings.config, "/nonexistent/conf.json");
    assert_int_equal(settings_read(&unnamed, false, &settings, &err), OUTCOME_OK);
}

static void a_socket_path_that_does_not_fit_is_refused(void **state)
{
    char longest[200];

    (void)state;
    memset(longest, 'x', sizeof longest);
    longest[0] = '/';
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(read_text("{}", longest), OUTCOME_USAGE);
    longest[107] = '\0';
    assert_int_equal(read_text("{}", longest), OUTCOME_OK);
}

static void another_socket_than_the_configurations_is_told(void **state)
{
    (void)state;
    assert_int_equal(read_text("{\"control\":\"/run/x\"}", NULL), OUTCOME_OK);
    assert_false(settings.elsewhere);
    assert_int_equal(read_text("{\"control\":\"/run/x\"}", "/run/x"), OUTCOME_OK);
    assert_false(settings.elsewhere);
    assert_int_equal(read_text("{\"control\":\"/run/x\"}", "/run/y"), OUTCOME_OK);
    assert_true(settings.elsewhere);
}

static void a_socket_is_the_same_by_whatever_way_its_folder_is_named(void **state)
{
    char folder[] = "/tmp/test-settings-folder-XXXXXX", link[sizeof folder + 8];
    char text[128], socket[100];

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(link, sizeof link, "%s.link", folder);
    assert_int_equal(symlink(folder, link), 0);
    snprintf(text, sizeof text, "{\"control\":\"%s/x\"}", folder);
    snprintf(socket, sizeof socket, "%s/x", link);
    assert_int_equal(read_text(text, socket), OUTCOME_OK);
    assert_false(settings.elsewhere);
    snprintf(socket, sizeof socket, "%s/../%s/x", folder, strrchr(folder, '/') + 1);
    assert_int_equal(read_text(text, socket), OUTCOME_OK);
    assert_false(settings.elsewhere);
    snprintf(socket, sizeof socket, "%s/y", link);
    assert_int_equal(read_text(text, socket), OUTCOME_OK);
    assert_true(settings.elsewhere);
    assert_int_equal(read_text(text, "x"), OUTCOME_OK);
    assert_true(settings.elsewhere);
    unlink(link);
    rmdir(folder);
}

static void which_socket_a_configuration_names_that_cannot_be_read_is_not_known(void **state)
{
    struct context unreadable = {.config = "/tmp", .socket = "/run/y"};
    struct context missing = {.config = "/nonexistent/conf.json", .socket = "/run/y"};

    (void)state;
    assert_int_equal(settings_read(&unreadable, false, &settings, &err), OUTCOME_OK);
    assert_true(settings.uncertain);
    assert_int_equal(read_text("{", "/run/y"), OUTCOME_OK);
    assert_true(settings.uncertain);
    assert_int_equal(settings_read(&missing, false, &settings, &err), OUTCOME_OK);
    assert_false(settings.uncertain);
    assert_true(settings.elsewhere);
    assert_int_equal(read_text("{}", "/run/y"), OUTCOME_OK);
    assert_false(settings.uncertain);
}

static void why_a_configuration_could_not_be_read_is_told(void **state)
{
    struct context named = {.config = path}, missing = {.config = "/nonexistent/conf.json"};
    uid_t user = geteuid();

    (void)state;
    assert_int_equal(read_text("{}", NULL), OUTCOME_OK);
    assert_int_equal(settings.problem, 0);
    assert_int_equal(settings_read(&missing, true, &settings, &err), OUTCOME_OK);
    assert_int_equal(settings.problem, -ENOENT);
    assert_int_equal(chmod(path, 0), 0);
    assert_true(user != 0 || seteuid(65534) == 0);
    assert_int_equal(settings_read(&named, true, &settings, &err), OUTCOME_NOT_PERMITTED);
    assert_int_equal(settings.problem, -EACCES);
    assert_non_null(strstr(err.message, path));
    named.socket = "/run/y";
    assert_int_equal(settings_read(&named, true, &settings, &err), OUTCOME_OK);
    assert_int_equal(seteuid(user), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

static int make_file(void **state)
{
    int fd = mkstemp(path);

    (void)state;
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_socket_follows_from_the_configuration),
        cmocka_unit_test(a_wrong_configuration_is_told_with_its_place),
        cmocka_unit_test(one_that_was_named_must_be_there_unless_it_may_be_made),
        cmocka_unit_test(a_socket_path_that_does_not_fit_is_refused),
        cmocka_unit_test(another_socket_than_the_configurations_is_told),
        cmocka_unit_test(a_socket_is_the_same_by_whatever_way_its_folder_is_named),
        cmocka_unit_test(why_a_configuration_could_not_be_read_is_told),
        cmocka_unit_test(which_socket_a_configuration_names_that_cannot_be_read_is_not_known),
    };

    return cmocka_run_group_tests(tests, make_file, remove_file);
}
