/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Two sides at one place: what either puts comes back to both, unless the test says otherwise.
 */
#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "signal-dht/link.h"
#include "signal-dht/value.h"

enum { PLACE_MAX = 8192, RECEIVED_MAX = 1024, MINUTE = 60000, LIFE_MS = 10 * MINUTE };

struct put {
    int64_t at;
    size_t length;
    uint8_t bytes[VALUE_MAX];
};

struct place {
    struct put *values[PLACE_MAX];
    size_t count, taken;
};

struct world;

struct side {
    struct world *world;
    struct place *place;
    struct link *link;
    int64_t poll_at;
    bool online, deaf;
    int error;        /* of the next puts */
    size_t lose;      /* so many puts are lost */
    unsigned changes; /* of presence */
    char *received[RECEIVED_MAX];
    size_t received_count;
    int64_t delivered[RECEIVED_MAX];
    size_t delivered_count;
};

struct world {
    struct place place;
    struct side alice, bob;
    int64_t now;
};

static int on_put(void *data, const uint8_t *bytes, size_t length)
{
    struct side *side = data;
    struct put *put;

    if (side->error != 0)
        return side->error;
    if (side->lose > 0) {
        side->lose--;
        return 0;
    }
    put = malloc(sizeof *put);
    assert_non_null(put);
    assert_in_range(length, 1, VALUE_MAX);
    assert_true(side->place->count < PLACE_MAX);
    put->at = side->world->now;
    put->length = length;
    memcpy(put->bytes, bytes, length);
    side->place->values[side->place->count++] = put;
    return 0;
}

static void on_presence(void *data, bool online)
{
    struct side *side = data;

    assert_int_not_equal(side->online, online);
    side->online = online;
    side->changes++;
}

static void on_delivered(void *data, int64_t ref)
{
    struct side *side = data;

    side->delivered[side->delivered_count++] = ref;
}

static void on_received(void *data, const char *text)
{
    struct side *side = data;

    assert_true(side->received_count < RECEIVED_MAX);
    side->received[side->received_count++] = strdup(text);
}

static void side_start(struct world *w, struct side *side)
{
    struct link_events events = {.put = on_put,
                                 .presence = on_presence,
                                 .delivered = on_delivered,
                                 .received = on_received,
                                 .data = side};

    side->world = w;
    side->place = &w->place;
    side->link = link_new(&events, w->now);
    assert_non_null(side->link);
    side->poll_at = w->now;
    side->online = false;
}

/* Without a goodbye. What is at the place comes to the new one. */
static void side_restart(struct world *w, struct side *side)
{
    link_destroy(side->link);
    side_start(w, side);
    for (size_t i = 0; i < w->place.count; i++)
        if (w->now - w->place.values[i]->at < LIFE_MS)
            link_value(side->link, w->place.values[i]->bytes, w->place.values[i]->length, w->now);
}

static void give(struct world *w, struct side *side, const struct put *put)
{
    if (side->link == NULL || side->deaf)
        return;
    if (link_value(side->link, put->bytes, put->length, w->now) == LINK_NEWS)
        side->poll_at = w->now;
}

static void poll_side(struct world *w, struct side *side)
{
    if (side->link != NULL && w->now >= side->poll_at)
        side->poll_at = link_poll(side->link, w->now);
}

static void run(struct world *w, int64_t ms)
{
    int64_t end = w->now + ms;

    for (;;) {
        poll_side(w, &w->alice);
        poll_side(w, &w->bob);
        if (w->place.taken < w->place.count) {
            const struct put *put = w->place.values[w->place.taken++];

            give(w, &w->alice, put);
            give(w, &w->bob, put);
            continue;
        }
        if (w->now >= end)
            return;
        w->now++;
        if (w->alice.poll_at > w->now && w->bob.poll_at > w->now)
            w->now = w->alice.poll_at < w->bob.poll_at ? w->alice.poll_at : w->bob.poll_at;
        if (w->now > end)
            w->now = end;
    }
}

static void post(struct world *w, struct side *side, int64_t ref, const char *text)
{
    assert_int_equal(link_post(side->link, ref, text, w->now), 0);
    side->poll_at = w->now;
}

static int begin(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    if (w == NULL)
        return -1;
    w->now = 1000;
    w->bob.poll_at = w->alice.poll_at = INT64_MAX;
    side_start(w, &w->alice);
    *state = w;
    return 0;
}

