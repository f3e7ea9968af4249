/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wg-setup/hosts_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "protocol/file.h"
#include "wg-setup/hosts.h"

struct change {
    const char *path;
    int folder;
    struct stat before; /* st_nlink 0: there is no file */
    char *old, *new;
    size_t old_length, new_length;
};

/* Others of ours wait for each other at the folder: the file itself is replaced. */
static int folder_lock(const char *path)
{
    char folder[PATH_MAX];
    char *slash;
    int fd;

    snprintf(folder, sizeof folder, "%s", path);
    slash = strrchr(folder, '/');
    slash[slash == folder] = '\0';
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    close(fd);
    return -EAGAIN;
}

static int read_old(struct change *change, struct error *err)
{
    int fd = open(change->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc;
    void *text;

    if (fd < 0 && errno == ENOENT) {
        change->old = calloc(1, 1);
        return change->old != NULL ? 0 : -ENOMEM;
    }
    if (fd < 0)
        return -errno;
    rc = fstat(fd, &change->before) < 0 ? -errno : 0;
    if (rc == 0)
        rc = file_read_open(fd, change->path, HOSTS_FILE_MAX, &text, &change->old_length, err);
    if (rc == 0)
        change->old = text;
    close(fd);
    return rc;
}

static bool is_as_before(const struct change *change, const struct stat *now)
{
    const struct stat *before = &change->before;

    return now->st_dev == before->st_dev && now->st_ino == before->st_ino &&
           now->st_size == before->st_size && now->st_mtim.tv_sec == before->st_mtim.tv_sec &&
           now->st_mtim.tv_nsec == before->st_mtim.tv_nsec;
}

static bool was_changed_meanwhile(const struct change *change)
{
    struct stat now;

    if (stat(change->path, &now) < 0)
        return errno != ENOENT || change->before.st_nlink > 0;
    return !is_as_before(change, &now);
}

/* Whether a new file would be like the old one in all but its text. */
static bool can_be_replaced(const struct change *change)
{
    struct stat link;

    /* A link that leads nowhere stays: what it leads to may not be mounted yet. */
    if (change->before.st_nlink == 0)
        return lstat(change->path, &link) < 0 && errno == ENOENT;
    return lstat(change->path, &link) == 0 && S_ISREG(link.st_mode) && link.st_nlink == 1 &&
           link.st_uid == geteuid() && link.st_gid == getegid() &&
           llistxattr(change->path, NULL, 0) <= 0;
}

/* 0 once it has all, or -errno. */
static int write_from(int fd, const char *text, size_t length, size_t offset)
{
    while (offset < length) {
        ssize_t n = pwrite(fd, text + offset, length - offset, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        offset += (size_t)n;
    }
    return 0;
}

static int write_new(const struct change *change, const char *temporary)
{
    mode_t mode = change->before.st_nlink > 0 ? change->before.st_mode & 07777 : 0644;
    int fd = openat(change->folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                    0600);
    int rc;

    if (fd < 0)
        return -errno;
    rc = write_from(fd, change->new, change->new_length, 0);
    if (rc == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0))
        rc = -errno;
    close(fd);
    return rc;
}

static int replace(const struct change *change)
{
    static const char temporary[] = ".hosts.punchguard";
    const char *name = strrchr(change->path, '/') + 1;
    int rc;

    if (unlinkat(change->folder, temporary, 0) < 0 && errno != ENOENT)
        return -errno;
    rc = write_new(change, temporary);
    if (rc == 0 && was_changed_meanwhile(change))
        rc = -EAGAIN;
    if (rc == 0 && renameat(change->folder, temporary, change->folder, name) < 0)
        rc = -errno;
    if (rc < 0)
        unlinkat(change->folder, temporary, 0);
    else
        fsync(change->folder);
    return rc;
}

static size_t common_length(const struct change *change)
{
    size_t i = 0;

    while (i < change->old_length && i < change->new_length && change->old[i] == change->new[i])
        i++;
    return i;
}

static int overwrite_open(const struct change *change, int fd)
{
    struct stat now;
    int rc;

    if (fstat(fd, &now) < 0)
        return -errno;
    if (!is_as_before(change, &now))
        return -EAGAIN;
    /* A full disk is found out before anything is changed, where the file system can tell. */
    if (change->new_length > change->old_length &&
        fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)change->new_length) < 0 && errno == ENOSPC)
        return -ENOSPC;
    rc = write_from(fd, change->new, change->new_length, common_length(change));
    if (rc == 0 && ftruncate(fd, (off_t)change->new_length) < 0)
        rc = -errno;
    if (rc == 0 && fsync(fd) < 0)
        rc = -errno;
    return rc;
}

static int overwrite(const struct change *change)
{
    int fd = open(change->path, O_WRONLY | O_CLOEXEC | O_NONBLOCK), rc;

    if (fd < 0)
        return -errno;
    rc = overwrite_open(change, fd);
    close(fd);
    return rc;
}

static int write_change(const struct change *change)
{
    int rc = -ENOENT;

    if (can_be_replaced(change))
        rc = replace(change);
    if (rc == 0 || rc == -EAGAIN || rc == -ENOSPC || change->before.st_nlink == 0)
        return rc;
    return overwrite(change);
}

static int put(struct change *change, const char *interface, const char *lines, struct error *err)
{
    int rc = read_old(change, err);

    if (rc < 0)
        return rc;
    change->new =
        hosts_edit(change->old, change->old_length, interface, lines, &change->new_length);
    if (change->new == NULL)
        return -ENOMEM;
    if (change->new_length == change->old_length &&
        memcmp(change->new, change->old, change->new_length) == 0)
        return 0;
    rc = write_change(change);
    return rc < 0 ? rc : 1;
}

int hosts_file_put(const char *path, const char *interface, const char *lines, struct error *err)
{
    struct change change = {.path = path, .folder = folder_lock(path)};
    int rc = change.folder;

    if (rc >= 0) {
        rc = put(&change, interface, lines, err);
        close(change.folder);
    }
    free(change.old);
    free(change.new);
    if (rc < 0)
        error_set(err, "hosts-file", "cannot write %s: %s", path, strerror(-rc));
    return rc;
}
