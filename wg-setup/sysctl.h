/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Settings of the kernel that are changed for as long as one of us runs. What they were before, and
 * who needs them, is kept in a file that all of us on one network share: whoever comes after a
 * crash can still put them back, and the last one that needs a setting does.
 */
#ifndef WG_SETUP_SYSCTL_H
#define WG_SETUP_SYSCTL_H

#include <stdbool.h>

#include "protocol/error.h"

/* Of root alone. The file's name ends with the network namespace's cookie. */
#define SYSCTL_SHARED    "/run/punchguard-settings"
#define SYSCTL_FILE      "sysctl"
#define SYSCTL_NAME_MAX  80
#define SYSCTL_VALUE_MAX 24
#define SYSCTL_MAX       64

struct sysctls;

/* `proc` is /proc/sys and `shared` SYSCTL_SHARED but for tests. Whoever comes with the same
 * `state_dir` is the same; where `shared` can't be written, the file is there, and not shared,
 * until `shared` can. What was kept before the machine's last start is forgotten, for so did the
 * kernel. NULL with `err` filled. */
struct sysctls *sysctls_new(const char *proc, const char *shared, const char *state_dir,
                            struct error *err);
/* Leaves everything as it is. */
void sysctls_destroy(struct sysctls *sysctls);

/* `name` as a path below `proc`. A value that is there already, and by none of us, is not ours to
 * put back; all of us want the same one. 0, or -errno with `err` filled and the setting as it was.
 */
int sysctls_set(struct sysctls *sysctls, const char *name, const char *value, struct error *err);
/* Its value now, without the newline; false where it can't be read. */
bool sysctls_get(const struct sysctls *sysctls, const char *name, char value[SYSCTL_VALUE_MAX]);
/* Puts it back where we need it and nobody else does. One that is gone is no error. 0, or -errno
 * with `err` filled. */
int sysctls_restore(struct sysctls *sysctls, const char *name, struct error *err);
/* The same for all but one (NULL: all), the last one first; goes on after an error, and tells the
 * first. */
int sysctls_restore_all(struct sysctls *sysctls, const char *but, struct error *err);

#endif
