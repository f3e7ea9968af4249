/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wg-setup/rules.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "wg-setup/rtnetlink.h"

enum rule { RULE_END, RULE_MARK, RULE_USER, RULE_MAIN, RULE_TABLE, RULE_COUNT };

static uint32_t priority_of(const struct rules *rules, enum rule rule)
{
    return rules->priority + (rule == RULE_END ? RULE_COUNT - 1u : (uint32_t)rule - 1u);
}

static void put_action(struct nlmsghdr *head, struct fib_rule_hdr *hdr, const struct rules *rules,
                       enum rule rule)
{
    struct fib_rule_uid_range range = {(uint32_t)rules->user, (uint32_t)rules->user};

    if (rule == RULE_END) {
        hdr->action = FR_ACT_NOP;
    } else if (rule == RULE_MARK || rule == RULE_USER) {
        hdr->action = FR_ACT_GOTO;
        mnl_attr_put_u32(head, FRA_GOTO, priority_of(rules, RULE_END));
        if (rule == RULE_MARK)
            mnl_attr_put_u32(head, FRA_FWMARK, RULES_MARK);
        else
            mnl_attr_put(head, FRA_UID_RANGE, sizeof range, &range);
    } else {
        hdr->action = FR_ACT_TO_TBL;
        hdr->table = rule == RULE_MAIN ? RT_TABLE_MAIN : RT_TABLE_UNSPEC;
        mnl_attr_put_u32(head, FRA_TABLE, rule == RULE_MAIN ? RT_TABLE_MAIN : rules->table);
        if (rule == RULE_MAIN)
            mnl_attr_put_u32(head, FRA_SUPPRESS_PREFIXLEN, 0);
    }
}

static int change(const struct rules *rules, int family, enum rule rule, bool add)
{
    char buffer[512];
    struct nlmsghdr *head = rtnetlink_begin(buffer, add ? RTM_NEWRULE : RTM_DELRULE,
                                            add ? NLM_F_CREATE | NLM_F_EXCL : 0);
    struct fib_rule_hdr *hdr = mnl_nlmsg_put_extra_header(head, sizeof *hdr);

    hdr->family = (uint8_t)family;
    mnl_attr_put_u32(head, FRA_PRIORITY, priority_of(rules, rule));
    if (add)
        put_action(head, hdr, rules, rule);
    return rtnetlink_talk(head, NULL, NULL);
}

static int fail(int rc, int family, const char *what, struct error *err)
{
    error_set(err, "rules", "cannot %s the %s rules for networks behind peers: %s", what,
              family == AF_INET ? "IPv4" : "IPv6", strerror(-rc));
    return rc;
}

/* The one that leads into the tunnel last. */
int rules_put(const struct rules *rules, int family, struct error *err)
{
    for (int rule = 0; rule < RULE_COUNT; rule++) {
        int rc = rule == RULE_USER && rules->user < 0 ? 0 : change(rules, family, rule, true);

        if (rc < 0 && rc != -EEXIST)
            return fail(rc, family, "add", err);
    }
    return 0;
}

/* That one first, and whatever else an earlier version or another user left in our place. */
int rules_remove(const struct rules *rules, int family, struct error *err)
{
    for (int rule = RULE_COUNT; rule-- > 0;) {
        int rc;

        do
            rc = change(rules, family, rule, false);
        while (rc == 0);
        if (rc != -ENOENT && rc != -EAFNOSUPPORT)
            return fail(rc, family, "remove", err);
    }
    return 0;
}
