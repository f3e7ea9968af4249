/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "signal-tox/transport.h"

#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <tox/tox.h>

#include "protocol/log.h"
#include "signal-tox/hurry.h"
#include "signal-tox/parcel.h"
#include "signal-tox/sockets.h"
#include "signal-tox/state.h"

/* How often Tox is iterated, in ms, besides whenever something arrives: as tox.h wants it while it
 * is looking for its network or a message is under way, more often while its send queue is full,
 * and less often otherwise: its own timers count whole seconds. */
#define ITERATE_MS      50
#define ITERATE_FULL_MS 5
#define ITERATE_IDLE_MS 250
/* So long after the last word from or to a peer we count as busy, and after the start, in ms. */
#define BUSY_MS       2000
#define BUSY_START_MS 20000
/* Measured in the lab, from the start to a friend online: 8.4 s without, 3.3 s with this. */
#define HURRY_PACE 3
#define HURRY_MS   3000
/* How often to look for sockets that Tox has opened since. */
#define SOCKETS_MS 1000
/* How long the last words to the peers may take to reach a relay. */
#define FAREWELL_MS 200
/* Bootstrapping again while there is no connection, doubling, in ms. */
#define BOOTSTRAP_MIN_MS 2000
#define BOOTSTRAP_MAX_MS 60000
/* Peers that were there before a change of network are waited for so long, doubling, in ms. */
#define MISSING_MIN_MS 9000
#define MISSING_MAX_MS 300000
/* Tox's own clock stands still in suspend: longer than this, in ms, and we bootstrap again. */
#define SLEPT_MS 5000
/* The save also has the nodes of the DHT that Tox has met, for the day when the configured ones are
 * gone: saved after the first of these while connected, then after the second; in ms. */
#define SAVE_FIRST_MS 600000
#define SAVE_AGAIN_MS 7200000
#define SAVE_RETRY_MS 30000

struct peer {
    char name[65];
    uint8_t key[TOX_PUBLIC_KEY_SIZE];
    uint32_t number;
    TOX_CONNECTION connection;
    struct parcels *parcels;
    struct transport *transport;
};

struct transport {
    Tox *tox;
    int folder;
    bool online;
    struct options options;
    struct transport_events events;
    struct peer *peers[TRANSPORT_PEERS_MAX];
    size_t peer_count;
    int64_t reconnect_at; /* INT64_MAX: not wanted */
    int64_t reconnected;  /* when, the last time */
    bool changed;         /* reconnect_at is for a change of network */
    bool missing;         /* peers were there before that; reconnect_at is when to look for them */
    int64_t missing_wait;
    int64_t busy_until, bootstrap_at, bootstrap_wait, asleep, save_at, find_at;
    int64_t request_minute;
    unsigned request_count;
    uint32_t asked[TRANSPORT_ASKED_MAX]; /* friend numbers, the oldest first */
    size_t asked_count;
    int sockets;
};

