/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/session_state.h"

/* A first handshake may be lost, or meet one of the other side's on its way: then both drop what
 * they are answered, and WireGuard itself tries again after its REKEY_TIMEOUT of 5 s. So the
 * offerer begins and the other waits; where nothing has come after this, in ms, and so many round
 * trips, the peer is set anew. */
#define REPROVOKE_OFFERER_MS     200
#define REPROVOKE_OFFERER_RTTS   3
#define REPROVOKE_ANSWERER_MS    700
#define REPROVOKE_ANSWERER_RTTS  6
#define REPROVOKE_AGAIN_MS       1000
#define REPROVOKE_AGAIN_OTHER_MS 1300
#define REPROVOKES               3
/* On a path that is tried both sides send at once. Where probes come back and that does not, the
 * two have keys of different handshakes, which WireGuard finds out after 15 s (KEEPALIVE_TIMEOUT +
 * REKEY_TIMEOUT). */
#define REPROVOKE_TRIAL_OFFERER_MS  1000
#define REPROVOKE_TRIAL_ANSWERER_MS 1500

static int64_t reprovoke_time(const struct session *s, const struct slot *slot)
{
    if (s->latest_handshake == 0 && s->offerer)
        return s->now + REPROVOKE_OFFERER_MS + REPROVOKE_OFFERER_RTTS * slot->rtt_ms;
    if (s->latest_handshake == 0)
        return s->now + REPROVOKE_ANSWERER_MS + REPROVOKE_ANSWERER_RTTS * slot->rtt_ms;
    if (s->left == NONE)
        return NEVER;
    return s->now + (s->offerer ? REPROVOKE_TRIAL_OFFERER_MS : REPROVOKE_TRIAL_ANSWERER_MS);
}

/* Not on what was true a moment ago: a handshake that has just come would be undone. */
void path_reprovoke_due(struct session *s)
{
    s->reprovoke_at = NEVER;
    if (s->confirmed || s->active == NONE || !s->wg_ready)
        return;
    s->reprovoke_due = true;
    say_action(s, SESSION_WG, NONE, MESSAGE_status);
}

/* To forget a peer that was answered leaves it with keys that nobody has: of two that have heard
 * each other only the offerer may. */
bool path_may_forget(const struct session *s)
{
    return s->offerer || s->rx_bytes == 0;
}

static bool path_is_deaf(const struct session *s)
{
    return s->left != NONE && !s->slots[s->active].silent && s->rx_bytes <= s->baseline_rx;
}

void path_reprovoke(struct session *s)
{
    s->reprovoke_due = false;
    if (s->confirmed || s->active == NONE || !s->wg_ready ||
        (s->latest_handshake > 0 && !path_is_deaf(s)))
        return;
    if (s->latest_handshake > 0 || path_may_forget(s)) {
        s->passive = false;
        peer_tell_anew(s);
    }
    if (++s->reprovokes < REPROVOKES)
        s->reprovoke_at = s->now + (s->offerer ? REPROVOKE_AGAIN_MS : REPROVOKE_AGAIN_OTHER_MS);
}

void path_take(struct session *s, int index)
{
    struct slot *slot = &s->slots[index];

    slot->phase = PHASE_USABLE;
    s->active = index;
    s->confirmed = false;
    s->moved_at = s->now;
    s->undo_at = s->now + SESSION_CONFIRM_MS;
    health_reset(s);
    s->reprovokes = 0;
    s->reprovoke_due = false;
    s->reprovoke_at = reprovoke_time(s, slot);
    if (s->latest_handshake == 0) {
        s->passive = !s->offerer && (!s->resuming || s->passive);
        wg_say_peer(s);
    }
    wg_say_path(s, slot);
    if (slot->silent)
        health_suspect(s);
}

/* What a confirmation is measured against. The offerer counts from its move. The other counts from
 * when its port is open, for the offerer's first packet may come before it moves itself. */
void path_baseline(struct session *s)
{
    s->baseline_due = true;
    say_action(s, SESSION_WG, NONE, MESSAGE_status);
}

void say_path(struct session *s, struct slot *slot)
{
    struct message *m = say_action(s, SESSION_SEND, NONE, MESSAGE_path);

    m->path.session = slot->id;
    m->path.kind = "direct";
}

void path_move(struct session *s, int index)
{
    int before = s->active;

    s->trial = NONE;
    if (s->offerer)
        path_baseline(s);
    if (before != NONE && (s->resuming || s->gone)) {
        s->resuming = s->gone = false;
        slot_close(s, before);
    } else if (before != NONE) {
        s->left = before;
        s->slots[before].phase = PHASE_LEFT;
    }
    path_take(s, index);
    memory_keep_pair(s, &s->slots[index]);
    s->failures = 0;
    s->retry_at = s->want_at = NEVER;
    say_path_event(s, NULL);
    if (s->offerer)
        say_path(s, &s->slots[index]);
}

void path_confirm(struct session *s)
{
    s->confirmed = true;
    s->reprovoke_at = NEVER;
    if (s->passive) {
        s->passive = false;
        wg_say_peer(s);
        wg_say_path(s, &s->slots[s->active]);
    }
    if (s->left != NONE)
        slot_close(s, s->left);
    if (s->resuming) {
        s->resuming = false;
        say_path_event(s, NULL);
    }
    memory_keep_pair(s, &s->slots[s->active]);
    negotiate(s);
}

/* The new path brought nothing in time: the one before is still open. */
static void path_undo(struct session *s)
{
    int failed = s->active, before = s->left;

    s->left = NONE;
    path_take(s, before);
    memory_keep_pair(s, &s->slots[before]);
    /* Where it was forgotten for the one that failed, its handshake is waited for as for any. */
    s->confirmed = s->latest_handshake > 0;
    slot_close(s, failed);
    say_path_event(s, "the path tried in its place carried no WireGuard traffic");
    retry_later(s);
}

/* That nothing came is known from WireGuard alone: not while nobody can ask it. */
void path_unconfirmed(struct session *s)
{
    if (s->wg_ready && s->status_at > s->moved_at + SESSION_CONFIRM_MS / 2)
        path_undo(s);
    else
        s->undo_at = s->now + SESSION_CONFIRM_MS;
}

void path_drop(struct session *s, const char *reason)
{
    if (s->left != NONE)
        slot_close(s, s->left);
    if (s->active == NONE)
        return;
    slot_close(s, s->active);
    if (s->wg_ready)
        wg_say_path(s, NULL);
    if (reason != NULL)
        say_path_event(s, reason);
}
