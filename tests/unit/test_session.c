/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The session machine, with a clock of the test's own: each race by name, and random histories of
 * two machines joined by a bad transport.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broker/session.h"

#define STEP_MS 50
#define FLIGHT  512
#define KEY_A   "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define KEY_B   "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="

/* What stands for an ice-agent: it describes itself at once, and selects a pair when both agents
 * know each other's description. */
struct fake_agent {
    bool runs, selected, told, lost;
    int64_t alive; /* when its probes were last answered */
    unsigned generation;
    char remote[64];
};

struct side {
    struct session *session;
    struct session_actions actions;
    struct fake_agent agents[SESSION_SLOTS];
    bool wg_ready;
    char wg_peer[64];
    struct endpoint ports[8];
    struct endpoint path_base, path_remote;
    bool path;
    int64_t handshake, rx, next_status;
    unsigned sends, starts;
    unsigned newest;      /* of the other side's messages: the number of the latest that came */
    unsigned told, moves; /* paths set; to other pairs than before */
    unsigned forgotten;   /* times that the peer was removed */
    int64_t keepalive, path_keepalive; /* the peer's, now and when its path was last set */
    bool mute;                         /* nothing of WireGuard's comes in here */
    bool deaf; /* until the peer is removed nothing that comes can be decrypted here */
    char last_reason[400], last_kind[20];
    struct session_memory memory;
};

struct flight {
    int to;
    int64_t at;
    unsigned number;
    char *line;
};

struct world {
    struct side sides[2]; /* 0 is the offerer */
    struct flight flights[FLIGHT];
    size_t flying;
    int64_t now;
    uint64_t seed;
    unsigned generation;
    unsigned drop, twice, late; /* percent */
    bool blocked;               /* no pair ever works */
    struct endpoint starved;    /* a path from this base of the offerer carries nothing */
    struct endpoint only;       /* where set, no other path carries anything */
    bool idle;                  /* nobody uses the tunnel: WireGuard's counters stand still */
};

static uint64_t draw(struct world *w)
{
    w->seed ^= w->seed << 13;
    w->seed ^= w->seed >> 7;
    w->seed ^= w->seed << 17;
    return w->seed;
}

static bool chance(struct world *w, unsigned percent)
{
    return draw(w) % 100 < percent;
}

static void ufrag_of(const struct world *w, int side, int slot, char out[64])
{
    snprintf(out, 64, "ufrag%d-%u", side, w->sides[side].agents[slot].generation);
}

static struct endpoint base_of(int side, unsigned generation)
{
    struct endpoint e;
    char address[32];

    snprintf(address, sizeof address, "192.0.2.%d", side + 1);
    endpoint_set(&e, address, (uint16_t)(1024 + generation % 60000));
    return e;
}

/* What was sent together arrives in its order, unless it is late. */
static void fly(struct world *w, int to, const struct message *m, int64_t delay)
{
    struct error err;
    size_t length;
    char *line = message_encode(m, &length, &err);

    if (line == NULL)
        fail_msg("%s", err.message);
    if (w->flying == FLIGHT) {
        free(line);
        return;
    }
    line[length - 1] = '\0';
    w->flights[w->flying++] = (struct flight){
        .to = to, .at = w->now + delay, .number = w->sides[1 - to].sends, .line = line};
}

static void send_message(struct world *w, int from, const struct message *m)
{
    w->sides[from].sends++;
    if (!chance(w, w->drop))
        fly(w, 1 - from, m, chance(w, w->late) ? (int64_t)(draw(w) % 3000) : 20);
    if (chance(w, w->twice))
        fly(w, 1 - from, m, (int64_t)(draw(w) % 3000));
}

static bool port_is_open(const struct side *side, const struct endpoint *base)
{
    for (size_t i = 0; i < 8; i++)
        if (endpoint_equal(&side->ports[i], base))
            return true;
    return false;
}

static void set_port(struct side *side, const struct endpoint *from, const struct endpoint *to)
{
    for (size_t i = 0; i < 8; i++) {
        if (endpoint_equal(&side->ports[i], from)) {
            side->ports[i] = *to;
            return;
        }
    }
}

static void wg_message(struct side *side, const struct message *m)
{
    static const struct endpoint nothing;

    if (!side->wg_ready)
        return;
    switch (m->type) {
    case MESSAGE_peer_set:
        snprintf(side->wg_peer, sizeof side->wg_peer, "%s", m->peer_set.wg_public_key);
        side->keepalive = m->peer_set.keepalive;
        if (m->peer_set.anew) {
            side->forgotten++;
            side->deaf = side->path = false;
            side->handshake = side->rx = 0;
        }
        break;
    case MESSAGE_port_open:
        if (!port_is_open(side, &m->port_open.base))
            set_port(side, &nothing, &m->port_open.base);
        break;
    case MESSAGE_port_close:
        set_port(side, &m->port_close.base, &nothing);
        break;
    case MESSAGE_path_set:
        side->told += strcmp(m->path_set.kind, "direct") == 0;
        side->moves += strcmp(m->path_set.kind, "direct") == 0 &&
                       !(endpoint_equal(&side->path_base, &m->path_set.base) &&
                         endpoint_equal(&side->path_remote, &m->path_set.remote));
        side->path = strcmp(m->path_set.kind, "direct") == 0;
        side->path_keepalive = side->keepalive;
        side->path_base = m->path_set.base;
        side->path_remote = m->path_set.remote;
        break;
    case MESSAGE_status:
        side->next_status = 0;
        break;
    default:
        break;
    }
}

static void handle(struct world *w, int index, enum session_event_type type, int slot,
                   const struct message *message);

static void carry_out(struct world *w, int index, const struct session_action *action)
{
    struct side *side = &w->sides[index];

    switch (action->type) {
    case SESSION_SEND:
        send_message(w, index, &action->message);
        break;
    case SESSION_AGENT_START:
        side->starts++;
        assert_false(side->agents[action->slot].runs);
        side->agents[action->slot] =
            (struct fake_agent){.runs = true, .generation = ++w->generation};
        break;
    case SESSION_AGENT_INPUT:
        if (action->message.type == MESSAGE_description)
            snprintf(side->agents[action->slot].remote, 64, "%s",
                     action->message.description.ufrag);
        break;
    case SESSION_AGENT_STOP:
        side->agents[action->slot].runs = false;
        break;
    case SESSION_WG:
        wg_message(side, &action->message);
        break;
    case SESSION_KEEP:
        side->memory = *session_memory(side->session);
        break;
    case SESSION_NOTIFY:
        if (action->message.type == MESSAGE_event_path)
            snprintf(side->last_kind, sizeof side->last_kind, "%s",
                     action->message.event_path.kind);
        if (action->message.type == MESSAGE_event_path && action->message.event_path.reason)
            snprintf(side->last_reason, sizeof side->last_reason, "%s",
                     action->message.event_path.reason);
        break;
    }
}

static void handle(struct world *w, int index, enum session_event_type type, int slot,
                   const struct message *message)
{
    struct side *side = &w->sides[index];
    struct session_event event = {
        .type = type, .slot = slot, .message = message, .now = w->now, .random = draw(w)};

    session_handle(side->session, &event, &side->actions);
    assert_true(side->actions.count < SESSION_ACTIONS_MAX);
    for (size_t i = 0; i < side->actions.count; i++)
        carry_out(w, index, &side->actions.items[i]);
}

