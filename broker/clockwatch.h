/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Tells from three clocks whether the machine slept and whether its wall clock was set back. Pure.
 */
#ifndef BROKER_CLOCKWATCH_H
#define BROKER_CLOCKWATCH_H

#include <stdbool.h>
#include <stdint.h>

/* How often to look, in ms. */
#define CLOCKWATCH_MS 2000
/* Asleep for so long, in ms: shorter, no NAT has forgotten anything. */
#define CLOCKWATCH_SLEPT_MS 5000
/* Set back by so much, in ms. WireGuard's TAI64N timestamps have a grain of 16.8 ms; what NTP slews
 * is less than this between two looks. */
#define CLOCKWATCH_BACK_MS 100

struct clockwatch {
    bool begun;
    int64_t asleep; /* boot - monotonic */
    int64_t wall;   /* wall - boot */
};

struct clockwatch_found {
    bool slept;
    bool set_back;
};

/* A look at the clocks, all in ms: time since boot with and without sleep, and since 1970. */
struct clockwatch_found clockwatch_look(struct clockwatch *watch, int64_t boot, int64_t monotonic,
                                        int64_t wall);

#endif
