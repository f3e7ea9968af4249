/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/session_state.h"

struct session *session_new(bool offerer, const struct session_memory *memory)
{
    struct session *s = calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    s->offerer = offerer;
    s->active = s->trial = s->left = NONE;
    s->retry_at = s->want_at = s->reprovoke_at = s->suspect_at = NEVER;
    if (memory != NULL)
        s->memory = *memory;
    s->peer_known = s->memory.wg_public_key[0] != '\0';
    for (unsigned i = 0; i < SESSION_RATE; i++)
        s->starts[i] = INT64_MIN / 2;
    snprintf(s->reason, sizeof s->reason, "waiting for signalling");
    return s;
}

void session_destroy(struct session *s)
{
    if (s == NULL)
        return;
    for (int i = 0; i < SESSION_SLOTS; i++)
        slot_forget(&s->slots[i]);
    free(s);
}

bool session_has_path(const struct session *s)
{
    return has_path(s);
}

const struct session_memory *session_memory(const struct session *s)
{
    return &s->memory;
}

bool session_wants_status(const struct session *s)
{
    return s->active != NONE && !s->confirmed && s->now - s->moved_at < 10000;
}

/* What the peer says */

static struct slot *slot_named(struct session *s, const char *id)
{
    for (int i = 0; i < SESSION_SLOTS; i++)
        if (s->slots[i].phase >= PHASE_NEGOTIATING && strcmp(s->slots[i].id, id) == 0)
            return &s->slots[i];
    return NULL;
}

static int slot_index(const struct session *s, const struct slot *slot)
{
    return (int)(slot - s->slots);
}

static void agent_take_description(struct session *s, struct slot *slot, const char *ufrag,
                                   const char *pwd)
{
    struct message *m;

    if (strcmp(slot->remote_ufrag, ufrag) == 0)
        return;
    say_copy(slot->remote_ufrag, sizeof slot->remote_ufrag, ufrag);
    say_copy(slot->remote_pwd, sizeof slot->remote_pwd, pwd);
    slot->remote_candidate_count = 0;
    m = say_action(s, SESSION_AGENT_INPUT, slot_index(s, slot), MESSAGE_description);
    m->description.ufrag = slot->remote_ufrag;
    m->description.pwd = slot->remote_pwd;
}

static void on_offer(struct session *s, const struct message_offer *offer)
{
    struct slot *slot = slot_named(s, offer->session);

    if (s->offerer || !s->wg_ready)
        return;
    if (slot == NULL) {
        if (s->now < trial_rate_at(s))
            return;
        /* The offerer began anew: what was left or tried before is over for it too. */
        if (s->left != NONE)
            slot_close(s, s->left);
        if (s->trial != NONE && s->slots[s->trial].phase != PHASE_PREPARED)
            slot_close(s, s->trial);
        trial_prepare(s);
        if (s->trial == NONE)
            return;
        trial_name(s, offer->session);
        s->want_at = s->retry_at = NEVER;
        slot = &s->slots[s->trial];
    }
    agent_take_description(s, slot, offer->ufrag, offer->pwd);
    say_all(s, slot);
}

static void on_answer(struct session *s, const struct message_answer *answer)
{
    struct slot *slot = slot_named(s, answer->session);

    if (!s->offerer || slot == NULL)
        return;
    if (slot->remote_ufrag[0] == '\0') {
        agent_take_description(s, slot, answer->ufrag, answer->pwd);
    } else if (strcmp(slot->remote_ufrag, answer->ufrag) != 0 && slot->phase == PHASE_NEGOTIATING) {
        /* The other broker restarted: the agent that ours talks to is gone. */
        slot_close(s, slot_index(s, slot));
        negotiate_now(s);
    }
}

/* All is said again while there is no pair. */
static bool candidate_is_new(struct slot *slot, const char *text)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a, 64 bits */

    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * 1099511628211u;
    for (size_t i = 0; i < slot->remote_candidate_count; i++)
        if (slot->remote_candidates[i] == hash)
            return false;
    if (slot->remote_candidate_count == SESSION_CANDIDATES)
        return false;
    slot->remote_candidates[slot->remote_candidate_count++] = hash;
    return true;
}

