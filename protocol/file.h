/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Files of the state folder: read with a bound, written so that a crash leaves the old or the new.
 */
#ifndef PROTOCOL_FILE_H
#define PROTOCOL_FILE_H

#include <stddef.h>
#include <sys/types.h>

#include "protocol/error.h"

/* Opens the folder, making it (last part only) with `mode` where it is missing. Returns a
 * descriptor, or -errno with `err` filled. */
int folder_open(const char *path, mode_t mode, struct error *err);

/* Reads the regular file `name` in the folder, at most `max` bytes, never through a symbolic link.
 * *data is for the caller to free (it has one more byte, NUL). 0; -ENOENT where there is none (err
 * filled too); -EFBIG; -errno. */
int file_read(int folder, const char *name, size_t max, void **data, size_t *length,
              struct error *err);

/* The same of a file that is open already, from where it stands; `name` is for errors. The descriptor
 * stays the caller's. */
int file_read_open(int fd, const char *name, size_t max, void **data, size_t *length,
                   struct error *err);

/* Writes by a temporary file of mode 0600, fsync, rename, and fsync of the folder. 0, or -errno with
 * `err` filled and the old file untouched. */
int file_write(int folder, const char *name, const void *data, size_t length, struct error *err);

/* The same, and the file is that owner's, where it is not NULL, from before it has its name: no other
 * file is given away, whoever renames what in the folder. */
int file_write_for(int folder, const char *name, const void *data, size_t length,
                   const uid_t *owner, const gid_t *group, struct error *err);

#endif
