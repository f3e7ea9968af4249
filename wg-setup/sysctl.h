/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Settings of the kernel that are changed for as long as we run. What they were before is kept in a
 * file, so that whoever comes after a crash can still put them back.
 */
#ifndef WG_SETUP_SYSCTL_H
#define WG_SETUP_SYSCTL_H

#include <stdbool.h>

#include "protocol/error.h"

#define SYSCTL_FILE      "sysctl"
#define SYSCTL_NAME_MAX  80
#define SYSCTL_VALUE_MAX 24
#define SYSCTL_MAX       64

struct sysctls;

/* `proc` is /proc/sys but for tests. Reads FOLDER/sysctl; what was kept before the machine's last
 * start is forgotten, for so did the kernel. NULL with `err` filled. */
struct sysctls *sysctls_new(const char *proc, const char *folder, struct error *err);
/* Leaves everything as it is. */
void sysctls_destroy(struct sysctls *sysctls);

/* `name` as a path below `proc`. A value that is there already, and not by us, is not ours to put
 * back. 0, or -errno with `err` filled and the setting as it was. */
int sysctls_set(struct sysctls *sysctls, const char *name, const char *value, struct error *err);
/* Its value now, without the newline; false where it can't be read. */
bool sysctls_get(const struct sysctls *sysctls, const char *name, char value[SYSCTL_VALUE_MAX]);
/* Puts it back where we changed it. One that is gone is no error. 0, or -errno with `err` filled.
 */
int sysctls_restore(struct sysctls *sysctls, const char *name, struct error *err);
/* The same for all but one (NULL: all), the last one first; goes on after an error, and tells the first. */
int sysctls_restore_all(struct sysctls *sysctls, const char *but, struct error *err);

#endif
