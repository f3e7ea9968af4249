/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The hosts file: our block is put there, everybody else's lines stay.
 */
#ifndef WG_SETUP_HOSTS_FILE_H
#define WG_SETUP_HOSTS_FILE_H

#include "protocol/error.h"

/* Lists that block advertisers have some 5 MB. */
#define HOSTS_FILE_MAX (64 * 1024 * 1024)

/* Makes `lines` the interface's block in the file; "" removes it. By a new file that takes the old
 * one's place, with its mode; where that would change more of it (a link, a mount point, another
 * owner, attributes), or its folder can't be written, in place, from the first byte on that
 * differs. 1 where the file changed, 0 where nothing had to; -EAGAIN where somebody else is writing
 * it, -errno, both with `err` filled. */
int hosts_file_put(const char *path, const char *interface, const char *lines, struct error *err);

#endif
