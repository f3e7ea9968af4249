/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One helper: its process, its pipes, the handshake, and starting it again whenever it ends.
 *
 * Nothing that a helper does stops the broker or touches another helper. Its faults all end the
 * same way: SIGKILL (which leaves wg-setup's interface and table standing), on_down, a back-off, a
 * new process.
 *   - no hello within CHILD_HELLO_MS, another protocol version or role
 *   - CHILD_BAD_LINES bad lines within CHILD_BAD_LINES_MS; each is dropped, counted and answered
 * with `error`
 *   - two pings without an answer: a helper that stops is noticed at the latest after
 *     CHILD_PING_MS + 2 * CHILD_MISS_MS (PROMISES: replaced within 11 s)
 *   - more than OUTBOX_MAX_BYTES that it does not read
 * A helper that floods us is read CHILD_WINDOW_LINES and CHILD_WINDOW_BYTES each CHILD_WINDOW_MS
 * and no faster, so that its own writes block.
 *
 * A helper does not outlive the broker: one that child.c starts gets SIGKILL with the broker's end,
 * and for wg-setup the launcher sees to it. Plain helpers take along what they started, as far as
 * it stays in their process group; wg-setup does not, for userspace WireGuard has to go on.
 *
 * Callbacks come from the event loop, never from inside a function called here; in them every
 * function of this header may be called, child_destroy() too.
 */
#ifndef BROKER_CHILD_H
#define BROKER_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "broker/launcher.h"
#include "protocol/error.h"
#include "protocol/message.h"

/* All in ms. */
#define CHILD_HELLO_MS     5000
#define CHILD_PING_MS      5000  /* from one answer to the next ping */
#define CHILD_MISS_MS      2500  /* an answer that takes longer is a miss */
#define CHILD_STEADY_MS    30000 /* ready for so long: the back-off begins anew */
#define CHILD_TERM_MS      2000  /* from child_stop() to SIGTERM */
#define CHILD_KILL_MS      3000  /* from child_stop() to SIGKILL */
#define CHILD_BAD_LINES_MS 10000
#define CHILD_BAD_LINES    3

#define CHILD_WINDOW_MS    50
#define CHILD_WINDOW_LINES 256
#define CHILD_WINDOW_BYTES (256 * 1024)

struct child;

enum child_stop_how {
    CHILD_SHUTDOWN, /* `shutdown`, then EOF, then SIGTERM, then SIGKILL: it undoes everything */
    CHILD_EOF, /* EOF, then SIGKILL: it leaves standing what stands. Never SIGTERM, which undoes */
};

struct child_options {
    uv_loop_t *loop;
    enum role role;
    const char *name;  /* for the log; copied */
    char *const *argv; /* copied; argv[0] as program_find() takes it. NULL with a launcher */
    struct launcher *launcher; /* NULL: an ordinary process. Must outlive the child */
    /* Capabilities beginning with `*` that the broker has, NULL-terminated, or NULL. Kept. */
    const char *const *capabilities;
    /* For tests: what the broker speaks; all 0 is what this release does. */
    struct protocol_range protocols;
    /* For tests: every time of this header and of backoff.h is so many times shorter. 0 is 1. */
    unsigned hurry;

    /* It said hello and can be worked with: `configure` is due. */
    void (*on_hello)(struct child *child, void *data, const struct message *message);
    /* Any other message but ping and pong; the message is the child's. */
    void (*on_message)(struct child *child, void *data, const struct message *message);
    /* The process is gone, or could not be started, and will be started again. */
    void (*on_down)(struct child *child, void *data, const struct error *why);
    /* The last word: stopped, and `why` is NULL, or not usable (`unknown-capability`).
     * child_destroy() is due. */
    void (*on_exit)(struct child *child, void *data, const struct error *why);
    void *data;
};

/* Starts it from the event loop. Ignores SIGPIPE for this process, once and for all. 0; -ENOENT
 * with `err` filled where the program is missing; -ENOMEM. */
int child_start(struct child **child, const struct child_options *options, struct error *err);

/* Queues a message. 0; -ENOTCONN before on_hello and after on_down or child_stop(): the message is
 * lost; -EINVAL for a message that is not as declared, which is logged; -ENOBUFS over the cap:
 * on_down follows. */
int child_send(struct child *child, const struct message *message);

/* Ends it for good; on_exit follows, soon after CHILD_KILL_MS at the latest. A second call changes
 * nothing. wg-setup under the launcher gets no SIGTERM, for the launcher knows no such word. */
void child_stop(struct child *child, enum child_stop_how how);

/* No callback comes any more; a process that still runs is killed. Memory and process are gone
 * after some turns of the loop. NULL is fine. */
void child_destroy(struct child *child);

/* For the field of that name in `configure`: the protocol agreed on, where the helper left a choice
 * with protocol_max; else MESSAGE_ABSENT. Good from on_hello on. */
int64_t child_protocol(const struct child *child);

/* Of the running process, 0 for none. */
pid_t child_pid(const struct child *child);

struct child_counts {
    uint64_t starts;    /* processes started or tried to */
    uint64_t bad_lines; /* dropped */
};

struct child_counts child_counts(const struct child *child);

#endif
