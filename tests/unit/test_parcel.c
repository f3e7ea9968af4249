/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "signal-tox/parcel.h"

enum { WIRE_MAX = 4096, PIECE = 1, ACK = 2, INDEX_AT = 10, COUNT_AT = 11 };

struct packet {
    size_t length;
    uint8_t bytes[PARCEL_PACKET_MAX];
};

/* One side, and the wire that leads away from it. */
struct side {
    struct parcels *parcels;
    struct packet wire[WIRE_MAX];
    size_t count;
    int room; /* packets the send queue takes; negative: any number */
    int error;
    char text[PARCEL_DATA_MAX + 1];
    size_t received;
    int64_t delivered[256];
    size_t delivered_count;
};

struct pair {
    struct side a, b;
};

static int on_send(void *data, const uint8_t *bytes, size_t length)
{
    struct side *side = data;

    assert_in_range(length, 1, PARCEL_PACKET_MAX);
    if (side->error != 0)
        return side->error;
    if (side->room == 0)
        return -EAGAIN;
    side->room -= side->room > 0;
    assert_true(side->count < WIRE_MAX);
    side->wire[side->count].length = length;
    memcpy(side->wire[side->count++].bytes, bytes, length);
    return 0;
}

static void on_delivered(void *data, int64_t ref)
{
    struct side *side = data;

    side->delivered[side->delivered_count++] = ref;
}

static void on_received(void *data, const char *text, size_t length)
{
    struct side *side = data;

    assert_int_equal(strlen(text), length);
    memcpy(side->text, text, length + 1);
    side->received++;
}

static void side_init(struct side *side)
{
    struct parcel_events events = {
        .send = on_send, .delivered = on_delivered, .received = on_received, .data = side};

    side->room = -1;
    side->parcels = parcels_new(&events);
    assert_non_null(side->parcels);
}

static int pair_new(void **state)
{
    struct pair *pair = calloc(1, sizeof *pair);

    assert_non_null(pair);
    side_init(&pair->a);
    side_init(&pair->b);
    *state = pair;
    return 0;
}

static int pair_free(void **state)
{
    struct pair *pair = *state;

    parcels_destroy(pair->a.parcels);
    parcels_destroy(pair->b.parcels);
    free(pair);
    return 0;
}

/* All packets on the wire arrive, and what they set off, until it is quiet. */
static void carry(struct side *from, struct side *to)
{
    while (from->count > 0 || to->count > 0) {
        struct side *busy = from->count > 0 ? from : to, *other = busy == from ? to : from;
        size_t count = busy->count;

        for (size_t i = 0; i < count; i++)
            parcels_packet(other->parcels, busy->wire[i].bytes, busy->wire[i].length);
        busy->count -= count;
        memmove(busy->wire, busy->wire + count, busy->count * sizeof busy->wire[0]);
    }
}

static const char *text_of(size_t length)
{
    static char text[PARCEL_DATA_MAX + 2];

    for (size_t i = 0; i < length; i++)
        text[i] = (char)('a' + (i * 7 + i / 251) % 26);
    text[length] = '\0';
    return text;
}

static void post(struct side *side, int64_t ref, const char *text)
{
    assert_int_equal(parcels_post(side->parcels, ref, text, 0), 0);
    parcels_flush(side->parcels, 0);
}

static void every_size_arrives_whole_and_is_acknowledged_once(void **state)
{
    static const size_t sizes[] = {1,
                                   2,
                                   PARCEL_PIECE_MAX - 1,
                                   PARCEL_PIECE_MAX,
                                   PARCEL_PIECE_MAX + 1,
                                   5 * PARCEL_PIECE_MAX,
                                   PARCEL_DATA_MAX - 1,
                                   PARCEL_DATA_MAX};
    struct pair *pair = *state;

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        post(&pair->a, (int64_t)i, text_of(sizes[i]));
        assert_int_equal(pair->a.count, (sizes[i] + PARCEL_PIECE_MAX - 1) / PARCEL_PIECE_MAX);
        carry(&pair->a, &pair->b);
        assert_string_equal(pair->b.text, text_of(sizes[i]));
        assert_int_equal(pair->b.received, i + 1);
        assert_int_equal(pair->a.delivered_count, i + 1);
        assert_int_equal(pair->a.delivered[i], i);
    }
}

static void too_long_or_empty_is_refused(void **state)
{
    struct pair *pair = *state;

    assert_int_equal(parcels_post(pair->a.parcels, 1, text_of(PARCEL_DATA_MAX + 1), 0), -EMSGSIZE);
    assert_int_equal(parcels_post(pair->a.parcels, 1, "", 0), -EMSGSIZE);
}

