/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "signal-lan/links.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A dump comes in parts of at most this (netlink(7) advises 8 KiB, the kernel goes up to 32). */
#define DUMP_BYTES 32768

int links_watch(struct error *err)
{
    struct sockaddr_nl address = {.nl_family = AF_NETLINK,
                                  .nl_groups =
                                      RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    error_set(err, "netlink", "cannot watch the host's links: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
    return -errno;
}

bool links_changed(int watch)
{
    char buffer[DUMP_BYTES];
    bool any = false;

    /* ENOBUFS: some of the news are lost, which is news. */
    while (recv(watch, buffer, sizeof buffer, 0) > 0 || errno == ENOBUFS)
        any = true;
    return any;
}

static const char *text_of(const struct nlattr *attribute)
{
    return mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) < 0 ? "" : mnl_attr_get_str(attribute);
}

struct about {
    const char *name, *kind, *port_kind; /* what it is, and what of it is a part of; "" not said */
};

static int on_kind(const struct nlattr *attribute, void *data)
{
    struct about *about = data;

    if (mnl_attr_get_type(attribute) == IFLA_INFO_KIND)
        about->kind = text_of(attribute);
    else if (mnl_attr_get_type(attribute) == IFLA_INFO_SLAVE_KIND)
        about->port_kind = text_of(attribute);
    return MNL_CB_OK;
}

static int on_about(const struct nlattr *attribute, void *data)
{
    struct about *about = data;

    if (mnl_attr_get_type(attribute) == IFLA_IFNAME)
        about->name = text_of(attribute);
    else if (mnl_attr_get_type(attribute) == IFLA_LINKINFO)
        mnl_attr_parse_nested(attribute, on_kind, about);
    return MNL_CB_OK;
}

/* Those that look like Ethernet; the others say so by their type and flags. */
static bool is_tunnel(const char *kind)
{
    static const char *const tunnels[] = {"wireguard", "tun",    "vxlan",     "geneve",  "gretap",
                                          "ip6gretap", "erspan", "ip6erspan", "bareudp", NULL};

    for (size_t i = 0; tunnels[i] != NULL; i++)
        if (strcmp(kind, tunnels[i]) == 0)
            return true;
    return false;
}

static bool is_asked_for(const struct options *options, const char *name)
{
    for (size_t i = 0; i < options->interface_count; i++)
        if (strcmp(options->interfaces[i], name) == 0)
            return true;
    return false;
}

static bool is_usable(const struct options *options, const struct ifinfomsg *info,
                      const struct about *about)
{
    static const unsigned no = IFF_LOOPBACK | IFF_POINTOPOINT | IFF_NOARP;

    if (!(info->ifi_flags & IFF_UP) || !(info->ifi_flags & IFF_RUNNING))
        return false;
    if (options->interface_count > 0)
        return is_asked_for(options, about->name);
    if (info->ifi_type != ARPHRD_ETHER || !(info->ifi_flags & IFF_MULTICAST) ||
        (info->ifi_flags & no))
        return false;
    /* A bridge or bond speaks for its parts; being in a VRF changes nothing. */
    if (about->port_kind[0] != '\0' && strcmp(about->port_kind, "vrf") != 0)
        return false;
    return !is_tunnel(about->kind);
}

static void links_insert(struct links *links, unsigned index, const char *name)
{
    size_t at = links->count;

    if (at == LINKS_MAX || links_find(links, index) != NULL)
        return;
    for (; at > 0 && links->items[at - 1].index > index; at--)
        links->items[at] = links->items[at - 1];
    links->items[at] = (struct link){.index = index};
    strncpy(links->items[at].name, name, IFNAMSIZ - 1);
    links->count++;
}

static void take_link(struct links *links, const struct options *options,
                      const struct nlmsghdr *header)
{
    const struct ifinfomsg *info = mnl_nlmsg_get_payload(header);
    struct about about = {"", "", ""};

    if (mnl_nlmsg_get_payload_len(header) < sizeof *info)
        return;
    mnl_attr_parse(header, sizeof *info, on_about, &about);
    if (is_usable(options, info, &about))
        links_insert(links, (unsigned)info->ifi_index, about.name);
}

static int on_flags(const struct nlattr *attribute, void *data)
{
    uint32_t *flags = data;

    if (mnl_attr_get_type(attribute) == IFA_FLAGS &&
        mnl_attr_validate(attribute, MNL_TYPE_U32) == 0)
        *flags = mnl_attr_get_u32(attribute);
    return MNL_CB_OK;
}

static void take_address(struct links *links, const struct nlmsghdr *header)
{
    const struct ifaddrmsg *info = mnl_nlmsg_get_payload(header);
    struct link *link;
    uint32_t flags;

    if (mnl_nlmsg_get_payload_len(header) < sizeof *info)
        return;
    link = (struct link *)(uintptr_t)links_find(links, info->ifa_index);
    if (link == NULL)
        return;
    flags = info->ifa_flags;
    mnl_attr_parse(header, sizeof *info, on_flags, &flags);
    if (info->ifa_family == AF_INET)
        link->ipv4 = true;
    /* Until it is known to be no duplicate nothing can be sent from it (RFC 4862 section 5.4). */
    else if (info->ifa_family == AF_INET6 && !(flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)))
        link->ipv6 |= info->ifa_scope == RT_SCOPE_LINK || info->ifa_scope == RT_SCOPE_HOST;
}

