/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the service manager is told: sd_notify(3)'s protocol, without its library. One datagram of
 * lines VARIABLE=value to the AF_UNIX socket that $NOTIFY_SOCKET names.
 */
#ifndef BROKER_NOTIFY_H
#define BROKER_NOTIFY_H

#include <uv.h>

struct notify;

/* Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the environment, so that no process
 * started from now on has them. Where the manager wants a sign of life (WatchdogSec=), it gets one
 * every half of that time as long as the loop turns; this does not keep the loop alive. NULL where
 * there is no manager to tell, or it cannot be reached, which is logged; all functions here take
 * that. */
struct notify *notify_open(uv_loop_t *loop);

/* The start is complete; only the first call is told. */
void notify_ready(struct notify *notify);
/* One line for people, cut where it is too long. */
void notify_status(struct notify *notify, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void notify_stopping(struct notify *notify);

/* The memory is gone after some turns of the loop. */
void notify_close(struct notify *notify);

#endif