static int begin_present(void **state)
{
    struct world *w;

    if (begin(state) < 0)
        return -1;
    w = *state;
    side_start(w, &w->bob);
    run(w, 100);
    return w->alice.online && w->bob.online ? 0 : -1;
}

static void side_clear(struct side *side)
{
    link_destroy(side->link);
    for (size_t i = 0; i < side->received_count; i++)
        free(side->received[i]);
}

static int end(void **state)
{
    struct world *w = *state;

    side_clear(&w->alice);
    side_clear(&w->bob);
    for (size_t i = 0; i < w->place.count; i++)
        free(w->place.values[i]);
    free(w);
    return 0;
}

/* Presence */

static void both_are_present_at_once_whoever_comes_first(void **state)
{
    struct world *w = *state;

    run(w, 10 * MINUTE);
    assert_false(w->alice.online);
    side_restart(w, &w->bob);
    run(w, 10);
    assert_true(w->alice.online && w->bob.online);
}

static void one_alone_calls_seldom(void **state)
{
    struct world *w = *state;

    run(w, 60 * MINUTE);
    assert_in_range(w->place.count, 15, 20);
    assert_int_equal(w->alice.changes, 0);
}

static void a_quiet_pair_stays_present_with_two_values_a_minute(void **state)
{
    struct world *w = *state;
    size_t before = w->place.count;

    run(w, 60 * MINUTE);
    assert_true(w->alice.online && w->bob.online);
    assert_int_equal(w->alice.changes, 1);
    assert_in_range(w->place.count - before, 60, 150);
}

static void the_silent_one_is_absent_after_two_minutes(void **state)
{
    struct world *w = *state;

    w->bob.deaf = true;
    w->bob.error = -EAGAIN;
    run(w, LINK_SILENCE_MS - LINK_BEAT_MS);
    assert_true(w->alice.online);
    run(w, LINK_BEAT_MS + 100);
    assert_false(w->alice.online);
    w->bob.deaf = false;
    w->bob.error = 0;
    run(w, LINK_BEAT_MS);
    assert_true(w->alice.online && w->bob.online);
}

static void a_message_unanswered_makes_absent_sooner(void **state)
{
    struct world *w = *state;

    run(w, 30000);
    w->bob.deaf = true;
    w->bob.error = -EAGAIN;
    post(w, &w->alice, 1, "are you there?");
    run(w, LINK_UNANSWERED_MS - 100);
    assert_true(w->alice.online);
    run(w, 200);
    assert_false(w->alice.online);
}

static void a_goodbye_makes_absent_at_once(void **state)
{
    struct world *w = *state;

    link_leave(w->bob.link);
    link_destroy(w->bob.link);
    w->bob.link = NULL;
    run(w, 1);
    assert_false(w->alice.online);
    side_restart(w, &w->bob);
    run(w, 10);
    assert_true(w->alice.online && w->bob.online);
}

static void one_that_starts_again_is_absent_and_present(void **state)
{
    struct world *w = *state;

    side_restart(w, &w->bob);
    run(w, 10);
    assert_true(w->alice.online && w->bob.online);
    assert_int_equal(w->alice.changes, 3);
}

static void a_hundred_starts_each_find_the_other(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < 100; i++) {
        run(w, 10000);
        side_restart(w, &w->bob);
        run(w, 3000);
        assert_true(w->alice.online && w->bob.online);
    }
    assert_in_range(w->place.count, 0, 100 * 50);
}

static void a_lost_first_word_is_made_up_for(void **state)
{
    struct world *w = *state;

    w->alice.lose = 1;
    side_start(w, &w->bob);
    w->bob.lose = 2;
    run(w, 6000);
    assert_true(w->alice.online && w->bob.online);
}

/* Old values */

static void values_put_again_keep_nobody_present(void **state)
{
    struct world *w = *state;
    size_t count = w->place.count;

    link_destroy(w->bob.link);
    w->bob.link = NULL;
    for (int second = 0; second < 200; second++) {
        for (size_t i = 0; i < count; i++)
            give(w, &w->alice, w->place.values[i]);
        run(w, 1000);
    }
    assert_false(w->alice.online);
    assert_in_range(w->place.count - count, 0, 12);
}