static void nothing_is_acknowledged_before_the_last_piece(void **state)
{
    struct pair *pair = *state;

    post(&pair->a, 1, text_of(PARCEL_DATA_MAX));
    pair->a.count--;
    carry(&pair->a, &pair->b);
    assert_int_equal(pair->b.received, 0);
    assert_int_equal(pair->a.delivered_count, 0);
}

static void pieces_in_any_order_and_doubled_make_one_message(void **state)
{
    struct pair *pair = *state;

    for (uint32_t round = 0; round < 50; round++) {
        struct packet pieces[2 * PARCEL_PIECES_MAX];
        size_t count;

        post(&pair->a, round, text_of(PARCEL_DATA_MAX));
        count = pair->a.count;
        pair->a.count = 0;
        memcpy(pieces, pair->a.wire, count * sizeof pieces[0]);
        memcpy(pieces + count, pair->a.wire, count * sizeof pieces[0]);
        for (size_t left = 2 * count; left > 0; left--) {
            size_t i = randombytes_uniform((uint32_t)left);

            parcels_packet(pair->b.parcels, pieces[i].bytes, pieces[i].length);
            pieces[i] = pieces[left - 1];
        }
        carry(&pair->b, &pair->a);
        assert_int_equal(pair->b.received, round + 1);
        assert_string_equal(pair->b.text, text_of(PARCEL_DATA_MAX));
        assert_int_equal(pair->a.delivered_count, round + 1);
    }
}

static void what_was_lost_goes_again_after_a_reconnect(void **state)
{
    struct pair *pair = *state;

    post(&pair->a, 1, text_of(PARCEL_DATA_MAX));
    memmove(pair->a.wire, pair->a.wire + 3, (pair->a.count - 3) * sizeof pair->a.wire[0]);
    pair->a.count -= 3;
    carry(&pair->a, &pair->b);
    assert_int_equal(pair->b.received, 0);
    parcels_flush(pair->a.parcels, 0);
    assert_int_equal(pair->a.count, 0);
    parcels_connected(pair->a.parcels);
    parcels_flush(pair->a.parcels, 0);
    carry(&pair->a, &pair->b);
    assert_int_equal(pair->b.received, 1);
    assert_int_equal(pair->a.delivered_count, 1);
    parcels_connected(pair->a.parcels);
    parcels_flush(pair->a.parcels, 0);
    assert_int_equal(pair->a.count, 0);
}

static void a_lost_acknowledgement_makes_no_second_message(void **state)
{
    struct pair *pair = *state;

    post(&pair->a, 1, "once");
    parcels_packet(pair->b.parcels, pair->a.wire[0].bytes, pair->a.wire[0].length);
    pair->a.count = pair->b.count = 0;
    parcels_connected(pair->a.parcels);
    parcels_flush(pair->a.parcels, 0);
    carry(&pair->a, &pair->b);
    assert_int_equal(pair->b.received, 1);
    assert_int_equal(pair->a.delivered_count, 1);
}

static void posted_while_away_goes_when_connected(void **state)
{
    struct pair *pair = *state;

    pair->a.error = -ENOTCONN;
    post(&pair->a, 1, "later");
    assert_int_equal(pair->a.count, 0);
    pair->a.error = 0;
    parcels_connected(pair->a.parcels);
    parcels_flush(pair->a.parcels, 0);
    carry(&pair->a, &pair->b);
    assert_string_equal(pair->b.text, "later");
}

static void a_full_send_queue_loses_nothing_either_way(void **state)
{
    struct pair *pair = *state;
    unsigned rounds = 0;

    pair->a.room = pair->b.room = 0;
    for (int64_t ref = 0; ref < 5; ref++)
        assert_int_equal(parcels_post(pair->a.parcels, ref, text_of(PARCEL_DATA_MAX), 0), 0);
    while (pair->a.delivered_count < 5) {
        assert_true(rounds++ < 1000);
        pair->a.room = 2;
        pair->b.room = (int)(rounds % 2);
        parcels_flush(pair->a.parcels, 0);
        parcels_flush(pair->b.parcels, 0);
        carry(&pair->a, &pair->b);
    }
    assert_int_equal(pair->b.received, 5);
    pair->a.room = 1;
    assert_false(parcels_flush(pair->a.parcels, 0));
}

static void flush_asks_for_more_only_while_something_is_unsent(void **state)
{
    struct pair *pair = *state;

    pair->a.room = 1;
    assert_int_equal(parcels_post(pair->a.parcels, 1, text_of(2 * PARCEL_PIECE_MAX), 0), 0);
    assert_true(parcels_flush(pair->a.parcels, 0));
    pair->a.room = -1;
    assert_false(parcels_flush(pair->a.parcels, 0));
}

