/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/config_learned.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/log.h"

/* Copying */

/* `failed` collects what is lacking, so that one look at the end is enough. */
static char *copy_text(const char *text, bool *failed)
{
    char *copy = text != NULL ? strdup(text) : NULL;

    *failed |= text != NULL && copy == NULL;
    return copy;
}

static void *copy_room(size_t count, size_t size, bool *failed)
{
    void *room = calloc(count + 1, size);

    *failed |= room == NULL;
    return room;
}

static char **copy_texts(char *const *texts, size_t count, bool *failed)
{
    char **copy = texts != NULL ? copy_room(count, sizeof *copy, failed) : NULL;

    for (size_t i = 0; copy != NULL && i < count; i++)
        copy[i] = copy_text(texts[i], failed);
    return copy;
}

/* A list that ends with NULL. */
static char **copy_command(char *const *command, bool *failed)
{
    size_t words = 0;

    while (command[words] != NULL)
        words++;
    return copy_texts(command, words, failed);
}

static void copy_hooks(struct config *copy, const struct config *config, bool *failed)
{
    copy->hooks = copy_room(config->hook_count, sizeof *copy->hooks, failed);
    for (size_t i = 0; copy->hooks != NULL && i < config->hook_count; i++) {
        copy->hooks[i] = config->hooks[i];
        copy->hooks[i].command = copy_command(config->hooks[i].command, failed);
        copy->hook_count++;
    }
}

static void copy_transports(struct config *copy, const struct config *config, bool *failed)
{
    copy->transports = copy_room(config->transport_count, sizeof *copy->transports, failed);
    for (size_t i = 0; copy->transports != NULL && i < config->transport_count; i++) {
        const struct config_transport *from = &config->transports[i];

        copy->transports[i].name = copy_text(from->name, failed);
        copy->transports[i].command = copy_command(from->command, failed);
        copy->transports[i].options = copy_text(from->options, failed);
        copy->transport_count++;
    }
}

static void copy_peer(struct config_peer *copy, const struct config_peer *peer, size_t transports,
                      bool *failed)
{
    *copy = *peer;
    copy->addresses = copy_texts(peer->addresses, transports, failed);
    copy->grant.allowed = copy_room(peer->grant.allowed_count, sizeof *copy->grant.allowed, failed);
    if (copy->grant.allowed != NULL)
        memcpy(copy->grant.allowed, peer->grant.allowed,
               peer->grant.allowed_count * sizeof *copy->grant.allowed);
    else
        copy->grant.allowed_count = 0;
}

static void copy_peers(struct config *copy, const struct config *config, bool *failed)
{
    copy->peers = copy_room(config->peer_count, sizeof *copy->peers, failed);
    for (size_t i = 0; copy->peers != NULL && i < config->peer_count; i++)
        if (!config->peers[i].learned)
            copy_peer(&copy->peers[copy->peer_count++], &config->peers[i], config->transport_count,
                      failed);
}

struct config *config_copy_written(const struct config *config)
{
    struct config *copy = calloc(1, sizeof *copy);
    bool failed = copy == NULL;

    if (failed)
        return NULL;
    copy->path = copy_text(config->path, &failed);
    copy->name = copy_text(config->name, &failed);
    copy->state_dir = copy_text(config->state_dir, &failed);
    copy->control = copy_text(config->control, &failed);
    copy->interface = config->interface;
    copy->introductions = config->introductions;
    copy->names = config->names;
    copy->stun_count = config->stun_count;
    copy->stun = copy_texts(config->stun, config->stun_count, &failed);
    copy->turn = copy_text(config->turn, &failed);
    copy_transports(copy, config, &failed);
    copy_hooks(copy, config, &failed);
    copy_peers(copy, config, &failed);
    if (!failed)
        return copy;
    config_destroy(copy);
    return NULL;
}

/* What was learned */

static bool is_host(const struct prefix *prefix, const struct prefix *host)
{
    return prefix->family == host->family &&
           memcmp(prefix->address, host->address, sizeof host->address) == 0;
}

