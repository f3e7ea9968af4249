/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The list of TURN servers of `configure`, checked.
 */
#ifndef ICE_AGENT_TURN_H
#define ICE_AGENT_TURN_H

#include <stddef.h>

#include "protocol/error.h"

#define TURN_SERVERS 16

/* `text` is a JSON array of
 * {"server":"host:port","username":…,"password":…,"transport":"udp|tcp|tls"}, the transport udp
 * where absent. 0 with the number of servers in *count, or -EINVAL with `err` naming the place. No
 * password gets into `err`. */
int turn_check(const char *text, size_t *count, struct error *err);

#endif
