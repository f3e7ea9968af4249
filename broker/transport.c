/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "broker/broker.h"
#include "broker/pairing.h"
#include "protocol/log.h"

static struct peer *peer_named(struct broker *broker, const char *name)
{
    for (size_t i = 0; i < broker->peer_count; i++)
        if (strcmp(broker->peers[i]->config->grant.peer, name) == 0)
            return broker->peers[i];
    return NULL;
}

static int64_t next_ref(void)
{
    static int64_t ref;

    return ++ref;
}

static bool takes_messages(const struct transport *transport)
{
    return transport->child != NULL && transport->ready;
}

void transport_peer_add(struct transport *transport, const struct peer *peer)
{
    char *address = peer->config->addresses[transport->index];
    char rendezvous[65];
    struct message m;

    if (!takes_messages(transport) ||
        (address == NULL && config_transport_is_tox(transport->config)) ||
        identity_rendezvous(transport->broker->identity, peer->config->grant.key, transport->name,
                            rendezvous) < 0)
        return;
    message_init(&m, MESSAGE_peer_add);
    m.peer_add.peer = (char *)(uintptr_t)peer->config->grant.peer;
    m.peer_add.address = address;
    m.peer_add.rendezvous = rendezvous;
    child_send(transport->child, &m);
}

/* In the protocol's words alone: no plugin has to know of a second peer-add. */
void transport_peer_change(struct transport *transport, struct peer *peer)
{
    transport_peer_remove(transport, peer);
    transport_peer_add(transport, peer);
}

static void say_presence(struct transport *transport, const struct peer *peer, bool online,
                         char *via)
{
    struct message event;

    message_init(&event, MESSAGE_event_presence);
    event.event_presence.peer = (char *)(uintptr_t)peer->config->grant.peer;
    event.event_presence.transport = transport->name;
    event.event_presence.online = online;
    event.event_presence.via = via;
    event_emit(transport->broker->events, &event);
}

/* Whether or not it says so itself. */
static void peer_unreached(struct transport *transport, struct peer *peer)
{
    if (peer_is_reached_by(peer, transport))
        say_presence(transport, peer, false, NULL);
    peer_presence(peer, transport, false);
}

void transport_peer_remove(struct transport *transport, struct peer *peer)
{
    struct message m;

    peer_unreached(transport, peer);
    if (!takes_messages(transport))
        return;
    message_init(&m, MESSAGE_signal_peer_remove);
    m.signal_peer_remove.peer = (char *)(uintptr_t)peer->config->grant.peer;
    child_send(transport->child, &m);
}

static bool has_capability(const struct message_hello *hello, const char *capability)
{
    for (size_t i = 0; i < hello->capabilities.count; i++)
        if (strcmp(hello->capabilities.items[i], capability) == 0)
            return true;
    return false;
}

static void on_hello(struct child *child, void *data, const struct message *message)
{
    struct transport *transport = data;
    const struct config *config = transport->broker->config;
    char folder[4096];
    struct message m;

    transport->requests = has_capability(&message->hello, "request");
    snprintf(folder, sizeof folder, "%s/%s", config->state_dir, transport->name);
    if (mkdir(folder, 0700) < 0 && errno != EEXIST)
        log_error("%s: cannot make the folder: %s", folder, strerror(errno));
    message_init(&m, MESSAGE_signal_configure);
    m.signal_configure.protocol = child_protocol(child);
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
    free(transport->address);
    transport->address = strdup(ready->address);
    broker_helper_event(broker, transport->name, true, NULL);
    message_init(&event, MESSAGE_event_transport);
    event.event_transport.transport = transport->name;
    event.event_transport.address = ready->address;
    event_emit(broker->events, &event);
    for (size_t i = 0; i < broker->peer_count; i++)
        transport_peer_add(transport, broker->peers[i]);
    pairing_transport_ready(broker->pairing, transport->index);
}

static void on_presence(struct transport *transport, const struct message_presence *presence)
{
    struct peer *peer = peer_named(transport->broker, presence->peer);

    if (peer == NULL) {
        pairing_presence(transport->broker->pairing, transport->index, presence->peer,
                         presence->online);
        return;
    }
    say_presence(transport, peer, presence->online, presence->via);
    peer_presence(peer, transport, presence->online);
}

static void on_message(struct child *child, void *data, const struct message *m)
{
    struct transport *transport = data;
    struct peer *peer;

    (void)child;
    if (transport->config == NULL)
        return;
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
        else
            pairing_receive(transport->broker->pairing, transport->index, m->receive.peer,
                            m->receive.data);
        break;
    case MESSAGE_requested:
        pairing_requested(transport->broker->pairing, transport->index, m->requested.data);
        break;
    case MESSAGE_error:
        log_warn("%s: %s (%s)", transport->name, m->error.message, m->error.code);
        event_emit_error(transport->broker->events, NULL, m->error.code, m->error.message);
        break;
    default:
        break;
    }
}

void transport_down(struct transport *transport, const struct error *why)
{
    snprintf(transport->reason, sizeof transport->reason, "%s", why != NULL ? why->message : "");
    broker_helper_event(transport->broker, transport->name, false, why);
}

