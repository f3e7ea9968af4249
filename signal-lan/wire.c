/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "signal-lan/wire.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "protocol/log.h"

enum { GROUP4, GROUP6, DIRECT4, DIRECT6 };

/* RFC 5082 section 3. */
#define HOPS_MAX 255
/* Room for several 16 KiB messages at once; the kernel gives as much of it as it may. */
#define RECEIVE_BYTES (512 * 1024)
/* The loopback interface, by which come packets of this same host. */
#define LOOPBACK_INDEX 1

union address {
    struct sockaddr any;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
};

union control {
    struct cmsghdr head;
    char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int))];
};

static bool is_ipv6(size_t socket)
{
    return socket == GROUP6 || socket == DIRECT6;
}

static bool is_group(size_t socket)
{
    return socket == GROUP4 || socket == GROUP6;
}

static int set(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value) < 0 ? -errno : 0;
}

static int prepare4(int fd)
{
    int rc = set(fd, IPPROTO_IP, IP_PKTINFO, 1);

    rc = rc < 0 ? rc : set(fd, IPPROTO_IP, IP_RECVTTL, 1);
    rc = rc < 0 ? rc : set(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0);
    rc = rc < 0 ? rc : set(fd, IPPROTO_IP, IP_TTL, HOPS_MAX);
    return rc < 0 ? rc : set(fd, IPPROTO_IP, IP_MULTICAST_TTL, 1);
}

static int prepare6(int fd)
{
    int rc = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);

    rc = rc < 0 ? rc : set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    rc = rc < 0 ? rc : set(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
    rc = rc < 0 ? rc : set(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, HOPS_MAX);
    rc = rc < 0 ? rc : set(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, HOPS_MAX);
#ifdef IPV6_MULTICAST_ALL
    /* Linux 4.20; what others on this host have joined does no harm here. */
    set(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0);
#endif
    return rc;
}

static socklen_t local_address(const struct options *options, size_t socket, union address *address)
{
    uint16_t port = htons(is_group(socket) ? options->port : options->direct_port);

    memset(address, 0, sizeof *address);
    if (is_ipv6(socket)) {
        address->ipv6.sin6_family = AF_INET6;
        address->ipv6.sin6_port = port;
        return sizeof address->ipv6;
    }
    address->ipv4.sin_family = AF_INET;
    address->ipv4.sin_port = port;
    if (is_group(socket))
        address->ipv4.sin_addr = options->group4;
    return sizeof address->ipv4;
}

static int prepare(int fd, const struct options *options, size_t socket)
{
    union address address;
    socklen_t length = local_address(options, socket, &address);
    int rc = is_ipv6(socket) ? prepare6(fd) : prepare4(fd);

    /* Others on this host may listen to the group too. */
    if (rc == 0 && is_group(socket))
        rc = set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (rc == 0 && bind(fd, &address.any, length) < 0)
        rc = -errno;
    set(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BYTES);
    return rc;
}