static void on_candidate(struct session *s, const struct message *message)
{
    const struct message_peer_candidate *from = &message->peer_candidate;
    struct slot *slot = slot_named(s, from->session);
    struct message *m;

    if (slot == NULL || !candidate_is_new(slot, from->candidate))
        return;
    slot->remote_srflx |= strstr(from->candidate, " typ srflx") != NULL;
    m = say_action(s, SESSION_NOTIFY, NONE, MESSAGE_event_candidate);
    m->event_candidate.side = "remote";
    m->event_candidate.candidate = from->candidate;
    m = say_action(s, SESSION_AGENT_INPUT, slot_index(s, slot), MESSAGE_candidate);
    m->candidate.ufrag = from->ufrag;
    m->candidate.candidate = from->candidate;
}

static void on_candidates_done(struct session *s, const struct message_peer_candidates_done *from)
{
    struct slot *slot = slot_named(s, from->session);
    struct message *m;

    if (slot == NULL)
        return;
    m = say_action(s, SESSION_AGENT_INPUT, slot_index(s, slot), MESSAGE_candidates_done);
    m->candidates_done.ufrag = from->ufrag;
}

static void on_want_session(struct session *s)
{
    if (!s->offerer || !can_negotiate(s))
        return;
    if (s->trial != NONE && s->slots[s->trial].phase == PHASE_NEGOTIATING) {
        if (s->now - s->slots[s->trial].started < SESSION_CONFIRM_MS)
            return;
        slot_close(s, s->trial);
    }
    if (s->left == NONE)
        offer_begin(s);
}

static void on_path(struct session *s, const struct message_path *path)
{
    struct slot *slot = slot_named(s, path->session);

    if (slot == NULL || strcmp(path->kind, "direct") != 0)
        return;
    slot->peer_usable = true;
    if (slot_index(s, slot) == s->trial && slot->phase == PHASE_USABLE)
        path_move(s, s->trial);
}

/* The port stays open for a while: a peer that only restarts finds it by what it remembers. */
static void on_bye(struct session *s)
{
    if (s->trial != NONE)
        slot_close(s, s->trial);
    if (s->left != NONE)
        slot_close(s, s->left);
    if (s->active == NONE || s->gone || s->resuming)
        return;
    s->gone = s->gone_unsettled = true;
    s->gone_until = s->now + SESSION_BYE_MS;
    say_action(s, SESSION_WG, NONE, MESSAGE_status);
    say_path_event(s, "the peer said goodbye");
}

/* What would begin or end something is over: it may have come in between. What names a session that
 * is there is as good as ever. */
static bool is_overtaken(struct session *s, const struct message *m)
{
    switch (m->type) {
    case MESSAGE_offer:
        return slot_named(s, m->offer.session) == NULL;
    case MESSAGE_want_session:
    case MESSAGE_bye:
        return true;
    default:
        return false;
    }
}

static void on_message(struct session *s, const struct message *m, bool late)
{
    if (late && is_overtaken(s, m))
        return;
    if (s->gone && !late && m->type != MESSAGE_bye)
        s->gone = false;
    switch (m->type) {
    case MESSAGE_offer:
        on_offer(s, &m->offer);
        break;
    case MESSAGE_answer:
        on_answer(s, &m->answer);
        break;
    case MESSAGE_peer_candidate:
        on_candidate(s, m);
        break;
    case MESSAGE_peer_candidates_done:
        on_candidates_done(s, &m->peer_candidates_done);
        break;
    case MESSAGE_want_session:
        on_want_session(s);
        break;
    case MESSAGE_path:
        on_path(s, &m->path);
        break;
    case MESSAGE_bye:
        on_bye(s);
        break;
    case MESSAGE_clock_reset:
        peer_tell_anew(s);
        break;
    default:
        break;
    }
}

static void clock_reset_say(struct session *s)
{
    if (!s->clock_reset_due || !s->online || !s->greeted)
        return;
    s->clock_reset_due = false;
    say_plain(s, MESSAGE_clock_reset);
}

/* Who has just restarted could not open it. */
static void offer_again(struct session *s)
{
    struct slot *slot = s->trial != NONE ? &s->slots[s->trial] : NULL;

    if (s->offerer && slot != NULL && slot->phase == PHASE_NEGOTIATING &&
        slot->remote_ufrag[0] == '\0' && slot->started != s->now)
        say_all(s, slot);
}

