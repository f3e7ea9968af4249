/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where on which link somebody is.
 */
#ifndef SIGNAL_LAN_PLACE_H
#define SIGNAL_LAN_PLACE_H

#include <stdbool.h>
#include <stdint.h>

struct place {
    int family;          /* AF_INET or AF_INET6; AF_UNSPEC: nowhere */
    unsigned link;       /* the interface's index */
    uint16_t port;       /* host order */
    uint8_t address[16]; /* network order; of IPv4 the first 4, the rest 0 */
};

static inline bool place_equal(const struct place *a, const struct place *b)
{
    if (a->family != b->family || a->link != b->link || a->port != b->port)
        return false;
    for (unsigned i = 0; i < sizeof a->address; i++)
        if (a->address[i] != b->address[i])
            return false;
    return true;
}

#endif
