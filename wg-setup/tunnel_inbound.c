/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which peer's address is judged by whose grant, from what WireGuard has of the peers.
 */
#include <errno.h>
#include <stdlib.h>

#include "protocol/log.h"
#include "wg-setup/inbound.h"
#include "wg-setup/tunnel_state.h"

/* What the configuration says of a peer counts; a broker may say something of the others. */
static const struct grant *grant_for(const struct tunnel *t, const struct peer *peer,
                                     const struct prefix *allowed)
{
    const struct grant *grant = t->grant_of(t->grants, peer->name, allowed);

    return grant != NULL ? grant : peer->told;
}

static size_t add_claims(const struct tunnel *t, const struct peer *peer,
                         const struct device_peer *device, struct inbound_claim *claims)
{
    for (size_t i = 0; i < device->allowed_count; i++) {
        claims[i].prefix = device->allowed[i];
        claims[i].grant = grant_for(t, peer, &device->allowed[i]);
    }
    return device->allowed_count;
}

int tunnel_inbound_apply(struct tunnel *t, const struct peer *changing,
                         const struct device_peer *wanted, struct error *err)
{
    size_t max = wanted ? wanted->allowed_count : 0, count = 0;
    struct inbound_claim *claims;
    int rc;

    if (t->grant_of == NULL)
        return 0;
    for (size_t i = 0; i < t->peer_count; i++)
        max += t->peers[i]->device.allowed_count;
    claims = calloc(max + 1, sizeof *claims);
    if (claims == NULL) {
        error_set(err, "no-memory", "out of memory");
        return -ENOMEM;
    }
    for (size_t i = 0; i < t->peer_count; i++)
        count += add_claims(t, t->peers[i], &t->peers[i]->device, claims + count);
    if (changing != NULL)
        count += add_claims(t, changing, wanted, claims + count);
    rc = inbound_apply(t->inbound, claims, count, err);
    free(claims);
    return rc;
}

static bool is_restricted(const struct tunnel *t, const struct peer *peer)
{
    for (size_t i = 0; i < peer->device.allowed_count; i++)
        if (inbound_restricts(grant_for(t, peer, &peer->device.allowed[i])))
            return true;
    return false;
}

/* Nobody gets in who should not: rather no peer than one that may begin everything. */
static void drop_restricted(struct tunnel *t, const struct error *why)
{
    struct error err;

    log_error("%s", why->message);
    for (size_t i = t->peer_count; i-- > 0;) {
        struct peer *peer = t->peers[i];

        if (!is_restricted(t, peer))
            continue;
        log_error("peer '%s' is dropped, as what it may begin can't be enforced", peer->name);
        if (tunnel_peer_drop(t, peer, &err) < 0)
            log_error("%s", err.message);
    }
}

void tunnel_inbound_set(struct tunnel *t, tunnel_grant_of *grant_of, const void *grants)
{
    struct error err;

    t->grant_of = grant_of;
    t->grants = grants;
    if (tunnel_inbound_apply(t, NULL, NULL, &err) < 0)
        drop_restricted(t, &err);
}

int tunnel_inbound_check(struct tunnel *t, struct error *err)
{
    int rc = inbound_check(t->inbound, err);

    if (rc < 0)
        drop_restricted(t, err);
    return rc;
}
