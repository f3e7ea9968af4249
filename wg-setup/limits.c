/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wg-setup/limits.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAPABILITY_WORDS _LINUX_CAPABILITY_U32S_3

static int get(struct __user_cap_data_struct data[CAPABILITY_WORDS])
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};

    return syscall(SYS_capget, &head, data) < 0 ? -errno : 0;
}

static int set(const struct __user_cap_data_struct data[CAPABILITY_WORDS])
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};

    return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}

int limits_check(struct error *err)
{
    struct __user_cap_data_struct data[CAPABILITY_WORDS];

    if (get(data) == 0 && (data[0].effective & (1u << CAP_NET_ADMIN)))
        return 0;
    error_set(err, "no-capability",
              "CAP_NET_ADMIN is missing: start it as root, or with that capability (setcap "
              "cap_net_admin+ep, or AmbientCapabilities= in a unit)");
    return -EPERM;
}

int limits_apply(struct error *err)
{
    struct __user_cap_data_struct data[CAPABILITY_WORDS];
    int rc;

    /* Needs CAP_SETPCAP, which an unprivileged start with CAP_NET_ADMIN alone has not, nor has it anything to drop. */
    for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
        if (capability != CAP_NET_ADMIN)
            prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
    memset(data, 0, sizeof data);
    data[0].effective = data[0].permitted = data[0].inheritable = 1u << CAP_NET_ADMIN;
    rc = set(data);
    /* Ambient, so that a userspace WireGuard gets it where we are not root. */
    if (rc == 0)
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_ADMIN, 0, 0);
    if (rc == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        rc = -errno;
    if (rc < 0)
        error_set(err, "limits", "cannot give up capabilities: %s", strerror(-rc));
    return rc;
}
