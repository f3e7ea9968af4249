/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One request to rtnetlink(7), and its answer.
 */
#ifndef WG_SETUP_RTNETLINK_H
#define WG_SETUP_RTNETLINK_H

#include <libmnl/libmnl.h>
#include <stdint.h>

/* Begins a request in `buffer`. */
struct nlmsghdr *rtnetlink_begin(void *buffer, uint16_t type, uint16_t flags);
/* Sends it and waits for the end of the answer; `callback` sees its messages. 0, or -errno as the
 * kernel says. */
int rtnetlink_talk(struct nlmsghdr *request, mnl_cb_t callback, void *data);

#endif
