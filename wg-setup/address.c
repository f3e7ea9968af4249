/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wg-setup/address.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wg-setup/rtnetlink.h"

static int fail(struct error *err, int rc, const char *what, const char *interface)
{
    error_set(err, "netlink", "interface %s: cannot %s: %s", interface, what, strerror(-rc));
    return rc;
}

int address_link_up(const char *interface, int mtu, struct error *err)
{
    char buffer[512];
    struct nlmsghdr *head = rtnetlink_begin(buffer, RTM_NEWLINK, 0);
    struct ifinfomsg *link = mnl_nlmsg_put_extra_header(head, sizeof *link);
    int rc;

    link->ifi_family = AF_UNSPEC;
    link->ifi_index = (int)if_nametoindex(interface);
    link->ifi_flags = IFF_UP;
    link->ifi_change = IFF_UP;
    mnl_attr_put_u32(head, IFLA_MTU, (uint32_t)mtu);
    rc = link->ifi_index == 0 ? -ENODEV : rtnetlink_talk(head, NULL, NULL);
    return rc < 0 ? fail(err, rc, "set the MTU and bring it up", interface) : 0;
}

static size_t address_bytes(const struct prefix *prefix)
{
    return prefix->family == AF_INET ? 4 : 16;
}

static int change_address(const char *interface, const struct prefix *address, bool add)
{
    char buffer[512];
    struct nlmsghdr *head =
        rtnetlink_begin(buffer, add ? RTM_NEWADDR : RTM_DELADDR, add ? NLM_F_CREATE | NLM_F_EXCL : 0);
    struct ifaddrmsg *m = mnl_nlmsg_put_extra_header(head, sizeof *m);

    m->ifa_family = (uint8_t)address->family;
    m->ifa_prefixlen = address->length;
    /* No duplicate address detection: nobody else is on the link, and the address is usable at once. */
    m->ifa_flags = address->family == AF_INET6 ? IFA_F_NODAD : 0;
    m->ifa_scope = RT_SCOPE_UNIVERSE;
    m->ifa_index = if_nametoindex(interface);
    mnl_attr_put(head, IFA_LOCAL, address_bytes(address), address->address);
    mnl_attr_put(head, IFA_ADDRESS, address_bytes(address), address->address);
    return m->ifa_index == 0 ? -ENODEV : rtnetlink_talk(head, NULL, NULL);
}

int address_add(const char *interface, const struct prefix *address, struct error *err)
{
    int rc = change_address(interface, address, true);

    return rc < 0 && rc != -EEXIST ? fail(err, rc, "add an address", interface) : 0;
}

static uint8_t mask_length(const uint8_t *mask, size_t bytes)
{
    uint8_t length = 0;

    for (size_t bit = 0; bit < 8 * bytes && (mask[bit / 8] & (0x80 >> bit % 8)); bit++)
        length++;
    return length;
}

/* False for what has no address that could be ours. */
static bool to_prefix(const struct ifaddrs *item, struct prefix *out)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)item->ifa_addr;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)item->ifa_addr;

    memset(out, 0, sizeof *out);
    if (item->ifa_addr == NULL || item->ifa_netmask == NULL)
        return false;
    out->family = item->ifa_addr->sa_family;
    if (out->family == AF_INET) {
        memcpy(out->address, &in->sin_addr, 4);
        in = (const struct sockaddr_in *)item->ifa_netmask;
        out->length = mask_length((const uint8_t *)&in->sin_addr, 4);
        return true;
    }
    if (out->family != AF_INET6 || IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr))
        return false;
    memcpy(out->address, &in6->sin6_addr, 16);
    in6 = (const struct sockaddr_in6 *)item->ifa_netmask;
    out->length = mask_length(in6->sin6_addr.s6_addr, 16);
    return true;
}

static bool is_among(const struct prefix *address, const struct prefix *addresses, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (prefix_equal(address, &addresses[i]))
            return true;
    return false;
}

int address_keep(const char *interface, const struct prefix *addresses, size_t count,
                 struct error *err)
{
    struct ifaddrs *list;
    struct prefix found;
    int rc = 0;

    if (getifaddrs(&list) < 0)
        return fail(err, -errno, "read the addresses", interface);
    for (struct ifaddrs *item = list; rc == 0 && item != NULL; item = item->ifa_next) {
        if (strcmp(item->ifa_name, interface) != 0 || !to_prefix(item, &found) ||
            is_among(&found, addresses, count))
            continue;
        rc = change_address(interface, &found, false);
        /* A primary address takes its secondaries with it. */
        rc = rc == -EADDRNOTAVAIL ? 0 : rc;
    }
    freeifaddrs(list);
    return rc < 0 ? fail(err, rc, "remove an address", interface) : 0;
}

int address_route(const char *interface, const struct prefix *to, uint32_t table, bool add,
                  struct error *err)
{
    char buffer[512], text[PREFIX_TEXT_SIZE], what[PREFIX_TEXT_SIZE + 32];
    struct nlmsghdr *head =
        rtnetlink_begin(buffer, add ? RTM_NEWROUTE : RTM_DELROUTE, add ? NLM_F_CREATE | NLM_F_EXCL : 0);
    struct rtmsg *m = mnl_nlmsg_put_extra_header(head, sizeof *m);
    uint32_t index = if_nametoindex(interface);
    int rc;

