/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The broker's mind about one peer: events in, actions out. Pure: no clock, no randomness, no I/O
 * of its own, so that every race is a unit test.
 *
 * A path may also stand without an ice-agent: one that WireGuard has kept while the broker was away
 * is adopted, and a pair that worked before is tried again while signalling still looks for the
 * peer. WireGuard's own handshake proves it; a wrong or old pair costs a few handshakes that nobody
 * answers.
 *
 * At most two ICE negotiations with a peer live at once, each in a slot with an ice-agent of its
 * own: the one whose path carries traffic, and the one that is tried (or, for CONFIRM_MS after a
 * move, the one that was left). Of the two peers the offerer starts negotiations; the other asks
 * with `want-session`.
 */
#ifndef BROKER_SESSION_H
#define BROKER_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/message.h"

#define SESSION_SLOTS 2

/* While there is no pair the offerer says all again after this, in ms, then after twice as long, up
 * to so many times doubled, and the other answers with all it said; both are idempotent, so loss
 * and disorder heal. */
#define SESSION_RESEND_MS 1000
#define SESSION_RESENDS   3
/* A negotiation that has not given a pair by then, in ms, is given up. Below the 15 s in which
 * PROMISES wants a peer called unreachable; libnice itself gives up after 7 s. */
#define SESSION_ATTEMPT_MS 12000
/* After a move, WireGuard must have authenticated traffic within this, in ms, or the move is
 * undone. */
#define SESSION_CONFIRM_MS 3000
/* The peer that is not the offerer waits so long for an offer before it asks for one, in ms. */
#define SESSION_WANT_MS 2000
/* An ice-agent that was started ahead of a negotiation is stopped after this, in ms. */
#define SESSION_PREPARED_MS 60000
/* Probes go unanswered: WireGuard must have received nothing for so long, in ms, before the path is
 * called dead, and while it receives it is looked at again after this. */
#define SESSION_SUSPECT_MS       300
#define SESSION_SUSPECT_AGAIN_MS 2000
/* A dead path on which WireGuard received again is left in peace for so long, in ms: above the
 * keep-alive's 25 s. */
#define SESSION_HEALED_MS 30000
/* Where no ice-agent probes, a path is dead when WireGuard received nothing for two keep-alives and
 * some, in ms. */
#define SESSION_QUIET_MS 55000
/* WireGuard's own keep-alive, in s. NAT mappings of UDP live 30 s at least in practice (RFC 4787
 * REQ-5 wants 2 minutes): WireGuard's own recommendation. It keeps the tunnel when everything of
 * ours is gone. */
#define SESSION_KEEPALIVE_S 25
/* Pairs that worked before are tried so often at a short distance, and stand for so long, in ms. */
#define SESSION_RESUME_TRIES    10
#define SESSION_RESUME_STAND_MS 600000
/* A peer that said goodbye and comes back within this, in ms, finds the port of its path open. As
 * long as a NAT with the timer of RFC 4787 REQ-5 keeps a mapping, and some. */
#define SESSION_BYE_MS 180000
/* Pairs that are remembered, the latest first. */
#define SESSION_PAIRS 3
/* Negotiations with one peer in a minute. */
#define SESSION_RATE 6
/* Candidates of each side in one negotiation. */
#define SESSION_CANDIDATES 20

enum session_event_type {
    SESSION_TICK,
    SESSION_ONLINE,       /* some transport reaches the peer */
    SESSION_OFFLINE,      /* none does */
    SESSION_HELLO,        /* the peer's authenticated hello; `message` is peer_hello */
    SESSION_MESSAGE,      /* any other message of the peer */
    SESSION_MESSAGE_LATE, /* the same, but it has sent something since that came before: over
                             another transport, say */
    SESSION_AGENT,        /* `message` of the ice-agent in `slot` */
    SESSION_AGENT_DOWN,   /* the ice-agent in `slot` is gone, not because we stopped it */
    SESSION_WG_READY,     /* wg-setup is there (again) and knows nothing of the peer */
    SESSION_WG_DOWN,
    SESSION_GRANTED,         /* what the configuration grants the peer is not what it was */
    SESSION_GRANTED_ANEW,    /* the same, and wg-setup may have dropped the peer for it */
    SESSION_WG_STATUS,       /* `message` is peer_status */
    SESSION_NETWORK_CHANGED, /* our addresses or routes changed */
    SESSION_AWAKE,           /* the machine slept */
    SESSION_CLOCK_BACK, /* our wall clock went back: the peer's WireGuard refuses our handshakes */
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
    SESSION_WG,   /* `message` for wg-setup; ref, peer and what the configuration says are filled in
                     by   the caller */
    SESSION_KEEP, /* session_memory() is another than before: to be there in the next life */
    SESSION_NOTIFY, /* `message` is an event for people; time and peer are filled in by the caller
                     */
};

/* Strings in `message` belong to the session or to the event: carry actions out before the next
 * event. */
struct session_action {
    enum session_action_type type;
    int slot;
    struct message message;
};

/* The most that one event can bring: a resent description with all its candidates for two slots,
 * and what wg-setup has to know again. */
#define SESSION_ACTIONS_MAX 96

struct session_actions {
    struct session_action items[SESSION_ACTIONS_MAX];
    size_t count;
};

struct session;

struct session_pair {
    struct endpoint base, remote;
};

/* What outlives the broker. */
struct session_memory {
    char wg_public_key[45]; /* the peer's; "" where none is known */
    struct session_pair pairs[SESSION_PAIRS];
    size_t pair_count;
};

/* `memory` is of an earlier life, NULL without one. NULL without memory. */
struct session *session_new(bool offerer, const struct session_memory *memory);
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
const struct session_memory *session_memory(const struct session *session);

/* How it stands, for people. Texts live until the next event. */
struct session_view {
    const char *state; /* one of status-peer's words but waiting-for-signalling
                        * and joining */
    bool path;         /* as session_has_path() */
    const char *reason; /* why the last negotiation gave no path; NULL where none failed */
    int64_t retry_at;  /* of the next negotiation, INT64_MAX where none waits */
    struct endpoint base, remote; /* of the path; address "" without */
    int64_t rtt_ms; /* as it was when the pair was found, MESSAGE_ABSENT where it is not known */
};

struct session_view session_look(const struct session *session);

#endif
