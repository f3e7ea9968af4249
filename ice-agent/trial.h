/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One server of RFC 5780 asked from one local address what comes in from elsewhere (section 4.4),
 * with the proof that it does send it, and how its other endpoints see us (section 4.3).
 */
#ifndef ICE_AGENT_TRIAL_H
#define ICE_AGENT_TRIAL_H

#include "ice-agent/asker.h"
#include "ice-agent/behaviour.h"

/* The four endpoints of such a server. */
enum trial_corner {
    TRIAL_PRIMARY,
    TRIAL_OTHER_PORT,
    TRIAL_OTHER_ADDRESS,
    TRIAL_OTHER_BOTH,
    TRIAL_CORNERS
};

/* The filter can be seen only by a socket that has sent nothing to where an answer comes from, and
 * that a server does send it only by one that has. */
enum trial_role { TRIAL_SURVEY, TRIAL_FILTER, TRIAL_PROOF, TRIAL_ROLES };

#define TRIAL_STEPS 10

struct trial {
    struct endpoint corners[TRIAL_CORNERS];
    int sockets[TRIAL_ROLES];   /* of the asker; below zero: could not be opened */
    int questions[TRIAL_STEPS]; /* below zero: not asked */
};

/* Whether what the server says of its other address is of use: another address of the family and
 * another port, which its own answer does not contradict, and none that would send us to where the
 * server itself is not: this host, a private network. */
bool trial_is_possible(const struct endpoint *server, const struct stun_response *response);

/* Begins from `survey`, a socket at `local`, and two further ones there, at any port. */
void trial_begin(struct trial *trial, struct asker *asker, int survey, const struct endpoint *local,
                 const struct endpoint *server, const struct endpoint *other, int64_t now);
/* Asks what follows from an answer, where the question is one of this trial. */
void trial_advance(struct trial *trial, struct asker *asker, int answered, int64_t now);
struct behaviour_trial trial_tell(const struct trial *trial, const struct asker *asker);

#endif
