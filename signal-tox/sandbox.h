/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What signal-tox gives up: toxcore parses what strangers send, in C.
 */
#ifndef SIGNAL_TOX_SANDBOX_H
#define SIGNAL_TOX_SANDBOX_H

#include "protocol/sandbox.h"

/* Before the first byte is read. Leaves only the system calls that Tox, the state folder and the
 * pipes need: no program can be started, no thread made. sandbox_folder() is to follow once the
 * state folder is open. 0, or -errno with `err` filled. */
int sandbox_enter(struct error *err);

#endif
