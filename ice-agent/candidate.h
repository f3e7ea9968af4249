/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The peer's candidates, read and checked by ourselves: libnice accepts what would make us send
 * where nobody should be able to point us.
 */
#ifndef ICE_AGENT_CANDIDATE_H
#define ICE_AGENT_CANDIDATE_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/endpoint.h"
#include "protocol/error.h"

/* RFC 8839 section 5.1: foundation = 1*32ice-char. */
#define CANDIDATE_FOUNDATION_MAX 32

enum candidate_kind { CANDIDATE_HOST, CANDIDATE_SERVER_REFLEXIVE, CANDIDATE_RELAYED };

struct candidate {
    char foundation[CANDIDATE_FOUNDATION_MAX + 1];
    uint32_t priority;
    struct endpoint endpoint;
    enum candidate_kind kind;
};

/* Reads RFC 8839's candidate-attribute without "a=". UDP and component 1 only; a host name, an
 * address with a scope and a peer-reflexive candidate are refused. Extensions are skipped. 0, or
 * -EINVAL with `err` saying which part is wrong. */
int candidate_parse(struct candidate *candidate, const char *text, struct error *err);

/* Whether we may send there: a unicast address that leads to another host, outside the prefixes of
 * our own tunnel. 0, or -EINVAL with `err` saying why not. */
int candidate_check(const struct candidate *candidate, const struct prefix *exclude,
                    size_t exclude_count, struct error *err);

bool candidate_equal(const struct candidate *a, const struct candidate *b);

/* RFC 8839 section 5.4: from `min` to 256 ice-chars, as in ufrag (4) and pwd (22). */
bool candidate_is_ice_text(const char *text, size_t min);

#endif
