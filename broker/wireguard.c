/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/control.h"
#include "protocol/log.h"

/* WireGuard's status is asked for so often, in ms: while a path waits for its first packet, and else. */
#define STATUS_URGENT_MS 50
#define STATUS_IDLE_MS   5000

static void add_addresses(const struct broker *broker, char *out, size_t size)
{
    const struct interface *interface = &broker->config->interface;
    struct prefix prefixes[INTERFACE_ADDRESSES_MAX];
    size_t count = interface->address_count, used = 0;

    memcpy(prefixes, interface->addresses, sizeof prefixes);
    if (count == 0) {
        id_overlay(broker->identity->public, &prefixes[0], &prefixes[1]);
        count = 2;
    }
    out[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        char text[PREFIX_TEXT_SIZE];

        prefix_format(&prefixes[i], text);
        used += (size_t)snprintf(out + used, size - used, "%s\"%s\"", i ? "," : "", text);
    }
}

static void on_hello(struct child *child, void *data, const struct message *message)
{
    struct broker *broker = data;
    const struct interface *interface = &broker->config->interface;
    char addresses[INTERFACE_ADDRESSES_MAX * (PREFIX_TEXT_SIZE + 4)];
    char text[sizeof addresses + 256];
    struct message m;

    (void)message;
    add_addresses(broker, addresses, sizeof addresses);
    snprintf(text, sizeof text,
             "{\"name\":\"%s\",\"addresses\":[%s],\"mtu\":%d,\"listen_port\":%d,\"backend\":\"%s\"}",
             interface->name, addresses, interface->mtu, interface->listen_port,
             interface_backend_name(interface->backend));
    message_init(&m, MESSAGE_wg_configure);
    m.wg_configure.protocol = child_protocol(child);
    m.wg_configure.interface = text;
    child_send(child, &m);
    if (broker->wg.stale)
        wireguard_reload(broker);
}

static void all_peers(struct broker *broker, enum session_event_type type)
{
    for (size_t i = 0; i < broker->peer_count; i++)
        peer_handle(broker->peers[i], type, 0, NULL);
}

static void on_ready(struct broker *broker, const struct message_wg_ready *ready)
{
    bool changed = strcmp(broker->wg.public_key, ready->wg_public_key) != 0;
    char id[ID_TEXT_LENGTH + 1];
    struct message event;

    snprintf(broker->wg.public_key, sizeof broker->wg.public_key, "%s", ready->wg_public_key);
    broker->wg.listen_port = (int)ready->listen_port;
    broker->wg.kernel = strcmp(ready->backend, "kernel") == 0;
    broker->wg.ready = true;
    broker->wg.asked = false;
    id_encode(broker->identity->public, id);
    broker_helper_event(broker, "wg-setup", true, NULL);
    message_init(&event, MESSAGE_event_ready);
    event.event_ready.id = id;
    event.event_ready.interface = ready->interface;
    event.event_ready.listen_port = ready->listen_port;
    event.event_ready.backend = ready->backend;
    event_emit(broker->events, &event);
    if (changed)
        for (size_t i = 0; i < broker->peer_count; i++)
            peer_set_hello(broker->peers[i]);
    all_peers(broker, SESSION_WG_READY);
}

static void on_status(struct broker *broker, const struct message *m)
{
    for (size_t i = 0; i < broker->peer_count; i++) {
        struct peer *peer = broker->peers[i];

        if (strcmp(peer->config->grant.peer, m->peer_status.peer) != 0)
            continue;
        peer->latest_handshake = m->peer_status.latest_handshake;
        peer->rx_bytes = m->peer_status.rx_bytes;
        peer->tx_bytes = m->peer_status.tx_bytes;
        peer_handle(peer, SESSION_WG_STATUS, 0, m);
    }
}

static void status_over(struct broker *broker)
{
    broker->wg.asked = false;
    control_refreshed(broker->control);
}

