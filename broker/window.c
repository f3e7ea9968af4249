/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/window.h"

#include <string.h>

static uint64_t bit_of(uint64_t counter)
{
    return UINT64_C(1) << (counter % 64);
}

static uint64_t *word_of(struct window *window, uint64_t counter)
{
    return &window->bits[counter / 64 % (WINDOW_SIZE / 64)];
}

bool window_accepts(const struct window *window, uint64_t counter)
{
    if (counter == UINT64_MAX)
        return false; /* reserved by Noise, and `next` could not pass it */
    if (counter >= window->next)
        return true;
    if (window->next - counter > WINDOW_SIZE)
        return false;
    return (window->bits[counter / 64 % (WINDOW_SIZE / 64)] & bit_of(counter)) == 0;
}

void window_mark(struct window *window, uint64_t counter)
{
    if (counter >= window->next) {
        if (counter - window->next >= WINDOW_SIZE)
            memset(window->bits, 0, sizeof window->bits);
        else
            for (uint64_t skipped = window->next; skipped < counter; skipped++)
                *word_of(window, skipped) &= ~bit_of(skipped);
        window->next = counter + 1;
    }
    *word_of(window, counter) |= bit_of(counter);
}
