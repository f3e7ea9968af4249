/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "signal-dht/seal.h"

enum { LENGTH = 7 };

static const uint8_t plain[LENGTH] = "message";

static struct seal seal_of(uint8_t byte)
{
    uint8_t rendezvous[SEAL_RENDEZVOUS_BYTES];
    struct seal seal;

    memset(rendezvous, byte, sizeof rendezvous);
    seal_init(&seal, rendezvous);
    return seal;
}

static void both_sides_open_what_they_seal(void **state)
{
    struct seal alice = seal_of(0x5a), bob = seal_of(0x5a);
    uint8_t sealed[LENGTH + SEAL_OVERHEAD], opened[LENGTH];

    (void)state;
    seal_close(&alice, plain, LENGTH, sealed);
    assert_int_equal(seal_open(&bob, sealed, sizeof sealed, opened), 0);
    assert_memory_equal(opened, plain, LENGTH);
    assert_memory_equal(alice.place, bob.place, SEAL_PLACE_BYTES);
}

/* What is in the field must still be met by later versions. */
static void the_place_and_the_key_are_keyed_blake2b(void **state)
{
    static const char place[] = "8c1205bb301c4dcb6509db2234d5a3125a11efeb";
    struct seal seal = seal_of(0x5a);
    char hex[2 * SEAL_PLACE_BYTES + 1];

    (void)state;
    sodium_bin2hex(hex, sizeof hex, seal.place, SEAL_PLACE_BYTES);
    assert_string_equal(hex, place);
    sodium_bin2hex(hex, sizeof hex, seal.key, 4);
    assert_string_equal(hex, "227e7205");
}

static void the_same_text_looks_different_each_time(void **state)
{
    struct seal seal = seal_of(0x5a);
    uint8_t one[LENGTH + SEAL_OVERHEAD], two[LENGTH + SEAL_OVERHEAD];

    (void)state;
    seal_close(&seal, plain, LENGTH, one);
    seal_close(&seal, plain, LENGTH, two);
    assert_memory_not_equal(one, two, sizeof one);
}

static void others_and_changed_values_do_not_open(void **state)
{
    struct seal alice = seal_of(0x5a), eve = seal_of(0x5b);
    uint8_t sealed[LENGTH + SEAL_OVERHEAD], opened[LENGTH];

    (void)state;
    assert_memory_not_equal(alice.place, eve.place, SEAL_PLACE_BYTES);
    seal_close(&alice, plain, LENGTH, sealed);
    assert_int_equal(seal_open(&eve, sealed, sizeof sealed, opened), -EBADMSG);
    for (size_t i = 0; i < sizeof sealed; i++) {
        sealed[i] ^= 1;
        assert_int_equal(seal_open(&alice, sealed, sizeof sealed, opened), -EBADMSG);
        sealed[i] ^= 1;
    }
    for (size_t length = 0; length < sizeof sealed; length++)
        assert_int_equal(seal_open(&alice, sealed, length, opened), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_open_what_they_seal),
        cmocka_unit_test(the_place_and_the_key_are_keyed_blake2b),
        cmocka_unit_test(the_same_text_looks_different_each_time),
        cmocka_unit_test(others_and_changed_values_do_not_open),
    };

    return sodium_init() < 0 || cmocka_run_group_tests(tests, NULL, NULL);
}
