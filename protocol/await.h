/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef PROTOCOL_AWAIT_H
#define PROTOCOL_AWAIT_H

#include <stdbool.h>

/* Waits until one of `events` (as of poll()) shows on `fd`, or an error or its end does, for at
 * most `wait_ms` milliseconds, of which a signal's handler takes nothing away. A negative wait_ms
 * waits for ever. False: nothing showed in that time. */
bool await_fd(int fd, short events, int wait_ms);

#endif
