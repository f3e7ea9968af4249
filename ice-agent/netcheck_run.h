/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * punchguard-ice-agent --netcheck.
 */
#ifndef ICE_AGENT_NETCHECK_RUN_H
#define ICE_AGENT_NETCHECK_RUN_H

#include "ice-agent/settings.h"

/* Enters the sandbox, checks, and writes the report to standard output. 0: it can punch, 1: it
 * can't; -1 with `err` filled. */
int netcheck_run(const struct settings *settings, struct error *err);

#endif
