/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The folder for what must outlast the broker, made while it is still root.
 */
#ifndef BROKER_STATE_DIR_H
#define BROKER_STATE_DIR_H

#include "broker/privilege.h"
#include "protocol/error.h"

/* Makes the folder and those above it where they are missing, the latter with mode 0755. With
 * `user` the folder becomes that user's, and root's group's for wg-setup, which has no capability
 * to go past permissions (not the user's own group: that is for people who may ask), with mode
 * 1770. One that is there already must be the user's, or root's and empty: whatever else is in it
 * would be given away. `user` NULL: it belongs to whoever runs the broker. 0, or -errno with `err`
 * filled; -EEXIST where it is somebody else's. */
int state_dir_make(const char *path, const struct privilege_user *user, struct error *err);

#endif
