/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ice-agent/addresses.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "protocol/log.h"

/* A host with more addresses has them on few networks. */
#define LISTED_MAX 256

static bool interface_is_internal(const char *name)
{
    static const char *const prefixes[] = {"docker", "veth", "virbr", "vnet"};

    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

static bool prefix_among(const struct prefix *address, const struct prefix *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (prefix_contains(&list[i], address))
            return true;
    return false;
}

static bool address_is_usable(const struct prefix *address)
{
    static const char *const unusable[] = {"0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3",
                                           "::/96",     "fe80::/10",   "::ffff:0:0/96",
                                           "fec0::/10", "ff00::/8",    ADDRESSES_OVERLAY};

    for (size_t i = 0; i < sizeof unusable / sizeof unusable[0]; i++) {
        struct prefix prefix;

        if (prefix_parse(&prefix, unusable[i], false, NULL) == 0 &&
            prefix_contains(&prefix, address))
            return false;
    }
    return true;
}

static void choose(struct addresses *chosen, const struct endpoint *endpoint)
{
    for (size_t i = 0; i < chosen->count; i++)
        if (endpoint_equal(&chosen->items[i], endpoint))
            return;
    if (chosen->count < ADDRESSES_MAX)
        chosen->items[chosen->count++] = *endpoint;
    else
        log_warn("more than %d local addresses: %s is not used", ADDRESSES_MAX, endpoint->address);
}

static bool is_free(const struct local_address *local, const struct prefix *exclude, size_t count)
{
    struct prefix address;

    return prefix_parse(&address, local->endpoint.address, false, NULL) == 0 &&
           address_is_usable(&address) && !interface_is_internal(local->interface) &&
           !prefix_among(&address, exclude, count);
}

static bool family_is_missing(const struct addresses *chosen, int family)
{
    for (size_t i = 0; i < chosen->count; i++)
        if (endpoint_family(&chosen->items[i]) == family)
            return false;
    return true;
}

static void choose_of_family(struct addresses *chosen, int family, const struct local_address *all,
                             size_t count, const struct prefix *exclude, size_t exclude_count)
{
    for (size_t i = 0; i < count; i++)
        if (endpoint_family(&all[i].endpoint) == family && is_free(&all[i], exclude, exclude_count))
            choose(chosen, &all[i].endpoint);
    if (!family_is_missing(chosen, family))
        return;
    for (size_t i = 0; i < count; i++)
        if (endpoint_family(&all[i].endpoint) == family && !all[i].point_to_point &&
            is_free(&all[i], NULL, 0))
            choose(chosen, &all[i].endpoint);
}

void addresses_choose(struct addresses *chosen, const struct local_address *all, size_t count,
                      const struct prefix *exclude, size_t exclude_count)
{
    static const int families[] = {AF_INET, AF_INET6};
    bool missing[2];

    chosen->count = 0;
    for (size_t i = 0; i < count; i++)
        if ((!all[i].point_to_point || all[i].preferred) &&
            is_free(&all[i], exclude, exclude_count))
            choose(chosen, &all[i].endpoint);
    for (int i = 0; i < 2; i++)
        missing[i] = family_is_missing(chosen, families[i]);
    for (int i = 0; i < 2; i++)
        if (missing[i])
            choose_of_family(chosen, families[i], all, count, exclude, exclude_count);
}

/* The address that a datagram to the internet would leave with; connect() sends nothing. */
static int source_find(const char *remote, struct endpoint *source)
{
    struct endpoint to;
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    int size, fd, rc = -1;

    if (endpoint_set(&to, remote, 9) < 0)
        return -EINVAL;
    size = endpoint_to_sockaddr(&to, &address);
    fd = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&address, (socklen_t)size) == 0 &&
        getsockname(fd, (struct sockaddr *)&address, &length) == 0)
        rc = endpoint_from_sockaddr(source, (struct sockaddr *)&address);
    close(fd);
    source->port = 0;
    return rc;
}

/* Puts the preferred source address in front of the list. */
static void prefer(struct local_address *all, size_t count, const char *remote)
{
    struct endpoint source;
    struct local_address found;

    if (source_find(remote, &source) < 0)
        return;
    for (size_t i = 0; i < count; i++) {
        if (!endpoint_equal(&all[i].endpoint, &source))
            continue;
        found = all[i];
        found.preferred = true;
        memmove(all + 1, all, i * sizeof *all);
        all[0] = found;
        return;
    }
}

static size_t interfaces_read(const struct ifaddrs *list, struct local_address *all)
{
    size_t count = 0;

    for (const struct ifaddrs *at = list; at != NULL && count < LISTED_MAX; at = at->ifa_next) {
        struct local_address *local = &all[count];

        if (at->ifa_addr == NULL || (at->ifa_flags & IFF_UP) == 0 ||
            endpoint_from_sockaddr(&local->endpoint, at->ifa_addr) < 0)
            continue;
        local->endpoint.port = 0;
        local->preferred = false;
        local->point_to_point = (at->ifa_flags & IFF_POINTOPOINT) != 0;
        snprintf(local->interface, sizeof local->interface, "%s", at->ifa_name);
        count++;
    }
    return count;
}

int addresses_list(struct addresses *chosen, const struct prefix *exclude, size_t exclude_count,
                   struct error *err)
{
    struct local_address all[LISTED_MAX];
    struct ifaddrs *list;
    size_t count;

    if (getifaddrs(&list) < 0) {
        error_set(err, "no-addresses", "cannot list the local addresses: %s", strerror(errno));
        return -errno;
    }
    count = interfaces_read(list, all);
    freeifaddrs(list);
    /* Documentation addresses (RFC 5737, RFC 3849) stand for any host of the internet. */
    prefer(all, count, "2001:db8::1");
    prefer(all, count, "203.0.113.1");
    addresses_choose(chosen, all, count, exclude, exclude_count);
    if (chosen->count > 0)
        return 0;
    error_set(err, "no-addresses",
              "no interface that is up has a usable address; name one in local_addresses");
    return -EADDRNOTAVAIL;
}

bool addresses_is_usable(const struct endpoint *endpoint)
{
    struct prefix address;

    return prefix_parse(&address, endpoint->address, false, NULL) == 0 &&
           address_is_usable(&address);
}

void addresses_interface(const struct endpoint *endpoint, char name[16])
{
    struct local_address all[LISTED_MAX];
    struct ifaddrs *list;
    size_t count;

    name[0] = '\0';
    if (getifaddrs(&list) < 0)
        return;
    count = interfaces_read(list, all);
    freeifaddrs(list);
    for (size_t i = 0; i < count; i++)
        if (strcmp(all[i].endpoint.address, endpoint->address) == 0)
            memcpy(name, all[i].interface, sizeof all[i].interface);
}
