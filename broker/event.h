/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The broker's events: NDJSON on standard output, for scripts. A reader that does not keep up loses
 * events, never holds the broker.
 */
#ifndef BROKER_EVENT_H
#define BROKER_EVENT_H

#include <uv.h>

#include "protocol/error.h"
#include "protocol/message.h"

struct event_log;

/* Moves standard output away, as helpers do, so that no library writes into the stream. NULL without
 * memory. */
struct event_log *event_log_new(uv_loop_t *loop);
/* Writes what still fits, then closes. */
void event_log_destroy(struct event_log *events);

typedef void event_tell(void *data, enum message_type type, const char *line, size_t length);

/* Gives each event's line, with its newline, to another reader too. */
void event_also(struct event_log *events, event_tell *tell, void *data);

/* Writes a message of ROLE_EVENT; `time` and `mono_ms` are filled in here. */
void event_emit(struct event_log *events, struct message *event);
/* An event_error; `peer` may be NULL. */
void event_emit_error(struct event_log *events, const char *peer, const char *code,
                      const char *message);

#endif
