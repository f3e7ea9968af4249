/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "ice-agent/probe.h"

#define ALICE "alice-s-password-of-22+"
#define BOB   "bob-s-password-of-22-++"

/* Two ends of a pair, and the time, which starts anywhere but at 0. */
struct ends {
    struct probe alice, bob;
    int64_t now;
};

static int set_up(void **state)
{
    static struct ends ends;

    memset(&ends, 0, sizeof ends);
    probe_init(&ends.alice);
    probe_init(&ends.bob);
    probe_set_passwords(&ends.alice, ALICE, BOB);
    probe_set_passwords(&ends.bob, BOB, ALICE);
    ends.now = 1000000;
    probe_start(&ends.alice, ends.now);
    *state = &ends;
    return 0;
}

/* Alice asks, Bob answers `rtt` ms later. */
static void exchange(struct ends *ends, int64_t rtt)
{
    uint8_t ask[PROBE_BYTES], answer[PROBE_BYTES], none[PROBE_BYTES];

    assert_true(probe_ask(&ends->alice, ends->now, ask));
    assert_true(probe_receive(&ends->bob, ends->now + rtt / 2, ask, sizeof ask, answer));
    ends->now += rtt;
    assert_false(probe_receive(&ends->alice, ends->now, answer, sizeof answer, none));
}

/* Time goes on to Alice's next ask, which is lost; how long that took. */
static int64_t lose_next(struct ends *ends)
{
    int64_t wait = probe_deadline(&ends->alice) - ends->now;
    uint8_t ask[PROBE_BYTES];

    ends->now += wait;
    assert_true(probe_ask(&ends->alice, ends->now, ask));
    return wait;
}

static void a_packet_has_the_published_form(void **state)
{
    struct ends *ends = *state;
    uint8_t ask[PROBE_BYTES], answer[PROBE_BYTES], key[32], tag[32];
    crypto_generichash_state hash;

    assert_true(probe_ask(&ends->alice, ends->now, ask));
    assert_memory_equal(ask, "PGP1a", 5);
    crypto_generichash_init(&hash, NULL, 0, sizeof key);
    crypto_generichash_update(&hash, (const uint8_t *)ALICE, sizeof ALICE);
    crypto_generichash_update(&hash, (const uint8_t *)BOB, sizeof BOB);
    crypto_generichash_final(&hash, key, sizeof key);
    crypto_generichash(tag, sizeof tag, ask, 13, key, sizeof key);
    assert_memory_equal(ask + 13, tag, 8);
    assert_true(probe_receive(&ends->bob, ends->now, ask, sizeof ask, answer));
    assert_memory_equal(answer, "PGP1r", 5);
    assert_memory_equal(answer + 5, ask + 5, PROBE_NONCE_BYTES);
}

static void the_first_answer_makes_the_pair_alive(void **state)
{
    struct ends *ends = *state;

    assert_int_equal(ends->alice.state, PROBE_TRYING);
    exchange(ends, 40);
    assert_int_equal(ends->alice.state, PROBE_ALIVE);
    assert_int_equal(ends->alice.rtt_ms, 40);
    assert_int_equal(ends->bob.state, PROBE_IDLE);
}

static void nothing_is_asked_without_a_pair_or_without_passwords(void **state)
{
    struct probe probe;
    uint8_t packet[PROBE_BYTES];

    (void)state;
    probe_init(&probe);
    probe_start(&probe, 1);
    assert_true(probe_deadline(&probe) == INT64_MAX);
    assert_false(probe_ask(&probe, 2, packet));
    probe_set_passwords(&probe, ALICE, BOB);
    assert_true(probe_ask(&probe, 2, packet));
    probe_stop(&probe);
    assert_true(probe_deadline(&probe) == INT64_MAX);
    assert_false(probe_ask(&probe, 10000, packet));
}

static void while_answered_it_asks_every_2_s(void **state)
{
    struct ends *ends = *state;

    for (int i = 0; i < 20; i++) {
        exchange(ends, 10);
        assert_int_equal(probe_deadline(&ends->alice) - ends->now, 2000);
        ends->now += 1999;
        assert_false(probe_ask(&ends->alice, ends->now, (uint8_t[PROBE_BYTES]){0}));
        ends->now += 1;
    }
    assert_int_equal(ends->alice.count.asked, 20);
    assert_int_equal(ends->alice.count.missed, 0);
}

