/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A helper's standard error, line by line into the broker's log, under the helper's name.
 */
#ifndef BROKER_CHILD_LOG_H
#define BROKER_CHILD_LOG_H

#include <uv.h>

/* Lines of one helper that reach the log in one second; the rest is counted, and said. Together
 * with CHILD_LOG_READ_BYTES every CHILD_LOG_PAUSE_MS this bounds what a helper that floods can
 * cost. */
#define CHILD_LOG_LINES_PER_SECOND 20
#define CHILD_LOG_READ_BYTES       4096
#define CHILD_LOG_PAUSE_MS         10
/* A longer line is cut. */
#define CHILD_LOG_LINE_BYTES 512

struct child_log;

/* Takes the descriptor over, which is closed where NULL is returned for want of memory. `name` is
 * kept, not copied. */
struct child_log *child_log_open(uv_loop_t *loop, int fd, const char *name);

/* Logs what is still there of a helper that ended, and closes. NULL is fine. */
void child_log_close(struct child_log *log);

#endif
