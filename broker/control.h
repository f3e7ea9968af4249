/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The control socket: punchguard-control(7). Knows requests and clients; what the state looks like,
 * and how it is changed, is the broker's to say.
 *
 * Whoever may connect may read; changes are for root and for the user that the broker runs as. A
 * client that does not read is dropped, one that asks too much is read more slowly, and none holds
 * the broker.
 */
#ifndef BROKER_CONTROL_H
#define BROKER_CONTROL_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "protocol/error.h"
#include "protocol/message.h"

/* At once. The last ones are kept for those that may change something. */
#define CONTROL_CLIENTS      64
#define CONTROL_CLIENTS_KEPT 16
/* Requests of one client: so many at once, then one more per so many ms. */
#define CONTROL_BURST       64
#define CONTROL_INTERVAL_MS 20
/* Requests for the status that wait for numbers, of one client; and for how long they do, in ms. */
#define CONTROL_WAITING 8
#define CONTROL_WAIT_MS 500
/* A client that is dropped is given so long to read why, in ms. */
#define CONTROL_LINGER_MS 2000

struct control;

/* Hands one message to a client. */
typedef void control_say(void *client, struct message *message);

/* What the broker does for the control socket. Each but `refresh` and `stop`: 0, or negative with
 * `err` filled. */
struct control_broker {
    /* Fresh numbers of WireGuard are wanted: true where control_refreshed() will follow. */
    bool (*refresh)(void *data);
    /* Says status-device and status-transport and status-peer, or with `peer` of this one alone. */
    int (*status)(const void *data, int64_t ref, const char *peer, control_say *say, void *client,
                  struct error *err);
    int (*identity)(const void *data, int64_t ref, control_say *say, void *client,
                    struct error *err);
    /* Rereads the configuration, and says reloaded. */
    int (*reload)(void *data, int64_t ref, control_say *say, void *client, struct error *err);
    /* invite, invitations, cancel, join, rename, remove, introduce, introductions or accept. */
    int (*pair)(void *data, const struct message *m, control_say *say, void *client,
                struct error *err);
    /* With `keep` the tunnels stay. */
    void (*stop)(void *data, bool keep);
};

struct control_options {
    uv_loop_t *loop;
    const char *path;                    /* copied */
    const char *version;                 /* for the hello; kept */
    const struct control_broker *broker; /* kept */
    void *data;
    /* For tests: the times a client is waited for are so many times shorter. 0 is 1. */
    unsigned hurry;
};

/* Listens; see control_socket_open() for errors. It keeps the loop alive. */
int control_open(struct control **control, const struct control_options *options,
                 struct error *err);
/* Clients get what their sockets take at once. Not from inside a function of control_broker. NULL
 * is fine. */
void control_close(struct control *control);

/* The numbers that were asked for are there. NULL is fine. */
void control_refreshed(struct control *control);
/* An event's line, with its newline, for who asked for events. NULL is fine. */
void control_event(struct control *control, const char *line, size_t length);

#endif
