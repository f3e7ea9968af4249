/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "protocol/file.h"
#include "protocol/identity_key.h"
#include "punchguard/doctor.h"

#define CHECK "addresses"
#define OWN   "this device"

#define PEERS_MAX 1024
/* Files of the state folder. */
#define PEERS_FILE      "peers.json"
#define PEERS_BYTES_MAX (4 * 1024 * 1024)
#define KEY_FILE        "identity.key"
#define KEY_BYTES_MAX   1024

struct collisions {
    struct doctor *doctor;
    const char *interface; /* the tunnel's */
    const struct ifaddrs *addresses;
    size_t compared, found;
};

static bool network_of(const struct ifaddrs *at, struct prefix *network)
{
    const uint8_t *mask = NULL;

    if (at->ifa_addr == NULL || at->ifa_netmask == NULL || (at->ifa_flags & IFF_LOOPBACK) != 0)
        return false;
    network->family = at->ifa_addr->sa_family;
    network->length = 0;
    if (network->family == AF_INET) {
        memcpy(network->address, &((const struct sockaddr_in *)at->ifa_addr)->sin_addr, 4);
        mask = (const uint8_t *)&((const struct sockaddr_in *)at->ifa_netmask)->sin_addr;
    } else if (network->family == AF_INET6) {
        memcpy(network->address, &((const struct sockaddr_in6 *)at->ifa_addr)->sin6_addr, 16);
        mask = (const uint8_t *)&((const struct sockaddr_in6 *)at->ifa_netmask)->sin6_addr;
    } else {
        return false;
    }
    while (network->length < (network->family == AF_INET ? 32 : 128) &&
           (mask[network->length / 8] >> (7 - network->length % 8) & 1) != 0)
        network->length++;
    return true;
}

/* 0.0.0.0/0 and ::/0 are meant to have everything. */
static void collide(struct collisions *collisions, const char *whose, const struct prefix *prefix)
{
    char text[PREFIX_TEXT_SIZE], other[PREFIX_TEXT_SIZE];

    collisions->compared++;
    for (const struct ifaddrs *at = collisions->addresses; at != NULL; at = at->ifa_next) {
        struct prefix network;

        if (prefix->length == 0 || strcmp(at->ifa_name, collisions->interface) == 0 ||
            !network_of(at, &network) || !prefix_overlap(prefix, &network))
            continue;
        prefix_format(prefix, text);
        prefix_format(&network, other);
        findings_add(&collisions->doctor->findings, LEVEL_WARN, CHECK,
                     "give the tunnel other addresses: allowed_ips, and $.interface.addresses",
                     "%s of %s is also of interface %s (%s): only one of them can be reached", text,
                     whose, at->ifa_name, other);
        collisions->found++;
    }
}

static void collide_derived(struct collisions *collisions, const char *whose,
                            const uint8_t key[ID_KEY_BYTES])
{
    struct prefix derived[2];

    id_overlay(key, &derived[0], &derived[1]);
    collide(collisions, whose, &derived[0]);
    collide(collisions, whose, &derived[1]);
}

/* What a broker that runs says */

static void collide_texts(struct collisions *collisions, const char *whose,
                          const struct strings *texts)
{
    struct prefix prefix;

    for (size_t i = 0; i < texts->count; i++)
        if (prefix_parse(&prefix, texts->items[i], true, NULL) == 0)
            collide(collisions, whose, &prefix);
}

static void collide_snapshot(struct collisions *collisions, const struct snapshot *snapshot)
{
    char whose[PEER_NAME_MAX + 16];

    collisions->interface = snapshot->device.status_device.interface;
    collide_texts(collisions, OWN, &snapshot->device.status_device.overlay);
    for (size_t i = 0; i < snapshot->peer_count; i++) {
        const struct message_status_peer *peer = &snapshot->peers[i].status_peer;

        snprintf(whose, sizeof whose, "peer '%s'", peer->peer);
        collide_texts(collisions, whose, &peer->allowed_ips);
    }
}

/* What the next broker will take */