static void agent_tell(struct world *w, int index, int slot, enum message_type type)
{
    struct message m;
    char ufrag[64], pwd[] = "passwordpasswordpassword";
    char candidate[] = "candidate:1 1 UDP 1 192.0.2.1 1 typ srflx raddr 0.0.0.0 rport 0";

    ufrag_of(w, index, slot, ufrag);
    message_init(&m, type);
    if (type == MESSAGE_description) {
        m.description.ufrag = ufrag;
        m.description.pwd = pwd;
    } else if (type == MESSAGE_candidate) {
        m.candidate.ufrag = ufrag;
        m.candidate.candidate = candidate;
    } else {
        m.candidates_done.ufrag = ufrag;
    }
    handle(w, index, SESSION_AGENT, slot, &m);
}

static void agent_state(struct world *w, int index, int slot, const char *state)
{
    struct message m;

    message_init(&m, MESSAGE_state);
    m.state.state = (char *)(uintptr_t)state;
    handle(w, index, SESSION_AGENT, slot, &m);
}

static bool agents_match(const struct world *w, int slot, int other)
{
    char mine[64], theirs[64];

    ufrag_of(w, 0, slot, mine);
    ufrag_of(w, 1, other, theirs);
    return w->sides[0].agents[slot].runs && w->sides[1].agents[other].runs &&
           strcmp(w->sides[0].agents[slot].remote, theirs) == 0 &&
           strcmp(w->sides[1].agents[other].remote, mine) == 0;
}

static void select_pair(struct world *w, int index, int slot, int other)
{
    struct fake_agent *agent = &w->sides[index].agents[slot];
    char kind[] = "direct";
    struct message m;

    if (agent->selected)
        return;
    agent->selected = true;
    agent->alive = w->now;
    message_init(&m, MESSAGE_selected);
    m.selected.kind = kind;
    m.selected.base = base_of(index, agent->generation);
    m.selected.remote = base_of(1 - index, w->sides[1 - index].agents[other].generation);
    m.selected.rtt_ms = 10;
    handle(w, index, SESSION_AGENT, slot, &m);
}

static bool answered(const struct world *w, int side, int slot)
{
    for (int other = 0; other < SESSION_SLOTS; other++)
        if (!w->blocked &&
            (side == 0 ? agents_match(w, slot, other) : agents_match(w, other, slot)))
            return true;
    return false;
}

static void agent_state(struct world *w, int index, int slot, const char *state);

/* Probes that go unanswered are told after 3.2 s, as an ice-agent's are. */
static void run_probes(struct world *w, int side, int slot)
{
    struct fake_agent *agent = &w->sides[side].agents[slot];

    if (!agent->runs || !agent->selected)
        return;
    if (answered(w, side, slot)) {
        agent->alive = w->now;
        if (agent->lost)
            agent_state(w, side, slot, "connected");
        agent->lost = false;
    } else if (!agent->lost && w->now - agent->alive > 3200) {
        agent->lost = true;
        agent_state(w, side, slot, "lost");
    }
}

static void run_agents(struct world *w)
{
    for (int side = 0; side < 2; side++) {
        for (int slot = 0; slot < SESSION_SLOTS; slot++) {
            struct fake_agent *agent = &w->sides[side].agents[slot];

            if (!agent->runs || agent->told)
                continue;
            agent->told = true;
            agent_tell(w, side, slot, MESSAGE_description);
            agent_tell(w, side, slot, MESSAGE_candidate);
            agent_tell(w, side, slot, MESSAGE_candidates_done);
        }
    }
    for (int a = 0; a < SESSION_SLOTS; a++)
        for (int b = 0; b < SESSION_SLOTS; b++)
            if (!w->blocked && agents_match(w, a, b)) {
                select_pair(w, 0, a, b);
                if (agents_match(w, a, b))
                    select_pair(w, 1, b, a);
            }
    for (int slot = 0; slot < 2 * SESSION_SLOTS; slot++)
        run_probes(w, slot / SESSION_SLOTS, slot % SESSION_SLOTS);
}

/* Whether what `from` sends to its WireGuard endpoint reaches the other's WireGuard. */
static bool reaches(const struct world *w, int from)
{
    const struct side *a = &w->sides[from], *b = &w->sides[1 - from];

    return a->wg_ready && b->wg_ready && a->path && a->wg_peer[0] && b->wg_peer[0] &&
           port_is_open(b, &a->path_remote);
}

static bool tunnel_works(const struct world *w)
{
    const struct side *a = &w->sides[0], *b = &w->sides[1];

    return reaches(w, 0) && reaches(w, 1) && endpoint_equal(&a->path_remote, &b->path_base) &&
           endpoint_equal(&b->path_remote, &a->path_base);
}

static void run_wireguard(struct world *w, int index)
{
    struct side *side = &w->sides[index];
    struct message m;
    char peer[] = "x";

    if (reaches(w, 0) && reaches(w, 1) && !endpoint_equal(&w->starved, &w->sides[0].path_base) &&
        (w->only.port == 0 || endpoint_equal(&w->only, &w->sides[0].path_base))) {
        side->rx += w->idle || side->deaf || side->mute ? 0 : 100;
        if (side->handshake == 0 && !side->mute)
            side->handshake = w->now;
    }
    if (!side->wg_ready || (w->now < side->next_status && !session_wants_status(side->session)))
        return;
    side->next_status = w->now + 5000;
    message_init(&m, MESSAGE_peer_status);
    m.peer_status.peer = peer;
    m.peer_status.latest_handshake = side->handshake;
    m.peer_status.rx_bytes = side->rx;
    m.peer_status.tx_bytes = 0;
    m.peer_status.endpoint = side->path_remote;
    if (side->path && port_is_open(side, &side->path_base))
        m.peer_status.base = side->path_base;
    handle(w, index, SESSION_WG_STATUS, 0, &m);
}

static bool before(const struct flight *a, const struct flight *b)
{
    return a->at != b->at ? a->at < b->at : a->number < b->number;
}

/* The next to arrive, if its time has come. */
static bool take_flight(struct world *w, struct flight *flight)
{
    size_t next = 0;

    for (size_t i = 1; i < w->flying; i++)
        if (before(&w->flights[i], &w->flights[next]))
            next = i;
    if (w->flying == 0 || w->flights[next].at > w->now)
        return false;
    *flight = w->flights[next];
    w->flights[next] = w->flights[--w->flying];
    return true;
}

static void deliver(struct world *w)
{
    struct flight flight;

    while (take_flight(w, &flight)) {
        struct side *to = &w->sides[flight.to];
        bool late = flight.number < to->newest;
        struct message m;
        struct error err;

        to->newest = late ? to->newest : flight.number;
        if (message_decode(flight.line, strlen(flight.line), ROLE_PEER, FROM_HELPER, &m, NULL,
                           &err) < 0)
            fail_msg("%s", err.message);
        handle(w, flight.to, late ? SESSION_MESSAGE_LATE : SESSION_MESSAGE, 0, &m);
        message_clear(&m);
        free(flight.line);
    }
}

