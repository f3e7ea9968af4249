/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "signal-tox/sandbox.h"

#include <linux/sockios.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static const int calls[] = {SCMP_SYS(time), SANDBOX_CALLS_END};

/* With SOCK_RAW or a packet socket there would be no capability for it anyway. */
static const int families[] = {AF_INET, AF_INET6, 0};

/* toxcore asks how much can be read (FIONREAD) and for the broadcast addresses of the LAN; the rest
 * is ours. */
static const unsigned long requests[] = {FIONREAD,       FIONBIO,  SIOCGIFCONF,
                                         SIOCGIFBRDADDR, SIOCOUTQ, 0};

int sandbox_enter(struct error *err)
{
    static const struct sandbox_table table = {
        .folder = true, .calls = calls, .families = families, .requests = requests};

    return sandbox_apply(&table, err);
}