/* It adopts what stands, and reads the configuration with the privilege that it gives up afterwards. */
static void start_again(struct broker *broker)
{
    log_warn("wg-setup can't read the configuration again, so it is started again");
    broker->wg.ready = false;
    broker->wg.again = true;
    all_peers(broker, SESSION_WG_DOWN);
    child_stop(broker->wg.child, CHILD_EOF);
}

static void on_error_told(struct broker *broker, const struct message_error *error)
{
    if (error->ref == broker->wg.status_ref)
        status_over(broker);
    if (broker->wg.again)
        return; /* asked before we knew: the next one is told everything */
    log_error("wg-setup: %s (%s)", error->message, error->code);
    if (error->ref == broker->wg.reload_ref && strcmp(error->code, "file") == 0 &&
        !broker->stopping) {
        start_again(broker);
        return;
    }
    /* The file has changed again since we read it. */
    if (error->ref == broker->wg.reload_ref)
        broker->wg.stale = broker->wg.missed = true;
    event_emit_error(broker->events, NULL, error->code, error->message);
}

static void on_done(struct broker *broker, int64_t ref)
{
    if (ref == broker->wg.status_ref)
        status_over(broker);
    if (ref != broker->wg.reload_ref || !broker->wg.missed)
        return;
    broker->wg.missed = false;
    all_peers(broker, SESSION_GRANTED_ANEW);
}

static void on_message(struct child *child, void *data, const struct message *m)
{
    struct broker *broker = data;

    (void)child;
    switch (m->type) {
    case MESSAGE_wg_ready:
        on_ready(broker, &m->wg_ready);
        break;
    case MESSAGE_done:
        on_done(broker, m->done.ref);
        break;
    case MESSAGE_peer_status:
        on_status(broker, m);
        break;
    case MESSAGE_network_changed:
        log_info("the network changed: looking for paths anew");
        broker_network_changed(broker, SESSION_NETWORK_CHANGED);
        break;
    case MESSAGE_error:
        on_error_told(broker, &m->error);
        break;
    default:
        break;
    }
}

static void on_down(struct child *child, void *data, const struct error *why)
{
    struct broker *broker = data;

    (void)child;
    broker->wg.ready = false;
    broker_helper_event(broker, "wg-setup", false, why);
    all_peers(broker, SESSION_WG_DOWN);
    if (why != NULL && strcmp(why->code, "launcher-gone") == 0)
        broker_give_up(broker);
}

static int start_child(struct broker *broker, struct error *err);

static void on_exit_told(struct child *child, void *data, const struct error *why)
{
    struct broker *broker = data;
    struct error err;

    broker->wg.ready = false;
    if (why != NULL)
        broker_helper_event(broker, "wg-setup", false, why);
    broker->wg.child = NULL;
    child_destroy(child);
    if (broker->wg.again && !broker->stopping && start_child(broker, &err) < 0) {
        broker_helper_event(broker, "wg-setup", false, &err);
        broker_give_up(broker);
    }
    broker->wg.again = false;
    broker_child_gone(broker);
}

bool wireguard_refresh(struct broker *broker)
{
    struct message m;

    if (broker->wg.ready && !broker->wg.asked) {
        message_init(&m, MESSAGE_status);
        m.status.ref = broker->wg.status_ref = ++broker->wg.ref;
        broker->wg.asked = child_send(broker->wg.child, &m) == 0;
    }
    return broker->wg.ready && broker->wg.asked;
}

static void on_timer(uv_timer_t *timer)
{
    struct broker *broker = timer->data;

    wireguard_refresh(broker);
    if (broker->wg.ready && broker->wg.stale)
        wireguard_reload(broker);
    wireguard_poll(broker);
}

void wireguard_poll(struct broker *broker)
{
    uint64_t wanted = STATUS_IDLE_MS;

    if (broker->stopping)
        return;
    for (size_t i = 0; i < broker->peer_count; i++)
        if (session_wants_status(broker->peers[i]->session))
            wanted = STATUS_URGENT_MS;
    if (!uv_is_active((uv_handle_t *)&broker->wg.timer) ||
        uv_timer_get_repeat(&broker->wg.timer) != wanted)
        uv_timer_start(&broker->wg.timer, on_timer, wanted, wanted);
}

