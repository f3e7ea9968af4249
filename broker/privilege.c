/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <config.h>

#include "broker/privilege.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int privilege_find_user(const char *name, struct privilege_user *user, struct error *err)
{
    const struct passwd *entry = getpwnam(name);

    if (entry == NULL) {
        error_set(err, "user-missing",
                  "there is no user '%s' to run as; make it with: adduser --system --group "
                  "--home /nonexistent --no-create-home %s",
                  name, name);
        return -ENOENT;
    }
    if (entry->pw_uid == 0 || entry->pw_gid == 0) {
        error_set(err, "user-privileged",
                  "user '%s' is root or in root's group: name a user without privilege", name);
        return -EINVAL;
    }
    *user = (struct privilege_user){.uid = entry->pw_uid, .gid = entry->pw_gid};
    return 0;
}

static int capabilities_get(uint64_t *permitted)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

    if (syscall(SYS_capget, &header, data) < 0)
        return -errno;
    *permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted;
    return 0;
}

static int capabilities_set(uint64_t set)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

    data[0].permitted = data[0].effective = (uint32_t)set;
    data[1].permitted = data[1].effective = (uint32_t)(set >> 32);
    return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

/* PR_CAPBSET_READ ends the list: the kernel may know more capabilities than the header did. To drop
 * one that a service manager dropped already takes CAP_SETPCAP all the same. */
static int bounding_keep(uint64_t set)
{
    int present;

    for (int c = 0; c < 64 && (present = prctl(PR_CAPBSET_READ, c, 0, 0, 0)) >= 0; c++)
        if (present == 1 && (set >> c & 1) == 0 && prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0)
            return -errno;
    return 0;
}

int privilege_keep(const int *capabilities, size_t count, struct error *err)
{
    uint64_t set = 0, permitted;
    int result;

    for (size_t i = 0; i < count; i++)
        set |= UINT64_C(1) << capabilities[i];
    result = capabilities_get(&permitted);
    if (result == 0)
        result = bounding_keep(set);
    if (result == 0)
        result = capabilities_set(set & permitted);
    if (result == 0 && (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
                        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0))
        result = -errno;
    if (result < 0)
        error_set(err, "privilege", "cannot give capabilities up: %s", strerror(-result));
    return result;
}

static bool privilege_gone(const struct privilege_user *user)
{
    uid_t uid[3];
    gid_t gid[3], group;
    uint64_t permitted;

    if (getresuid(&uid[0], &uid[1], &uid[2]) < 0 || getresgid(&gid[0], &gid[1], &gid[2]) < 0)
        return false;
    for (int i = 0; i < 3; i++)
        if (uid[i] != user->uid || gid[i] != user->gid)
            return false;
    return getgroups(0, NULL) == 1 && getgroups(1, &group) == 1 && group == user->gid &&
           capabilities_get(&permitted) == 0 && permitted == 0 && setuid(0) < 0 && setgid(0) < 0 &&
           prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
}

static int privilege_switch(const struct privilege_user *user)
{
    int result = bounding_keep(0);

    if (result < 0)
        return result;
    if (setgroups(1, &user->gid) < 0 || setresgid(user->gid, user->gid, user->gid) < 0 ||
        setresuid(user->uid, user->uid, user->uid) < 0)
        return -errno;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    return capabilities_set(0);
}

/* The other helpers run as the same user: they must not be able to trace this process. The leak
 * sanitizer has to. */
static int privilege_hide(void)
{
#ifdef PG_SANITIZED
    int dumpable = 1;
#else
    int dumpable = 0;
#endif
    return prctl(PR_SET_DUMPABLE, dumpable, 0, 0, 0) < 0 ? -errno : 0;
}

int privilege_become(const struct privilege_user *user, struct error *err)
{
    int result = privilege_switch(user);

    if (result == 0)
        result = privilege_hide();
    if (result < 0) {
        error_set(err, "privilege", "cannot become user %u: %s", (unsigned)user->uid,
                  strerror(-result));
        return result;
    }
    if (!privilege_gone(user)) {
        error_set(err, "privilege", "became user %u, but privilege is left; this is refused",
                  (unsigned)user->uid);
        return -EPERM;
    }
    return 0;
}
