/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whether two sockets behind one NAT reach each other by their public endpoints (RFC 4787 section
 * 6), as two peers there would have to.
 */
#ifndef ICE_AGENT_HAIRPIN_H
#define ICE_AGENT_HAIRPIN_H

#include "ice-agent/asker.h"

struct hairpin {
    struct endpoint public; /* the first socket's */
    struct endpoint local;  /* the second one's */
    int first, second;      /* sockets of the asker; second below zero: not begun */
    int open;               /* the question how the second one is seen */
    int ways[2];            /* the datagrams there and back; below zero: not sent */
};

void hairpin_init(struct hairpin *hairpin);
/* Opens a second socket at `local`, at any port, and asks the server how it is seen; `public` is
 * how the server sees `socket`. */
void hairpin_begin(struct hairpin *hairpin, struct asker *asker, int socket,
                   const struct endpoint *local, const struct endpoint *public,
                   const struct endpoint *server, int64_t now);
/* Has them send to each other once that is known: from both sides, so that each opens its own
 * filter. */
void hairpin_advance(struct hairpin *hairpin, struct asker *asker, int answered, int64_t now);
/* Whether it was tried, to the end or to success. */
bool hairpin_is_tried(const struct hairpin *hairpin, const struct asker *asker);
bool hairpin_works(const struct hairpin *hairpin, const struct asker *asker);

#endif