static int64_t clock_ms(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t now_ms(void)
{
    return clock_ms(CLOCK_BOOTTIME);
}

/* How long the machine has slept. The coarse clock knows no hurry. */
static int64_t slept_ms(void)
{
    return now_ms() - clock_ms(CLOCK_MONOTONIC_COARSE);
}

static void busy(struct transport *t, int64_t ms)
{
    if (t->busy_until < now_ms() + ms)
        t->busy_until = now_ms() + ms;
}

/* State */

static int save(struct transport *t, struct error *err)
{
    size_t length = tox_get_savedata_size(t->tox);
    uint8_t *data = malloc(length);
    int rc;

    if (data == NULL)
        return -ENOMEM;
    tox_get_savedata(t->tox, data);
    rc = state_save(t->folder, data, length, err);
    sodium_memzero(data, length);
    free(data);
    return rc;
}

static void save_later(struct transport *t)
{
    struct error err;

    if (now_ms() < t->save_at)
        return;
    t->save_at = now_ms() + SAVE_AGAIN_MS;
    if (save(t, &err) < 0) {
        log_warn("cannot save Tox's state, trying again: %s", err.message);
        t->save_at = now_ms() + SAVE_RETRY_MS;
    }
}

static Tox *tox_start(const struct Tox_Options *options, TOX_ERR_NEW *problem)
{
    Tox *tox = tox_new(options, problem);

    /* toxcore gives an instance with another identity along with an error. */
    if (tox != NULL && *problem != TOX_ERR_NEW_OK) {
        tox_kill(tox);
        tox = NULL;
    }
    return tox;
}

static Tox *tox_open(const struct options *options, bool online, const uint8_t *data, size_t length,
                     struct error *err)
{
    struct Tox_Options *o = tox_options_new(NULL);
    TOX_ERR_NEW problem = TOX_ERR_NEW_MALLOC;
    Tox *tox = NULL;

    if (o != NULL) {
        tox_options_set_udp_enabled(o, options->udp && online);
        tox_options_set_ipv6_enabled(o, options->ipv6);
        tox_options_set_local_discovery_enabled(o, options->lan_discovery && online);
        tox_options_set_hole_punching_enabled(o, true);
        if (data != NULL) {
            tox_options_set_savedata_type(o, TOX_SAVEDATA_TYPE_TOX_SAVE);
            tox_options_set_savedata_data(o, data, length);
        }
        tox = tox_start(o, &problem);
        if (tox == NULL && problem == TOX_ERR_NEW_PORT_ALLOC && options->ipv6) {
            /* A kernel without IPv6: toxcore itself does not try the other family. */
            tox_options_set_ipv6_enabled(o, false);
            tox = tox_start(o, &problem);
        }
        tox_options_free(o);
    }
    if (tox == NULL)
        error_set(err, "tox", "cannot start Tox: error %d of tox_new%s", (int)problem,
                  problem == TOX_ERR_NEW_PORT_ALLOC ? ": no UDP port is free" : "");
    return tox;
}

/* Friends come from the configuration alone. */
static void forget_friends(Tox *tox)
{
    size_t count = tox_self_get_friend_list_size(tox);
    uint32_t *numbers = calloc(count + 1, sizeof *numbers);

    if (numbers == NULL)
        return;
    tox_self_get_friend_list(tox, numbers);
    for (size_t i = 0; i < count; i++)
        tox_friend_delete(tox, numbers[i], NULL);
    free(numbers);
}

/* What Tox calls */

static struct peer *peer_numbered(struct transport *t, uint32_t number)
{
    for (size_t i = 0; i < t->peer_count; i++)
        if (t->peers[i]->number == number)
            return t->peers[i];
    return NULL;
}

static struct peer *peer_named(struct transport *t, const char *name)
{
    for (size_t i = 0; i < t->peer_count; i++)
        if (strcmp(t->peers[i]->name, name) == 0)
            return t->peers[i];
    return NULL;
}

static void peer_connected(struct transport *t, struct peer *peer, TOX_CONNECTION connection)
{
    busy(t, BUSY_MS);
    if (peer->connection == TOX_CONNECTION_NONE && connection != TOX_CONNECTION_NONE)
        parcels_connected(peer->parcels);
    peer->connection = connection;
    t->events.presence(t->events.data, peer->name, connection != TOX_CONNECTION_NONE,
                       connection == TOX_CONNECTION_UDP   ? "udp"
                       : connection == TOX_CONNECTION_TCP ? "tcp"
                                                          : NULL);
}

static void on_connection(Tox *tox, uint32_t number, TOX_CONNECTION connection, void *data)
{
    struct peer *peer = peer_numbered(data, number);

    (void)tox;
    if (peer != NULL)
        peer_connected(data, peer, connection);
}

static void on_packet(Tox *tox, uint32_t number, const uint8_t *packet, size_t length, void *data)
{
    struct peer *peer = peer_numbered(data, number);

    (void)tox;
    if (peer == NULL)
        return;
    busy(peer->transport, BUSY_MS);
    parcels_packet(peer->parcels, packet, length);
}

static void address_of_key(const uint8_t key[TOX_PUBLIC_KEY_SIZE], char *out)
{
    hex_write(key, TOX_PUBLIC_KEY_SIZE, out);
}

static void on_request(Tox *tox, const uint8_t *key, const uint8_t *text, size_t length, void *data)
{
    struct transport *t = data;
    char address[2 * TOX_PUBLIC_KEY_SIZE + 1], copy[TRANSPORT_REQUEST_MAX + 1];
    int64_t minute = now_ms() / 60000;

    (void)tox;
    if (minute != t->request_minute) {
        t->request_minute = minute;
        t->request_count = 0;
    }
    if (length == 0 || length > TRANSPORT_REQUEST_MAX || memchr(text, 0, length) != NULL ||
        t->request_count++ >= TRANSPORT_REQUESTS_A_MINUTE)
        return;
    memcpy(copy, text, length);
    copy[length] = '\0';
    address_of_key(key, address);
    t->events.request(t->events.data, address, copy);
}

static void on_self(Tox *tox, TOX_CONNECTION connection, void *data)
{
    struct transport *t = data;

    (void)tox;
    log_info("Tox: %s", connection == TOX_CONNECTION_NONE  ? "no connection"
                        : connection == TOX_CONNECTION_TCP ? "connected over TCP"
                                                           : "connected over UDP");
    t->bootstrap_wait = BOOTSTRAP_MIN_MS;
    t->bootstrap_at = now_ms() + t->bootstrap_wait;
}

/* What parcels call */

static int parcel_out(void *data, const uint8_t *packet, size_t length)
{
    struct peer *peer = data;
    TOX_ERR_FRIEND_CUSTOM_PACKET problem;

    if (peer->connection == TOX_CONNECTION_NONE)
        return -ENOTCONN;
    if (tox_friend_send_lossless_packet(peer->transport->tox, peer->number, packet, length,
                                        &problem))
        return 0;
    return problem == TOX_ERR_FRIEND_CUSTOM_PACKET_SENDQ ? -EAGAIN : -ENOTCONN;
}

static void parcel_delivered(void *data, int64_t ref)
{
    struct transport *t = ((struct peer *)data)->transport;

    t->events.sent(t->events.data, ref);
}

static void parcel_received(void *data, const char *text, size_t length)
{
    struct peer *peer = data;

    (void)length;
    peer->transport->events.receive(peer->transport->events.data, peer->name, text);
}

/* Our own */

static void bootstrap(struct transport *t)
{
    for (size_t i = 0; i < t->options.node_count; i++) {
        const struct node *node = &t->options.nodes[i];

        /* Without UDP too: toxcore then sends its onion requests to these over the relays. */
        if (node->udp_port != 0)
            tox_bootstrap(t->tox, node->address, node->udp_port, node->public_key, NULL);
        for (size_t k = 0; k < node->tcp_port_count; k++)
            tox_add_tcp_relay(t->tox, node->address, node->tcp_ports[k], node->public_key, NULL);
    }
}

static void bootstrap_when_due(struct transport *t)
{
    int64_t now = now_ms(), asleep = slept_ms();

    if (asleep - t->asleep > SLEPT_MS) {
        t->bootstrap_at = now;
        t->bootstrap_wait = BOOTSTRAP_MIN_MS;
        log_info("the machine slept: bootstrapping again");
    } else if (tox_self_get_connection_status(t->tox) != TOX_CONNECTION_NONE) {
        return;
    }
    t->asleep = asleep;
    if (now < t->bootstrap_at)
        return;
    bootstrap(t);
    t->bootstrap_at = now + t->bootstrap_wait;
    t->bootstrap_wait *= 2;
    if (t->bootstrap_wait > BOOTSTRAP_MAX_MS)
        t->bootstrap_wait = BOOTSTRAP_MAX_MS;
}

/* What must be done with every new instance. */
static void tox_listen(struct transport *t)
{
    tox_callback_friend_connection_status(t->tox, on_connection);
    tox_callback_friend_lossless_packet(t->tox, on_packet);
    tox_callback_friend_request(t->tox, on_request);
    tox_callback_self_connection_status(t->tox, on_self);
    t->bootstrap_at = 0;
    t->bootstrap_wait = BOOTSTRAP_MIN_MS;
    busy(t, BUSY_START_MS);
    hurry_begin(HURRY_PACE, HURRY_MS);
}

/* Numbers are an instance's own; the keys tell who is who. */
static void renumber(Tox *from, Tox *to, uint32_t *number)
{
    uint8_t key[TOX_PUBLIC_KEY_SIZE];
    TOX_ERR_FRIEND_BY_PUBLIC_KEY problem;

    if (!tox_friend_get_public_key(from, *number, key, NULL))
        return;
    *number = tox_friend_by_public_key(to, key, &problem);
    if (problem != TOX_ERR_FRIEND_BY_PUBLIC_KEY_OK)
        *number = tox_friend_add_norequest(to, key, NULL);
}

static void tox_replace(struct transport *t, Tox *new)
{
    Tox *old = t->tox;

    for (size_t i = 0; i < t->peer_count; i++)
        renumber(old, new, &t->peers[i]->number);
    for (size_t i = 0; i < t->asked_count; i++)
        renumber(old, new, &t->asked[i]);
    t->tox = new;
    tox_kill(old);
    for (size_t i = 0; i < t->peer_count; i++)
        if (t->peers[i]->connection != TOX_CONNECTION_NONE)
            peer_connected(t, t->peers[i], TOX_CONNECTION_NONE);
    tox_listen(t);
}

void transport_reconnect(struct transport *t)
{
    int64_t earliest = t->reconnected + TRANSPORT_RECONNECT_MS;

    if (!t->online)
        return;
    t->changed = true;
    t->reconnect_at = earliest > now_ms() ? earliest : now_ms();
}

static bool any_peer_connected(const struct transport *t)
{
    for (size_t i = 0; i < t->peer_count; i++)
        if (t->peers[i]->connection != TOX_CONNECTION_NONE)
            return true;
    return false;
}

/* Whoever was there before the change should be there after it: where nobody is, Tox has not found
 * its way. */
static void look_again(struct transport *t, bool had_peers)
{
    if (!t->missing)
        t->missing_wait = MISSING_MIN_MS;
    else if (t->missing_wait < MISSING_MAX_MS)
        t->missing_wait *= 2;
    t->missing |= had_peers;
    if (t->missing)
        t->reconnect_at = now_ms() + t->missing_wait;
}

static void reconnect(struct transport *t)
{
    bool had_peers = any_peer_connected(t);
    size_t length = tox_get_savedata_size(t->tox);
    struct error err;
    uint8_t *data;
    Tox *new;

    t->reconnect_at = INT64_MAX;
    if (!t->changed && had_peers) {
        t->missing = false;
        return;
    }
    t->changed = false;
    t->reconnected = now_ms();
    data = malloc(length);
    if (data == NULL)
        return;
    tox_get_savedata(t->tox, data);
    new = tox_open(&t->options, true, data, length, &err);
    sodium_memzero(data, length);
    free(data);
    if (new == NULL) {
        log_warn("the network changed, and %s", err.message);
        return;
    }
    log_info("the network changed: connecting to Tox anew");
    tox_replace(t, new);
    look_again(t, had_peers);
}

static int open_state(struct transport *t, const struct options *options, struct error *err)
{
    uint8_t *data;
    size_t length = 0;
    bool known, whole;
    int rc = state_load(t->folder, &data, &length, err);

    if (rc < 0)
        return rc;
    whole = rc == 0 && data != NULL;
    t->tox = tox_open(options, t->online, data, length, err);
    known = data != NULL;
    if (known) {
        sodium_memzero(data, length);
        free(data);
    }
    if (t->tox == NULL)
        return -EINVAL;
    forget_friends(t->tox);
    if (!known)
        return save(t, err);
    if (!whole)
        save_later(t);
    return 0;
}

struct transport *transport_new(int folder, const struct options *options, bool online,
                                const struct transport_events *events, struct error *err)
{
    struct transport *t = calloc(1, sizeof *t);

    if (t == NULL) {
        error_set(err, "no-memory", "out of memory");
        return NULL;
    }
    t->folder = folder;
    t->online = online;
    t->options = *options;
    t->events = *events;
    t->save_at = 0;
    t->reconnect_at = INT64_MAX;
    t->reconnected = -TRANSPORT_RECONNECT_MS;
    t->asleep = slept_ms();
    t->sockets = sockets_open();
    if (t->sockets < 0) {
        error_set(err, "sockets", "cannot watch sockets: %s", strerror(-t->sockets));
        transport_destroy(t);
        return NULL;
    }
    if (open_state(t, options, err) < 0) {
        transport_destroy(t);
        return NULL;
    }
    if (t->save_at == 0)
        t->save_at = now_ms() + SAVE_FIRST_MS;
    if (online)
        tox_listen(t);
    return t;
}

static void peer_destroy(struct peer *peer)
{
    parcels_destroy(peer->parcels);
    free(peer);
}

/* tox_kill() says goodbye too, but leaves no moment between that and the reset of its connections.
 */
static void farewell(struct transport *t)
{
    int64_t end = now_ms() + FAREWELL_MS;

    for (size_t i = 0; i < t->peer_count; i++)
        tox_friend_delete(t->tox, t->peers[i]->number, NULL);
    sockets_find(t->sockets);
    while (!sockets_flushed() && now_ms() < end)
        poll(NULL, 0, ITERATE_FULL_MS);
    tox_kill(t->tox);
}

void transport_destroy(struct transport *t)
{
    if (t == NULL)
        return;
    if (t->tox != NULL)
        farewell(t);
    for (size_t i = 0; i < t->peer_count; i++)
        peer_destroy(t->peers[i]);
    if (t->sockets >= 0)
        close(t->sockets);
    sodium_memzero(t, sizeof *t);
    free(t);
}

void transport_address(const struct transport *t, char out[TRANSPORT_ADDRESS_DIGITS + 1])
{
    uint8_t address[TOX_ADDRESS_SIZE];

    tox_self_get_address(t->tox, address);
    hex_write(address, sizeof address, out);
}

/* Key, nospam, and a checksum of both: 16 bit words, xor. */
static int address_read(const char *text, uint8_t address[TOX_ADDRESS_SIZE], struct error *err)
{
    uint8_t sum[2] = {0, 0};

    if (hex_read(text, address, TOX_ADDRESS_SIZE) < 0) {
        error_set(err, "bad-address", "a Tox address has %d hex digits, this has %zu characters",
                  TRANSPORT_ADDRESS_DIGITS, strlen(text));
        return -EINVAL;
    }
    for (size_t i = 0; i < TOX_ADDRESS_SIZE - sizeof sum; i++)
        sum[i % 2] ^= address[i];
    if (memcmp(sum, address + TOX_ADDRESS_SIZE - sizeof sum, sizeof sum) != 0) {
        error_set(err, "bad-address",
                  "the Tox address's checksum does not fit: a digit of it is mistyped");
        return -EINVAL;
    }
    return 0;
}

static struct peer *peer_new(struct transport *t, const char *name)
{
    struct peer *peer = calloc(1, sizeof *peer);
    struct parcel_events events = {.send = parcel_out,
                                   .delivered = parcel_delivered,
                                   .received = parcel_received,
                                   .data = peer};

    if (peer == NULL)
        return NULL;
    snprintf(peer->name, sizeof peer->name, "%s", name);
    peer->transport = t;
    peer->parcels = parcels_new(&events);
    if (peer->parcels == NULL) {
        free(peer);
        return NULL;
    }
    return peer;
}

/* Whether we have asked the one with this key and it is no peer; then it is not among the asked any
 * more. */
static bool asked_take(struct transport *t, const uint8_t *key, uint32_t *number)
{
    *number = tox_friend_by_public_key(t->tox, key, NULL);
    for (size_t i = 0; i < t->asked_count; i++) {
        if (t->asked[i] != *number)
            continue;
        t->asked_count--;
        memmove(&t->asked[i], &t->asked[i + 1], (t->asked_count - i) * sizeof t->asked[0]);
        return true;
    }
    return false;
}

static void asked_put(struct transport *t, uint32_t number)
{
    if (t->asked_count == TRANSPORT_ASKED_MAX) {
        tox_friend_delete(t->tox, t->asked[0], NULL);
        t->asked_count--;
        memmove(&t->asked[0], &t->asked[1], t->asked_count * sizeof t->asked[0]);
    }
    t->asked[t->asked_count++] = number;
}

/* Of an address only the key matters for a friend that we do not ask; a stranger's request tells no
 * more. */
static int key_read(const char *text, uint8_t address[TOX_ADDRESS_SIZE], struct error *err)
{
    if (strlen(text) == 2 * TOX_PUBLIC_KEY_SIZE &&
        hex_read(text, address, TOX_PUBLIC_KEY_SIZE) == 0)
        return 0;
    return address_read(text, address, err);
}

int transport_peer_add(struct transport *t, const char *name, const char *text, struct error *err)
{
    uint8_t address[TOX_ADDRESS_SIZE];
    TOX_ERR_FRIEND_ADD problem;
    TOX_CONNECTION connection;
    struct peer *peer = peer_named(t, name);

    if (key_read(text, address, err) < 0)
        return -EINVAL;
    if (peer != NULL && memcmp(peer->key, address, sizeof peer->key) == 0)
        return 0;
    if (peer != NULL)
        transport_peer_remove(t, name, NULL);
    if (t->peer_count == TRANSPORT_PEERS_MAX) {
        error_set(err, "too-many", "at most %d peers are possible", TRANSPORT_PEERS_MAX);
        return -ENOBUFS;
    }
    peer = peer_new(t, name);
    if (peer == NULL) {
        error_set(err, "no-memory", "out of memory");
        return -ENOMEM;
    }
    memcpy(peer->key, address, sizeof peer->key);
    if (asked_take(t, address, &peer->number)) {
        t->peers[t->peer_count++] = peer;
        connection = tox_friend_get_connection_status(t->tox, peer->number, NULL);
        if (connection != TOX_CONNECTION_NONE)
            peer_connected(t, peer, connection);
        return 0;
    }
    peer->number = tox_friend_add_norequest(t->tox, address, &problem);
    if (problem != TOX_ERR_FRIEND_ADD_OK) {
        peer_destroy(peer);
        error_set(err, "bad-address", "Tox does not take %s's address: %s", name,
                  problem == TOX_ERR_FRIEND_ADD_OWN_KEY ? "it is our own"
                  : problem == TOX_ERR_FRIEND_ADD_ALREADY_SENT
                      ? "another peer has the same"
                      : "error of tox_friend_add_norequest");
        return -EINVAL;
    }
    t->peers[t->peer_count++] = peer;
    return 0;
}

int transport_peer_remove(struct transport *t, const char *name, struct error *err)
{
    for (size_t i = 0; i < t->peer_count; i++) {
        if (strcmp(t->peers[i]->name, name) != 0)
            continue;
        tox_friend_delete(t->tox, t->peers[i]->number, NULL);
        peer_destroy(t->peers[i]);
        t->peers[i] = t->peers[--t->peer_count];
        return 0;
    }
    error_set(err, "unknown-peer", "there is no peer '%s'; peer-add it first", name);
    return -ENOENT;
}

int transport_send(struct transport *t, int64_t ref, const char *name, const char *text,
                   struct error *err)
{
    struct peer *peer = peer_named(t, name);
    int rc;

    if (peer == NULL) {
        error_set(err, "unknown-peer", "there is no peer '%s'; peer-add it first", name);
        return -ENOENT;
    }
    rc = parcels_post(peer->parcels, ref, text, now_ms());
    if (rc == -ENOBUFS)
        error_set(err, "queue-full", "%d messages wait for %s already", PARCEL_WAITING_MAX, name);
    else if (rc < 0)
        error_set(err, "send", "cannot take the message for %s: %s", name, strerror(-rc));
    if (rc < 0)
        return rc;
    busy(t, BUSY_MS);
    parcels_flush(peer->parcels, now_ms());
    return 0;
}

int transport_request(struct transport *t, const char *text_address, const char *text,
                      struct error *err)
{
    uint8_t address[TOX_ADDRESS_SIZE];
    TOX_ERR_FRIEND_ADD problem;
    uint32_t number;

    if (address_read(text_address, address, err) < 0)
        return -EINVAL;
    if (asked_take(t, address, &number))
        tox_friend_delete(t->tox, number, NULL);
    number = tox_friend_add(t->tox, address, (const uint8_t *)text, strlen(text), &problem);
    if (problem == TOX_ERR_FRIEND_ADD_OK) {
        asked_put(t, number);
        return 0;
    }
    if (problem == TOX_ERR_FRIEND_ADD_ALREADY_SENT) {
        error_set(err, "bad-request", "the address is a peer's; send to it instead");
        return -EINVAL;
    }
    error_set(err, "bad-request", "Tox does not take the request: error %d of tox_friend_add",
              (int)problem);
    return -EINVAL;
}

int transport_fd(const struct transport *t)
{
    return t->sockets;
}

static void watch_sockets(struct transport *t)
{
    if (now_ms() < t->find_at)
        return;
    t->find_at = now_ms() + SOCKETS_MS;
    sockets_find(t->sockets);
}

int transport_iterate(struct transport *t)
{
    bool full = false;
    uint32_t interval;

    if (!t->online)
        return -1;
    if (now_ms() >= t->reconnect_at)
        reconnect(t);
    bootstrap_when_due(t);
    sockets_arrived(t->sockets);
    tox_iterate(t->tox, t);
    for (size_t i = 0; i < t->peer_count; i++)
        if (t->peers[i]->connection != TOX_CONNECTION_NONE)
            full |= parcels_flush(t->peers[i]->parcels, now_ms());
    save_later(t);
    watch_sockets(t);
    if (full)
        return ITERATE_FULL_MS;
    if (now_ms() > t->busy_until && tox_self_get_connection_status(t->tox) != TOX_CONNECTION_NONE)
        return ITERATE_IDLE_MS;
    interval = tox_iteration_interval(t->tox);
    return interval < ITERATE_MS ? (int)interval : ITERATE_MS;
}
