/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Giving root's privilege up, for good.
 */
#ifndef BROKER_PRIVILEGE_H
#define BROKER_PRIVILEGE_H

#include <stddef.h>
#include <sys/types.h>

#include "protocol/error.h"

/* The user that the broker and all helpers but wg-setup run as, where the caller names no other. */
#define PRIVILEGE_USER "punchguard"

struct privilege_user {
    uid_t uid;
    gid_t gid;
};

/* 0, or -ENOENT with `err` saying how to make the user, or -EINVAL for root, which would give up
 * nothing. */
int privilege_find_user(const char *name, struct privilege_user *user, struct error *err);

/* Becomes that user: its group alone, no capability in any set, no_new_privs, not dumpable; then
 * checks that it is so and that there is no way back. Before threads are started. 0, or -errno with
 * `err` filled; after an error the process is in no defined state and must end. */
int privilege_become(const struct privilege_user *user, struct error *err);

/* Stays the user it is and keeps, in the bounding set too, no capability (capabilities(7)) but
 * those of the list that it has; sets no_new_privs. 0, or -errno with `err` filled. */
int privilege_keep(const int *capabilities, size_t count, struct error *err);

#endif
