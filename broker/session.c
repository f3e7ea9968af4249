/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NONE (-1)
#define NEVER INT64_MAX

/* Waiting between negotiations that fail, in ms; the last goes on for ever. */
static const int64_t retry_ms[] = {5000, 10000, 30000, 60000, 120000, 300000};
#define RETRY_STEPS (sizeof retry_ms / sizeof retry_ms[0])

/* A first handshake that has not come by then, in ms, was lost, and WireGuard itself would only try again
 * after its REKEY_TIMEOUT of 5 s: the peer is set anew. The two sides must not do it at the same moment. */
/* With a path to lose, a side moves only when the other's port is open too. Its word of that may be lost: then it
 * moves after this, in ms. */
#define USE_OFFERER_MS  1000
#define USE_ANSWERER_MS 2000

#define REPROVOKE_OFFERER_MS  1000
#define REPROVOKE_ANSWERER_MS 2300

enum phase {
    PHASE_EMPTY,       /* no ice-agent */
    PHASE_PREPARED,    /* an ice-agent gathers, the negotiation has no name yet */
    PHASE_NEGOTIATING, /* offer sent or taken */
    PHASE_USABLE,      /* a pair is there, its port is open */
    PHASE_LEFT,        /* its path was left for another, which is not confirmed yet */
};

struct slot {
    enum phase phase;
    bool agent; /* runs */
    char id[17];
    char ufrag[257], pwd[257]; /* ours; "" until the agent says */
    char remote_ufrag[257], remote_pwd[257];
    char *candidates[SESSION_CANDIDATES]; /* ours */
    size_t candidate_count, remote_candidate_count;
    bool done;
    bool peer_usable; /* the peer said that its port is open */
    bool local_srflx, remote_srflx;
    bool lost; /* the agent's probes go unanswered */
    int64_t started, resend_at, use_at;
    struct endpoint base, remote;
    int64_t rtt_ms;
};

struct session {
    bool offerer, online, wg_ready, peer_known;
    char wg_public_key[45]; /* the peer's */
    struct slot slots[SESSION_SLOTS];
    int active, trial, left; /* slots, or NONE */
    bool confirmed;          /* WireGuard traffic came since the move to `active` */
    bool baseline_due;       /* the next status is what a confirmation is measured against */
    int64_t moved_at, baseline_rx, baseline_handshake;
    int64_t reprovoke_at;
    int64_t latest_handshake;
    unsigned failures;
    int64_t retry_at, want_at;
    int64_t starts[SESSION_RATE];
    unsigned start_next;
    char reason[300];
    /* of the event at hand */
    int64_t now;
    uint64_t random;
    struct session_actions *out;
};

struct session *session_new(bool offerer)
{
    struct session *s = calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    s->offerer = offerer;
    s->active = s->trial = s->left = NONE;
    s->retry_at = s->want_at = s->reprovoke_at = NEVER;
    for (unsigned i = 0; i < SESSION_RATE; i++)
        s->starts[i] = INT64_MIN / 2;
    snprintf(s->reason, sizeof s->reason, "waiting for signalling");
    return s;
}

static void slot_forget(struct slot *slot)
{
    for (size_t i = 0; i < slot->candidate_count; i++)
        free(slot->candidates[i]);
    memset(slot, 0, sizeof *slot);
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
    return s->active != NONE;
}

bool session_wants_status(const struct session *s)
{
    return s->active != NONE && !s->confirmed && s->now - s->moved_at < 10000;
}

/* Actions */

static struct message *action(struct session *s, enum session_action_type type, int slot,
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

static void copy(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from);
}

static void notify_path(struct session *s, const char *reason)
{
    struct message *event = action(s, SESSION_NOTIFY, NONE, MESSAGE_event_path);
    const struct slot *slot = s->active == NONE ? NULL : &s->slots[s->active];

    if (reason != NULL)
        copy(s->reason, sizeof s->reason, reason);
    event->event_path.kind = slot ? "direct" : "none";
    if (slot != NULL) {
        event->event_path.base = slot->base;
        event->event_path.remote = slot->remote;
        event->event_path.rtt_ms = slot->rtt_ms;
    }
    if (reason != NULL)
        event->event_path.reason = s->reason;
}

static void send_plain(struct session *s, enum message_type type)
{
    action(s, SESSION_SEND, NONE, type);
}

