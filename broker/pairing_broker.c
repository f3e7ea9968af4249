/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/pairing_broker.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/clock.h"
#include "broker/config_learned.h"
#include "broker/joining.h"
#include "broker/pairing.h"
#include "broker/reload.h"
#include "protocol/log.h"

static char *text(const char *from)
{
    return (char *)(uintptr_t)from;
}

static struct peer *peer_named(const struct broker *broker, const char *name)
{
    for (size_t i = 0; i < broker->peer_count; i++)
        if (strcmp(broker->peers[i]->config->grant.peer, name) == 0)
            return broker->peers[i];
    return NULL;
}

/* What pairing.c asks of the broker */

static int64_t on_now(void *data)
{
    (void)data;
    return clock_boot_ms();
}

static int64_t on_wall(void *data)
{
    (void)data;
    return clock_wall_ms() / 1000;
}

static bool on_transport(void *data, size_t index, struct pairing_transport *out)
{
    const struct broker *broker = data;
    const struct transport *transport;

    if (index >= broker->transport_count)
        return false;
    transport = broker->transports[index];
    *out = (struct pairing_transport){.name = transport->name,
                                      .address = transport->address,
                                      .slot = transport->slot,
                                      .requests = transport->requests,
                                      .ready = transport->ready};
    return true;
}

static void on_add(void *data, size_t index, const char *name, const char *address,
                   const char *rendezvous)
{
    struct broker *broker = data;

    transport_name_add(broker->transports[index], name, address, rendezvous);
}

static void on_remove(void *data, size_t index, const char *name)
{
    struct broker *broker = data;

    transport_name_remove(broker->transports[index], name);
}

static void on_send(void *data, size_t index, const char *name, const char *send)
{
    struct broker *broker = data;

    transport_name_send(broker->transports[index], name, send);
}

static void on_ask(void *data, size_t index, const char *name, const char *address,
                   const char *request)
{
    struct broker *broker = data;
    struct peer *peer = peer_named(broker, name);

    if (peer != NULL)
        transport_peer_ask(broker->transports[index], peer, address, request);
}

static bool on_reaches(void *data, size_t index, const char *name)
{
    struct broker *broker = data;
    const struct peer *peer = peer_named(broker, name);

    return peer != NULL && peer_is_reached_by(peer, broker->transports[index]);
}

static const char *on_own_name(void *data)
{
    const struct broker *broker = data;

    return broker->config->name;
}

static bool on_has_name(void *data, const char *name)
{
    const struct config *config = ((struct broker *)data)->config;

    for (size_t i = 0; i < config->peer_count; i++)
        if (!config->peers[i].learned && strcmp(config->peers[i].grant.peer, name) == 0)
            return true;
    return false;
}

static const char *on_name_of(void *data, const uint8_t key[ID_KEY_BYTES])
{
    const struct config *config = ((struct broker *)data)->config;

    for (size_t i = 0; i < config->peer_count; i++)
        if (!config->peers[i].learned && memcmp(config->peers[i].grant.key, key, ID_KEY_BYTES) == 0)
            return config->peers[i].grant.peer;
    return NULL;
}

static bool on_knows(void *data, const char *name)
{
    const struct peer *peer = peer_named(data, name);

    return peer != NULL && session_memory(peer->session)->wg_public_key[0] != '\0';
}

static void on_timer(uv_timer_t *timer)
{
    struct broker *broker = timer->data;

    if (broker->learned_changed) {
        broker->learned_changed = false;
        broker_relearn(broker);
    }
    pairing_tick(broker->pairing);
}

/* With the next turn of the loop where something changed: not from inside a helper's call. */
static void on_rearm(void *data)
{
    struct broker *broker = data;
    int64_t at, now = clock_boot_ms();

    if (broker->stopping || broker->pairing == NULL)
        return;
    at = broker->learned_changed ? now : pairing_next(broker->pairing);
    if (at == INT64_MAX) {
        uv_timer_stop(&broker->pairing_timer);
        return;
    }
    uv_update_time(broker->loop);
    uv_timer_start(&broker->pairing_timer, on_timer, at > now ? (uint64_t)(at - now) : 0, 0);
}

static void on_changed(void *data)
{
    struct broker *broker = data;

    broker->learned_changed = true;
    on_rearm(broker);
}

