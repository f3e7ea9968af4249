/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The broker's control socket from the other side: punchguard-control(7).
 */
#ifndef PUNCHGUARD_CLIENT_H
#define PUNCHGUARD_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/message.h"
#include "punchguard/command.h"

/* A broker that does not answer by then, in ms, hangs. */
#define CLIENT_ANSWER_MS 10000

struct client;

/* Connects and waits for the broker's greeting. OUTCOME_OK, or NOT_RUNNING, NOT_PERMITTED, TIMEOUT,
 * FAILED with `err` filled and *client NULL. */
enum outcome client_open(struct client **client, const char *path, struct error *err);
/* The same for the socket of the configuration. */
enum outcome client_connect(struct client **client, const struct context *context,
                            struct error *err);
void client_close(struct client *client);

/* Whether the broker lets this client change something. */
bool client_may_change(const struct client *client);
int client_fd(const struct client *client);

/* Sends a request, whose ref is filled in, and hands each answer to `each` (NULL: none is awaited)
 * until it is done: the message and its line are valid during the call. OUTCOME_OK, or another with
 * `err` filled. */
enum outcome client_call(struct client *client, struct message *request,
                         void (*each)(void *data, const struct message *m, const char *line),
                         void *data, struct error *err);

/* The one request of a command, over a connection of its own: as client_call(), and what went wrong
 * is said on standard error. */
enum outcome client_ask(const struct context *context, struct message *request,
                        void (*each)(void *data, const struct message *m, const char *line),
                        void *data);

/* The next line of the broker's within so many ms (-1: for ever), valid until the next call; *line
 * is NULL where the time is over. OUTCOME_NOT_RUNNING at the end of the stream. */
enum outcome client_line(struct client *client, int timeout_ms, char **line, struct error *err);

#endif
