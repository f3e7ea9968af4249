/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ice-agent/netcheck.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "ice-agent/asker.h"
#include "ice-agent/hairpin.h"
#include "ice-agent/names.h"
#include "ice-agent/trial.h"

/* Of one socket: all servers, and the further endpoints of those that are tried. */
#define VIEWS_MAX (NETCHECK_SERVERS + NETCHECK_TRIALS * (TRIAL_CORNERS - 1))

/* The survey's and the hairpin's, and two for each trial. */
_Static_assert(ADDRESSES_MAX *(2 + 2 * NETCHECK_TRIALS) <= ASKER_SOCKETS, "sockets");
_Static_assert(ADDRESSES_MAX *(NETCHECK_SERVERS + NETCHECK_TRIALS * TRIAL_STEPS + 3) <=
                   ASKER_QUESTIONS,
               "questions");

struct place {
    char interface[16];
    struct endpoint local;
    int socket;                   /* below zero: the address is gone */
    int survey[NETCHECK_SERVERS]; /* the questions to the servers; below zero: not asked */
    struct trial trials[NETCHECK_TRIALS];
    size_t trial_count;
    struct hairpin hairpin;
};

struct server {
    unsigned name;
    struct endpoint endpoint;
};

struct netcheck {
    int epoll;
    struct asker *asker;
    struct names names;
    int64_t names_end, end;
    bool is_over;
    unsigned name_count;
    bool has_address[NETCHECK_NAMES];
    struct server servers[NETCHECK_SERVERS];
    size_t server_count;
    struct place places[ADDRESSES_MAX];
    size_t place_count;
};

static int place_survey(const struct netcheck *check, const struct place *place,
                        const struct endpoint *server, int64_t now)
{
    const struct asker_question question = {
        .socket = place->socket, .hears = -1, .to = *server, .from = *server};

    if (place->socket < 0 || endpoint_family(&place->local) != endpoint_family(server))
        return -1;
    return asker_ask(check->asker, &question, now);
}

static void server_add(struct netcheck *check, const struct endpoint *endpoint, unsigned name,
                       int64_t now)
{
    check->has_address[name] = true;
    for (size_t i = 0; i < check->server_count; i++)
        if (endpoint_equal(&check->servers[i].endpoint, endpoint))
            return;
    if (check->server_count == NETCHECK_SERVERS)
        return;
    check->servers[check->server_count] = (struct server){.name = name, .endpoint = *endpoint};
    for (size_t i = 0; i < check->place_count; i++)
        check->places[i].survey[check->server_count] =
            place_survey(check, &check->places[i], endpoint, now);
    check->server_count++;
}

static int servers_start(struct netcheck *check, char *const *servers, int64_t now,
                         struct error *err)
{
    for (unsigned i = 0; i < check->name_count; i++) {
        struct endpoint endpoint;
        char host[256];
        uint16_t port;

        if (endpoint_split(servers[i], STUN_PORT, host, &port, err) < 0)
            return -EINVAL;
        if (endpoint_set(&endpoint, host, port) == 0)
            server_add(check, &endpoint, i, now);
        else if (names_resolve(&check->names, host, port, i, err) < 0)
            return -EINVAL;
    }
    return 0;
}

/* An address that is gone meanwhile leaves the others; a port that was asked for is wanted. */
static int place_open(struct netcheck *check, const struct endpoint *local, uint16_t port,
                      struct error *err)
{
    struct place *place = &check->places[check->place_count++];

    addresses_interface(local, place->interface);
    place->local = *local;
    place->local.port = port;
    hairpin_init(&place->hairpin);
    place->socket = asker_open(check->asker, &place->local);
    if (place->socket >= 0 || port == 0)
        return 0;
    error_set(err, "no-socket", "cannot use port %u at %s: %s", (unsigned)port, local->address,
              strerror(-place->socket));
    return place->socket;
}

