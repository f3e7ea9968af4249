/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <config.h>

#include "broker/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/clock.h"
#include "broker/pairing.h"
#include "broker/pairing_broker.h"
#include "broker/reload.h"
#include "protocol/json.h"
#include "protocol/log.h"

/* Texts that a message points to while it is said. */
struct texts {
    char texts[PEER_ALLOWED_MAX][PREFIX_TEXT_SIZE];
    char *items[PEER_ALLOWED_MAX];
};

static char *text(const char *from)
{
    return (char *)(uintptr_t)from;
}

static struct strings prefix_texts(struct texts *room, const struct prefix *prefixes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        prefix_format(&prefixes[i], room->texts[i]);
        room->items[i] = room->texts[i];
    }
    return (struct strings){.items = room->items, .count = count};
}

static struct strings overlay_texts(struct texts *room, const uint8_t *key,
                                    const struct prefix *prefixes, size_t count)
{
    struct prefix derived[2];

    if (count > 0)
        return prefix_texts(room, prefixes, count);
    id_overlay(key, &derived[0], &derived[1]);
    return prefix_texts(room, derived, 2);
}

static void say_device(const struct broker *broker, int64_t ref, control_say *say, void *client)
{
    static struct texts room;
    const struct interface *interface = &broker->config->interface;
    char id[ID_TEXT_LENGTH + 1];
    struct message m;

    id_encode(broker->identity->public, id);
    message_init(&m, MESSAGE_status_device);
    m.status_device.ref = ref;
    m.status_device.id = id;
    m.status_device.name = broker->config->name;
    m.status_device.ready = broker->wg.ready;
    m.status_device.interface = text(interface->name);
    m.status_device.overlay = overlay_texts(&room, broker->identity->public, interface->addresses,
                                            interface->address_count);
    if (broker->wg.ready) {
        m.status_device.listen_port = broker->wg.listen_port;
        m.status_device.backend = broker->wg.kernel ? "kernel" : "userspace";
        m.status_device.wg_public_key = text(broker->wg.public_key);
    }
    m.status_device.uptime_ms = clock_boot_ms() - broker->started_at;
    m.status_device.pid = getpid();
    m.status_device.version = PACKAGE_VERSION;
    say(client, &m);
}

static void say_transport(const struct transport *transport, int64_t ref, control_say *say,
                          void *client)
{
    pid_t pid = transport->child != NULL ? child_pid(transport->child) : 0;
    struct message m;

    message_init(&m, MESSAGE_status_transport);
    m.status_transport.ref = ref;
    m.status_transport.transport = transport->name;
    m.status_transport.state = transport->ready ? "ready" : pid != 0 ? "starting" : "down";
    if (!transport->ready && transport->reason[0] != '\0')
        m.status_transport.reason = text(transport->reason);
    if (transport->ready && transport->address != NULL && transport->address[0] != '\0')
        m.status_transport.address = transport->address;
    if (pid != 0)
        m.status_transport.pid = pid;
    say(client, &m);
}

static bool any_transport_ready(const struct broker *broker)
{
    for (size_t i = 0; i < broker->transport_count; i++)
        if (broker->transports[i]->ready)
            return true;
    return false;
}

static struct strings online_names(const struct peer *peer, char **items)
{
    const struct broker *broker = peer->broker;
    struct strings names = {.items = items};

    for (size_t i = 0; i < broker->transport_count; i++)
        if (peer_is_reached_by(peer, broker->transports[i]))
            items[names.count++] = broker->transports[i]->name;
    return names;
}

static void fill_path(struct message_status_peer *m, const struct peer *peer,
                      const struct session_view *view)
{
    int64_t now = clock_boot_ms();

    m->path = view->path ? "direct" : "none";
    m->reason = text(view->reason);
    m->base = view->base;
    m->endpoint = view->remote;
    m->rtt_ms = view->rtt_ms;
    if (view->retry_at != INT64_MAX && peer->online != 0)
        m->retry_ms = view->retry_at > now ? view->retry_at - now : 0;
}

static const char *peer_state(const struct peer *peer, const struct session_view *view)
{
    const struct learned_peer *learned;

    if (strcmp(view->state, "offline") != 0)
        return view->state;
    if (!any_transport_ready(peer->broker))
        return "waiting-for-signalling";
    learned = peer->config->learned ? learned_peer_with_key(pairing_learned(peer->broker->pairing),
                                                            peer->config->grant.key)
                                    : NULL;
    return learned != NULL && learned->invitation != NULL ? "joining" : view->state;
}

static char *collision_of(const struct config *config, const char *peer)
{
    for (size_t i = 0; i < config->collision_count; i++)
        if (strcmp(config->collisions[i].peer, peer) == 0)
            return config->collisions[i].why.message;
    return NULL;
}

static void say_peer(const struct peer *peer, int64_t ref, control_say *say, void *client)
{
    static char inbound[INBOUND_TEXT_SIZE];
    static struct texts room;
    const struct grant *grant = &peer->config->grant;
    struct session_view view = session_look(peer->session);
    char *online[CONFIG_TRANSPORTS_MAX];
    struct message m;

    message_init(&m, MESSAGE_status_peer);
    m.status_peer.ref = ref;
    m.status_peer.peer = text(grant->peer);
    m.status_peer.id = text(peer->config->id);
    m.status_peer.state = text(peer_state(peer, &view));
    fill_path(&m.status_peer, peer, &view);
    m.status_peer.note = collision_of(peer->broker->config, grant->peer);
    if (peer->latest_handshake > 0)
        m.status_peer.latest_handshake = peer->latest_handshake;
    m.status_peer.rx_bytes = peer->rx_bytes;
    m.status_peer.tx_bytes = peer->tx_bytes;
    m.status_peer.online = online_names(peer, online);
    m.status_peer.allowed_ips =
        overlay_texts(&room, grant->key, grant->allowed, grant->allowed_count);
    m.status_peer.inbound = text(inbound_format(&grant->inbound, inbound));
    say(client, &m);
}

