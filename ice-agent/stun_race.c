/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ice-agent/stun_race.h"

#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "ice-agent/names.h"
#include "ice-agent/stun.h"

struct target {
    struct endpoint endpoint;
    uint8_t transaction[STUN_TRANSACTION_BYTES];
    unsigned tries;
    int64_t due; /* of the next request, or, after the last one, the end of hope */
};

struct stun_race {
    int epoll;
    struct endpoint locals[STUN_RACE_LOCALS];
    int sockets[STUN_RACE_LOCALS]; /* one bound to each; -1: none */
    size_t local_count;
    struct names names;
    struct target targets[STUN_RACE_ADDRESSES];
    size_t count;
    int64_t end;
    struct endpoint ipv6_winner;
    int64_t ipv6_until;
};

static void target_add(struct stun_race *race, const struct endpoint *endpoint, int64_t now)
{
    struct target *target;

    for (size_t i = 0; i < race->count; i++)
        if (endpoint_equal(&race->targets[i].endpoint, endpoint))
            return;
    if (race->count == STUN_RACE_ADDRESSES)
        return;
    target = &race->targets[race->count++];
    memset(target, 0, sizeof *target);
    target->endpoint = *endpoint;
    target->due = now;
    randombytes_buf(target->transaction, sizeof target->transaction);
}

static int servers_start(struct stun_race *race, char *const *servers, size_t count, int64_t now,
                         struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        struct endpoint endpoint;
        char host[256];
        uint16_t port;

        if (endpoint_split(servers[i], STUN_PORT, host, &port, err) < 0)
            return -EINVAL;
        if (endpoint_set(&endpoint, host, port) == 0)
            target_add(race, &endpoint, now);
        else if (names_resolve(&race->names, host, port, 0, err) < 0)
            return -EINVAL;
    }
    return 0;
}

