/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Devices on one link, of which everything is recorded.
 */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "signal-lan/peer.h"

#define RECORDED_MAX 4096
#define DEVICES      3

struct recorded {
    struct device *from;
    struct place to; /* family AF_UNSPEC: everybody */
    size_t length;
    uint8_t bytes[SEAL_PACKET_MAX];
};

struct device {
    struct room *room;
    struct place place;
    struct peer *peer;
    bool deaf;   /* to what goes to everybody */
    bool walled; /* deaf to what goes to it alone, until it has said something to one itself */
    bool lost;   /* nothing of its words arrives */
    unsigned came, went, received, sent, calls;
    char text[20000];
};

struct room {
    struct device devices[DEVICES];
    struct recorded recorded[RECORDED_MAX];
    size_t count, passed_on;
    unsigned lose; /* percent */
    uint32_t dice;
    int64_t now;
};

static uint8_t rendezvous[RENDEZVOUS_BYTES] = {1, 2, 3};

static bool on_send(void *data, const struct place *place, const uint8_t *packet, size_t length)
{
    struct device *device = data;
    struct recorded *recorded = &device->room->recorded[device->room->count];

    assert_in_range(device->room->count, 0, RECORDED_MAX - 1);
    device->room->count++;
    recorded->from = device;
    recorded->to = place != NULL ? *place : (struct place){0};
    recorded->length = length;
    memcpy(recorded->bytes, packet, length);
    device->calls += place == NULL;
    device->walled &= place == NULL;
    return true;
}

static void on_presence(void *data, const char *name, bool online, const struct place *place)
{
    struct device *device = data;

    assert_string_equal(name, "other");
    assert_int_equal(online, place->family != AF_UNSPEC);
    *(online ? &device->came : &device->went) += 1;
}

static void on_sent(void *data, int64_t ref)
{
    (void)ref;
    ((struct device *)data)->sent++;
}

static void on_receive(void *data, const char *name, const char *text)
{
    struct device *device = data;

    assert_string_equal(name, "other");
    device->received++;
    strcpy(device->text, text);
}

static void device_start(struct room *room, size_t number)
{
    struct device *device = &room->devices[number];
    struct peer_events events = {.send = on_send,
                                 .presence = on_presence,
                                 .sent = on_sent,
                                 .receive = on_receive,
                                 .data = device};
    uint8_t instance[PEER_INSTANCE_BYTES];

    randombytes_buf(instance, sizeof instance);
    device->room = room;
    device->place = (struct place){
        .family = AF_INET, .link = 2, .port = 1000, .address = {192, 168, 1, (uint8_t)number}};
    device->peer = peer_new("other", rendezvous, instance, &events, room->now);
    assert_non_null(device->peer);
}

static void device_leave(struct device *device)
{
    peer_destroy(device->peer);
    device->peer = NULL;
}

/* As when it is killed: without a word. */
static void device_vanish(struct room *room, struct device *device)
{
    size_t count = room->count;

    device_leave(device);
    room->count = count;
}

static bool hears(const struct device *device, const struct recorded *recorded)
{
    if (device->peer == NULL || recorded->from->lost)
        return false;
    if (recorded->to.family == AF_UNSPEC)
        return !device->deaf; /* the sender too: multicast comes back */
    return !device->walled && place_equal(&recorded->to, &device->place);
}

static void pass_on(struct room *room, const struct recorded *recorded)
{
    struct recorded copy = *recorded;

    for (size_t i = 0; i < DEVICES; i++) {
        room->dice = room->dice * 1664525u + 1013904223u;
        if ((room->dice >> 16) % 100 >= room->lose && hears(&room->devices[i], &copy))
            assert_true(peer_packet(room->devices[i].peer, &copy.from->place, copy.bytes,
                                    copy.length, room->now));
    }
}

static int64_t settle(struct room *room)
{
    int64_t next = INT64_MAX;

    do {
        while (room->passed_on < room->count)
            pass_on(room, &room->recorded[room->passed_on++]);
        next = INT64_MAX;
        for (size_t i = 0; i < DEVICES; i++) {
            int64_t at = room->devices[i].peer != NULL ? peer_work(room->devices[i].peer, room->now)
                                                       : INT64_MAX;
            next = at < next ? at : next;
        }
    } while (room->passed_on < room->count);
    return next;
}

static void pass(struct room *room, int64_t ms)
{
    int64_t end = room->now + ms;

    for (;;) {
        int64_t next = settle(room);

        if (next > end)
            break;
        room->now = next;
    }
    room->now = end;
}

