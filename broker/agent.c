/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "protocol/log.h"

/* A description, its candidates, and the word that there are no more, twice. */
#define AGENT_QUEUE_MAX (2 * (SESSION_CANDIDATES + 2))

static void agent_unlink(struct broker *broker, struct agent *agent)
{
    struct agent **at = &broker->agents;

    while (*at != agent)
        at = &(*at)->next;
    *at = agent->next;
}

static void queue_clear(struct agent *agent)
{
    for (size_t i = 0; i < agent->queued; i++)
        free(agent->queue[i]);
    free(agent->queue);
    agent->queue = NULL;
    agent->queued = 0;
}

static bool is_host(const struct prefix *prefix)
{
    return prefix->length == (prefix->family == AF_INET ? 32 : 128);
}

/* Addresses that are inside tunnels of ours: a candidate there would send a tunnel through itself.
 * Not networks behind peers, nor the whole internet behind an exit node: wg-setup keeps what agents
 * send out of those routes, and whoever is in such a network now has no other candidate. */
static size_t tunnel_prefixes(const struct config *config, char **out, size_t max)
{
    size_t count = 0;
    char text[PREFIX_TEXT_SIZE];

    out[count++] = strdup("fd50:4755:4152:4400::/64");
    for (size_t i = 0; i < config->interface.address_count && count < max; i++) {
        prefix_format(&config->interface.addresses[i], text);
        out[count++] = strdup(text);
    }
    for (size_t p = 0; p < config->peer_count; p++) {
        const struct grant *grant = &config->peers[p].grant;
        struct prefix ipv6, ipv4;

        id_overlay(grant->key, &ipv6, &ipv4);
        prefix_format(&ipv4, text);
        if (count < max)
            out[count++] = strdup(text);
        for (size_t i = 0; i < grant->allowed_count && count < max; i++) {
            if (!is_host(&grant->allowed[i]))
                continue;
            prefix_format(&grant->allowed[i], text);
            out[count++] = strdup(text);
        }
    }
    return count;
}

static void on_hello(struct child *child, void *data, const struct message *message)
{
    struct agent *agent = data;
    const struct config *config = agent->broker->config;
    char *exclude[256];
    struct message m;
    size_t count;

    (void)message;
    count = tunnel_prefixes(config, exclude, 256);
    message_init(&m, MESSAGE_ice_configure);
    m.ice_configure.protocol = child_protocol(child);
    m.ice_configure.controlling = agent->controlling;
    m.ice_configure.stun.items = config->stun;
    m.ice_configure.stun.count = config->stun_count;
    m.ice_configure.turn = config->turn;
    m.ice_configure.exclude.items = exclude;
    m.ice_configure.exclude.count = count;
    child_send(child, &m);
    while (count > 0)
        free(exclude[--count]);
    agent->greeted = true;
    for (size_t i = 0; i < agent->queued; i++) {
        if (message_decode(agent->queue[i], strlen(agent->queue[i]), ROLE_ICE, TO_HELPER, &m, NULL,
                           NULL) < 0)
            continue;
        child_send(child, &m);
        message_clear(&m);
    }
    queue_clear(agent);
}

static void on_message(struct child *child, void *data, const struct message *m)
{
    struct agent *agent = data;

    (void)child;
    if (m->type == MESSAGE_error)
        log_warn("ice-agent: %s (%s)", m->error.message, m->error.code);
    else if (agent->peer != NULL)
        peer_handle(agent->peer, SESSION_AGENT, agent->slot, m);
}

static void agent_end(struct agent *agent)
{
    struct broker *broker = agent->broker;
    struct peer *peer = agent->peer;
    int slot = agent->slot;

    if (peer != NULL)
        peer->agents[slot] = NULL;
    agent_unlink(broker, agent);
    child_destroy(agent->child);
    queue_clear(agent);
    free(agent);
    if (peer != NULL)
        peer_handle(peer, SESSION_AGENT_DOWN, slot, NULL);
    broker_child_gone(broker);
}

/* An agent holds one negotiation: what comes back would be another, so the session decides. */
static void on_down(struct child *child, void *data, const struct error *why)
{
    struct agent *agent = data;

    (void)child;
    broker_helper_event(agent->broker, "ice-agent", false, why);
    agent_end(agent);
}

static void on_exit_told(struct child *child, void *data, const struct error *why)
{
    struct agent *agent = data;

    (void)child;
    if (why != NULL)
        broker_helper_event(agent->broker, "ice-agent", false, why);
    agent_end(agent);
}

struct agent *agent_start(struct peer *peer, int slot, bool controlling)
{
    static char program[] = "punchguard-ice-agent";
    char *argv[] = {program, NULL};
    struct agent *agent = calloc(1, sizeof *agent);
    struct child_options options = {
        .loop = peer->broker->loop,
        .role = ROLE_ICE,
        .name = "ice-agent",
        .argv = argv,
        .on_hello = on_hello,
        .on_message = on_message,
        .on_down = on_down,
        .on_exit = on_exit_told,
        .data = agent,
    };
    struct error err;

    if (agent == NULL)
        return NULL;
    agent->broker = peer->broker;
    agent->peer = peer;
    agent->slot = slot;
    agent->controlling = controlling;
    agent->queue = calloc(AGENT_QUEUE_MAX, sizeof *agent->queue);
    if (agent->queue == NULL || child_start(&agent->child, &options, &err) < 0) {
        log_error("ice-agent: %s", agent->queue ? err.message : "out of memory");
        queue_clear(agent);
        free(agent);
        return NULL;
    }
    agent->next = peer->broker->agents;
    peer->broker->agents = agent;
    peer->broker->children++;
    return agent;
}

void agent_input(struct agent *agent, const struct message *message)
{
    size_t length;

    if (agent->greeted) {
        child_send(agent->child, message);
        return;
    }
    if (agent->queued == AGENT_QUEUE_MAX)
        return;
    agent->queue[agent->queued] = message_encode(message, &length, NULL);
    if (agent->queue[agent->queued] != NULL)
        agent->queued++;
}

void agent_stop(struct agent *agent, enum child_stop_how how)
{
    if (agent->peer != NULL)
        agent->peer->agents[agent->slot] = NULL;
    agent->peer = NULL;
    child_stop(agent->child, how);
}
