/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "signal-lan/transport.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "protocol/log.h"
#include "signal-lan/bucket.h"
#include "signal-lan/links.h"
#include "signal-lan/parcel.h"
#include "signal-lan/peer.h"
#include "signal-lan/seal.h"
#include "signal-lan/wire.h"

/* At one go, so that a flood does not keep us from the pipes. */
#define PACKETS_AT_ONCE 64
/* How long a socket that gave too much rests, in ms. */
#define REST_MS 10

struct transport {
    const struct options *options;
    bool online;
    struct transport_events events;
    uint8_t instance[PEER_INSTANCE_BYTES];
    struct peer *peers[TRANSPORT_PEERS_MAX];
    size_t peer_count;
    int watch;
    struct links links;
    int64_t listed, list_at; /* INT64_MAX: not wanted */
    struct wire wire;
    struct bucket packets[WIRE_SOCKETS], tags, calls;
};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What peers call */

static bool on_send(void *data, const struct place *place, const uint8_t *packet, size_t length)
{
    struct transport *t = data;

    if (place != NULL)
        wire_send(&t->wire, place, packet, length);
    else if (bucket_take(&t->calls, 1, now_ms()))
        wire_send_all(&t->wire, &t->links, packet, length);
    else
        return false;
    return true;
}

static void on_presence(void *data, const char *peer, bool online, const struct place *place)
{
    struct transport *t = data;
    const struct link *link = online ? links_find(&t->links, place->link) : NULL;

    t->events.presence(t->events.data, peer, online,
                       link != NULL ? link->name
                       : online     ? "lo"
                                    : NULL);
}

static void on_sent(void *data, int64_t ref)
{
    struct transport *t = data;

    t->events.sent(t->events.data, ref);
}

static void on_receive(void *data, const char *peer, const char *text)
{
    struct transport *t = data;

    t->events.receive(t->events.data, peer, text);
}

/* Links */

static void look_for_all(struct transport *t)
{
    for (size_t i = 0; i < t->peer_count; i++)
        peer_look(t->peers[i], now_ms());
}

static void say_links(const struct links *links)
{
    if (links->count == 0)
        log_info("no link to use; waiting for one");
    for (size_t i = 0; i < links->count; i++) {
        const struct link *link = &links->items[i];

        log_info("link %s: %s", link->name,
                 link->ipv4 && link->ipv6 ? "IPv4 and IPv6"
                 : link->ipv4             ? "IPv4"
                                          : "IPv6");
    }
}

/* Whether they are others than before. */
static int relist(struct transport *t, bool *changed, struct error *err)
{
    struct links links;
    int rc = links_list(&links, t->options, err);

    t->listed = now_ms();
    t->list_at = INT64_MAX;
    *changed = rc == 0 && !links_equal(&links, &t->links);
    if (!*changed)
        return rc;
    t->links = links;
    say_links(&links);
    wire_join(&t->wire, &links);
    return 0;
}

static void list_soon(struct transport *t)
{
    int64_t earliest = t->listed + TRANSPORT_LINKS_MS, now = now_ms();

    if (t->list_at == INT64_MAX)
        t->list_at = earliest > now ? earliest : now;
}

static void list_when_due(struct transport *t)
{
    struct error err;
    bool changed;

    if (now_ms() < t->list_at)
        return;
    if (relist(t, &changed, &err) < 0) {
        log_warn("%s", err.message);
        list_soon(t);
    }
    if (changed)
        look_for_all(t);
}

void transport_network_changed(struct transport *t)
{
    if (!t->online)
        return;
    list_soon(t);
    look_for_all(t);
}

/* Its life */

static int go_online(struct transport *t, struct error *err)
{
    bool changed;

    t->watch = links_watch(err);
    if (t->watch < 0 || wire_open(&t->wire, t->options, err) < 0)
        return -EIO;
    t->online = true;
    return relist(t, &changed, err);
}

static void limits_init(struct transport *t)
{
    int64_t now = now_ms();

    for (size_t i = 0; i < WIRE_SOCKETS; i++)
        bucket_init(&t->packets[i], TRANSPORT_PACKETS_A_SECOND, TRANSPORT_PACKETS_A_SECOND / 10,
                    now);
    bucket_init(&t->tags, TRANSPORT_TAGS_A_SECOND, TRANSPORT_TAGS_A_SECOND / 10, now);
    bucket_init(&t->calls, TRANSPORT_CALLS_A_SECOND, TRANSPORT_CALLS_A_SECOND, now);
}

struct transport *transport_new(const struct options *options, bool online,
                                const struct transport_events *events, struct error *err)
{
    struct transport *t = calloc(1, sizeof *t);

    if (t == NULL) {
        error_set(err, "no-memory", "out of memory");
        return NULL;
    }
    t->options = options;
    t->events = *events;
    t->watch = -1;
    t->list_at = INT64_MAX;
    for (size_t i = 0; i < WIRE_SOCKETS; i++)
        t->wire.sockets[i] = -1;
    randombytes_buf(t->instance, sizeof t->instance);
    limits_init(t);
    if (online && go_online(t, err) < 0) {
        transport_destroy(t);
        return NULL;
    }
    if (online && t->links.count == 0)
        say_links(&t->links);
    return t;
}

void transport_destroy(struct transport *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->peer_count; i++)
        peer_destroy(t->peers[i]);
    wire_close(&t->wire);
    if (t->watch >= 0)
        close(t->watch);
    free(t);
}

/* Requests */

static size_t peer_index(const struct transport *t, const char *name)
{
    size_t i = 0;

    while (i < t->peer_count && strcmp(peer_name(t->peers[i]), name) != 0)
        i++;
    return i;
}

