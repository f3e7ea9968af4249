/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "wg-setup/forward.h"

static void only_what_comes_from_the_tunnel_and_leaves_it_is_masqueraded(void **state)
{
    static char text[2048];
    FILE *out = fmemopen(text, sizeof text, "w");

    (void)state;
    forward_write(out, "pg0");
    assert_int_equal(fclose(out), 0);
    assert_non_null(strstr(text, "iifname \"pg0\" oifname != \"pg0\" masquerade\n"));
    assert_non_null(strstr(text, "flush chain inet punchguard-forward_pg0 postrouting\n"));
}

#define ZEROS "00000000000000000000000000000000"
#define LINE(length, flags)                                                                        \
    ZEROS " " length " " ZEROS                                                                     \
          " 00 fe800000000000000000000000000001 00000400 00000001 00000000 " flags "     eth0\n"

/* RTF_DEFAULT 0x00010000 and RTF_ADDRCONF 0x00040000 (linux/ipv6_route.h). */
static void a_default_route_that_a_router_announced_is_known(void **state)
{
    char interface[INTERFACE_NAME_SIZE] = "";

    (void)state;
    assert_true(forward_is_announced(LINE("00", "00450003"), interface));
    assert_string_equal(interface, "eth0");
    assert_false(forward_is_announced(LINE("40", "00450003"), interface));
    assert_false(forward_is_announced(LINE("00", "00000003"), interface));
    assert_false(forward_is_announced(LINE("00", "00040001"), interface));
    assert_false(forward_is_announced("", interface));
    assert_false(forward_is_announced("word\n", interface));
}

/* A host */

static const char *const folders[] = {"/kernel",   "/kernel/random", "/net",
                                      "/net/ipv6", "/net/ipv6/conf", "/net/ipv6/conf/eth0",
                                      "/shared"};
static char root[64];
static struct error err;

static void accept_ra_path(char path[200])
{
    snprintf(path, 200, "%s/net/ipv6/conf/eth0/accept_ra", root);
}

static void accept_ra_write(const char *value)
{
    char path[200];
    FILE *file;

    accept_ra_path(path);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fprintf(file, "%s\n", value) > 0);
    fclose(file);
}

static int accept_ra(void)
{
    char path[200];
    FILE *file;
    int value;

    accept_ra_path(path);
    file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%d", &value), 1);
    fclose(file);
    return value;
}

static int setup(void **state)
{
    char path[200];

    (void)state;
    snprintf(root, sizeof root, "/tmp/test-forward-XXXXXX");
    if (mkdtemp(root) == NULL)
        return -1;
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        snprintf(path, sizeof path, "%s%s", root, folders[i]);
        if (mkdir(path, 0700) < 0)
            return -1;
    }
    return 0;
}

static int teardown(void **state)
{
    char command[200];

    (void)state;
    snprintf(command, sizeof command, "rm -r %s", root);
    return system(command);
}

static struct sysctls *begin(const char *who)
{
    struct sysctls *sysctls;
    char shared[200], folder[200];

    snprintf(shared, sizeof shared, "%s/shared", root);
    snprintf(folder, sizeof folder, "%s/%s", root, who);
    sysctls = sysctls_new(root, shared, folder, &err);
    if (sysctls == NULL)
        fail_msg("%s", err.message);
    return sysctls;
}

static void keep(struct sysctls *sysctls)
{
    static char routes[] = LINE("00", "00450003");
    FILE *file = fmemopen(routes, sizeof routes - 1, "r");

    assert_non_null(file);
    assert_int_equal(forward_keep_announced(sysctls, file, &err), 0);
    fclose(file);
}

static void an_announced_route_stays_until_nobody_forwards(void **state)
{
    struct sysctls *one = begin("one"), *two = begin("two");

    (void)state;
    accept_ra_write("1");
    keep(one);
    assert_int_equal(accept_ra(), 2);
    keep(two);
    assert_int_equal(sysctls_restore_all(one, NULL, &err), 0);
    assert_int_equal(accept_ra(), 2);
    assert_int_equal(sysctls_restore_all(two, NULL, &err), 0);
    assert_int_equal(accept_ra(), 1);
    sysctls_destroy(one);
    sysctls_destroy(two);
}

static void what_the_host_does_with_announcements_already_stays(void **state)
{
    static const char *const values[] = {"0", "2"};
    struct sysctls *one = begin("one");

    (void)state;
    for (int i = 0; i < 2; i++) {
        accept_ra_write(values[i]);
        keep(one);
        assert_int_equal(accept_ra(), atoi(values[i]));
        assert_int_equal(sysctls_restore_all(one, NULL, &err), 0);
        assert_int_equal(accept_ra(), atoi(values[i]));
    }
    sysctls_destroy(one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_comes_from_the_tunnel_and_leaves_it_is_masqueraded),
        cmocka_unit_test(a_default_route_that_a_router_announced_is_known),
        cmocka_unit_test_setup_teardown(an_announced_route_stays_until_nobody_forwards, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_the_host_does_with_announcements_already_stays, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
