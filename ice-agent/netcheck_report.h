/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a check of the network has found, for people and for programs. The forms are described in
 * punchguard-ice-agent(8).
 */
#ifndef ICE_AGENT_NETCHECK_REPORT_H
#define ICE_AGENT_NETCHECK_REPORT_H

#include <stdio.h>

#include "ice-agent/netcheck.h"

/* `servers` are what netcheck_new() was given: the result has indices into it. */
void netcheck_report_text(FILE *out, const struct netcheck_result *result, char *const *servers);
/* One object on one line. */
void netcheck_report_json(FILE *out, const struct netcheck_result *result, char *const *servers);

#endif