static void at_most_64_wait_and_the_next_is_refused(void **state)
{
    struct pair *pair = *state;

    pair->a.error = -ENOTCONN;
    for (int64_t ref = 0; ref < PARCEL_WAITING_MAX; ref++)
        assert_int_equal(parcels_post(pair->a.parcels, ref, "x", 0), 0);
    assert_int_equal(parcels_post(pair->a.parcels, 99, "x", 1), -ENOBUFS);
}

/* Nobody flushes while the friend is away, so posting itself must make room. */
static void what_is_too_old_makes_room_for_the_new(void **state)
{
    struct pair *pair = *state;

    pair->a.error = -ENOTCONN;
    for (int64_t ref = 0; ref < PARCEL_WAITING_MAX; ref++)
        assert_int_equal(parcels_post(pair->a.parcels, ref, "old", 0), 0);
    assert_int_equal(parcels_post(pair->a.parcels, 99, "new", PARCEL_AGE_MS + 1), 0);
    pair->a.error = 0;
    parcels_connected(pair->a.parcels);
    parcels_flush(pair->a.parcels, PARCEL_AGE_MS + 1);
    assert_int_equal(pair->a.count, 1);
    carry(&pair->a, &pair->b);
    assert_string_equal(pair->b.text, "new");
    assert_int_equal(pair->a.delivered[0], 99);
}

static size_t piece(uint8_t *out, uint8_t id, uint8_t index, uint8_t count, size_t size)
{
    memset(out, 'x', PARCEL_HEAD + size);
    out[0] = PARCEL_PACKET_ID;
    out[1] = PIECE;
    memset(out + 2, id, 8);
    out[INDEX_AT] = index;
    out[COUNT_AT] = count;
    return PARCEL_HEAD + size;
}

static void forged_pieces_have_no_effect(void **state)
{
    static const struct {
        uint8_t index, count;
        size_t size;
    } wrong[] = {{0, 0, 5},
                 {1, 1, 5},
                 {0, PARCEL_PIECES_MAX + 1, PARCEL_PIECE_MAX},
                 {200, 201, 5},
                 {0, 2, 5},
                 {0, 1, 0},
                 {0, 1, PARCEL_PIECE_MAX + 1},
                 {255, 255, PARCEL_PIECE_MAX}};
    uint8_t packet[PARCEL_PACKET_MAX + 100];
    struct pair *pair = *state;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        parcels_packet(pair->b.parcels, packet,
                       piece(packet, (uint8_t)i, wrong[i].index, wrong[i].count, wrong[i].size));
    for (size_t length = 0; length <= PARCEL_HEAD; length++) {
        piece(packet, 77, 0, 1, 5);
        parcels_packet(pair->b.parcels, packet, length);
    }
    piece(packet, 78, 0, 1, 5);
    packet[0]++;
    parcels_packet(pair->b.parcels, packet, PARCEL_HEAD + 5);
    piece(packet, 79, 0, 1, 5);
    packet[1] = 3;
    parcels_packet(pair->b.parcels, packet, PARCEL_HEAD + 5);
    assert_int_equal(pair->b.received, 0);
    assert_int_equal(pair->b.count, 0);
}

static void a_piece_that_contradicts_the_first_is_dropped(void **state)
{
    uint8_t packet[PARCEL_PACKET_MAX];
    struct pair *pair = *state;

    parcels_packet(pair->b.parcels, packet, piece(packet, 1, 0, 3, PARCEL_PIECE_MAX));
    parcels_packet(pair->b.parcels, packet, piece(packet, 1, 1, 2, 5));
    parcels_packet(pair->b.parcels, packet, piece(packet, 1, 1, 3, PARCEL_PIECE_MAX));
    assert_int_equal(pair->b.received, 0);
    parcels_packet(pair->b.parcels, packet, piece(packet, 1, 2, 3, 5));
    assert_int_equal(pair->b.received, 1);
    assert_int_equal(strlen(pair->b.text), 2 * PARCEL_PIECE_MAX + 5);
}

