/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broker/envelope.h"
#include "broker/noise.h"

/* The initiator (side 0) and the responder (side 1). */
struct pair {
    uint8_t secret[2][32];
    uint8_t public[2][32];
    struct envelope *side[2];
};

static struct envelope *side_make(const struct pair *pair, int side)
{
    struct envelope *envelope =
        envelope_new(pair->secret[side], pair->public[side], pair -> public[!side]);

    assert_non_null(envelope);
    assert_true(envelope_is_initiator(envelope) == (side == 0));
    assert_int_equal(envelope_set_hello(envelope, side == 0 ? "hello of 0" : "hello of 1"), 0);
    return envelope;
}

static void pair_make(struct pair *pair)
{
    crypto_box_keypair(pair->public[0], pair -> secret[0]);
    do
        crypto_box_keypair(pair->public[1], pair -> secret[1]);
    while (memcmp(pair->public[0], pair -> public[1], 32) > 0);
    for (int i = 0; i < 2; i++)
        pair->side[i] = side_make(pair, i);
}

static void side_restart(struct pair *pair, int side)
{
    envelope_free(pair->side[side]);
    pair->side[side] = side_make(pair, side);
}

static void pair_clear(struct pair *pair)
{
    for (int i = 0; i < 2; i++)
        envelope_free(pair->side[i]);
}

/* Opens and gives back the reply, which may be NULL; wants no message. */
static char *open_reply(struct envelope *to, int64_t now, const char *data, int rc)
{
    struct envelope_opened opened;
    char *reply;

    assert_int_equal(envelope_open(to, now, data, &opened), rc);
    assert_null(opened.message);
    reply = opened.reply;
    opened.reply = NULL;
    envelope_opened_clear(&opened);
    return reply;
}

static void open_nothing(struct envelope *to, int64_t now, const char *data, int rc)
{
    assert_null(open_reply(to, now, data, rc));
}

static void say(struct envelope *from, struct envelope *to, int64_t now, const char *text)
{
    struct envelope_opened opened;
    char *data;

    assert_int_equal(envelope_seal(from, now, text, strlen(text), &data), 0);
    assert_int_equal(envelope_open(to, now, data, &opened), 0);
    assert_string_equal(opened.message, text);
    assert_int_equal(opened.length, strlen(text));
    envelope_opened_clear(&opened);
    free(data);
}

/* Carries data to and fro until nobody answers any more; the number of messages carried. */
static int carry(struct pair *pair, int to, char *data, int64_t now)
{
    int count = 0;

    while (data != NULL) {
        struct envelope_opened opened;

        envelope_open(pair->side[to], now, data, &opened);
        free(data);
        data = opened.reply;
        opened.reply = NULL;
        envelope_opened_clear(&opened);
        to = !to;
        assert_true(++count < 10);
    }
    return count;
}

static void pair_join(struct pair *pair, int64_t now)
{
    carry(pair, 1, envelope_begin(pair->side[0], now), now);
    assert_true(envelope_is_ready(pair->side[0]) && envelope_is_ready(pair->side[1]));
}

static void the_smaller_key_begins_and_both_get_the_hello(void **state)
{
    struct pair pair;
    struct envelope_opened opened;
    char *first, *second, *third, *unused;

    (void)state;
    pair_make(&pair);
    assert_int_equal(envelope_seal(pair.side[0], 0, "x", 1, &unused), -ENOTCONN);
    first = envelope_begin(pair.side[0], 0);
    second = open_reply(pair.side[1], 0, first, 0);
    assert_false(envelope_is_ready(pair.side[1])); /* the first message may be a replay */
    assert_int_equal(envelope_open(pair.side[0], 0, second, &opened), 0);
    assert_true(opened.established);
    assert_string_equal(opened.hello, "hello of 1");
    third = strdup(opened.reply);
    envelope_opened_clear(&opened);
    assert_true(envelope_is_ready(pair.side[0]));
    assert_int_equal(envelope_open(pair.side[1], 0, third, &opened), 0);
    assert_true(opened.established);
    assert_string_equal(opened.hello, "hello of 0");
    open_nothing(pair.side[0], 0, opened.reply, 0);
    envelope_opened_clear(&opened);
    say(pair.side[0], pair.side[1], 1, "{\"type\":\"bye\"}");
    say(pair.side[1], pair.side[0], 1, "{\"type\":\"bye\"}");
    assert_int_equal(envelope_next(pair.side[0]), INT64_MAX);
    assert_int_equal(envelope_next(pair.side[1]), INT64_MAX);
    free(first);
    free(second);
    free(third);
    pair_clear(&pair);
}

