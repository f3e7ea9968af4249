/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the parts of the running broker know of each other. Everything lives on one libuv loop.
 */
#ifndef BROKER_BROKER_H
#define BROKER_BROKER_H

#include <stdbool.h>
#include <uv.h>

#include "broker/child.h"
#include "broker/clockwatch.h"
#include "broker/config.h"
#include "broker/envelope.h"
#include "broker/event.h"
#include "broker/hook.h"
#include "broker/identity.h"
#include "broker/launcher.h"
#include "broker/notify.h"
#include "broker/session.h"

struct broker;
struct control;
struct pairing;
struct peer;

/* A signalling transport: the helper and what it said. One that the configuration has no more is
 * retired, and lives until its helper has ended. */
struct transport {
    struct broker *broker;
    const struct config_transport *config; /* NULL once retired */
    char *name;
    size_t index;  /* in the configuration */
    unsigned slot; /* its bit in peer->online; no other that is not retired has it */
    struct child *child;
    bool ready;
    bool requests;          /* it can bring a request to an address */
    char *address;          /* this device's on it; NULL until it is known */
    char reason[600];       /* why it was down last */
    struct transport *next; /* in broker->retired */
};

/* An ice-agent. One that was told to stop is no slot's any more and lives until it has ended. */
struct agent {
    struct broker *broker;
    struct peer *peer; /* NULL once stopped */
    int slot;
    bool controlling;
    struct child *child;
    struct agent *next; /* in broker->agents */
    char **queue;       /* lines that came before its hello */
    size_t queued;
    bool greeted;
};

struct peer {
    struct broker *broker;
    const struct config_peer *config;
    struct session *session;
    struct envelope *envelope;
    uint32_t online;     /* a bit for each transport that says that it reaches it, by its slot */
    char wg_keys[2][45]; /* WireGuard keys that it greeted with, the latest first */
    int64_t told_twice;  /* in ms of clock_boot_ms(); 0 for never */
    uint32_t heard;      /* likewise, for each that brought something of it, whatever it says */
    unsigned
        unopened; /* data that did not open since some did; KEY_DIFFERS_AFTER: people were told */
    struct agent *agents[SESSION_SLOTS];
    bool up;                          /* there is a path, and people were told so */
    bool agent_failed[SESSION_SLOTS]; /* could not be started: to be told with the next tick */
    uv_timer_t timer;
    int64_t latest_handshake, rx_bytes, tx_bytes; /* as WireGuard said last */
};

/* wg-setup: the helper and what it said. */
struct wireguard {
    struct child *child;
    bool ready;
    bool asked; /* a status is under way */
    char public_key[45];
    int listen_port;
    bool kernel; /* else it is a userspace WireGuard */
    int64_t ref, status_ref, reload_ref;
    bool stale;  /* it has to be told that the configuration changed */
    bool missed; /* it could not read it then, and has refused peers since, perhaps */
    bool again;  /* to be started again once it has ended */
    uv_timer_t timer;
};

struct broker {
    uv_loop_t *loop;
    struct config *config; /* owned; a reload puts another one in its place */
    const struct identity *identity;
    struct launcher *launcher; /* NULL where we are not root's */
    struct event_log *events;
    struct hooks *hooks;
    struct control *control;       /* NULL where there is no socket */
    int64_t started_at;            /* in ms of clock_boot_ms() */
    struct notify *notify;         /* NULL where no service manager is to be told */
    struct transport **transports; /* those of the configuration, in its order */
    struct peer **peers;           /* likewise */
    size_t transport_count, peer_count;
    struct transport *retired; /* a list */
    struct wireguard wg;
    struct pairing *pairing; /* NULL until it is opened */
    bool learned_changed;    /* to be put into place with the next turn of the loop */
    uv_timer_t pairing_timer;
    struct agent *agents;
    uv_signal_t signals[4];
    uv_timer_t goodbye;
    uv_timer_t clocks;
    uv_timer_t end;  /* once nothing runs any more */
    uv_timer_t keep; /* active while something is to be written to STATE_DIR/resume */
    struct clockwatch clockwatch;
    bool stopping;
    enum child_stop_how how;
    unsigned children; /* that have not ended */
    int exit_code;
};

/* Runs until SIGTERM, SIGINT or SIGQUIT. The exit code. */
int broker_run(struct broker *broker);
/* Our addresses or routes changed (SESSION_NETWORK_CHANGED), or the machine slept (SESSION_AWAKE).
 */