static void send_description(struct session *s, struct slot *slot)
{
    struct message *m;

    if (s->offerer) {
        m = action(s, SESSION_SEND, NONE, MESSAGE_offer);
        m->offer.session = slot->id;
        m->offer.ufrag = slot->ufrag;
        m->offer.pwd = slot->pwd;
    } else {
        m = action(s, SESSION_SEND, NONE, MESSAGE_answer);
        m->answer.session = slot->id;
        m->answer.ufrag = slot->ufrag;
        m->answer.pwd = slot->pwd;
    }
}

static void send_candidate(struct session *s, struct slot *slot, size_t index)
{
    struct message *m = action(s, SESSION_SEND, NONE, MESSAGE_peer_candidate);

    m->peer_candidate.session = slot->id;
    m->peer_candidate.ufrag = slot->ufrag;
    m->peer_candidate.candidate = slot->candidates[index];
}

static void send_done(struct session *s, struct slot *slot)
{
    struct message *m = action(s, SESSION_SEND, NONE, MESSAGE_peer_candidates_done);

    m->peer_candidates_done.session = slot->id;
    m->peer_candidates_done.ufrag = slot->ufrag;
}

/* All that we have said in this negotiation; lost or doubled messages do no harm. */
static void send_all(struct session *s, struct slot *slot)
{
    if (slot->phase < PHASE_NEGOTIATING || slot->ufrag[0] == '\0')
        return;
    send_description(s, slot);
    for (size_t i = 0; i < slot->candidate_count; i++)
        send_candidate(s, slot, i);
    if (slot->done)
        send_done(s, slot);
    slot->resend_at = s->now + SESSION_RESEND_MS;
}

static void wg_port(struct session *s, enum message_type type, const struct endpoint *base)
{
    struct message *m = action(s, SESSION_WG, NONE, type);

    if (type == MESSAGE_port_open)
        m->port_open.base = *base;
    else
        m->port_close.base = *base;
}

static void wg_path(struct session *s, const struct slot *slot)
{
    struct message *m = action(s, SESSION_WG, NONE, MESSAGE_path_set);

    m->path_set.kind = slot ? "direct" : "none";
    if (slot != NULL) {
        m->path_set.base = slot->base;
        m->path_set.remote = slot->remote;
    }
}

static void wg_peer(struct session *s)
{
    struct message *m = action(s, SESSION_WG, NONE, MESSAGE_peer_set);

    m->peer_set.wg_public_key = s->wg_public_key;
}

/* Slots */

static int slot_free(const struct session *s)
{
    for (int i = 0; i < SESSION_SLOTS; i++)
        if (s->slots[i].phase == PHASE_EMPTY)
            return i;
    return NONE;
}

static bool slot_has_port(const struct slot *slot)
{
    return slot->base.address[0] != '\0';
}

static void slot_close(struct session *s, int index)
{
    struct slot *slot = &s->slots[index];

    if (slot->agent)
        action(s, SESSION_AGENT_STOP, index, MESSAGE_NONE);
    if (slot_has_port(slot) && s->wg_ready)
        wg_port(s, MESSAGE_port_close, &slot->base);
    slot_forget(slot);
    if (s->trial == index)
        s->trial = NONE;
    if (s->left == index)
        s->left = NONE;
    if (s->active == index)
        s->active = NONE;
}

static void slot_start_agent(struct session *s, int index)
{
    s->slots[index].agent = true;
    action(s, SESSION_AGENT_START, index, MESSAGE_NONE);
}

/* An ice-agent that gathers while the brokers still greet each other saves its round trips. */
static void trial_prepare(struct session *s)
{
    int index = slot_free(s);

    if (s->trial != NONE || index == NONE)
        return;
    s->trial = index;
    s->slots[index].phase = PHASE_PREPARED;
    s->slots[index].started = s->now;
    slot_start_agent(s, index);
}

static void trial_name(struct session *s, const char *id)
{
    struct slot *slot = &s->slots[s->trial];

    copy(slot->id, sizeof slot->id, id);
    slot->phase = PHASE_NEGOTIATING;
    slot->started = s->now;
    slot->resend_at = slot->use_at = NEVER;
    s->starts[s->start_next] = s->now;
    s->start_next = (s->start_next + 1) % SESSION_RATE;
}

/* When the rate allows the next negotiation. */
static int64_t rate_at(const struct session *s)
{
    return s->starts[s->start_next] + 60000;
}

