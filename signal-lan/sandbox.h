/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What signal-lan gives up.
 */
#ifndef SIGNAL_LAN_SANDBOX_H
#define SIGNAL_LAN_SANDBOX_H

#include "protocol/error.h"

/* Before the first byte is read. Leaves only the system calls that UDP, rtnetlink and the pipes
 * need (protocol/sandbox.h): no file can be opened, no program or thread started. 0, or -errno with
 * `err` filled. */
int sandbox_enter(struct error *err);

#endif