void broker_network_changed(struct broker *broker, enum session_event_type how);
/* Ends the loop once all helpers have ended. */
void broker_stop(struct broker *broker, enum child_stop_how how);
/* What can't be mended from inside: ends with exit code 1, tunnels stay for the broker that comes
 * next. */
void broker_give_up(struct broker *broker);
/* The end of a child was told: the last one ends the loop. */
void broker_child_gone(struct broker *broker);
void broker_helper_event(struct broker *broker, const char *helper, bool up,
                         const struct error *why);

/* What a session keeps for the next life has changed. */
void broker_keep(struct broker *broker);
/* What stands in STATE_DIR/resume of each peer of that configuration; to be freed. NULL without
 * memory. */
struct resume *broker_kept(const struct config *config);

/* transport.c. A transport that is $.signalling[index] of a configuration, not started, in a slot
 * that is not among the bits `slots`. NULL without memory. */
struct transport *transport_new(struct broker *broker, const struct config_transport *config,
                                size_t index, uint32_t slots);
void transport_free(struct transport *transport);
/* Once no retired one of the same name runs any more. 0, or -errno with `err` filled. */
int transport_start(struct transport *transport, struct error *err);
void transport_stop(struct transport *transport, enum child_stop_how how);
/* Says that it is down, and why. */
void transport_down(struct transport *transport, const struct error *why);
/* The configuration has it no more: peers are not reached by it from now on, its helper is stopped.
 */
void transport_retire(struct transport *transport);
/* Tells it of a peer, or what differs of a peer that it was told of. */
void transport_peer_add(struct transport *transport, const struct peer *peer);
void transport_peer_change(struct transport *transport, struct peer *peer);
void transport_peer_remove(struct transport *transport, struct peer *peer);
void transport_network_changed(struct transport *transport);
void transport_send(struct transport *transport, const struct peer *peer, const char *data);
/* The same for what is no peer: pairing.h. */
void transport_name_add(struct transport *transport, const char *name, const char *address,
                        const char *rendezvous);
void transport_name_remove(struct transport *transport, const char *name);
void transport_name_send(struct transport *transport, const char *name, const char *data);
/* Sends a request to the address, that of a peer, which the transport forgets for that moment. */
void transport_peer_ask(struct transport *transport, struct peer *peer, const char *address,
                        const char *data);

/* peer.c */
/* `config` is $.peers[index] of a configuration. NULL with `err` filled. */
struct peer *peer_new(struct broker *broker, const struct config_peer *config, size_t index,
                      const struct session_memory *memory, struct error *err);
/* Says goodbye, closes its tunnel and forgets it; freed after some turns of the loop. */
void peer_remove(struct peer *peer);
/* Frees one with which nothing was done, after some turns of the loop. */
void peer_discard(struct peer *peer);
void peer_stop(struct peer *peer);
/* After peer_stop() and the end of the loop. */
void peer_free(struct peer *peer);
void peer_presence(struct peer *peer, const struct transport *transport, bool online);
bool peer_is_reached_by(const struct peer *peer, const struct transport *transport);
void peer_receive(struct peer *peer, const struct transport *transport, const char *data);
void peer_handle(struct peer *peer, enum session_event_type type, int slot,
                 const struct message *message);
/* False, and nothing done, without a sealed channel to it. */
bool peer_pass(struct peer *peer, const struct message *message);
/* Tells the peer that we go. */
void peer_goodbye(struct peer *peer);
/* Tells people that there is no path any more, if there was one. */
void peer_down(struct peer *peer, const char *reason);
/* Our WireGuard key is known, or another than before: what the peer is greeted with. */
void peer_set_hello(struct peer *peer);

/* agent.c. NULL where it could not be started. */
struct agent *agent_start(struct peer *peer, int slot, bool controlling);
void agent_input(struct agent *agent, const struct message *message);
void agent_stop(struct agent *agent, enum child_stop_how how);

/* wireguard.c */
int wireguard_start(struct broker *broker, struct error *err);
void wireguard_stop(struct broker *broker, enum child_stop_how how);
/* The configuration changed: wg-setup is to read it too. */
void wireguard_reload(struct broker *broker);
/* Completes the message with the next ref and what the configuration says of the peer. */
void wireguard_send(struct broker *broker, const struct peer *peer, struct message *message);
/* Asks for numbers now: true where control_refreshed() will be called. */
bool wireguard_refresh(struct broker *broker);
/* Looks whether the status is wanted more or less often now. */
void wireguard_poll(struct broker *broker);

#endif
