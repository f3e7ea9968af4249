/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "signal-lan/seal.h"

static struct seal_keys keys_of(uint8_t byte)
{
    uint8_t rendezvous[RENDEZVOUS_BYTES];
    struct seal_keys keys;

    memset(rendezvous, byte, sizeof rendezvous);
    seal_keys_derive(&keys, rendezvous);
    return keys;
}

static void what_one_side_seals_the_other_opens(void **state)
{
    struct seal_keys ours = keys_of(1), theirs = keys_of(1);
    uint8_t body[SEAL_BODY_MAX], packet[SEAL_PACKET_MAX], opened[SEAL_BODY_MAX];

    (void)state;
    randombytes_buf(body, sizeof body);
    for (size_t length = 0; length <= SEAL_BODY_MAX; length += 128) {
        assert_int_equal(seal_close(&ours, body, length, packet), length + SEAL_OVERHEAD);
        assert_true(seal_is_tagged(&theirs, packet, length + SEAL_OVERHEAD));
        assert_int_equal(seal_open(&theirs, packet, length + SEAL_OVERHEAD, opened), length);
        assert_memory_equal(opened, body, length);
    }
}

static void another_rendezvous_opens_nothing(void **state)
{
    struct seal_keys ours = keys_of(1), other = keys_of(2);
    uint8_t packet[SEAL_PACKET_MAX], opened[SEAL_BODY_MAX];
    size_t length = seal_close(&ours, (const uint8_t *)"hello", 5, packet);

    (void)state;
    assert_false(seal_is_tagged(&other, packet, length));
    assert_int_equal(seal_open(&other, packet, length, opened), -EBADMSG);
}

static void a_changed_byte_or_length_is_noticed(void **state)
{
    struct seal_keys keys = keys_of(1);
    uint8_t packet[SEAL_PACKET_MAX + 1] = {0}, opened[SEAL_BODY_MAX];
    size_t length = seal_close(&keys, (const uint8_t *)"hello", 5, packet);

    (void)state;
    for (size_t i = 0; i < length; i++) {
        packet[i] ^= 1;
        assert_int_equal(seal_open(&keys, packet, length, opened), -EBADMSG);
        packet[i] ^= 1;
    }
    for (size_t cut = 0; cut < length; cut++)
        assert_int_equal(seal_open(&keys, packet, cut, opened), -EBADMSG);
    assert_int_equal(seal_open(&keys, packet, length + 1, opened), -EBADMSG);
    assert_int_equal(seal_open(&keys, packet, sizeof packet, opened), -EBADMSG);
    assert_int_equal(seal_open(&keys, packet, length, opened), 5);
}

/* Any four bytes at the same place in two packets would do to follow a device. */
static void packets_of_the_same_pair_have_nothing_in_common(void **state)
{
    struct seal_keys keys = keys_of(1);
    uint8_t body[64] = {0}, one[SEAL_PACKET_MAX], two[SEAL_PACKET_MAX];
    size_t length = seal_close(&keys, body, sizeof body, one);

    (void)state;
    seal_close(&keys, body, sizeof body, two);
    for (size_t i = 0; i + 4 <= length; i += 4)
        assert_memory_not_equal(one + i, two + i, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_side_seals_the_other_opens),
        cmocka_unit_test(another_rendezvous_opens_nothing),
        cmocka_unit_test(a_changed_byte_or_length_is_noticed),
        cmocka_unit_test(packets_of_the_same_pair_have_nothing_in_common),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