static int setup(void **state)
{
    struct room *room = calloc(1, sizeof *room);

    room->now = 1000000;
    device_start(room, 0);
    device_start(room, 1);
    *state = room;
    return 0;
}

static int teardown(void **state)
{
    struct room *room = *state;

    for (size_t i = 0; i < DEVICES; i++)
        peer_destroy(room->devices[i].peer);
    free(room);
    return 0;
}

static void two_meet_at_once(void **state)
{
    struct room *room = *state;

    settle(room);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(room->devices[i].came, 1);
        assert_int_equal(room->devices[i].went, 0);
        assert_true(place_equal(peer_place(room->devices[i].peer), &room->devices[1 - i].place));
    }
    assert_in_range(room->count, 4, 8);
}

static void one_that_comes_later_is_met_at_once(void **state)
{
    struct room *room = *state;

    device_vanish(room, &room->devices[1]);
    pass(room, 600000);
    device_start(room, 1);
    settle(room);
    assert_int_equal(room->devices[0].came, 1);
    assert_int_equal(room->devices[1].came, 1);
}

/* A host's firewall drops answers to what went to everybody. */
static void one_behind_a_firewall_is_met_soon(void **state)
{
    struct room *room = *state;

    device_vanish(room, &room->devices[1]);
    pass(room, 600000);
    device_start(room, 1);
    room->devices[1].walled = true;
    pass(room, 100);
    assert_int_equal(room->devices[0].came, 1);
    assert_int_equal(room->devices[1].came, 1);
}

static void one_whose_words_to_everybody_are_not_heard_is_met_by_its_answer(void **state)
{
    struct room *room = *state;

    room->devices[0].deaf = true;
    pass(room, 1);
    assert_int_equal(room->devices[0].came, 1);
    assert_int_equal(room->devices[1].came, 1);
}

/* Multicast brings it back, and both sides have the same keys. */
static void alone_nobody_is_met(void **state)
{
    struct room *room = *state;

    device_vanish(room, &room->devices[1]);
    pass(room, 3600000);
    assert_int_equal(room->devices[0].came, 0);
    /* The quick calls, then one in 30 s. */
    assert_in_range(room->devices[0].calls, 7 + 100, 7 + 160);
    assert_int_equal(room->count, room->devices[0].calls);
}

static void calls_are_quick_first(void **state)
{
    struct room *room = *state;

    device_vanish(room, &room->devices[1]);
    settle(room);
    assert_int_equal(room->devices[0].calls, 1);
    pass(room, 65);
    assert_int_equal(room->devices[0].calls, 2);
    pass(room, 500);
    assert_int_equal(room->devices[0].calls, 4);
    pass(room, 7000);
    assert_int_equal(room->devices[0].calls, 7);
}

static void messages_pass_both_ways(void **state)
{
    struct room *room = *state;
    char *text = calloc(1, 16385);

    memset(text, 'x', 16384);
    settle(room);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(peer_post(room->devices[i].peer, 1, text, room->now), 0);
        settle(room);
        assert_int_equal(room->devices[i].sent, 1);
        assert_string_equal(room->devices[1 - i].text, text);
    }
    free(text);
}

static void a_message_for_one_that_is_away_waits(void **state)
{
    struct room *room = *state;

    device_vanish(room, &room->devices[1]);
    assert_int_equal(peer_post(room->devices[0].peer, 1, "hello", room->now), 0);
    pass(room, 60000);
    assert_int_equal(room->devices[0].sent, 0);
    device_start(room, 1);
    settle(room);
    assert_string_equal(room->devices[1].text, "hello");
    assert_int_equal(room->devices[0].sent, 1);
}

static void goodbye_is_believed_at_once(void **state)
{
    struct room *room = *state;

    settle(room);
    device_leave(&room->devices[1]);
    settle(room);
    assert_int_equal(room->devices[0].went, 1);
    assert_int_equal(peer_place(room->devices[0].peer)->family, AF_UNSPEC);
}

static void one_that_falls_silent_is_away_after_nine_seconds(void **state)
{
    struct room *room = *state;

    pass(room, 60000);
    assert_int_equal(room->devices[0].went, 0);
    device_vanish(room, &room->devices[1]);
    pass(room, PEER_ASKS * PEER_ASK_MS);
    assert_int_equal(room->devices[0].went, 0);
    pass(room, PEER_SILENCE_MS);
    assert_int_equal(room->devices[0].went, 1);
    device_start(room, 1);
    settle(room);
    assert_int_equal(room->devices[0].came, 2);
}