static void on_tell(void *data, const char *peer, const char *state, const char *reason)
{
    struct broker *broker = data;
    struct message event;

    message_init(&event, MESSAGE_event_pairing);
    event.event_pairing.peer = text(peer);
    event.event_pairing.state = text(state);
    event.event_pairing.reason = text(reason);
    event_emit(broker->events, &event);
    log_info("pairing: %s%s%s%s%s", peer != NULL ? peer : "", peer != NULL ? " " : "", state,
             reason != NULL ? ": " : "", reason != NULL ? reason : "");
}

static const struct pairing_broker pairing_calls = {
    .now = on_now,
    .wall = on_wall,
    .transport = on_transport,
    .add = on_add,
    .remove = on_remove,
    .send = on_send,
    .ask = on_ask,
    .reaches = on_reaches,
    .own_name = on_own_name,
    .has_name = on_has_name,
    .name_of = on_name_of,
    .knows = on_knows,
    .changed = on_changed,
    .rearm = on_rearm,
    .tell = on_tell,
};

static void say_broken(const struct broker *broker)
{
    const struct error *why = pairing_broken(broker->pairing);

    if (why == NULL)
        return;
    log_error("%s", why->message);
    event_emit_error(broker->events, NULL, why->code, why->message);
}

void pairing_broker_say_collisions(const struct broker *broker, const struct config *before)
{
    for (size_t i = 0; i < broker->config->collision_count; i++) {
        const struct config_collision *collision = &broker->config->collisions[i];

        if (config_had_collision(before, collision))
            continue;
        log_warn("%s", collision->why.message);
        event_emit_error(broker->events, collision->peer, collision->why.code,
                         collision->why.message);
    }
}

int pairing_broker_open(struct broker *broker, struct error *err)
{
    struct pairing_options options = {
        .identity = broker->identity,
        .state_dir = broker->config->state_dir,
        .broker = &pairing_calls,
        .data = broker,
    };

    uv_timer_init(broker->loop, &broker->pairing_timer);
    broker->pairing_timer.data = broker;
    broker->pairing = pairing_new(&options);
    if (broker->pairing == NULL ||
        config_add_learned(broker->config, pairing_learned(broker->pairing),
                           broker->identity->public) < 0) {
        error_set(err, "no-memory", "out of memory");
        return -ENOMEM;
    }
    say_broken(broker);
    pairing_broker_say_collisions(broker, NULL);
    on_rearm(broker);
    return 0;
}

void pairing_broker_close(struct broker *broker)
{
    if (broker->pairing_timer.data != NULL)
        uv_close((uv_handle_t *)&broker->pairing_timer, NULL);
}

void pairing_broker_free(struct broker *broker)
{
    pairing_free(broker->pairing);
    broker->pairing = NULL;
}

/* What the control socket asks for */

static const char *invitation_state(const struct learned_invitation *invitation)
{
    if (invitation->used)
        return "used";
    return invitation->expires <= clock_wall_ms() / 1000 ? "expired" : "open";
}

static void say_invitation(const struct broker *broker, const struct learned_invitation *invitation,
                           struct message *m, control_say *say, void *client)
{
    char digits[2 * JOINING_NAME_BYTES + 1], inbound[INBOUND_TEXT_SIZE];
    uint8_t name[JOINING_NAME_BYTES];
    const char *peer = invitation->name[0] != '\0' ? invitation->name : NULL;
    const struct learned_peer *joined = NULL;

    if (invitation->used)
        joined = learned_peer_with_key(pairing_learned(broker->pairing), invitation->used_by);
    joining_name(invitation->secret, name);
    sodium_bin2hex(digits, sizeof digits, name, sizeof name);
    m->control_invitation.invitation = digits;
    m->control_invitation.state = text(invitation_state(invitation));
    m->control_invitation.expires = invitation->expires;
    m->control_invitation.peer = text(joined != NULL ? joined->contact.name : peer);
    if (invitation->says_inbound)
        m->control_invitation.inbound = text(inbound_format(&invitation->inbound, inbound));
    say(client, m);
}

static int any_ready(const struct broker *broker, struct error *err)
{
    for (size_t i = 0; i < broker->transport_count; i++)
        if (broker->transports[i]->ready)
            return 0;
    error_set(err, "not-ready",
              "no signalling transport is ready yet, so nobody could be reached: try again soon, "
              "'punchguard status' says why");
    return -EAGAIN;
}

