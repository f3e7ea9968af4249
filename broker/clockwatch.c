/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/clockwatch.h"

struct clockwatch_found clockwatch_look(struct clockwatch *watch, int64_t boot, int64_t monotonic,
                                        int64_t wall)
{
    struct clockwatch now = {.begun = true, .asleep = boot - monotonic, .wall = wall - boot};
    struct clockwatch_found found = {false, false};

    if (watch->begun) {
        found.slept = now.asleep - watch->asleep >= CLOCKWATCH_SLEPT_MS;
        found.set_back = watch->wall - now.wall >= CLOCKWATCH_BACK_MS;
    }
    *watch = now;
    return found;
}
