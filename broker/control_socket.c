/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/control_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Clients that wait to be accepted. */
#define BACKLOG 64

static int fail(struct error *err, int rc, const char *path, const char *right)
{
    error_set(err, "control", "$.control: cannot make the control socket %s: %s; %s", path,
              strerror(-rc), right);
    return rc;
}

/* false where the path has no folder but the root. */
static bool folder_of(const char *path, char *folder, size_t size)
{
    char *slash;

    snprintf(folder, size, "%s", path);
    slash = strrchr(folder, '/');
    if (slash == NULL || slash == folder)
        return false;
    *slash = '\0';
    return true;
}

int control_socket_make_folder(const char *path, uid_t uid, gid_t gid, struct error *err)
{
    char folder[sizeof((struct sockaddr_un *)0)->sun_path];
    struct stat about;
    bool made;
    int fd, rc = 0;

    if (!folder_of(path, folder, sizeof folder))
        return 0;
    made = mkdir(folder, 0755) == 0;
    if (!made && (errno != EEXIST || strcmp(folder, CONTROL_FOLDER) != 0))
        return errno == EEXIST ? 0 : fail(err, -errno, path, "its folder can't be made");
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return fail(err, -errno, path, "a folder is right");
    /* The mode while it is still root's: to change another's takes one more capability. */
    if (fstat(fd, &about) < 0 || (about.st_uid == geteuid() && fchmod(fd, 0755) < 0) ||
        (about.st_uid != uid && fchown(fd, uid, gid) < 0))
        rc = fail(err, -errno, path, "a folder of root's is right");
    close(fd);
    return rc;
}

/* 0 where the path is free now. */
static int path_clear(const struct sockaddr_un *address, struct error *err)
{
    const char *path = address->sun_path;
    struct stat about;
    int fd, rc;

    if (lstat(path, &about) < 0)
        return errno == ENOENT
                   ? 0
                   : fail(err, -errno, path, "a folder that this user may write is right");
    if (!S_ISSOCK(about.st_mode))
        return fail(err, -EEXIST, path, "what stands there is no socket, and is left alone");
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return fail(err, -errno, path, "a further descriptor is needed");
    rc = connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 ? 0 : -errno;
    close(fd);
    /* EAGAIN: so many wait that no more may. Somebody listens. */
    if (rc == 0 || rc == -EAGAIN) {
        error_set(
            err, "control-in-use",
            "$.control: another broker listens at %s: end it first, or name another interface "
            "and another control socket in this configuration",
            path);
        return -EADDRINUSE;
    }
    if (rc != -ECONNREFUSED)
        return fail(err, rc, path, "the socket there is somebody else's");
    if (unlink(path) < 0 && errno != ENOENT)
        return fail(err, -errno, path, "the socket that was left there can't be removed");
    return 0;
}

int control_socket_open(struct control_socket *made, const char *path, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char folder[sizeof address.sun_path];
    struct stat about;
    int rc;

    made->fd = -1;
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (folder_of(path, folder, sizeof folder))
        mkdir(folder, 0755);
    rc = path_clear(&address, err);
    if (rc < 0)
        return rc;
    made->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (made->fd >= 0 && bind(made->fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
        chmod(path, 0660) == 0 && lstat(path, &about) == 0 && listen(made->fd, BACKLOG) == 0) {
        made->device = about.st_dev;
        made->inode = about.st_ino;
        return 0;
    }
    rc = -errno;
    if (made->fd >= 0)
        close(made->fd);
    made->fd = -1;
    return fail(err, rc, path, "a folder that this user may write is right");
}

void control_socket_close(struct control_socket *made, const char *path)
{
    struct stat about;

    if (made->fd < 0)
        return;
    if (lstat(path, &about) == 0 && about.st_dev == made->device && about.st_ino == made->inode)
        unlink(path);
    close(made->fd);
    made->fd = -1;
}