static int64_t jittered(const struct session *s, int64_t ms)
{
    return ms - ms / 5 + (int64_t)(s->random % (uint64_t)(2 * ms / 5 + 1));
}

static void retry_later(struct session *s)
{
    unsigned step = s->failures < RETRY_STEPS ? s->failures : RETRY_STEPS - 1;

    s->retry_at = s->now + jittered(s, retry_ms[step]);
    s->failures++;
}

static bool can_negotiate(const struct session *s)
{
    return s->online && s->peer_known && s->wg_ready;
}

static bool needs_path(const struct session *s)
{
    if (s->active == NONE)
        return true;
    return s->slots[s->active].lost || !s->slots[s->active].agent;
}

static void offer_begin(struct session *s)
{
    char id[17];

    if (s->now < rate_at(s)) {
        s->retry_at = rate_at(s);
        return;
    }
    trial_prepare(s);
    if (s->trial == NONE)
        return;
    snprintf(id, sizeof id, "%016llx", (unsigned long long)s->random);
    trial_name(s, id);
    send_all(s, &s->slots[s->trial]);
}

/* Starts a negotiation if one is wanted and possible, or arranges for it. */
static void negotiate(struct session *s)
{
    if (!can_negotiate(s) || s->left != NONE)
        return;
    if (s->trial != NONE && s->slots[s->trial].phase != PHASE_PREPARED)
        return;
    if (!needs_path(s)) {
        s->retry_at = s->want_at = NEVER;
        return;
    }
    if (s->retry_at != NEVER && s->now < s->retry_at)
        return;
    s->retry_at = NEVER;
    if (s->offerer) {
        offer_begin(s);
    } else if (s->want_at == NEVER) {
        s->want_at = s->now + SESSION_WANT_MS;
    } else if (s->now >= s->want_at) {
        send_plain(s, MESSAGE_want_session);
        retry_later(s);
        s->want_at = s->retry_at;
    }
}

/* At once: an earlier failure or a waiting time says nothing about the network that is there now. */
static void negotiate_now(struct session *s)
{
    s->failures = 0;
    s->retry_at = NEVER;
    s->want_at = NEVER;
    negotiate(s);
}

static void trial_fail(struct session *s, const char *reason)
{
    slot_close(s, s->trial);
    if (s->active == NONE)
        notify_path(s, reason);
    retry_later(s);
    if (!s->offerer)
        s->want_at = s->retry_at;
}

/* Moving between paths */

static void path_take(struct session *s, int index)
{
    struct slot *slot = &s->slots[index];

    slot->phase = PHASE_USABLE;
    s->active = index;
    s->confirmed = false;
    s->moved_at = s->now;
    s->reprovoke_at =
        s->latest_handshake > 0
            ? NEVER
            : s->now + (s->offerer ? REPROVOKE_OFFERER_MS : REPROVOKE_ANSWERER_MS);
    wg_path(s, slot);
}

/* What a confirmation is measured against. The offerer counts from its move. The other counts from when its
 * port is open, for the offerer's first packet may come before it moves itself. */
static void wg_baseline(struct session *s)
{
    s->baseline_due = true;
    action(s, SESSION_WG, NONE, MESSAGE_status);
}

static void send_path(struct session *s, struct slot *slot)
{
    struct message *m = action(s, SESSION_SEND, NONE, MESSAGE_path);

    m->path.session = slot->id;
    m->path.kind = "direct";
}

static void path_move(struct session *s, int index)
{
    int before = s->active;

    s->trial = NONE;
    if (s->offerer)
        wg_baseline(s);
    if (before != NONE) {
        s->left = before;
        s->slots[before].phase = PHASE_LEFT;
    }
    path_take(s, index);
    s->failures = 0;
    s->retry_at = s->want_at = NEVER;
    notify_path(s, NULL);
    if (s->offerer)
        send_path(s, &s->slots[index]);
}

static void path_confirm(struct session *s)
{
    s->confirmed = true;
    s->reprovoke_at = NEVER;
    if (s->left != NONE)
        slot_close(s, s->left);
    negotiate(s);
}

/* The new path brought nothing in time: the one before is still open. */
static void path_undo(struct session *s)
{
    int failed = s->active, before = s->left;

    s->left = NONE;
    path_take(s, before);
    s->confirmed = true;
    slot_close(s, failed);
    notify_path(s, "the path tried in its place carried no WireGuard traffic");
    retry_later(s);
}

