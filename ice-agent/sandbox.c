/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ice-agent/sandbox.h"

#include <seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "protocol/sandbox.h"

/* Names are resolved with these, but for the first, which seeds GLib's random numbers: it would
 * take the time of day instead. */
static const char *const readable[] = {
    "/dev/urandom",
    "/etc/gai.conf",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/resolv.conf",
    "/etc/services",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    NULL,
};

/* Grouped by who needs them. */
static const int calls[] = {
    /* GLib's event loop, and libnice */
    SCMP_SYS(eventfd2),
    SCMP_SYS(pipe2),
    SCMP_SYS(dup),
    SCMP_SYS(getpeername),
    SCMP_SYS(sendmsg),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendmmsg),
    SCMP_SYS(recvmmsg),
    SCMP_SYS(getppid),
    /* the resolver: /etc/resolv.conf and its like */
    SCMP_SYS(statx),
    SCMP_SYS(pread64),
    SCMP_SYS(access),
    SCMP_SYS(readlink),
    SCMP_SYS(uname),
    SCMP_SYS(geteuid),
    SCMP_SYS(getuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(sysinfo),
    SANDBOX_CALLS_END,
};

/* No AF_UNIX: it leads to the daemons of this host. */
static const int families[] = {AF_INET, AF_INET6, AF_NETLINK, 0};

/* GLib asks it of a datagram socket. */
static const unsigned long requests[] = {FIONREAD, 0};

int sandbox_enter(struct error *err)
{
    static const struct sandbox_table table = {.readable = readable,
                                               .threads = true,
                                               .calls = calls,
                                               .families = families,
                                               .requests = requests};

    return sandbox_apply(&table, err);
}
