/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which counters of one direction were seen, so that nothing is accepted twice (the method of RFC
 * 6479).
 */
#ifndef BROKER_WINDOW_H
#define BROKER_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

/* Counters this far behind the greatest one seen are refused. */
#define WINDOW_SIZE 1024

/* All zero is a window that has seen nothing. */
struct window {
    uint64_t next; /* one more than the greatest counter seen */
    uint64_t bits[WINDOW_SIZE / 64];
};

/* Whether the counter is neither seen nor too old. Changes nothing: ask before authentication. */
bool window_accepts(const struct window *window, uint64_t counter);
/* Marks an authenticated counter, that window_accepts accepted, as seen. */
void window_mark(struct window *window, uint64_t counter);

#endif
