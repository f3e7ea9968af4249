/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What NATs and firewalls do, in RFC 4787's words, from what STUN servers saw of a socket and what
 * came back; and what that means for punching. Pure: no I/O.
 */
#ifndef ICE_AGENT_BEHAVIOUR_H
#define ICE_AGENT_BEHAVIOUR_H

#include <stdbool.h>
#include <stddef.h>

#include "protocol/endpoint.h"

/* RFC 4787 sections 4.1 (mapping) and 5 (filtering). */
enum behaviour {
    BEHAVIOUR_UNKNOWN,
    BEHAVIOUR_ENDPOINT_INDEPENDENT,
    BEHAVIOUR_ADDRESS_DEPENDENT,
    BEHAVIOUR_ADDRESS_AND_PORT_DEPENDENT,
    /* Of a mapping: one of the two before; no server answered at two ports of one address. */
    BEHAVIOUR_ENDPOINT_DEPENDENT,
};

/* "endpoint-independent" and so on. */
const char *behaviour_name(enum behaviour behaviour);

/* How a server sees a socket of ours. */
struct behaviour_view {
    struct endpoint server, mapped;
};

/* Of one socket, bound to `local`. Servers at two addresses are needed, or no NAT at all. */
enum behaviour behaviour_mapping(const struct endpoint *local, const struct behaviour_view *views,
                                 size_t count);

/* A server's answer that was asked to come from elsewhere. */
enum behaviour_answer {
    BEHAVIOUR_NOT_ASKED, /* or the server can't */
    BEHAVIOUR_NO_ANSWER,
    BEHAVIOUR_ANSWERED,
};

/* RFC 5780 section 4.4 with one server: answers from its other address and port, and from the other
 * port of the address that was asked. That none comes says something of the filter only where the
 * server does send it. */
struct behaviour_change {
    enum behaviour_answer unasked; /* to a socket that has sent nothing to where it comes from */
    bool proven;                   /* it came to a socket that had */
    bool alive;                    /* where it comes from answers when it is asked itself */
};

struct behaviour_trial {
    struct behaviour_change address, port;
};

/* Where trials differ the one that lets more in counts: a datagram that came in is a proof, one
 * that did not may have been lost. */
enum behaviour behaviour_filtering(enum behaviour mapping, const struct behaviour_trial *trials,
                                   size_t count);

/* With whom punching works; each more than the one before. */
enum behaviour_punch {
    BEHAVIOUR_PUNCH_NOBODY,  /* no UDP */
    BEHAVIOUR_PUNCH_UNKNOWN, /* UDP passes; the mapping is not known */
    BEHAVIOUR_PUNCH_OPEN,    /* peers that let in what comes from an endpoint they do not know */
    BEHAVIOUR_PUNCH_ALL_BUT_SYMMETRIC, /* symmetric: with a mapping that depends on the endpoint */
    BEHAVIOUR_PUNCH_ALL,
};

/* Where UDP passes. */
enum behaviour_punch behaviour_punch(enum behaviour mapping, enum behaviour filtering);
/* For programs: "all-but-symmetric" and so on. */
const char *behaviour_punch_name(enum behaviour_punch punch);
/* For people, without a full stop. */
const char *behaviour_punch_sentence(enum behaviour_punch punch);

#endif