static int check_overlay(const struct broker *broker, struct error *err)
{
    struct prefix ipv6, ipv4;
    char address[PREFIX_TEXT_SIZE];

    if (config_has_overlay(broker->config, broker->identity->public))
        return 0;
    id_overlay(broker->identity->public, &ipv6, &ipv4);
    prefix_format(&ipv4, address);
    error_set(err, "no-overlay-address",
              "peers that join know this device by the address of its id: in the configuration, "
              "make %s the first of $.interface.addresses, or leave that list out",
              address);
    return -EINVAL;
}

/* *inbound is `room` where something was said, else NULL. */
static int read_inbound(const char *said, struct inbound *room, const struct inbound **inbound,
                        struct error *err)
{
    *inbound = said != NULL ? room : NULL;
    if (said == NULL || inbound_parse(room, said, err) == 0)
        return 0;
    error_prefix(err, "inbound: ");
    return -EINVAL;
}

static int control_invite(struct broker *broker, const struct message_control_invite *asked,
                          control_say *say, void *client, struct error *err)
{
    const struct learned *learned = pairing_learned(broker->pairing);
    char encoded[INVITATION_TEXT_SIZE], *transports[CONTACT_TRANSPORTS_MAX];
    const struct inbound *inbound;
    struct inbound room;
    struct invitation made;
    struct message m;

    if (read_inbound(asked->inbound, &room, &inbound, err) < 0 || any_ready(broker, err) < 0 ||
        check_overlay(broker, err) < 0 ||
        pairing_invite(broker->pairing, asked->peer != NULL ? asked->peer : "",
                       asked->lifetime != MESSAGE_ABSENT ? asked->lifetime : 0, inbound, &made,
                       err) < 0)
        return -EINVAL;
    invitation_encode(&made, encoded);
    message_init(&m, MESSAGE_control_invitation);
    m.control_invitation.ref = asked->ref;
    m.control_invitation.text = encoded;
    m.control_invitation.transports.items = transports;
    for (size_t i = 0; i < made.inviter.count; i++)
        transports[m.control_invitation.transports.count++] = made.inviter.items[i].transport;
    say_invitation(broker, &learned->invitations[learned->invitation_count - 1], &m, say, client);
    sodium_memzero(encoded, sizeof encoded);
    sodium_memzero(&made, sizeof made);
    return 0;
}

static int control_invitations(const struct broker *broker, int64_t ref, control_say *say,
                               void *client)
{
    const struct learned *learned = pairing_learned(broker->pairing);
    struct message m;

    for (size_t i = 0; i < learned->invitation_count; i++) {
        if (learned->invitations[i].cancelled)
            continue;
        message_init(&m, MESSAGE_control_invitation);
        m.control_invitation.ref = ref;
        say_invitation(broker, &learned->invitations[i], &m, say, client);
    }
    return 0;
}

static int control_join(struct broker *broker, const struct message_control_join *asked,
                        control_say *say, void *client, struct error *err)
{
    char name[PEER_NAME_MAX + 1], id[ID_TEXT_LENGTH + 1], overlay[2][PREFIX_TEXT_SIZE];
    const struct inbound *inbound;
    struct inbound room;
    char *items[] = {overlay[0], overlay[1]};
    uint8_t key[ID_KEY_BYTES];
    struct prefix left[2];
    struct message m;
    size_t count;

    if (read_inbound(asked->inbound, &room, &inbound, err) < 0 || check_overlay(broker, err) < 0 ||
        pairing_join(broker->pairing, asked->text, asked->peer != NULL ? asked->peer : "", inbound,
                     name, key, err) < 0)
        return -EINVAL;
    id_encode(key, id);
    count = config_overlay_free(broker->config, broker->identity->public, key, left);
    for (size_t i = 0; i < count; i++)
        prefix_format(&left[i], overlay[i]);
    message_init(&m, MESSAGE_control_joining);
    m.control_joining.ref = asked->ref;
    m.control_joining.peer = name;
    m.control_joining.id = id;
    m.control_joining.overlay = (struct strings){.items = items, .count = count};
    say(client, &m);
    return 0;
}

