/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "signal-tox/sockets.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* The kernel gives the lowest free descriptor, so so many unused ones in a row are the end of the
 * used ones. */
#define GAP_MAX 64

enum kind { KIND_NONE, KIND_OTHER, KIND_UDP, KIND_TCP };

static enum kind socket_kind(int fd)
{
    int domain, type;
    socklen_t length = sizeof domain;

    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) < 0)
        return errno == EBADF ? KIND_NONE : KIND_OTHER;
    length = sizeof type;
    if ((domain != AF_INET && domain != AF_INET6) ||
        getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) < 0)
        return KIND_OTHER;
    return type == SOCK_STREAM ? KIND_TCP : KIND_UDP;
}

/* The first inet socket from `fd` on, or -1. */
static int socket_next(int fd, enum kind *kind)
{
    for (int gap = 0; gap < GAP_MAX; fd++) {
        *kind = socket_kind(fd);
        if (*kind >= KIND_UDP)
            return fd;
        gap = *kind == KIND_NONE ? gap + 1 : 0;
    }
    return -1;
}

int sockets_open(void)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    return epoll < 0 ? -errno : epoll;
}

void sockets_find(int epoll)
{
    static const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    enum kind kind;

    for (int fd = socket_next(0, &kind); fd >= 0; fd = socket_next(fd + 1, &kind)) {
        /* Edges, not levels: toxcore leaves a packet unread until the rest of it has come. */
        struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.fd = fd};

        if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0 && kind == KIND_TCP)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    }
}

bool sockets_arrived(int epoll)
{
    struct epoll_event events[16];
    int n = epoll_wait(epoll, events, 16, 0), last = n;

    while (last == 16)
        last = epoll_wait(epoll, events, 16, 0);
    return n > 0;
}

bool sockets_flushed(void)
{
    enum kind kind;
    int unacknowledged;

    for (int fd = socket_next(0, &kind); fd >= 0; fd = socket_next(fd + 1, &kind))
        if (kind == KIND_TCP && ioctl(fd, SIOCOUTQ, &unacknowledged) == 0 && unacknowledged > 0)
            return false;
    return true;
}
