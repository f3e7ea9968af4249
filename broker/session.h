/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The broker's mind about one peer: events in, actions out. Pure: no clock, no randomness, no I/O of its
 * own, so that every race is a unit test.
 *
 * At most two ICE negotiations with a peer live at once, each in a slot with an ice-agent of its own: the
 * one whose path carries traffic, and the one that is tried (or, for CONFIRM_MS after a move, the one that
 * was left). Of the two peers the offerer starts negotiations; the other asks with `want-session`.
 */
#ifndef BROKER_SESSION_H
#define BROKER_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/message.h"

#define SESSION_SLOTS 2

/* While there is no pair the offerer says all again after this, in ms, and the other answers with all it said;
 * both are idempotent, so loss and disorder heal. */
#define SESSION_RESEND_MS    1000
/* A negotiation that has not given a pair by then, in ms, is given up. Below the 15 s in which PROMISES wants a
 * peer called unreachable; libnice itself gives up after 7 s. */
#define SESSION_ATTEMPT_MS   12000
/* After a move, WireGuard must have authenticated traffic within this, in ms, or the move is undone. */
#define SESSION_CONFIRM_MS   3000
/* The peer that is not the offerer waits so long for an offer before it asks for one, in ms. */
#define SESSION_WANT_MS      2000
/* An ice-agent that was started ahead of a negotiation is stopped after this, in ms. */
#define SESSION_PREPARED_MS  60000
/* Negotiations with one peer in a minute. */
#define SESSION_RATE         6
/* Candidates of each side in one negotiation. */
#define SESSION_CANDIDATES   20

enum session_event_type {
    SESSION_TICK,
    SESSION_ONLINE,          /* some transport reaches the peer */
    SESSION_OFFLINE,         /* none does */
    SESSION_HELLO,           /* the peer's authenticated hello; `message` is peer_hello */
    SESSION_MESSAGE,         /* any other message of the peer */
    SESSION_AGENT,           /* `message` of the ice-agent in `slot` */
    SESSION_AGENT_DOWN,      /* the ice-agent in `slot` is gone, not because we stopped it */
    SESSION_WG_READY,        /* wg-setup is there (again) and knows nothing of the peer */
    SESSION_WG_DOWN,
    SESSION_WG_STATUS,       /* `message` is peer_status */
    SESSION_NETWORK_CHANGED, /* our addresses or routes changed, or the machine slept */
};

struct session_event {
    enum session_event_type type;
    int slot;
    const struct message *message;
    int64_t now;     /* ms, monotonic, sleep included */
    uint64_t random; /* fresh for each event */
};

enum session_action_type {
    SESSION_SEND,        /* seal `message` and send it to the peer */
    SESSION_AGENT_START, /* start an ice-agent in `slot`; controlling where we are the offerer */
    SESSION_AGENT_INPUT, /* `message` for the ice-agent in `slot` */
    SESSION_AGENT_STOP,
    SESSION_WG,     /* `message` for wg-setup; ref, peer and what the configuration says are filled in by
                       the caller */
    SESSION_NOTIFY, /* `message` is an event for people; time and peer are filled in by the caller */
};

/* Strings in `message` belong to the session or to the event: carry actions out before the next event. */
struct session_action {
    enum session_action_type type;
    int slot;
    struct message message;
};

/* The most that one event can bring: a resent description with all its candidates for two slots, and what
 * wg-setup has to know again. */
#define SESSION_ACTIONS_MAX 96

struct session_actions {
    struct session_action items[SESSION_ACTIONS_MAX];
    size_t count;
};

struct session;

/* NULL without memory. */
struct session *session_new(bool offerer);
void session_destroy(struct session *session);

/* Takes an event in and replaces what is in `actions`. */
void session_handle(struct session *session, const struct session_event *event,
                    struct session_actions *actions);

/* When SESSION_TICK is wanted next, INT64_MAX for never. */
int64_t session_deadline(const struct session *session);
/* Whether wg-setup's status is wanted every 50 ms now, not only now and then. */
bool session_wants_status(const struct session *session);
/* Whether a path carries traffic, as far as we know. */
bool session_has_path(const struct session *session);

#endif