static void transport_lost(struct transport *transport)
{
    struct broker *broker = transport->broker;

    transport->ready = false;
    pairing_transport_lost(broker->pairing, transport->slot);
    for (size_t i = 0; i < broker->peer_count; i++)
        peer_unreached(transport, broker->peers[i]);
}

static void on_down(struct child *child, void *data, const struct error *why)
{
    struct transport *transport = data;

    (void)child;
    transport_down(transport, why);
    transport_lost(transport);
}

static struct transport **retired_named(struct broker *broker, const char *name)
{
    struct transport **at = &broker->retired;

    while (*at != NULL && strcmp((*at)->name, name) != 0)
        at = &(*at)->next;
    return at;
}

/* Two helpers would fight for the transport's folder, so the next one has waited. */
static void retired_ended(struct transport *transport)
{
    struct broker *broker = transport->broker;
    struct transport **at = &broker->retired;

    while (*at != transport)
        at = &(*at)->next;
    *at = transport->next;
    for (size_t i = 0; i < broker->transport_count && !broker->stopping; i++) {
        struct transport *waiting = broker->transports[i];
        struct error err;

        if (waiting->child == NULL && strcmp(waiting->name, transport->name) == 0 &&
            transport_start(waiting, &err) < 0)
            transport_down(waiting, &err);
    }
    transport_free(transport);
}

static void on_exit_told(struct child *child, void *data, const struct error *why)
{
    struct transport *transport = data;
    struct broker *broker = transport->broker;

    if (why != NULL)
        transport_down(transport, why);
    transport->child = NULL;
    child_destroy(child);
    if (transport->config == NULL)
        retired_ended(transport);
    else
        transport_lost(transport);
    broker_child_gone(broker);
}

static unsigned lowest_free(uint32_t slots)
{
    unsigned slot = 0;

    while (slots >> slot & 1)
        slot++;
    return slot;
}

struct transport *transport_new(struct broker *broker, const struct config_transport *config,
                                size_t index, uint32_t slots)
{
    struct transport *transport = calloc(1, sizeof *transport);

    if (transport == NULL)
        return NULL;
    transport->broker = broker;
    transport->config = config;
    transport->index = index;
    transport->slot = lowest_free(slots);
    transport->name = strdup(config->name);
    if (transport->name != NULL)
        return transport;
    free(transport);
    return NULL;
}

void transport_free(struct transport *transport)
{
    if (transport == NULL)
        return;
    free(transport->address);
    free(transport->name);
    free(transport);
}

void transport_retire(struct transport *transport)
{
    struct broker *broker = transport->broker;

    transport_lost(transport);
    transport->config = NULL;
    if (transport->child == NULL) {
        transport_free(transport);
        return;
    }
    transport->next = broker->retired;
    broker->retired = transport;
    child_stop(transport->child, CHILD_SHUTDOWN);
}

int transport_start(struct transport *transport, struct error *err)
{
    struct child_options options = {
        .loop = transport->broker->loop,
        .role = ROLE_SIGNAL,
        .name = transport->name,
        .argv = transport->config->command,
        .on_hello = on_hello,
        .on_message = on_message,
        .on_down = on_down,
        .on_exit = on_exit_told,
        .data = transport,
    };
    int rc;

    if (*retired_named(transport->broker, transport->name) != NULL)
        return 0;
    rc = child_start(&transport->child, &options, err);
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

    if (!takes_messages(transport))
        return;
    message_init(&m, MESSAGE_signal_network_changed);
    child_send(transport->child, &m);
}

void transport_name_add(struct transport *transport, const char *name, const char *address,
                        const char *rendezvous)
{
    struct message m;

    if (!takes_messages(transport))
        return;
    message_init(&m, MESSAGE_peer_add);
    m.peer_add.peer = (char *)(uintptr_t)name;
    m.peer_add.address = (char *)(uintptr_t)address;
    m.peer_add.rendezvous = (char *)(uintptr_t)rendezvous;
    child_send(transport->child, &m);
}

void transport_name_remove(struct transport *transport, const char *name)
{
    struct message m;

    if (!takes_messages(transport))
        return;
    message_init(&m, MESSAGE_signal_peer_remove);
    m.signal_peer_remove.peer = (char *)(uintptr_t)name;
    child_send(transport->child, &m);
}

void transport_peer_ask(struct transport *transport, struct peer *peer, const char *address,
                        const char *data)
{
    struct message m;

    if (!takes_messages(transport))
        return;
    transport_peer_remove(transport, peer);
    message_init(&m, MESSAGE_request);
    m.request.ref = next_ref();
    m.request.address = (char *)(uintptr_t)address;
    m.request.data = (char *)(uintptr_t)data;
    child_send(transport->child, &m);
    transport_peer_add(transport, peer);
}

void transport_name_send(struct transport *transport, const char *name, const char *data)
{
    struct message m;

    if (!takes_messages(transport))
        return;
    message_init(&m, MESSAGE_send);
    m.send.ref = next_ref();
    m.send.peer = (char *)(uintptr_t)name;
    m.send.data = (char *)(uintptr_t)data;
    child_send(transport->child, &m);
}

void transport_send(struct transport *transport, const struct peer *peer, const char *data)
{
    transport_name_send(transport, peer->config->grant.peer, data);
}
