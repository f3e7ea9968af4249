/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What an ice-agent gives up before it reads its first byte.
 */
#ifndef ICE_AGENT_SANDBOX_H
#define ICE_AGENT_SANDBOX_H

#include "protocol/error.h"

/* Leaves only the files and system calls that ICE, name resolution and the pipes need
 * (protocol/sandbox.h): no program or process can be started, no file be written, no key be read.
 * Before any thread. 0, or -errno with `err` filled. */
int sandbox_enter(struct error *err);

#endif
