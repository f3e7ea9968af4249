/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Two peers that talk over two transports: what each session hears. Transports, sessions and
 * wg-setup are only remembered here; the envelopes are real.
 */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broker/broker.h"

#define FLIGHT 64
#define KEY_A  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define KEY_C  "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="
#define KEY_B  "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="

/* The session */

struct session {
    struct session_memory memory;
    char heard[400];
    struct message say; /* what it says next */
};

struct session *session_new(bool offerer, const struct session_memory *memory)
{
    (void)offerer;
    (void)memory;
    return calloc(1, sizeof(struct session));
}

void session_destroy(struct session *session)
{
    free(session);
}

static void note(struct session *session, const char *text)
{
    strncat(session->heard, text, sizeof session->heard - strlen(session->heard) - 1);
}

void session_handle(struct session *session, const struct session_event *event,
                    struct session_actions *actions)
{
    actions->count = 0;
    switch (event->type) {
    case SESSION_ONLINE:
        note(session, "online ");
        break;
    case SESSION_OFFLINE:
        note(session, "offline ");
        break;
    case SESSION_HELLO:
        note(session, "hello ");
        break;
    case SESSION_MESSAGE:
        note(session, message_type_name(event->message->type));
        note(session, " ");
        break;
    case SESSION_MESSAGE_LATE:
        note(session, "late-");
        note(session, message_type_name(event->message->type));
        note(session, " ");
        break;
    default:
        break;
    }
    if (session->say.type == MESSAGE_NONE)
        return;
    actions->items[0].type = SESSION_SEND;
    actions->items[0].slot = -1;
    actions->items[0].message = session->say;
    actions->count = 1;
    session->say.type = MESSAGE_NONE;
}

int64_t session_deadline(const struct session *session)
{
    (void)session;
    return INT64_MAX;
}

const struct session_memory *session_memory(const struct session *session)
{
    return &session->memory;
}

/* The world */

/* A helper's process is no part of this. */
enum way { PROMPT, LOSES, HOLDS };

struct side {
    struct broker broker;
    struct identity identity;
    struct config config;
    struct config_peer peer_config;
    struct transport transports[2], *list[2];
    struct peer *peer;
};

struct flight {
    int to, transport;
    char *data;
};

static struct world {
    struct side sides[2]; /* 0 is the initiator */
    enum way ways[2];
    struct flight flights[FLIGHT], held[FLIGHT];
    size_t flying, holding;
    unsigned sent; /* copies */
    unsigned told; /* errors */
} world;

void transport_send(struct transport *transport, const struct peer *peer, const char *data)
{
    int from = transport->broker == &world.sides[1].broker;
    struct flight flight = {.to = !from, .transport = (int)transport->index};

    (void)peer;
    world.sent++;
    if (world.ways[transport->index] == LOSES)
        return;
    flight.data = strdup(data);
    assert_true(world.flying < FLIGHT && world.holding < FLIGHT);
    if (world.ways[transport->index] == HOLDS)
        world.held[world.holding++] = flight;
    else
        world.flights[world.flying++] = flight;
}

void transport_peer_remove(struct transport *transport, struct peer *peer)
{
    (void)transport;
    (void)peer;
}

struct agent *agent_start(struct peer *peer, int slot, bool controlling)
{
    (void)peer;
    (void)slot;
    (void)controlling;
    return NULL;
}

void agent_input(struct agent *agent, const struct message *message)
{
    (void)agent;
    (void)message;
}

void agent_stop(struct agent *agent, enum child_stop_how how)
{
    (void)agent;
    (void)how;
}

void wireguard_send(struct broker *broker, const struct peer *peer, struct message *message)
{
    (void)broker;
    (void)peer;
    (void)message;
}

void wireguard_poll(struct broker *broker)
{
    (void)broker;
}

void broker_keep(struct broker *broker)
{
    (void)broker;
}

void event_emit(struct event_log *events, struct message *event)
{
    (void)events;
    (void)event;
}

void event_emit_error(struct event_log *events, const char *peer, const char *code,
                      const char *message)
{
    (void)events;
    (void)peer;
    (void)message;
    assert_string_equal(code, "id-twice");
    world.told++;
}

static void land(const struct flight *flight)
{
    struct side *side = &world.sides[flight->to];

    peer_receive(side->peer, &side->transports[flight->transport], flight->data);
    free(flight->data);
}

/* Until nothing is on its way. */
static void carry(void)
{
    for (size_t i = 0; i < world.flying; i++)
        land(&world.flights[i]);
    world.flying = 0;
}

static void let_go(void)
{
    size_t count = world.holding;
    struct flight flights[FLIGHT];

    memcpy(flights, world.held, sizeof flights);
    world.holding = 0;
    for (size_t i = 0; i < count; i++)
        land(&flights[i]);
    carry();
}

static void side_open(struct side *side, const struct side *other)
{
    static const struct session_memory nothing;
    struct error err;

    side->broker.loop = uv_default_loop();
    side->broker.config = &side->config;
    side->broker.identity = &side->identity;
    side->broker.transports = side->list;
    side->broker.transport_count = 2;
    for (unsigned i = 0; i < 2; i++) {
        side->transports[i] =
            (struct transport){.broker = &side->broker, .index = i, .slot = i + 3};
        side->list[i] = &side->transports[i];
    }
    memcpy(side->peer_config.grant.key, other->identity.public, ID_KEY_BYTES);
    side->peer = peer_new(&side->broker, &side->peer_config, 0, &nothing, &err);
    assert_non_null(side->peer);
}

