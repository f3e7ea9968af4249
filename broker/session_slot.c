/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/session_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Waiting between negotiations that fail, in ms; the last goes on for ever. */
static const int64_t retry_ms[] = {5000, 10000, 30000, 60000, 120000, 300000};
#define RETRY_STEPS (sizeof retry_ms / sizeof retry_ms[0])

void slot_forget(struct slot *slot)
{
    for (size_t i = 0; i < slot->candidate_count; i++)
        free(slot->candidates[i]);
    memset(slot, 0, sizeof *slot);
}

int slot_free(const struct session *s)
{
    for (int i = 0; i < SESSION_SLOTS; i++)
        if (s->slots[i].phase == PHASE_EMPTY)
            return i;
    return NONE;
}

bool slot_has_port(const struct slot *slot)
{
    return slot->base.address[0] != '\0';
}

void slot_close(struct session *s, int index)
{
    struct slot *slot = &s->slots[index];

    if (slot->agent)
        say_action(s, SESSION_AGENT_STOP, index, MESSAGE_NONE);
    if (slot_has_port(slot) && s->wg_ready)
        wg_say_port(s, MESSAGE_port_close, &slot->base);
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
    say_action(s, SESSION_AGENT_START, index, MESSAGE_NONE);
}

/* An ice-agent that gathers while the brokers still greet each other saves its round trips. */
void trial_prepare(struct session *s)
{
    int index = slot_free(s);

    if (s->trial != NONE || index == NONE)
        return;
    s->trial = index;
    s->slots[index].phase = PHASE_PREPARED;
    s->slots[index].started = s->now;
    slot_start_agent(s, index);
}

void trial_name(struct session *s, const char *id)
{
    struct slot *slot = &s->slots[s->trial];

    say_copy(slot->id, sizeof slot->id, id);
    slot->phase = PHASE_NEGOTIATING;
    slot->started = s->now;
    slot->resend_at = slot->use_at = NEVER;
    slot->resends = 0;
    s->starts[s->start_next] = s->now;
    s->start_next = (s->start_next + 1) % SESSION_RATE;
}

/* When the rate allows the next negotiation. */
int64_t trial_rate_at(const struct session *s)
{
    return s->starts[s->start_next] + 60000;
}

static int64_t jittered(const struct session *s, int64_t ms)
{
    return ms - ms / 5 + (int64_t)(s->random % (uint64_t)(2 * ms / 5 + 1));
}

void retry_later(struct session *s)
{
    unsigned step = s->failures < RETRY_STEPS ? s->failures : RETRY_STEPS - 1;

    s->retry_at = s->now + jittered(s, retry_ms[step]);
    s->failures++;
    if (!s->offerer)
        s->want_at = s->retry_at;
}

bool can_negotiate(const struct session *s)
{
    return s->online && s->greeted && s->wg_ready;
}

bool has_path(const struct session *s)
{
    return s->active != NONE && !s->dead && !s->resuming && !s->gone;
}

bool needs_path(const struct session *s)
{
    return !has_path(s) || s->renew || !s->slots[s->active].agent;
}

void offer_begin(struct session *s)
{
    char id[17];

    if (s->now < trial_rate_at(s)) {
        s->retry_at = trial_rate_at(s);
        return;
    }
    trial_prepare(s);
    if (s->trial == NONE)
        return;
    snprintf(id, sizeof id, "%016llx", (unsigned long long)s->random);
    trial_name(s, id);
    say_all(s, &s->slots[s->trial]);
}

/* Starts a negotiation if one is wanted and possible, or arranges for it. */
void negotiate(struct session *s)
{
    if (!can_negotiate(s) || s->left != NONE || s->gone)
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
        say_plain(s, MESSAGE_want_session);
        retry_later(s);
    }
}

/* At once: an earlier failure or a waiting time says nothing about the network that is there now.
 */
void negotiate_now(struct session *s)
{
    s->failures = 0;
    s->retry_at = NEVER;
    s->want_at = NEVER;
    negotiate(s);
}

/* As negotiate_now(), and the offerer, which may not know yet, is told at once. */
void want_now(struct session *s)
{
    negotiate_now(s);
    if (s->offerer || !can_negotiate(s) || s->gone)
        return;
    say_plain(s, MESSAGE_want_session);
    retry_later(s);
}

void trial_fail(struct session *s, const char *reason)
{
    slot_close(s, s->trial);
    if (!has_path(s) && !s->gone)
        say_path_event(s, reason);
    retry_later(s);
}
