/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The internet sockets of this process. toxcore opens them and shows none, but we want to sleep
 * until one has something to read, and to leave none behind in the kernel.
 */
#ifndef SIGNAL_TOX_SOCKETS_H
#define SIGNAL_TOX_SOCKETS_H

#include <stdbool.h>

/* An epoll descriptor that becomes readable once for each arrival on a socket that was found; the
 * caller's to close. -errno. */
int sockets_open(void);

/* Finds the sockets opened since, and sets them so that closing a TCP connection resets it: in the
 * orderly way the kernel would keep it for a minute after the process has ended (FIN-WAIT-2,
 * TIME-WAIT). Closed ones leave by themselves. */
void sockets_find(int epoll);

/* Makes the descriptor unreadable again. Whether it was readable. */
bool sockets_arrived(int epoll);

/* Whether all that was written to TCP connections has been acknowledged. */
bool sockets_flushed(void);

#endif
