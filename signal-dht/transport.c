/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "signal-dht/transport.h"

#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "protocol/log.h"
#include "signal-dht/link.h"
#include "signal-dht/node.h"
#include "signal-dht/seal.h"
#include "signal-dht/value.h"

/* A node that nobody answers is started anew after the first of these, doubling up to the second,
 * in ms: OpenDHT itself tries its bootstrap nodes ever more seldom, at last once a day. */
#define ALONE_MIN_MS 15000
#define ALONE_MAX_MS 60000
/* How long we wait for the network to have the last words, which it mostly has at once (nodes that
 * are gone delay its word for it), and for the end of OpenDHT's threads. */
#define FAREWELL_MS 1000
#define ENDING_MS   500
/* How long nobody listens where there is too much noise. */
#define DEAF_MIN_MS 60000
#define DEAF_MAX_MS 600000
#define NOISE_MS    600000
/* Where nobody listens there is little to do. */
#define DEAF_POLL_MS 1000

/* The network and OpenDHT keep every value for ten minutes, so what one peer is told has a bound:
 * so many bytes at once, and so many a second after that. A session takes some 20 KB. */
#define ALLOWANCE_MAX    (2 * 1024 * 1024)
#define ALLOWANCE_SECOND 4096

#define NEVER INT64_MAX

struct peer {
    char name[65];
    struct seal seal;
    struct link *link;
    struct transport *transport;
    int64_t poll_at;
    uint64_t listener;
    void *listening; /* NULL: not */
    int64_t listen_at;
    int64_t noise_since, deaf_ms;
    size_t noise, echo; /* bytes; echo: of our own that have not come back */
    int64_t allowance, allowed_at;
};

struct transport {
    bool online;
    struct options options;
    struct transport_events events;
    struct peer *peers[TRANSPORT_PEERS_MAX];
    size_t peer_count;
    uint64_t listeners;
    int fd;
    int64_t started, start_at; /* start_at: of the next node, NEVER while it is not wanted */
    int64_t asked, alone_ms;   /* asked: since when no put was answered, NEVER for none */
    bool reached;              /* this node has been answered */
};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The age of a node */

static void restart_at(struct transport *t, int64_t at)
{
    int64_t earliest = t->started + TRANSPORT_RECONNECT_MS;

    at = at > earliest ? at : earliest;
    if (t->start_at > at)
        t->start_at = at;
}

/* What links call */

static bool is_allowed(struct peer *peer, int64_t bytes)
{
    int64_t now = now_ms();

    peer->allowance += (now - peer->allowed_at) * ALLOWANCE_SECOND / 1000;
    peer->allowed_at = now;
    if (peer->allowance > ALLOWANCE_MAX)
        peer->allowance = ALLOWANCE_MAX;
    return peer->allowance >= bytes;
}

static int on_put(void *data, const uint8_t *plain, size_t length)
{
    uint8_t sealed[VALUE_MAX + SEAL_OVERHEAD];
    struct peer *peer = data;
    int rc;

    if (peer->listening == NULL || !is_allowed(peer, (int64_t)length))
        return -EAGAIN;
    seal_close(&peer->seal, plain, length, sealed);
    rc = node_put(peer->seal.place, sealed, length + SEAL_OVERHEAD);
    if (rc < 0)
        return rc;
    peer->allowance -= (int64_t)length;
    peer->echo += length + SEAL_OVERHEAD;
    if (peer->transport->asked == NEVER)
        peer->transport->asked = now_ms();
    return 0;
}

static void on_presence(void *data, bool online)
{
    struct peer *peer = data;

    peer->transport->events.presence(peer->transport->events.data, peer->name, online,
                                     online ? "dht" : NULL);
}

static void on_delivered(void *data, int64_t ref)
{
    struct transport *t = ((struct peer *)data)->transport;

    t->events.sent(t->events.data, ref);
}

static void on_received(void *data, const char *text)
{
    struct peer *peer = data;

    peer->transport->events.receive(peer->transport->events.data, peer->name, text);
}

/* Listening */