/* One question and its answer in five seconds. */
static void idle_peers_say_little(void **state)
{
    struct room *room = *state;
    size_t before;

    settle(room);
    before = room->count;
    pass(room, 60000);
    assert_in_range(room->count - before, 20, 26);
    assert_int_equal(room->devices[0].went + room->devices[1].went, 0);
}

static void a_restart_is_told_as_going_and_coming(void **state)
{
    struct room *room = *state;

    settle(room);
    device_vanish(room, &room->devices[1]);
    peer_post(room->devices[0].peer, 1, "under way meanwhile", room->now);
    pass(room, 3000);
    device_start(room, 1);
    settle(room);
    assert_int_equal(room->devices[0].went, 1);
    assert_int_equal(room->devices[0].came, 2);
    assert_int_equal(room->devices[1].came, 2);
    assert_string_equal(room->devices[1].text, "under way meanwhile");
}

/* One side has lost its memory of the meeting, the other has not. */
static void one_that_was_not_heard_for_long_comes_back_by_itself(void **state)
{
    struct room *room = *state;

    settle(room);
    room->devices[1].lost = true;
    pass(room, 12000);
    assert_int_equal(room->devices[0].went, 1);
    assert_int_equal(room->devices[1].went, 0);
    room->devices[1].lost = false;
    pass(room, PEER_CALL_RARE_MS * 5 / 4);
    assert_int_equal(room->devices[0].came, 2);
    peer_post(room->devices[1].peer, 1, "hello", room->now);
    settle(room);
    assert_string_equal(room->devices[0].text, "hello");
}

/* What somebody else recorded, said again from where they are. */
static void replay(struct room *room, size_t from, size_t to, size_t at)
{
    static const struct place elsewhere = {
        .family = AF_INET, .link = 2, .port = 666, .address = {192, 168, 1, 66}};

    for (size_t i = from; i < to; i++)
        for (size_t round = 0; round < 2; round++)
            peer_packet(room->devices[at].peer, &elsewhere, room->recorded[i].bytes,
                        room->recorded[i].length, room->now);
}

static void a_recording_of_this_meeting_changes_nothing(void **state)
{
    struct room *room = *state;

    settle(room);
    peer_post(room->devices[1].peer, 1, "hello", room->now);
    pass(room, 30000);
    replay(room, 0, room->count, 0);
    assert_int_equal(room->devices[0].received, 1);
    assert_int_equal(room->devices[0].came, 1);
    assert_int_equal(room->devices[0].went, 0);
    assert_true(place_equal(peer_place(room->devices[0].peer), &room->devices[1].place));
}

static void a_recording_of_an_earlier_meeting_changes_nothing(void **state)
{
    struct room *room = *state;
    size_t earlier;

    settle(room);
    peer_post(room->devices[1].peer, 1, "hello", room->now);
    settle(room);
    device_leave(&room->devices[1]); /* with a goodbye */
    settle(room);
    earlier = room->count;
    device_start(room, 1);
    pass(room, 10000);
    assert_int_equal(room->devices[0].came, 2);
    replay(room, 0, earlier, 0);
    pass(room, 10000);
    assert_int_equal(room->devices[0].received, 1);
    assert_int_equal(room->devices[0].came, 2);
    assert_int_equal(room->devices[0].went, 1);
    assert_true(place_equal(peer_place(room->devices[0].peer), &room->devices[1].place));
}

static void a_recording_makes_nobody_present(void **state)
{
    struct room *room = *state;
    size_t recorded, answered;

    pass(room, 10000);
    recorded = room->count;
    device_vanish(room, &room->devices[0]);
    device_vanish(room, &room->devices[1]);
    device_start(room, 0);
    pass(room, 20000);
    answered = room->count;
    room->devices[0].came = room->devices[0].went = 0;
    for (int i = 0; i < 20; i++)
        replay(room, 0, recorded, 0);
    assert_in_range(room->count - answered, 1, PEER_ANSWERS_BURST);
    pass(room, 1000);
    assert_int_equal(room->devices[0].came, 0);
    assert_in_range(room->count - answered, 1, PEER_ANSWERS_BURST + 8);
}

static void a_recording_keeps_nobody_present(void **state)
{
    struct room *room = *state;

    pass(room, 60000);
    device_vanish(room, &room->devices[1]);
    for (int second = 0; second < 15; second++) {
        replay(room, 0, room->count, 0);
        pass(room, 1000);
    }
    assert_int_equal(room->devices[0].went, 1);
    assert_int_equal(room->devices[0].came, 1);
}