/* A file of the state folder's, to be wiped and freed. 0, or -errno. */
static int read_state(const struct doctor *doctor, const char *name, size_t most, void **text,
                      size_t *length)
{
    int folder = open(doctor->settings.state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = -errno;

    if (folder < 0)
        return rc;
    rc = file_read(folder, name, most, text, length, NULL);
    close(folder);
    return rc;
}

static int read_own_key(const struct doctor *doctor, uint8_t key[ID_KEY_BYTES])
{
    uint8_t secret[IDENTITY_SECRET_BYTES];
    size_t length;
    void *text;
    int rc = read_state(doctor, KEY_FILE, KEY_BYTES_MAX, &text, &length);

    if (rc < 0)
        return rc;
    rc = identity_key_parse(text, length, secret);
    if (rc == 0 && crypto_scalarmult_base(key, secret) != 0)
        rc = -EINVAL;
    sodium_memzero(text, length);
    sodium_memzero(secret, sizeof secret);
    free(text);
    return rc;
}

static void collide_own(struct collisions *collisions)
{
    const struct interface *interface = &collisions->doctor->interface;
    uint8_t key[ID_KEY_BYTES];
    int rc;

    for (size_t i = 0; i < interface->address_count; i++)
        collide(collisions, OWN, &interface->addresses[i]);
    if (interface->address_count > 0)
        return;
    rc = read_own_key(collisions->doctor, key);
    if (rc == 0)
        collide_derived(collisions, OWN, key);
    else if (rc == -ENOENT)
        findings_add(&collisions->doctor->findings, LEVEL_SKIP, CHECK, NULL,
                     "this device has none before the first start, which makes its id");
    else
        findings_add(&collisions->doctor->findings, LEVEL_SKIP, CHECK,
                     rc == -EACCES ? "ask as root" : NULL,
                     "those of this device follow from its id, and %s/" KEY_FILE " can't be read",
                     collisions->doctor->settings.state_dir);
}

static void collide_configured(struct collisions *collisions, const struct json_at *at)
{
    struct grant grant = {.allowed = NULL};
    char whose[PEER_NAME_MAX + 16];

    if (grant_read(&grant, at, NULL) < 0)
        return;
    snprintf(whose, sizeof whose, "peer '%s'", grant.peer);
    for (size_t i = 0; i < grant.allowed_count; i++)
        collide(collisions, whose, &grant.allowed[i]);
    if (grant.allowed_count == 0)
        collide_derived(collisions, whose, grant.key);
    grant_clear(&grant);
}

/* One that another peer introduced is none until it is accepted. */
static void collide_learned(struct collisions *collisions, const struct json_at *at)
{
    char whose[PEER_NAME_MAX + 16];
    uint8_t key[ID_KEY_BYTES];
    const char *name, *id;
    struct json_at member;

    if (json_as_object(at, NULL, NULL) < 0 || json_member(at, "introduced_by", &member) ||
        !json_member(at, "name", &member) || json_as_string(&member, &name, NULL) < 0 ||
        !json_member(at, "id", &member) || json_as_string(&member, &id, NULL) < 0 ||
        id_decode(id, key, NULL) < 0)
        return;
    snprintf(whose, sizeof whose, "peer '%.*s'", PEER_NAME_MAX, name);
    collide_derived(collisions, whose, key);
}

static void collide_list(struct collisions *collisions, const struct json *document,
                         void (*each)(struct collisions *collisions, const struct json_at *at))
{
    struct json_at root, peers;
    size_t count;

    if (document == NULL)
        return;
    root = json_root(document);
    if (json_as_object(&root, NULL, NULL) < 0 || !json_member(&root, "peers", &peers) ||
        json_as_array(&peers, PEERS_MAX, &count, NULL) < 0)
        return;
    for (size_t i = 0; i < count; i++) {
        struct json_at peer = json_item(&peers, i);

        each(collisions, &peer);
    }
}

/* NULL where it is not there, or not for this user. */
static struct json *read_learned(const struct doctor *doctor)
{
    struct json *document;
    size_t length;
    void *text;

    if (read_state(doctor, PEERS_FILE, PEERS_BYTES_MAX, &text, &length) < 0)
        return NULL;
    document = json_parse(text, length, NULL);
    sodium_memzero(text, length); /* secrets of invitations are in it */
    free(text);
    return document;
}

static void collide_files(struct collisions *collisions)
{
    struct json *learned = read_learned(collisions->doctor);

    collide_own(collisions);
    collide_list(collisions, collisions->doctor->document, collide_configured);
    collide_list(collisions, learned, collide_learned);
    json_destroy(learned);
}

void doctor_look_at_addresses(struct doctor *doctor)
{
    struct collisions collisions = {.doctor = doctor, .interface = doctor->interface.name};
    struct ifaddrs *addresses;

    if (getifaddrs(&addresses) < 0)
        return;
    collisions.addresses = addresses;
    if (doctor->snapshot.device.type != MESSAGE_NONE)
        collide_snapshot(&collisions, &doctor->snapshot);
    else
        collide_files(&collisions);
    if (collisions.found == 0 && collisions.compared > 0)
        findings_add(&doctor->findings, LEVEL_OK, CHECK, NULL,
                     "no other network of this host has one of the tunnel's (%zu %s compared)",
                     collisions.compared, collisions.compared == 1 ? "was" : "were");
    freeifaddrs(addresses);
}