static void step(struct world *w)
{
    w->now += STEP_MS;
    deliver(w);
    run_agents(w);
    for (int side = 0; side < 2; side++) {
        run_wireguard(w, side);
        if (session_deadline(w->sides[side].session) <= w->now) {
            handle(w, side, SESSION_TICK, 0, NULL);
            assert_true(session_deadline(w->sides[side].session) > w->now);
        }
    }
}

static void steps(struct world *w, int64_t ms)
{
    for (int64_t end = w->now + ms; w->now < end;)
        step(w);
}

/* Steps until the tunnel works. The time that it took in ms, or -1 where `ms` were not enough. */
static int64_t until_tunnel(struct world *w, int64_t ms)
{
    int64_t start = w->now;

    while (w->now - start < ms) {
        step(w);
        if (tunnel_works(w))
            return w->now - start;
    }
    return -1;
}

static void hello(struct world *w, int index)
{
    char key_a[] = KEY_A, key_b[] = KEY_B;
    struct message m;

    message_init(&m, MESSAGE_peer_hello);
    m.peer_hello.protocol = 1;
    m.peer_hello.wg_public_key = index == 0 ? key_b : key_a;
    handle(w, index, SESSION_HELLO, 0, &m);
}

static void wg_up(struct world *w, int index)
{
    struct side *side = &w->sides[index];

    side->wg_ready = true;
    handle(w, index, SESSION_WG_READY, 0, NULL);
}

static void wg_crash(struct world *w, int index)
{
    w->sides[index].wg_ready = false;
    handle(w, index, SESSION_WG_DOWN, 0, NULL);
}

static void meet(struct world *w)
{
    for (int i = 0; i < 2; i++)
        handle(w, i, SESSION_ONLINE, 0, NULL);
    for (int i = 0; i < 2; i++)
        hello(w, i);
}

static void world_open(struct world *w, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    w->seed = seed * 0x9E3779B97F4A7C15u + 1;
    w->now = 1000000;
    for (int i = 0; i < 2; i++) {
        w->sides[i].session = session_new(i == 0, NULL);
        assert_non_null(w->sides[i].session);
    }
}

static void world_close(struct world *w)
{
    while (w->flying > 0)
        free(w->flights[--w->flying].line);
    for (int i = 0; i < 2; i++)
        session_destroy(w->sides[i].session);
}

static void world_up(struct world *w, uint64_t seed)
{
    world_open(w, seed);
    wg_up(w, 0);
    wg_up(w, 1);
    meet(w);
    assert_true(until_tunnel(w, 1000) >= 0);
    steps(w, 1000);
}

/* A new broker on this side: it knows nothing; its WireGuard stands. Ports that no path uses are
 * wg-setup's to close. */
static void restart(struct world *w, int index)
{
    struct side *side = &w->sides[index];

    for (size_t i = 0; i < 8; i++)
        if (!side->path || !endpoint_equal(&side->ports[i], &side->path_base))
            memset(&side->ports[i], 0, sizeof side->ports[i]);
    session_destroy(side->session);
    side->session = session_new(index == 0, NULL);
    for (int slot = 0; slot < SESSION_SLOTS; slot++)
        side->agents[slot].runs = false;
    wg_up(w, index);
    handle(w, index, SESSION_ONLINE, 0, NULL);
    for (int i = 0; i < 2; i++)
        hello(w, i);
}

/* A side that was told to wait for the other's handshake keeps the path alive once it has come:
 * wg-setup sets an interval that changes at once. */
static void assert_kept_alive(struct world *w, int64_t within_ms)
{
    steps(w, within_ms);
    assert_true(tunnel_works(w));
    for (int i = 0; i < 2; i++)
        assert_true(w->sides[i].keepalive > 0);
}

static int active_slot(const struct world *w, int index)
{
    const struct side *side = &w->sides[index];

    for (int slot = 0; slot < SESSION_SLOTS; slot++) {
        struct endpoint base = base_of(index, side->agents[slot].generation);

        if (side->agents[slot].runs && endpoint_equal(&base, &side->path_base))
            return slot;
    }
    return -1;
}

/* Tests */

static void both_present_gives_a_tunnel_within_half_a_second(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, 1);
    wg_up(&w, 0);
    wg_up(&w, 1);
    meet(&w);
    assert_in_range(until_tunnel(&w, 1000), 0, 500);
    steps(&w, 20000);
    assert_int_equal(w.sides[0].starts, 1);
    assert_int_equal(w.sides[1].starts, 1);
    world_close(&w);
}

static void assert_state(const struct world *w, const char *state)
{
    assert_string_equal(session_look(w->sides[0].session).state, state);
}

static void what_people_are_told_follows_what_happens(void **state)
{
    struct session_view view;
    struct world w;

    (void)state;
    world_open(&w, 1);
    assert_state(&w, "waiting-for-wireguard");
    wg_up(&w, 0);
    wg_up(&w, 1);
    assert_state(&w, "offline");
    handle(&w, 0, SESSION_ONLINE, 0, NULL);
    handle(&w, 1, SESSION_ONLINE, 0, NULL);
    assert_state(&w, "greeting");
    hello(&w, 0);
    hello(&w, 1);
    assert_state(&w, "connecting");
    assert_true(until_tunnel(&w, 1000) >= 0);
    steps(&w, 1000);
    view = session_look(w.sides[0].session);
    assert_string_equal(view.state, "connected");
    assert_true(view.path && endpoint_equal(&view.remote, &w.sides[0].path_remote) &&
                endpoint_equal(&view.base, &w.sides[0].path_base));
    assert_int_equal(view.rtt_ms, 10);
    assert_null(view.reason);
    world_close(&w);
}

static void a_negotiation_that_fails_tells_why_and_when_it_is_tried_again(void **state)
{
    struct session_view view;
    struct world w;

    (void)state;
    world_open(&w, 1);
    w.blocked = true;
    wg_up(&w, 0);
    wg_up(&w, 1);
    meet(&w);
    while (strcmp(session_look(w.sides[0].session).state, "retrying") != 0) {
        step(&w);
        assert_true(w.now < 1000000 + 2 * SESSION_ATTEMPT_MS);
    }
    view = session_look(w.sides[0].session);
    assert_string_equal(view.reason, w.sides[0].last_reason);
    assert_in_range(view.retry_at - w.now, 1, 10000);
    assert_false(view.path);
    assert_int_equal(view.rtt_ms, MESSAGE_ABSENT);
    world_close(&w);
}

static void wireguard_that_comes_last_still_gives_a_tunnel(void **state)
{
    struct world w;

    (void)state;
    for (uint64_t seed = 1; seed < 20; seed++) {
        world_open(&w, seed);
        meet(&w);
        steps(&w, (int64_t)(seed * 100));
        wg_up(&w, (int)(seed % 2));
        steps(&w, 700);
        wg_up(&w, 1 - (int)(seed % 2));
        assert_in_range(until_tunnel(&w, 5000), 0, 4000);
        world_close(&w);
    }
}

