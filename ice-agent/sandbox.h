/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What an ice-agent gives up before it reads its first byte.
 */
#ifndef ICE_AGENT_SANDBOX_H
#define ICE_AGENT_SANDBOX_H

#include "protocol/error.h"

/* Drops every capability, forbids new ones, and leaves only the files (Landlock, where the kernel
 * has it) and system calls (seccomp) that ICE, name resolution and the pipes need: no program or
 * process can be started, no file be written, no key be read. System calls that are not known
 * answer ENOSYS, so that libraries fall back. Before any thread. In a build with
 * sanitizers only the capabilities go. 0, or -errno with `err` filled. */
int sandbox_enter(struct error *err);

#endif