static int start_child(struct broker *broker, struct error *err)
{
    static char program[] = "punchguard-wg-setup", option[] = "-c";
    char *argv[] = {program, option, broker->config->path, NULL};
    struct child_options options = {
        .loop = broker->loop,
        .role = ROLE_WG,
        .name = "wg-setup",
        .argv = broker->launcher ? NULL : argv,
        .launcher = broker->launcher,
        .on_hello = on_hello,
        .on_message = on_message,
        .on_down = on_down,
        .on_exit = on_exit_told,
        .data = broker,
    };
    int rc = child_start(&broker->wg.child, &options, err);

    if (rc == 0)
        broker->children++;
    return rc;
}

int wireguard_start(struct broker *broker, struct error *err)
{
    uv_timer_init(broker->loop, &broker->wg.timer);
    broker->wg.timer.data = broker;
    return start_child(broker, err);
}

/* One that is only being started may have read the configuration before it changed. */
void wireguard_reload(struct broker *broker)
{
    struct message m;

    message_init(&m, MESSAGE_reload);
    m.reload.ref = broker->wg.reload_ref = ++broker->wg.ref;
    broker->wg.stale = broker->wg.child == NULL || child_send(broker->wg.child, &m) < 0;
}

void wireguard_stop(struct broker *broker, enum child_stop_how how)
{
    if (broker->wg.child != NULL)
        child_stop(broker->wg.child, how);
    if (broker->wg.timer.data != NULL && !uv_is_closing((uv_handle_t *)&broker->wg.timer))
        uv_close((uv_handle_t *)&broker->wg.timer, NULL);
}

/* What the configuration grants, or the addresses that follow from the id. */
static size_t allowed_texts(const struct peer *peer, char texts[][PREFIX_TEXT_SIZE], char **items)
{
    const struct grant *grant = &peer->config->grant;
    struct prefix overlay[2];
    const struct prefix *prefixes = grant->allowed;
    size_t count = grant->allowed_count;

    if (count == 0) {
        id_overlay(grant->key, &overlay[0], &overlay[1]);
        prefixes = overlay;
        count = 2;
    }
    for (size_t i = 0; i < count; i++) {
        prefix_format(&prefixes[i], texts[i]);
        items[i] = texts[i];
    }
    return count;
}

void wireguard_send(struct broker *broker, const struct peer *peer, struct message *m)
{
    static char texts[PEER_ALLOWED_MAX][PREFIX_TEXT_SIZE];
    static char *items[PEER_ALLOWED_MAX];
    static char inbound[INBOUND_TEXT_SIZE];
    char *name = (char *)(uintptr_t)peer->config->grant.peer;
    int64_t ref = ++broker->wg.ref;

    switch (m->type) {
    case MESSAGE_peer_set:
        m->peer_set.ref = ref;
        m->peer_set.peer = name;
        m->peer_set.id = (char *)(uintptr_t)peer->config->id;
        m->peer_set.allowed_ips.items = items;
        m->peer_set.allowed_ips.count = allowed_texts(peer, texts, items);
        /* Of the others it reads that itself. */
        if (peer->config->learned) {
            inbound_format(&peer->config->grant.inbound, inbound);
            m->peer_set.inbound = inbound;
        }
        break;
    case MESSAGE_wg_peer_remove:
        m->wg_peer_remove.ref = ref;
        m->wg_peer_remove.peer = name;
        break;
    case MESSAGE_port_open:
        m->port_open.ref = ref;
        m->port_open.peer = name;
        break;
    case MESSAGE_port_close:
        m->port_close.ref = ref;
        m->port_close.peer = name;
        break;
    case MESSAGE_path_set:
        m->path_set.ref = ref;
        m->path_set.peer = name;
        break;
    case MESSAGE_status:
        m->status.ref = broker->wg.status_ref = ref;
        broker->wg.asked = true;
        break;
    default:
        return;
    }
    if (broker->wg.child != NULL && broker->wg.ready)
        child_send(broker->wg.child, m);
}
