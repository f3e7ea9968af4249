/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/session_state.h"

#include <stdio.h>
#include <string.h>

struct message *say_action(struct session *s, enum session_action_type type, int slot,
                           enum message_type message)
{
    static struct session_action overflow;
    struct session_action *item = &overflow;

    if (s->out->count < SESSION_ACTIONS_MAX)
        item = &s->out->items[s->out->count++];
    item->type = type;
    item->slot = slot;
    message_init(&item->message, message);
    return &item->message;
}

void say_copy(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from);
}

void say_path_event(struct session *s, const char *reason)
{
    struct message *event = say_action(s, SESSION_NOTIFY, NONE, MESSAGE_event_path);
    const struct slot *slot = has_path(s) ? &s->slots[s->active] : NULL;

    if (reason != NULL)
        say_copy(s->reason, sizeof s->reason, reason);
    event->event_path.kind = slot ? "direct" : "none";
    if (slot != NULL) {
        event->event_path.base = slot->base;
        event->event_path.remote = slot->remote;
        event->event_path.rtt_ms = slot->rtt_ms;
    }
    if (reason != NULL)
        event->event_path.reason = s->reason;
}

void say_plain(struct session *s, enum message_type type)
{
    say_action(s, SESSION_SEND, NONE, type);
}

void say_description(struct session *s, struct slot *slot)
{
    struct message *m;

    if (s->offerer) {
        m = say_action(s, SESSION_SEND, NONE, MESSAGE_offer);
        m->offer.session = slot->id;
        m->offer.ufrag = slot->ufrag;
        m->offer.pwd = slot->pwd;
    } else {
        m = say_action(s, SESSION_SEND, NONE, MESSAGE_answer);
        m->answer.session = slot->id;
        m->answer.ufrag = slot->ufrag;
        m->answer.pwd = slot->pwd;
    }
}

void say_candidate(struct session *s, struct slot *slot, size_t index)
{
    struct message *m = say_action(s, SESSION_SEND, NONE, MESSAGE_peer_candidate);

    m->peer_candidate.session = slot->id;
    m->peer_candidate.ufrag = slot->ufrag;
    m->peer_candidate.candidate = slot->candidates[index];
}

void say_done(struct session *s, struct slot *slot)
{
    struct message *m = say_action(s, SESSION_SEND, NONE, MESSAGE_peer_candidates_done);

    m->peer_candidates_done.session = slot->id;
    m->peer_candidates_done.ufrag = slot->ufrag;
}

/* All that we have said in this negotiation; lost or doubled messages do no harm. */
void say_all(struct session *s, struct slot *slot)
{
    if (slot->phase < PHASE_NEGOTIATING || slot->ufrag[0] == '\0')
        return;
    say_description(s, slot);
    for (size_t i = 0; i < slot->candidate_count; i++)
        say_candidate(s, slot, i);
    if (slot->done)
        say_done(s, slot);
    slot->resend_at = s->now + ((int64_t)SESSION_RESEND_MS << slot->resends);
    if (slot->resends < SESSION_RESENDS)
        slot->resends++;
}

void wg_say_port(struct session *s, enum message_type type, const struct endpoint *base)
{
    struct message *m = say_action(s, SESSION_WG, NONE, type);

    if (type == MESSAGE_port_open)
        m->port_open.base = *base;
    else
        m->port_close.base = *base;
}

void wg_say_path(struct session *s, const struct slot *slot)
{
    struct message *m = say_action(s, SESSION_WG, NONE, MESSAGE_path_set);

    m->path_set.kind = slot ? "direct" : "none";
    if (slot != NULL) {
        m->path_set.base = slot->base;
        m->path_set.remote = slot->remote;
    }
}

static void say_peer(struct session *s, bool anew)
{
    struct message *m = say_action(s, SESSION_WG, NONE, MESSAGE_peer_set);

    m->peer_set.wg_public_key = s->memory.wg_public_key;
    m->peer_set.keepalive = s->passive ? 0 : SESSION_KEEPALIVE_S;
    m->peer_set.anew = anew;
}

void wg_say_peer(struct session *s)
{
    say_peer(s, false);
}

/* WireGuard forgets what it knows of the peer: a handshake that it waits for, a timestamp that it
 * has seen. A path has to be said after it. */
void wg_say_peer_anew(struct session *s)
{
    say_peer(s, true);
}