static void the_first_message_itself_confirms_the_keys(void **state)
{
    struct pair pair;
    struct envelope_opened opened;
    char *first, *second, *third, *data;

    (void)state;
    pair_make(&pair);
    first = envelope_begin(pair.side[0], 0);
    second = open_reply(pair.side[1], 0, first, 0);
    third = open_reply(pair.side[0], 0, second, 0); /* lost */
    assert_int_equal(envelope_seal(pair.side[0], 0, "offer", 5, &data), 0);
    assert_int_equal(envelope_open(pair.side[1], 0, data, &opened), 0);
    assert_true(opened.established);
    assert_string_equal(opened.hello, "hello of 0");
    assert_string_equal(opened.message, "offer");
    envelope_opened_clear(&opened);
    free(first);
    free(second);
    free(third);
    free(data);
    pair_clear(&pair);
}

static void the_responder_wakes_the_initiator(void **state)
{
    struct pair pair;

    (void)state;
    pair_make(&pair);
    assert_int_equal(carry(&pair, 0, envelope_begin(pair.side[1], 0), 0), 5);
    say(pair.side[1], pair.side[0], 1, "x");
    pair_clear(&pair);
}

static void a_side_that_restarted_is_back_after_one_exchange(void **state)
{
    struct pair pair;
    char *data;

    (void)state;
    pair_make(&pair);
    pair_join(&pair, 0);
    for (int side = 0; side < 2; side++) {
        side_restart(&pair, side);
        assert_int_equal(envelope_seal(pair.side[!side], 5000, "lost", 4, &data), 0);
        carry(&pair, side, data, 5000);
        say(pair.side[0], pair.side[1], 5000, "x");
        say(pair.side[1], pair.side[0], 5000, "y");
        side_restart(&pair, side);
        carry(&pair, !side, envelope_begin(pair.side[side], 10000), 10000);
        say(pair.side[0], pair.side[1], 10000, "x");
        say(pair.side[1], pair.side[0], 10000, "y");
    }
    pair_clear(&pair);
}

static void a_replayed_first_message_costs_one_answer_and_changes_nothing(void **state)
{
    struct pair pair;
    char *recorded, *answer, *data;

    (void)state;
    pair_make(&pair);
    recorded = envelope_begin(pair.side[0], 0);
    side_restart(&pair, 0);
    pair_join(&pair, 0);
    answer = open_reply(pair.side[1], 10, recorded, 0);
    assert_non_null(answer);
    open_nothing(pair.side[0], 10, answer, -ENOKEY);
    say(pair.side[0], pair.side[1], 11, "x");
    say(pair.side[1], pair.side[0], 11, "y");
    for (int i = 0; i < 100; i++)
        open_nothing(pair.side[1], 20, recorded, -EALREADY);
    /* Not even those keys' slow death disturbs. */
    assert_int_equal(envelope_seal(pair.side[1], 20, "late", 4, &data), 0);
    assert_null(envelope_poll(pair.side[1], 3600000));
    say(pair.side[0], pair.side[1], 3600000, "x");
    free(data);
    free(recorded);
    free(answer);
    pair_clear(&pair);
}

