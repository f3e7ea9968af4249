/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A program that is run to its end, and what it printed.
 */
#ifndef PUNCHGUARD_CAPTURE_H
#define PUNCHGUARD_CAPTURE_H

#include <stddef.h>

/* The rest is read and thrown away. */
#define CAPTURE_MAX (8 * 1024 * 1024)

struct capture {
    int status; /* its exit status; -1 where it could not be run, was killed, or took too long */
    char *out, *err; /* what it printed, never NULL after capture_run() gave 0 */
};

/* argv[0] is looked up in PATH. `input` is its standard input. 0, or -errno where there is no
 * memory or descriptor. */
int capture_run(struct capture *capture, char *const argv[], const char *input, int timeout_ms);
void capture_clear(struct capture *capture);

#endif