static void path_drop(struct session *s, const char *reason)
{
    if (s->left != NONE)
        slot_close(s, s->left);
    if (s->active == NONE)
        return;
    slot_close(s, s->active);
    if (s->wg_ready)
        wg_path(s, NULL);
    notify_path(s, reason);
}

/* What the ice-agents say */

static void agent_description(struct session *s, struct slot *slot,
                              const struct message_description *m)
{
    if (strcmp(slot->ufrag, m->ufrag) != 0) {
        for (size_t i = 0; i < slot->candidate_count; i++)
            free(slot->candidates[i]);
        slot->candidate_count = 0;
        slot->done = false;
    }
    copy(slot->ufrag, sizeof slot->ufrag, m->ufrag);
    copy(slot->pwd, sizeof slot->pwd, m->pwd);
    send_all(s, slot);
}

static void agent_candidate(struct session *s, struct slot *slot,
                            const struct message_candidate *m)
{
    struct message *event;

    if (strcmp(m->ufrag, slot->ufrag) != 0 || slot->candidate_count == SESSION_CANDIDATES)
        return;
    slot->candidates[slot->candidate_count] = strdup(m->candidate);
    if (slot->candidates[slot->candidate_count] == NULL)
        return;
    slot->local_srflx |= strstr(m->candidate, " typ srflx") != NULL;
    event = action(s, SESSION_NOTIFY, NONE, MESSAGE_event_candidate);
    event->event_candidate.side = "local";
    event->event_candidate.candidate = slot->candidates[slot->candidate_count];
    if (slot->phase >= PHASE_NEGOTIATING)
        send_candidate(s, slot, slot->candidate_count);
    slot->candidate_count++;
}

/* The offerer moves first, when the other's port is open too; the other follows its word. A side that has
 * nothing to lose moves at once. */
static void trial_use(struct session *s)
{
    struct slot *slot = &s->slots[s->trial];

    slot->phase = PHASE_USABLE;
    slot->use_at = s->now + (s->offerer ? USE_OFFERER_MS : USE_ANSWERER_MS);
    if (!s->offerer) {
        wg_baseline(s);
        send_path(s, slot);
    }
    if (s->active == NONE || (s->offerer && slot->peer_usable))
        path_move(s, s->trial);
}

static void agent_selected(struct session *s, int index, const struct message_selected *m)
{
    struct slot *slot = &s->slots[index];
    struct endpoint old = slot->base;
    bool fresh = !slot_has_port(slot);

    if (strcmp(m->kind, "direct") != 0)
        return;
    if (!fresh && endpoint_equal(&old, &m->base) && endpoint_equal(&slot->remote, &m->remote))
        return;
    slot->base = m->base;
    slot->remote = m->remote;
    slot->rtt_ms = m->rtt_ms;
    slot->lost = false;
    if (!s->wg_ready)
        return;
    if (fresh || !endpoint_equal(&old, &m->base))
        wg_port(s, MESSAGE_port_open, &slot->base);
    if (index == s->active) {
        wg_path(s, slot);
        notify_path(s, NULL);
    } else if (index == s->trial) {
        trial_use(s);
    }
    if (!fresh && !endpoint_equal(&old, &m->base))
        wg_port(s, MESSAGE_port_close, &old);
}

static const char *failure_reason(const struct slot *slot)
{
    if (slot->candidate_count == 0)
        return "no local address to send from";
    if (slot->remote_ufrag[0] == '\0')
        return "the peer did not answer the offer";
    if (!slot->local_srflx && !slot->remote_srflx)
        return "no candidate pair worked, and no STUN server answered either side: UDP may be "
               "blocked";
    if (!slot->local_srflx)
        return "no candidate pair worked, and no STUN server answered here: UDP may be blocked";
    if (!slot->remote_srflx)
        return "no candidate pair worked, and no STUN server answered the peer: UDP may be blocked "
               "there";
    return "no candidate pair worked: both NATs may map each destination to another port "
           "(symmetric), or UDP is blocked";
}

static void agent_state(struct session *s, int index, const char *state)
{
    struct slot *slot = &s->slots[index];

    if (strcmp(state, "failed") == 0 && index == s->trial && slot->phase == PHASE_NEGOTIATING) {
        trial_fail(s, failure_reason(slot));
    } else if (strcmp(state, "connected") == 0) {
        slot->lost = false;
    } else if (strcmp(state, "lost") == 0 || strcmp(state, "failed") == 0) {
        slot->lost = true;
        if (index == s->active)
            negotiate_now(s);
    }
}

