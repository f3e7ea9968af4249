/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/session_state.h"

static const char silent_reason[] =
    "nothing comes through the path any more; another is looked for";
static const char waiting_reason[] =
    "nothing comes through the path any more; waiting for signalling";

void health_reset(struct session *s)
{
    s->dead = s->renew = false;
    s->suspicion = SUSPICION_NONE;
    s->suspect_at = NEVER;
    s->rx_at = s->now;
}

/* Loss that hits five probes in a row is no reason to move where WireGuard's own packets still come
 * in. */
void health_suspect(struct session *s)
{
    if (s->dead || s->suspicion != SUSPICION_NONE)
        return;
    s->suspicion = SUSPICION_FIRST;
    say_action(s, SESSION_WG, NONE, MESSAGE_status);
}

static void health_dead(struct session *s)
{
    s->dead = true;
    s->suspicion = SUSPICION_NONE;
    s->suspect_at = NEVER;
    if (!s->gone)
        say_path_event(s, s->online ? silent_reason : waiting_reason);
    want_now(s);
}

static void suspect_later(struct session *s, int64_t ms)
{
    s->suspicion = SUSPICION_WAIT;
    s->suspect_at = s->now + ms;
    s->suspect_rx = s->rx_bytes;
}

static void health_healed(struct session *s)
{
    s->dead = false;
    if (!s->gone)
        say_path_event(s, NULL);
}

void health_connected(struct session *s)
{
    s->suspicion = SUSPICION_NONE;
    s->suspect_at = NEVER;
    if (s->dead)
        health_healed(s);
}

static bool is_quiet(const struct session *s)
{
    return s->active != NONE && !s->slots[s->active].agent && s->confirmed && !s->dead &&
           s->now - s->rx_at >= SESSION_QUIET_MS;
}

void health_status(struct session *s, const struct message_peer_status *status)
{
    bool grew = status->rx_bytes > s->rx_bytes;

    s->rx_bytes = status->rx_bytes;
    if (grew)
        s->rx_at = s->now;
    if (s->active == NONE)
        return;
    if (s->dead && grew) {
        health_healed(s);
        suspect_later(s, SESSION_HEALED_MS);
    } else if (s->suspicion == SUSPICION_FIRST) {
        suspect_later(s, SESSION_SUSPECT_MS);
    } else if (s->suspicion == SUSPICION_SECOND) {
        if (s->rx_bytes > s->suspect_rx)
            suspect_later(s, SESSION_SUSPECT_AGAIN_MS);
        else
            health_dead(s);
    } else if (is_quiet(s)) {
        health_dead(s);
    }
}

void health_tick(struct session *s)
{
    if (s->suspicion != SUSPICION_WAIT || s->now < s->suspect_at)
        return;
    s->suspect_at = NEVER;
    s->suspicion = SUSPICION_NONE;
    if (s->active == NONE || !s->slots[s->active].silent)
        return;
    s->suspicion = SUSPICION_SECOND;
    say_action(s, SESSION_WG, NONE, MESSAGE_status);
}

int64_t health_deadline(const struct session *s)
{
    return s->suspicion == SUSPICION_WAIT ? s->suspect_at : NEVER;
}
