/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/session_state.h"

#include <stdlib.h>
#include <string.h>

/* With a path to lose, a side moves only when the other's port is open too. Its word of that may be
 * lost: then it moves after this, in ms. */
#define USE_OFFERER_MS  1000
#define USE_ANSWERER_MS 2000

static void agent_description(struct session *s, struct slot *slot,
                              const struct message_description *m)
{
    if (strcmp(slot->ufrag, m->ufrag) != 0) {
        for (size_t i = 0; i < slot->candidate_count; i++)
            free(slot->candidates[i]);
        slot->candidate_count = 0;
        slot->done = false;
    }
    say_copy(slot->ufrag, sizeof slot->ufrag, m->ufrag);
    say_copy(slot->pwd, sizeof slot->pwd, m->pwd);
    say_all(s, slot);
}

static void agent_candidate(struct session *s, struct slot *slot, const struct message_candidate *m)
{
    struct message *event;

    if (strcmp(m->ufrag, slot->ufrag) != 0 || slot->candidate_count == SESSION_CANDIDATES)
        return;
    slot->candidates[slot->candidate_count] = strdup(m->candidate);
    if (slot->candidates[slot->candidate_count] == NULL)
        return;
    slot->local_srflx |= strstr(m->candidate, " typ srflx") != NULL;
    event = say_action(s, SESSION_NOTIFY, NONE, MESSAGE_event_candidate);
    event->event_candidate.side = "local";
    event->event_candidate.candidate = slot->candidates[slot->candidate_count];
    if (slot->phase >= PHASE_NEGOTIATING)
        say_candidate(s, slot, slot->candidate_count);
    slot->candidate_count++;
}

/* The offerer moves first, when the other's port is open too; the other follows its word. A side
 * that has nothing to lose moves at once. */
void trial_use(struct session *s)
{
    struct slot *slot = &s->slots[s->trial];

    slot->phase = PHASE_USABLE;
    slot->use_at = s->now + (s->offerer ? USE_OFFERER_MS : USE_ANSWERER_MS);
    if (!s->offerer) {
        path_baseline(s);
        say_path(s, slot);
    }
    if (!has_path(s) || (s->offerer && slot->peer_usable))
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
    slot->silent = false;
    if (!s->wg_ready)
        return;
    if (fresh || !endpoint_equal(&old, &m->base))
        wg_say_port(s, MESSAGE_port_open, &slot->base);
    if (index == s->active) {
        wg_say_path(s, slot);
        say_path_event(s, NULL);
    } else if (index == s->trial) {
        trial_use(s);
    }
    if (!fresh && !endpoint_equal(&old, &m->base))
        wg_say_port(s, MESSAGE_port_close, &old);
}

const char *agent_failure(const struct slot *slot)
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
        trial_fail(s, agent_failure(slot));
    } else if (strcmp(state, "connected") == 0) {
        slot->silent = false;
        if (index == s->active)
            health_connected(s);
    } else if (strcmp(state, "lost") == 0 || strcmp(state, "failed") == 0) {
        slot->silent = true;
        if (index == s->active)
            health_suspect(s);
    }
}

void agent_said(struct session *s, int index, const struct message *m)
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
            say_done(s, slot);
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
void agent_ended(struct session *s, int index)
{
    struct slot *slot = &s->slots[index];

    slot->agent = false;
    if (index == s->trial)
        trial_fail(s, "the ice-agent ended");
    else if (index == s->active)
        want_now(s);
    else if (index == s->left)
        slot_close(s, index);
}
