/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/watch.h"

#include <stdlib.h>
#include <unistd.h>

struct watch {
    uv_poll_t poll;
    int fd;
    void (*on_ready)(void *data);
    void *data;
};

static void watch_free(uv_handle_t *handle)
{
    free(handle->data);
}

static void watch_ready(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;

    (void)status;
    (void)events;
    watch->on_ready(watch->data);
}

struct watch *watch_open(uv_loop_t *loop, int fd, void (*on_ready)(void *data), void *data)
{
    struct watch *watch = calloc(1, sizeof *watch);

    if (watch == NULL)
        return NULL;
    if (uv_poll_init(loop, &watch->poll, fd) < 0) {
        free(watch);
        return NULL;
    }
    watch->poll.data = watch;
    watch->fd = fd;
    watch->on_ready = on_ready;
    watch->data = data;
    return watch;
}

void watch_for(struct watch *watch, int events)
{
    uv_poll_start(&watch->poll, events, watch_ready);
}

void watch_pause(struct watch *watch)
{
    uv_poll_stop(&watch->poll);
}

int watch_fd(const struct watch *watch)
{
    return watch->fd;
}

void watch_close(struct watch *watch, bool close_fd)
{
    if (watch == NULL)
        return;
    uv_close((uv_handle_t *)&watch->poll, watch_free);
    if (close_fd)
        close(watch->fd);
}
