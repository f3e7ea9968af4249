/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How long to wait before a helper that ended is started again.
 */
#ifndef BROKER_BACKOFF_H
#define BROKER_BACKOFF_H

#include <stdint.h>

/* PROMISES: a helper that crashes at once, for ever: 0.2 s doubling to 30 s, jittered. */
#define BACKOFF_FIRST_MS 200
#define BACKOFF_MAX_MS   30000

/* All zero: nothing failed yet. */
struct backoff {
    uint32_t base_ms;
};

/* The next wait in ms, within a fifth of 200, 400, 800 … 30,000 and never above 30,000. `random` is
 * any 32 random bits. */
uint32_t backoff_next(struct backoff *backoff, uint32_t random);
void backoff_reset(struct backoff *backoff);

#endif
