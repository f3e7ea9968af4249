/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ice-agent/turn.h"

#define SERVER(more)                                                                               \
    "[{\"server\":\"203.0.113.1\",\"username\":\"u\",\"password\":\"secret\"" more "}]"

static void servers_are_counted(void **state)
{
    static const struct {
        const char *text;
        size_t count;
    } cases[] = {
        {"[]", 0},
        {SERVER(""), 1},
        {SERVER(",\"transport\":\"udp\""), 1},
        {SERVER(",\"transport\":\"tcp\""), 1},
        {SERVER(",\"transport\":\"tls\""), 1},
        {"[{\"server\":\"a.example:3479\",\"username\":\"u\",\"password\":\"p\"},"
         "{\"server\":\"[2001:db8::1]:443\",\"username\":\"u\",\"password\":\"p\"}]",
         2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t count = 99;

        assert_int_equal(turn_check(cases[i].text, &count, NULL), 0);
        assert_int_equal(count, cases[i].count);
    }
}

static void what_is_wrong_is_named_with_its_place(void **state)
{
    static const struct {
        const char *text, *place, *what;
    } cases[] = {
        {"{}", "turn: ", "array"},
        {"[", "turn: ", "line 1"},
        {"[5]", "[0]", "object"},
        {"[{\"username\":\"u\",\"password\":\"secret\"}]", "[0]", "server"},
        {"[{\"server\":\"a.example\",\"password\":\"secret\"}]", "[0]", "username"},
        {"[{\"server\":\"a.example\",\"username\":\"u\"}]", "[0]", "password"},
        {"[{\"server\":5,\"username\":\"u\",\"password\":\"secret\"}]", "[0].server", "string"},
        {"[{\"server\":\"a:0\",\"username\":\"u\",\"password\":\"secret\"}]", "[0].server", "a:0"},
        {"[{\"server\":\"a\",\"username\":\"\",\"password\":\"secret\"}]", "[0].username", "508"},
        {"[{\"server\":\"a\",\"username\":\"u\",\"password\":\"\"}]", "[0].password", "508"},
        {SERVER(",\"transport\":\"quic\""), "[0].transport", "udp, tcp, tls"},
        {SERVER(",\"transport\":5"), "[0].transport", "string"},
        {SERVER(",\"user\":\"x\""), "[0]", "user"},
        {SERVER(",\"username\":\"again\""), "turn: ", "username"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = {.message = ""};
        size_t count;

        if (turn_check(cases[i].text, &count, &err) != -EINVAL)
            fail_msg("accepted: %s", cases[i].text);
        if (strstr(err.message, cases[i].place) == NULL ||
            strstr(err.message, cases[i].what) == NULL)
            fail_msg("%s: %s", cases[i].text, err.message);
        assert_null(strstr(err.message, "secret"));
    }
}

static void at_most_16_servers_are_right(void **state)
{
    char text[4096] = "[";
    size_t count;

    (void)state;
    for (int i = 0; i < 16; i++)
        sprintf(text + strlen(text), "%s{\"server\":\"a\",\"username\":\"u\",\"password\":\"p\"}",
                i ? "," : "");
    strcat(text, "]");
    assert_int_equal(turn_check(text, &count, NULL), 0);
    strcpy(text + strlen(text) - 1, ",{\"server\":\"a\",\"username\":\"u\",\"password\":\"p\"}]");
    assert_int_equal(turn_check(text, &count, NULL), -EINVAL);
}

static void names_and_passwords_have_508_bytes_at_most(void **state)
{
    char text[2048];
    size_t count;

    (void)state;
    snprintf(text, sizeof text, "[{\"server\":\"a\",\"username\":\"%0508d\",\"password\":\"p\"}]",
             1);
    assert_int_equal(turn_check(text, &count, NULL), 0);
    snprintf(text, sizeof text, "[{\"server\":\"a\",\"username\":\"%0509d\",\"password\":\"p\"}]",
             1);
    assert_int_equal(turn_check(text, &count, NULL), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(servers_are_counted),
        cmocka_unit_test(what_is_wrong_is_named_with_its_place),
        cmocka_unit_test(at_most_16_servers_are_right),
        cmocka_unit_test(names_and_passwords_have_508_bytes_at_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