static void one_that_moves_is_followed(void **state)
{
    struct room *room = *state;

    settle(room);
    room->devices[1].place.address[3] = 99;
    peer_look(room->devices[1].peer, room->now);
    settle(room);
    assert_true(place_equal(peer_place(room->devices[0].peer), &room->devices[1].place));
    assert_int_equal(room->devices[0].came, 1);
    assert_int_equal(room->devices[0].went, 0);
}

/* Nobody has told: a cable was pulled elsewhere on the link. */
static void a_message_that_gets_no_answer_looks_for_another_way(void **state)
{
    struct room *room = *state;

    pass(room, 1000);
    room->devices[1].place.link = 3;
    assert_int_equal(peer_post(room->devices[0].peer, 1, "hello", room->now), 0);
    pass(room, 2000);
    assert_string_equal(room->devices[1].text, "hello");
    assert_int_equal(room->devices[0].sent, 1);
    assert_int_equal(room->devices[0].went, 0);
}

/* The one by which it comes first may be deaf in the other direction. */
static void a_question_that_comes_by_two_links_is_answered_on_both(void **state)
{
    struct room *room = *state;
    struct place one, two;
    struct recorded question;

    settle(room);
    one = two = room->devices[0].place;
    two.link = 3;
    peer_look(room->devices[0].peer, room->now);
    peer_work(room->devices[0].peer, room->now);
    question = room->recorded[room->count - 1];
    assert_int_equal(question.to.family, AF_UNSPEC);
    peer_packet(room->devices[1].peer, &one, question.bytes, question.length, room->now);
    assert_true(place_equal(&room->recorded[room->count - 1].to, &one));
    peer_packet(room->devices[1].peer, &two, question.bytes, question.length, room->now);
    assert_true(place_equal(&room->recorded[room->count - 1].to, &two));
    assert_true(place_equal(peer_place(room->devices[1].peer), &one));
}

static void other_keys_and_noise_are_not_taken(void **state)
{
    static const uint8_t strange[RENDEZVOUS_BYTES] = {9};
    struct room *room = *state;
    struct seal_keys keys;
    uint8_t body[64] = {0}, packet[SEAL_PACKET_MAX];
    size_t length, before;

    settle(room);
    before = room->count;
    seal_keys_derive(&keys, strange);
    length = seal_close(&keys, body, sizeof body, packet);
    assert_false(
        peer_packet(room->devices[0].peer, &room->devices[1].place, packet, length, room->now));
    for (length = 0; length <= sizeof packet; length += 40) {
        randombytes_buf(packet, length);
        assert_false(
            peer_packet(room->devices[0].peer, &room->devices[1].place, packet, length, room->now));
    }
    assert_int_equal(room->count, before);
}

/* Presence holds, and messages arrive once. */
static void a_lossy_link_costs_time_alone(void **state)
{
    struct room *room = *state;
    char *text = calloc(1, 16385);

    memset(text, 'y', 16384);
    room->lose = 20;
    pass(room, 1000);
    assert_int_equal(room->devices[0].came, 1);
    assert_int_equal(room->devices[1].came, 1);
    for (unsigned i = 1; i <= 20; i++) {
        assert_int_equal(peer_post(room->devices[0].peer, i, text, room->now), 0);
        pass(room, 2000);
        assert_int_equal(room->devices[0].sent, i);
        assert_int_equal(room->devices[1].received, i);
    }
    assert_int_equal(room->devices[0].went + room->devices[1].went, 0);
    free(text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(two_meet_at_once),
        TEST(one_that_comes_later_is_met_at_once),
        TEST(one_behind_a_firewall_is_met_soon),
        TEST(one_whose_words_to_everybody_are_not_heard_is_met_by_its_answer),
        TEST(alone_nobody_is_met),
        TEST(calls_are_quick_first),
        TEST(messages_pass_both_ways),
        TEST(a_message_for_one_that_is_away_waits),
        TEST(goodbye_is_believed_at_once),
        TEST(one_that_falls_silent_is_away_after_nine_seconds),
        TEST(idle_peers_say_little),
        TEST(a_restart_is_told_as_going_and_coming),
        TEST(one_that_was_not_heard_for_long_comes_back_by_itself),
        TEST(a_recording_of_this_meeting_changes_nothing),
        TEST(a_recording_of_an_earlier_meeting_changes_nothing),
        TEST(a_recording_makes_nobody_present),
        TEST(a_recording_keeps_nobody_present),
        TEST(one_that_moves_is_followed),
        TEST(a_message_that_gets_no_answer_looks_for_another_way),
        TEST(a_question_that_comes_by_two_links_is_answered_on_both),
        TEST(other_keys_and_noise_are_not_taken),
        TEST(a_lossy_link_costs_time_alone),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