static int report_status(const void *data, int64_t ref, const char *name, control_say *say,
                         void *client, struct error *err)
{
    const struct broker *broker = data;
    bool found = name == NULL;

    for (size_t i = 0; i < broker->peer_count && !found; i++)
        found = strcmp(broker->peers[i]->config->grant.peer, name) == 0;
    if (!found) {
        error_set(err, "no-such-peer", "there is no peer '%s' in the configuration", name);
        return -ENOENT;
    }
    say_device(broker, ref, say, client);
    for (size_t i = 0; i < broker->transport_count; i++)
        say_transport(broker->transports[i], ref, say, client);
    for (size_t i = 0; i < broker->peer_count; i++)
        if (name == NULL || strcmp(broker->peers[i]->config->grant.peer, name) == 0)
            say_peer(broker->peers[i], ref, say, client);
    return 0;
}

/* {"tox":"…"}, of the transports that are ready; to be freed. */
static char *addresses_text(const struct broker *broker)
{
    char *all = NULL;
    size_t size;
    FILE *out = open_memstream(&all, &size);
    const char *comma = "";

    if (out == NULL)
        return NULL;
    fputc('{', out);
    for (size_t i = 0; i < broker->transport_count; i++) {
        const struct transport *transport = broker->transports[i];
        char *name = json_quote(transport->name);
        char *address = transport->address != NULL ? json_quote(transport->address) : NULL;

        if (name != NULL && address != NULL && transport->address[0] != '\0') {
            fprintf(out, "%s%s:%s", comma, name, address);
            comma = ",";
        }
        free(name);
        free(address);
    }
    fputc('}', out);
    return fclose(out) == 0 ? all : NULL;
}

static int report_identity(const void *data, int64_t ref, control_say *say, void *client,
                           struct error *err)
{
    static struct texts room;
    const struct broker *broker = data;
    char id[ID_TEXT_LENGTH + 1];
    struct message m;
    char *addresses = addresses_text(broker);

    if (addresses == NULL) {
        error_set(err, "no-memory", "out of memory");
        return -ENOMEM;
    }
    id_encode(broker->identity->public, id);
    message_init(&m, MESSAGE_control_identity);
    m.control_identity.ref = ref;
    m.control_identity.id = id;
    m.control_identity.addresses = addresses;
    m.control_identity.overlay = overlay_texts(&room, broker->identity->public, NULL, 0);
    say(client, &m);
    free(addresses);
    return 0;
}

static bool report_refresh(void *data)
{
    return wireguard_refresh(data);
}

static void fill_reload_error(const struct reload_result *result, int rc, struct error *err)
{
    error_set(err, "reload", "the configuration was not taken: %s", strerror(-rc));
    if (result->errors.count == 0)
        return;
    *err = result->errors.items[0];
    if (result->errors.count > 1)
        error_set(err, result->errors.items[0].code,
                  "%.480s (and %zu more places, which the log names)",
                  result->errors.items[0].message, result->errors.count - 1);
}

static int report_reload(void *data, int64_t ref, control_say *say, void *client, struct error *err)
{
    struct broker *broker = data;
    struct reload_result result;
    struct message m;
    int rc;

    if (broker->stopping) {
        error_set(err, "stopping", "the broker is ending");
        return -ESHUTDOWN;
    }
    log_info("control: asked to read the configuration again");
    rc = broker_reload(broker, &result);
    if (rc == 0) {
        message_init(&m, MESSAGE_control_reloaded);
        m.control_reloaded.ref = ref;
        m.control_reloaded.changed.items = result.changed;
        m.control_reloaded.changed.count =
            result.changed_count < RELOAD_CHANGES_MAX ? result.changed_count : RELOAD_CHANGES_MAX;
        say(client, &m);
    } else {
        fill_reload_error(&result, rc, err);
    }
    reload_result_clear(&result);
    return rc;
}

static void report_stop(void *data, bool keep)
{
    log_info("control: asked to end, %s", keep ? "tunnels stay" : "tunnels are taken down");
    broker_stop(data, keep ? CHILD_EOF : CHILD_SHUTDOWN);
}

const struct control_broker report_control = {
    .refresh = report_refresh,
    .status = report_status,
    .identity = report_identity,
    .reload = report_reload,
    .pair = pairing_broker_control,
    .stop = report_stop,
};

static void on_event(void *data, enum message_type type, const char *line, size_t length)
{
    const struct broker *broker = data;

    control_event(broker->control, line, length);
    hooks_event(broker->hooks, type, line, length);
}

/* The tunnels are worth more than who asks for them: nothing but another broker stops the start. */
int report_open(struct broker *broker, struct error *err)
{
    struct control_options options = {
        .loop = broker->loop,
        .path = broker->config->control,
        .version = PACKAGE_VERSION,
        .broker = &report_control,
        .data = broker,
    };
    int rc = control_open(&broker->control, &options, err);

    if (rc == -EADDRINUSE)
        return rc;
    if (rc < 0) {
        log_warn("%s; this broker can't be asked for its status", err->message);
        event_emit_error(broker->events, NULL, err->code, err->message);
    }
    event_also(broker->events, on_event, broker);
    return 0;
}