/* The other side may have been answered already, and would go on with keys that nobody has. */
static void a_first_path_has_wireguard_forget_nothing(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, 1);
    wg_up(&w, 0);
    wg_up(&w, 1);
    meet(&w);
    assert_in_range(until_tunnel(&w, 1000), 0, 500);
    assert_int_equal(w.sides[0].forgotten, 0);
    assert_int_equal(w.sides[1].forgotten, 0);
    world_close(&w);
}

/* Its handshake came and was answered, and no data follows: the answer was lost, or met another. */
static void of_two_that_have_heard_each_other_only_the_offerer_begins_anew(void **state)
{
    for (int index = 0; index < 2; index++) {
        struct world w;

        (void)state;
        world_open(&w, 71);
        w.sides[0].mute = w.sides[1].mute = true;
        wg_up(&w, 0);
        wg_up(&w, 1);
        meet(&w);
        assert_in_range(until_tunnel(&w, 1000), 0, 500);
        w.sides[index].rx = 148;
        steps(&w, 1000);
        assert_int_equal(w.sides[index].forgotten, index == 0 ? 1 : 0);
        w.sides[0].mute = w.sides[1].mute = false;
        assert_kept_alive(&w, 1000);
        world_close(&w);
    }
}

static void no_negotiation_without_an_authenticated_hello(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, 1);
    wg_up(&w, 0);
    wg_up(&w, 1);
    handle(&w, 0, SESSION_ONLINE, 0, NULL);
    handle(&w, 1, SESSION_ONLINE, 0, NULL);
    steps(&w, 30000);
    assert_int_equal(w.sides[0].sends, 0);
    assert_int_equal(w.sides[1].sends, 0);
    assert_int_equal(w.sides[0].wg_peer[0], '\0');
    world_close(&w);
}

/* What is said before cannot be opened there, and would be said again after a second only. */
static void what_is_remembered_of_a_peer_is_no_greeting(void **state)
{
    struct session_memory memory = {.wg_public_key = KEY_B};
    struct world w;

    (void)state;
    world_open(&w, 1);
    session_destroy(w.sides[0].session);
    w.sides[0].session = session_new(true, &memory);
    wg_up(&w, 0);
    wg_up(&w, 1);
    handle(&w, 0, SESSION_ONLINE, 0, NULL);
    handle(&w, 1, SESSION_ONLINE, 0, NULL);
    steps(&w, 200);
    assert_int_equal(w.sides[0].sends, 0);
    hello(&w, 0);
    hello(&w, 1);
    assert_in_range(until_tunnel(&w, 1000), 0, 500);
    world_close(&w);
}

static void an_offer_that_is_not_answered_is_said_again_to_who_greets(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, 5);
    wg_up(&w, 0);
    wg_up(&w, 1);
    w.drop = 100;
    meet(&w);
    steps(&w, 200);
    w.drop = 0;
    hello(&w, 0);
    assert_in_range(until_tunnel(&w, 1000), 0, 400);
    world_close(&w);
}

static void only_the_offerer_offers(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, 1);
    wg_up(&w, 1);
    handle(&w, 1, SESSION_ONLINE, 0, NULL);
    hello(&w, 1);
    for (int i = 0; i < 200; i++) {
        w.now += STEP_MS;
        run_agents(&w);
        if (session_deadline(w.sides[1].session) <= w.now)
            handle(&w, 1, SESSION_TICK, 0, NULL);
    }
    for (size_t i = 0; i < w.flying; i++)
        assert_non_null(strstr(w.flights[i].line, "want-session"));
    assert_true(w.flying > 0);
    world_close(&w);
}

static void messages_of_other_sessions_are_dropped(void **state)
{
    struct world w;
    struct message m;
    char id[] = "00000000000000ff", ufrag[] = "evil", pwd[] = "passwordpasswordpassword";
    char candidate[] = "candidate:1 1 UDP 1 192.0.2.9 9 typ host";

    (void)state;
    world_up(&w, 1);
    message_init(&m, MESSAGE_answer);
    m.answer.session = id;
    m.answer.ufrag = ufrag;
    m.answer.pwd = pwd;
    handle(&w, 0, SESSION_MESSAGE, 0, &m);
    assert_int_equal(w.sides[0].actions.count, 0);
    message_init(&m, MESSAGE_peer_candidate);
    m.peer_candidate.session = id;
    m.peer_candidate.ufrag = ufrag;
    m.peer_candidate.candidate = candidate;
    handle(&w, 1, SESSION_MESSAGE, 0, &m);
    assert_int_equal(w.sides[1].actions.count, 0);
    message_init(&m, MESSAGE_offer);
    m.offer.session = id;
    m.offer.ufrag = ufrag;
    m.offer.pwd = pwd;
    handle(&w, 0, SESSION_MESSAGE, 0, &m);
    assert_int_equal(w.sides[0].actions.count, 0);
    world_close(&w);
}

static void a_doubled_offer_changes_nothing(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, 3);
    w.twice = 100;
    wg_up(&w, 0);
    wg_up(&w, 1);
    meet(&w);
    assert_true(until_tunnel(&w, 1000) >= 0);
    steps(&w, 10000);
    assert_true(tunnel_works(&w));
    assert_int_equal(w.sides[1].starts, 1);
    assert_int_equal(w.sides[1].moves, 1);
    world_close(&w);
}

/* As one of two transports may bring it, 5 s behind the other. */
static void what_was_overtaken_begins_and_ends_nothing(void **state)
{
    struct world w;
    struct message m;
    char id[] = "00000000000000ff", ufrag[] = "late", pwd[] = "passwordpasswordpassword";

    (void)state;
    world_up(&w, 41);
    message_init(&m, MESSAGE_offer);
    m.offer.session = id;
    m.offer.ufrag = ufrag;
    m.offer.pwd = pwd;
    handle(&w, 1, SESSION_MESSAGE_LATE, 0, &m);
    assert_int_equal(w.sides[1].actions.count, 0);
    handle(&w, 1, SESSION_MESSAGE, 0, &m);
    assert_int_not_equal(w.sides[1].actions.count, 0);
    steps(&w, 30000);
    message_init(&m, MESSAGE_want_session);
    handle(&w, 0, SESSION_MESSAGE_LATE, 0, &m);
    assert_int_equal(w.sides[0].actions.count, 0);
    message_init(&m, MESSAGE_bye);
    handle(&w, 0, SESSION_MESSAGE_LATE, 0, &m);
    assert_int_equal(w.sides[0].actions.count, 0);
    assert_true(session_has_path(w.sides[0].session));
    /* Nor does a word from before the goodbye undo it. */
    handle(&w, 0, SESSION_MESSAGE, 0, &m);
    assert_false(session_has_path(w.sides[0].session));
    message_init(&m, MESSAGE_want_session);
    handle(&w, 0, SESSION_MESSAGE_LATE, 0, &m);
    message_init(&m, MESSAGE_clock_reset);
    handle(&w, 0, SESSION_MESSAGE_LATE, 0, &m);
    assert_false(session_has_path(w.sides[0].session));
    world_close(&w);
}

/* With ports and path only where wg-setup may have dropped the peer: WireGuard knows better where
 * it is. */
