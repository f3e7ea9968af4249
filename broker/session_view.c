/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/session_state.h"

static const char *path_state(const struct session *s)
{
    if (s->gone)
        return "offline";
    if (s->resuming)
        return "resuming";
    if (s->dead)
        return "lost";
    return s->confirmed ? "connected" : "confirming";
}

static const char *trial_state(const struct session *s)
{
    if (!s->online)
        return "offline";
    if (!s->greeted)
        return "greeting";
    if (s->trial == NONE && s->retry_at != NEVER)
        return "retrying";
    return "connecting";
}

static const char *state_word(const struct session *s)
{
    if (!s->wg_ready)
        return "waiting-for-wireguard";
    return s->active != NONE ? path_state(s) : trial_state(s);
}

struct session_view session_look(const struct session *s)
{
    struct session_view view = {
        .state = state_word(s),
        .path = has_path(s),
        .reason = s->failures > 0 && !has_path(s) ? s->reason : NULL,
        .retry_at = s->trial == NONE && !has_path(s) ? s->retry_at : NEVER,
        .rtt_ms = MESSAGE_ABSENT,
    };

    if (view.path) {
        const struct slot *slot = &s->slots[s->active];

        view.base = slot->base;
        view.remote = slot->remote;
        if (slot->agent)
            view.rtt_ms = slot->rtt_ms;
    }
    return view;
}
