/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ice-agent/behaviour.h"

#include <string.h>

const char *behaviour_name(enum behaviour behaviour)
{
    static const char *const names[] = {
        [BEHAVIOUR_UNKNOWN] = "unknown",
        [BEHAVIOUR_ENDPOINT_INDEPENDENT] = "endpoint-independent",
        [BEHAVIOUR_ADDRESS_DEPENDENT] = "address-dependent",
        [BEHAVIOUR_ADDRESS_AND_PORT_DEPENDENT] = "address-and-port-dependent",
        [BEHAVIOUR_ENDPOINT_DEPENDENT] = "endpoint-dependent",
    };

    return names[behaviour];
}

/* Whether there are two views of servers at the same address (or at different ones) that are alike
 * (or differ). */
static bool views_hold(const struct behaviour_view *views, size_t count, bool same_address,
                       bool alike)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++) {
            bool same = strcmp(views[i].server.address, views[j].server.address) == 0;

            if (same == same_address && !endpoint_equal(&views[i].server, &views[j].server) &&
                endpoint_equal(&views[i].mapped, &views[j].mapped) == alike)
                return true;
        }
    return false;
}

enum behaviour behaviour_mapping(const struct endpoint *local, const struct behaviour_view *views,
                                 size_t count)
{
    if (views_hold(views, count, true, false))
        return BEHAVIOUR_ADDRESS_AND_PORT_DEPENDENT;
    if (views_hold(views, count, false, false))
        return views_hold(views, count, true, true) ? BEHAVIOUR_ADDRESS_DEPENDENT
                                                    : BEHAVIOUR_ENDPOINT_DEPENDENT;
    if (views_hold(views, count, false, true) ||
        (count > 0 && endpoint_equal(&views[0].mapped, local)))
        return BEHAVIOUR_ENDPOINT_INDEPENDENT;
    return BEHAVIOUR_UNKNOWN;
}

static bool mapping_depends(enum behaviour mapping)
{
    return mapping != BEHAVIOUR_UNKNOWN && mapping != BEHAVIOUR_ENDPOINT_INDEPENDENT;
}

/* Where the mapping depends on the endpoint the proof can't come: the answer goes to the mapping
 * towards the endpoint that was asked, which nothing has been sent through to where it comes from.
 * So there it has to do that the server answers there at all. */
static bool is_filtered(const struct behaviour_change *change, enum behaviour mapping)
{
    return change->unasked == BEHAVIOUR_NO_ANSWER &&
           (change->proven || (mapping_depends(mapping) && change->alive));
}

static enum behaviour trial_filtering(enum behaviour mapping, const struct behaviour_trial *trial)
{
    if (trial->address.unasked == BEHAVIOUR_ANSWERED)
        return BEHAVIOUR_ENDPOINT_INDEPENDENT;
    if (!is_filtered(&trial->address, mapping))
        return BEHAVIOUR_UNKNOWN;
    if (trial->port.unasked == BEHAVIOUR_ANSWERED)
        return BEHAVIOUR_ADDRESS_DEPENDENT;
    return is_filtered(&trial->port, mapping) ? BEHAVIOUR_ADDRESS_AND_PORT_DEPENDENT
                                              : BEHAVIOUR_UNKNOWN;
}

enum behaviour behaviour_filtering(enum behaviour mapping, const struct behaviour_trial *trials,
                                   size_t count)
{
    enum behaviour result = BEHAVIOUR_UNKNOWN;

    for (size_t i = 0; i < count; i++) {
        enum behaviour one = trial_filtering(mapping, &trials[i]);

        if (one != BEHAVIOUR_UNKNOWN && (result == BEHAVIOUR_UNKNOWN || one < result))
            result = one;
    }
    return result;
}

enum behaviour_punch behaviour_punch(enum behaviour mapping, enum behaviour filtering)
{
    if (mapping == BEHAVIOUR_UNKNOWN)
        return BEHAVIOUR_PUNCH_UNKNOWN;
    if (mapping != BEHAVIOUR_ENDPOINT_INDEPENDENT)
        return BEHAVIOUR_PUNCH_OPEN;
    if (filtering == BEHAVIOUR_ENDPOINT_INDEPENDENT || filtering == BEHAVIOUR_ADDRESS_DEPENDENT)
        return BEHAVIOUR_PUNCH_ALL;
    return BEHAVIOUR_PUNCH_ALL_BUT_SYMMETRIC;
}

const char *behaviour_punch_name(enum behaviour_punch punch)
{
    static const char *const names[] = {
        [BEHAVIOUR_PUNCH_NOBODY] = "nobody",
        [BEHAVIOUR_PUNCH_UNKNOWN] = "unknown",
        [BEHAVIOUR_PUNCH_OPEN] = "only-open",
        [BEHAVIOUR_PUNCH_ALL_BUT_SYMMETRIC] = "all-but-symmetric",
        [BEHAVIOUR_PUNCH_ALL] = "all",
    };

    return names[punch];
}

const char *behaviour_punch_sentence(enum behaviour_punch punch)
{
    static const char *const sentences[] = {
        [BEHAVIOUR_PUNCH_NOBODY] = "no UDP: only forwarded paths",
        [BEHAVIOUR_PUNCH_UNKNOWN] =
            "UDP passes, but one server's answer does not tell the mapping; "
            "name servers at two addresses",
        [BEHAVIOUR_PUNCH_OPEN] = "symmetric: can punch only with peers whose NAT or firewall "
                                 "filters by nothing, or by address alone",
        [BEHAVIOUR_PUNCH_ALL_BUT_SYMMETRIC] = "can punch with everything but a symmetric NAT",
        [BEHAVIOUR_PUNCH_ALL] = "can punch with everything, a symmetric NAT too",
    };

    return sentences[punch];
}
