/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "broker/handshake.h"

static const struct protocol_range ours = {PROTOCOL_VERSION_MIN, PROTOCOL_VERSION};

static struct message_hello hello_of(char *role, char **capabilities, size_t count)
{
    return (struct message_hello){.protocol = PROTOCOL_VERSION,
                                  .protocol_max = MESSAGE_ABSENT,
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

            assert_int_equal(handshake_check(&hello, roles[due], NULL, &ours, &err), right);
            if (right == HANDSHAKE_OK)
                continue;
            assert_string_equal(err.code, "wrong-role");
            assert_non_null(strstr(err.message, names[is]));
            assert_non_null(strstr(err.message, names[due]));
        }
    }
}

static void the_highest_protocol_that_both_speak_is_chosen(void **state)
{
    /* What a helper offers, what the broker speaks, what comes of it. */
    const struct {
        int64_t protocol, protocol_max;
        struct protocol_range ours;
        int64_t chosen;
    } cases[] = {
        {1, MESSAGE_ABSENT, {1, 1}, 1}, /* today's two */
        {1, MESSAGE_ABSENT, {1, 2}, 1}, /* today's helper, tomorrow's broker */
        {1, 2, {1, 1}, 1},              /* tomorrow's helper, today's broker */
        {1, 2, {1, 2}, 2},
        {2, 3, {1, 2}, 2},
        {1, 3, {2, 2}, 2},
        {2, MESSAGE_ABSENT, {1, 1}, 0},
        {1, MESSAGE_ABSENT, {2, 3}, 0},
        {3, 4, {1, 2}, 0},
        {2, 1, {1, 2}, 0}, /* the wrong way round */
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct message_hello hello = hello_of("signal", NULL, 0);
        struct error err;

        hello.protocol = cases[i].protocol;
        hello.protocol_max = cases[i].protocol_max;
        assert_int_equal(handshake_protocol(&hello, &cases[i].ours), cases[i].chosen);
        assert_int_equal(handshake_check(&hello, ROLE_SIGNAL, NULL, &cases[i].ours, &err),
                         cases[i].chosen ? HANDSHAKE_OK : HANDSHAKE_WRONG);
        if (cases[i].chosen == 0)
            assert_string_equal(err.code, "protocol-version");
    }
}

static void assert_says(int64_t protocol, int64_t protocol_max, struct protocol_range speaks,
                        const char *wanted)
{
    struct message_hello hello = hello_of("signal", NULL, 0);
    struct error err;

    hello.protocol = protocol;
    hello.protocol_max = protocol_max;
    assert_int_equal(handshake_check(&hello, ROLE_SIGNAL, NULL, &speaks, &err), HANDSHAKE_WRONG);
    if (strstr(err.message, wanted) == NULL)
        fail_msg("'%s', not '%s'", err.message, wanted);
}

static void without_a_common_protocol_it_is_said_who_is_older(void **state)
{
    (void)state;
    assert_says(
        3, MESSAGE_ABSENT, (struct protocol_range){1, 1},
        "'helper' 1.2 speaks protocol 3, this broker speaks 1: the broker is older, install "
        "both of the same release");
    assert_says(1, 2, (struct protocol_range){3, 4},
                "speaks protocol 1 to 2, this broker speaks 3 to 4: the helper is older");
}

static void a_starred_capability_must_be_known(void **state)
{
    char *items[] = {"datagrams", "*sealed", "*future"};
    const char *const all[] = {"*future", "*sealed", NULL};
    const char *const some[] = {"*sealed", NULL};
    struct message_hello hello = hello_of("signal", items, 3);
    struct error err;

    (void)state;
    assert_int_equal(handshake_check(&hello, ROLE_SIGNAL, all, &ours, &err), HANDSHAKE_OK);
    assert_int_equal(handshake_check(&hello, ROLE_SIGNAL, some, &ours, &err), HANDSHAKE_REFUSED);
    assert_string_equal(err.code, "unknown-capability");
    assert_non_null(strstr(err.message, "'*future'"));
    assert_int_equal(handshake_check(&hello, ROLE_SIGNAL, NULL, &ours, &err), HANDSHAKE_REFUSED);
    assert_non_null(strstr(err.message, "'*sealed'"));
}

static void a_plain_capability_may_be_unknown(void **state)
{
    char *items[] = {"datagrams", "a*b"};
    struct message_hello hello = hello_of("signal", items, 2);
    struct error err;

    (void)state;
    assert_int_equal(handshake_check(&hello, ROLE_SIGNAL, NULL, &ours, &err), HANDSHAKE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_role_fits_itself_alone),
        cmocka_unit_test(the_highest_protocol_that_both_speak_is_chosen),
        cmocka_unit_test(without_a_common_protocol_it_is_said_who_is_older),
        cmocka_unit_test(a_starred_capability_must_be_known),
        cmocka_unit_test(a_plain_capability_may_be_unknown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
