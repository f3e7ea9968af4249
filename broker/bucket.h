/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A limit on a rate: so many at once, then one more per interval.
 */
#ifndef BROKER_BUCKET_H
#define BROKER_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket {
    unsigned size;
    unsigned left;
    int64_t interval; /* ms until one more is allowed */
    int64_t since;    /* when `left` was last made good; ms */
};

static inline struct bucket bucket_full(unsigned size, int64_t interval)
{
    return (struct bucket){.size = size, .left = size, .interval = interval};
}

/* Takes one, or says that there is none. `now` in ms of a clock that does not go back. */
static inline bool bucket_take(struct bucket *bucket, int64_t now)
{
    int64_t due = (now - bucket->since) / bucket->interval;

    if (due > 0) {
        bucket->since += due * bucket->interval;
        bucket->left =
            due < bucket->size - bucket->left ? bucket->left + (unsigned)due : bucket->size;
    }
    if (bucket->left == 0)
        return false;
    bucket->left--;
    return true;
}

#endif
