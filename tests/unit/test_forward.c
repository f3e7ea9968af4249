/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_comes_from_the_tunnel_and_leaves_it_is_masqueraded),
        cmocka_unit_test(a_default_route_that_a_router_announced_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
