/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/session_state.h"

#include <string.h>

/* Tries of a remembered pair follow each other after this, in ms. What one side sends before the
 * other does is lost at the other's NAT, so the two must not keep the same time. Nor may they begin
 * together where both restarted: the answerer first waits for the offerer's handshake. */
#define RESUME_OFFERER_MS        400
#define RESUME_ANSWERER_MS       900
#define RESUME_ANSWERER_FIRST_MS 100

void peer_tell(struct session *s)
{
    wg_say_peer(s);
    if (s->active != NONE)
        return;
    s->standing_due = true;
    say_action(s, SESSION_WG, NONE, MESSAGE_status);
}

void peer_tell_anew(struct session *s)
{
    if (!s->peer_known || !s->wg_ready)
        return;
    wg_say_peer_anew(s);
    if (s->active != NONE)
        wg_say_path(s, &s->slots[s->active]);
}

/* WireGuard has kept this path while there was no broker. */
static void path_adopt(struct session *s, int index, const struct message_peer_status *status)
{
    struct slot *slot = &s->slots[index];

    slot->phase = PHASE_USABLE;
    slot->base = status->base;
    slot->remote = status->endpoint;
    s->active = index;
    s->confirmed = true;
    s->moved_at = s->now;
    health_reset(s);
    memory_keep_pair(s, slot);
    say_path_event(s, NULL);
}

static int64_t resume_next(const struct session *s)
{
    if (s->resume_tries >= SESSION_RESUME_TRIES)
        return NEVER;
    return s->now + (s->offerer ? RESUME_OFFERER_MS : RESUME_ANSWERER_MS);
}

static void resume_try(struct session *s, int index)
{
    const struct session_memory *memory = &s->memory;
    const struct session_pair *pair = &memory->pairs[s->resume_tries / 2 % memory->pair_count];
    struct slot *slot = &s->slots[index];
    bool untried = s->resume_tries++ == 0 && s->latest_handshake == 0;

    s->resuming = true;
    if (slot_has_port(slot) && !endpoint_equal(&slot->base, &pair->base))
        wg_say_port(s, MESSAGE_port_close, &slot->base);
    slot->base = pair->base;
    slot->remote = pair->remote;
    wg_say_port(s, MESSAGE_port_open, &slot->base);
    s->baseline_handshake = s->latest_handshake;
    s->baseline_rx = s->rx_bytes;
    s->passive = untried && !s->offerer;
    if (!untried)
        wg_say_peer_anew(s);
    path_take(s, index);
    s->reprovoke_at = s->passive ? s->now + RESUME_ANSWERER_FIRST_MS : resume_next(s);
}

static bool slot_has_base(const struct session *s, const struct endpoint *base)
{
    for (int i = 0; i < SESSION_SLOTS; i++)
        if (endpoint_equal(&s->slots[i].base, base))
            return true;
    return false;
}

/* A new path was faster than the word of what stands: that is what was left. */
static void path_adopt_left(struct session *s, int index, const struct message_peer_status *status)
{
    if (slot_has_base(s, &status->base))
        return;
    if (s->confirmed || s->left != NONE || index == NONE) {
        wg_say_port(s, MESSAGE_port_close, &status->base);
        return;
    }
    s->slots[index].phase = PHASE_LEFT;
    s->slots[index].base = status->base;
    s->slots[index].remote = status->endpoint;
    s->left = index;
}

void resume_status(struct session *s, const struct message_peer_status *status)
{
    int index = slot_free(s);
    bool stands = status->base.address[0] != '\0' && status->endpoint.address[0] != '\0' &&
                  status->latest_handshake > 0;

    s->standing_due = false;
    if (s->active != NONE) {
        if (stands)
            path_adopt_left(s, index, status);
    } else if (index == NONE) {
        return;
    } else if (stands) {
        path_adopt(s, index, status);
    } else if (s->memory.pair_count > 0) {
        s->resume_tries = 0;
        s->resume_until = s->now + SESSION_RESUME_STAND_MS;
        resume_try(s, index);
    }
}

void resume_again(struct session *s)
{
    bool heard = s->latest_handshake == 0 && s->rx_bytes > 0;

    s->reprovoke_due = false;
    if (s->latest_handshake != s->baseline_handshake || s->active == NONE || !s->wg_ready)
        return;
    if (!heard) {
        resume_try(s, s->active);
        return;
    }
    s->resume_tries++;
    s->reprovoke_at = resume_next(s);
    if (path_may_forget(s))
        peer_tell_anew(s);
}

void resume_tick(struct session *s)
{
    if (!s->resuming || s->now < s->resume_until)
        return;
    s->resuming = false;
    slot_close(s, s->active);
    if (s->wg_ready)
        wg_say_path(s, NULL);
}

int64_t resume_deadline(const struct session *s)
{
    return s->resuming ? s->resume_until : NEVER;
}

/* The latest first, each once. */
void memory_keep_pair(struct session *s, const struct slot *slot)
{
    struct session_memory *memory = &s->memory;
    size_t at = 0;

    while (at < memory->pair_count && !(endpoint_equal(&memory->pairs[at].base, &slot->base) &&
                                        endpoint_equal(&memory->pairs[at].remote, &slot->remote)))
        at++;
    if (at == 0 && memory->pair_count > 0)
        return;
    if (at == memory->pair_count && memory->pair_count < SESSION_PAIRS)
        memory->pair_count++;
    if (at == memory->pair_count)
        at--;
    memmove(&memory->pairs[1], &memory->pairs[0], at * sizeof memory->pairs[0]);
    memory->pairs[0] = (struct session_pair){.base = slot->base, .remote = slot->remote};
    say_action(s, SESSION_KEEP, NONE, MESSAGE_NONE);
}