static void after_a_miss_it_asks_every_300_ms_and_five_are_death(void **state)
{
    struct ends *ends = *state;

    exchange(ends, 10);
    assert_int_equal(lose_next(ends), 2000);
    for (int misses = 1; misses <= 4; misses++) {
        assert_int_equal(lose_next(ends), 300);
        assert_int_equal(ends->alice.state, PROBE_ALIVE);
    }
    assert_int_equal(lose_next(ends), 300);
    assert_int_equal(ends->alice.state, PROBE_DEAD);
}

static void four_misses_and_an_answer_are_not_death(void **state)
{
    struct ends *ends = *state;

    exchange(ends, 10);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 4; i++)
            lose_next(ends);
        ends->now = probe_deadline(&ends->alice);
        exchange(ends, 10);
        assert_int_equal(ends->alice.state, PROBE_ALIVE);
        assert_int_equal(ends->alice.misses, 0);
    }
}

static void a_new_pair_is_asked_in_haste_first(void **state)
{
    struct ends *ends = *state;

    assert_int_equal(lose_next(ends), 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(lose_next(ends), 100);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(lose_next(ends), 300);
        assert_int_equal(ends->alice.state, PROBE_TRYING);
    }
    lose_next(ends);
    assert_int_equal(ends->alice.state, PROBE_DEAD);
}

static void a_slow_path_is_given_twice_its_round_trip(void **state)
{
    struct ends *ends = *state;

    exchange(ends, 400);
    assert_int_equal(lose_next(ends), 2000);
    assert_int_equal(lose_next(ends), 800);
    ends->now = probe_deadline(&ends->alice);
    exchange(ends, 5000);
    assert_int_equal(lose_next(ends), 2000);
    assert_int_equal(lose_next(ends), 2000);
}

static void hope_lasts_30_asks_in_haste_then_one_every_2_s(void **state)
{
    struct ends *ends = *state;

    exchange(ends, 10);
    while (ends->alice.state != PROBE_DEAD)
        lose_next(ends);
    while (ends->alice.misses <= PROBE_HOPE_ASKS)
        assert_int_equal(lose_next(ends), 300);
    for (int i = 0; i < 100; i++)
        assert_int_equal(lose_next(ends), 2000);
    ends->now = probe_deadline(&ends->alice);
    exchange(ends, 10);
    assert_int_equal(ends->alice.state, PROBE_ALIVE);
}

static void after_a_sign_of_life_elsewhere_it_asks_at_once(void **state)
{
    struct ends *ends = *state;

    exchange(ends, 10);
    probe_hurry(&ends->alice, ends->now);
    assert_true(probe_deadline(&ends->alice) <= ends->now);
    lose_next(ends);
    assert_int_equal(ends->alice.count.missed, 0);
    probe_stop(&ends->alice);
    probe_hurry(&ends->alice, ends->now);
    assert_int_equal(probe_deadline(&ends->alice), INT64_MAX);
}

static void a_late_answer_still_counts(void **state)
{
    struct ends *ends = *state;
    uint8_t late[PROBE_BYTES], ask[PROBE_BYTES], answer[PROBE_BYTES];

    assert_true(probe_ask(&ends->alice, ends->now, late));
    ends->now = probe_deadline(&ends->alice);
    assert_true(probe_ask(&ends->alice, ends->now, ask));
    assert_true(probe_receive(&ends->bob, ends->now, late, sizeof late, answer));
    assert_false(probe_receive(&ends->alice, ends->now + 50, answer, sizeof answer, ask));
    assert_int_equal(ends->alice.state, PROBE_ALIVE);
    assert_int_equal(ends->alice.rtt_ms, 150);
}

