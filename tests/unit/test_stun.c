/* SPDX-License-Identifier: GPL-3.0-or-later */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_rfc_8489s_header_with_nothing_in_it),
        cmocka_unit_test(an_indication_has_the_cookie_and_never_the_same_transaction),
        cmocka_unit_test(only_a_success_response_to_our_own_request_counts),
    };

    if (sodium_init() < 0)
        return 99;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
