/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * In a network namespace of its own; skipped where it may not make one.
 */
#include <errno.h>
#include <ifaddrs.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <linux/rtnetlink.h>

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
        assert_int_equal(address_route("t0", &to, RT_TABLE_MAIN, true, &err), 0);
        assert_int_equal(address_route("t0", &to6, RT_TABLE_MAIN, true, &err), 0);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(address_route("t0", &to, RT_TABLE_MAIN, false, &err), 0);
        assert_int_equal(address_route("t0", &to6, RT_TABLE_MAIN, false, &err), 0);
    }
}

static bool has(const char *address)
{
    struct ifaddrs *list;
    bool found = false;

    assert_int_equal(getifaddrs(&list), 0);
    for (struct ifaddrs *item = list; item != NULL; item = item->ifa_next) {
        struct endpoint endpoint;

        if (item->ifa_addr != NULL && endpoint_from_sockaddr(&endpoint, item->ifa_addr) == 0)
            found |= strcmp(endpoint.address, address) == 0;
    }
    freeifaddrs(list);
    return found;
}

static void addresses_that_are_not_kept_go(void **state)
{
    static const char *const texts[] = {"10.66.0.1/24", "10.66.0.9/24", "10.67.0.1/32",
                                        "fd00::1/64", "fd00::2/64"};
    struct prefix keep[] = {prefix("10.66.0.9/24"), prefix("fd00::2/64")};

    (void)state;
    need_link();
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct prefix address = prefix(texts[i]);

        assert_int_equal(address_add("t0", &address, &err), 0);
    }
    assert_int_equal(address_keep("t0", keep, 2, &err), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(address_add("t0", &keep[i], &err), 0);
    assert_true(has("10.66.0.9"));
    assert_true(has("fd00::2"));
    assert_false(has("10.66.0.1"));
    assert_false(has("10.67.0.1"));
    assert_false(has("fd00::1"));
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
        cmocka_unit_test_setup_teardown(addresses_that_are_not_kept_go, setup, teardown),
        cmocka_unit_test_setup_teardown(addresses_on_links_that_are_up_are_ours, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
