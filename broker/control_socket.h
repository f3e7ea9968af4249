/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The place of the control socket in the file system.
 */
#ifndef BROKER_CONTROL_SOCKET_H
#define BROKER_CONTROL_SOCKET_H

#include <sys/types.h>

#include "protocol/error.h"

/* Where the default socket is; root makes this folder the user's of the broker. */
#define CONTROL_FOLDER "/run/punchguard"

struct control_socket {
    int fd; /* listens, non-blocking */
    dev_t device;
    ino_t inode;
};

/* Makes the folder of the socket, where it is missing, the user's own, and CONTROL_FOLDER even
 * where it is not: for who starts as root and goes on as that user. Other folders that are there
 * are left alone. 0, or -errno with `err` filled. */
int control_socket_make_folder(const char *path, uid_t uid, gid_t gid, struct error *err);

/* Listens at the path, mode 0660, group: this process's. A socket that nobody listens on any more
 * is replaced. 0; -EADDRINUSE where another process listens there; -EEXIST where something else
 * stands there; -errno; `err` is filled. */
int control_socket_open(struct control_socket *made, const char *path, struct error *err);

/* Closes, and removes the path if it is still this socket. */
void control_socket_close(struct control_socket *made, const char *path);

#endif
