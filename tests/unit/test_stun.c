/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "ice-agent/stun.h"

static const uint8_t transaction[STUN_TRANSACTION_BYTES] = "0123456789abcdef";

static void a_request_is_rfc_8489s_header_with_nothing_in_it(void **state)
{
    static const uint8_t right[STUN_HEADER_BYTES] = "\x00\x01\x00\x00"
                                                    "0123456789abcdef";
    uint8_t packet[STUN_HEADER_BYTES];

    (void)state;
    stun_make_request(packet, transaction);
    assert_memory_equal(packet, right, sizeof right);
}

static void an_indication_has_the_cookie_and_never_the_same_transaction(void **state)
{
    uint8_t one[STUN_HEADER_BYTES], other[STUN_HEADER_BYTES];

    (void)state;
    stun_make_indication(one);
    stun_make_indication(other);
    assert_memory_equal(one, "\x00\x11\x00\x00\x21\x12\xA4\x42", 8);
    assert_memory_not_equal(one + 8, other + 8, 12);
}

static void only_a_success_response_to_our_own_request_counts(void **state)
{
    uint8_t packet[64] = "\x01\x01\x00\x00"
                         "0123456789abcdef";

    (void)state;
    assert_true(stun_is_response(packet, STUN_HEADER_BYTES, transaction));
    assert_true(stun_is_response(packet, sizeof packet, transaction));
    for (size_t length = 0; length < STUN_HEADER_BYTES; length++)
        assert_false(stun_is_response(packet, length, transaction));
    for (size_t i = 0; i < STUN_HEADER_BYTES; i++) {
        if (i == 2 || i == 3)
            continue; /* the length */
        packet[i] ^= 0x10;
        assert_false(stun_is_response(packet, sizeof packet, transaction));
        packet[i] ^= 0x10;
    }
}

static void a_transaction_has_the_cookie_and_is_never_the_same(void **state)
{
    uint8_t one[STUN_TRANSACTION_BYTES], other[STUN_TRANSACTION_BYTES];

    (void)state;
    stun_make_transaction(one);
    stun_make_transaction(other);
    assert_memory_equal(one, "\x21\x12\xA4\x42", 4);
    assert_memory_not_equal(one + 4, other + 4, 12);
}

static void a_change_request_has_rfc_5780s_attribute(void **state)
{
    static const uint8_t right[STUN_REQUEST_MAX] = "\x00\x01\x00\x08"
                                                   "0123456789abcdef"
                                                   "\x00\x03\x00\x04\x00\x00\x00\x06";
    uint8_t packet[STUN_REQUEST_MAX];

    (void)state;
    assert_int_equal(
        stun_make_change_request(packet, transaction, STUN_CHANGE_ADDRESS | STUN_CHANGE_PORT),
        sizeof right);
    assert_memory_equal(packet, right, sizeof right);
    assert_int_equal(stun_make_change_request(packet, transaction, STUN_CHANGE_PORT), sizeof right);
    assert_int_equal(packet[STUN_REQUEST_MAX - 1], 2);
    assert_int_equal(stun_make_change_request(packet, transaction, 0), STUN_HEADER_BYTES);
    assert_memory_equal(packet, "\x00\x01\x00\x00", 4);
}

/* A response of that type to `transaction`, with these attributes. */
static int read_response(struct stun_response *response, unsigned type, const void *attributes,
                         size_t length)
{
    uint8_t packet[256] = {(uint8_t)(type >> 8), (uint8_t)type, 0, (uint8_t)length};

    memcpy(packet + 4, transaction, sizeof transaction);
    memcpy(packet + STUN_HEADER_BYTES, attributes, length);
    return stun_read_response(response, packet, STUN_HEADER_BYTES + length, transaction);
}

#define READ(response, type, attributes)                                                           \
    read_response(response, type, attributes, sizeof attributes - 1)

static void assert_endpoint(const struct endpoint *endpoint, const char *text)
{
    char is[ENDPOINT_TEXT_SIZE];

    endpoint_format(endpoint, is);
    assert_string_equal(is, text);
}

/* The first bytes of the transaction, "0123", stand where the cookie would. */
#define XOR_MAPPED                                                                                 \
    "\x00\x20\x00\x08\x00\x01"                                                                     \
    "\xAC\x71\xFB\x31\x43\x34"
#define MAPPED "\x00\x01\x00\x08\x00\x01\x00\x07\x0A\x00\x00\x01"
#define OTHER  "\x80\x2C\x00\x08\x00\x01\x0D\x97\xCB\x00\x71\x0D"
#define ORIGIN "\x80\x2B\x00\x08\x00\x01\x0D\x96\xCB\x00\x71\x0B"

static void a_response_tells_the_mapped_the_other_and_its_own_endpoint(void **state)
{
    struct stun_response response;

    (void)state;
    assert_int_equal(READ(&response, 0x0101, ORIGIN XOR_MAPPED OTHER), 0);
    assert_false(response.refused);
    assert_endpoint(&response.mapped, "203.0.113.7:40000");
    assert_endpoint(&response.other, "203.0.113.13:3479");
    assert_endpoint(&response.origin, "203.0.113.11:3478");
}

