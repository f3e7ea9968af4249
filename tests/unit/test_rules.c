/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wg-setup/rules.h"

static char buffer[4096];

static const char *written(int64_t user)
{
    struct rules rules;
    FILE *out = fmemopen(buffer, sizeof buffer, "w");

    assert_non_null(out);
    rules_init(&rules, "pg0", user);
    rules_write(out, &rules);
    assert_int_equal(fclose(out), 0);
    return buffer;
}

/* The place after a crash is the same, before main's rule (32766), and seldom another interface's.
 */
static void a_place_follows_from_the_name(void **state)
{
    struct rules one, again, other;

    (void)state;
    rules_init(&one, "pg0", 7);
    rules_init(&again, "pg0", -1);
    rules_init(&other, "pg1", 7);
    assert_int_equal(one.table, again.table);
    assert_int_equal(one.priority, again.priority);
    assert_true(one.table != other.table);
    assert_true(one.priority >= other.priority + 8 || other.priority >= one.priority + 8);
    for (char name[] = "a"; name[0] <= 'z'; name[0]++) {
        rules_init(&other, name, 7);
        assert_in_range(other.priority, 29000, 32200);
    }
}

static void who_came_from_beside_is_answered_beside(void **state)
{
    const char *text = written(64711);

    (void)state;
    assert_non_null(strstr(text,
                           "iifname != \"pg0\" ct direction original ct mark 0 fib daddr type "
                           "local ct mark set 0x5047\n"));
    assert_non_null(strstr(text, "output ct mark 0x5047 meta mark 0 meta mark set 0x5047\n"));
    assert_non_null(
        strstr(text, "prerouting iifname != \"pg0\" ct mark 0x5047 meta mark set 0x5047\n"));
    assert_non_null(strstr(text, "output { type route hook output priority mangle;"));
}

static void helpers_are_marked_where_their_user_is_known(void **state)
{
    (void)state;
    assert_non_null(strstr(written(64711), "meta skuid 64711 ct mark 0 ct mark set 0x5047\n"));
    assert_null(strstr(written(-1), "skuid"));
}

/* Said twice it is the same: what stands is emptied first. */
static void chains_are_emptied_before_they_are_filled(void **state)
{
    const char *text = written(64711);

    (void)state;
    assert_true(strstr(text, "flush chain inet punchguard-routes_pg0 output\n") <
                strstr(text, "add rule inet punchguard-routes_pg0 output"));
    assert_true(strstr(text, "flush chain inet punchguard-routes_pg0 prerouting\n") <
                strstr(text, "add rule inet punchguard-routes_pg0 prerouting"));
    assert_null(strchr(strstr(text, "add rule"), '@'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_place_follows_from_the_name),
        cmocka_unit_test(who_came_from_beside_is_answered_beside),
        cmocka_unit_test(helpers_are_marked_where_their_user_is_known),
        cmocka_unit_test(chains_are_emptied_before_they_are_filled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