void links_take(struct links *links, const struct options *options, const struct nlmsghdr *header)
{
    if (header->nlmsg_type == RTM_NEWLINK)
        take_link(links, options, header);
    else if (header->nlmsg_type == RTM_NEWADDR)
        take_address(links, header);
}

struct taking {
    struct links *links;
    const struct options *options;
};

static int on_message(const struct nlmsghdr *header, void *data)
{
    struct taking *taking = data;

    links_take(taking->links, taking->options, header);
    return MNL_CB_OK;
}

/* Both kinds of question begin with the family, and with zeros otherwise. */
static int dump(struct mnl_socket *socket, uint16_t type, struct taking *taking)
{
    static unsigned sequence;
    char buffer[DUMP_BYTES];
    struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
    int rc = MNL_CB_OK;

    header->nlmsg_type = type;
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    header->nlmsg_seq = ++sequence;
    mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
    if (mnl_socket_sendto(socket, header, header->nlmsg_len) < 0)
        return -errno;
    while (rc > MNL_CB_STOP) {
        ssize_t n = mnl_socket_recvfrom(socket, buffer, sizeof buffer);

        if (n < 0)
            return -errno;
        rc = mnl_cb_run(buffer, (size_t)n, sequence, mnl_socket_get_portid(socket), on_message,
                        taking);
    }
    return rc < 0 ? -errno : 0;
}

static int list(struct mnl_socket *socket, struct taking *taking)
{
    int rc;

    if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
        return -errno;
    rc = dump(socket, RTM_GETLINK, taking);
    return rc < 0 ? rc : dump(socket, RTM_GETADDR, taking);
}

/* Leaves those that have an address. */
static void keep_usable(struct links *links)
{
    size_t kept = 0;

    for (size_t i = 0; i < links->count; i++)
        if (links->items[i].ipv4 || links->items[i].ipv6)
            links->items[kept++] = links->items[i];
    links->count = kept;
}

int links_list(struct links *links, const struct options *options, struct error *err)
{
    struct taking taking = {.links = links, .options = options};
    struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    int rc;

    links->count = 0;
    rc = socket == NULL ? -errno : list(socket, &taking);
    if (socket != NULL)
        mnl_socket_close(socket);
    if (rc < 0)
        error_set(err, "netlink", "cannot list the host's links: %s", strerror(-rc));
    keep_usable(links);
    return rc;
}

bool links_equal(const struct links *a, const struct links *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const struct link *x = &a->items[i], *y = &b->items[i];

        if (x->index != y->index || x->ipv4 != y->ipv4 || x->ipv6 != y->ipv6)
            return false;
    }
    return true;
}

const struct link *links_find(const struct links *links, unsigned index)
{
    for (size_t i = 0; i < links->count; i++)
        if (links->items[i].index == index)
            return &links->items[i];
    return NULL;
}
