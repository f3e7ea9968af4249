/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wg-setup/watch.h"

#include <errno.h>
#include <ifaddrs.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol/log.h"
#include "wg-setup/clock.h"

#define SNAPSHOT_BYTES 32

struct watch {
    char interface[IFNAMSIZ];
    int network, ruleset;
    int64_t first_at, settle_at; /* of what has not been looked at yet; 0: nothing happened */
    uint8_t snapshot[SNAPSHOT_BYTES];
    bool rules_removed;
};

static int listen_to(int protocol, unsigned groups, struct error *err)
{
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = groups};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);

    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    error_set(err, "netlink", "cannot watch the host's network (netlink %d): %s", protocol,
              strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool counts(const struct watch *watch, const struct ifaddrs *item)
{
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)item->ifa_addr;

    if (item->ifa_addr == NULL || strcmp(item->ifa_name, watch->interface) == 0 ||
        (item->ifa_flags & IFF_LOOPBACK) || !(item->ifa_flags & IFF_UP))
        return false;
    if (item->ifa_addr->sa_family == AF_INET)
        return true;
    return item->ifa_addr->sa_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr);
}

/* The order in which addresses are listed means nothing: sums of hashes do not see it. */
static void add_hash(uint8_t sum[SNAPSHOT_BYTES], const void *data, size_t length)
{
    uint8_t hash[SNAPSHOT_BYTES];

    crypto_generichash(hash, sizeof hash, data, length, NULL, 0);
    sodium_add(sum, hash, sizeof hash);
}

static void add_addresses(const struct watch *watch, uint8_t sum[SNAPSHOT_BYTES])
{
    struct ifaddrs *list;

    if (getifaddrs(&list) < 0)
        return;
    for (struct ifaddrs *item = list; item != NULL; item = item->ifa_next) {
        char text[IFNAMSIZ + 1 + sizeof(struct in6_addr)] = {0};

        if (!counts(watch, item))
            continue;
        memcpy(text, item->ifa_name, strnlen(item->ifa_name, IFNAMSIZ));
        if (item->ifa_addr->sa_family == AF_INET)
            memcpy(text + IFNAMSIZ + 1, &((struct sockaddr_in *)item->ifa_addr)->sin_addr, 4);
        else
            memcpy(text + IFNAMSIZ + 1, &((struct sockaddr_in6 *)item->ifa_addr)->sin6_addr, 16);
        add_hash(sum, text, sizeof text);
    }
    freeifaddrs(list);
}

static void add_default_route(const struct watch *watch, uint8_t sum[SNAPSHOT_BYTES],
                              const char *interface, const char *gateway, unsigned long metric)
{
    char text[128];
    int length = snprintf(text, sizeof text, "%s %s %lu", interface, gateway, metric);

    if (strcmp(interface, watch->interface) != 0 && strcmp(interface, "lo") != 0)
        add_hash(sum, text, (size_t)length);
}

/* proc(5): Iface, Destination, Gateway, Flags, RefCnt, Use, Metric, Mask, … in hex, the metric
 * alone decimal. */
static void add_default_routes(const struct watch *watch, uint8_t sum[SNAPSHOT_BYTES])
{
    char line[512], name[32], gateway[64];
    unsigned long destination, metric, mask;
    FILE *file = fopen("/proc/net/route", "re");

    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "%31s %lx %63s %*s %*s %*s %lu %lx", name, &destination, gateway, &metric,
                   &mask) == 5 &&
            destination == 0 && mask == 0)
            add_default_route(watch, sum, name, gateway, metric);
    if (file != NULL)
        fclose(file);
}

/* The kernel's net/ipv6/route.c: destination, its length, source, its length, gateway, metric,
 * references, use, flags, interface; all in hex. */
static void add_default_routes6(const struct watch *watch, uint8_t sum[SNAPSHOT_BYTES])
{
    char line[512], name[32], gateway[64];
    unsigned long length, metric;
    FILE *file = fopen("/proc/net/ipv6_route", "re");

    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "%*s %lx %*s %*s %63s %lx %*s %*s %*s %31s", &length, gateway, &metric,
                   name) == 4 &&
            length == 0)
            add_default_route(watch, sum, name, gateway, metric);
    if (file != NULL)
        fclose(file);
}

