/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Made-up dumps of the kernel's: which interfaces are links.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>

#include "signal-lan/links.h"

#define USABLE (IFF_UP | IFF_RUNNING | IFF_MULTICAST | IFF_BROADCAST)

static struct options options;
static struct links links;

static int setup(void **state)
{
    (void)state;
    memset(&options, 0, sizeof options);
    memset(&links, 0, sizeof links);
    return 0;
}

struct made {
    int index;
    const char *name, *kind, *port_kind;
    unsigned short type;
    unsigned flags;
};

static void see_link(const struct made *made)
{
    _Alignas(struct nlmsghdr) char buffer[1024];
    struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(header, sizeof *info);
    struct nlattr *nest;

    header->nlmsg_type = RTM_NEWLINK;
    info->ifi_index = made->index;
    info->ifi_type = made->type;
    info->ifi_flags = made->flags;
    mnl_attr_put_strz(header, IFLA_IFNAME, made->name);
    nest = mnl_attr_nest_start(header, IFLA_LINKINFO);
    if (made->kind != NULL)
        mnl_attr_put_strz(header, IFLA_INFO_KIND, made->kind);
    if (made->port_kind != NULL)
        mnl_attr_put_strz(header, IFLA_INFO_SLAVE_KIND, made->port_kind);
    mnl_attr_nest_end(header, nest);
    links_take(&links, &options, header);
}

static void see_address(unsigned index, unsigned char family, unsigned char scope, uint32_t flags)
{
    _Alignas(struct nlmsghdr) char buffer[256];
    struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
    struct ifaddrmsg *info = mnl_nlmsg_put_extra_header(header, sizeof *info);

    header->nlmsg_type = RTM_NEWADDR;
    info->ifa_family = family;
    info->ifa_index = index;
    info->ifa_scope = scope;
    mnl_attr_put_u32(header, IFA_FLAGS, flags);
    links_take(&links, &options, header);
}

static void only_ethernet_that_is_up_and_no_tunnel_is_a_link(void **state)
{
    static const struct made all[] = {
        {1, "lo", NULL, NULL, ARPHRD_LOOPBACK, IFF_UP | IFF_RUNNING | IFF_LOOPBACK},
        {2, "eth0", NULL, NULL, ARPHRD_ETHER, USABLE},
        {3, "wlan0", NULL, NULL, ARPHRD_ETHER, USABLE & ~(unsigned)IFF_RUNNING},
        {4, "down", NULL, NULL, ARPHRD_ETHER, USABLE & ~(unsigned)IFF_UP},
        {5, "pg0", "wireguard", NULL, ARPHRD_NONE, USABLE | IFF_NOARP | IFF_POINTOPOINT},
        {6, "pg1", "tun", NULL, ARPHRD_NONE, USABLE | IFF_NOARP | IFF_POINTOPOINT},
        {7, "tap0", "tun", NULL, ARPHRD_ETHER, USABLE},
        {8, "vx0", "vxlan", NULL, ARPHRD_ETHER, USABLE},
        {9, "ppp0", NULL, NULL, ARPHRD_PPP, USABLE | IFF_POINTOPOINT},
        {10, "dummy0", "dummy", NULL, ARPHRD_ETHER, USABLE | IFF_NOARP},
        {11, "port0", "veth", "bridge", ARPHRD_ETHER, USABLE},
        {12, "br0", "bridge", NULL, ARPHRD_ETHER, USABLE},
        {13, "eth1", NULL, "bond", ARPHRD_ETHER, USABLE},
        {14, "eth2", NULL, "vrf", ARPHRD_ETHER, USABLE},
    };

    (void)state;
    for (size_t i = sizeof all / sizeof all[0]; i-- > 0;)
        see_link(&all[i]);
    assert_int_equal(links.count, 3);
    assert_string_equal(links.items[0].name, "eth0");
    assert_string_equal(links.items[1].name, "br0");
    assert_string_equal(links.items[2].name, "eth2");
    assert_ptr_equal(links_find(&links, 12), &links.items[1]);
    assert_null(links_find(&links, 5));
}

