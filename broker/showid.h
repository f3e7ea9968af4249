/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * --show-id: what the other device's configuration needs to know of this one.
 */
#ifndef BROKER_SHOWID_H
#define BROKER_SHOWID_H

#include <uv.h>

#include "broker/config.h"
#include "broker/identity.h"

/* Asks each transport for its address, with no network traffic, and prints one JSON object. The exit
 * code: 1 where a transport gave none within 10 s; the others are printed. */
int showid_run(uv_loop_t *loop, const struct config *config, const struct identity *identity);

#endif