static void on_agent(struct session *s, int index, const struct message *m)
{
    struct slot *slot = &s->slots[index];

    if (!slot->agent)
        return;
    switch (m->type) {
    case MESSAGE_description:
        agent_description(s, slot, &m->description);
        break;
    case MESSAGE_candidate:
        agent_candidate(s, slot, &m->candidate);
        break;
    case MESSAGE_candidates_done:
        slot->done = true;
        if (slot->phase >= PHASE_NEGOTIATING && slot->ufrag[0] != '\0')
            send_done(s, slot);
        break;
    case MESSAGE_selected:
        agent_selected(s, index, &m->selected);
        break;
    case MESSAGE_state:
        agent_state(s, index, m->state.state);
        break;
    default:
        break;
    }
}

/* WireGuard and its port stand without the agent; only our liveness is gone. */
static void on_agent_down(struct session *s, int index)
{
    struct slot *slot = &s->slots[index];

    slot->agent = false;
    if (index == s->trial)
        trial_fail(s, "the ice-agent ended");
    else if (index == s->active)
        negotiate_now(s);
    else if (index == s->left)
        slot_close(s, index);
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
    copy(slot->remote_ufrag, sizeof slot->remote_ufrag, ufrag);
    copy(slot->remote_pwd, sizeof slot->remote_pwd, pwd);
    slot->remote_candidate_count = 0;
    m = action(s, SESSION_AGENT_INPUT, slot_index(s, slot), MESSAGE_description);
    m->description.ufrag = slot->remote_ufrag;
    m->description.pwd = slot->remote_pwd;
}

