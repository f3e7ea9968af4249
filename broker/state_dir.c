/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/state_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODE 01770

static int fail(struct error *err, const char *path, int problem)
{
    error_set(
        err, "state-dir",
        "$.state_dir: cannot make or own the folder %s: %s; a folder that this user may write "
        "is right",
        path, problem == -ELOOP || problem == -ENOTDIR ? "it is none" : strerror(-problem));
    return problem;
}

static int make_parents(const char *path)
{
    char parent[4096];
    int rc = 0;

    if ((size_t)snprintf(parent, sizeof parent, "%s", path) >= sizeof parent)
        return -ENAMETOOLONG;
    for (char *at = strchr(parent + 1, '/'); at != NULL && rc == 0; at = strchr(at + 1, '/')) {
        *at = '\0';
        if (mkdir(parent, 0755) < 0 && errno != EEXIST)
            rc = -errno;
        *at = '/';
    }
    return rc;
}

/* Others must be able to pass through what is above, whatever is the mask for files. */
static int make_folders(const char *path)
{
    mode_t mask = umask(022);
    int rc = make_parents(path);

    umask(mask);
    if (rc == 0 && mkdir(path, 0700) < 0 && errno != EEXIST)
        rc = -errno;
    return rc;
}

/* Takes the descriptor over. */
static bool is_empty(int fd)
{
    DIR *folder = fdopendir(fd);
    const struct dirent *entry;
    bool empty = folder != NULL;

    if (folder == NULL) {
        close(fd);
        return false;
    }
    while (empty && (entry = readdir(folder)) != NULL)
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    closedir(folder);
    return empty;
}

static int give(int fd, const char *path, const struct privilege_user *user, struct error *err)
{
    struct stat about;

    if (fstat(fd, &about) < 0)
        return fail(err, path, -errno);
    if (about.st_uid != user->uid && (about.st_uid != geteuid() || !is_empty(dup(fd)))) {
        error_set(err, "state-dir",
                  "$.state_dir: the folder %s is user %u's and not empty: it is not taken away; a "
                  "folder of user %u's, or one that does not exist yet, is right",
                  path, (unsigned)about.st_uid, (unsigned)user->uid);
        return -EEXIST;
    }
    /* The mode while it is root's: to change another's takes one more capability. */
    if ((about.st_mode & 07777) != MODE && fchmod(fd, MODE) < 0)
        return fail(err, path, -errno);
    if ((about.st_uid != user->uid || about.st_gid != 0) && fchown(fd, user->uid, 0) < 0)
        return fail(err, path, -errno);
    return 0;
}

int state_dir_make(const char *path, const struct privilege_user *user, struct error *err)
{
    int rc = make_folders(path), fd;

    if (rc < 0)
        return fail(err, path, rc);
    if (user == NULL)
        return 0;
    fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return fail(err, path, -errno);
    rc = give(fd, path, user, err);
    close(fd);
    return rc;
}