static void what_the_configuration_grants_is_told_to_wireguard_alone(void **state)
{
    static const enum message_type told[] = {MESSAGE_peer_set, MESSAGE_port_open, MESSAGE_path_set};
    struct world w;

    (void)state;
    world_open(&w, 42);
    handle(&w, 0, SESSION_GRANTED, 0, NULL);
    assert_int_equal(w.sides[0].actions.count, 0);
    world_close(&w);
    world_up(&w, 42);
    handle(&w, 0, SESSION_GRANTED, 0, NULL);
    assert_int_equal(w.sides[0].actions.count, 1);
    assert_int_equal(w.sides[0].actions.items[0].message.type, told[0]);
    handle(&w, 0, SESSION_GRANTED_ANEW, 0, NULL);
    assert_int_equal(w.sides[0].actions.count, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(w.sides[0].actions.items[i].message.type, told[i]);
    world_close(&w);
}

static void lost_probes_make_a_new_path_before_the_old_is_left(void **state)
{
    struct world w;

    (void)state;
    for (int index = 0; index < 2; index++) {
        world_up(&w, 7);
        w.starved = w.sides[0].path_base;
        agent_state(&w, index, active_slot(&w, index), "lost");
        for (int i = 0; i < 100; i++) {
            step(&w);
            assert_true(reaches(&w, 0) && reaches(&w, 1));
        }
        assert_true(tunnel_works(&w));
        assert_int_equal(w.sides[0].moves, 2);
        assert_int_equal(w.sides[1].moves, 2);
        world_close(&w);
    }
}

static void an_agent_that_dies_costs_no_packet(void **state)
{
    struct world w;

    (void)state;
    for (int index = 0; index < 2; index++) {
        int slot;

        world_up(&w, 5);
        slot = active_slot(&w, index);
        w.sides[index].agents[slot].runs = false;
        handle(&w, index, SESSION_AGENT_DOWN, slot, NULL);
        for (int i = 0; i < 200; i++) {
            step(&w);
            assert_true(reaches(&w, 0) && reaches(&w, 1));
        }
        assert_true(active_slot(&w, index) >= 0);
        world_close(&w);
    }
}

static void a_wg_setup_that_comes_back_is_told_everything_again(void **state)
{
    struct world w;

    (void)state;
    for (int index = 0; index < 2; index++) {
        struct side *side = &w.sides[index];

        world_up(&w, 9);
        wg_crash(&w, index);
        steps(&w, 500);
        memset(side->ports, 0, sizeof side->ports);
        side->path = false;
        side->wg_peer[0] = '\0';
        wg_up(&w, index);
        assert_true(tunnel_works(&w));
        world_close(&w);
    }
}

static void a_restarted_broker_gets_a_session_again(void **state)
{
    struct world w;

    (void)state;
    for (int index = 0; index < 2; index++) {
        world_up(&w, 11);
        restart(&w, index);
        steps(&w, 8000);
        assert_true(tunnel_works(&w));
        assert_true(active_slot(&w, 0) >= 0);
        assert_true(active_slot(&w, 1) >= 0);
        world_close(&w);
    }
}

static void both_restart_at_the_same_moment(void **state)
{
    struct world w;

    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        world_up(&w, seed);
        restart(&w, 0);
        restart(&w, 1);
        steps(&w, 5000);
        assert_true(tunnel_works(&w));
        world_close(&w);
    }
}

static void no_pair_is_told_as_unreachable_within_15_seconds_with_a_reason(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, 1);
    w.blocked = true;
    wg_up(&w, 0);
    wg_up(&w, 1);
    meet(&w);
    steps(&w, 15000);
    assert_non_null(strstr(w.sides[0].last_reason, "symmetric"));
    assert_non_null(strstr(w.sides[1].last_reason, "symmetric"));
    world_close(&w);
}

static void failures_back_off_but_never_end(void **state)
{
    struct world w;
    unsigned early, late;

    (void)state;
    world_open(&w, 1);
    w.blocked = true;
    wg_up(&w, 0);
    wg_up(&w, 1);
    meet(&w);
    steps(&w, 60000);
    early = w.sides[0].starts;
    assert_in_range(early, 2, 6);
    steps(&w, 3600000);
    late = w.sides[0].starts - early;
    assert_in_range(late, 8, 40);
    w.blocked = false;
    assert_true(until_tunnel(&w, 400000) >= 0);
    world_close(&w);
}

static void a_peer_that_asks_all_the_time_gets_six_a_minute(void **state)
{
    struct world w;
    struct message m;

    (void)state;
    world_up(&w, 1);
    message_init(&m, MESSAGE_want_session);
    for (int i = 0; i < 1200; i++) {
        handle(&w, 0, SESSION_MESSAGE, 0, &m);
        step(&w);
    }
    assert_in_range(w.sides[0].starts, 2, SESSION_RATE + 1);
    assert_true(tunnel_works(&w));
    world_close(&w);
}

static void a_peer_that_comes_and_goes_all_the_time_starts_one_agent_a_minute(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, 1);
    for (int i = 0; i < 6000; i++) {
        handle(&w, 0, i % 2 == 0 ? SESSION_ONLINE : SESSION_OFFLINE, 0, NULL);
        step(&w);
    }
    assert_in_range(w.sides[0].starts, 1, 2 + 6000 * STEP_MS / SESSION_PREPARED_MS);
    world_close(&w);
}

static void a_changed_network_makes_a_new_path(void **state)
{
    struct world w;

    (void)state;
    for (int index = 0; index < 2; index++) {
        world_up(&w, 13);
        handle(&w, index, SESSION_NETWORK_CHANGED, 0, NULL);
        steps(&w, 2000);
        assert_true(tunnel_works(&w));
        assert_int_equal(w.sides[0].moves, 2);
        world_close(&w);
    }
}

static void a_move_without_wireguard_traffic_is_undone(void **state)
{
    struct world w;
    struct endpoint before;

    (void)state;
    world_up(&w, 17);
    before = w.starved = w.sides[0].path_base;
    agent_state(&w, 0, active_slot(&w, 0), "lost");
    for (int i = 0; i < 40 && endpoint_equal(&w.sides[0].path_base, &before); i++)
        step(&w);
    assert_false(endpoint_equal(&w.sides[0].path_base, &before));
    /* The other side's new port is shut: nothing gets through there. */
    for (int64_t end = w.now + 4000;
         w.now < end && !endpoint_equal(&w.sides[0].path_base, &before);) {
        memset(w.sides[1].ports, 0, sizeof w.sides[1].ports);
        step(&w);
    }
    assert_true(endpoint_equal(&w.sides[0].path_base, &before));
    memset(&w.starved, 0, sizeof w.starved);
    assert_true(until_tunnel(&w, 5000) >= 0);
    assert_kept_alive(&w, 1000);
    world_close(&w);
}

