/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ice-agent/addresses.h"

struct interface {
    const char *name, *address;
    bool point_to_point, preferred;
};

/* Chooses among them; the result as "ADDRESS ADDRESS …". */
static const char *choose(const struct interface *interfaces, size_t count, const char *exclude)
{
    static char text[2048];
    struct local_address all[64];
    struct addresses chosen;
    struct prefix prefix;

    for (size_t i = 0; i < count; i++) {
        assert_int_equal(endpoint_set(&all[i].endpoint, interfaces[i].address, 0), 0);
        snprintf(all[i].interface, sizeof all[i].interface, "%s", interfaces[i].name);
        all[i].point_to_point = interfaces[i].point_to_point;
        all[i].preferred = interfaces[i].preferred;
    }
    if (exclude != NULL)
        assert_int_equal(prefix_parse(&prefix, exclude, true, NULL), 0);
    addresses_choose(&chosen, all, count, &prefix, exclude != NULL);
    text[0] = '\0';
    for (size_t i = 0; i < chosen.count; i++)
        sprintf(text + strlen(text), "%s%s", i ? " " : "", chosen.items[i].address);
    return text;
}

#define CHOOSE(interfaces, exclude)                                                                \
    choose(interfaces, sizeof(interfaces) / sizeof(interfaces)[0], exclude)

static void what_means_nothing_elsewhere_is_left_out(void **state)
{
    static const struct interface interfaces[] = {
        {"lo", "127.0.0.1", false, false},         {"lo", "::1", false, false},
        {"eth0", "fe80::1", false, false},         {"eth0", "fec0::1", false, false},
        {"eth0", "::ffff:1.2.3.4", false, false},  {"eth0", "224.0.0.1", false, false},
        {"eth0", "255.255.255.255", false, false}, {"eth0", "0.0.0.0", false, false},
    };

    (void)state;
    assert_string_equal(CHOOSE(interfaces, NULL), "");
}

static void all_others_are_taken_in_their_order(void **state)
{
    static const struct interface interfaces[] = {
        {"wlan0", "192.168.1.7", false, false}, {"eth0", "203.0.113.7", false, false},
        {"eth0", "2001:db8::7", false, false},  {"eth0", "169.254.9.9", false, false},
        {"eth0", "fd00::7", false, false},      {"other0", "203.0.113.7", false, false},
    };

    (void)state;
    assert_string_equal(CHOOSE(interfaces, NULL),
                        "192.168.1.7 203.0.113.7 2001:db8::7 169.254.9.9 fd00::7");
}

static void interfaces_of_containers_and_machines_are_left_out(void **state)
{
    static const struct interface interfaces[] = {
        {"docker0", "172.17.0.1", false, false},   {"veth1a2b", "172.18.0.1", false, false},
        {"virbr0", "192.168.122.1", false, false}, {"vnet3", "10.0.0.1", false, false},
        {"eth0", "203.0.113.7", false, false},
    };

    (void)state;
    assert_string_equal(CHOOSE(interfaces, NULL), "203.0.113.7");
    assert_string_equal(choose(interfaces, 4, NULL), "");
}

static void our_own_tunnel_is_left_out(void **state)
{
    static const struct interface interfaces[] = {
        {"pg0", "10.66.0.1", true, false},
        {"eth0", "203.0.113.7", false, false},
    };

    (void)state;
    assert_string_equal(CHOOSE(interfaces, "10.66.0.1/24"), "203.0.113.7");
    assert_string_equal(choose(interfaces, 1, "10.66.0.1/24"), "");
}

static void any_punchguard_tunnel_is_left_out_unasked(void **state)
{
    static const struct interface interfaces[] = {
        {"pg1", "fd50:4755:4152:4400:1:2:3:4", true, false},
        {"eth0", "2001:db8::7", false, false},
    };

    (void)state;
    assert_string_equal(CHOOSE(interfaces, NULL), "2001:db8::7");
}

/* WireGuard in it would be slower than beside it. */
static void another_tunnel_is_left_out(void **state)
{
    static const struct interface interfaces[] = {
        {"eth0", "192.168.1.7", false, true},
        {"wg0", "10.77.0.1", true, false},
        {"wg0", "fd00::7", true, false},
        {"eth0", "2001:db8::7", false, false},
    };

    (void)state;
    assert_string_equal(CHOOSE(interfaces, NULL), "192.168.1.7 2001:db8::7");
}

