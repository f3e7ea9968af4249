/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/clock.h"
#include "broker/pairing.h"
#include "protocol/log.h"

/* That an id is there twice is said again after so long, in ms. */
#define TWICE_MS 60000

bool peer_is_reached_by(const struct peer *peer, const struct transport *transport)
{
    return peer->online >> transport->slot & 1;
}

/* By all that reach the peer: the first to arrive counts, the others are doubles. */
static void peer_data(struct peer *peer, char *data)
{
    struct broker *broker = peer->broker;

    if (data == NULL)
        return;
    for (size_t i = 0; i < broker->transport_count; i++)
        if ((peer->online | peer->heard) >> broker->transports[i]->slot & 1)
            transport_send(broker->transports[i], peer, data);
    free(data);
}

static void peer_say(struct peer *peer, const struct message *message)
{
    struct error err;
    size_t length;
    char *line = message_encode(message, &length, &err), *data = NULL;

    if (line == NULL) {
        log_error("%s: %s", peer->config->grant.peer, err.message);
        return;
    }
    if (envelope_seal(peer->envelope, clock_boot_ms(), line, length - 1, &data) == 0)
        peer_data(peer, data);
    free(line);
}

void peer_down(struct peer *peer, const char *reason)
{
    struct message event;

    if (!peer->up)
        return;
    peer->up = false;
    message_init(&event, MESSAGE_event_peer_down);
    event.event_peer_down.peer = (char *)(uintptr_t)peer->config->grant.peer;
    event.event_peer_down.reason = (char *)(uintptr_t)reason;
    event_emit(peer->broker->events, &event);
}

static void peer_is_up(struct peer *peer, const char *kind)
{
    const struct grant *grant = &peer->config->grant;
    char texts[PEER_ALLOWED_MAX][PREFIX_TEXT_SIZE], *items[PEER_ALLOWED_MAX];
    struct message event;

    peer->up = true;
    message_init(&event, MESSAGE_event_peer_up);
    event.event_peer_up.peer = (char *)(uintptr_t)grant->peer;
    event.event_peer_up.kind = (char *)(uintptr_t)kind;
    for (size_t i = 0; i < grant->allowed_count; i++) {
        prefix_format(&grant->allowed[i], texts[i]);
        items[i] = texts[i];
    }
    event.event_peer_up.allowed_ips = (struct strings){items, grant->allowed_count};
    event_emit(peer->broker->events, &event);
}

static void tell_path(struct peer *peer, struct message *event)
{
    const struct message_event_path *path = &event->event_path;

    event_emit(peer->broker->events, event);
    if (strcmp(path->kind, "none") == 0)
        peer_down(peer, path->reason);
    else if (!peer->up)
        peer_is_up(peer, path->kind);
}

static void act(struct peer *peer, struct session_action *action)
{
    struct agent **agent = &peer->agents[action->slot < 0 ? 0 : action->slot];

    switch (action->type) {
    case SESSION_SEND:
        peer_say(peer, &action->message);
        break;
    case SESSION_AGENT_START:
        *agent = agent_start(peer, action->slot, envelope_is_initiator(peer->envelope));
        peer->agent_failed[action->slot] = *agent == NULL;
        break;
    case SESSION_AGENT_INPUT:
        if (*agent != NULL)
            agent_input(*agent, &action->message);
        break;
    case SESSION_AGENT_STOP:
        if (*agent != NULL)
            agent_stop(*agent, CHILD_SHUTDOWN);
        break;
    case SESSION_WG:
        wireguard_send(peer->broker, peer, &action->message);
        break;
    case SESSION_KEEP:
        broker_keep(peer->broker);
        break;
    case SESSION_NOTIFY:
        switch (action->message.type) {
        case MESSAGE_event_path:
            action->message.event_path.peer = (char *)(uintptr_t)peer->config->grant.peer;
            tell_path(peer, &action->message);
            return;
        case MESSAGE_event_candidate:
            action->message.event_candidate.peer = (char *)(uintptr_t)peer->config->grant.peer;
            break;
        case MESSAGE_event_handshake:
            action->message.event_handshake.peer = (char *)(uintptr_t)peer->config->grant.peer;
            break;
        default:
            return;
        }
        event_emit(peer->broker->events, &action->message);
        break;
    }
}

static void on_timer(uv_timer_t *timer);

static void peer_arm(struct peer *peer)
{
    int64_t at = session_deadline(peer->session), now = clock_boot_ms();

    if (peer->online != 0 && envelope_next(peer->envelope) < at)
        at = envelope_next(peer->envelope);
    if (peer->agent_failed[0] || peer->agent_failed[1])
        at = now;
    if (at == INT64_MAX || peer->broker->stopping) {
        uv_timer_stop(&peer->timer);
        return;
    }
    uv_update_time(peer->broker->loop);
    uv_timer_start(&peer->timer, on_timer, at > now ? (uint64_t)(at - now) : 0, 0);
}