static void one_that_is_asked_for_is_a_link_whatever_it_is(void **state)
{
    static const struct made up = {7, "tap0", "tun", NULL, ARPHRD_ETHER, USABLE};
    static const struct made other = {2, "eth0", NULL, NULL, ARPHRD_ETHER, USABLE};
    static const struct made down = {8, "tap1", "tun", NULL, ARPHRD_ETHER, IFF_MULTICAST};

    (void)state;
    options.interface_count = 2;
    strcpy(options.interfaces[0], "tap0");
    strcpy(options.interfaces[1], "tap1");
    see_link(&up);
    see_link(&other);
    see_link(&down);
    assert_int_equal(links.count, 1);
    assert_string_equal(links.items[0].name, "tap0");
}

static void a_link_has_the_families_it_can_send_from(void **state)
{
    struct made made = {2, "eth0", NULL, NULL, ARPHRD_ETHER, USABLE};

    (void)state;
    for (made.index = 2; made.index < 7; made.index++)
        see_link(&made);
    see_address(2, AF_INET, RT_SCOPE_UNIVERSE, IFA_F_PERMANENT);
    see_address(2, AF_INET6, RT_SCOPE_LINK, IFA_F_PERMANENT);
    see_address(3, AF_INET6, RT_SCOPE_LINK, IFA_F_TENTATIVE);
    see_address(4, AF_INET6, RT_SCOPE_LINK, IFA_F_DADFAILED);
    see_address(5, AF_INET6, RT_SCOPE_UNIVERSE, 0);
    see_address(6, AF_INET6, RT_SCOPE_UNIVERSE, 0);
    see_address(6, AF_INET6, RT_SCOPE_LINK, 0);
    see_address(99, AF_INET, RT_SCOPE_UNIVERSE, 0);
    assert_int_equal(links.count, 5);
    assert_true(links.items[0].ipv4 && links.items[0].ipv6);
    for (size_t i = 1; i < 4; i++)
        assert_false(links.items[i].ipv4 || links.items[i].ipv6);
    assert_true(links.items[4].ipv6 && !links.items[4].ipv4);
}

static void too_many_are_left_out(void **state)
{
    struct made made = {2, "eth0", NULL, NULL, ARPHRD_ETHER, USABLE};

    (void)state;
    for (made.index = LINKS_MAX + 10; made.index > 1; made.index--)
        see_link(&made);
    assert_int_equal(links.count, LINKS_MAX);
    for (size_t i = 1; i < links.count; i++)
        assert_true(links.items[i - 1].index < links.items[i].index);
}

static void a_new_address_is_a_change(void **state)
{
    struct made made = {2, "eth0", NULL, NULL, ARPHRD_ETHER, USABLE};
    struct links before;

    (void)state;
    see_link(&made);
    before = links;
    assert_true(links_equal(&before, &links));
    see_address(2, AF_INET, RT_SCOPE_UNIVERSE, 0);
    assert_false(links_equal(&before, &links));
}

/* As far as this host's own list can be asked for: what is wrong in a question is an error. */
static void the_kernel_answers(void **state)
{
    struct error err;
    int watch = links_watch(&err);

    (void)state;
    assert_true(watch >= 0);
    assert_false(links_changed(watch));
    close(watch);
    assert_int_equal(links_list(&links, &options, &err), 0);
    for (size_t i = 0; i < links.count; i++)
        assert_true(links.items[i].ipv4 || links.items[i].ipv6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(only_ethernet_that_is_up_and_no_tunnel_is_a_link, setup),
        cmocka_unit_test_setup(one_that_is_asked_for_is_a_link_whatever_it_is, setup),
        cmocka_unit_test_setup(a_link_has_the_families_it_can_send_from, setup),
        cmocka_unit_test_setup(too_many_are_left_out, setup),
        cmocka_unit_test_setup(a_new_address_is_a_change, setup),
        cmocka_unit_test_setup(the_kernel_answers, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
