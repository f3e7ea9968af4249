/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whether a clock can be relied on: a peer refuses handshakes that are older than those it has
 * seen.
 */
#ifndef PUNCHGUARD_CLOCK_H
#define PUNCHGUARD_CLOCK_H

#include <stdint.h>

/* 1 January 2025, in seconds since 1970: no clock of a machine that runs this is before. */
#define CLOCK_LEAST 1735689600

enum clock_verdict {
    CLOCK_KEPT,
    CLOCK_UNKEPT,  /* nothing keeps it right */
    CLOCK_BEHIND,  /* it is before CLOCK_LEAST */
    CLOCK_UNKNOWN, /* whether something keeps it right can't be seen */
};

/* Of the time, in seconds since 1970, and what adjtimex(2) gave back and as the clock's status. */
enum clock_verdict clock_judge(int64_t now, int rc, int status);

#endif
