/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "punchguard/clock.h"

#include <sys/timex.h>

enum clock_verdict clock_judge(int64_t now, int rc, int status)
{
    if (now < CLOCK_LEAST)
        return CLOCK_BEHIND;
    if (rc < 0)
        return CLOCK_UNKNOWN;
    return (status & STA_UNSYNC) != 0 ? CLOCK_UNKEPT : CLOCK_KEPT;
}
