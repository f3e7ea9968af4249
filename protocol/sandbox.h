/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a helper gives up, by a table of what it still needs. A library of its own (libsandbox.a),
 * so that programs without a sandbox do not need libseccomp.
 */
#ifndef PROTOCOL_SANDBOX_H
#define PROTOCOL_SANDBOX_H

#include <limits.h>
#include <stdbool.h>

#include "protocol/error.h"

/* Ends a list of system calls; their numbers may be anything else (libseccomp's are negative where
 * the architecture has no such call). */
#define SANDBOX_CALLS_END INT_MAX

/* Beyond what every helper needs: pipes, waiting, datagram and stream sockets once made, memory,
 * signals, time and the end. A list may be NULL where nothing is needed. */
struct sandbox_table {
    /* Files, and folders with all below, that can be read: up to NULL. Symbolic links are followed
     * at once. What is missing is left out. NULL: no file can be opened. */
    const char *const *readable;
    /* Instead of `readable`: files can be opened, made and written until sandbox_folder() says
     * where. */
    bool folder;
    /* Whether threads can be made. Processes never. */
    bool threads;
    const int *calls;              /* SCMP_SYS(…) of seccomp.h, up to SANDBOX_CALLS_END */
    const int *families;           /* of sockets that can be made, AF_…, up to 0 */
    const unsigned long *requests; /* of ioctl(), up to 0 */
};

/* To be called before the first byte is read and before any thread. Drops every capability, forbids
 * new ones, and leaves only the files (Landlock, where the kernel has it: Linux 5.13) and the
 * system calls (seccomp) of the table. Others answer ENOSYS, so that libraries fall back. In a
 * build with sanitizers only the capabilities go. 0, or -errno with `err` filled. */
int sandbox_apply(const struct sandbox_table *table, struct error *err);

/* For a table with `folder`: from now on only files directly in the open folder can be opened,
 * made, renamed or removed; descriptors that are open stay usable. As far as the kernel has
 * Landlock; nothing in a build with sanitizers. 0, or -errno with `err` filled. */
int sandbox_folder(int folder, struct error *err);

#endif