static bool is_own(const struct config *config, const uint8_t own[ID_KEY_BYTES],
                   const struct prefix *host)
{
    struct prefix ipv6, ipv4;

    for (size_t i = 0; i < config->interface.address_count; i++)
        if (is_host(&config->interface.addresses[i], host))
            return true;
    id_overlay(own, &ipv6, &ipv4);
    return prefix_equal(&ipv6, host) || prefix_equal(&ipv4, host);
}

bool config_has_overlay(const struct config *config, const uint8_t own[ID_KEY_BYTES])
{
    struct prefix ipv6, ipv4;

    id_overlay(own, &ipv6, &ipv4);
    for (size_t i = 0; i < config->interface.address_count; i++)
        if (config->interface.addresses[i].family == AF_INET)
            return is_host(&config->interface.addresses[i], &ipv4);
    return config->interface.address_count == 0;
}

/* Who but the peer with `key` has the address; NULL for nobody. */
static const char *owner(const struct config *config, const uint8_t own[ID_KEY_BYTES],
                         const uint8_t key[ID_KEY_BYTES], const struct prefix *host)
{
    if (is_own(config, own, host))
        return "this device";
    for (size_t i = 0; i < config->peer_count; i++)
        if (memcmp(config->peers[i].grant.key, key, ID_KEY_BYTES) != 0 &&
            grant_reserves(&config->peers[i].grant, host))
            return config->peers[i].grant.peer;
    return NULL;
}

size_t config_overlay_free(const struct config *config, const uint8_t own[ID_KEY_BYTES],
                           const uint8_t key[ID_KEY_BYTES], struct prefix overlay[2])
{
    struct prefix derived[2];
    size_t count = 0;

    id_overlay(key, &derived[0], &derived[1]);
    for (size_t i = 0; i < 2; i++)
        if (owner(config, own, key, &derived[i]) == NULL)
            overlay[count++] = derived[i];
    return count;
}

/* A new one's error, to be filled; NULL without memory. */
static struct error *collide(struct config *config, const char *peer)
{
    struct config_collision *more =
        realloc(config->collisions, (config->collision_count + 1) * sizeof *more);

    if (more == NULL)
        return NULL;
    config->collisions = more;
    more += config->collision_count++;
    snprintf(more->peer, sizeof more->peer, "%s", peer);
    return &more->why;
}

bool config_had_collision(const struct config *config, const struct config_collision *collision)
{
    for (size_t i = 0; config != NULL && i < config->collision_count; i++)
        if (strcmp(config->collisions[i].peer, collision->peer) == 0 &&
            strcmp(config->collisions[i].why.message, collision->why.message) == 0)
            return true;
    return false;
}

#define WRITE_IT                                                                                   \
    "write it into the configuration, with an address of your choice in \"allowed_ips\" that its " \
    "own configuration has in \"interface\""

static void give(struct config *config, const uint8_t own[ID_KEY_BYTES], struct grant *grant,
                 const struct prefix *host)
{
    const char *other = owner(config, own, grant->key, host);
    char text[PREFIX_TEXT_SIZE];

    if (other == NULL) {
        grant->allowed[grant->allowed_count++] = *host;
        return;
    }
    prefix_format(host, text);
    error_set(collide(config, grant->peer), "address-collision",
              "peer '%s' goes without its address %s, which '%s' has: reach it by its other "
              "address, or " WRITE_IT,
              grant->peer, text, other);
}

static const struct config_peer *same_peer(const struct config *config,
                                           const struct learned_peer *peer)
{
    for (size_t i = 0; i < config->peer_count; i++)
        if (strcmp(config->peers[i].grant.peer, peer->contact.name) == 0 ||
            memcmp(config->peers[i].grant.key, peer->key, ID_KEY_BYTES) == 0)
            return &config->peers[i];
    return NULL;
}