static void snapshot(const struct watch *watch, uint8_t sum[SNAPSHOT_BYTES])
{
    memset(sum, 0, SNAPSHOT_BYTES);
    add_addresses(watch, sum);
    add_default_routes(watch, sum);
    add_default_routes6(watch, sum);
}

struct watch *watch_new(const char *interface, struct error *err)
{
    struct watch *watch = calloc(1, sizeof *watch);
    struct error no_nftables;

    if (watch == NULL) {
        error_set(err, "no-memory", "out of memory");
        return NULL;
    }
    snprintf(watch->interface, sizeof watch->interface, "%s", interface);
    watch->network = listen_to(NETLINK_ROUTE,
                               RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
                                   RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE | RTMGRP_IPV4_RULE |
                                   1u << (RTNLGRP_IPV6_RULE - 1),
                               err);
    watch->ruleset = listen_to(NETLINK_NETFILTER, 1u << (NFNLGRP_NFTABLES - 1), &no_nftables);
    if (watch->network < 0) {
        watch_destroy(watch);
        return NULL;
    }
    if (watch->ruleset < 0)
        log_warn("%s: no direct path is possible", no_nftables.message);
    snapshot(watch, watch->snapshot);
    return watch;
}

void watch_destroy(struct watch *watch)
{
    if (watch == NULL)
        return;
    if (watch->network >= 0)
        close(watch->network);
    if (watch->ruleset >= 0)
        close(watch->ruleset);
    free(watch);
}

int watch_network_fd(const struct watch *watch)
{
    return watch->network;
}

int watch_ruleset_fd(const struct watch *watch)
{
    return watch->ruleset;
}

static bool is_link_or_address(unsigned type)
{
    return type == RTM_NEWLINK || type == RTM_DELLINK || type == RTM_NEWADDR || type == RTM_DELADDR;
}

bool watch_network_read(struct watch *watch)
{
    char buffer[8192] __attribute__((aligned(8)));
    int64_t now = clock_ms();
    bool found = false;
    ssize_t n;

    while ((n = recv(watch->network, buffer, sizeof buffer, 0)) > 0) {
        int left = (int)n;

        for (struct nlmsghdr *head = (struct nlmsghdr *)buffer; mnl_nlmsg_ok(head, left);
             head = mnl_nlmsg_next(head, &left)) {
            found |= is_link_or_address(head->nlmsg_type);
            watch->rules_removed |= head->nlmsg_type == RTM_DELRULE;
        }
    }
    /* Too much at once for the socket's buffer: something may have been missed. */
    if (n < 0 && errno == ENOBUFS)
        found = watch->rules_removed = true;
    if (watch->settle_at == 0)
        watch->first_at = now;
    watch->settle_at = now + WATCH_SETTLE_MS;
    if (watch->settle_at > watch->first_at + WATCH_LATEST_MS)
        watch->settle_at = watch->first_at + WATCH_LATEST_MS;
    return found;
}

bool watch_rules_removed(struct watch *watch)
{
    bool removed = watch->rules_removed;

    watch->rules_removed = false;
    return removed;
}

bool watch_ruleset_read(struct watch *watch)
{
    char buffer[16384] __attribute__((aligned(8)));
    bool removed = false;
    ssize_t n;

    while ((n = recv(watch->ruleset, buffer, sizeof buffer, 0)) > 0) {
        int left = (int)n;

        for (struct nlmsghdr *head = (struct nlmsghdr *)buffer; mnl_nlmsg_ok(head, left);
             head = mnl_nlmsg_next(head, &left))
            removed |= head->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE);
    }
    /* Too much at once for the socket's buffer: something may have been missed. */
    return removed || (n < 0 && errno == ENOBUFS);
}

int watch_timeout(const struct watch *watch)
{
    int64_t left = watch->settle_at - clock_ms();

    if (watch->settle_at == 0)
        return -1;
    return left > 0 ? (int)left : 0;
}

bool watch_network_changed(struct watch *watch)
{
    uint8_t now[SNAPSHOT_BYTES];
    bool changed;

    if (watch->settle_at == 0 || clock_ms() < watch->settle_at)
        return false;
    watch->settle_at = 0;
    snapshot(watch, now);
    changed = memcmp(now, watch->snapshot, sizeof now) != 0;
    memcpy(watch->snapshot, now, sizeof now);
    return changed;
}