void peer_handle(struct peer *peer, enum session_event_type type, int slot,
                 const struct message *message)
{
    struct session_actions actions;
    struct session_event event = {
        .type = type, .slot = slot, .message = message, .now = clock_boot_ms()};

    if (peer->broker->stopping)
        return;
    randombytes_buf(&event.random, sizeof event.random);
    session_handle(peer->session, &event, &actions);
    for (size_t i = 0; i < actions.count; i++)
        act(peer, &actions.items[i]);
    peer_arm(peer);
    wireguard_poll(peer->broker);
}

static void on_timer(uv_timer_t *timer)
{
    struct peer *peer = timer->data;

    for (int slot = 0; slot < SESSION_SLOTS; slot++) {
        if (peer->agent_failed[slot]) {
            peer->agent_failed[slot] = false;
            peer_handle(peer, SESSION_AGENT_DOWN, slot, NULL);
        }
    }
    if (peer->online != 0 && envelope_next(peer->envelope) <= clock_boot_ms())
        peer_data(peer, envelope_poll(peer->envelope, clock_boot_ms()));
    peer_handle(peer, SESSION_TICK, 0, NULL);
}

void peer_presence(struct peer *peer, const struct transport *transport, bool online)
{
    uint32_t bit = 1u << transport->slot, before = peer->online;

    peer->online = online ? before | bit : before & ~bit;
    if (!online)
        peer->heard &= ~bit;
    if (peer->online == before)
        return;
    if (online)
        pairing_peer_online(peer->broker->pairing, transport->index, peer->config->grant.key);
    if (online && peer->broker->wg.public_key[0] != '\0' &&
        (before == 0 || !envelope_is_ready(peer->envelope)))
        peer_data(peer, envelope_begin(peer->envelope, clock_boot_ms()));
    if (before == 0)
        peer_handle(peer, SESSION_ONLINE, 0, NULL);
    else if (peer->online == 0)
        peer_handle(peer, SESSION_OFFLINE, 0, NULL);
    peer_arm(peer);
}

static void peer_introduced(struct peer *peer, const struct message_introduce *told)
{
    enum config_introductions answer = peer->broker->config->introductions;

    if (answer != INTRODUCTIONS_IGNORE)
        pairing_introduced(peer->broker->pairing, peer->config->grant.peer, told,
                           answer == INTRODUCTIONS_ACCEPT);
}

/* A key that comes back after another one is that of a second device with this id: a device that
 * lost its key makes a new one. */
static void peer_watch_key(struct peer *peer, const char *key)
{
    int64_t now = clock_boot_ms();
    bool twice = strcmp(key, peer->wg_keys[1]) == 0;

    if (strcmp(key, peer->wg_keys[0]) == 0)
        return;
    memcpy(peer->wg_keys[1], peer->wg_keys[0], sizeof peer->wg_keys[1]);
    snprintf(peer->wg_keys[0], sizeof peer->wg_keys[0], "%s", key);
    if (!twice || (peer->told_twice != 0 && now - peer->told_twice < TWICE_MS))
        return;
    peer->told_twice = now;
    log_error("%s: two devices run with the id of this peer, so its tunnel will come and go: one "
              "of them must stop",
              peer->config->grant.peer);
    event_emit_error(peer->broker->events, peer->config->grant.peer, "id-twice",
                     "two devices run with the id of this peer: one of them must stop");
}

/* One JSON text of the peer's; what is not as declared is dropped and has no effect. */
static void peer_text(struct peer *peer, const char *text, bool hello, bool late)
{
    struct message m;
    struct error err;

    if (message_decode(text, strlen(text), ROLE_PEER, FROM_HELPER, &m, NULL, &err) < 0) {
        log_warn("%s: a message of the peer was dropped: %s", peer->config->grant.peer,
                 err.message);
        return;
    }
    if (m.type == MESSAGE_peer_hello && hello)
        peer_watch_key(peer, m.peer_hello.wg_public_key);
    if (m.type == MESSAGE_peer_hello && hello)
        peer_handle(peer, SESSION_HELLO, 0, &m);
    else if (m.type == MESSAGE_introduce)
        peer_introduced(peer, &m.introduce);
    else if (m.type != MESSAGE_NONE && m.type != MESSAGE_peer_hello)
        peer_handle(peer, late ? SESSION_MESSAGE_LATE : SESSION_MESSAGE, 0, &m);
    message_clear(&m);
}

/* Greetings are sent again with other keys while they are not answered, so few of them must do. */
#define KEY_DIFFERS_AFTER 3

/* Whoever is at the peer's address has another key, or another peer's key for us. Told once: until
 * something opens again nothing new is known. */
static void peer_unopened(struct peer *peer)
{
    if (peer->unopened < KEY_DIFFERS_AFTER && ++peer->unopened == KEY_DIFFERS_AFTER) {
        log_error(
            "%s: what comes from its address is not sealed between its id and ours, and has no "
            "effect: either that device has another id now (punchguard id there says it), or "
            "its configuration has another id for this device",
            peer->config->grant.peer);
        event_emit_error(peer->broker->events, peer->config->grant.peer, "key-differs",
                         "what comes from its address is not sealed between its id and ours");
    }
}