static void values_put_again_after_a_goodbye_bring_nobody_back(void **state)
{
    struct world *w = *state;
    size_t count;

    post(w, &w->bob, 1, "once");
    run(w, 100);
    link_leave(w->bob.link);
    link_destroy(w->bob.link);
    w->bob.link = NULL;
    run(w, 1);
    count = w->place.count;
    for (size_t i = 0; i < count; i++)
        give(w, &w->alice, w->place.values[i]);
    run(w, 100);
    assert_false(w->alice.online);
    assert_int_equal(w->alice.changes, 2);
    assert_int_equal(w->alice.received_count, 1);
}

static void values_of_an_earlier_life_do_nothing(void **state)
{
    struct world *w = *state;
    size_t count = w->place.count;

    post(w, &w->bob, 1, "once");
    run(w, 100);
    link_destroy(w->bob.link);
    w->bob.link = NULL;
    side_restart(w, &w->alice);
    run(w, 1000);
    for (size_t i = 0; i < count; i++)
        give(w, &w->alice, w->place.values[i]);
    run(w, 1000);
    assert_false(w->alice.online);
    assert_int_equal(w->alice.received_count, 1);
}

/* The last value at the place that is meant for alice: she was the first to put any. */
static struct put last_for_alice(const struct world *w)
{
    struct value first, value;

    assert_int_equal(value_read(&first, w->place.values[0]->bytes, w->place.values[0]->length), 0);
    for (size_t i = w->place.count; i-- > 0;) {
        const struct put *put = w->place.values[i];

        if (value_read(&value, put->bytes, put->length) == 0 && value.to == first.from)
            return *put;
    }
    fail_msg("nothing is for alice");
    abort();
}

/* Kept back by a node of the DHT until another life has begun: it must not lock that one out. */
static void a_value_kept_back_does_not_lock_out_the_living(void **state)
{
    struct world *w = *state;
    struct put kept;
    unsigned changes;

    w->alice.deaf = true;
    side_restart(w, &w->bob);
    run(w, 10);
    kept = last_for_alice(w);
    side_restart(w, &w->bob);
    w->alice.deaf = false;
    link_renew(w->bob.link, w->now);
    w->bob.poll_at = w->now;
    run(w, 2000);
    assert_true(w->alice.online && w->bob.online);
    changes = w->alice.changes;
    give(w, &w->alice, &kept);
    assert_int_equal(w->alice.changes, changes + 2);
    run(w, 2 * LINK_BEAT_MS);
    assert_true(w->alice.online && w->bob.online);
    post(w, &w->alice, 7, "still there?");
    run(w, 1000);
    assert_int_equal(w->alice.delivered_count, 1);
}

/* Messages */

static void the_ack_follows_what_the_peer_has(void **state)
{
    struct world *w = *state;

    post(w, &w->alice, 7, "hello");
    poll_side(w, &w->alice);
    assert_int_equal(w->alice.delivered_count, 0);
    run(w, 20);
    assert_int_equal(w->bob.received_count, 1);
    assert_string_equal(w->bob.received[0], "hello");
    assert_int_equal(w->alice.delivered_count, 1);
    assert_int_equal(w->alice.delivered[0], 7);
}

static void every_size_arrives(void **state)
{
    static const size_t sizes[] = {1, 442, 443, 444, 1372, VALUE_DATA_MAX};
    static char text[VALUE_DATA_MAX + 2];
    struct world *w = *state;

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        memset(text, 'a' + (int)i, sizes[i]);
        text[sizes[i]] = '\0';
        post(w, &w->alice, (int64_t)i, text);
        run(w, 50);
        assert_int_equal(w->bob.received_count, i + 1);
        assert_string_equal(w->bob.received[i], text);
    }
    memset(text, 'x', VALUE_DATA_MAX + 1);
    assert_int_equal(link_post(w->alice.link, 1, text, w->now), -EMSGSIZE);
    assert_int_equal(link_post(w->alice.link, 1, "", w->now), -EMSGSIZE);
}

static void many_arrive_once_each_in_their_order(void **state)
{
    struct world *w = *state;
    char text[32];

    for (int i = 0; i < LINK_WAITING_MAX; i++) {
        snprintf(text, sizeof text, "message %d", i);
        post(w, &w->alice, i, text);
        post(w, &w->bob, i, text);
    }
    assert_int_equal(link_post(w->alice.link, 0, "one more", w->now), -ENOBUFS);
    run(w, 1000);
    assert_int_equal(w->alice.received_count, LINK_WAITING_MAX);
    assert_int_equal(w->bob.received_count, LINK_WAITING_MAX);
    assert_int_equal(w->alice.delivered_count, LINK_WAITING_MAX);
    for (int i = 0; i < LINK_WAITING_MAX; i++) {
        snprintf(text, sizeof text, "message %d", i);
        assert_string_equal(w->bob.received[i], text);
    }
    assert_in_range(w->place.count, 10, 60);
}

