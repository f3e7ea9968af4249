/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "signal-lan/sandbox.h"

#include <seccomp.h>
#include <sys/socket.h>

#include "protocol/sandbox.h"

static const int calls[] = {SCMP_SYS(sendmsg), SCMP_SYS(recvmsg), SANDBOX_CALLS_END};

static const int families[] = {AF_INET, AF_INET6, AF_NETLINK, 0};

int sandbox_enter(struct error *err)
{
    static const struct sandbox_table table = {.calls = calls, .families = families};

    return sandbox_apply(&table, err);
}
