/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "punchguard/doctor.h"

#define PEERS_MAX 1024
/* What WireGuard and IPv6 put around a packet: 40 bytes IPv6, 8 UDP, 32 WireGuard. */
#define OVERHEAD 80

/* Addresses of the tunnel that this host's other networks have too */

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

struct collisions {
    struct doctor *doctor;
    const struct ifaddrs *addresses;
    size_t count;
};

/* 0.0.0.0/0 and ::/0 are meant to have everything. */
static void collide(struct collisions *collisions, const char *whose, const struct prefix *prefix)
{
    char text[PREFIX_TEXT_SIZE], other[PREFIX_TEXT_SIZE];

    for (const struct ifaddrs *at = collisions->addresses; at != NULL; at = at->ifa_next) {
        struct prefix network;

        if (prefix->length == 0 || strcmp(at->ifa_name, collisions->doctor->interface.name) == 0 ||
            !network_of(at, &network) || !prefix_overlap(prefix, &network))
            continue;
        prefix_format(prefix, text);
        prefix_format(&network, other);
        findings_add(&collisions->doctor->findings, LEVEL_WARN, "addresses",
                     "give the tunnel other addresses: allowed_ips, and $.interface.addresses",
                     "%s of %s is also of interface %s (%s): only one of them can be reached", text,
                     whose, at->ifa_name, other);
        collisions->count++;
    }
}

static void collide_peer(struct collisions *collisions, const struct json_at *at)
{
    struct grant grant = {.allowed = NULL};
    char whose[PEER_NAME_MAX + 16];
    struct prefix derived[2];

    if (grant_read(&grant, at, NULL) < 0)
        return;
    snprintf(whose, sizeof whose, "peer '%s'", grant.peer);
    for (size_t i = 0; i < grant.allowed_count; i++)
        collide(collisions, whose, &grant.allowed[i]);
    if (grant.allowed_count == 0) {
        id_overlay(grant.key, &derived[0], &derived[1]);
        collide(collisions, whose, &derived[0]);
        collide(collisions, whose, &derived[1]);
    }
    grant_clear(&grant);
}

void doctor_look_at_addresses(struct doctor *doctor)
{
    struct collisions collisions = {.doctor = doctor};
    struct json_at root, peers;
    struct ifaddrs *addresses;
    size_t count;

    if (doctor->document == NULL || getifaddrs(&addresses) < 0)
        return;
    collisions.addresses = addresses;
    for (size_t i = 0; i < doctor->interface.address_count; i++)
        collide(&collisions, "this device", &doctor->interface.addresses[i]);
    if (doctor_setting(doctor, "peers", &root, &peers) &&
        json_as_array(&peers, PEERS_MAX, &count, NULL) == 0) {
        for (size_t i = 0; i < count; i++) {
            struct json_at peer = json_item(&peers, i);

            collide_peer(&collisions, &peer);
        }
    }
    if (collisions.count == 0)
        findings_add(&doctor->findings, LEVEL_OK, "addresses", NULL,
                     "no other network of this host has the tunnel's");
    freeifaddrs(addresses);
}

/* MTU */

static int mtu_of(const char *interface)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_mtu = 0};
    int rc = -1;

    if (fd < 0)
        return -1;
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", interface);
    rc = ioctl(fd, SIOCGIFMTU, &request);
    close(fd);
    return rc < 0 ? -1 : request.ifr_mtu;
}

/* The interface that a line of /proc/net/route or ipv6_route sends everything by; false where it is
 * of another network. */
static bool default_interface(const char *line, bool ipv6, char interface[IFNAMSIZ])
{
    char destination[33], mask[33];

    if (ipv6)
        return sscanf(line, "%32s %2s %*s %*s %*s %*s %*s %*s %*s %15s", destination, mask,
                      interface) == 3 &&
               strspn(destination, "0") == 32 && strcmp(mask, "00") == 0 &&
               strcmp(interface, "lo") != 0;
    return sscanf(line, "%15s %32s %*s %*s %*s %*s %*s %32s", interface, destination, mask) == 3 &&
           strspn(destination, "0") == 8 && strspn(mask, "0") == 8;
}

/* True where there is such a route. */
static bool look_at_route(struct doctor *doctor, const char *path, bool ipv6)
{
    char line[256], interface[IFNAMSIZ], remedy[128];
    FILE *file = fopen(path, "re");
    bool found = false;
    int mtu = -1, least = doctor->interface.mtu + OVERHEAD;

    while (!found && file != NULL && fgets(line, sizeof line, file) != NULL)
        found = default_interface(line, ipv6, interface) &&
                strcmp(interface, doctor->interface.name) != 0;
    if (file != NULL)
        fclose(file);
    if (found)
        mtu = mtu_of(interface);
    if (mtu < 0)
        return found;
    if (mtu >= least) {
        findings_add(&doctor->findings, LEVEL_OK, "MTU", NULL,
                     "packets of %d bytes fit through %s (%d), over IPv%c", doctor->interface.mtu,
                     interface, mtu, ipv6 ? '6' : '4');
        return true;
    }
    snprintf(remedy, sizeof remedy, "\"mtu\": %d in $.interface, on both devices", mtu - OVERHEAD);
    findings_add(&doctor->findings, LEVEL_WARN, "MTU", remedy,
                 "packets of %d bytes and what is around them are %d, more than %s takes (%d): "
                 "they are cut up on the way",
                 doctor->interface.mtu, least, interface, mtu);
    return true;
}

void doctor_look_at_mtu(struct doctor *doctor)
{
    bool ipv4 = look_at_route(doctor, "/proc/net/route", false);
    bool ipv6 = look_at_route(doctor, "/proc/net/ipv6_route", true);

    if (!ipv4 && !ipv6)
        findings_add(&doctor->findings, LEVEL_WARN, "route", "connect this host to a network",
                     "there is no default route: only devices on its own networks can be reached");
}