static void on_hello(struct session *s, const struct message_peer_hello *hello)
{
    bool changed = strcmp(s->memory.wg_public_key, hello->wg_public_key) != 0;

    s->peer_known = s->greeted = true;
    s->gone = false;
    if (changed) {
        say_copy(s->memory.wg_public_key, sizeof s->memory.wg_public_key, hello->wg_public_key);
        say_action(s, SESSION_KEEP, NONE, MESSAGE_NONE);
        if (s->wg_ready)
            peer_tell(s);
        if (s->wg_ready && s->active != NONE)
            wg_say_path(s, &s->slots[s->active]);
    }
    clock_reset_say(s);
    negotiate_now(s);
    offer_again(s);
}

static void on_online(struct session *s)
{
    s->online = true;
    if (needs_path(s) && s->left == NONE)
        trial_prepare(s);
    negotiate_now(s);
}

static void on_offline(struct session *s)
{
    /* A prepared agent stays for the next time: a peer that comes and goes must not have us start
     * one each time. */
    s->online = false;
    if (!has_path(s) && !s->gone && !s->resuming)
        say_path_event(s, "waiting for signalling");
}

static void say_ports_and_path(struct session *s)
{
    for (int i = 0; i < SESSION_SLOTS; i++)
        if (slot_has_port(&s->slots[i]))
            wg_say_port(s, MESSAGE_port_open, &s->slots[i].base);
    if (s->active != NONE)
        wg_say_path(s, &s->slots[s->active]);
}

static void on_granted(struct session *s, bool anew)
{
    if (!s->peer_known || !s->wg_ready)
        return;
    wg_say_peer(s);
    if (anew)
        say_ports_and_path(s);
}

/* A wg-setup that comes back knows nothing of what was asked of the one before. */
static void on_wg_ready(struct session *s)
{
    s->wg_ready = true;
    if (s->peer_known)
        peer_tell(s);
    say_ports_and_path(s);
    if (s->trial != NONE && slot_has_port(&s->slots[s->trial]))
        trial_use(s);
    negotiate_now(s);
}

/* By what it remembers, and before its signalling. */
static void came_back(struct session *s)
{
    s->gone = false;
    if (!s->dead)
        say_path_event(s, NULL);
}

static void on_wg_status(struct session *s, const struct message_peer_status *status)
{
    bool first = status->latest_handshake > s->latest_handshake;

    if (s->baseline_due) {
        s->baseline_rx = status->rx_bytes;
        s->baseline_handshake = s->latest_handshake;
        s->baseline_due = false;
    }
    if (s->gone && first && !s->gone_unsettled)
        came_back(s);
    s->gone_unsettled = false;
    s->latest_handshake = status->latest_handshake;
    s->status_at = s->now;
    health_status(s, status);
    if (s->standing_due)
        resume_status(s, status);
    else if (s->reprovoke_due && s->resuming)
        resume_again(s);
    else if (s->reprovoke_due)
        path_reprovoke(s);
    if (first) {
        struct message *m = say_action(s, SESSION_NOTIFY, NONE, MESSAGE_event_handshake);

        m->event_handshake.endpoint = status->endpoint;
    }
    /* The peer moved, and its word of it was lost. */
    if (s->trial != NONE && s->slots[s->trial].phase == PHASE_USABLE &&
        endpoint_equal(&status->endpoint, &s->slots[s->trial].remote))
        path_move(s, s->trial);
    if (s->active == NONE || s->confirmed || status->latest_handshake == 0)
        return;
    if (!s->resuming && !endpoint_equal(&status->endpoint, &s->slots[s->active].remote))
        return;
    if (status->latest_handshake > s->baseline_handshake || status->rx_bytes > s->baseline_rx)
        path_confirm(s);
}

/* An agent gathers once: after a change of addresses it is of no use for something new. */
static void on_network_changed(struct session *s)
{
    if (s->trial != NONE && s->slots[s->trial].phase != PHASE_USABLE)
        slot_close(s, s->trial);
    s->renew = s->active != NONE;
    want_now(s);
}