static void an_ipv6_address_is_put_in_exclusive_or_with_cookie_and_transaction(void **state)
{
    struct stun_response response;
    uint8_t attribute[24] = "\x00\x20\x00\x14\x00\x02\xAC\x71";
    static const uint8_t address[16] = "\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x07";

    (void)state;
    for (size_t i = 0; i < sizeof address; i++)
        attribute[8 + i] = address[i] ^ transaction[i];
    assert_int_equal(read_response(&response, 0x0101, attribute, sizeof attribute), 0);
    assert_endpoint(&response.mapped, "[2001:db8::7]:40000");
}

/* A gateway that rewrites addresses in payloads finds only the plain one. */
static void the_plain_mapped_address_counts_where_it_is_alone(void **state)
{
    struct stun_response response;

    (void)state;
    assert_int_equal(READ(&response, 0x0101, MAPPED), 0);
    assert_endpoint(&response.mapped, "10.0.0.1:7");
    assert_int_equal(READ(&response, 0x0101, MAPPED XOR_MAPPED), 0);
    assert_endpoint(&response.mapped, "203.0.113.7:40000");
    assert_int_equal(READ(&response, 0x0101, XOR_MAPPED MAPPED), 0);
    assert_endpoint(&response.mapped, "203.0.113.7:40000");
}

static void of_two_attributes_alike_the_first_counts(void **state)
{
    struct stun_response response;

    (void)state;
    assert_int_equal(
        READ(&response, 0x0101, MAPPED "\x00\x01\x00\x08\x00\x01\x00\x09\x0A\x00\x00\x02"), 0);
    assert_endpoint(&response.mapped, "10.0.0.1:7");
}

static void attributes_that_we_do_not_know_are_passed_over(void **state)
{
    struct stun_response response;

    (void)state;
    assert_int_equal(READ(&response, 0x0101, "\x80\x22\x00\x05PION \0\0\0" XOR_MAPPED), 0);
    assert_endpoint(&response.mapped, "203.0.113.7:40000");
}

/* As servers with one address do. */
static void an_other_address_of_zeros_is_none(void **state)
{
    struct stun_response response;

    (void)state;
    assert_int_equal(READ(&response, 0x0101, "\x80\x2C\0\x08\0\x01\0\0\0\0\0\0" XOR_MAPPED), 0);
    assert_endpoint(&response.mapped, "203.0.113.7:40000");
    assert_int_equal(response.other.port, 0);
    assert_string_equal(response.other.address, "");
}

static void a_refusal_is_read_as_one(void **state)
{
    struct stun_response response;

    (void)state;
    assert_int_equal(READ(&response, 0x0111, "\x00\x09\x00\x04\x00\x00\x04\x14"), 0);
    assert_true(response.refused);
    assert_int_equal(response.mapped.port, 0);
}

static void broken_responses_are_none(void **state)
{
    static const struct {
        unsigned type;
        const char *attributes;
        size_t length;
    } cases[] = {
        {0x0101, "", 0},
        {0x0101, OTHER, 12},
        {0x0001, XOR_MAPPED, 12},
        {0x0101, "\x00\x20\x00", 3},
        {0x0101, XOR_MAPPED "\x80\x22\x00\x04", 16},
        {0x0101, XOR_MAPPED "\x80\x22\xFF\xFF", 16},
        {0x0101, "\x00\x20\x00\x08\x00\x03\xAC\x71\xFB\x31\x43\x34", 12},
        {0x0101, "\x00\x20\x00\x08\x00\x02\xAC\x71\xFB\x31\x43\x34", 12},
        {0x0101, "\x00\x20\x00\x04\x00\x01\xAC\x71", 8},
        {0x0101, "\x00\x20\x00\x00", 4},
        {0x0101, "\x00\x20\x00\x08\x00\x01\x30\x31\xFB\x31\x43\x34", 12}, /* port 0 */
    };
    struct stun_response response;
    uint8_t packet[] = "\x01\x01\x00\x0D"
                       "0123456789abcdef" XOR_MAPPED;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (read_response(&response, cases[i].type, cases[i].attributes, cases[i].length) !=
            -EBADMSG)
            fail_msg("case %zu was accepted", i);
    assert_int_equal(stun_read_response(&response, packet, 32, transaction), -EBADMSG);
    packet[3] = 12;
    assert_int_equal(stun_read_response(&response, packet, 32, transaction), 0);
    packet[19] ^= 1; /* another transaction */
    assert_int_equal(stun_read_response(&response, packet, 32, transaction), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_rfc_8489s_header_with_nothing_in_it),
        cmocka_unit_test(an_indication_has_the_cookie_and_never_the_same_transaction),
        cmocka_unit_test(only_a_success_response_to_our_own_request_counts),
        cmocka_unit_test(a_transaction_has_the_cookie_and_is_never_the_same),
        cmocka_unit_test(a_change_request_has_rfc_5780s_attribute),
        cmocka_unit_test(a_response_tells_the_mapped_the_other_and_its_own_endpoint),
        cmocka_unit_test(an_ipv6_address_is_put_in_exclusive_or_with_cookie_and_transaction),
        cmocka_unit_test(the_plain_mapped_address_counts_where_it_is_alone),
        cmocka_unit_test(of_two_attributes_alike_the_first_counts),
        cmocka_unit_test(attributes_that_we_do_not_know_are_passed_over),
        cmocka_unit_test(an_other_address_of_zeros_is_none),
        cmocka_unit_test(a_refusal_is_read_as_one),
        cmocka_unit_test(broken_responses_are_none),
    };

    if (sodium_init() < 0)
        return 99;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
