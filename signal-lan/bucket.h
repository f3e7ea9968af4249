/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * So much a second and so much at once, not more.
 */
#ifndef SIGNAL_LAN_BUCKET_H
#define SIGNAL_LAN_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket {
    int64_t rate, size; /* thousandths: a second, at most */
    int64_t level, at;
};

/* Full. `now` is in ms here and below, and never goes back. */
static inline void bucket_init(struct bucket *bucket, unsigned a_second, unsigned at_once,
                               int64_t now)
{
    bucket->rate = (int64_t)a_second * 1000;
    bucket->size = bucket->level = (int64_t)at_once * 1000;
    bucket->at = now;
}

/* Whether there is so much. */
static inline bool bucket_has(struct bucket *bucket, unsigned count, int64_t now)
{
    int64_t passed = now - bucket->at;

    bucket->at = now;
    if (passed >= 60000)
        bucket->level = bucket->size;
    else
        bucket->level += bucket->rate * passed / 1000;
    if (bucket->level > bucket->size)
        bucket->level = bucket->size;
    return bucket->level >= (int64_t)count * 1000;
}

/* Takes so much where it is there. */
static inline bool bucket_take(struct bucket *bucket, unsigned count, int64_t now)
{
    if (!bucket_has(bucket, count, now))
        return false;
    bucket->level -= (int64_t)count * 1000;
    return true;
}

#endif