static void many_at_once_go_in_few_values(void **state)
{
    struct world *w = *state;
    size_t before = w->place.count;
    char text[401];

    memset(text, 'x', 400);
    text[400] = '\0';
    for (int i = 0; i < 60; i++)
        post(w, &w->alice, i, text);
    run(w, 1000);
    assert_int_equal(w->bob.received_count, 60);
    assert_in_range(w->place.count - before, 2, 6);
}

static void bytes_under_way_are_bounded(void **state)
{
    static char text[VALUE_DATA_MAX + 1];
    struct world *w = *state;
    size_t before = w->place.count;

    w->bob.deaf = true;
    memset(text, 'x', VALUE_DATA_MAX);
    for (int i = 0; i < 32; i++)
        post(w, &w->alice, i, text);
    run(w, 1000);
    assert_in_range(w->place.count - before, 4, 5);
}

static void answers_to_calls_are_bounded(void **state)
{
    struct world *w = *state;
    size_t before;

    run(w, 100);
    before = w->place.count;
    for (uint64_t i = 0; i < 1000; i++) {
        struct value value = {.from = 1000 + i, .counter = 1, .base = 1};
        struct put put;

        put.length = value_write(&value, put.bytes);
        give(w, &w->alice, &put);
        poll_side(w, &w->alice);
    }
    assert_in_range(w->place.count - before, 16, 20);
    run(w, 20000);
    assert_in_range(w->place.count - before, 32, 40);
}

static void bytes_that_wait_are_bounded(void **state)
{
    static char text[VALUE_DATA_MAX + 1];
    struct world *w = *state;

    memset(text, 'x', VALUE_DATA_MAX);
    for (int i = 0; i < LINK_WAITING_BYTES_MAX / VALUE_DATA_MAX; i++)
        post(w, &w->alice, i, text);
    assert_int_equal(link_post(w->alice.link, 0, "x", w->now), -ENOBUFS);
    run(w, 1000);
    assert_int_equal(w->bob.received_count, LINK_WAITING_BYTES_MAX / VALUE_DATA_MAX);
}

static void a_lost_message_goes_again_and_a_lost_ack_does_not_double(void **state)
{
    struct world *w = *state;

    w->alice.lose = 1;
    post(w, &w->alice, 1, "first");
    run(w, 1000);
    assert_int_equal(w->bob.received_count, 0);
    run(w, 1500);
    assert_int_equal(w->bob.received_count, 1);
    w->bob.lose = 1;
    post(w, &w->alice, 2, "second");
    run(w, 5000);
    assert_int_equal(w->bob.received_count, 2);
    assert_int_equal(w->alice.delivered_count, 2);
}

static void half_of_all_lost_only_takes_time(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < 60; i++) {
        post(w, &w->alice, i, "message");
        w->alice.lose = (size_t)i % 2;
        w->bob.lose = (size_t)i / 2 % 2;
        run(w, 300);
    }
    run(w, 60000);
    assert_int_equal(w->bob.received_count, 60);
    assert_int_equal(w->alice.delivered_count, 60);
}

static void what_waits_too_long_is_given_up_and_holds_up_nothing(void **state)
{
    struct world *w = *state;

    w->alice.lose = 1000;
    post(w, &w->alice, 1, "too old");
    run(w, LINK_AGE_MS / 2);
    post(w, &w->alice, 2, "younger");
    run(w, LINK_AGE_MS / 2 + 10);
    w->alice.lose = 0;
    run(w, 30000);
    assert_int_equal(w->bob.received_count, 1);
    assert_string_equal(w->bob.received[0], "younger");
    assert_int_equal(w->alice.delivered_count, 1);
    assert_int_equal(w->alice.delivered[0], 2);
    for (int i = 0; i < 2 * VALUE_WINDOW; i++)
        post(w, &w->alice, i, "after it");
    run(w, 1000);
    assert_int_equal(w->bob.received_count, 1 + 2 * VALUE_WINDOW);
}