static void listen_at_place(struct transport *t, struct peer *peer)
{
    peer->listener = ++t->listeners;
    peer->listen_at = NEVER;
    peer->noise = peer->echo = 0;
    peer->noise_since = now_ms();
    peer->listening = node_listen(peer->seal.place, peer->listener);
}

/* OpenDHT would keep listening for a minute, and all that came for ten: only a new node ends both.
 */
static void deafen(struct peer *peer, int64_t now)
{
    peer->listener = 0;
    peer->listen_at = now + peer->deaf_ms;
    log_warn("somebody floods the place where we meet %s: away from there for %d s", peer->name,
             (int)(peer->deaf_ms / 1000));
    if (peer->deaf_ms < DEAF_MAX_MS)
        peer->deaf_ms = peer->deaf_ms * 2 < DEAF_MAX_MS ? peer->deaf_ms * 2 : DEAF_MAX_MS;
    restart_at(peer->transport, now);
}

static void hear_noise(struct peer *peer, size_t bytes, int64_t now)
{
    if (now - peer->noise_since > NOISE_MS) {
        peer->noise_since = now;
        peer->noise = 0;
        peer->deaf_ms = DEAF_MIN_MS;
    }
    peer->noise += bytes;
    if (peer->noise > TRANSPORT_NOISE_MAX)
        deafen(peer, now);
}

/* Not the network's word: a node hands us our own values by itself. */
static void hear_echo(struct peer *peer, size_t length, int64_t now)
{
    if (length <= peer->echo)
        peer->echo -= length;
    else
        hear_noise(peer, (length + TRANSPORT_NOISE_VALUE) / TRANSPORT_NOISE_OPENED, now);
}

static void hear_answer(struct transport *t)
{
    if (!t->reached)
        log_info("the DHT answers");
    t->reached = true;
    t->asked = NEVER;
    t->alone_ms = ALONE_MIN_MS;
}

static void hear(struct transport *t, struct peer *peer, const struct node_value *value)
{
    uint8_t plain[NODE_VALUE_MAX];
    int64_t now = now_ms();
    size_t cost = value->size + TRANSPORT_NOISE_VALUE;

    if (seal_open(&peer->seal, value->data, value->length, plain) < 0) {
        hear_noise(peer, cost, now);
        return;
    }
    switch (link_value(peer->link, plain, value->length - SEAL_OVERHEAD, now)) {
    case LINK_OWN:
        hear_echo(peer, value->length, now);
        return;
    case LINK_NEWS:
        peer->poll_at = now;
        break;
    case LINK_STALE:
        break;
    }
    hear_noise(peer, cost / TRANSPORT_NOISE_OPENED, now);
    hear_answer(t);
}

static struct peer *peer_listening(struct transport *t, uint64_t listener)
{
    for (size_t i = 0; i < t->peer_count; i++)
        if (t->peers[i]->listener == listener)
            return t->peers[i];
    return NULL;
}

static void take_values(struct transport *t)
{
    struct node_value value;

    node_arrived();
    while (node_take(&value)) {
        struct peer *peer = peer_listening(t, value.listener);

        if (peer != NULL)
            hear(t, peer, &value);
        free(value.data);
    }
}

/* The node */

static void stop_listening(struct transport *t)
{
    for (size_t i = 0; i < t->peer_count; i++) {
        struct peer *peer = t->peers[i];

        node_unlisten(peer->seal.place, peer->listening, false);
        peer->listening = NULL;
        peer->listener = 0;
    }
}

static int start(struct transport *t, struct error *err)
{
    int64_t now = now_ms();
    int rc = node_start(&t->options, err);

    t->start_at = rc < 0 ? now + TRANSPORT_RECONNECT_MS : NEVER;
    if (rc < 0)
        return rc;
    t->started = now;
    t->asked = NEVER;
    t->reached = false;
    for (size_t i = 0; i < t->peer_count; i++) {
        if (t->peers[i]->listen_at == NEVER)
            t->peers[i]->listen_at = now;
        link_renew(t->peers[i]->link, now);
        t->peers[i]->poll_at = now;
    }
    return 0;
}

