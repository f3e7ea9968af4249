/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "punchguard/echo.h"

static const struct echo ipv4 = {.family = AF_INET, .id = 0x1234, .mark = 42};
static const struct echo ipv4_raw = {.family = AF_INET, .raw = true, .id = 0x1234, .mark = 42};
static const struct echo ipv6 = {.family = AF_INET6, .raw = true, .id = 0x1234, .mark = 42};

static uint16_t sum_of(const uint8_t *data, size_t length)
{
    uint32_t sum = 0;

    for (size_t i = 0; i + 1 < length; i += 2)
        sum += (uint32_t)data[i] << 8 | data[i + 1];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

static void a_request_has_the_checksum_of_rfc_1071(void **state)
{
    uint8_t data[ECHO_BYTES];

    (void)state;
    echo_write(&ipv4, 0x0102, data);
    assert_int_equal(data[0], 8);
    assert_int_equal(data[6] << 8 | data[7], 0x0102);
    assert_int_equal(sum_of(data, sizeof data), 0xffff);
    echo_write(&ipv6, 1, data);
    assert_int_equal(data[0], 128);
}

static void an_answer_is_known_by_its_mark(void **state)
{
    struct echo other = ipv4;
    uint8_t data[ECHO_BYTES];

    (void)state;
    echo_write(&ipv4, 777, data);
    assert_int_equal(echo_read(&ipv4, data, sizeof data), -1); /* our own request */
    data[0] = 0;
    assert_int_equal(echo_read(&ipv4, data, sizeof data), 777);
    other.mark++;
    assert_int_equal(echo_read(&other, data, sizeof data), -1);
    for (size_t length = 0; length < sizeof data; length++)
        assert_int_equal(echo_read(&ipv4, data, length), -1);
}

static void a_raw_socket_gives_the_header_of_ipv4_too(void **state)
{
    uint8_t data[24 + ECHO_BYTES] = {0x46}; /* with 4 bytes of options */

    (void)state;
    echo_write(&ipv4_raw, 9, data + 24);
    data[24] = 0;
    assert_int_equal(echo_read(&ipv4_raw, data, sizeof data), 9);
    assert_int_equal(echo_read(&ipv4_raw, data, 30), -1);
    assert_int_equal(echo_read(&ipv4_raw, data, 0), -1);
    data[0] = 0x4f; /* longer than what is there */
    assert_int_equal(echo_read(&ipv4_raw, data, 40), -1);
    data[0] = 0x41;
    assert_int_equal(echo_read(&ipv4_raw, data, sizeof data), -1);
    echo_write(&ipv6, 9, data);
    data[0] = 129;
    assert_int_equal(echo_read(&ipv6, data, ECHO_BYTES), 9);
}

static void only_numeric_addresses_are_pinged(void **state)
{
    struct echo echo;
    struct error err;

    (void)state;
    assert_true(echo_open(&echo, "example.org", &err) < 0);
    assert_int_equal(echo.fd, -1);
    echo_close(&echo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_has_the_checksum_of_rfc_1071),
        cmocka_unit_test(an_answer_is_known_by_its_mark),
        cmocka_unit_test(a_raw_socket_gives_the_header_of_ipv4_too),
        cmocka_unit_test(only_numeric_addresses_are_pinged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
