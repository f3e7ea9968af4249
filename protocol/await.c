/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "protocol/await.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <time.h>

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool await_fd(int fd, short events, int wait_ms)
{
    struct pollfd ready = {.fd = fd, .events = events};
    int64_t deadline = wait_ms < 0 ? 0 : now_ms() + wait_ms;
    int count;

    while ((count = poll(&ready, 1, wait_ms)) < 0 && errno == EINTR) {
        if (wait_ms >= 0)
            wait_ms = deadline > now_ms() ? (int)(deadline - now_ms()) : 0;
    }
    return count > 0;
}