/* What one of the two is told of the other. */
static bool tell_of(struct peer *to, const struct peer *about)
{
    const struct config_peer *config = about->config;
    struct contact contact = {.count = 0};
    struct message m;
    struct error err;
    char *addresses;
    bool told = false;

    for (size_t i = 0; i < about->broker->config->transport_count; i++)
        if (config->addresses[i] != NULL &&
            contact_add(&contact, about->broker->config->transports[i].name, config->addresses[i],
                        &err) < 0)
            log_warn("%s", err.message);
    addresses = contact_addresses_text(&contact);
    message_init(&m, MESSAGE_introduce);
    m.introduce.name = text(config->grant.peer);
    m.introduce.id = text(config->id);
    m.introduce.addresses = addresses;
    if (addresses != NULL)
        told = peer_pass(to, &m);
    free(addresses);
    return told;
}

static struct peer *reached(struct broker *broker, const char *name, struct error *err)
{
    struct peer *peer = peer_named(broker, name);

    if (peer == NULL) {
        error_set(err, "no-such-peer", "there is no peer '%s'", name);
        return NULL;
    }
    if (peer->online != 0 && envelope_is_ready(peer->envelope))
        return peer;
    error_set(err, "not-reached",
              "'%s' is not reached now: two peers are introduced while both are there", name);
    return NULL;
}

static int control_introduce(struct broker *broker, const struct message_control_introduce *asked,
                             struct error *err)
{
    struct peer *one = reached(broker, asked->peer, err), *two;

    two = one != NULL ? reached(broker, asked->other, err) : NULL;
    if (two == NULL)
        return -ENOENT;
    if (one == two) {
        error_set(err, "duplicate", "two peers are introduced to each other, not one");
        return -EINVAL;
    }
    if (tell_of(one, two) && tell_of(two, one))
        return 0;
    error_set(err, "not-reached", "a message could not be sent: try again");
    return -EAGAIN;
}

static int control_introductions(const struct broker *broker, int64_t ref, control_say *say,
                                 void *client)
{
    const struct learned *learned = pairing_learned(broker->pairing);
    char id[ID_TEXT_LENGTH + 1];
    struct message m;

    for (size_t i = 0; i < learned->peer_count; i++) {
        if (learned->peers[i].introduced_by[0] == '\0')
            continue;
        id_encode(learned->peers[i].key, id);
        message_init(&m, MESSAGE_control_introduction);
        m.control_introduction.ref = ref;
        m.control_introduction.peer = text(learned->peers[i].contact.name);
        m.control_introduction.id = id;
        m.control_introduction.by = text(learned->peers[i].introduced_by);
        say(client, &m);
    }
    return 0;
}

static int control_accept(struct broker *broker, const struct message_control_accept *asked,
                          struct error *err)
{
    const struct inbound *inbound;
    struct inbound room;

    if (read_inbound(asked->inbound, &room, &inbound, err) < 0)
        return -EINVAL;
    return pairing_accept(broker->pairing, asked->peer, inbound, err);
}

int pairing_broker_control(void *data, const struct message *m, control_say *say, void *client,
                           struct error *err)
{
    struct broker *broker = data;

    if (broker->pairing == NULL || broker->stopping) {
        error_set(err, "not-ready", "the broker is starting or ending");
        return -EAGAIN;
    }
    switch (m->type) {
    case MESSAGE_control_invite:
        return control_invite(broker, &m->control_invite, say, client, err);
    case MESSAGE_control_invitations:
        return control_invitations(broker, m->control_invitations.ref, say, client);
    case MESSAGE_control_cancel:
        return pairing_cancel(broker->pairing, m->control_cancel.invitation, err);
    case MESSAGE_control_join:
        return control_join(broker, &m->control_join, say, client, err);
    case MESSAGE_control_rename:
        return pairing_rename(broker->pairing, m->control_rename.peer, m->control_rename.name, err);
    case MESSAGE_control_remove:
        return pairing_remove(broker->pairing, m->control_remove.peer, err);
    case MESSAGE_control_introduce:
        return control_introduce(broker, &m->control_introduce, err);
    case MESSAGE_control_introductions:
        return control_introductions(broker, m->control_introductions.ref, say, client);
    case MESSAGE_control_accept:
        return control_accept(broker, &m->control_accept, err);
    default:
        error_set(err, "unknown-request", "this broker does not know that request");
        return -EINVAL;
    }
}
