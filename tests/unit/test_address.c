/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * In a network namespace of its own; skipped where it may not make one.
 */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "wg-setup/address.h"

/* A kind that every kernel of a lab has. */
#define KIND "bridge"

static struct error err;

static struct prefix prefix(const char *text)
{
    struct prefix made;

    assert_int_equal(prefix_parse(&made, text, true, NULL), 0);
    return made;
}

static int setup(void **state)
{
    (void)state;
    return unshare(CLONE_NEWNET) < 0 ? 0 : address_link_add("t0", KIND, &err);
}

static int teardown(void **state)
{
    (void)state;
    return address_link_delete("t0", &err);
}

static void need_link(void)
{
    if (address_link_index("t0") == 0)
        skip();
}

static void a_link_has_its_kind_and_can_go_twice(void **state)
{
    char kind[32];

    (void)state;
    need_link();
    assert_int_equal(address_link_kind("t0", kind), 0);
    assert_string_equal(kind, KIND);
    assert_int_equal(address_link_add("t0", KIND, &err), -EEXIST);
    assert_int_equal(address_link_delete("t0", &err), 0);
    assert_int_equal(address_link_index("t0"), 0);
    assert_int_equal(address_link_kind("t0", kind), -ENODEV);
    assert_int_equal(address_link_delete("t0", &err), 0);
    assert_int_equal(address_link_up("t0", 1280, &err), -ENODEV);
}

static void what_is_so_already_is_no_error(void **state)
{
    struct prefix ipv4 = prefix("10.66.0.1/24"), ipv6 = prefix("fd00::1/64"),
                  to = prefix("10.77.0.0/16"), to6 = prefix("fd01::/64");

    (void)state;
    need_link();
    for (int i = 0; i < 2; i++) {
        assert_int_equal(address_link_up("t0", 1280, &err), 0);
        assert_int_equal(address_add("t0", &ipv4, &err), 0);
        assert_int_equal(address_add("t0", &ipv6, &err), 0);
        assert_int_equal(address_route("t0", &to, true, &err), 0);
        assert_int_equal(address_route("t0", &to6, true, &err), 0);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(address_route("t0", &to, false, &err), 0);
        assert_int_equal(address_route("t0", &to6, false, &err), 0);
    }
}

static void addresses_on_links_that_are_up_are_ours(void **state)
{
    struct prefix loopback = prefix("192.0.2.1/32");
    struct address_set set;

    (void)state;
    need_link();
    assert_int_equal(address_add("lo", &loopback, &err), 0);
    assert_int_equal(address_set_read(&set, "t0"), 0);
    assert_false(address_set_has(&set, "192.0.2.1"));
    address_set_clear(&set);
    assert_int_equal(address_link_up("lo", 65536, &err), 0);
    assert_int_equal(address_set_read(&set, "t0"), 0);
    assert_true(address_set_has(&set, "192.0.2.1"));
    assert_false(address_set_has(&set, "192.0.2.2"));
    address_set_clear(&set);
    assert_int_equal(address_set_read(&set, "lo"), 0);
    assert_false(address_set_has(&set, "192.0.2.1"));
    address_set_clear(&set);
    address_set_clear(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_link_has_its_kind_and_can_go_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_so_already_is_no_error, setup, teardown),
        cmocka_unit_test_setup_teardown(addresses_on_links_that_are_up_are_ours, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
