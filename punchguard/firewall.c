/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "punchguard/firewall.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/json.h"

/* Nested deeper than nft(8) nests anything. */
#define DEPTH_MAX 32

struct chain {
    const char *family, *table, *name, *hook;
    bool drops;
};

static const char *member_text(const struct json_at *object, const char *key)
{
    const char *text = "";
    struct json_at at;

    if (json_member(object, key, &at))
        json_as_string(&at, &text, NULL);
    return text;
}

/* libxtables' matches (iptables-nft) are not shown in full: they count as if they did. */
static bool looks_at_states(const struct json_at *at, int depth)
{
    struct json_at member;
    const char *key;
    size_t count;

    if (depth > DEPTH_MAX)
        return true;
    if (json_as_array(at, SIZE_MAX, &count, NULL) == 0) {
        for (size_t i = 0; i < count; i++) {
            member = json_item(at, i);
            if (looks_at_states(&member, depth + 1))
                return true;
        }
        return false;
    }
    if (json_as_object(at, NULL, NULL) < 0)
        return false;
    for (size_t i = 0; (key = json_key(at, i)) != NULL; i++)
        if (strcmp(key, "ct") == 0 || strcmp(key, "xt") == 0 ||
            (json_member(at, key, &member) && looks_at_states(&member, depth + 1)))
            return true;
    return false;
}

/* A rule that drops whatever comes to it: nothing but counters and logs before. */
static bool drops_all(const struct json_at *rule)
{
    struct json_at expr;
    size_t count;

    if (!json_member(rule, "expr", &expr) || json_as_array(&expr, SIZE_MAX, &count, NULL) < 0)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct json_at statement = json_item(&expr, i);
        const char *key =
            json_as_object(&statement, NULL, NULL) == 0 ? json_key(&statement, 0) : NULL;

        if (key == NULL)
            return false;
        if (strcmp(key, "drop") == 0 || strcmp(key, "reject") == 0)
            return true;
        if (strcmp(key, "counter") != 0 && strcmp(key, "log") != 0)
            return false;
    }
    return false;
}

static bool same_chain(const struct json_at *rule, const struct chain *chain, bool name_too)
{
    return strcmp(member_text(rule, "family"), chain->family) == 0 &&
           strcmp(member_text(rule, "table"), chain->table) == 0 &&
           (!name_too || strcmp(member_text(rule, "chain"), chain->name) == 0);
}

/* Whether the chain, with all that its table has, lets no answer in. */
static bool is_dropping(const struct json_at *list, size_t count, struct chain *chain)
{
    for (size_t i = 0; i < count; i++) {
        struct json_at item = json_item(list, i), rule, expr;

        if (json_as_object(&item, NULL, NULL) < 0 || !json_member(&item, "rule", &rule) ||
            json_as_object(&rule, NULL, NULL) < 0 || !same_chain(&rule, chain, false))
            continue;
        if (json_member(&rule, "expr", &expr) && looks_at_states(&expr, 0))
            return false;
        if (same_chain(&rule, chain, true) && drops_all(&rule))
            chain->drops = true;
    }
    return chain->drops;
}

static bool read_chain(const struct json_at *item, struct chain *chain)
{
    struct json_at at;

    if (json_as_object(item, NULL, NULL) < 0 || !json_member(item, "chain", &at) ||
        json_as_object(&at, NULL, NULL) < 0)
        return false;
    chain->family = member_text(&at, "family");
    chain->table = member_text(&at, "table");
    chain->name = member_text(&at, "name");
    chain->hook = member_text(&at, "hook");
    chain->drops = strcmp(member_text(&at, "policy"), "drop") == 0;
    return strcmp(member_text(&at, "type"), "filter") == 0 &&
           (strcmp(chain->hook, "input") == 0 || strcmp(chain->hook, "output") == 0) &&
           strcmp(chain->family, "arp") != 0 && strcmp(chain->family, "bridge") != 0;
}

static int find_dropping(const struct json_at *root, char out[FIREWALL_CHAIN], const char **hook,
                         struct error *err)
{
    struct json_at list;
    size_t count;

    if (json_as_object(root, NULL, err) < 0 || json_require(root, "nftables", &list, err) < 0 ||
        json_as_array(&list, SIZE_MAX, &count, err) < 0)
        return -EINVAL;
    for (size_t i = 0; i < count; i++) {
        struct json_at item = json_item(&list, i);
        struct chain chain;

        if (!read_chain(&item, &chain) || !is_dropping(&list, count, &chain))
            continue;
        snprintf(out, FIREWALL_CHAIN, "%s %s %s", chain.family, chain.table, chain.name);
        *hook = strcmp(chain.hook, "input") == 0 ? "input" : "output";
        return 1;
    }
    return 0;
}

int firewall_find_dropping(const char *ruleset, char chain[FIREWALL_CHAIN], const char **hook,
                           struct error *err)
{
    struct json *document = json_parse(ruleset, strlen(ruleset), err);
    struct json_at root;
    int rc;

    if (document == NULL)
        return -EINVAL;
    root = json_root(document);
    rc = find_dropping(&root, chain, hook, err);
    json_destroy(document);
    return rc;
}