static void restart_when_due(struct transport *t, int64_t now)
{
    struct error err;

    if (now < t->start_at)
        return;
    if (node_runs()) {
        stop_listening(t);
        node_stop();
    }
    if (node_may_start(&t->options) && start(t, &err) < 0)
        log_warn("%s; trying again", err.message);
}

static void watch_answers(struct transport *t, int64_t now)
{
    if (node_answered())
        hear_answer(t);
    if (t->asked == NEVER || now - t->asked < t->alone_ms || t->start_at != NEVER)
        return;
    log_info("nobody in the DHT answers: starting anew");
    t->asked = NEVER;
    t->start_at = now;
    t->alone_ms = t->alone_ms * 2 < ALONE_MAX_MS ? t->alone_ms * 2 : ALONE_MAX_MS;
}

/* The caller */

struct transport *transport_new(const struct options *options, bool online,
                                const struct transport_events *events, struct error *err)
{
    struct transport *t = calloc(1, sizeof *t);

    if (t == NULL) {
        error_set(err, "no-memory", "out of memory");
        return NULL;
    }
    t->online = online;
    t->options = *options;
    t->events = *events;
    t->fd = -1;
    t->start_at = t->asked = NEVER;
    t->alone_ms = ALONE_MIN_MS;
    if (!online)
        return t;
    t->fd = node_open();
    if (t->fd < 0)
        error_set(err, "no-memory", "cannot make an event descriptor: %s", strerror(-t->fd));
    if (t->fd < 0 || start(t, err) < 0) {
        transport_destroy(t);
        return NULL;
    }
    return t;
}

/* False at the end of the time. */
static bool await(struct transport *t, bool (*done)(void), int ms)
{
    int64_t end = now_ms() + ms;

    while (!done() && now_ms() < end) {
        struct pollfd fd = {.fd = t->fd, .events = POLLIN};

        poll(&fd, 1, (int)(end - now_ms()));
        node_arrived();
    }
    return done();
}

static bool all_put(void)
{
    return node_putting() == 0;
}

static void peer_destroy(struct peer *peer)
{
    node_unlisten(peer->seal.place, peer->listening, node_runs());
    link_destroy(peer->link);
    sodium_memzero(peer, sizeof *peer);
    free(peer);
}

bool transport_destroy(struct transport *t)
{
    bool ended;

    if (t == NULL)
        return true;
    for (size_t i = 0; i < t->peer_count; i++)
        link_leave(t->peers[i]->link);
    if (node_runs() && t->reached)
        await(t, all_put, FAREWELL_MS);
    for (size_t i = 0; i < t->peer_count; i++)
        peer_destroy(t->peers[i]);
    node_stop();
    ended = await(t, node_ended, ENDING_MS);
    free(t);
    return ended;
}

static struct peer *peer_named(struct transport *t, const char *name)
{
    for (size_t i = 0; i < t->peer_count; i++)
        if (strcmp(t->peers[i]->name, name) == 0)
            return t->peers[i];
    return NULL;
}

static int unknown_peer(const char *name, struct error *err)
{
    error_set(err, "unknown-peer", "there is no peer '%s'; peer-add it first", name);
    return -ENOENT;
}

static struct peer *peer_new(struct transport *t, const char *name, const struct seal *seal)
{
    struct peer *peer = calloc(1, sizeof *peer);
    struct link_events events = {.put = on_put,
                                 .presence = on_presence,
                                 .delivered = on_delivered,
                                 .received = on_received,
                                 .data = peer};

    if (peer == NULL)
        return NULL;
    snprintf(peer->name, sizeof peer->name, "%s", name);
    peer->seal = *seal;
    peer->transport = t;
    peer->deaf_ms = DEAF_MIN_MS;
    peer->poll_at = peer->listen_at = peer->allowed_at = now_ms();
    peer->allowance = ALLOWANCE_MAX;
    peer->link = link_new(&events, now_ms());
    if (peer->link == NULL) {
        free(peer);
        return NULL;
    }
    return peer;
}

