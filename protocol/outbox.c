/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "protocol/outbox.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int outbox_reserve(struct outbox *box, size_t length)
{
    size_t used = box->end - box->begin, size = box->size ? box->size : 4096;
    char *buffer;

    if (box->begin > 0) {
        memmove(box->buffer, box->buffer + box->begin, used);
        box->begin = 0;
        box->end = used;
    }
    if (used + length <= box->size)
        return 0;
    while (size < used + length)
        size *= 2;
    buffer = realloc(box->buffer, size);
    if (buffer == NULL)
        return -ENOMEM;
    box->buffer = buffer;
    box->size = size;
    return 0;
}

int outbox_put(struct outbox *box, const void *data, size_t length)
{
    if (length > OUTBOX_MAX_BYTES - (box->end - box->begin))
        return -ENOBUFS;
    if (length == 0)
        return 0;
    if (box->end + length > box->size && outbox_reserve(box, length) < 0)
        return -ENOMEM;
    memcpy(box->buffer + box->end, data, length);
    box->end += length;
    return 0;
}

/* Nothing is queued most of the time; the memory of a burst is given back. */
static void outbox_shrink(struct outbox *box)
{
    box->begin = box->end = 0;
    if (box->size <= 16 * 1024)
        return;
    free(box->buffer);
    box->buffer = NULL;
    box->size = 0;
}

int outbox_flush(struct outbox *box, int fd)
{
    while (!outbox_empty(box)) {
        struct pollfd ready = {.fd = fd, .events = POLLOUT};
        size_t chunk = box->end - box->begin;
        ssize_t n;

        if (poll(&ready, 1, 0) <= 0)
            return 0;
        if (chunk > PIPE_BUF)
            chunk = PIPE_BUF;
        n = write(fd, box->buffer + box->begin, chunk);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return 0;
        if (n < 0)
            return -errno;
        box->begin += (size_t)n;
    }
    outbox_shrink(box);
    return 0;
}

bool outbox_empty(const struct outbox *box)
{
    return box->begin == box->end;
}

bool outbox_high(const struct outbox *box)
{
    return box->end - box->begin > OUTBOX_HIGH_BYTES;
}

void outbox_free(struct outbox *box)
{
    if (box == NULL)
        return;
    free(box->buffer);
    memset(box, 0, sizeof *box);
}