static void an_answer_to_the_pair_before_has_no_effect(void **state)
{
    struct ends *ends = *state;
    uint8_t ask[PROBE_BYTES], answer[PROBE_BYTES];

    assert_true(probe_ask(&ends->alice, ends->now, ask));
    assert_true(probe_receive(&ends->bob, ends->now, ask, sizeof ask, answer));
    probe_start(&ends->alice, ends->now);
    assert_false(probe_receive(&ends->alice, ends->now, answer, sizeof answer, ask));
    assert_int_equal(ends->alice.state, PROBE_TRYING);
    assert_int_equal(ends->alice.count.answered, 0);
}

static void an_answer_counts_once(void **state)
{
    struct ends *ends = *state;
    uint8_t ask[PROBE_BYTES], answer[PROBE_BYTES], none[PROBE_BYTES];

    assert_true(probe_ask(&ends->alice, ends->now, ask));
    assert_true(probe_receive(&ends->bob, ends->now, ask, sizeof ask, answer));
    assert_false(probe_receive(&ends->alice, ends->now, answer, sizeof answer, none));
    while (ends->alice.state != PROBE_DEAD) {
        lose_next(ends);
        assert_false(probe_receive(&ends->alice, ends->now, answer, sizeof answer, none));
    }
    assert_int_equal(ends->alice.count.answered, 1);
}

static void an_ask_reflected_to_its_sender_is_no_answer(void **state)
{
    struct ends *ends = *state;
    uint8_t ask[PROBE_BYTES], answer[PROBE_BYTES];

    assert_true(probe_ask(&ends->alice, ends->now, ask));
    probe_receive(&ends->alice, ends->now, ask, sizeof ask, answer);
    assert_int_equal(ends->alice.state, PROBE_TRYING);
}

