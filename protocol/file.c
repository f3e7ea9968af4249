/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "protocol/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(struct error *err, const char *action, const char *name)
{
    int saved = errno;

    error_set(err, saved == ENOENT ? "no-file" : "file", "cannot %s %s: %s", action, name,
              strerror(saved));
    return -saved;
}

int folder_open(const char *path, mode_t mode, struct error *err)
{
    int fd;

    if (mkdir(path, mode) < 0 && errno != EEXIST)
        return fail(err, "make the folder", path);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? fail(err, "open the folder", path) : fd;
}

static int read_all(int fd, char *data, size_t length)
{
    size_t done = 0;

    while (done < length) {
        ssize_t n = read(fd, data + done, length - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (int)done;
}

static int write_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, data, length);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        data += n;
        length -= (size_t)n;
    }
    return 0;
}

int file_read_open(int fd, const char *name, size_t max, void **data, size_t *length,
                   struct error *err)
{
    struct stat about;
    char *text;
    int rc;

    if (fstat(fd, &about) < 0)
        return fail(err, "read", name);
    if (!S_ISREG(about.st_mode)) {
        error_set(err, "file", "%s is not a regular file", name);
        return -EINVAL;
    }
    if (about.st_size < 0 || (size_t)about.st_size > max) {
        error_set(err, "file", "%s has %lld bytes, at most %zu are right", name,
                  (long long)about.st_size, max);
        return -EFBIG;
    }
    text = malloc((size_t)about.st_size + 1);
    rc = text ? read_all(fd, text, (size_t)about.st_size) : -ENOMEM;
    if (rc < 0) {
        errno = -rc;
        rc = fail(err, "read", name);
        free(text);
        return rc;
    }
    text[rc] = '\0';
    *data = text;
    *length = (size_t)rc;
    return 0;
}

int file_read(int folder, const char *name, size_t max, void **data, size_t *length,
              struct error *err)
{
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    int rc;

    if (fd < 0)
        return fail(err, "open", name);
    rc = file_read_open(fd, name, max, data, length, err);
    close(fd);
    return rc;
}

int file_write(int folder, const char *name, const void *data, size_t length, struct error *err)
{
    return file_write_for(folder, name, data, length, NULL, NULL, err);
}

int file_write_for(int folder, const char *name, const void *data, size_t length,
                   const uid_t *owner, const gid_t *group, struct error *err)
{
    char temporary[256];
    int fd, rc;

    snprintf(temporary, sizeof temporary, ".%s.new", name);
    if (unlinkat(folder, temporary, 0) < 0 && errno != ENOENT)
        return fail(err, "replace", temporary);
    fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail(err, "write", name);
    rc = write_all(fd, data, length);
    if (rc == 0 && owner != NULL && fchown(fd, *owner, *group) < 0)
        rc = -errno;
    if (rc == 0 && fsync(fd) < 0)
        rc = -errno;
    if (close(fd) < 0 && rc == 0)
        rc = -errno;
    if (rc == 0 && renameat(folder, temporary, folder, name) < 0)
        rc = -errno;
    if (rc < 0) {
        unlinkat(folder, temporary, 0);
        errno = -rc;
        return fail(err, "write", name);
    }
    fsync(folder);
    return 0;
}
