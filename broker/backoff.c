/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/backoff.h"

uint32_t backoff_next(struct backoff *backoff, uint32_t random)
{
    uint32_t base = backoff->base_ms == 0 ? BACKOFF_FIRST_MS : backoff->base_ms * 2;
    uint32_t wait;

    if (base > BACKOFF_MAX_MS)
        base = BACKOFF_MAX_MS;
    backoff->base_ms = base;
    wait = base - base / 5 + random % (2 * (base / 5) + 1);
    return wait < BACKOFF_MAX_MS ? wait : BACKOFF_MAX_MS;
}

void backoff_reset(struct backoff *backoff)
{
    backoff->base_ms = 0;
}
