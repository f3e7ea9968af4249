/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ice-agent/trial.h"

#include <string.h>

#include "ice-agent/addresses.h"

enum step {
    ALIVE_PORT,
    ALIVE_ADDRESS,
    ALIVE_BOTH,
    FILTER_OPEN,
    FILTER_BOTH,
    FILTER_PORT,
    PROOF_OPEN_BOTH,
    PROOF_OPEN_PORT,
    PROOF_BOTH,
    PROOF_PORT,
};
_Static_assert(PROOF_PORT + 1 == TRIAL_STEPS, "each step has a question");

#define AT_ONCE     TRIAL_STEPS
#define CHANGE_BOTH (STUN_CHANGE_ADDRESS | STUN_CHANGE_PORT)

static const struct {
    enum trial_role role;
    enum trial_corner to;
    unsigned change;
    enum trial_corner from;
    unsigned after; /* the answer to that step */
} steps[TRIAL_STEPS] = {
    [ALIVE_PORT] = {TRIAL_SURVEY, TRIAL_OTHER_PORT, 0, TRIAL_OTHER_PORT, AT_ONCE},
    [ALIVE_ADDRESS] = {TRIAL_SURVEY, TRIAL_OTHER_ADDRESS, 0, TRIAL_OTHER_ADDRESS, AT_ONCE},
    [ALIVE_BOTH] = {TRIAL_SURVEY, TRIAL_OTHER_BOTH, 0, TRIAL_OTHER_BOTH, AT_ONCE},
    [FILTER_OPEN] = {TRIAL_FILTER, TRIAL_PRIMARY, 0, TRIAL_PRIMARY, AT_ONCE},
    [FILTER_BOTH] = {TRIAL_FILTER, TRIAL_PRIMARY, CHANGE_BOTH, TRIAL_OTHER_BOTH, FILTER_OPEN},
    [FILTER_PORT] = {TRIAL_FILTER, TRIAL_PRIMARY, STUN_CHANGE_PORT, TRIAL_OTHER_PORT, FILTER_OPEN},
    [PROOF_OPEN_BOTH] = {TRIAL_PROOF, TRIAL_OTHER_BOTH, 0, TRIAL_OTHER_BOTH, AT_ONCE},
    [PROOF_OPEN_PORT] = {TRIAL_PROOF, TRIAL_OTHER_PORT, 0, TRIAL_OTHER_PORT, AT_ONCE},
    [PROOF_BOTH] = {TRIAL_PROOF, TRIAL_PRIMARY, CHANGE_BOTH, TRIAL_OTHER_BOTH, PROOF_OPEN_BOTH},
    [PROOF_PORT] = {TRIAL_PROOF, TRIAL_PRIMARY, STUN_CHANGE_PORT, TRIAL_OTHER_PORT,
                    PROOF_OPEN_PORT},
};

static bool is_private(const struct endpoint *endpoint)
{
    static const char *const networks[] = {"10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12",
                                           "192.168.0.0/16", "fc00::/7"};
    struct prefix network, address;

    for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++)
        if (prefix_parse(&network, networks[i], false, NULL) == 0 &&
            prefix_parse(&address, endpoint->address, false, NULL) == 0 &&
            prefix_contains(&network, &address))
            return true;
    return false;
}

bool trial_is_possible(const struct endpoint *server, const struct stun_response *response)
{
    const struct endpoint *other = &response->other;

    if (endpoint_family(other) != endpoint_family(server) || other->port == server->port ||
        strcmp(other->address, server->address) == 0 ||
        (response->origin.port != 0 && !endpoint_equal(&response->origin, server)))
        return false;
    if (endpoint_is_loopback(other))
        return endpoint_is_loopback(server);
    return addresses_is_usable(other) && (is_private(server) || !is_private(other));
}

static void steps_take(struct trial *trial, struct asker *asker, unsigned after, int64_t now)
{
    for (unsigned i = 0; i < TRIAL_STEPS; i++) {
        const struct asker_question question = {
            .socket = trial->sockets[steps[i].role],
            .hears = -1,
            .to = trial->corners[steps[i].to],
            .from = trial->corners[steps[i].from],
            .change = steps[i].change,
        };

        if (steps[i].after == after && question.socket >= 0)
            trial->questions[i] = asker_ask(asker, &question, now);
    }
}

void trial_begin(struct trial *trial, struct asker *asker, int survey, const struct endpoint *local,
                 const struct endpoint *server, const struct endpoint *other, int64_t now)
{
    struct endpoint anywhere = *local;

    trial->corners[TRIAL_PRIMARY] = *server;
    trial->corners[TRIAL_OTHER_PORT] = *server;
    trial->corners[TRIAL_OTHER_PORT].port = other->port;
    trial->corners[TRIAL_OTHER_ADDRESS] = *other;
    trial->corners[TRIAL_OTHER_ADDRESS].port = server->port;
    trial->corners[TRIAL_OTHER_BOTH] = *other;
    for (int i = 0; i < TRIAL_STEPS; i++)
        trial->questions[i] = -1;
    trial->sockets[TRIAL_SURVEY] = survey;
    anywhere.port = 0;
    trial->sockets[TRIAL_FILTER] = asker_open(asker, &anywhere);
    anywhere.port = 0;
    trial->sockets[TRIAL_PROOF] = asker_open(asker, &anywhere);
    steps_take(trial, asker, AT_ONCE, now);
}

void trial_advance(struct trial *trial, struct asker *asker, int answered, int64_t now)
{
    for (unsigned i = 0; i < TRIAL_STEPS; i++)
        if (trial->questions[i] == answered)
            steps_take(trial, asker, i, now);
}

static bool is_answered(const struct trial *trial, const struct asker *asker, enum step step)
{
    return trial->questions[step] >= 0 &&
           asker_question(asker, trial->questions[step])->state == ASKER_ANSWERED;
}

static enum behaviour_answer answer_tell(const struct trial *trial, const struct asker *asker,
                                         enum step step)
{
    if (is_answered(trial, asker, step))
        return BEHAVIOUR_ANSWERED;
    return trial->questions[step] >= 0 &&
                   asker_question(asker, trial->questions[step])->state == ASKER_SILENT
               ? BEHAVIOUR_NO_ANSWER
               : BEHAVIOUR_NOT_ASKED;
}

struct behaviour_trial trial_tell(const struct trial *trial, const struct asker *asker)
{
    return (struct behaviour_trial){
        .address = {.unasked = answer_tell(trial, asker, FILTER_BOTH),
                    .proven = is_answered(trial, asker, PROOF_BOTH),
                    .alive = is_answered(trial, asker, ALIVE_BOTH)},
        .port = {.unasked = answer_tell(trial, asker, FILTER_PORT),
                 .proven = is_answered(trial, asker, PROOF_PORT),
                 .alive = is_answered(trial, asker, ALIVE_PORT)},
    };
}
