/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/config_read.h"

#include <ctype.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/log.h"

#define ADDRESS_BYTES_MAX 1024
/* A Tox address: public key, 4 bytes of nospam, 2 of checksum (the Tox protocol's "Messenger"). */
#define TOX_ADDRESS_BYTES 38

/* One prefix of one peer. */
struct claim {
    struct prefix prefix;
    size_t peer;
    size_t index;
    bool written; /* in the configuration, not derived from the id */
};

static int check_tox_address(struct config_reader *reader, const struct json_at *at,
                             const char *text)
{
    uint8_t bytes[TOX_ADDRESS_BYTES], sum[2] = {0, 0};
    size_t length = strlen(text);

    if (length != 2 * TOX_ADDRESS_BYTES)
        return config_fail(reader, at, "bad-address",
                           "a Tox address has %d hex digits, this has %zu characters",
                           2 * TOX_ADDRESS_BYTES, length);
    for (size_t i = 0; i < length; i++)
        if (!isxdigit((unsigned char)text[i]))
            return config_fail(reader, at, "bad-address",
                               "character %zu of the Tox address is no hex digit", i + 1);
    sodium_hex2bin(bytes, sizeof bytes, text, length, NULL, NULL, NULL);
    for (size_t i = 0; i < sizeof bytes; i++)
        sum[i % 2] ^= bytes[i];
    if (sum[0] != 0 || sum[1] != 0)
        return config_fail(reader, at, "bad-address",
                           "the Tox address's checksum does not fit: a digit of it is mistyped");
    return 0;
}

/* Every key must name a transport; while those are wrong themselves it can't be told. */
static int check_names(struct config_reader *reader, const struct json_at *at)
{
    const char *names[CONFIG_TRANSPORTS_MAX + 1] = {NULL};
    const struct config *config = reader->config;
    struct error err;

    if (json_as_object(at, NULL, &err) < 0)
        return config_note(reader, &err);
    if (reader->transports_wrong)
        return -EINVAL;
    for (size_t i = 0; i < config->transport_count; i++)
        names[i] = config->transports[i].name;
    return json_as_object(at, names, &err) < 0 ? config_note(reader, &err) : 0;
}

static int read_addresses(struct config_reader *reader, const struct json_at *at,
                          struct config_peer *peer)
{
    const struct config *config = reader->config;
    int rc = check_names(reader, at);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < config->transport_count; i++) {
        struct json_at member;

        if (!json_member(at, config->transports[i].name, &member))
            continue;
        if (config_string(reader, &member, 1, ADDRESS_BYTES_MAX, &peer->addresses[i]) < 0 ||
            (config_transport_is_tox(&config->transports[i]) &&
             check_tox_address(reader, &member, peer->addresses[i]) < 0))
            rc = -EINVAL;
    }
    return rc;
}

/* Tox finds nobody without an address, other transports may. */
static int check_reachable(struct config_reader *reader, const struct json_at *at,
                           const struct config_peer *peer)
{
    const struct config *config = reader->config;

    if (reader->transports_wrong)
        return -EINVAL;
    for (size_t i = 0; i < config->transport_count; i++)
        if (peer->addresses[i] != NULL || !config_transport_is_tox(&config->transports[i]))
            return 0;
    return config_fail(
        reader, at, "missing-field",
        "without an address the peer can't be reached; \"addresses\": {\"%s\": \"…\"} "
        "with what its punchguard-broker --show-id prints is right",
        config->transports[0].name);
}

static int read_peer(struct config_reader *reader, const struct json_at *at,
                     struct config_peer *peer)
{
    static const char *const known[] = {"name", "id", "addresses", "allowed_ips", "inbound",
                                        NULL};
    struct json_at member;
    struct error err;
    int rc;

    peer->addresses = calloc(reader->config->transport_count + 1, sizeof *peer->addresses);
    if (peer->addresses == NULL)
        return config_no_memory(reader);
    if (json_as_object(at, known, &err) < 0)
        return config_note(reader, &err);
    rc = grant_read(&peer->grant, at, &err);
    if (rc == -ENOMEM)
        return config_no_memory(reader);
    if (rc < 0)
        config_note(reader, &err);
    else
        id_encode(peer->grant.key, peer->id);
    if (json_member(at, "addresses", &member))
        return read_addresses(reader, &member, peer) < 0 ? -EINVAL : rc;
    return check_reachable(reader, at, peer) < 0 ? -EINVAL : rc;
}

static int check_doubles(struct config_reader *reader, const struct json_at *at, size_t index)
{
    const struct config_peer *peers = reader->config->peers, *own = &peers[index];
    struct json_at member;

    for (size_t i = 0; i < index; i++) {
        if (strcmp(peers[i].grant.peer, own->grant.peer) == 0) {
            json_member(at, "name", &member);
            return config_fail(reader, &member, "duplicate",
                               "'%s' is the name of $.peers[%zu] already; another one is right",
                               own->grant.peer, i);
        }
        if (memcmp(peers[i].grant.key, own->grant.key, sizeof own->grant.key) == 0) {
            json_member(at, "id", &member);
            return config_fail(reader, &member, "duplicate",
                               "this is the id of $.peers[%zu] ('%s') already; each device stands "
                               "there once",
                               i, peers[i].grant.peer);
        }
    }
    return 0;
}