/* For the path that carried nothing both sides had WireGuard forget the other. */
static void a_move_that_is_undone_leaves_both_sides_keeping_the_path_alive(void **state)
{
    struct world w;

    (void)state;
    world_up(&w, 17);
    w.only = w.sides[0].path_base;
    handle(&w, 0, SESSION_NETWORK_CHANGED, 0, NULL);
    steps(&w, 1000 + SESSION_CONFIRM_MS);
    assert_true(w.sides[0].forgotten > 0 && w.sides[1].forgotten > 0);
    assert_true(endpoint_equal(&w.sides[0].path_base, &w.only));
    assert_kept_alive(&w, 1000);
    assert_true(endpoint_equal(&w.sides[0].path_base, &w.only));
    world_close(&w);
}

/* As where both began a handshake at once: each may hold keys of another. */
static void a_tried_path_with_probes_and_no_wireguard_gets_a_new_handshake_and_stays(void **state)
{
    for (int index = 0; index < 2; index++) {
        struct endpoint before;
        struct world w;

        (void)state;
        world_up(&w, 73);
        before = w.sides[0].path_base;
        handle(&w, 0, SESSION_NETWORK_CHANGED, 0, NULL);
        w.sides[index].deaf = true;
        steps(&w, 2000);
        assert_int_equal(w.sides[index].forgotten, 1);
        assert_int_equal(w.sides[1 - index].forgotten, 0);
        assert_false(endpoint_equal(&w.sides[0].path_base, &before));
        steps(&w, SESSION_CONFIRM_MS);
        assert_int_equal(w.sides[index].forgotten, 1);
        assert_false(endpoint_equal(&w.sides[0].path_base, &before));
        assert_true(tunnel_works(&w));
        world_close(&w);
    }
}

/* The other broker ends: its agents, its WireGuard and its table are gone. */
static void say_goodbye(struct world *w, int index)
{
    struct side *side = &w->sides[index];
    struct message m;

    session_destroy(side->session);
    side->session = session_new(index == 0, NULL);
    memset(side->agents, 0, sizeof side->agents);
    memset(side->ports, 0, sizeof side->ports);
    side->path = side->wg_ready = false;
    side->wg_peer[0] = '\0';
    side->handshake = side->rx = 0;
    message_init(&m, MESSAGE_bye);
    handle(w, 1 - index, SESSION_MESSAGE, 0, &m);
}

static void goodbye_is_told_and_ends_the_path_and_its_ports_after_a_while(void **state)
{
    struct world w;

    (void)state;
    world_up(&w, 19);
    say_goodbye(&w, 1);
    assert_string_equal(w.sides[0].last_kind, "none");
    assert_non_null(strstr(w.sides[0].last_reason, "goodbye"));
    assert_false(session_has_path(w.sides[0].session));
    steps(&w, 10000);
    assert_int_equal(w.sides[0].starts, 1);
    handle(&w, 0, SESSION_OFFLINE, 0, NULL);
    steps(&w, SESSION_BYE_MS);
    assert_false(w.sides[0].path);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(w.sides[0].ports[i].port, 0);
    assert_false(w.sides[0].agents[0].runs || w.sides[0].agents[1].runs);
    world_close(&w);
}

/* A new broker that finds nothing of its own standing, as after a reboot. */
static void reboot(struct world *w, int index, const struct session_memory *memory)
{
    struct side *side = &w->sides[index];

    session_destroy(side->session);
    side->session = session_new(index == 0, memory);
    memset(side->agents, 0, sizeof side->agents);
    memset(side->ports, 0, sizeof side->ports);
    side->path = false;
    side->wg_peer[0] = '\0';
    side->handshake = side->rx = 0;
    side->next_status = w->now + 5000;
    wg_up(w, index);
}

static void both_restart_and_meet_by_memory_before_signalling(void **state)
{
    struct session_memory memories[2];
    struct world w;

    (void)state;
    world_up(&w, 23);
    for (int i = 0; i < 2; i++)
        memories[i] = w.sides[i].memory;
    assert_int_equal(memories[0].pair_count, 1);
    for (int i = 0; i < 2; i++)
        reboot(&w, i, &memories[i]);
    assert_in_range(until_tunnel(&w, 1000), 0, 1000);
    steps(&w, 200);
    for (int i = 0; i < 2; i++) {
        assert_string_equal(w.sides[i].last_kind, "direct");
        assert_true(session_has_path(w.sides[i].session));
        assert_int_equal(w.sides[i].starts, 1);
    }
    meet(&w);
    steps(&w, 3000);
    assert_true(tunnel_works(&w));
    assert_true(active_slot(&w, 0) >= 0);
    assert_true(active_slot(&w, 1) >= 0);
    world_close(&w);
}

/* Two handshakes that meet cost both. */
static void where_both_may_have_restarted_the_offerer_alone_begins_at_first(void **state)
{
    struct session_memory memories[2];
    struct world w;

    (void)state;
    world_up(&w, 79);
    for (int i = 0; i < 2; i++)
        memories[i] = w.sides[i].memory;
    w.sides[0].mute = w.sides[1].mute = true;
    for (int i = 0; i < 2; i++) {
        w.sides[i].next_status = 0;
        reboot(&w, i, &memories[i]);
        w.sides[i].next_status = 0;
    }
    step(&w);
    assert_true(w.sides[0].path && w.sides[1].path);
    assert_true(w.sides[0].path_keepalive > 0);
    assert_int_equal(w.sides[1].path_keepalive, 0);
    steps(&w, 250);
    assert_true(w.sides[1].path_keepalive > 0);
    world_close(&w);
}

static void a_remembered_pair_that_was_heard_on_is_not_begun_anew_by_the_answerer(void **state)
{
    for (int index = 0; index < 2; index++) {
        struct session_memory memory;
        struct world w;
        unsigned before;

        (void)state;
        world_up(&w, 83);
        memory = w.sides[index].memory;
        w.sides[0].mute = w.sides[1].mute = true;
        before = w.sides[index].forgotten;
        reboot(&w, index, &memory);
        w.sides[index].next_status = 0;
        step(&w);
        w.sides[index].rx = 148;
        steps(&w, 600);
        assert_int_equal(w.sides[index].forgotten - before, index == 0 ? 1 : 0);
        world_close(&w);
    }
}

static void one_that_comes_back_after_goodbye_finds_the_port_open(void **state)
{
    struct session_memory memory;
    struct world w;

    (void)state;
    for (int index = 0; index < 2; index++) {
        world_up(&w, 29);
        memory = w.sides[index].memory;
        say_goodbye(&w, index);
        steps(&w, 20000);
        reboot(&w, index, &memory);
        w.sides[1 - index].handshake = 0;
        assert_in_range(until_tunnel(&w, 1000), 0, 1000);
        w.sides[1 - index].handshake = w.now;
        steps(&w, 6000);
        assert_string_equal(w.sides[index].last_kind, "direct");
        assert_string_equal(w.sides[1 - index].last_kind, "direct");
        meet(&w);
        steps(&w, 3000);
        assert_true(tunnel_works(&w) && active_slot(&w, 0) >= 0 && active_slot(&w, 1) >= 0);
        world_close(&w);
    }
}

