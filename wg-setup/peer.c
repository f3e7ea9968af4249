/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wg-setup/peer.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct peer *peer_new(const char *name)
{
    struct peer *peer = calloc(1, sizeof *peer);

    if (peer != NULL)
        snprintf(peer->name, sizeof peer->name, "%s", name);
    return peer;
}

struct peer *peer_from_status(const struct device_status *status)
{
    struct peer *peer = peer_new("");
    size_t count =
        status->allowed_count < PEER_ALLOWED_MAX ? status->allowed_count : PEER_ALLOWED_MAX;
    struct prefix *allowed = calloc(count + 1, sizeof *allowed);

    if (peer == NULL || allowed == NULL) {
        free(allowed);
        peer_destroy(peer);
        return NULL;
    }
    memcpy(allowed, status->allowed, count * sizeof *allowed);
    memcpy(peer->device.public_key, status->public_key, KEY_BYTES);
    memcpy(peer->device.preshared_key, status->preshared_key, KEY_BYTES);
    peer->device.allowed = allowed;
    /* One that is not in the list: never the same as what is asked for. */
    peer->device.allowed_count = status->allowed_count > PEER_ALLOWED_MAX ? count + 1 : count;
    peer->device.keepalive = peer->keepalive_now = status->keepalive;
    peer->device.endpoint = status->endpoint;
    peer->has_path = status->endpoint.address[0] != '\0';
    return peer;
}

void peer_destroy(struct peer *peer)
{
    if (peer == NULL)
        return;
    free((void *)(uintptr_t)peer->device.allowed);
    free(peer->told);
    sodium_memzero(peer, sizeof *peer);
    free(peer);
}

/* Ports */

static bool same_base(const struct endpoint *a, const struct endpoint *b)
{
    return a->port == b->port &&
           (a->address[0] == '\0' || b->address[0] == '\0' || strcmp(a->address, b->address) == 0);
}

static size_t port_find(const struct peer *peer, const struct endpoint *base)
{
    size_t i = 0;

    while (i < peer->port_count && !same_base(&peer->ports[i], base))
        i++;
    return i;
}

bool peer_port_has(const struct peer *peer, const struct endpoint *base)
{
    return port_find(peer, base) < peer->port_count;
}

int peer_port_add(struct peer *peer, const struct endpoint *base)
{
    if (peer->port_count == PEER_PORTS_MAX)
        return -ENOBUFS;
    peer->ports[peer->port_count++] = *base;
    return 0;
}

static void pair_remove(struct peer *peer, size_t index)
{
    peer->pair_count--;
    memmove(&peer->pairs[index], &peer->pairs[index + 1],
            (peer->pair_count - index) * sizeof peer->pairs[0]);
}

bool peer_port_drop(struct peer *peer, const struct endpoint *base)
{
    size_t index = port_find(peer, base);

    if (index == peer->port_count)
        return false;
    peer->ports[index] = peer->ports[--peer->port_count];
    for (size_t i = peer->pair_count; i-- > 0;)
        if (same_base(&peer->pairs[i].base, base))
            pair_remove(peer, i);
    return true;
}

bool peer_port_number(const struct peer *peer, uint16_t port)
{
    for (size_t i = 0; i < peer->port_count; i++)
        if (peer->ports[i].port == port)
            return true;
    return false;
}

/* Pairs */

const struct redirect_pair *peer_pair(const struct peer *peer, const struct endpoint *remote)
{
    for (size_t i = 0; i < peer->pair_count; i++)
        if (endpoint_equal(&peer->pairs[i].remote, remote))
            return &peer->pairs[i];
    return NULL;
}

void peer_pair_drop(struct peer *peer, const struct endpoint *remote)
{
    const struct redirect_pair *pair = peer_pair(peer, remote);

    if (pair != NULL)
        pair_remove(peer, (size_t)(pair - peer->pairs));
}

void peer_pair_add(struct peer *peer, const struct endpoint *remote, const struct endpoint *base)
{
    peer_pair_drop(peer, remote);
    if (peer->pair_count == PEER_PORTS_MAX)
        pair_remove(peer, 0);
    peer->pairs[peer->pair_count++] = (struct redirect_pair){.remote = *remote, .base = *base};
}

/* Adoption */

static const struct redirect_pair *pair_to(const struct redirect_pair *pairs, size_t count,
                                           const struct endpoint *remote)
{
    for (size_t i = 0; i < count; i++)
        if (endpoint_equal(&pairs[i].remote, remote))
            return &pairs[i];
    return NULL;
}

void standing_port_drop(struct redirect_standing *standing, uint16_t port)
{
    for (size_t i = standing->port_count; i-- > 0;)
        if (standing->ports[i] == port)
            standing->ports[i] = standing->ports[--standing->port_count];
}

void standing_pair_drop(struct redirect_standing *standing, const struct endpoint *remote)
{
    for (size_t i = standing->pair_count; i-- > 0;)
        if (endpoint_equal(&standing->pairs[i].remote, remote))
            standing->pairs[i] = standing->pairs[--standing->pair_count];
}

void peer_adopt(struct peer *peer, struct redirect_standing *standing)
{
    const struct endpoint *endpoint = &peer->device.endpoint;
    const struct redirect_pair *found = pair_to(standing->pairs, standing->pair_count, endpoint);
    struct endpoint base;

    if (found == NULL)
        found = pair_to(standing->learned, standing->learned_count, endpoint);
    if (found == NULL)
        return;
    base = found->base;
    for (size_t i = standing->pair_count; i-- > 0;) {
        struct redirect_pair pair = standing->pairs[i];

        if (!same_base(&pair.base, &base) || peer->pair_count == PEER_PORTS_MAX)
            continue;
        base = pair.base;
        peer_pair_add(peer, &pair.remote, &pair.base);
        standing->pairs[i] = standing->pairs[--standing->pair_count];
    }
    peer_port_add(peer, &base);
    standing_port_drop(standing, base.port);
}

bool peer_base(const struct peer *peer, const struct endpoint *endpoint,
               const struct redirect_standing *standing, struct endpoint *base)
{
    const struct redirect_pair *pair = peer_pair(peer, endpoint);
    size_t index;

    if (pair != NULL) {
        *base = pair->base;
        return true;
    }
    if (standing != NULL)
        pair = pair_to(standing->learned, standing->learned_count, endpoint);
    index = pair ? port_find(peer, &pair->base) : peer->port_count;
    if (index == peer->port_count || peer->ports[index].address[0] == '\0')
        return false;
    *base = peer->ports[index];
    return true;
}

/* Allowed IPs */

bool device_peer_allows(const struct device_peer *peer, const struct prefix *prefix)
{
    for (size_t i = 0; i < peer->allowed_count; i++)
        if (prefix_equal(&peer->allowed[i], prefix))
            return true;
    return false;
}

bool device_peer_same_allowed(const struct device_peer *a, const struct device_peer *b)
{
    if (a->allowed_count != b->allowed_count)
        return false;
    for (size_t i = 0; i < a->allowed_count; i++)
        if (!device_peer_allows(b, &a->allowed[i]))
            return false;
    return true;
}
