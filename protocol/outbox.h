/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A bounded queue of whole lines on their way to a pipe that may not keep up.
 */
#ifndef PROTOCOL_OUTBOX_H
#define PROTOCOL_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>

/* Most bytes that wait for a slow reader before it is given up (PROMISES: slow reader). */
#define OUTBOX_MAX_BYTES (1024 * 1024)
/* Above this the source of what is queued should be paused. */
#define OUTBOX_HIGH_BYTES (256 * 1024)

struct outbox {
    char *buffer;
    size_t begin, end, size;
};

/* Appends; all or nothing. 0, -ENOBUFS above OUTBOX_MAX_BYTES, -ENOMEM. */
int outbox_put(struct outbox *box, const void *data, size_t length);

/* Writes what the descriptor takes now, without blocking even where it is not O_NONBLOCK (a
 * pipe that polls writable takes PIPE_BUF bytes at once). 0, or -errno of the write. */
int outbox_flush(struct outbox *box, int fd);

bool outbox_empty(const struct outbox *box);
bool outbox_high(const struct outbox *box);
void outbox_free(struct outbox *box);

#endif