static void a_tunnel_or_a_modem_that_leads_to_the_internet_is_taken(void **state)
{
    static const struct interface interfaces[] = {
        {"ppp0", "100.64.0.7", true, true},
        {"eth0", "192.168.1.7", false, false},
    };

    (void)state;
    assert_string_equal(CHOOSE(interfaces, NULL), "100.64.0.7 192.168.1.7");
}

static void a_tunnel_is_taken_where_its_family_has_nothing_else(void **state)
{
    static const struct interface interfaces[] = {
        {"pg0", "10.66.0.1", true, false},
        {"wg0", "10.77.0.1", true, false},
        {"wg0", "fd00::7", true, false},
        {"eth0", "2001:db8::7", false, false},
    };

    (void)state;
    assert_string_equal(CHOOSE(interfaces, "10.66.0.1/24"), "2001:db8::7 10.77.0.1");
}

/* We sit in the network that a peer was granted. */
static void an_excluded_network_comes_back_where_it_is_the_only_one(void **state)
{
    static const struct interface interfaces[] = {
        {"pg0", "192.168.1.200", true, false},
        {"eth0", "192.168.1.7", false, false},
    };

    (void)state;
    assert_string_equal(CHOOSE(interfaces, "192.168.1.0/24"), "192.168.1.7");
}

static void it_comes_back_for_its_family_alone(void **state)
{
    static const struct interface interfaces[] = {
        {"pg0", "192.168.1.200", true, false},
        {"eth0", "192.168.1.7", false, false},
        {"eth0", "2001:db8::7", false, false},
    };

    (void)state;
    assert_string_equal(CHOOSE(interfaces, "192.168.1.0/24"), "2001:db8::7 192.168.1.7");
}

static void the_first_ones_win_where_there_are_too_many(void **state)
{
    static char texts[ADDRESSES_MAX + 5][16];
    struct interface interfaces[ADDRESSES_MAX + 5];
    const char *chosen;

    (void)state;
    for (int i = 0; i < ADDRESSES_MAX + 5; i++) {
        snprintf(texts[i], sizeof texts[i], "203.0.113.%d", i + 1);
        interfaces[i] = (struct interface){"eth0", texts[i], false, false};
    }
    chosen = CHOOSE(interfaces, NULL);
    assert_memory_equal(chosen, "203.0.113.1 ", 12);
    assert_non_null(strstr(chosen, "203.0.113.10"));
    assert_null(strstr(chosen, "203.0.113.11"));
}

static void this_host_is_listed_without_loopback(void **state)
{
    struct addresses chosen;
    struct error err = {.message = ""};
    int rc = addresses_list(&chosen, NULL, 0, &err);

    (void)state;
    if (rc < 0) {
        assert_int_equal(rc, -EADDRNOTAVAIL);
        assert_non_null(strstr(err.message, "local_addresses"));
        return;
    }
    assert_true(chosen.count >= 1);
    for (size_t i = 0; i < chosen.count; i++)
        assert_false(endpoint_is_loopback(&chosen.items[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_means_nothing_elsewhere_is_left_out),
        cmocka_unit_test(all_others_are_taken_in_their_order),
        cmocka_unit_test(interfaces_of_containers_and_machines_are_left_out),
        cmocka_unit_test(our_own_tunnel_is_left_out),
        cmocka_unit_test(any_punchguard_tunnel_is_left_out_unasked),
        cmocka_unit_test(another_tunnel_is_left_out),
        cmocka_unit_test(a_tunnel_or_a_modem_that_leads_to_the_internet_is_taken),
        cmocka_unit_test(a_tunnel_is_taken_where_its_family_has_nothing_else),
        cmocka_unit_test(an_excluded_network_comes_back_where_it_is_the_only_one),
        cmocka_unit_test(it_comes_back_for_its_family_alone),
        cmocka_unit_test(the_first_ones_win_where_there_are_too_many),
        cmocka_unit_test(this_host_is_listed_without_loopback),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
