/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The status again and again: in place on a terminal, one after the other elsewhere.
 */
#ifndef PUNCHGUARD_WATCHING_H
#define PUNCHGUARD_WATCHING_H

#include <stddef.h>
#include <stdio.h>

#include "punchguard/command.h"

/* Columns of the terminal, 0 where it is none. */
size_t watching_width(FILE *out);

/* Of the peer, NULL for all, until SIGINT, SIGTERM or on a terminal the key q. Every so many
 * seconds, and where an event comes. */
enum outcome watching_run(const struct context *context, const char *peer, int interval);

#endif
