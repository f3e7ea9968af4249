/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The session machine's inside: what session.c and its parts share, and nobody else.
 */
#ifndef BROKER_SESSION_STATE_H
#define BROKER_SESSION_STATE_H

#include "broker/session.h"

#define NONE  (-1)
#define NEVER INT64_MAX

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
    bool peer_usable;                               /* the peer said that its port is open */
    uint64_t remote_candidates[SESSION_CANDIDATES]; /* hashes */
    bool local_srflx, remote_srflx;
    bool silent; /* the agent's probes go unanswered */
    int64_t started, resend_at, use_at;
    unsigned resends;
    struct endpoint base, remote;
    int64_t rtt_ms;
};

enum suspicion {
    SUSPICION_NONE,
    SUSPICION_FIRST,  /* WireGuard's counter is asked for */
    SUSPICION_WAIT,   /* until suspect_at */
    SUSPICION_SECOND, /* the counter is asked for again */
};

struct session {
    bool offerer, online, wg_ready, peer_known;
    bool greeted; /* in this life: before, nothing that is said can be opened there */
    struct session_memory memory;
    struct slot slots[SESSION_SLOTS];
    int active, trial, left; /* slots, or NONE */
    bool confirmed;          /* WireGuard traffic came since the move to `active` */
    bool baseline_due;       /* the next status is what a confirmation is measured against */
    int64_t status_at; /* of the last word from WireGuard */
    int64_t undo_at;
    int64_t moved_at, baseline_rx, baseline_handshake;
    bool passive; /* WireGuard is not to begin: the offerer's does */
    int64_t reprovoke_at;
    unsigned reprovokes;
    bool reprovoke_due; /* unless the next status tells of a handshake */
    int64_t latest_handshake;
    bool dead;  /* nothing comes through `active` */
    bool renew; /* another path is wanted though `active` may be alive */
    enum suspicion suspicion;
    int64_t suspect_at, suspect_rx;
    int64_t rx_bytes, rx_at; /* WireGuard's counter, and when it last grew */
    bool standing_due;       /* the next status says what stands from an earlier life */
    bool resuming;           /* `active` is a remembered pair that nothing has proven yet */
    unsigned resume_tries;
    int64_t resume_until;
    bool gone;           /* the peer said goodbye */
    bool gone_unsettled; /* the next status may tell of a handshake from before */
    int64_t gone_until;
    bool clock_reset_due; /* the peer has to be told */
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

/* session_say.c: actions of the event at hand. */
struct message *say_action(struct session *s, enum session_action_type type, int slot,
                           enum message_type message);
void say_copy(char *to, size_t size, const char *from);
void say_path_event(struct session *s, const char *reason);
void say_plain(struct session *s, enum message_type type);
void say_description(struct session *s, struct slot *slot);
void say_candidate(struct session *s, struct slot *slot, size_t index);
void say_done(struct session *s, struct slot *slot);
void say_all(struct session *s, struct slot *slot);
void wg_say_port(struct session *s, enum message_type type, const struct endpoint *base);
void wg_say_path(struct session *s, const struct slot *slot);
void wg_say_peer(struct session *s);
void wg_say_peer_anew(struct session *s);

/* session_slot.c: slots, and when to negotiate. */
void slot_forget(struct slot *slot);
int slot_free(const struct session *s);
bool slot_has_port(const struct slot *slot);
void slot_close(struct session *s, int index);
void trial_prepare(struct session *s);
void trial_name(struct session *s, const char *id);
int64_t trial_rate_at(const struct session *s);
void retry_later(struct session *s);
bool can_negotiate(const struct session *s);
bool has_path(const struct session *s);
bool needs_path(const struct session *s);
void offer_begin(struct session *s);
void negotiate(struct session *s);
void negotiate_now(struct session *s);
void want_now(struct session *s);
void trial_fail(struct session *s, const char *reason);

/* session_path.c: which path carries the traffic. */
void path_take(struct session *s, int index);
void path_baseline(struct session *s);
void say_path(struct session *s, struct slot *slot);
void path_move(struct session *s, int index);
void path_reprovoke_due(struct session *s);
void path_reprovoke(struct session *s);
bool path_may_forget(const struct session *s);
void path_confirm(struct session *s);
void path_unconfirmed(struct session *s);
void path_drop(struct session *s, const char *reason);

/* session_health.c: whether the active path is alive. */
void health_reset(struct session *s);
void health_suspect(struct session *s);
void health_connected(struct session *s);
void health_status(struct session *s, const struct message_peer_status *status);
void health_tick(struct session *s);
int64_t health_deadline(const struct session *s);

/* session_resume.c: paths of an earlier life. */
void peer_tell(struct session *s);
void peer_tell_anew(struct session *s);
void resume_status(struct session *s, const struct message_peer_status *status);
void resume_again(struct session *s);
void resume_tick(struct session *s);
int64_t resume_deadline(const struct session *s);
void memory_keep_pair(struct session *s, const struct slot *slot);

/* session_agent.c: what the ice-agents say. */
void trial_use(struct session *s);
const char *agent_failure(const struct slot *slot);
void agent_said(struct session *s, int index, const struct message *m);
void agent_ended(struct session *s, int index);

#endif
