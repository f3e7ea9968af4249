/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Two sides on a link that loses what a test says.
 */
#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "signal-lan/parcel.h"

#define QUEUE_MAX 512

struct packet {
    struct side *to;
    size_t length;
    uint8_t bytes[PARCEL_PACKET_MAX];
};

struct side {
    struct link *link;
    struct side *other;
    struct parcels *parcels;
    unsigned pieces, acks;     /* sent */
    unsigned delivered, taken; /* told, received */
    int64_t last_ref;
    char *text; /* received last */
};

struct link {
    struct side one, two;
    struct packet queue[QUEUE_MAX];
    size_t count;
    unsigned lose; /* percent */
    bool twice;
    int64_t now;
    uint32_t dice;
};

static unsigned roll(struct link *link)
{
    link->dice = link->dice * 1664525u + 1013904223u;
    return (link->dice >> 16) % 100;
}

static void on_send(void *data, const uint8_t *bytes, size_t length)
{
    struct side *side = data;
    struct link *link = side->link;

    assert_in_range(length, 1, PARCEL_PACKET_MAX);
    *(bytes[0] == PARCEL_KIND_PIECE ? &side->pieces : &side->acks) += 1;
    for (int i = 0; i < (link->twice ? 2 : 1); i++) {
        struct packet *packet = &link->queue[link->count];

        if (roll(link) < link->lose)
            continue;
        assert_in_range(link->count, 0, QUEUE_MAX - 1);
        packet->to = side->other;
        packet->length = length;
        memcpy(packet->bytes, bytes, length);
        link->count++;
    }
}

static void on_delivered(void *data, int64_t ref)
{
    struct side *side = data;

    side->delivered++;
    side->last_ref = ref;
}

static void on_received(void *data, const char *text, size_t length)
{
    struct side *side = data;

    assert_int_equal(strlen(text), length);
    side->taken++;
    free(side->text);
    side->text = strdup(text);
}

static void side_open(struct link *link, struct side *side, struct side *other)
{
    struct parcel_events events = {
        .send = on_send, .delivered = on_delivered, .received = on_received, .data = side};

    side->link = link;
    side->other = other;
    side->parcels = parcels_new(&events);
    assert_non_null(side->parcels);
}

static int setup(void **state)
{
    struct link *link = calloc(1, sizeof *link);

    side_open(link, &link->one, &link->two);
    side_open(link, &link->two, &link->one);
    link->now = 1000;
    *state = link;
    return 0;
}

static int teardown(void **state)
{
    struct link *link = *state;

    parcels_destroy(link->one.parcels);
    parcels_destroy(link->two.parcels);
    free(link->one.text);
    free(link->two.text);
    free(link);
    return 0;
}

/* Until nothing is under way at this moment; when the next is due. */
static int64_t settle(struct link *link)
{
    int64_t one, two;

    do {
        for (size_t i = 0; i < link->count; i++) {
            struct packet packet = link->queue[i];

            parcels_packet(packet.to->parcels, packet.bytes, packet.length);
        }
        link->count = 0;
        one = parcels_work(link->one.parcels, link->now);
        two = parcels_work(link->two.parcels, link->now);
    } while (link->count > 0);
    return one < two ? one : two;
}

/* Time passes until all is delivered, or so long. */
static void pass(struct link *link, int64_t ms)
{
    int64_t end = link->now + ms;

    while (link->now <= end) {
        int64_t next = settle(link);

        if (next == INT64_MAX)
            return;
        link->now = next > link->now ? next : link->now + 1;
    }
}

static char *text_of(size_t length, char first)
{
    char *text = malloc(length + 1);

    for (size_t i = 0; i < length; i++)
        text[i] = (char)('a' + (i * 7 + i / 1101 + (size_t)first) % 26);
    text[length] = '\0';
    return text;
}

static void every_length_arrives_as_it_was(void **state)
{
    static const size_t lengths[] = {1,    PARCEL_PIECE_MAX,    PARCEL_PIECE_MAX + 1,
                                     5000, PARCEL_DATA_MAX - 1, PARCEL_DATA_MAX};
    struct link *link = *state;

    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        char *text = text_of(lengths[i], (char)i);

        assert_int_equal(parcels_post(link->one.parcels, (int64_t)i, text, link->now), 0);
        settle(link);
        assert_string_equal(link->two.text, text);
        assert_int_equal(link->one.last_ref, i);
        assert_int_equal(link->two.taken, i + 1);
        assert_int_equal(link->one.delivered, i + 1);
        free(text);
    }
}

static void what_can_be_no_message_is_refused(void **state)
{
    struct link *link = *state;
    char *text = text_of(PARCEL_DATA_MAX + 1, 0);

    assert_int_equal(parcels_post(link->one.parcels, 1, text, link->now), -EMSGSIZE);
    assert_int_equal(parcels_post(link->one.parcels, 1, "", link->now), -EMSGSIZE);
    free(text);
}

static void lost_pieces_and_acknowledgements_are_made_up_for(void **state)
{
    struct link *link = *state;
    char *text = text_of(PARCEL_DATA_MAX, 0);
    int64_t began = link->now;

    link->lose = 20;
    for (int ref = 0; ref < 50; ref++) {
        assert_int_equal(parcels_post(link->one.parcels, ref, text, link->now), 0);
        pass(link, 10000);
        assert_int_equal(link->one.delivered, ref + 1);
        assert_int_equal(link->two.taken, ref + 1);
        assert_string_equal(link->two.text, text);
    }
    /* Most rounds need no time-out, for the last piece tells of the missing ones. */
    assert_in_range(link->now - began, 0, 50 * PARCEL_AGAIN_MS);
    assert_in_range(link->one.pieces, 50 * PARCEL_PIECES_MAX, 50 * PARCEL_PIECES_MAX * 3 / 2);
    free(text);
}

