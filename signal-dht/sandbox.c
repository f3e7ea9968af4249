/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "signal-dht/sandbox.h"

#include <seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "protocol/sandbox.h"

/* Names are resolved with these, but for the first, which seeds OpenDHT's random numbers where the
 * processor has none. */
static const char *const readable[] = {
    "/dev/urandom",
    "/etc/gai.conf",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/nsswitch.conf",
    "/etc/resolv.conf",
    "/etc/services",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    NULL,
};

static const int calls[] = {
    /* OpenDHT's loop: select() between its sockets and a pipe */
    SCMP_SYS(eventfd2),
    SCMP_SYS(pipe2),
    SCMP_SYS(pipe),
    SCMP_SYS(select),
    SCMP_SYS(pselect6),
    SCMP_SYS(sendmsg),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendmmsg),
    SCMP_SYS(recvmmsg),
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