static int compare_claims(const void *left, const void *right)
{
    const struct claim *a = left, *b = right;
    int order = memcmp(a->prefix.address, b->prefix.address, sizeof a->prefix.address);

    if (a->prefix.family != b->prefix.family)
        return a->prefix.family < b->prefix.family ? -1 : 1;
    if (order != 0)
        return order;
    if (a->prefix.length != b->prefix.length)
        return a->prefix.length < b->prefix.length ? -1 : 1;
    if (a->peer != b->peer)
        return a->peer < b->peer ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

/* Where allowed_ips is not written, or empty, the peer has its overlay addresses. */
static int default_allowed(struct config_reader *reader, struct grant *grant)
{
    free(grant->allowed);
    grant->allowed = calloc(2, sizeof *grant->allowed);
    if (grant->allowed == NULL)
        return config_no_memory(reader);
    id_overlay(grant->key, &grant->allowed[0], &grant->allowed[1]);
    grant->allowed_count = 2;
    return 0;
}

static int collect_claims(struct config_reader *reader, struct claim **out, size_t *out_count)
{
    struct config *config = reader->config;
    struct claim *claims;
    size_t count = 0, size = 0;

    for (size_t p = 0; p < config->peer_count; p++)
        size += config->peers[p].grant.allowed_count + 2;
    claims = calloc(size + 1, sizeof *claims);
    if (claims == NULL)
        return config_no_memory(reader);
    for (size_t p = 0; p < config->peer_count; p++) {
        struct grant *grant = &config->peers[p].grant;
        bool written = grant->allowed_count > 0;

        if (!written && default_allowed(reader, grant) < 0) {
            free(claims);
            return -ENOMEM;
        }
        for (size_t i = 0; i < grant->allowed_count; i++)
            claims[count++] = (struct claim){grant->allowed[i], p, i, written};
    }
    *out = claims;
    *out_count = count;
    return 0;
}

/* Of two derived IPv4 addresses that are the same (22 bits), the later peer does without: its IPv6
 * one, derived from more bits, comes first and stays. */
static void give_up_ipv4(struct config *config, const struct claim *claim,
                         const struct claim *before)
{
    struct grant *grant = &config->peers[claim->peer].grant;
    char text[PREFIX_TEXT_SIZE];

    prefix_format(&claim->prefix, text);
    log_warn(
        "%s: $.peers[%zu] ('%s') goes without its IPv4 address %s, which $.peers[%zu] ('%s') has; "
        "give it another one with allowed_ips",
        config->path, claim->peer, grant->peer, text, before->peer,
        config->peers[before->peer].grant.peer);
    grant->allowed_count = 1;
}

static int fail_claim(struct config_reader *reader, const struct json_at *peers,
                      const struct claim *claim, const struct claim *other)
{
    struct json_at peer = json_item(peers, claim->peer), list, item;
    char text[PREFIX_TEXT_SIZE];

    prefix_format(&claim->prefix, text);
    json_member(&peer, "allowed_ips", &list);
    item = json_item(&list, claim->index);
    if (claim->peer == other->peer)
        return config_fail(reader, &item, "duplicate", "%s stands there twice", text);
    return config_fail(reader, &item, "overlap",
                       "%s belongs to $.peers[%zu] ('%s') already; one peer only can have it", text,
                       other->peer, reader->config->peers[other->peer].grant.peer);
}

/* A prefix inside another peer's is right (WireGuard takes the longest), the same prefix is not. */
static int check_claims(struct config_reader *reader, const struct json_at *peers)
{
    struct claim *claims = NULL;
    size_t count = 0;
    int rc = collect_claims(reader, &claims, &count);

    if (rc < 0)
        return rc;
    qsort(claims, count, sizeof *claims, compare_claims);
    for (size_t i = 1; i < count; i++) {
        const struct claim *a = &claims[i - 1], *b = &claims[i];

        if (!prefix_equal(&a->prefix, &b->prefix))
            continue;
        if (!a->written && !b->written)
            give_up_ipv4(reader->config, b, a);
        else
            rc = b->written ? fail_claim(reader, peers, b, a) : fail_claim(reader, peers, a, b);
    }
    free(claims);
    return rc;
}

static bool is_own_address(const struct prefix *own, const struct prefix *prefix)
{
    return own->family == prefix->family && prefix->length == (own->family == AF_INET ? 32 : 128) &&
           memcmp(own->address, prefix->address, sizeof own->address) == 0;
}

/* A peer that had our own address would be sent what is for us. */
static int check_own(struct config_reader *reader, const struct json_at *at, size_t index)
{
    const struct interface *interface = &reader->config->interface;
    const struct grant *grant = &reader->config->peers[index].grant;
    struct json_at list, item;

    for (size_t i = 0; i < grant->allowed_count; i++) {
        for (size_t own = 0; own < interface->address_count; own++) {
            if (!is_own_address(&interface->addresses[own], &grant->allowed[i]))
                continue;
            json_member(at, "allowed_ips", &list);
            item = json_item(&list, i);
            return config_fail(reader, &item, "overlap",
                               "this is our own address, $.interface.addresses[%zu]; the peer's is "
                               "right",
                               own);
        }
    }
    return 0;
}

int config_read_peers(struct config_reader *reader, const struct json_at *at)
{
    struct config *config = reader->config;
    struct error err;
    size_t count;
    int rc = 0;

    if (json_as_array(at, CONFIG_PEERS_MAX, &count, &err) < 0)
        return config_note(reader, &err);
    config->peers = calloc(count + 1, sizeof *config->peers);
    if (config->peers == NULL)
        return config_no_memory(reader);
    for (size_t i = 0; i < count; i++) {
        struct json_at item = json_item(at, i);

        config->peer_count = i + 1;
        if (read_peer(reader, &item, &config->peers[i]) < 0 || check_own(reader, &item, i) < 0 ||
            check_doubles(reader, &item, i) < 0)
            rc = -EINVAL;
    }
    return rc < 0 ? rc : check_claims(reader, at);
}
