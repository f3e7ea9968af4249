/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "broker/broker.h"
#include "protocol/log.h"

static struct peer *peer_named(struct broker *broker, const char *name)
{
    for (size_t i = 0; i < broker->config->peer_count; i++)
        if (strcmp(broker->peers[i].config->grant.peer, name) == 0)
            return &broker->peers[i];
    return NULL;
}

static void add_peer(struct transport *transport, const struct peer *peer)
{
    char *address = peer->config->addresses[transport->index];
    char rendezvous[65];
    struct message m;

    if (identity_rendezvous(transport->broker->identity, peer->config->grant.key,
                            transport->config->name, rendezvous) < 0)
        return;
    message_init(&m, MESSAGE_peer_add);
    m.peer_add.peer = (char *)(uintptr_t)peer->config->grant.peer;
    m.peer_add.address = address;
    m.peer_add.rendezvous = rendezvous;
    child_send(transport->child, &m);
}

static void on_hello(struct child *child, void *data, const struct message *message)
{
    struct transport *transport = data;
    const struct config *config = transport->broker->config;
    char folder[4096];
    struct message m;

    (void)message;
    snprintf(folder, sizeof folder, "%s/%s", config->state_dir, transport->config->name);
    if (mkdir(folder, 0700) < 0 && errno != EEXIST)
        log_error("%s: cannot make the folder: %s", folder, strerror(errno));
    message_init(&m, MESSAGE_signal_configure);
    m.signal_configure.state_dir = folder;
    m.signal_configure.options = transport->config->options;
    child_send(child, &m);
}

static void on_ready(struct transport *transport, const struct message_signal_ready *ready)
{
    struct broker *broker = transport->broker;
    struct message event;

    if (transport->ready)
        return;
    transport->ready = true;
    broker_helper_event(broker, transport->config->name, true, NULL);
    message_init(&event, MESSAGE_event_transport);
    event.event_transport.transport = transport->config->name;
    event.event_transport.address = ready->address;
    event_emit(broker->events, &event);
    for (size_t i = 0; i < broker->config->peer_count; i++)
        add_peer(transport, &broker->peers[i]);
}

static void on_presence(struct transport *transport, const struct message_presence *presence)
{
    struct peer *peer = peer_named(transport->broker, presence->peer);
    struct message event;

    if (peer == NULL)
        return;
    message_init(&event, MESSAGE_event_presence);
    event.event_presence.peer = presence->peer;
    event.event_presence.transport = transport->config->name;
    event.event_presence.online = presence->online;
    event.event_presence.via = presence->via;
    event_emit(transport->broker->events, &event);
    peer_presence(peer, transport, presence->online);
}

static void on_message(struct child *child, void *data, const struct message *m)
{
    struct transport *transport = data;
    struct peer *peer;

    (void)child;
    switch (m->type) {
    case MESSAGE_signal_ready:
        on_ready(transport, &m->signal_ready);
        break;
    case MESSAGE_presence:
        on_presence(transport, &m->presence);
        break;
    case MESSAGE_receive:
        peer = peer_named(transport->broker, m->receive.peer);
        if (peer != NULL)
            peer_receive(peer, transport, m->receive.data);
        break;
    case MESSAGE_error:
        log_warn("%s: %s (%s)", transport->config->name, m->error.message, m->error.code);
        event_emit_error(transport->broker->events, NULL, m->error.code, m->error.message);
        break;
    default:
        break;
    }
}

static void transport_lost(struct transport *transport)
{
    struct broker *broker = transport->broker;

    transport->ready = false;
    for (size_t i = 0; i < broker->config->peer_count; i++)
        peer_presence(&broker->peers[i], transport, false);
}

static void on_down(struct child *child, void *data, const struct error *why)
{
    struct transport *transport = data;

    (void)child;
    broker_helper_event(transport->broker, transport->config->name, false, why);
    transport_lost(transport);
}

static void on_exit_told(struct child *child, void *data, const struct error *why)
{
    struct transport *transport = data;

    if (why != NULL)
        broker_helper_event(transport->broker, transport->config->name, false, why);
    transport_lost(transport);
    transport->child = NULL;
    child_destroy(child);
    broker_child_gone(transport->broker);
}

int transport_start(struct transport *transport, struct error *err)
{
    struct child_options options = {
        .loop = transport->broker->loop,
        .role = ROLE_SIGNAL,
        .name = transport->config->name,
        .argv = transport->config->command,
        .on_hello = on_hello,
        .on_message = on_message,
        .on_down = on_down,
        .on_exit = on_exit_told,
        .data = transport,
    };
    int rc = child_start(&transport->child, &options, err);

    if (rc == 0)
        transport->broker->children++;
    return rc;
}

void transport_stop(struct transport *transport, enum child_stop_how how)
{
    if (transport->child != NULL)
        child_stop(transport->child, how);
}

void transport_network_changed(struct transport *transport)
{
    struct message m;

    if (transport->child == NULL || !transport->ready)
        return;
    message_init(&m, MESSAGE_signal_network_changed);
    child_send(transport->child, &m);
}

void transport_send(struct transport *transport, const struct peer *peer, const char *data)
{
    static int64_t ref;
    struct message m;

    if (transport->child == NULL || !transport->ready)
        return;
    message_init(&m, MESSAGE_send);
    m.send.ref = ++ref;
    m.send.peer = (char *)(uintptr_t)peer->config->grant.peer;
    m.send.data = (char *)(uintptr_t)data;
    child_send(transport->child, &m);
}
