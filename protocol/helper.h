/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The helper's side of the pipe protocol: what the main of every helper program needs. It knows no event
 * loop: the caller polls helper_fd_in() and, while helper_wants_write(), helper_fd_out().
 */
#ifndef PROTOCOL_HELPER_H
#define PROTOCOL_HELPER_H

#include <stdbool.h>

#include "protocol/error.h"
#include "protocol/message.h"

struct helper;

struct helper_options {
    enum role role;
    const char *name;                /* "signal-tox" */
    const char *const *capabilities; /* NULL-terminated, or NULL */
    /* What it speaks; all 0 is what this release does. */
    struct protocol_range protocols;
    /* Gets every well-formed message but ping, pong and a `configure` for a protocol that was not offered
     * (which is answered by `error`); must not keep pointers into it. */
    void (*on_message)(void *data, const struct message *message);
    void *data;
};

enum helper_end {
    HELPER_OPEN,     /* go on */
    HELPER_EOF,      /* input ended: exit 0 within 2 s, leave standing what stands */
    HELPER_SHUTDOWN, /* `shutdown` came: undo everything, exit 0 within 2 s */
    HELPER_BROKEN,   /* nobody reads our output, or not fast enough: as at EOF, but exit 1 */
};

/* Takes over standard input and output by moving them away (so that no library's printf can damage the
 * stream: descriptor 0 becomes /dev/null, 1 becomes standard error), ignores SIGPIPE, and queues the hello.
 * NULL with `err` filled. */
struct helper *helper_new(const struct helper_options *options, struct error *err);
void helper_destroy(struct helper *helper);

int helper_fd_in(const struct helper *helper);
int helper_fd_out(const struct helper *helper);
bool helper_wants_write(const struct helper *helper);
/* More than OUTBOX_HIGH_BYTES wait: stop making more until this is over. */
bool helper_congested(const struct helper *helper);

/* Reads once and hands on what is complete, unless congested; bad lines are answered with `error` and
 * dropped. Call when helper_fd_in() is readable or hung up. */
enum helper_end helper_read(struct helper *helper);
/* Writes what the pipe takes, then hands on the lines that congestion held back. Call when helper_fd_out()
 * is writable. */
enum helper_end helper_flush(struct helper *helper);
/* The protocol that the broker chose in `configure`; before that, and where it chose none, the lowest
 * that was offered. */
int64_t helper_protocol(const struct helper *helper);
/* How it stands without reading. */
enum helper_end helper_end(const struct helper *helper);

/* Queues a message and writes what the pipe takes. */
void helper_send(struct helper *helper, const struct message *message);
/* Queues error{code,message}; `ref` may be MESSAGE_ABSENT. */
void helper_error(struct helper *helper, int64_t ref, bool fatal, const struct error *err);
/* Writes what is queued, waiting at most `timeout_ms` for the reader: for the last words. */
void helper_drain(struct helper *helper, int timeout_ms);

/* What --help, --version and --describe have in common: prints and exits when the one argument is
 * one of them. `usage` is the whole help text. */
void helper_common_options(int argc, char **argv, const char *usage, enum role role);

#endif