static void joined_to_more_than_16_kib_or_with_a_nul_is_not_handed_on(void **state)
{
    uint8_t packet[PARCEL_PACKET_MAX];
    struct pair *pair = *state;

    for (uint8_t i = 0; i < PARCEL_PIECES_MAX; i++)
        parcels_packet(pair->b.parcels, packet,
                       piece(packet, 1, i, PARCEL_PIECES_MAX, PARCEL_PIECE_MAX));
    assert_int_equal(pair->b.received, 0);
    pair->b.count = 0;
    /* More pieces than 16 KiB has are not even kept: finished or not, there is no answer. */
    for (uint8_t i = 0; i <= PARCEL_PIECES_MAX; i++)
        parcels_packet(pair->b.parcels, packet,
                       piece(packet, 3, i, PARCEL_PIECES_MAX + 1, PARCEL_PIECE_MAX));
    assert_int_equal(pair->b.count, 0);
    piece(packet, 2, 0, 1, 5);
    packet[PARCEL_HEAD + 2] = 0;
    parcels_packet(pair->b.parcels, packet, PARCEL_HEAD + 5);
    assert_int_equal(pair->b.received, 0);
}

static void forged_acknowledgements_have_no_effect(void **state)
{
    uint8_t ack[11] = {PARCEL_PACKET_ID, ACK};
    struct pair *pair = *state;

    post(&pair->a, 1, "x");
    parcels_packet(pair->a.parcels, ack, 10);
    memcpy(ack + 2, pair->a.wire[0].bytes + 2, 8);
    parcels_packet(pair->a.parcels, ack, 9);
    parcels_packet(pair->a.parcels, ack, 11);
    assert_int_equal(pair->a.delivered_count, 0);
    parcels_packet(pair->a.parcels, ack, 10);
    parcels_packet(pair->a.parcels, ack, 10);
    assert_int_equal(pair->a.delivered_count, 1);
}

/* A friend that begins 100,000 messages and finishes none makes us hold four. */
static void unfinished_messages_are_bounded(void **state)
{
    uint8_t packet[PARCEL_PACKET_MAX];
    struct pair *pair = *state;

    for (uint32_t i = 0; i < 100000; i++) {
        piece(packet, 0, 0, PARCEL_PIECES_MAX, PARCEL_PIECE_MAX);
        memcpy(packet + 2, &i, sizeof i);
        parcels_packet(pair->b.parcels, packet, PARCEL_PACKET_MAX);
    }
    /* The last four are there still, and an older one begins anew. */
    for (uint32_t i = 100000 - 4; i < 100000; i++)
        for (uint8_t index = 1; index < PARCEL_PIECES_MAX; index++) {
            size_t size = index + 1 < PARCEL_PIECES_MAX ? PARCEL_PIECE_MAX : 1;

            piece(packet, 0, index, PARCEL_PIECES_MAX, size);
            memcpy(packet + 2, &i, sizeof i);
            parcels_packet(pair->b.parcels, packet, PARCEL_HEAD + size);
        }
    assert_int_equal(pair->b.received, 4);
    piece(packet, 0, 1, 2, 5);
    memset(packet + 2, 0, 8);
    parcels_packet(pair->b.parcels, packet, PARCEL_HEAD + 5);
    assert_int_equal(pair->b.received, 4);
}

static void unsendable_acknowledgements_are_bounded(void **state)
{
    uint8_t packet[PARCEL_PACKET_MAX];
    struct pair *pair = *state;

    pair->b.room = 0;
    for (uint8_t i = 0; i < 200; i++)
        parcels_packet(pair->b.parcels, packet, piece(packet, i, 0, 1, 5));
    assert_int_equal(pair->b.received, 200);
    pair->b.room = -1;
    assert_false(parcels_flush(pair->b.parcels, 0));
    assert_int_equal(pair->b.count, PARCEL_WAITING_MAX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, pair_new, pair_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_size_arrives_whole_and_is_acknowledged_once),
        TEST(too_long_or_empty_is_refused),
        TEST(nothing_is_acknowledged_before_the_last_piece),
        TEST(pieces_in_any_order_and_doubled_make_one_message),
        TEST(what_was_lost_goes_again_after_a_reconnect),
        TEST(a_lost_acknowledgement_makes_no_second_message),
        TEST(posted_while_away_goes_when_connected),
        TEST(a_full_send_queue_loses_nothing_either_way),
        TEST(flush_asks_for_more_only_while_something_is_unsent),
        TEST(at_most_64_wait_and_the_next_is_refused),
        TEST(what_is_too_old_makes_room_for_the_new),
        TEST(forged_pieces_have_no_effect),
        TEST(a_piece_that_contradicts_the_first_is_dropped),
        TEST(joined_to_more_than_16_kib_or_with_a_nul_is_not_handed_on),
        TEST(forged_acknowledgements_have_no_effect),
        TEST(unfinished_messages_are_bounded),
        TEST(unsendable_acknowledgements_are_bounded),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