static int open_one(struct wire *wire, size_t number, struct error *err)
{
    int fd =
        socket(is_ipv6(number) ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int rc = fd < 0 ? -errno : prepare(fd, wire->options, number);

    if (rc == 0) {
        wire->sockets[number] = fd;
        return 0;
    }
    if (fd >= 0)
        close(fd);
    if (rc == -EAFNOSUPPORT || rc == -EADDRNOTAVAIL)
        return 0;
    error_set(err, "socket", "cannot use UDP port %d of %s: %s",
              is_group(number) ? wire->options->port : wire->options->direct_port,
              is_ipv6(number) ? "IPv6" : "IPv4", strerror(-rc));
    return rc;
}

int wire_open(struct wire *wire, const struct options *options, struct error *err)
{
    int rc = 0;

    wire->options = options;
    for (size_t i = 0; i < WIRE_SOCKETS; i++)
        wire->sockets[i] = -1;
    for (size_t i = 0; rc == 0 && i < WIRE_SOCKETS; i++)
        if (is_ipv6(i) ? options->ipv6 : options->ipv4)
            rc = open_one(wire, i, err);
    if (rc < 0)
        wire_close(wire);
    return rc;
}

void wire_close(struct wire *wire)
{
    for (size_t i = 0; i < WIRE_SOCKETS; i++) {
        if (wire->sockets[i] >= 0)
            close(wire->sockets[i]);
        wire->sockets[i] = -1;
    }
}

static void join4(const struct wire *wire, const struct link *link)
{
    struct ip_mreqn group = {.imr_multiaddr = wire->options->group4,
                             .imr_ifindex = (int)link->index};

    if (setsockopt(wire->sockets[GROUP4], IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group) <
            0 &&
        errno != EADDRINUSE)
        log_warn("%s: cannot join the IPv4 group: %s", link->name, strerror(errno));
}

static void join6(const struct wire *wire, const struct link *link)
{
    struct ipv6_mreq group = {.ipv6mr_multiaddr = wire->options->group6,
                              .ipv6mr_interface = link->index};

    if (setsockopt(wire->sockets[GROUP6], IPPROTO_IPV6, IPV6_JOIN_GROUP, &group, sizeof group) <
            0 &&
        errno != EADDRINUSE)
        log_warn("%s: cannot join the IPv6 group: %s", link->name, strerror(errno));
}

void wire_join(const struct wire *wire, const struct links *links)
{
    for (size_t i = 0; i < links->count; i++) {
        if (wire->sockets[GROUP4] >= 0 && links->items[i].ipv4)
            join4(wire, &links->items[i]);
        if (wire->sockets[GROUP6] >= 0 && links->items[i].ipv6)
            join6(wire, &links->items[i]);
    }
}

static void address_of(const struct place *place, union address *address)
{
    memset(address, 0, sizeof *address);
    if (place->family == AF_INET6) {
        address->ipv6.sin6_family = AF_INET6;
        address->ipv6.sin6_port = htons(place->port);
        memcpy(&address->ipv6.sin6_addr, place->address, 16);
        if (IN6_IS_ADDR_LINKLOCAL(&address->ipv6.sin6_addr) ||
            IN6_IS_ADDR_MC_LINKLOCAL(&address->ipv6.sin6_addr))
            address->ipv6.sin6_scope_id = place->link;
    } else {
        address->ipv4.sin_family = AF_INET;
        address->ipv4.sin_port = htons(place->port);
        memcpy(&address->ipv4.sin_addr, place->address, 4);
    }
}

/* The interface is named, so that no route can lead the packet elsewhere, say into a tunnel. */
static size_t put_interface(const struct place *place, struct cmsghdr *head)
{
    struct in6_pktinfo info6 = {.ipi6_ifindex = place->link};
    struct in_pktinfo info4 = {.ipi_ifindex = (int)place->link};

    if (place->family == AF_INET6) {
        head->cmsg_level = IPPROTO_IPV6;
        head->cmsg_type = IPV6_PKTINFO;
        head->cmsg_len = CMSG_LEN(sizeof info6);
        memcpy(CMSG_DATA(head), &info6, sizeof info6);
        return CMSG_SPACE(sizeof info6);
    }
    head->cmsg_level = IPPROTO_IP;
    head->cmsg_type = IP_PKTINFO;
    head->cmsg_len = CMSG_LEN(sizeof info4);
    memcpy(CMSG_DATA(head), &info4, sizeof info4);
    return CMSG_SPACE(sizeof info4);
}

void wire_send(const struct wire *wire, const struct place *place, const uint8_t *packet,
               size_t length)
{
    int fd = wire->sockets[place->family == AF_INET6 ? DIRECT6 : DIRECT4];
    struct iovec part = {.iov_base = (void *)(uintptr_t)packet, .iov_len = length};
    union control control = {.bytes = {0}};
    union address address;
    struct msghdr message = {
        .msg_name = &address, .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes};

    if (fd < 0 || place->family == AF_UNSPEC)
        return;
    address_of(place, &address);
    message.msg_namelen = place->family == AF_INET6 ? sizeof address.ipv6 : sizeof address.ipv4;
    message.msg_controllen = put_interface(place, &control.head);
    if (sendmsg(fd, &message, 0) < 0)
        log_debug("interface %u: cannot send: %s", place->link, strerror(errno));
}

void wire_send_all(const struct wire *wire, const struct links *links, const uint8_t *packet,
                   size_t length)
{
    for (size_t i = 0; i < links->count; i++) {
        const struct link *link = &links->items[i];
        struct place place = {.link = link->index, .port = wire->options->port};

        if (link->ipv4 && wire->options->ipv4) {
            place.family = AF_INET;
            memcpy(place.address, &wire->options->group4, 4);
            wire_send(wire, &place, packet, length);
        }
        if (link->ipv6 && wire->options->ipv6) {
            place.family = AF_INET6;
            memcpy(place.address, &wire->options->group6, 16);
            wire_send(wire, &place, packet, length);
        }
    }
}

struct arrival {
    unsigned link;
    int hops;
};

static void arrival_read(struct msghdr *message, struct arrival *arrival)
{
    struct in6_pktinfo info6;
    struct in_pktinfo info4;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            memcpy(&info4, CMSG_DATA(c), sizeof info4);
            arrival->link = (unsigned)info4.ipi_ifindex;
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            memcpy(&info6, CMSG_DATA(c), sizeof info6);
            arrival->link = info6.ipi6_ifindex;
        } else if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL) ||
                   (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT)) {
            memcpy(&arrival->hops, CMSG_DATA(c), sizeof arrival->hops);
        }
    }
}

static void place_of(const union address *address, unsigned link, struct place *place)
{
    memset(place, 0, sizeof *place);
    place->family = address->any.sa_family;
    place->link = link;
    if (place->family == AF_INET6) {
        place->port = ntohs(address->ipv6.sin6_port);
        memcpy(place->address, &address->ipv6.sin6_addr, 16);
    } else {
        place->port = ntohs(address->ipv4.sin_port);
        memcpy(place->address, &address->ipv4.sin_addr, 4);
    }
}

static bool is_from_link(size_t socket, const struct links *links, const struct arrival *arrival)
{
    if (arrival->link != LOOPBACK_INDEX && links_find(links, arrival->link) == NULL)
        return false;
    return socket == GROUP4 || arrival->hops == HOPS_MAX;
}

int wire_receive(const struct wire *wire, size_t socket, const struct links *links, uint8_t *packet,
                 size_t size, struct place *place)
{
    struct iovec part = {.iov_base = packet, .iov_len = size};
    struct arrival arrival = {.hops = 0};
    union control control;
    union address address = {.any = {.sa_family = AF_UNSPEC}};
    struct msghdr message = {.msg_name = &address,
                             .msg_namelen = sizeof address,
                             .msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control};
    ssize_t n = recvmsg(wire->sockets[socket], &message, 0);

    if (n < 0)
        return -errno;
    arrival_read(&message, &arrival);
    if ((message.msg_flags & MSG_TRUNC) || !is_from_link(socket, links, &arrival))
        return 0;
    place_of(&address, arrival.link, place);
    return (int)n;
}