void peer_receive(struct peer *peer, const struct transport *transport, const char *data)
{
    struct envelope_opened opened;
    int rc;

    if (pairing_peer_data(peer->broker->pairing, transport->index, peer->config->grant.peer, data))
        return;
    /* Keys from a greeting without our WireGuard key would be of no use, and stand for an hour. We
     * greet once we have it, and the peer asks again. */
    if (peer->broker->wg.public_key[0] == '\0')
        return;
    rc = envelope_open(peer->envelope, clock_boot_ms(), data, &opened);

    /* The other side may be told of us before we are of it: what brings its word takes ours back.
     */
    if (rc == 0) {
        peer->heard |= 1u << transport->slot;
        peer->unopened = 0;
    }
    if (rc == -EBADMSG)
        peer_unopened(peer);
    peer_data(peer, opened.reply);
    opened.reply = NULL;
    if (rc == 0 && opened.established && opened.hello != NULL)
        peer_text(peer, opened.hello, true, false);
    if (rc == 0 && opened.message != NULL)
        peer_text(peer, opened.message, false, opened.late);
    if (rc == 0)
        pairing_peer_there(peer->broker->pairing, peer->config->grant.key);
    if (rc < 0 && rc != -EALREADY)
        log_debug("%s: data that does not open: %s", peer->config->grant.peer, strerror(-rc));
    envelope_opened_clear(&opened);
    peer_arm(peer);
}

void peer_set_hello(struct peer *peer)
{
    struct message hello;
    size_t length;
    char *line;

    message_init(&hello, MESSAGE_peer_hello);
    hello.peer_hello.protocol = PROTOCOL_VERSION;
    hello.peer_hello.wg_public_key = peer->broker->wg.public_key;
    line = message_encode(&hello, &length, NULL);
    if (line == NULL)
        return;
    line[length - 1] = '\0';
    envelope_set_hello(peer->envelope, line);
    free(line);
    if (peer->online != 0)
        peer_data(peer, envelope_begin(peer->envelope, clock_boot_ms()));
    peer_arm(peer);
}

bool peer_pass(struct peer *peer, const struct message *message)
{
    if (peer->online == 0 || !envelope_is_ready(peer->envelope))
        return false;
    peer_say(peer, message);
    return true;
}

void peer_goodbye(struct peer *peer)
{
    struct message bye;

    message_init(&bye, MESSAGE_bye);
    peer_pass(peer, &bye);
}

struct peer *peer_new(struct broker *broker, const struct config_peer *config, size_t index,
                      const struct session_memory *memory, struct error *err)
{
    struct peer *peer = calloc(1, sizeof *peer);

    if (peer == NULL)
        goto no_memory;
    peer->broker = broker;
    peer->config = config;
    peer->envelope =
        envelope_new(broker->identity->secret, broker->identity->public, config->grant.key);
    if (peer->envelope == NULL) {
        error_set(err, "bad-id",
                  "%s: $.peers[%zu].id: this is our own id, or no key of a device; the other "
                  "device's id is right, as its --show-id prints it",
                  broker->config->path, index);
        peer_free(peer);
        return NULL;
    }
    peer->session = session_new(envelope_is_initiator(peer->envelope), memory);
    if (peer->session == NULL)
        goto no_memory;
    uv_timer_init(broker->loop, &peer->timer);
    peer->timer.data = peer;
    return peer;
no_memory:
    error_set(err, "no-memory", "out of memory");
    peer_free(peer);
    return NULL;
}

void peer_stop(struct peer *peer)
{
    if (!uv_is_closing((uv_handle_t *)&peer->timer))
        uv_close((uv_handle_t *)&peer->timer, NULL);
}

void peer_free(struct peer *peer)
{
    if (peer == NULL)
        return;
    session_destroy(peer->session);
    envelope_free(peer->envelope);
    free(peer);
}

static void on_removed(uv_handle_t *timer)
{
    peer_free(timer->data);
}

void peer_discard(struct peer *peer)
{
    uv_close((uv_handle_t *)&peer->timer, on_removed);
}

void peer_remove(struct peer *peer)
{
    struct broker *broker = peer->broker;
    struct message m;

    peer_goodbye(peer);
    peer_down(peer, "it was removed");
    for (size_t i = 0; i < broker->transport_count; i++)
        transport_peer_remove(broker->transports[i], peer);
    for (int slot = 0; slot < SESSION_SLOTS; slot++)
        if (peer->agents[slot] != NULL)
            agent_stop(peer->agents[slot], CHILD_SHUTDOWN);
    if (session_memory(peer->session)->wg_public_key[0] != '\0') {
        message_init(&m, MESSAGE_wg_peer_remove);
        wireguard_send(broker, peer, &m);
    }
    peer_discard(peer);
}
