/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What signal-tox gives up: toxcore parses what strangers send, in C.
 */
#ifndef SIGNAL_TOX_SANDBOX_H
#define SIGNAL_TOX_SANDBOX_H

#include "protocol/error.h"

/* Before the first byte is read. Drops every capability, forbids new ones, and leaves only the
 * system calls that Tox, the state folder and the pipes need: no program can be started, no thread
 * made. Others answer ENOSYS, so that libraries fall back. In a build with sanitizers only the
 * capabilities go. 0, or -errno with `err` filled. */
int sandbox_enter(struct error *err);

/* From now on only files directly in the open folder can be opened, made, renamed or removed;
 * descriptors that are open stay usable. By Landlock, as far as the kernel has it (Linux 5.13;
 * nothing without it, nor in a build with sanitizers). 0, or -errno with `err` filled. */
int sandbox_folder(int folder, struct error *err);

#endif