static void old_keys_are_accepted_until_new_ones_are_confirmed_and_a_minute_more(void **state)
{
    struct pair pair;
    struct envelope_opened opened;
    char *late[3], *first, *second, *third;

    (void)state;
    pair_make(&pair);
    pair_join(&pair, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(envelope_seal(pair.side[0], 0, "late", 4, &late[i]), 0);
    first = envelope_begin(pair.side[0], 2000000);
    second = open_reply(pair.side[1], 2000000, first, 0);
    third = open_reply(pair.side[0], 2000000, second, 0);
    say(pair.side[1], pair.side[0], 2000000, "under the old keys still");
    assert_int_equal(envelope_open(pair.side[1], 2000000, late[0], &opened), 0);
    envelope_opened_clear(&opened);
    free(open_reply(pair.side[1], 2000000, third, 0));
    assert_int_equal(envelope_open(pair.side[1], 2059999, late[1], &opened), 0);
    envelope_opened_clear(&opened);
    assert_int_equal(envelope_open(pair.side[1], 2060000, late[2], &opened), -ENOKEY);
    envelope_opened_clear(&opened);
    for (int i = 0; i < 3; i++)
        free(late[i]);
    free(first);
    free(second);
    free(third);
    pair_clear(&pair);
}

static void a_lost_confirmation_is_sent_again(void **state)
{
    struct pair pair;
    char *first, *second, *lost, *again;

    (void)state;
    pair_make(&pair);
    first = envelope_begin(pair.side[0], 0);
    second = open_reply(pair.side[1], 0, first, 0);
    lost = open_reply(pair.side[0], 0, second, 0);
    assert_int_equal(envelope_next(pair.side[0]), ENVELOPE_RETRY_MIN_MS);
    assert_null(envelope_poll(pair.side[0], ENVELOPE_RETRY_MIN_MS - 1));
    again = envelope_poll(pair.side[0], ENVELOPE_RETRY_MIN_MS);
    assert_non_null(again);
    assert_string_not_equal(again, lost);
    carry(&pair, 1, again, ENVELOPE_RETRY_MIN_MS);
    say(pair.side[1], pair.side[0], 2000, "x");
    assert_int_equal(envelope_next(pair.side[0]), INT64_MAX);
    free(first);
    free(second);
    free(lost);
    pair_clear(&pair);
}

static void an_unanswered_request_is_repeated_ever_more_slowly(void **state)
{
    struct pair pair;
    char *first, *data;
    int64_t now = 0;
    int same = 0, count = 0;

    (void)state;
    pair_make(&pair);
    for (int side = 0; side < 2; side++) {
        first = envelope_begin(pair.side[side], now);
        for (count = same = 0; now < 600000 * (side + 1); count++) {
            assert_true(envelope_next(pair.side[side]) > now);
            now = envelope_next(pair.side[side]);
            data = envelope_poll(pair.side[side], now);
            assert_non_null(data);
            same += strcmp(first, data) == 0;
            free(data);
        }
        assert_in_range(count, 20, 30);
        assert_int_equal(same, side == 0 ? 3 : 0); /* 1, 2, 4 s; then it is too old */
        free(first);
    }
    pair_clear(&pair);
}

static void what_is_doubled_or_forged_is_told_apart_and_has_no_effect(void **state)
{
    struct pair pair;
    struct envelope_opened opened;
    char *data;

    (void)state;
    pair_make(&pair);
    pair_join(&pair, 0);
    assert_int_equal(envelope_seal(pair.side[0], 0, "x", 1, &data), 0);
    assert_int_equal(envelope_open(pair.side[1], 0, data, &opened), 0);
    envelope_opened_clear(&opened);
    open_nothing(pair.side[1], 0, data, -EALREADY);
    open_nothing(pair.side[0], 0, data, -EBADMSG); /* reflected */
    free(data);
    open_nothing(pair.side[0], 0, "", -EBADMSG);
    open_nothing(pair.side[0], 0, "no base64 !", -EBADMSG);
    open_nothing(pair.side[0], 0, "AwAA", -EBADMSG);
    open_nothing(pair.side[0], 0, "BwAA", -EBADMSG);
    open_nothing(pair.side[0], 0, "AQAA", -EBADMSG);
    open_nothing(pair.side[1], 0, "AgAA", -EBADMSG);
    open_nothing(pair.side[1], 0, "BAAA", -EBADMSG);
    pair_clear(&pair);
}

static void expect_late(struct envelope *to, const char *data, bool late)
{
    struct envelope_opened opened;

    assert_int_equal(envelope_open(to, 0, data, &opened), 0);
    assert_non_null(opened.message);
    assert_int_equal(opened.late, late);
    envelope_opened_clear(&opened);
    open_nothing(to, 0, data, -EALREADY);
}

/* Over two transports, one behind the other: each message is opened once, whichever brings it, and
 * it is told which were overtaken. */
static void of_two_transports_the_first_to_deliver_counts(void **state)
{
    struct pair pair;
    char *data[4];

    (void)state;
    pair_make(&pair);
    pair_join(&pair, 0);
    for (int side = 0; side < 2; side++) {
        struct envelope *from = pair.side[side], *to = pair.side[!side];

        for (int i = 0; i < 4; i++)
            assert_int_equal(envelope_seal(from, 0, "text", 4, &data[i]), 0);
        expect_late(to, data[0], false);
        expect_late(to, data[2], false);
        expect_late(to, data[1], true);
        /* One that comes after newer keys were used, though nothing newer came under its own. */
        carry(&pair, 1, envelope_begin(pair.side[0], 20000), 20000);
        say(from, to, 20000, "newer");
        expect_late(to, data[3], true);
        for (int i = 0; i < 4; i++)
            free(data[i]);
    }
    pair_clear(&pair);
}

static void a_strangers_keys_open_nothing(void **state)
{
    struct pair pair, other;
    char *data;

    (void)state;
    pair_make(&pair);
    pair_make(&other);
    data = envelope_begin(other.side[0], 0);
    open_nothing(pair.side[1], 0, data, -EBADMSG);
    free(data);
    data = envelope_begin(other.side[1], 0);
    open_nothing(pair.side[0], 0, data, -EBADMSG);
    free(data);
    pair_clear(&pair);
    pair_clear(&other);
}

static void own_and_low_order_keys_are_refused(void **state)
{
    struct pair pair;
    uint8_t low[32] = {0};

    (void)state;
    pair_make(&pair);
    errno = 0;
    assert_null(envelope_new(pair.secret[0], pair.public[0], pair.public[0]));
    assert_int_equal(errno, EINVAL);
    errno = 0;
    assert_null(envelope_new(pair.secret[0], pair.public[0], low));
    assert_int_equal(errno, EINVAL);
    envelope_free(NULL);
    pair_clear(&pair);
}

static void the_longest_message_fits_the_transport(void **state)
{
    static char text[ENVELOPE_MESSAGE_MAX + 2], hello[ENVELOPE_HELLO_MAX + 2];
    struct pair pair;
    char *data;

    (void)state;
    pair_make(&pair);
    memset(text, 'x', ENVELOPE_MESSAGE_MAX + 1);
    memset(hello, 'h', ENVELOPE_HELLO_MAX + 1);
    assert_int_equal(envelope_set_hello(pair.side[0], hello), -EMSGSIZE);
    hello[ENVELOPE_HELLO_MAX] = '\0';
    assert_int_equal(envelope_set_hello(pair.side[0], hello), 0);
    assert_int_equal(envelope_set_hello(pair.side[1], hello), 0);
    pair_join(&pair, 0);
    assert_int_equal(envelope_seal(pair.side[0], 0, text, sizeof text - 1, &data), -EMSGSIZE);
    assert_int_equal(envelope_seal(pair.side[0], 0, text, 0, &data), -EMSGSIZE);
    text[ENVELOPE_MESSAGE_MAX] = '\0';
    assert_int_equal(envelope_seal(pair.side[0], 0, text, ENVELOPE_MESSAGE_MAX, &data), 0);
    assert_int_equal(strlen(data), ENVELOPE_DATA_MAX);
    free(data);
    say(pair.side[0], pair.side[1], 0, text);
    pair_clear(&pair);
}

static void keys_are_renewed_after_an_hour_of_use(void **state)
{
    struct pair pair;
    int64_t now = ENVELOPE_REKEY_MS + 1;

    (void)state;
    pair_make(&pair);
    pair_join(&pair, 0);
    assert_int_equal(envelope_next(pair.side[0]), INT64_MAX); /* not while nothing is said */
    say(pair.side[1], pair.side[0], now, "x");
    assert_int_equal(envelope_next(pair.side[0]), now);
    carry(&pair, 1, envelope_poll(pair.side[0], now), now);
    say(pair.side[0], pair.side[1], now, "x");
    assert_int_equal(envelope_next(pair.side[0]), now + ENVELOPE_GRACE_MS);
    assert_null(envelope_poll(pair.side[0], now + ENVELOPE_GRACE_MS));
    assert_int_equal(envelope_next(pair.side[0]), INT64_MAX);
    pair_clear(&pair);
}

/* How many of these are answered; nothing else may come of them. */
static int answers(struct envelope *to, int64_t now, char *const *data, size_t count)
{
    int answered = 0;

    for (size_t i = 0; i < count; i++) {
        struct envelope_opened opened;

        envelope_open(to, now, data[i], &opened);
        assert_null(opened.message);
        assert_false(opened.established);
        answered += opened.reply != NULL;
        envelope_opened_clear(&opened);
    }
    return answered;
}

static void answers_are_limited_in_rate(void **state)
{
    enum { COUNT = 40 };
    char *initiations[COUNT], *wakes[COUNT], *messages[COUNT];
    struct pair pair;

    (void)state;
    pair_make(&pair);
    for (int i = 0; i < COUNT; i++) {
        initiations[i] = envelope_begin(pair.side[0], 0);
        wakes[i] = envelope_begin(pair.side[1], 0);
        pair_join(&pair, 0);
        assert_int_equal(envelope_seal(pair.side[0], 0, "old", 3, &messages[i]), 0);
        side_restart(&pair, 0);
        side_restart(&pair, 1);
    }
    assert_int_equal(answers(pair.side[1], 0, initiations, COUNT), ENVELOPE_ANSWERS);
    assert_int_equal(answers(pair.side[0], 0, wakes, COUNT), ENVELOPE_ANSWERS);
    assert_int_equal(answers(pair.side[1], 0, messages, COUNT), ENVELOPE_ANSWERS);
    assert_int_equal(answers(pair.side[1], 3000, messages, COUNT), 3);
    pair_join(&pair, 100000);
    for (int i = 0; i < COUNT; i++) {
        free(initiations[i]);
        free(wakes[i]);
        free(messages[i]);
    }
    pair_clear(&pair);
}

/* Everything that ever was on the transport, for whom it was. */
struct record {
    char *data;
    int to;
};

static struct {
    struct record *items;
    size_t count, size;
} history;

static void history_add(int to, const char *data)
{
    if (history.count == history.size) {
        history.size = history.size ? history.size * 2 : 1024;
        history.items = realloc(history.items, history.size * sizeof *history.items);
        assert_non_null(history.items);
    }
    history.items[history.count++] = (struct record){strdup(data), to};
}

static void history_clear(void)
{
    for (size_t i = 0; i < history.count; i++)
        free(history.items[i].data);
    free(history.items);
    memset(&history, 0, sizeof history);
}

/* What the attacked side answers is delivered, and may be replayed later. */
static void attack_answered(struct pair *pair, int to, struct envelope_opened *opened, int64_t now)
{
    assert_null(opened->message);
    if (opened->reply != NULL) {
        history_add(to, opened->reply);
        carry(pair, to, opened->reply, now);
        opened->reply = NULL;
    }
    envelope_opened_clear(opened);
}

/* A replay to anybody of anything. */
static void attack_replay(struct pair *pair, int64_t now)
{
    const struct record *record = &history.items[randombytes_uniform((uint32_t)history.count)];
    int to = randombytes_uniform(4) ? record->to : !record->to;
    struct envelope_opened opened;

    envelope_open(pair->side[to], now, record->data, &opened);
    assert_false(opened.established);
    attack_answered(pair, !to, &opened, now);
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Something damaged: cut, lengthened, or with another digit. */
static char *damage(const char *data)
{
    size_t length = strlen(data), at = randombytes_uniform((uint32_t)length);
    char *copy = malloc(length + 5);

    assert_non_null(copy);
    memcpy(copy, data, length + 1);
    switch (randombytes_uniform(4)) {
    case 0:
        copy[at] = '\0';
        break;
    case 1:
        copy[at / 4 * 4] = '\0';
        break;
    case 2:
        memcpy(copy + length, "AAAA", 5);
        break;
    default:
        copy[at] = base64_digits[randombytes_uniform(64)];
        if (copy[at] == data[at])
            copy[at] = copy[at] == 'A' ? 'B' : 'A';
        break;
    }
    return copy;
}

static void attack_damaged(struct pair *pair, int64_t now)
{
    const struct record *record = &history.items[randombytes_uniform((uint32_t)history.count)];
    struct envelope_opened opened;
    char *data = damage(record->data);
    int rc = envelope_open(pair->side[record->to], now, data, &opened);

    assert_true(rc == -EBADMSG || rc == -ENOKEY || rc == -EALREADY);
    assert_false(opened.established);
    attack_answered(pair, !record->to, &opened, now);
    free(data);
}

static void an_attacker_who_injects_breaks_no_established_keys(void **state)
{
    struct pair pair;
    int64_t now = 0;
    char *data;

    (void)state;
    pair_make(&pair);
    for (int life = 0; life < 40; life++) {
        history_add(1, data = envelope_begin(pair.side[0], now));
        free(data);
        history_add(0, data = envelope_begin(pair.side[1], now));
        free(data);
        side_restart(&pair, 0);
        side_restart(&pair, 1);
    }
    pair_join(&pair, now);
    for (int step = 0; step < 3000; step++, now += 100) {
        for (int side = 0; side < 2; side++) {
            struct envelope_opened opened;

            assert_int_equal(envelope_seal(pair.side[side], now, "through", 7, &data), 0);
            history_add(!side, data);
            assert_int_equal(envelope_open(pair.side[!side], now, data, &opened), 0);
            assert_string_equal(opened.message, "through");
            envelope_opened_clear(&opened);
            free(data);
            attack_replay(&pair, now);
            attack_damaged(&pair, now);
        }
    }
    history_clear();
    pair_clear(&pair);
}

static void a_flood_of_old_initiations_does_not_keep_a_restarted_responder_out(void **state)
{
    enum { RECORDED = 600 };
    struct pair pair;
    int64_t now = 0, ready = -1;
    char *old[RECORDED], *data;

    (void)state;
    pair_make(&pair);
    for (int i = 0; i < RECORDED; i++) {
        old[i] = envelope_begin(pair.side[0], now);
        side_restart(&pair, 0);
    }
    pair_join(&pair, now);
    side_restart(&pair, 1);
    free(envelope_begin(pair.side[1], now)); /* lost */
    for (; now < 60000 && ready < 0; now += 10) {
        for (int i = 0; i < 10; i++) {
            struct envelope_opened opened;

            envelope_open(pair.side[1], now, old[randombytes_uniform(RECORDED)], &opened);
            envelope_opened_clear(&opened);
        }
        for (int side = 0; side < 2; side++) {
            data = envelope_poll(pair.side[side], now);
            if (data != NULL)
                carry(&pair, !side, data, now);
        }
        if (envelope_is_ready(pair.side[1]))
            ready = now;
    }
    assert_in_range(ready, 0, 5000);
    say(pair.side[0], pair.side[1], now, "x");
    say(pair.side[1], pair.side[0], now, "y");
    for (int i = 0; i < RECORDED; i++)
        free(old[i]);
    pair_clear(&pair);
}

/* A transport that loses, doubles, delays, cuts and replays, between two sides that restart. */
enum { FLIGHT_MAX = 4096, TEXTS_MAX = 200000 };

struct flight {
    char *data;
    int to;
    int64_t at;
};

static struct {
    struct pair pair;
    struct flight flights[FLIGHT_MAX];
    int64_t now;
    bool faulty;
    uint32_t sent[2];
    bool accepted[2][TEXTS_MAX];
    uint32_t accepted_count[2];
    uint32_t newest[2]; /* the greatest number accepted by this side */
} world;

static void flight_add(int to, const char *data, int64_t delay)
{
    for (int i = 0; i < FLIGHT_MAX; i++) {
        if (world.flights[i].data == NULL) {
            world.flights[i] = (struct flight){strdup(data), to, world.now + delay};
            return;
        }
    }
}

static void world_send(int to, char *data)
{
    if (data == NULL)
        return;
    if (history.count < 20000)
        history_add(to, data);
    if (!world.faulty) {
        flight_add(to, data, 50);
    } else if (randombytes_uniform(100) >= 20) {
        flight_add(to, data, randombytes_uniform(1000));
        if (randombytes_uniform(100) < 20)
            flight_add(to, data, randombytes_uniform(3000));
    }
    free(data);
}

static void world_accept(int side, const struct envelope_opened *opened)
{
    unsigned from;
    uint32_t number;

    if (opened->established)
        assert_string_equal(opened->hello, side == 0 ? "hello of 1" : "hello of 0");
    if (opened->message == NULL)
        return;
    assert_int_equal(sscanf(opened->message, "%u/%" SCNu32, &from, &number), 2);
    assert_int_equal(from, !side);
    assert_true(number < world.sent[!side]);
    assert_false(world.accepted[side][number]);
    world.accepted[side][number] = true;
    world.accepted_count[side]++;
    if (number > world.newest[side])
        world.newest[side] = number;
}

static void world_deliver(int to, const char *data)
{
    struct envelope_opened opened;

    envelope_open(world.pair.side[to], world.now, data, &opened);
    world_accept(to, &opened);
    world_send(!to, opened.reply);
    opened.reply = NULL;
    envelope_opened_clear(&opened);
}

static void world_fault(void)
{
    const struct record *record;
    struct envelope_opened opened;
    char *data;

    if (history.count == 0)
        return;
    record = &history.items[randombytes_uniform((uint32_t)history.count)];
    if (randombytes_uniform(2)) {
        world_deliver(record->to, record->data);
        return;
    }
    data = damage(record->data);
    assert_true(envelope_open(world.pair.side[record->to], world.now, data, &opened) < 0);
    assert_null(opened.message);
    assert_false(opened.established);
    world_send(!record->to, opened.reply);
    opened.reply = NULL;
    envelope_opened_clear(&opened);
    free(data);
}

static void world_restart(int side)
{
    side_restart(&world.pair, side);
    world_send(!side, envelope_begin(world.pair.side[side], world.now));
}

static void world_say(int side)
{
    char text[64], *data;

    snprintf(text, sizeof text, "%d/%" PRIu32, side, world.sent[side]);
    if (envelope_seal(world.pair.side[side], world.now, text, strlen(text), &data) == 0) {
        world.sent[side]++;
        assert_true(world.sent[side] < TEXTS_MAX);
        world_send(!side, data);
    }
}

static void world_step(void)
{
    for (int i = 0; i < FLIGHT_MAX; i++) {
        struct flight flight = world.flights[i];

        if (flight.data == NULL || flight.at > world.now)
            continue;
        world.flights[i].data = NULL;
        world_deliver(flight.to, flight.data);
        free(flight.data);
    }
    for (int side = 0; side < 2; side++) {
        if (envelope_next(world.pair.side[side]) <= world.now)
            world_send(!side, envelope_poll(world.pair.side[side], world.now));
        if (world.faulty && randombytes_uniform(400) == 0)
            world_restart(side);
        if (!world.faulty || randombytes_uniform(4) == 0)
            world_say(side);
    }
    if (world.faulty)
        world_fault();
    world.now += 50;
}

/* Ms until both sides got something that was said after the faults stopped. */
static int64_t world_heal(void)
{
    uint32_t first[2] = {world.sent[0], world.sent[1]};
    int64_t start = world.now;

    world.faulty = false;
    while (world.newest[0] < first[1] || world.newest[1] < first[0]) {
        world_step();
        assert_true(world.now - start < 60000);
    }
    return world.now - start;
}

static void no_fault_is_accepted_and_none_lasts(void **state)
{
    int64_t worst = 0, took;

    (void)state;
    memset(&world, 0, sizeof world);
    pair_make(&world.pair);
    for (int round = 0; round < 60; round++) {
        world.faulty = true;
        for (uint32_t step = randombytes_uniform(500); step > 0; step--)
            world_step();
        took = world_heal();
        if (took > worst)
            worst = took;
    }
    print_message(
        "%u and %u messages accepted of %u and %u said, back after %" PRId64 " ms at worst\n",
        world.accepted_count[1], world.accepted_count[0], world.sent[0], world.sent[1], worst);
    assert_true(world.accepted_count[0] > 1000 && world.accepted_count[1] > 1000);
    assert_true(worst <= 9000); /* retries at 1, 2, 4 and 8 s, the last with a new initiation */
    for (int i = 0; i < FLIGHT_MAX; i++)
        free(world.flights[i].data);
    history_clear();
    pair_clear(&world.pair);
}

/* On a transport that loses nothing and takes 100 ms for a round trip. */
static void restarts_at_any_moment_heal_within_half_a_second(void **state)
{
    (void)state;
    memset(&world, 0, sizeof world);
    pair_make(&world.pair);
    world_restart(0);
    world_restart(1);
    for (int round = 0; round < 300; round++) {
        for (uint32_t step = randombytes_uniform(30); step > 0; step--)
            world_step();
        if (round % 3 != 1)
            world_restart(0);
        if (round % 3 != 0)
            world_restart(1);
        assert_in_range(world_heal(), 0, 500);
        world.now += 10000;
    }
    for (int i = 0; i < FLIGHT_MAX; i++)
        free(world.flights[i].data);
    history_clear();
    pair_clear(&world.pair);
}

static void random_bytes_do_no_harm(void **state)
{
    struct pair pair;
    char *begun[2];

    (void)state;
    pair_make(&pair);
    pair_join(&pair, 0);
    begun[0] = envelope_begin(pair.side[1], 0);
    begun[1] = envelope_begin(pair.side[0], 0);
    for (int i = 0; i < 100000; i++) {
        uint8_t raw[200];
        char text[300];
        size_t length = randombytes_uniform(sizeof raw);
        struct envelope_opened opened;
        int to = i % 2;

        randombytes_buf(raw, length);
        raw[0] = (uint8_t)(i / 2 % 6);
        sodium_bin2base64(text, sizeof text, raw, length, sodium_base64_VARIANT_ORIGINAL);
        if (i % 3 == 0) {
            snprintf(text, sizeof text, "%s", begun[to]);
            text[randombytes_uniform((uint32_t)strlen(text))] ^= (char)(1 + randombytes_uniform(7));
        }
        assert_true(envelope_open(pair.side[to], i, text, &opened) < 0);
        assert_null(opened.message);
        envelope_opened_clear(&opened);
    }
    say(pair.side[0], pair.side[1], 0, "x");
    say(pair.side[1], pair.side[0], 0, "y");
    free(begun[0]);
    free(begun[1]);
    pair_clear(&pair);
}

/* The same run every time, or another one with SEED in the environment. */
static uint8_t seed[randombytes_SEEDBYTES];
static uint64_t seed_round;

static void seeded_buf(void *out, size_t length)
{
    uint8_t once[randombytes_SEEDBYTES];

    seed_round++;
    memcpy(once, seed, sizeof once);
    for (unsigned i = 0; i < 8; i++)
        once[24 + i] = (uint8_t)(seed_round >> (8 * i));
    randombytes_buf_deterministic(out, length, once);
}

static uint32_t seeded_random(void)
{
    uint32_t value;

    seeded_buf(&value, sizeof value);
    return value;
}

static const char *seeded_name(void)
{
    return "seeded";
}

static randombytes_implementation seeded = {
    .implementation_name = seeded_name, .random = seeded_random, .buf = seeded_buf};

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_smaller_key_begins_and_both_get_the_hello),
        cmocka_unit_test(the_first_message_itself_confirms_the_keys),
        cmocka_unit_test(the_responder_wakes_the_initiator),
        cmocka_unit_test(a_side_that_restarted_is_back_after_one_exchange),
        cmocka_unit_test(a_replayed_first_message_costs_one_answer_and_changes_nothing),
        cmocka_unit_test(old_keys_are_accepted_until_new_ones_are_confirmed_and_a_minute_more),
        cmocka_unit_test(a_lost_confirmation_is_sent_again),
        cmocka_unit_test(an_unanswered_request_is_repeated_ever_more_slowly),
        cmocka_unit_test(what_is_doubled_or_forged_is_told_apart_and_has_no_effect),
        cmocka_unit_test(of_two_transports_the_first_to_deliver_counts),
        cmocka_unit_test(a_strangers_keys_open_nothing),
        cmocka_unit_test(own_and_low_order_keys_are_refused),
        cmocka_unit_test(the_longest_message_fits_the_transport),
        cmocka_unit_test(keys_are_renewed_after_an_hour_of_use),
        cmocka_unit_test(answers_are_limited_in_rate),
        cmocka_unit_test(an_attacker_who_injects_breaks_no_established_keys),
        cmocka_unit_test(a_flood_of_old_initiations_does_not_keep_a_restarted_responder_out),
        cmocka_unit_test(no_fault_is_accepted_and_none_lasts),
        cmocka_unit_test(restarts_at_any_moment_heal_within_half_a_second),
        cmocka_unit_test(random_bytes_do_no_harm),
    };
    const char *text = getenv("SEED");

    randombytes_set_implementation(&seeded);
    if (sodium_init() < 0)
        return 99;
    memcpy(seed, text ? text : "envelope", text ? strnlen(text, 16) : 8);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
