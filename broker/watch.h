/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A descriptor in the event loop: uv_poll_t with its memory looked after.
 */
#ifndef BROKER_WATCH_H
#define BROKER_WATCH_H

#include <stdbool.h>
#include <uv.h>

struct watch;

/* NULL where memory or descriptors are out. The descriptor becomes non-blocking. `on_ready` may
 * close the watch. Nothing is watched yet. */
struct watch *watch_open(uv_loop_t *loop, int fd, void (*on_ready)(void *data), void *data);

/* For UV_READABLE or UV_WRITABLE; an end of file or an error counts as both. Fine to repeat. */
void watch_for(struct watch *watch, int events);
void watch_pause(struct watch *watch);
int watch_fd(const struct watch *watch);

/* NULL is fine. With `close_fd` the descriptor is closed, at once. */
void watch_close(struct watch *watch, bool close_fd);

#endif
