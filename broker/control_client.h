/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One client of the control socket: its lines in, its lines out, within bounds.
 */
#ifndef BROKER_CONTROL_CLIENT_H
#define BROKER_CONTROL_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "broker/bucket.h"
#include "broker/control.h"
#include "broker/watch.h"
#include "protocol/interface.h"
#include "protocol/line.h"
#include "protocol/outbox.h"

/* A request for the status that waits for numbers. */
struct control_waiting {
    int64_t ref, until;           /* until: in ms of uv_now() */
    char peer[PEER_NAME_MAX + 1]; /* "": all */
};

struct control_client {
    struct control *control;
    int64_t linger_ms;
    struct watch *watch;
    struct line_reader in;
    struct outbox out;
    struct bucket bucket;
    bool changes;    /* may change something */
    bool events;     /* gets events */
    bool ended;      /* said all it had to say */
    bool dropped;    /* gets what waits for it, and no more */
    bool gone;       /* to be freed */
    int64_t wake_at; /* in ms of uv_now(); 0 where nothing waits for the time */
    struct control_waiting waiting[CONTROL_WAITING];
    size_t waiting_count;
    struct control_client *next;
};

/* `on_ready` is called with the client as control_client_read() is due. Takes the descriptor over,
 * also where it fails; then it gives NULL. */
struct control_client *control_client_new(struct control *control, uv_loop_t *loop, int fd,
                                          void (*on_ready)(void *client));
void control_client_free(struct control_client *client);

/* Reads once. */
void control_client_read(struct control_client *client);
/* The next line, or LINE_NONE where none is there or none may be taken now. */
enum line_result control_client_line(struct control_client *client, int64_t now, char **line,
                                     size_t *length);
/* Queues text; a client that does not keep up is dropped. */
void control_client_put(struct control_client *client, const char *text, size_t length,
                        int64_t now);
void control_client_say(struct control_client *client, struct message *message, int64_t now);
void control_client_error(struct control_client *client, int64_t ref, const struct error *err,
                          int64_t now);
/* Writes what the socket takes and arranges for what is left; the client may be `gone` afterwards.
 */
void control_client_flush(struct control_client *client);

#endif