static int watch(const struct netcheck *check, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};

    return epoll_ctl(check->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int check_open(struct netcheck *check, struct error *err)
{
    int rc = names_open(&check->names);

    if (rc < 0)
        check->names.in = -1;
    check->epoll = epoll_create1(EPOLL_CLOEXEC);
    check->asker = asker_new();
    if (rc == 0 && (check->epoll < 0 || check->asker == NULL))
        rc = -ENOMEM;
    if (rc == 0)
        rc = watch(check, asker_fd(check->asker));
    if (rc == 0)
        rc = watch(check, names_fd(&check->names));
    if (rc < 0)
        error_set(err, "no-socket", "cannot ask STUN servers: %s", strerror(-rc));
    return rc;
}

struct netcheck *netcheck_new(char *const *servers, size_t count, const struct endpoint *locals,
                              size_t local_count, uint16_t port, int64_t now, struct error *err)
{
    struct netcheck *check = calloc(1, sizeof *check);
    int rc;

    if (check == NULL) {
        error_set(err, "no-memory", "out of memory");
        return NULL;
    }
    check->name_count = count < NETCHECK_NAMES ? (unsigned)count : NETCHECK_NAMES;
    check->names_end = now + NETCHECK_NAMES_US;
    check->end = now + NETCHECK_END_US;
    rc = check_open(check, err);
    for (size_t i = 0; rc == 0 && i < local_count && i < ADDRESSES_MAX; i++)
        rc = place_open(check, &locals[i], port, err);
    if (rc == 0)
        rc = servers_start(check, servers, now, err);
    if (rc == 0)
        return check;
    netcheck_destroy(check);
    return NULL;
}

void netcheck_destroy(struct netcheck *check)
{
    if (check == NULL)
        return;
    if (check->names.in >= 0)
        names_close(&check->names);
    asker_destroy(check->asker);
    if (check->epoll >= 0)
        close(check->epoll);
    free(check);
}

int netcheck_fd(const struct netcheck *check)
{
    return check->epoll;
}

int64_t netcheck_deadline(const struct netcheck *check)
{
    int64_t deadline = asker_deadline(check->asker);

    if (check->names.unresolved > 0 && check->names_end < deadline)
        deadline = check->names_end;
    return check->end < deadline ? check->end : deadline;
}

/* A server's first answer may lead to more. */
static void place_extend(const struct netcheck *check, struct place *place,
                         const struct asker_question *question, int64_t now)
{
    const struct stun_response *response = &question->response;

    if (place->hairpin.first < 0 && !endpoint_equal(&response->mapped, &place->local))
        hairpin_begin(&place->hairpin, check->asker, place->socket, &place->local,
                      &response->mapped, &question->to, now);
    if (place->trial_count < NETCHECK_TRIALS && trial_is_possible(&question->to, response))
        trial_begin(&place->trials[place->trial_count++], check->asker, place->socket,
                    &place->local, &question->to, &response->other, now);
}

static void place_follow_up(const struct netcheck *check, struct place *place, int answered,
                            int64_t now)
{
    const struct asker_question *question = asker_question(check->asker, answered);

    for (size_t i = 0; i < place->trial_count; i++)
        trial_advance(&place->trials[i], check->asker, answered, now);
    hairpin_advance(&place->hairpin, check->asker, answered, now);
    for (size_t i = 0; i < check->server_count; i++)
        if (place->survey[i] == answered)
            place_extend(check, place, question, now);
}

bool netcheck_advance(struct netcheck *check, int64_t now)
{
    struct endpoint endpoint;
    unsigned name;
    int answered;

    if (check->is_over)
        return true;
    while (names_next(&check->names, &endpoint, &name))
        server_add(check, &endpoint, name, now);
    asker_advance(check->asker, now);
    while ((answered = asker_next_answered(check->asker)) >= 0)
        for (size_t i = 0; i < check->place_count; i++)
            place_follow_up(check, &check->places[i], answered, now);
    check->is_over =
        now >= check->end || (asker_deadline(check->asker) == INT64_MAX &&
                              (check->names.unresolved == 0 || now >= check->names_end));
    return check->is_over;
}

/* How servers see a socket. */
static size_t views_tell(const struct netcheck *check, int socket,
                         struct behaviour_view views[VIEWS_MAX])
{
    size_t count = 0;

    for (int i = 0; i < asker_count(check->asker) && count < VIEWS_MAX; i++) {
        const struct asker_question *question = asker_question(check->asker, i);

        if (question->socket == socket && question->state == ASKER_ANSWERED && question->hears < 0)
            views[count++] = (struct behaviour_view){.server = question->to,
                                                     .mapped = question->response.mapped};
    }
    return count;
}

static bool port_is_kept(const struct netcheck *check, int socket, uint16_t port)
{
    struct behaviour_view views[VIEWS_MAX];
    size_t count = views_tell(check, socket, views);

    for (size_t i = 0; i < count; i++)
        if (views[i].mapped.port != port)
            return false;
    return true;
}

/* Two sockets are looked at, where there is a NAT. */
static enum netcheck_fact preserves_tell(const struct netcheck *check, const struct place *place)
{
    const struct hairpin *other = &place->hairpin;

    return port_is_kept(check, place->socket, place->local.port) &&
                   (other->second < 0 || port_is_kept(check, other->second, other->local.port))
               ? NETCHECK_YES
               : NETCHECK_NO;
}

/* Where the mapping depends on the endpoint, neither socket knew where the other one could be
 * reached. */
static enum netcheck_fact hairpin_tell(const struct netcheck *check, const struct hairpin *hairpin,
                                       enum behaviour mapping)
{
    if (!hairpin_is_tried(hairpin, check->asker))
        return NETCHECK_UNKNOWN;
    if (hairpin_works(hairpin, check->asker))
        return NETCHECK_YES;
    return mapping == BEHAVIOUR_ENDPOINT_INDEPENDENT ? NETCHECK_NO : NETCHECK_UNKNOWN;
}

static enum behaviour filtering_tell(const struct netcheck *check, const struct place *place,
                                     enum behaviour mapping)
{
    struct behaviour_trial trials[NETCHECK_TRIALS];

    for (size_t i = 0; i < place->trial_count; i++)
        trials[i] = trial_tell(&place->trials[i], check->asker);
    return behaviour_filtering(mapping, trials, place->trial_count);
}

static bool place_asked(const struct netcheck *check, const struct place *place)
{
    for (size_t i = 0; i < check->server_count; i++)
        if (place->survey[i] >= 0 &&
            asker_question(check->asker, place->survey[i])->state != ASKER_NO_ROUTE)
            return true;
    return false;
}

static void place_tell(const struct netcheck *check, const struct place *place,
                       struct netcheck_place *out)
{
    struct behaviour_view views[VIEWS_MAX];
    size_t count = place->socket < 0 ? 0 : views_tell(check, place->socket, views);

    memcpy(out->interface, place->interface, sizeof out->interface);
    out->local = place->local;
    out->asked = place_asked(check, place);
    if (count == 0)
        return;
    out->public = views[0].mapped;
    out->nat = endpoint_equal(&out->public, &place->local) ? NETCHECK_NO : NETCHECK_YES;
    out->preserves = preserves_tell(check, place);
    out->mapping = behaviour_mapping(&place->local, views, count);
    out->filtering = filtering_tell(check, place, out->mapping);
    out->hairpin = hairpin_tell(check, &place->hairpin, out->mapping);
    out->punch = behaviour_punch(out->mapping, out->filtering);
}

static void server_hear(struct netcheck_server *server, const struct asker_question *question)
{
    server->asked |= question->state != ASKER_NO_ROUTE;
    if (question->state != ASKER_ANSWERED)
        return;
    if (!server->answered || question->round_trip < server->round_trip)
        server->round_trip = question->round_trip;
    server->answered = true;
    server->elsewhere |= trial_is_possible(&question->to, &question->response);
}

static void servers_tell(const struct netcheck *check, struct netcheck_result *result)
{
    for (size_t i = 0; i < check->server_count; i++) {
        struct netcheck_server *server = &result->servers[result->server_count++];

        server->name = check->servers[i].name;
        server->endpoint = check->servers[i].endpoint;
        for (size_t j = 0; j < check->place_count; j++)
            if (check->places[j].survey[i] >= 0)
                server_hear(server, asker_question(check->asker, check->places[j].survey[i]));
    }
    for (unsigned name = 0; name < check->name_count; name++)
        if (!check->has_address[name] && result->server_count < NETCHECK_SERVERS)
            result->servers[result->server_count++].name = name;
}

void netcheck_tell(const struct netcheck *check, struct netcheck_result *result)
{
    memset(result, 0, sizeof *result);
    result->place_count = check->place_count;
    for (size_t i = 0; i < check->place_count; i++)
        place_tell(check, &check->places[i], &result->places[i]);
    servers_tell(check, result);
}

enum behaviour_punch netcheck_punch(const struct netcheck_result *result, int family)
{
    enum behaviour_punch best = BEHAVIOUR_PUNCH_NOBODY;

    for (size_t i = 0; i < result->place_count; i++)
        if ((family == AF_UNSPEC || endpoint_family(&result->places[i].local) == family) &&
            result->places[i].punch > best)
            best = result->places[i].punch;
    return best;
}