static void wg_up(int side)
{
    strcpy(world.sides[side].broker.wg.public_key, side == 0 ? KEY_A : KEY_B);
    peer_set_hello(world.sides[side].peer);
    carry();
}

static int setup(void **state)
{
    (void)state;
    memset(&world, 0, sizeof world);
    do
        for (int i = 0; i < 2; i++)
            crypto_box_keypair(world.sides[i].identity.public, world.sides[i].identity.secret);
    while (memcmp(world.sides[0].identity.public, world.sides[1].identity.public, 32) > 0);
    for (int i = 0; i < 2; i++)
        side_open(&world.sides[i], &world.sides[!i]);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    let_go();
    for (int i = 0; i < 2; i++)
        peer_discard(world.sides[i].peer);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    return 0;
}

static void present(int side, int transport, bool online)
{
    peer_presence(world.sides[side].peer, &world.sides[side].transports[transport], online);
    carry();
}

static void say(int side, enum message_type type)
{
    struct session *session = world.sides[side].peer->session;

    message_init(&session->say, type);
    peer_handle(world.sides[side].peer, SESSION_TICK, 0, NULL);
    carry();
}

static void expect_heard(int side, const char *text)
{
    struct session *session = world.sides[side].peer->session;

    assert_string_equal(session->heard, text);
    session->heard[0] = '\0';
}

static void join(void)
{
    for (int side = 0; side < 2; side++)
        wg_up(side);
    for (int side = 0; side < 2; side++)
        for (int transport = 0; transport < 2; transport++)
            present(side, transport, true);
    for (int side = 0; side < 2; side++)
        world.sides[side].peer->session->heard[0] = '\0';
}

/* Tests */

static void a_message_goes_over_both_and_is_heard_once(void **state)
{
    (void)state;
    join();
    for (int side = 0; side < 2; side++) {
        unsigned before = world.sent;

        say(side, MESSAGE_want_session);
        say(side, MESSAGE_bye);
        assert_int_equal(world.sent - before, 4);
        expect_heard(!side, "want-session bye ");
    }
}

static void one_that_loses_everything_costs_nothing(void **state)
{
    (void)state;
    for (int bad = 0; bad < 2; bad++) {
        setup(NULL);
        world.ways[bad] = LOSES;
        join();
        say(0, MESSAGE_want_session);
        say(1, MESSAGE_bye);
        expect_heard(1, "want-session ");
        expect_heard(0, "bye ");
        if (bad == 0)
            teardown(NULL);
    }
}

static void one_that_lags_is_heard_no_more_than_once_and_told_as_late(void **state)
{
    (void)state;
    join();
    world.ways[0] = HOLDS;
    say(0, MESSAGE_want_session);
    expect_heard(1, "want-session ");
    present(0, 1, false);
    say(0, MESSAGE_clock_reset); /* over the one that lags alone */
    present(0, 1, true);
    say(0, MESSAGE_bye);
    expect_heard(1, "bye ");
    let_go();
    expect_heard(1, "late-clock-reset ");
}

/* Of the two that are told of each other one is the first. */
static void a_greeting_is_answered_the_way_it_came(void **state)
{
    (void)state;
    for (int side = 0; side < 2; side++)
        wg_up(side);
    world.ways[0] = LOSES;
    for (int side = 0; side < 2; side++)
        present(side, 0, true);
    expect_heard(0, "online ");
    expect_heard(1, "online ");
    present(0, 1, true);
    expect_heard(0, "hello ");
    expect_heard(1, "hello ");
    say(1, MESSAGE_bye);
    expect_heard(0, "bye ");
}

static void nothing_is_answered_before_we_have_a_wireguard_key(void **state)
{
    (void)state;
    for (int late = 0; late < 2; late++) {
        setup(NULL);
        wg_up(!late);
        for (int side = 0; side < 2; side++)
            present(side, 0, true);
        expect_heard(0, "online ");
        expect_heard(1, "online ");
        wg_up(late);
        expect_heard(0, "hello ");
        expect_heard(1, "hello ");
        if (late == 0)
            teardown(NULL);
    }
}

static void a_peer_is_offline_when_the_last_transport_says_so(void **state)
{
    (void)state;
    join();
    present(0, 0, false);
    expect_heard(0, "");
    assert_false(peer_is_reached_by(world.sides[0].peer, &world.sides[0].transports[0]));
    assert_true(peer_is_reached_by(world.sides[0].peer, &world.sides[0].transports[1]));
    present(0, 1, false);
    expect_heard(0, "offline ");
    present(0, 0, true);
    expect_heard(0, "online hello ");
}

static void greet_with(const char *key)
{
    strcpy(world.sides[0].broker.wg.public_key, key);
    peer_set_hello(world.sides[0].peer);
    carry();
}

static void an_id_that_is_there_twice_is_told_and_a_new_key_is_not(void **state)
{
    (void)state;
    join();
    greet_with(KEY_C);
    assert_int_equal(world.told, 0);
    greet_with(KEY_B);
    assert_int_equal(world.told, 0);
    greet_with(KEY_C);
    assert_int_equal(world.told, 1);
    greet_with(KEY_B);
    greet_with(KEY_C);
    assert_int_equal(world.told, 1); /* not more than once a minute */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_message_goes_over_both_and_is_heard_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(one_that_loses_everything_costs_nothing, NULL, teardown),
        cmocka_unit_test_setup_teardown(one_that_lags_is_heard_no_more_than_once_and_told_as_late,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_greeting_is_answered_the_way_it_came, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_answered_before_we_have_a_wireguard_key, NULL,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_peer_is_offline_when_the_last_transport_says_so, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_id_that_is_there_twice_is_told_and_a_new_key_is_not,
                                        setup, teardown),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
