/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The process that keeps root's privilege when the broker gives it up, to start wg-setup, to open
 * the configuration for reading, and for nothing else.
 *
 * Its whole protocol, over SOCK_SEQPACKET pairs of which a compromised broker holds the other ends:
 * on one the words "start wg-setup" and "kill wg-setup" (the broker may not signal root's process
 * itself), and as answers the pid with the pipes' ends, an errno, or the wait status of the one
 * that ended; on the other the word "open the configuration", and as the answer a descriptor or an
 * errno. What is run and what is opened is fixed before the fork; the broker has read both by then.
 * It ignores SIGHUP, SIGINT, SIGQUIT and SIGTERM and ends when the broker's end closes: wg-setup
 * then sees EOF and leaves things standing; one that has not ended after LAUNCHER_EOF_MS is killed.
 */
#ifndef BROKER_LAUNCHER_H
#define BROKER_LAUNCHER_H

#include <stddef.h>
#include <sys/types.h>

#include "protocol/error.h"

/* Time that the helper protocol gives a helper to exit after EOF, in ms. */
#define LAUNCHER_EOF_MS 2000

struct launcher;

/* What the launcher started. `in` and `out` are the receiver's to close. */
struct launcher_start {
    pid_t pid;
    int in;  /* write end of its standard input, non-blocking */
    int out; /* read end of its standard output, non-blocking */
};

/* Forks the launcher, as root and before threads, an event loop or secrets are there. argv[0] is
 * the path; all of it, and `config`, the configuration's path, is copied by the fork. Descriptors
 * 0, 1 and 2 must be open. 0, or -errno with `err` filled. */
int launcher_open(struct launcher **launcher, char *const argv[], const char *config,
                  struct error *err);

/* Starts wg-setup, once launcher_reap() told the end of the one before: waits for the answer, which
 * takes one fork and exec. 0; -EBUSY while one runs; other
 * -errno with `err` filled: -EPIPE where the launcher is gone, for good. */
int launcher_start(struct launcher *launcher, struct launcher_start *start, struct error *err);

/* Opens the configuration as it is by now, though this user may not read it; waits for the answer.
 * A descriptor of a regular file, the caller's to close, or -errno with `err` filled. */
int launcher_open_config(struct launcher *launcher, struct error *err);

/* SIGKILL for wg-setup, if it runs. */
void launcher_kill(struct launcher *launcher);

/* Polls readable when launcher_reap() has something to say. Stays the launcher's. */
int launcher_fd(const struct launcher *launcher);

/* 1 with the wait status if wg-setup has ended; 0 if not; -EPIPE if the launcher is gone, in which
 * case wg-setup was killed with it. */
int launcher_reap(struct launcher *launcher, int *status);

/* Closes the broker's end and waits until the launcher, and so wg-setup, has ended: at once where
 * wg-setup was reaped, else up to LAUNCHER_EOF_MS from its EOF. NULL is fine. */
void launcher_close(struct launcher *launcher);

#endif