static int place_is_free(struct transport *t, const struct seal *seal, struct error *err)
{
    for (size_t i = 0; i < t->peer_count; i++) {
        if (memcmp(&t->peers[i]->seal, seal, sizeof *seal) != 0)
            continue;
        error_set(err, "bad-rendezvous", "peer '%s' has the same rendezvous", t->peers[i]->name);
        return -EINVAL;
    }
    if (t->peer_count < TRANSPORT_PEERS_MAX)
        return 0;
    error_set(err, "too-many", "at most %d peers are possible", TRANSPORT_PEERS_MAX);
    return -ENOBUFS;
}

int transport_peer_add(struct transport *t, const char *name, const char *rendezvous,
                       struct error *err)
{
    uint8_t secret[SEAL_RENDEZVOUS_BYTES];
    struct peer *peer = peer_named(t, name);
    struct seal seal;
    int rc;

    if (sodium_hex2bin(secret, sizeof secret, rendezvous, strlen(rendezvous), NULL, NULL, NULL) <
        0) {
        error_set(err, "bad-rendezvous", "the rendezvous of '%s' is not 64 hex digits", name);
        return -EINVAL;
    }
    seal_init(&seal, secret);
    sodium_memzero(secret, sizeof secret);
    if (peer != NULL && memcmp(&peer->seal, &seal, sizeof seal) == 0)
        return 0;
    if (peer != NULL)
        transport_peer_remove(t, name, NULL);
    rc = place_is_free(t, &seal, err);
    if (rc < 0)
        return rc;
    peer = peer_new(t, name, &seal);
    sodium_memzero(&seal, sizeof seal);
    if (peer == NULL) {
        error_set(err, "no-memory", "out of memory");
        return -ENOMEM;
    }
    t->peers[t->peer_count++] = peer;
    return 0;
}

int transport_peer_remove(struct transport *t, const char *name, struct error *err)
{
    for (size_t i = 0; i < t->peer_count; i++) {
        if (strcmp(t->peers[i]->name, name) != 0)
            continue;
        link_leave(t->peers[i]->link);
        peer_destroy(t->peers[i]);
        t->peers[i] = t->peers[--t->peer_count];
        return 0;
    }
    return unknown_peer(name, err);
}

int transport_send(struct transport *t, int64_t ref, const char *name, const char *text,
                   struct error *err)
{
    struct peer *peer = peer_named(t, name);
    int rc;

    if (peer == NULL)
        return unknown_peer(name, err);
    rc = link_post(peer->link, ref, text, now_ms());
    if (rc == -ENOBUFS)
        error_set(err, "queue-full", "%d messages or %d bytes wait for %s already",
                  LINK_WAITING_MAX, LINK_WAITING_BYTES_MAX, name);
    else if (rc < 0)
        error_set(err, "send", "cannot take the message for %s: %s", name, strerror(-rc));
    if (rc == 0)
        peer->poll_at = 0;
    return rc;
}

void transport_reconnect(struct transport *t)
{
    if (t->online)
        restart_at(t, now_ms());
}

int transport_fd(const struct transport *t)
{
    return t->fd;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t poll_peer(struct transport *t, struct peer *peer, int64_t now)
{
    if (now >= peer->listen_at && node_runs())
        listen_at_place(t, peer);
    if (now >= peer->poll_at)
        peer->poll_at = link_poll(peer->link, now);
    if (peer->listening == NULL && peer->poll_at < now + DEAF_POLL_MS)
        peer->poll_at = now + DEAF_POLL_MS;
    return sooner(peer->poll_at, peer->listen_at);
}

int transport_iterate(struct transport *t)
{
    int64_t now = now_ms(), next = now + ALONE_MAX_MS;

    if (!t->online)
        return -1;
    take_values(t);
    watch_answers(t, now);
    restart_when_due(t, now);
    for (size_t i = 0; i < t->peer_count; i++)
        next = sooner(next, poll_peer(t, t->peers[i], now));
    if (t->asked != NEVER)
        next = sooner(next, t->asked + t->alone_ms);
    if (node_may_start(&t->options))
        next = sooner(next, t->start_at);
    now = now_ms();
    return next > now ? (int)(next - now) : 0;
}