/* NATs may have forgotten us: WireGuard sends at once, not with its next keep-alive. */
static void on_awake(struct session *s)
{
    if (s->active != NONE && s->wg_ready)
        wg_say_path(s, &s->slots[s->active]);
    on_network_changed(s);
}

static void tick_trial(struct session *s)
{
    struct slot *slot = &s->slots[s->trial];

    if (slot->phase == PHASE_PREPARED) {
        if (s->now - slot->started >= SESSION_PREPARED_MS)
            slot_close(s, s->trial);
    } else if (slot->phase == PHASE_USABLE) {
        if (s->now >= slot->use_at && s->wg_ready)
            path_move(s, s->trial);
    } else if (s->now - slot->started >= SESSION_ATTEMPT_MS) {
        trial_fail(s, agent_failure(slot));
    } else if (s->offerer && s->now >= slot->resend_at) {
        say_all(s, slot);
    }
}

static void on_tick(struct session *s)
{
    if (s->trial != NONE)
        tick_trial(s);
    if (s->now >= s->reprovoke_at)
        path_reprovoke_due(s);
    if (s->active != NONE && !s->confirmed && s->left != NONE && s->now >= s->undo_at)
        path_unconfirmed(s);
    if (s->gone && s->now >= s->gone_until) {
        path_drop(s, NULL);
        s->gone = false;
    }
    health_tick(s);
    resume_tick(s);
    negotiate(s);
}

void session_handle(struct session *s, const struct session_event *event,
                    struct session_actions *actions)
{
    s->now = event->now;
    s->random = event->random;
    s->out = actions;
    actions->count = 0;
    switch (event->type) {
    case SESSION_TICK:
        on_tick(s);
        break;
    case SESSION_ONLINE:
        on_online(s);
        break;
    case SESSION_OFFLINE:
        on_offline(s);
        break;
    case SESSION_HELLO:
        on_hello(s, &event->message->peer_hello);
        break;
    case SESSION_MESSAGE:
        on_message(s, event->message, false);
        break;
    case SESSION_MESSAGE_LATE:
        on_message(s, event->message, true);
        break;
    case SESSION_AGENT:
        agent_said(s, event->slot, event->message);
        break;
    case SESSION_AGENT_DOWN:
        agent_ended(s, event->slot);
        break;
    case SESSION_WG_READY:
        on_wg_ready(s);
        break;
    case SESSION_WG_DOWN:
        s->wg_ready = false;
        break;
    case SESSION_GRANTED:
        on_granted(s, false);
        break;
    case SESSION_GRANTED_ANEW:
        on_granted(s, true);
        break;
    case SESSION_WG_STATUS:
        on_wg_status(s, &event->message->peer_status);
        break;
    case SESSION_NETWORK_CHANGED:
        on_network_changed(s);
        break;
    case SESSION_AWAKE:
        on_awake(s);
        break;
    case SESSION_CLOCK_BACK:
        s->clock_reset_due = true;
        clock_reset_say(s);
        break;
    }
    s->out = NULL;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t session_deadline(const struct session *s)
{
    int64_t at = earlier(s->reprovoke_at, earlier(health_deadline(s), resume_deadline(s)));

    if (s->gone)
        at = earlier(at, s->gone_until);
    if (s->trial != NONE) {
        const struct slot *slot = &s->slots[s->trial];

        if (slot->phase == PHASE_PREPARED) {
            at = earlier(at, slot->started + SESSION_PREPARED_MS);
        } else if (slot->phase == PHASE_USABLE) {
            at = earlier(at, s->wg_ready ? slot->use_at : NEVER);
        } else {
            at = earlier(at, slot->started + SESSION_ATTEMPT_MS);
            if (s->offerer)
                at = earlier(at, slot->resend_at);
        }
    }
    if (s->active != NONE && !s->confirmed && s->left != NONE)
        at = earlier(at, s->undo_at);
    if (can_negotiate(s) && s->left == NONE && !s->gone && needs_path(s) &&
        (s->trial == NONE || s->slots[s->trial].phase == PHASE_PREPARED))
        at = earlier(at, earlier(s->retry_at, s->want_at));
    return at;
}
