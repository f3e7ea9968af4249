/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which of several STUN servers answers first: names are resolved in threads, requests go out in
 * parallel from each local address, for a host's preferred one may be the one that leads nowhere.
 * Knows no event loop: poll stun_race_fd() and call stun_race_advance().
 */
#ifndef ICE_AGENT_STUN_RACE_H
#define ICE_AGENT_STUN_RACE_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/endpoint.h"
#include "protocol/error.h"

#define STUN_RACE_SERVERS 32
/* A name may have several addresses. */
#define STUN_RACE_ADDRESSES 64
/* Local addresses that are sent from. */
#define STUN_RACE_LOCALS 16
/* Requests to one address: at 0, 100, 300, 700 and 1500 ms after it is known (RFC 8489
 * section 6.2.1 doubles, too). */
#define STUN_RACE_FIRST_MS 100
#define STUN_RACE_TRIES    5
/* An IPv6 answer waits so long, in ms, for one over IPv4: it is IPv4 that has NATs. */
#define STUN_RACE_IPV4_MS 300
/* No answer until then, in ms: there is none. */
#define STUN_RACE_END_MS 3000

enum stun_race_result { STUN_RACE_RUNNING, STUN_RACE_WON, STUN_RACE_LOST };

struct stun_race;

/* Begins at `now` (ms, monotonic). `servers` are "host:port" or "host"; ports of `locals` do
 * not count. NULL with `err` filled. */
struct stun_race *stun_race_new(char *const *servers, size_t count, const struct endpoint *locals,
                                size_t local_count, int64_t now, struct error *err);
/* Never waits for a name that does not resolve: its thread ends later, by itself. */
void stun_race_destroy(struct stun_race *race);

/* Readable when there is something for stun_race_advance(). */
int stun_race_fd(const struct stun_race *race);
/* When to call it at the latest. */
int64_t stun_race_deadline(const struct stun_race *race);
/* Reads, sends, decides. `winner` is set where it gives STUN_RACE_WON. */
enum stun_race_result stun_race_advance(struct stun_race *race, int64_t now,
                                        struct endpoint *winner);

#endif