static void doubles_are_dropped(void **state)
{
    struct link *link = *state;
    char *text = text_of(5000, 0);

    link->twice = true;
    for (int ref = 0; ref < 20; ref++) {
        const char *posted = ref % 2 ? text : "one piece";

        assert_int_equal(parcels_post(link->one.parcels, ref, posted, link->now), 0);
        settle(link);
    }
    assert_int_equal(link->two.taken, 20);
    assert_int_equal(link->one.delivered, 20);
    free(text);
}

static void nothing_is_told_while_nothing_arrives_and_all_of_it_later(void **state)
{
    struct link *link = *state;

    link->lose = 100;
    for (int ref = 0; ref < PARCEL_WAITING_MAX; ref++)
        assert_int_equal(parcels_post(link->one.parcels, ref, "x", link->now), 0);
    assert_int_equal(parcels_post(link->one.parcels, 99, "x", link->now), -ENOBUFS);
    pass(link, 10000);
    assert_int_equal(link->one.delivered, 0);
    /* Four messages, twice after 60, 120, 240, 480, 960 and then each 1000 ms: no storm. */
    assert_in_range(link->one.pieces, 40, 4 * 18);
    link->lose = 0;
    pass(link, PARCEL_AGAIN_MAX_MS);
    assert_int_equal(link->one.delivered, PARCEL_WAITING_MAX);
    assert_int_equal(link->two.taken, PARCEL_WAITING_MAX);
}

static void a_message_nobody_takes_is_given_up(void **state)
{
    struct link *link = *state;

    link->lose = 100;
    assert_int_equal(parcels_post(link->one.parcels, 1, "x", link->now), 0);
    pass(link, PARCEL_AGE_MS + 2 * PARCEL_AGAIN_MAX_MS);
    link->lose = 0;
    assert_true(settle(link) == INT64_MAX);
    assert_int_equal(link->two.taken, 0);
}

static void a_peer_that_begins_anew_gets_everything_again(void **state)
{
    struct link *link = *state;
    char *text = text_of(PARCEL_DATA_MAX, 0);

    assert_int_equal(parcels_post(link->one.parcels, 1, text, link->now), 0);
    link->lose = 50;
    parcels_work(link->one.parcels, link->now);
    link->lose = 0;
    for (size_t i = 0; i < link->count; i++)
        parcels_packet(link->two.parcels, link->queue[i].bytes, link->queue[i].length);
    parcels_destroy(link->two.parcels);
    side_open(link, &link->two, &link->one);
    parcels_connected(link->one.parcels);
    settle(link);
    assert_string_equal(link->two.text, text);
    free(text);
}

/* A peer may do what it likes: it has so many unfinished messages, and no more. */
static void unfinished_messages_take_bounded_memory(void **state)
{
    struct link *link = *state;
    uint8_t piece[PARCEL_PACKET_MAX] = {PARCEL_KIND_PIECE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};

    memset(piece + PARCEL_HEAD, 'x', sizeof piece - PARCEL_HEAD);
    for (int id = 0; id <= PARCEL_JOINING_MAX; id++) {
        piece[1] = (uint8_t)id;
        parcels_packet(link->two.parcels, piece, sizeof piece);
    }
    piece[9] = 1;
    piece[1] = 1;
    parcels_packet(link->two.parcels, piece, PARCEL_HEAD + 1);
    assert_int_equal(link->two.taken, 1);
    piece[1] = 0; /* whose first piece was given up */
    parcels_packet(link->two.parcels, piece, PARCEL_HEAD + 1);
    assert_int_equal(link->two.taken, 1);
}

static void what_contradicts_itself_has_no_effect(void **state)
{
    struct link *link = *state;
    uint8_t piece[] = {PARCEL_KIND_PIECE, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 'x'};
    uint8_t ack[] = {PARCEL_KIND_ACK, 1, 2, 3, 4, 5, 6, 7, 8, 0xff, 0xff, 0xff, 0xff};

    parcels_packet(link->two.parcels, ack, sizeof ack);
    piece[10] = 0; /* of none */
    parcels_packet(link->two.parcels, piece, sizeof piece);
    piece[10] = PARCEL_PIECES_MAX + 1;
    parcels_packet(link->two.parcels, piece, sizeof piece);
    piece[10] = 2; /* the first of two is a full one */
    parcels_packet(link->two.parcels, piece, sizeof piece);
    piece[10] = piece[9] = 1; /* the second of one */
    parcels_packet(link->two.parcels, piece, sizeof piece);
    piece[9] = 0;
    parcels_packet(link->two.parcels, piece, PARCEL_HEAD); /* empty */
    piece[PARCEL_HEAD] = '\0';
    parcels_packet(link->two.parcels, piece, sizeof piece); /* no text */
    assert_int_equal(link->two.taken, 0);
    piece[1] = 9;
    piece[PARCEL_HEAD] = 'x';
    parcels_packet(link->two.parcels, piece, sizeof piece);
    assert_int_equal(link->two.taken, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(every_length_arrives_as_it_was),
        TEST(what_can_be_no_message_is_refused),
        TEST(lost_pieces_and_acknowledgements_are_made_up_for),
        TEST(doubles_are_dropped),
        TEST(nothing_is_told_while_nothing_arrives_and_all_of_it_later),
        TEST(a_message_nobody_takes_is_given_up),
        TEST(a_peer_that_begins_anew_gets_everything_again),
        TEST(unfinished_messages_take_bounded_memory),
        TEST(what_contradicts_itself_has_no_effect),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
