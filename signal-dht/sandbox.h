/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What signal-dht gives up: OpenDHT parses what strangers send, in C++.
 */
#ifndef SIGNAL_DHT_SANDBOX_H
#define SIGNAL_DHT_SANDBOX_H

#include "protocol/error.h"

/* Before the first byte is read and before OpenDHT's threads. Only the files can be read that names
 * are resolved with, none can be written, no program started; see protocol/sandbox.h. 0, or -errno
 * with `err` filled. */
int sandbox_enter(struct error *err);

#endif