static int watch(const struct stun_race *race, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    return epoll_ctl(race->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/* An address that is gone meanwhile leaves the others. */
static void socket_open(struct stun_race *race, size_t index)
{
    struct sockaddr_storage local;
    int size = endpoint_to_sockaddr(&race->locals[index], &local);
    int fd = socket(local.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd >= 0 &&
        (bind(fd, (struct sockaddr *)&local, (socklen_t)size) < 0 || watch(race, fd) < 0)) {
        close(fd);
        fd = -1;
    }
    race->sockets[index] = fd;
}

static int race_open(struct stun_race *race)
{
    int rc = names_open(&race->names);

    if (rc < 0)
        return rc;
    race->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (race->epoll < 0)
        return -errno;
    for (size_t i = 0; i < race->local_count; i++)
        socket_open(race, i);
    return watch(race, names_fd(&race->names));
}

static struct stun_race *race_alloc(const struct endpoint *locals, size_t local_count, int64_t now)
{
    struct stun_race *race = calloc(1, sizeof *race);

    if (race == NULL)
        return NULL;
    race->epoll = race->names.in = -1;
    race->end = now + STUN_RACE_END_MS;
    race->local_count = local_count < STUN_RACE_LOCALS ? local_count : STUN_RACE_LOCALS;
    for (size_t i = 0; i < race->local_count; i++) {
        race->locals[i] = locals[i];
        race->locals[i].port = 0;
        race->sockets[i] = -1;
    }
    return race;
}

struct stun_race *stun_race_new(char *const *servers, size_t count, const struct endpoint *locals,
                                size_t local_count, int64_t now, struct error *err)
{
    struct stun_race *race = race_alloc(locals, local_count, now);
    int rc;

    if (race == NULL) {
        error_set(err, "no-memory", "out of memory");
        return NULL;
    }
    rc = race_open(race);
    if (rc < 0)
        error_set(err, "no-socket", "cannot ask STUN servers: %s", strerror(-rc));
    else
        rc = servers_start(race, servers, count, now, err);
    if (rc < 0) {
        stun_race_destroy(race);
        return NULL;
    }
    return race;
}

void stun_race_destroy(struct stun_race *race)
{
    if (race == NULL)
        return;
    for (size_t i = 0; i < race->local_count; i++)
        if (race->sockets[i] >= 0)
            close(race->sockets[i]);
    if (race->names.in >= 0)
        names_close(&race->names);
    if (race->epoll >= 0)
        close(race->epoll);
    free(race);
}

int stun_race_fd(const struct stun_race *race)
{
    return race->epoll;
}

/* Whether it left by at least one address. */
static bool target_send(const struct stun_race *race, const struct target *target)
{
    uint8_t request[STUN_HEADER_BYTES];
    struct sockaddr_storage to;
    int size = endpoint_to_sockaddr(&target->endpoint, &to);
    bool sent = false;

    stun_make_request(request, target->transaction);
    for (size_t i = 0; i < race->local_count; i++)
        if (race->sockets[i] >= 0 && endpoint_family(&race->locals[i]) == to.ss_family)
            sent |= sendto(race->sockets[i], request, sizeof request, 0, (struct sockaddr *)&to,
                           (socklen_t)size) >= 0;
    return sent;
}

/* Where there is no route the other servers need not wait for the end of the race. */
static void target_try(const struct stun_race *race, struct target *target, int64_t now)
{
    if (target->tries == STUN_RACE_TRIES || !target_send(race, target)) {
        target->due = INT64_MAX;
        return;
    }
    target->due = now + ((int64_t)STUN_RACE_FIRST_MS << target->tries);
    target->tries++;
}

static void names_read(struct stun_race *race, int64_t now)
{
    struct endpoint endpoint;
    unsigned tag;

    while (names_next(&race->names, &endpoint, &tag))
        target_add(race, &endpoint, now);
}

static bool is_answer(const struct stun_race *race, const struct endpoint *source,
                      const uint8_t *packet, size_t length)
{
    for (size_t i = 0; i < race->count; i++)
        if (endpoint_equal(&race->targets[i].endpoint, source) &&
            stun_is_response(packet, length, race->targets[i].transaction))
            return true;
    return false;
}

static bool socket_answered(const struct stun_race *race, int fd, struct endpoint *winner)
{
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    struct endpoint source;
    uint8_t packet[1500];
    ssize_t n;

    while ((n = recvfrom(fd, packet, sizeof packet, MSG_DONTWAIT, (struct sockaddr *)&from,
                         &length)) >= 0) {
        length = sizeof from;
        if (endpoint_from_sockaddr(&source, (struct sockaddr *)&from) == 0 &&
            is_answer(race, &source, packet, (size_t)n)) {
            *winner = source;
            return true;
        }
    }
    return false;
}

static bool has_answered(const struct stun_race *race, int family, struct endpoint *winner)
{
    for (size_t i = 0; i < race->local_count; i++)
        if (race->sockets[i] >= 0 && endpoint_family(&race->locals[i]) == family &&
            socket_answered(race, race->sockets[i], winner))
            return true;
    return false;
}

static bool has_hope(const struct stun_race *race, int family)
{
    if (race->names.unresolved > 0)
        return true;
    for (size_t i = 0; i < race->count; i++)
        if (race->targets[i].due != INT64_MAX &&
            (family == AF_UNSPEC || endpoint_family(&race->targets[i].endpoint) == family))
            return true;
    return false;
}

int64_t stun_race_deadline(const struct stun_race *race)
{
    int64_t deadline = race->end;

    if (race->ipv6_until > 0 && race->ipv6_until < deadline)
        deadline = race->ipv6_until;
    for (size_t i = 0; i < race->count; i++)
        if (race->targets[i].due < deadline)
            deadline = race->targets[i].due;
    return deadline;
}

enum stun_race_result stun_race_advance(struct stun_race *race, int64_t now,
                                        struct endpoint *winner)
{
    struct endpoint answered;

    names_read(race, now);
    if (has_answered(race, AF_INET, winner))
        return STUN_RACE_WON;
    if (has_answered(race, AF_INET6, &answered) && race->ipv6_until == 0) {
        race->ipv6_winner = answered;
        race->ipv6_until = now + STUN_RACE_IPV4_MS;
    }
    for (size_t i = 0; i < race->count; i++)
        if (race->targets[i].due <= now)
            target_try(race, &race->targets[i], now);
    if (race->ipv6_until > 0 && (now >= race->ipv6_until || !has_hope(race, AF_INET))) {
        *winner = race->ipv6_winner;
        return STUN_RACE_WON;
    }
    return now >= race->end || !has_hope(race, AF_UNSPEC) ? STUN_RACE_LOST : STUN_RACE_RUNNING;
}