static int unknown_peer(const char *name, struct error *err)
{
    error_set(err, "unknown-peer", "there is no peer '%s'; peer-add it first", name);
    return -ENOENT;
}

/* Whether the peer can be added; *known where it is there as it should be. */
static int check_peer(const struct transport *t, const char *name,
                      const uint8_t rendezvous[RENDEZVOUS_BYTES], bool *known, struct error *err)
{
    *known = false;
    for (size_t i = 0; i < t->peer_count; i++) {
        if (!peer_meets_at(t->peers[i], rendezvous))
            continue;
        *known = strcmp(peer_name(t->peers[i]), name) == 0;
        if (*known)
            return 0;
        error_set(err, "bad-rendezvous",
                  "peer-add: '%s' has this rendezvous already; each pair of devices has its own",
                  peer_name(t->peers[i]));
        return -EINVAL;
    }
    if (t->peer_count == TRANSPORT_PEERS_MAX && peer_index(t, name) == t->peer_count) {
        error_set(err, "too-many", "at most %d peers are possible", TRANSPORT_PEERS_MAX);
        return -ENOBUFS;
    }
    return 0;
}

int transport_peer_add(struct transport *t, const char *name, const char *text, struct error *err)
{
    struct peer_events events = {.send = on_send,
                                 .presence = on_presence,
                                 .sent = on_sent,
                                 .receive = on_receive,
                                 .data = t};
    uint8_t rendezvous[RENDEZVOUS_BYTES];
    struct peer *peer;
    bool known;
    int rc;

    /* That they are hex digits, and how many, is checked where messages are decoded. */
    sodium_hex2bin(rendezvous, sizeof rendezvous, text, strlen(text), NULL, NULL, NULL);
    rc = check_peer(t, name, rendezvous, &known, err);
    if (rc < 0 || known)
        return rc;
    if (peer_index(t, name) < t->peer_count)
        transport_peer_remove(t, name, NULL);
    peer = peer_new(name, rendezvous, t->instance, &events, now_ms());
    sodium_memzero(rendezvous, sizeof rendezvous);
    if (peer == NULL) {
        error_set(err, "no-memory", "out of memory");
        return -ENOMEM;
    }
    t->peers[t->peer_count++] = peer;
    return 0;
}

int transport_peer_remove(struct transport *t, const char *name, struct error *err)
{
    size_t i = peer_index(t, name);

    if (i == t->peer_count)
        return unknown_peer(name, err);
    peer_destroy(t->peers[i]);
    t->peers[i] = t->peers[--t->peer_count];
    return 0;
}

int transport_send(struct transport *t, int64_t ref, const char *name, const char *text,
                   struct error *err)
{
    size_t i = peer_index(t, name);
    int rc;

    if (i == t->peer_count)
        return unknown_peer(name, err);
    rc = peer_post(t->peers[i], ref, text, now_ms());
    if (rc == -ENOBUFS)
        error_set(err, "queue-full", "%d messages wait for %s already", PARCEL_WAITING_MAX, name);
    else if (rc < 0)
        error_set(err, "send", "cannot take the message for %s: %s", name, strerror(-rc));
    return rc;
}

/* What comes and what is due */

/* First those who are where it comes from: that costs a stranger's flood nothing. */
static void take_packet(struct transport *t, const struct place *place, const uint8_t *packet,
                        size_t length, int64_t now)
{
    for (size_t i = 0; i < t->peer_count; i++)
        if (place_equal(peer_place(t->peers[i]), place) &&
            peer_packet(t->peers[i], place, packet, length, now))
            return;
    for (size_t i = 0; i < t->peer_count && bucket_take(&t->tags, 1, now); i++)
        if (peer_packet(t->peers[i], place, packet, length, now))
            return;
}

static void take_packets(struct transport *t, size_t socket)
{
    uint8_t packet[SEAL_PACKET_MAX];
    int64_t now = now_ms();
    struct place place;

    for (int i = 0; i < PACKETS_AT_ONCE && bucket_take(&t->packets[socket], 1, now); i++) {
        int n = wire_receive(&t->wire, socket, &t->links, packet, sizeof packet, &place);

        if (n < 0)
            return;
        if (n > 0)
            take_packet(t, &place, packet, (size_t)n, now);
    }
}

static int64_t work(struct transport *t, int64_t now)
{
    int64_t next = t->list_at;

    for (size_t i = 0; i < t->peer_count; i++) {
        int64_t at = peer_work(t->peers[i], now);

        next = at < next ? at : next;
    }
    return next;
}

int transport_wait(struct transport *t, struct pollfd fds[TRANSPORT_FDS])
{
    int64_t now = now_ms(), next;

    for (size_t i = 0; i < TRANSPORT_FDS; i++)
        fds[i] = (struct pollfd){.fd = -1, .events = POLLIN};
    if (!t->online)
        return -1;
    next = work(t, now);
    fds[WIRE_SOCKETS].fd = t->watch;
    for (size_t i = 0; i < WIRE_SOCKETS; i++) {
        if (bucket_has(&t->packets[i], 1, now))
            fds[i].fd = t->wire.sockets[i];
        else
            next = next < now + REST_MS ? next : now + REST_MS;
    }
    if (next == INT64_MAX)
        return -1;
    return next <= now ? 0 : next - now > 3600000 ? 3600000 : (int)(next - now);
}

void transport_iterate(struct transport *t, const struct pollfd fds[TRANSPORT_FDS])
{
    if (!t->online)
        return;
    if (fds[WIRE_SOCKETS].revents != 0 && links_changed(t->watch))
        list_soon(t);
    list_when_due(t);
    for (size_t i = 0; i < WIRE_SOCKETS; i++)
        if (fds[i].fd >= 0 && fds[i].revents != 0)
            take_packets(t, i);
}