static void a_handshake_from_before_goodbye_is_no_sign_of_life(void **state)
{
    struct world w;

    (void)state;
    world_up(&w, 67);
    say_goodbye(&w, 1);
    w.sides[0].handshake += 1000;
    steps(&w, 100);
    assert_string_equal(w.sides[0].last_kind, "none");
    w.sides[0].handshake += 1000;
    w.sides[0].rx += 100;
    for (int i = 0; i < 120 && strcmp(w.sides[0].last_kind, "direct") != 0; i++)
        step(&w);
    assert_string_equal(w.sides[0].last_kind, "direct");
    world_close(&w);
}

static void memory_that_is_wrong_or_one_sided_costs_nothing(void **state)
{
    for (int index = 0; index < 2; index++) {
        struct session_memory wrong = {.wg_public_key = KEY_B, .pair_count = 2};
        struct world w;

        (void)state;
        if (index == 1)
            snprintf(wrong.wg_public_key, sizeof wrong.wg_public_key, KEY_A);
        wrong.pairs[0].base = base_of(index, 4000);
        wrong.pairs[0].remote = base_of(1 - index, 4001);
        wrong.pairs[1].base = base_of(index, 4002);
        wrong.pairs[1].remote = base_of(1 - index, 4003);
        world_open(&w, 31);
        reboot(&w, index, &wrong);
        wg_up(&w, 1 - index);
        steps(&w, 9000);
        assert_false(session_has_path(w.sides[index].session));
        meet(&w);
        assert_in_range(until_tunnel(&w, 500), 0, 500);
        steps(&w, 1000);
        assert_false(port_is_open(&w.sides[index], &wrong.pairs[0].base));
        assert_false(port_is_open(&w.sides[index], &wrong.pairs[1].base));
        world_close(&w);
    }
}

static void remembered_pairs_are_given_up_where_nobody_answers(void **state)
{
    struct session_memory wrong = {.wg_public_key = KEY_B, .pair_count = 1};
    struct world w;

    (void)state;
    wrong.pairs[0].base = base_of(0, 4000);
    wrong.pairs[0].remote = base_of(1, 4001);
    world_open(&w, 37);
    reboot(&w, 0, &wrong);
    steps(&w, 20000);
    assert_in_range(w.sides[0].told, 2, SESSION_RESUME_TRIES);
    steps(&w, SESSION_RESUME_STAND_MS);
    assert_in_range(w.sides[0].told, 2, SESSION_RESUME_TRIES);
    assert_false(w.sides[0].path);
    assert_false(port_is_open(&w.sides[0], &wrong.pairs[0].base));
    world_close(&w);
}

static void a_new_broker_adopts_a_standing_path_untouched(void **state)
{
    struct world w;

    (void)state;
    for (int index = 0; index < 2; index++) {
        struct session_memory memory;
        struct side *side = &w.sides[index];
        struct endpoint base;
        unsigned moves;

        world_up(&w, 41);
        memory = side->memory;
        base = side->path_base;
        moves = side->moves;
        session_destroy(side->session);
        side->session = session_new(index == 0, &memory);
        memset(side->agents, 0, sizeof side->agents);
        side->next_status = w.now + 5000;
        wg_up(&w, index);
        steps(&w, 3000);
        assert_true(session_has_path(side->session));
        assert_string_equal(side->last_kind, "direct");
        assert_int_equal(side->moves, moves);
        assert_true(endpoint_equal(&side->path_base, &base));
        meet(&w);
        for (int i = 0; i < 100; i++) {
            step(&w);
            assert_true(reaches(&w, 0) && reaches(&w, 1));
        }
        assert_true(tunnel_works(&w) && active_slot(&w, index) >= 0);
        assert_false(port_is_open(side, &base));
        world_close(&w);
    }
}

static void lost_probes_alone_do_not_move_a_path_that_wireguard_receives_on(void **state)
{
    struct world w;

    (void)state;
    for (int index = 0; index < 2; index++) {
        world_up(&w, 43);
        w.blocked = true;
        steps(&w, 60000);
        assert_true(session_has_path(w.sides[index].session));
        assert_int_equal(w.sides[0].moves + w.sides[1].moves, 2);
        w.blocked = false;
        steps(&w, 3000);
        assert_int_equal(w.sides[0].moves + w.sides[1].moves, 2);
        world_close(&w);
    }
}

static void a_silent_path_is_told_dead_and_why_and_heals(void **state)
{
    struct world w;

    (void)state;
    world_up(&w, 47);
    for (int i = 0; i < 2; i++)
        handle(&w, i, SESSION_OFFLINE, 0, NULL);
    w.blocked = true;
    w.starved = w.sides[0].path_base;
    steps(&w, 5000);
    for (int i = 0; i < 2; i++) {
        assert_false(session_has_path(w.sides[i].session));
        assert_string_equal(w.sides[i].last_kind, "none");
        assert_non_null(strstr(w.sides[i].last_reason, "waiting for signalling"));
        assert_true(w.sides[i].path);
    }
    w.blocked = false;
    memset(&w.starved, 0, sizeof w.starved);
    steps(&w, 6000);
    for (int i = 0; i < 2; i++)
        assert_string_equal(w.sides[i].last_kind, "direct");
    world_close(&w);
}

static void an_idle_path_whose_agent_died_is_kept_by_keepalives_alone(void **state)
{
    struct world w;

    (void)state;
    world_up(&w, 53);
    for (int i = 0; i < 2; i++) {
        int slot = active_slot(&w, i);

        handle(&w, i, SESSION_OFFLINE, 0, NULL);
        w.sides[i].agents[slot].runs = false;
        handle(&w, i, SESSION_AGENT_DOWN, slot, NULL);
    }
    steps(&w, 2 * SESSION_QUIET_MS);
    assert_true(session_has_path(w.sides[0].session));
    w.starved = w.sides[0].path_base;
    steps(&w, SESSION_QUIET_MS + 10000);
    assert_false(session_has_path(w.sides[0].session));
    world_close(&w);
}

static void a_clock_set_back_is_told_and_the_peer_is_set_anew(void **state)
{
    struct world w;
    unsigned told;

    (void)state;
    for (int index = 0; index < 2; index++) {
        world_up(&w, 59);
        told = w.sides[1 - index].told;
        handle(&w, index, SESSION_OFFLINE, 0, NULL);
        handle(&w, index, SESSION_CLOCK_BACK, 0, NULL);
        steps(&w, 1000);
        assert_int_equal(w.sides[1 - index].told, told);
        handle(&w, index, SESSION_ONLINE, 0, NULL);
        hello(&w, index);
        steps(&w, 100);
        assert_int_equal(w.sides[1 - index].told, told + 1);
        assert_true(tunnel_works(&w));
        world_close(&w);
    }
}

static void waking_up_sends_at_once_and_makes_a_new_path(void **state)
{
    struct world w;

    (void)state;
    for (int index = 0; index < 2; index++) {
        unsigned told;

        world_up(&w, 61);
        told = w.sides[index].told;
        handle(&w, index, SESSION_AWAKE, 0, NULL);
        assert_int_equal(w.sides[index].told, told + 1);
        steps(&w, 2000);
        assert_true(tunnel_works(&w));
        assert_int_equal(w.sides[1 - index].moves, 2);
        world_close(&w);
    }
}

/* The rate of six negotiations a minute is what can hold it up. */
#define CONVERGE_MS 70000

