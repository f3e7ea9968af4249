/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where a program of the configuration is found.
 */
#ifndef BROKER_PROGRAM_H
#define BROKER_PROGRAM_H

#include <stddef.h>

#include "protocol/error.h"

/* Looks `name` up beside the running program, then in PATH; a name with a slash is taken as it is.
 * Writes an absolute or given path of at most `size` bytes. 0, -ENOENT or -ENAMETOOLONG with `err`
 * filled. */
int program_find(const char *name, char *path, size_t size, struct error *err);

#endif
