/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The broker's clocks.
 */
#ifndef BROKER_CLOCK_H
#define BROKER_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_read_ms(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ms since boot, time asleep included: what the session machines live by. */
static inline int64_t clock_boot_ms(void)
{
    return clock_read_ms(CLOCK_BOOTTIME);
}

/* ms since boot, awake: what events carry, the same in all namespaces of one machine. */
static inline int64_t clock_monotonic_ms(void)
{
    return clock_read_ms(CLOCK_MONOTONIC);
}

/* ms since 1970, as far as somebody set it right. */
static inline int64_t clock_wall_ms(void)
{
    return clock_read_ms(CLOCK_REALTIME);
}

#endif