static void on_offer(struct session *s, const struct message_offer *offer)
{
    struct slot *slot = slot_named(s, offer->session);

    if (s->offerer || !s->wg_ready)
        return;
    if (slot == NULL) {
        if (s->now < rate_at(s))
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
    send_all(s, slot);
}

static void on_answer(struct session *s, const struct message_answer *answer)
{
    struct slot *slot = slot_named(s, answer->session);

    if (!s->offerer || slot == NULL)
        return;
    if (slot->remote_ufrag[0] == '\0') {
        agent_take_description(s, slot, answer->ufrag, answer->pwd);
    } else if (strcmp(slot->remote_ufrag, answer->ufrag) != 0 &&
               slot->phase == PHASE_NEGOTIATING) {
        /* The other broker restarted: the agent that ours talks to is gone. */
        slot_close(s, slot_index(s, slot));
        negotiate_now(s);
    }
}

static void on_candidate(struct session *s, const struct message *message)
{
    const struct message_peer_candidate *from = &message->peer_candidate;
    struct slot *slot = slot_named(s, from->session);
    struct message *m;

    if (slot == NULL || slot->remote_candidate_count >= 3 * SESSION_CANDIDATES)
        return;
    slot->remote_candidate_count++;
    slot->remote_srflx |= strstr(from->candidate, " typ srflx") != NULL;
    m = action(s, SESSION_NOTIFY, NONE, MESSAGE_event_candidate);
    m->event_candidate.side = "remote";
    m->event_candidate.candidate = from->candidate;
    m = action(s, SESSION_AGENT_INPUT, slot_index(s, slot), MESSAGE_candidate);
    m->candidate.ufrag = from->ufrag;
    m->candidate.candidate = from->candidate;
}

static void on_candidates_done(struct session *s, const struct message_peer_candidates_done *from)
{
    struct slot *slot = slot_named(s, from->session);
    struct message *m;

    if (slot == NULL)
        return;
    m = action(s, SESSION_AGENT_INPUT, slot_index(s, slot), MESSAGE_candidates_done);
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

static void on_message(struct session *s, const struct message *m)
{
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
        if (s->trial != NONE)
            slot_close(s, s->trial);
        path_drop(s, "the peer said goodbye");
        break;
    default:
        break;
    }
}

static void on_hello(struct session *s, const struct message_peer_hello *hello)
{
    bool changed = strcmp(s->wg_public_key, hello->wg_public_key) != 0;

    copy(s->wg_public_key, sizeof s->wg_public_key, hello->wg_public_key);
    s->peer_known = true;
    if (changed && s->wg_ready)
        wg_peer(s);
    negotiate_now(s);
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
    s->online = false;
    if (s->trial != NONE && s->slots[s->trial].phase == PHASE_PREPARED)
        slot_close(s, s->trial);
}

/* A wg-setup that comes back knows nothing of what was asked of the one before. */
static void on_wg_ready(struct session *s)
{
    s->wg_ready = true;
    if (s->peer_known)
        wg_peer(s);
    for (int i = 0; i < SESSION_SLOTS; i++)
        if (slot_has_port(&s->slots[i]))
            wg_port(s, MESSAGE_port_open, &s->slots[i].base);
    if (s->active != NONE)
        wg_path(s, &s->slots[s->active]);
    if (s->trial != NONE && slot_has_port(&s->slots[s->trial]))
        trial_use(s);
    negotiate_now(s);
}

static void on_wg_status(struct session *s, const struct message_peer_status *status)
{
    bool first = status->latest_handshake > s->latest_handshake;

    if (s->baseline_due) {
        s->baseline_rx = status->rx_bytes;
        s->baseline_handshake = s->latest_handshake;
        s->baseline_due = false;
    }
    s->latest_handshake = status->latest_handshake;
    if (first) {
        struct message *m = action(s, SESSION_NOTIFY, NONE, MESSAGE_event_handshake);

        m->event_handshake.endpoint = status->endpoint;
    }
    /* The peer moved, and its word of it was lost. */
    if (s->trial != NONE && s->slots[s->trial].phase == PHASE_USABLE &&
        endpoint_equal(&status->endpoint, &s->slots[s->trial].remote))
        path_move(s, s->trial);
    if (s->active == NONE || s->confirmed)
        return;
    if (!endpoint_equal(&status->endpoint, &s->slots[s->active].remote))
        return;
    if (status->latest_handshake > s->baseline_handshake || status->rx_bytes > s->baseline_rx)
        path_confirm(s);
}

/* An agent gathers once: after a change of addresses it is of no use for something new. */
static void on_network_changed(struct session *s)
{
    if (s->trial != NONE && s->slots[s->trial].phase != PHASE_USABLE)
        slot_close(s, s->trial);
    if (s->active != NONE)
        s->slots[s->active].lost = true;
    s->failures = 0;
    s->retry_at = s->want_at = NEVER;
    if (s->offerer)
        negotiate(s);
    else if (can_negotiate(s))
        send_plain(s, MESSAGE_want_session);
}

static void reprovoke(struct session *s)
{
    s->reprovoke_at = NEVER;
    if (s->latest_handshake > 0 || s->active == NONE || !s->wg_ready)
        return;
    action(s, SESSION_WG, NONE, MESSAGE_wg_peer_remove);
    wg_peer(s);
    for (int i = 0; i < SESSION_SLOTS; i++)
        if (slot_has_port(&s->slots[i]))
            wg_port(s, MESSAGE_port_open, &s->slots[i].base);
    wg_path(s, &s->slots[s->active]);
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
        trial_fail(s, failure_reason(slot));
    } else if (s->offerer && s->now >= slot->resend_at) {
        send_all(s, slot);
    }
}

static void on_tick(struct session *s)
{
    if (s->trial != NONE)
        tick_trial(s);
    if (s->now >= s->reprovoke_at)
        reprovoke(s);
    if (s->active != NONE && !s->confirmed && s->left != NONE &&
        s->now - s->moved_at >= SESSION_CONFIRM_MS)
        path_undo(s);
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
        on_message(s, event->message);
        break;
    case SESSION_AGENT:
        on_agent(s, event->slot, event->message);
        break;
    case SESSION_AGENT_DOWN:
        on_agent_down(s, event->slot);
        break;
    case SESSION_WG_READY:
        on_wg_ready(s);
        break;
    case SESSION_WG_DOWN:
        s->wg_ready = false;
        break;
    case SESSION_WG_STATUS:
        on_wg_status(s, &event->message->peer_status);
        break;
    case SESSION_NETWORK_CHANGED:
        on_network_changed(s);
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
    int64_t at = s->reprovoke_at;

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
        at = earlier(at, s->moved_at + SESSION_CONFIRM_MS);
    if (can_negotiate(s) && s->left == NONE && needs_path(s) &&
        (s->trial == NONE || s->slots[s->trial].phase == PHASE_PREPARED))
        at = earlier(at, earlier(s->retry_at, s->want_at));
    return at;
}
