/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Finds out how this host is seen from the internet, and what its NAT and firewall do (RFC 4787),
 * by asking STUN servers: all at once, and those of RFC 5780 for answers from elsewhere too. Knows
 * no event loop: poll netcheck_fd() and call netcheck_advance(). All times are in microseconds,
 * monotonic.
 */
#ifndef ICE_AGENT_NETCHECK_H
#define ICE_AGENT_NETCHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ice-agent/addresses.h"
#include "ice-agent/behaviour.h"
#include "protocol/endpoint.h"
#include "protocol/error.h"

/* Names of servers, and all of their addresses. */
#define NETCHECK_NAMES   32
#define NETCHECK_SERVERS 64
/* Servers of RFC 5780 that an address asks for answers from elsewhere; a second one in case that
 * the first does not do what it announces. */
#define NETCHECK_TRIALS 2
/* Names that have no address by then are not waited for; the whole ends then at the latest, though
 * 2.6 s are usual. */
#define NETCHECK_NAMES_US 2000000
#define NETCHECK_END_US   6000000

enum netcheck_fact { NETCHECK_UNKNOWN, NETCHECK_NO, NETCHECK_YES };

/* What is known of a local address. */
struct netcheck_place {
    char interface[16];     /* that has it; "" where none has any more */
    struct endpoint local;  /* of the socket that asked all servers */
    struct endpoint public; /* as one of them sees it; empty: no answer */
    bool asked;             /* a server of its family is known, and there is a route */
    enum netcheck_fact nat; /* something rewrites the endpoint */
    enum netcheck_fact
        preserves; /* the port, for each socket and server (RFC 4787 section 4.2.1) */
    /* What two sockets behind the NAT send to each other's public endpoint arrives (RFC 4787
     * section 6). */
    enum netcheck_fact hairpin;
    enum behaviour mapping, filtering;
    enum behaviour_punch punch;
};

/* A STUN server at one of its addresses. */
struct netcheck_server {
    unsigned name;            /* index into the list that was given */
    struct endpoint endpoint; /* empty: its name has no address */
    bool asked;               /* from at least one local address */
    bool answered;
    bool elsewhere;     /* announces another address and port: RFC 5780 */
    int64_t round_trip; /* the least */
};

struct netcheck_result {
    struct netcheck_place places[ADDRESSES_MAX];
    size_t place_count;
    struct netcheck_server servers[NETCHECK_SERVERS];
    size_t server_count;
};

struct netcheck;

/* Begins. `servers` are "host:port" or "host", at most NETCHECK_NAMES; `port` is the one to ask
 * from, at each of `locals`, or 0 for any. NULL with `err` filled. */
struct netcheck *netcheck_new(char *const *servers, size_t count, const struct endpoint *locals,
                              size_t local_count, uint16_t port, int64_t now, struct error *err);
void netcheck_destroy(struct netcheck *check);

/* Readable when there is something for netcheck_advance(). */
int netcheck_fd(const struct netcheck *check);
/* When to call it at the latest. */
int64_t netcheck_deadline(const struct netcheck *check);
/* Reads, sends, follows up. True: it is over. */
bool netcheck_advance(struct netcheck *check, int64_t now);
/* What is known so far. */
void netcheck_tell(const struct netcheck *check, struct netcheck_result *result);

/* The best of the local addresses of a family; AF_UNSPEC: of all. */
enum behaviour_punch netcheck_punch(const struct netcheck_result *result, int family);

#endif