static void what_was_posted_to_one_absent_arrives_when_it_comes(void **state)
{
    struct world *w = *state;

    post(w, &w->alice, 1, "for later");
    run(w, 60000);
    side_restart(w, &w->bob);
    run(w, 100);
    assert_int_equal(w->bob.received_count, 1);
    assert_int_equal(w->alice.delivered_count, 1);
}

static void nothing_is_lost_while_the_network_takes_nothing(void **state)
{
    struct world *w = *state;

    w->alice.error = -EAGAIN;
    for (int i = 0; i < 100; i++)
        post(w, &w->alice, i, "message");
    run(w, 1000);
    w->alice.error = 0;
    run(w, 1000);
    assert_int_equal(w->bob.received_count, 100);
}

static void only_text_is_handed_on(void **state)
{
    struct world *w = *state;
    struct value value;
    struct value_message message = {0, "a\0b", 3};
    struct put put = *w->place.values[w->place.count - 1];

    assert_int_equal(value_read(&value, put.bytes, put.length), 0);
    value.counter += 10;
    message.number = value.base;
    put.length = value_append(put.bytes, value_write(&value, put.bytes), &value, &message);
    give(w, &w->alice, &put);
    give(w, &w->bob, &put);
    assert_int_equal(w->alice.received_count + w->bob.received_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(both_are_present_at_once_whoever_comes_first, begin, end),
        cmocka_unit_test_setup_teardown(one_alone_calls_seldom, begin, end),
        cmocka_unit_test_setup_teardown(a_quiet_pair_stays_present_with_two_values_a_minute,
                                        begin_present, end),
        cmocka_unit_test_setup_teardown(the_silent_one_is_absent_after_two_minutes, begin_present,
                                        end),
        cmocka_unit_test_setup_teardown(a_message_unanswered_makes_absent_sooner, begin_present,
                                        end),
        cmocka_unit_test_setup_teardown(a_goodbye_makes_absent_at_once, begin_present, end),
        cmocka_unit_test_setup_teardown(one_that_starts_again_is_absent_and_present, begin_present,
                                        end),
        cmocka_unit_test_setup_teardown(a_hundred_starts_each_find_the_other, begin_present, end),
        cmocka_unit_test_setup_teardown(a_lost_first_word_is_made_up_for, begin, end),
        cmocka_unit_test_setup_teardown(values_put_again_keep_nobody_present, begin_present, end),
        cmocka_unit_test_setup_teardown(values_put_again_after_a_goodbye_bring_nobody_back,
                                        begin_present, end),
        cmocka_unit_test_setup_teardown(values_of_an_earlier_life_do_nothing, begin_present, end),
        cmocka_unit_test_setup_teardown(a_value_kept_back_does_not_lock_out_the_living,
                                        begin_present, end),
        cmocka_unit_test_setup_teardown(the_ack_follows_what_the_peer_has, begin_present, end),
        cmocka_unit_test_setup_teardown(every_size_arrives, begin_present, end),
        cmocka_unit_test_setup_teardown(many_arrive_once_each_in_their_order, begin_present, end),
        cmocka_unit_test_setup_teardown(many_at_once_go_in_few_values, begin_present, end),
        cmocka_unit_test_setup_teardown(bytes_under_way_are_bounded, begin_present, end),
        cmocka_unit_test_setup_teardown(answers_to_calls_are_bounded, begin, end),
        cmocka_unit_test_setup_teardown(bytes_that_wait_are_bounded, begin_present, end),
        cmocka_unit_test_setup_teardown(a_lost_message_goes_again_and_a_lost_ack_does_not_double,
                                        begin_present, end),
        cmocka_unit_test_setup_teardown(half_of_all_lost_only_takes_time, begin_present, end),
        cmocka_unit_test_setup_teardown(what_waits_too_long_is_given_up_and_holds_up_nothing,
                                        begin_present, end),
        cmocka_unit_test_setup_teardown(what_was_posted_to_one_absent_arrives_when_it_comes, begin,
                                        end),
        cmocka_unit_test_setup_teardown(nothing_is_lost_while_the_network_takes_nothing,
                                        begin_present, end),
        cmocka_unit_test_setup_teardown(only_text_is_handed_on, begin_present, end),
    };

    return sodium_init() < 0 || cmocka_run_group_tests(tests, NULL, NULL);
}
