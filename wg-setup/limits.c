/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <config.h>

#include "wg-setup/limits.h"

#include <errno.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "protocol/log.h"

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

/* What neither we nor a userspace WireGuard, in whatever language, has a use for, though CAP_NET_ADMIN or a hole in the
 * kernel might make something of it. A list of what is allowed would have to follow each release of the Go runtime. */
static const int denied[] = {
#ifndef PG_SANITIZED /* which looks for leaks by tracing itself */
    SCMP_SYS(ptrace),
#endif
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(pidfd_getfd),
    /* the kernel itself */
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(keyctl),
    SCMP_SYS(reboot),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    SCMP_SYS(acct),
    SCMP_SYS(quotactl),
    SCMP_SYS(syslog),
    SCMP_SYS(iopl),
    SCMP_SYS(ioperm),
    /* file systems and namespaces */
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(move_mount),
    SCMP_SYS(open_tree),
    SCMP_SYS(fsopen),
    SCMP_SYS(fspick),
    SCMP_SYS(fsconfig),
    SCMP_SYS(fsmount),
    SCMP_SYS(mount_setattr),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(setns),
    SCMP_SYS(unshare),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(sethostname),
    SCMP_SYS(setdomainname),
    /* the clock */
    SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime),
    SCMP_SYS(clock_adjtime),
    SCMP_SYS(adjtimex),
};

static int calls_deny(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int rc = filter ? 0 : -ENOMEM;

    /* One that this architecture does not have (-EDOM) needs no denial. */
    for (size_t i = 0; rc == 0 && i < sizeof denied / sizeof denied[0]; i++) {
        rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), denied[i], 0);
        rc = rc == -EDOM ? 0 : rc;
    }
    if (rc == 0)
        rc = seccomp_load(filter);
    if (filter != NULL)
        seccomp_release(filter);
    return rc;
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
    if (rc < 0) {
        error_set(err, "limits", "cannot give up capabilities: %s", strerror(-rc));
        return rc;
    }
    rc = calls_deny();
    /* A kernel without seccomp is no reason to be without a tunnel. */
    if (rc < 0)
        log_warn("system calls are not limited: %s", strerror(-rc));
    return 0;
}