/* Neither our own nor one of low order, with which nothing can be sealed (RFC 7748 section 6.1). */
static bool is_usable(const uint8_t key[ID_KEY_BYTES], const uint8_t own[ID_KEY_BYTES])
{
    static const uint8_t any[crypto_scalarmult_curve25519_SCALARBYTES] = {8};
    uint8_t shared[crypto_scalarmult_curve25519_BYTES];

    return memcmp(key, own, ID_KEY_BYTES) != 0 &&
           crypto_scalarmult_curve25519(shared, any, key) == 0;
}

static void say_left_out(const struct config *config, const struct learned_peer *peer,
                         const struct config_peer *same)
{
    if (memcmp(same->grant.key, peer->key, ID_KEY_BYTES) == 0)
        log_warn("peer '%s', who joined by an invitation, is '%s' in %s, which counts",
                 peer->contact.name, same->grant.peer, config->path);
    else
        log_warn("peer '%s', who joined by an invitation, has no tunnel: %s has another peer of "
                 "that name; 'punchguard rename' helps",
                 peer->contact.name, config->path);
}

static const char *address_on(const struct contact *contact, const char *transport)
{
    for (size_t i = 0; i < contact->count; i++)
        if (strcmp(contact->items[i].transport, transport) == 0)
            return contact->items[i].address;
    return NULL;
}

static int add(struct config *config, const struct learned_peer *peer,
               const uint8_t own[ID_KEY_BYTES])
{
    struct config_peer *added = &config->peers[config->peer_count];
    bool failed = false;
    struct prefix ipv6, ipv4;

    memset(added, 0, sizeof *added);
    added->learned = true;
    strcpy(added->grant.peer, peer->contact.name);
    memcpy(added->grant.key, peer->key, ID_KEY_BYTES);
    added->grant.inbound = peer->inbound;
    id_encode(peer->key, added->id);
    added->addresses = copy_room(config->transport_count, sizeof *added->addresses, &failed);
    for (size_t i = 0; added->addresses != NULL && i < config->transport_count; i++)
        added->addresses[i] =
            copy_text(address_on(&peer->contact, config->transports[i].name), &failed);
    added->grant.allowed = copy_room(2, sizeof *added->grant.allowed, &failed);
    if (!failed) {
        id_overlay(peer->key, &ipv6, &ipv4);
        give(config, own, &added->grant, &ipv6);
        give(config, own, &added->grant, &ipv4);
    }
    config->peer_count++;
    return failed ? -ENOMEM : 0;
}

/* One for which no address is left. */
static void take_back(struct config *config)
{
    struct config_peer *peer = &config->peers[--config->peer_count];

    error_set(collide(config, peer->grant.peer), "address-collision",
              "peer '%s' has no tunnel, as others have both its addresses: " WRITE_IT,
              peer->grant.peer);
    for (size_t i = 0; i < config->transport_count; i++)
        free(peer->addresses[i]);
    free(peer->addresses);
    grant_clear(&peer->grant);
}

int config_add_learned(struct config *config, const struct learned *learned,
                       const uint8_t own[ID_KEY_BYTES])
{
    size_t most = config->peer_count + learned->peer_count;
    struct config_peer *peers = realloc(config->peers, (most + 1) * sizeof *peers);
    int rc = 0;

    if (peers == NULL)
        return -ENOMEM;
    config->peers = peers;
    for (size_t i = 0; rc == 0 && i < learned->peer_count; i++) {
        const struct learned_peer *peer = &learned->peers[i];
        const struct config_peer *same = same_peer(config, peer);

        if (peer->introduced_by[0] != '\0')
            continue;
        if (same != NULL)
            say_left_out(config, peer, same);
        else if (config->peer_count == CONFIG_PEERS_MAX)
            log_warn("peer '%s' has no tunnel: %d peers are possible", peer->contact.name,
                     CONFIG_PEERS_MAX);
        else if (!is_usable(peer->key, own))
            log_warn("peer '%s' has no tunnel: its id is our own, or no device's",
                     peer->contact.name);
        else
            rc = add(config, peer, own);
        if (rc == 0 && config->peer_count > 0 &&
            config->peers[config->peer_count - 1].grant.allowed_count == 0)
            take_back(config);
    }
    return rc;
}
