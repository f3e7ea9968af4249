/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "broker/handshake.h"

static struct message_hello hello_of(char *role, char **capabilities, size_t count)
{
    return (struct message_hello){.protocol = PROTOCOL_VERSION,
                                  .role = role,
                                  .name = "helper",
                                  .version = "1.2",
                                  .capabilities = {.items = capabilities, .count = count}};
}

static void each_role_fits_itself_alone(void **state)
{
    const enum role roles[] = {ROLE_SIGNAL, ROLE_ICE, ROLE_WG};
    char *names[] = {"signal", "ice", "wg"};
    struct error err;

    (void)state;
    for (int due = 0; due < 3; due++) {
        assert_string_equal(handshake_role_name(roles[due]), names[due]);
        for (int is = 0; is < 3; is++) {
            struct message_hello hello = hello_of(names[is], NULL, 0);
            enum handshake_result right = is == due ? HANDSHAKE_OK : HANDSHAKE_WRONG;

            assert_int_equal(handshake_check(&hello, roles[due], NULL, &err), right);
            if (right == HANDSHAKE_OK)
                continue;
            assert_string_equal(err.code, "wrong-role");
            assert_non_null(strstr(err.message, names[is]));
            assert_non_null(strstr(err.message, names[due]));
        }
    }
}

static void another_protocol_version_is_wrong(void **state)
{
    struct message_hello hello = hello_of("signal", NULL, 0);
    struct error err;

    (void)state;
    for (int64_t version = 0; version <= 3; version++) {
        hello.protocol = version;
        assert_int_equal(handshake_check(&hello, ROLE_SIGNAL, NULL, &err),
                         version == PROTOCOL_VERSION ? HANDSHAKE_OK : HANDSHAKE_WRONG);
    }
    assert_string_equal(err.code, "protocol-version");
    assert_non_null(strstr(err.message, "protocol 3"));
    assert_non_null(strstr(err.message, "speaks 1"));
    assert_non_null(strstr(err.message, "same release"));
}

static void a_starred_capability_must_be_known(void **state)
{
    char *items[] = {"datagrams", "*sealed", "*future"};
    const char *const all[] = {"*future", "*sealed", NULL};
    const char *const some[] = {"*sealed", NULL};
    struct message_hello hello = hello_of("signal", items, 3);
    struct error err;

    (void)state;
    assert_int_equal(handshake_check(&hello, ROLE_SIGNAL, all, &err), HANDSHAKE_OK);
    assert_int_equal(handshake_check(&hello, ROLE_SIGNAL, some, &err), HANDSHAKE_REFUSED);
    assert_string_equal(err.code, "unknown-capability");
    assert_non_null(strstr(err.message, "'*future'"));
    assert_int_equal(handshake_check(&hello, ROLE_SIGNAL, NULL, &err), HANDSHAKE_REFUSED);
    assert_non_null(strstr(err.message, "'*sealed'"));
}

static void a_plain_capability_may_be_unknown(void **state)
{
    char *items[] = {"datagrams", "a*b"};
    struct message_hello hello = hello_of("signal", items, 2);
    struct error err;

    (void)state;
    assert_int_equal(handshake_check(&hello, ROLE_SIGNAL, NULL, &err), HANDSHAKE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_role_fits_itself_alone),
        cmocka_unit_test(another_protocol_version_is_wrong),
        cmocka_unit_test(a_starred_capability_must_be_known),
        cmocka_unit_test(a_plain_capability_may_be_unknown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
