/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Looks names up in threads, several at a time. Knows no event loop: poll names_fd().
 */
#ifndef ICE_AGENT_NAMES_H
#define ICE_AGENT_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "protocol/endpoint.h"
#include "protocol/error.h"

struct names {
    int in, out;         /* a pipe, of which each thread has a copy of its own */
    unsigned unresolved; /* names whose end names_next() has not seen yet */
};

/* 0 or -errno; then there is nothing to close. */
int names_open(struct names *names);
/* Never waits for a name that does not resolve: its thread ends later, by itself. */
void names_close(struct names *names);

/* Begins to look `host` up; its addresses come with this port, and `tag`. 0, or -errno with `err`
 * filled. */
int names_resolve(struct names *names, const char *host, uint16_t port, unsigned tag,
                  struct error *err);
/* Readable when there is something for names_next(). */
int names_fd(const struct names *names);
/* The next address that is known; false when for now there is none. */
bool names_next(struct names *names, struct endpoint *endpoint, unsigned *tag);

#endif