static void agent_dies(struct world *w, int index, int slot)
{
    struct fake_agent *agent = &w->sides[index].agents[slot];

    if (!agent->runs)
        return;
    agent->runs = false;
    handle(w, index, SESSION_AGENT_DOWN, slot, NULL);
}

static void agent_fails(struct world *w, int index, int slot)
{
    struct fake_agent *agent = &w->sides[index].agents[slot];

    if (agent->runs && agent->selected) {
        agent->lost = true;
        agent_state(w, index, slot, "lost");
    } else if (agent->runs) {
        agent_state(w, index, slot, "failed");
    }
}

/* Faults for a while, then none: both sides must come to the same pair in bounded time. */
static void fault(struct world *w)
{
    int index = (int)(draw(w) % 2), slot = (int)(draw(w) % SESSION_SLOTS);
    struct side *side = &w->sides[index];
    struct session_memory memory;

    switch (draw(w) % 17) {
    case 0:
        restart(w, index);
        break;
    case 1:
    case 2:
        agent_dies(w, index, slot);
        break;
    case 3:
        if (side->wg_ready)
            wg_crash(w, index);
        break;
    case 4:
        if (!side->wg_ready)
            wg_up(w, index);
        break;
    case 5:
        handle(w, index, SESSION_OFFLINE, 0, NULL);
        break;
    case 6:
        handle(w, index, SESSION_ONLINE, 0, NULL);
        break;
    case 7:
        handle(w, index, SESSION_NETWORK_CHANGED, 0, NULL);
        break;
    case 8:
    case 9:
    case 10:
        agent_fails(w, index, slot);
        break;
    case 11:
        handle(w, index, SESSION_AWAKE, 0, NULL);
        break;
    case 12:
        handle(w, index, SESSION_CLOCK_BACK, 0, NULL);
        break;
    case 13:
    case 14:
        memory = side->memory;
        reboot(w, index, draw(w) % 2 ? &memory : NULL);
        break;
    case 15:
        say_goodbye(w, index);
        break;
    default:
        w->blocked = !w->blocked;
        break;
    }
}

static void random_histories_converge_once_faults_stop(void **state)
{
    const char *wanted = getenv("PUNCHGUARD_HISTORIES");
    unsigned long count = wanted ? strtoul(wanted, NULL, 10) : 1000;
    int64_t longest = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= count; seed++) {
        struct world w;
        int64_t took;

        world_open(&w, seed);
        w.drop = (unsigned)(draw(&w) % 50);
        w.twice = (unsigned)(draw(&w) % 30);
        w.late = (unsigned)(draw(&w) % 50);
        for (int i = 0; i < 40; i++) {
            fault(&w);
            steps(&w, (int64_t)(draw(&w) % 2000));
        }
        w.drop = w.twice = w.late = 0;
        w.blocked = false;
        for (int i = 0; i < 2; i++) {
            if (!w.sides[i].wg_ready)
                wg_up(&w, i);
            handle(&w, i, SESSION_OFFLINE, 0, NULL);
        }
        meet(&w);
        took = until_tunnel(&w, CONVERGE_MS);
        if (took < 0)
            fail_msg("history %lu: no tunnel %d s after the faults ended", (unsigned long)seed,
                     CONVERGE_MS / 1000);
        longest = took > longest ? took : longest;
        assert_kept_alive(&w, 5000);
        world_close(&w);
    }
    print_message("%lu histories, a tunnel at the latest %.1f s after the faults ended\n", count,
                  (double)longest / 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_present_gives_a_tunnel_within_half_a_second),
        cmocka_unit_test(what_people_are_told_follows_what_happens),
        cmocka_unit_test(a_negotiation_that_fails_tells_why_and_when_it_is_tried_again),
        cmocka_unit_test(wireguard_that_comes_last_still_gives_a_tunnel),
        cmocka_unit_test(a_first_path_has_wireguard_forget_nothing),
        cmocka_unit_test(of_two_that_have_heard_each_other_only_the_offerer_begins_anew),
        cmocka_unit_test(no_negotiation_without_an_authenticated_hello),
        cmocka_unit_test(what_is_remembered_of_a_peer_is_no_greeting),
        cmocka_unit_test(an_offer_that_is_not_answered_is_said_again_to_who_greets),
        cmocka_unit_test(only_the_offerer_offers),
        cmocka_unit_test(messages_of_other_sessions_are_dropped),
        cmocka_unit_test(a_doubled_offer_changes_nothing),
        cmocka_unit_test(what_was_overtaken_begins_and_ends_nothing),
        cmocka_unit_test(what_the_configuration_grants_is_told_to_wireguard_alone),
        cmocka_unit_test(lost_probes_make_a_new_path_before_the_old_is_left),
        cmocka_unit_test(an_agent_that_dies_costs_no_packet),
        cmocka_unit_test(a_wg_setup_that_comes_back_is_told_everything_again),
        cmocka_unit_test(a_restarted_broker_gets_a_session_again),
        cmocka_unit_test(both_restart_at_the_same_moment),
        cmocka_unit_test(no_pair_is_told_as_unreachable_within_15_seconds_with_a_reason),
        cmocka_unit_test(failures_back_off_but_never_end),
        cmocka_unit_test(a_peer_that_asks_all_the_time_gets_six_a_minute),
        cmocka_unit_test(a_peer_that_comes_and_goes_all_the_time_starts_one_agent_a_minute),
        cmocka_unit_test(a_changed_network_makes_a_new_path),
        cmocka_unit_test(a_move_without_wireguard_traffic_is_undone),
        cmocka_unit_test(a_move_that_is_undone_leaves_both_sides_keeping_the_path_alive),
        cmocka_unit_test(a_tried_path_with_probes_and_no_wireguard_gets_a_new_handshake_and_stays),
        cmocka_unit_test(goodbye_is_told_and_ends_the_path_and_its_ports_after_a_while),
        cmocka_unit_test(both_restart_and_meet_by_memory_before_signalling),
        cmocka_unit_test(where_both_may_have_restarted_the_offerer_alone_begins_at_first),
        cmocka_unit_test(a_remembered_pair_that_was_heard_on_is_not_begun_anew_by_the_answerer),
        cmocka_unit_test(one_that_comes_back_after_goodbye_finds_the_port_open),
        cmocka_unit_test(a_handshake_from_before_goodbye_is_no_sign_of_life),
        cmocka_unit_test(memory_that_is_wrong_or_one_sided_costs_nothing),
        cmocka_unit_test(remembered_pairs_are_given_up_where_nobody_answers),
        cmocka_unit_test(a_new_broker_adopts_a_standing_path_untouched),
        cmocka_unit_test(lost_probes_alone_do_not_move_a_path_that_wireguard_receives_on),
        cmocka_unit_test(a_silent_path_is_told_dead_and_why_and_heals),
        cmocka_unit_test(an_idle_path_whose_agent_died_is_kept_by_keepalives_alone),
        cmocka_unit_test(a_clock_set_back_is_told_and_the_peer_is_set_anew),
        cmocka_unit_test(waking_up_sends_at_once_and_makes_a_new_path),
        cmocka_unit_test(random_histories_converge_once_faults_stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
