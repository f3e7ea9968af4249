/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * STUN requests that are under way from sockets of its own: sends them, sends them again, and takes
 * the answers. Knows no event loop: poll asker_fd() and call asker_advance(). All times are in
 * microseconds, monotonic.
 */
#ifndef ICE_AGENT_ASKER_H
#define ICE_AGENT_ASKER_H

#include <stdbool.h>
#include <stdint.h>

#include "ice-agent/stun.h"
#include "protocol/endpoint.h"

#define ASKER_SOCKETS   64
#define ASKER_QUESTIONS 1024
/* A request goes out at 0, 100, 300, 700 and 1500 ms (RFC 8489 section 6.2.1 doubles, too), each
 * time with a transaction of its own, so that a round trip is one of what was sent then. */
#define ASKER_FIRST_US 100000
#define ASKER_TRIES    5
/* Without an answer until so long after the last one there is none: 2.5 s in all. */
#define ASKER_LAST_US 1000000

enum asker_state {
    ASKER_PENDING,
    ASKER_ANSWERED,
    ASKER_REFUSED,  /* by an error response, or answered from elsewhere than was asked for */
    ASKER_SILENT,   /* no answer */
    ASKER_NO_ROUTE, /* could not be sent */
};

struct asker_question {
    int socket; /* that sends it */
    /* That hears it: the answer is that the request itself arrives there. Below zero: a server's
     * answer is, at the socket that sends. */
    int hears;
    struct endpoint to;
    struct endpoint from; /* where a server's answer must come from */
    unsigned change;      /* STUN_CHANGE_… */

    enum asker_state state;
    struct stun_response response; /* of an answer */
    int64_t round_trip;
};

struct asker;

/* NULL without memory or descriptors. */
struct asker *asker_new(void);
void asker_destroy(struct asker *asker);

/* Opens a socket at the address, and the port if it is not 0; `local` gets the port that it has.
 * Its number, or -errno. */
int asker_open(struct asker *asker, struct endpoint *local);
/* Asks; state, response and round_trip need not be set. The question's number, from 0 on upwards,
 * or -ENOSPC. */
int asker_ask(struct asker *asker, const struct asker_question *question, int64_t now);
int asker_count(const struct asker *asker);
/* Valid until asker_destroy(). */
const struct asker_question *asker_question(const struct asker *asker, int number);

/* Readable when there is something for asker_advance(). */
int asker_fd(const struct asker *asker);
/* When to call it at the latest; INT64_MAX: no question is pending. */
int64_t asker_deadline(const struct asker *asker);
/* Reads and sends. */
void asker_advance(struct asker *asker, int64_t now);
/* The next question that has been answered and was not told before; -1: none. */
int asker_next_answered(struct asker *asker);

#endif