    m->rtm_family = (uint8_t)to->family;
    m->rtm_dst_len = to->length;
    m->rtm_table = RT_TABLE_UNSPEC;
    m->rtm_protocol = RTPROT_STATIC;
    m->rtm_scope = RT_SCOPE_LINK;
    m->rtm_type = RTN_UNICAST;
    mnl_attr_put(head, RTA_DST, address_bytes(to), to->address);
    mnl_attr_put_u32(head, RTA_OIF, index);
    mnl_attr_put_u32(head, RTA_TABLE, table);
    rc = index == 0 ? -ENODEV : rtnetlink_talk(head, NULL, NULL);
    if (rc == -EEXIST && add)
        return 0;
    if ((rc == -ESRCH || rc == -ENODEV) && !add)
        return 0;
    if (rc == 0)
        return 0;
    prefix_format(to, text);
    snprintf(what, sizeof what, "%s the route to %s", add ? "add" : "remove", text);
    return fail(err, rc, what, interface);
}

int address_link_add(const char *interface, const char *kind, struct error *err)
{
    char buffer[512];
    struct nlmsghdr *head = rtnetlink_begin(buffer, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    struct ifinfomsg *link = mnl_nlmsg_put_extra_header(head, sizeof *link);
    struct nlattr *info;
    int rc;

    link->ifi_family = AF_UNSPEC;
    mnl_attr_put_strz(head, IFLA_IFNAME, interface);
    info = mnl_attr_nest_start(head, IFLA_LINKINFO);
    mnl_attr_put_strz(head, IFLA_INFO_KIND, kind);
    mnl_attr_nest_end(head, info);
    rc = rtnetlink_talk(head, NULL, NULL);
    return rc < 0 ? fail(err, rc, "make it", interface) : 0;
}

int address_link_delete(const char *interface, struct error *err)
{
    char buffer[512];
    struct nlmsghdr *head = rtnetlink_begin(buffer, RTM_DELLINK, 0);
    struct ifinfomsg *link = mnl_nlmsg_put_extra_header(head, sizeof *link);
    int rc;

    link->ifi_family = AF_UNSPEC;
    link->ifi_index = (int)if_nametoindex(interface);
    rc = link->ifi_index == 0 ? 0 : rtnetlink_talk(head, NULL, NULL);
    return rc < 0 ? fail(err, rc, "remove it", interface) : 0;
}

static int on_info(const struct nlattr *attribute, void *data)
{
    if (mnl_attr_get_type(attribute) == IFLA_INFO_KIND)
        snprintf(data, 32, "%s", mnl_attr_get_str(attribute));
    return MNL_CB_OK;
}

static int on_attribute(const struct nlattr *attribute, void *data)
{
    if (mnl_attr_get_type(attribute) == IFLA_LINKINFO)
        mnl_attr_parse_nested(attribute, on_info, data);
    return MNL_CB_OK;
}

static int on_link(const struct nlmsghdr *head, void *data)
{
    return mnl_attr_parse(head, sizeof(struct ifinfomsg), on_attribute, data);
}

int address_link_kind(const char *interface, char out[32])
{
    char buffer[512];
    struct nlmsghdr *head = rtnetlink_begin(buffer, RTM_GETLINK, 0);
    struct ifinfomsg *link = mnl_nlmsg_put_extra_header(head, sizeof *link);

    out[0] = '\0';
    link->ifi_family = AF_UNSPEC;
    link->ifi_index = (int)if_nametoindex(interface);
    return link->ifi_index == 0 ? -ENODEV : rtnetlink_talk(head, on_link, out);
}

unsigned address_link_index(const char *interface)
{
    return if_nametoindex(interface);
}

/* An address on a link that is down, or has no carrier, leads nowhere. */
static bool usable(const struct ifaddrs *item, const char *interface)
{
    return item->ifa_addr != NULL && (item->ifa_flags & IFF_UP) &&
           (item->ifa_flags & IFF_RUNNING) && strcmp(item->ifa_name, interface) != 0;
}

static bool to_text(const struct sockaddr *address, char out[INET6_ADDRSTRLEN])
{
    struct endpoint endpoint;

    if (endpoint_from_sockaddr(&endpoint, address) < 0)
        return false;
    memcpy(out, endpoint.address, INET6_ADDRSTRLEN);
    return true;
}

int address_set_read(struct address_set *set, const char *interface)
{
    struct ifaddrs *list;
    size_t size = 0;

    memset(set, 0, sizeof *set);
    if (getifaddrs(&list) < 0)
        return -errno;
    for (struct ifaddrs *item = list; item != NULL; item = item->ifa_next)
        size++;
    set->items = calloc(size + 1, sizeof *set->items);
    for (struct ifaddrs *item = list; item != NULL && set->items != NULL; item = item->ifa_next)
        if (usable(item, interface) && to_text(item->ifa_addr, set->items[set->count]))
            set->count++;
    freeifaddrs(list);
    return set->items ? 0 : -ENOMEM;
}

bool address_set_has(const struct address_set *set, const char *address)
{
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->items[i], address) == 0)
            return true;
    return false;
}

void address_set_clear(struct address_set *set)
{
    free(set->items);
    memset(set, 0, sizeof *set);
}