static void a_changed_bit_anywhere_has_no_effect(void **state)
{
    struct ends *ends = *state;
    uint8_t ask[PROBE_BYTES], answer[PROBE_BYTES], out[PROBE_BYTES];

    assert_true(probe_ask(&ends->alice, ends->now, ask));
    assert_true(probe_receive(&ends->bob, ends->now, ask, sizeof ask, answer));
    for (unsigned bit = 0; bit < PROBE_BYTES * 8; bit++) {
        ask[bit / 8] ^= (uint8_t)(1 << bit % 8);
        answer[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(probe_receive(&ends->bob, ends->now, ask, sizeof ask, out));
        assert_false(probe_receive(&ends->alice, ends->now, answer, sizeof answer, out));
        ask[bit / 8] ^= (uint8_t)(1 << bit % 8);
        answer[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(ends->alice.state, PROBE_TRYING);
    assert_int_equal(ends->bob.count.foreign, PROBE_BYTES * 8);
    assert_int_equal(ends->alice.count.foreign, PROBE_BYTES * 8);
}

static void truncated_and_lengthened_packets_have_no_effect(void **state)
{
    struct ends *ends = *state;
    uint8_t ask[PROBE_BYTES + 1] = {0}, out[PROBE_BYTES];

    assert_true(probe_ask(&ends->alice, ends->now, ask));
    for (size_t length = 0; length <= sizeof ask; length++)
        if (length != PROBE_BYTES)
            assert_false(probe_receive(&ends->bob, ends->now, ask, length, out));
}

static void packets_under_other_passwords_have_no_effect(void **state)
{
    struct ends *ends = *state;
    struct probe mallory;
    uint8_t ask[PROBE_BYTES], out[PROBE_BYTES];

    probe_init(&mallory);
    probe_set_passwords(&mallory, ALICE, BOB "x");
    probe_start(&mallory, ends->now);
    assert_true(probe_ask(&mallory, ends->now, ask));
    assert_false(probe_receive(&ends->bob, ends->now, ask, sizeof ask, out));
}

/* The NUL after each password keeps "ab" + "c" from being "a" + "bc". */
static void passwords_do_not_run_into_each_other(void **state)
{
    struct probe one, other;

    (void)state;
    probe_init(&one);
    probe_init(&other);
    probe_set_passwords(&one, "ab", "c");
    probe_set_passwords(&other, "a", "bc");
    assert_memory_not_equal(one.key[0], other.key[0], PROBE_KEY_BYTES);
}

static void the_passwords_before_a_restart_stay_good_and_no_older_ones(void **state)
{
    struct ends *ends = *state;
    uint8_t ask[PROBE_BYTES], answer[PROBE_BYTES], none[PROBE_BYTES];

    assert_true(probe_ask(&ends->alice, ends->now, ask));
    probe_set_passwords(&ends->bob, "second", "second");
    assert_true(probe_receive(&ends->bob, ends->now, ask, sizeof ask, answer));
    assert_false(probe_receive(&ends->alice, ends->now, answer, sizeof answer, none));
    assert_int_equal(ends->alice.state, PROBE_ALIVE);
    probe_set_passwords(&ends->bob, "third", "third");
    assert_false(probe_receive(&ends->bob, ends->now, ask, sizeof ask, answer));
}

/* Bob is ahead: asked under the old passwords, he asks under the new ones. */
static void either_side_may_restart_first(void **state)
{
    struct ends *ends = *state;

    probe_set_passwords(&ends->bob, "second", "second");
    exchange(ends, 10);
    probe_set_passwords(&ends->alice, "second", "second");
    ends->now = probe_deadline(&ends->alice);
    exchange(ends, 10);
    assert_int_equal(ends->alice.count.answered, 2);
}

static void a_replayed_ask_gets_20_answers_a_second(void **state)
{
    struct ends *ends = *state;
    uint8_t ask[PROBE_BYTES], answer[PROBE_BYTES];
    unsigned answers = 0;

    assert_true(probe_ask(&ends->alice, ends->now, ask));
    for (int64_t ms = 0; ms < 3000; ms++)
        answers += probe_receive(&ends->bob, ends->now + ms, ask, sizeof ask, answer);
    assert_int_equal(answers, 60);
    assert_int_equal(ends->bob.count.answers_refused, 2940);
    assert_int_equal(ends->bob.state, PROBE_IDLE);
}

static void clearing_wipes_the_keys(void **state)
{
    static const struct probe empty;
    struct ends *ends = *state;

    probe_clear(&ends->alice);
    assert_memory_equal(&ends->alice, &empty, sizeof empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_packet_has_the_published_form, set_up),
        cmocka_unit_test_setup(the_first_answer_makes_the_pair_alive, set_up),
        cmocka_unit_test_setup(nothing_is_asked_without_a_pair_or_without_passwords, set_up),
        cmocka_unit_test_setup(while_answered_it_asks_every_2_s, set_up),
        cmocka_unit_test_setup(after_a_miss_it_asks_every_300_ms_and_five_are_death, set_up),
        cmocka_unit_test_setup(four_misses_and_an_answer_are_not_death, set_up),
        cmocka_unit_test_setup(a_new_pair_is_asked_in_haste_first, set_up),
        cmocka_unit_test_setup(a_slow_path_is_given_twice_its_round_trip, set_up),
        cmocka_unit_test_setup(hope_lasts_30_asks_in_haste_then_one_every_2_s, set_up),
        cmocka_unit_test_setup(after_a_sign_of_life_elsewhere_it_asks_at_once, set_up),
        cmocka_unit_test_setup(a_late_answer_still_counts, set_up),
        cmocka_unit_test_setup(an_answer_to_the_pair_before_has_no_effect, set_up),
        cmocka_unit_test_setup(an_answer_counts_once, set_up),
        cmocka_unit_test_setup(an_ask_reflected_to_its_sender_is_no_answer, set_up),
        cmocka_unit_test_setup(a_changed_bit_anywhere_has_no_effect, set_up),
        cmocka_unit_test_setup(truncated_and_lengthened_packets_have_no_effect, set_up),
        cmocka_unit_test_setup(packets_under_other_passwords_have_no_effect, set_up),
        cmocka_unit_test_setup(passwords_do_not_run_into_each_other, set_up),
        cmocka_unit_test_setup(the_passwords_before_a_restart_stay_good_and_no_older_ones, set_up),
        cmocka_unit_test_setup(either_side_may_restart_first, set_up),
        cmocka_unit_test_setup(a_replayed_ask_gets_20_answers_a_second, set_up),
        cmocka_unit_test_setup(clearing_wipes_the_keys, set_up),
    };

    if (sodium_init() < 0)
        return 99;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
