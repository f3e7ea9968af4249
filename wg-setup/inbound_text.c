/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What peers may begin as nftables' text: pure.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wg-setup/inbound.h"

#define CHAIN_PREFIX "from_"
#define TABLE        "inet punchguard-inbound_%s"

bool inbound_restricts(const struct grant *grant)
{
    return grant != NULL && grant->inbound.kind != INBOUND_ALL;
}

static int strictness(const struct grant *grant)
{
    return grant ? (int)grant->inbound.kind : (int)INBOUND_ALL;
}

static int compare(const void *left, const void *right)
{
    const struct inbound_claim *a = left, *b = right;
    int order = a->prefix.family - b->prefix.family;

    if (order == 0)
        order = b->prefix.length - a->prefix.length;
    if (order == 0)
        order = memcmp(a->prefix.address, b->prefix.address, sizeof a->prefix.address);
    if (order == 0)
        order = strictness(b->grant) - strictness(a->grant);
    /* So that the text does not depend on the order of what is alike. */
    if (order == 0 && inbound_restricts(a->grant))
        order = strcmp(a->grant->peer, b->grant->peer);
    return order;
}

void inbound_sort(struct inbound_claim *claims, size_t count)
{
    if (count > 0)
        qsort(claims, count, sizeof *claims, compare);
}

/* Of those with the same prefix the first judges. */
static bool is_double(const struct inbound_claim *claims, size_t i)
{
    return i > 0 && prefix_equal(&claims[i - 1].prefix, &claims[i].prefix);
}

static bool is_host(const struct prefix *prefix)
{
    return prefix->length == (prefix->family == AF_INET ? 32 : 128);
}

static void write_verdict(FILE *out, const struct grant *grant)
{
    if (inbound_restricts(grant))
        fprintf(out, "goto " CHAIN_PREFIX "%s", grant->peer);
    else
        fputs("accept", out);
}

/* Chains */

/* No anonymous set, which is empty for a moment when its rule is replaced: a rule for each. */
static void write_item(FILE *out, const char *interface, const struct grant *grant,
                       const struct inbound_item *item)
{
    static const char *const icmp[] = {"icmp type echo-request", "icmpv6 type echo-request"};
    const char *name = item->protocol == INBOUND_TCP ? "tcp" : "udp";

    for (size_t i = 0; item->protocol == INBOUND_ICMP && i < sizeof icmp / sizeof icmp[0]; i++)
        fprintf(out, "add rule " TABLE " " CHAIN_PREFIX "%s %s accept\n", interface, grant->peer,
                icmp[i]);
    if (item->protocol != INBOUND_ICMP)
        fprintf(out, "add rule " TABLE " " CHAIN_PREFIX "%s %s dport %u-%u accept\n", interface,
                grant->peer, name, (unsigned)item->first, (unsigned)item->last);
}

static void write_chain(FILE *out, const char *interface, const char *name, const char *hook)
{
    fprintf(out, "add chain " TABLE " %s", interface, name);
    if (hook != NULL)
        fprintf(out, " { type filter hook %s priority filter; policy accept; }", hook);
    fprintf(out, "\nflush chain " TABLE " %s\n", interface, name);
}

static void write_peer(FILE *out, const char *interface, const struct grant *grant)
{
    char name[PEER_NAME_MAX + sizeof CHAIN_PREFIX];

    snprintf(name, sizeof name, CHAIN_PREFIX "%s", grant->peer);
    write_chain(out, interface, name, NULL);
    for (size_t i = 0; i < grant->inbound.count; i++)
        write_item(out, interface, grant, &grant->inbound.items[i]);
    fprintf(out, "add rule " TABLE " %s drop\n", interface, name);
}

static bool is_first_of_its_peer(const struct inbound_claim *claims, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (claims[k].grant == claims[i].grant)
            return false;
    return true;
}

/* Judging */

/* Single hosts, as most peers are, by a hash; the longest prefix there is. */
static void write_hosts(FILE *out, const char *interface, const struct inbound_claim *claims,
                        size_t count, int family)
{
    const char *name = family == AF_INET ? "hosts" : "hosts6";
    char text[PREFIX_TEXT_SIZE];
    bool any = false;

    fprintf(out, "add map " TABLE " %s { type %s : verdict; }\nflush map " TABLE " %s\n", interface,
            name, family == AF_INET ? "ipv4_addr" : "ipv6_addr", interface, name);
    for (size_t i = 0; i < count; i++) {
        if (claims[i].prefix.family != family || !is_host(&claims[i].prefix) ||
            is_double(claims, i))
            continue;
        if (!any)
            fprintf(out, "add element " TABLE " %s { ", interface, name);
        prefix_format(&claims[i].prefix, text);
        text[strcspn(text, "/")] = '\0';
        fprintf(out, "%s%s : ", any ? ", " : "", text);
        write_verdict(out, claims[i].grant);
        any = true;
    }
    if (any)
        fputs(" }\n", out);
}

/* The longest first, as WireGuard looks them up. */
static void write_networks(FILE *out, const char *interface, const struct inbound_claim *claims,
                           size_t count)
{
    char text[PREFIX_TEXT_SIZE];

    for (size_t i = 0; i < count; i++) {
        bool ipv4 = claims[i].prefix.family == AF_INET;

        if (is_host(&claims[i].prefix) || is_double(claims, i))
            continue;
        fprintf(out, "add rule " TABLE " judge ", interface);
        prefix_format(&claims[i].prefix, text);
        if (claims[i].prefix.length == 0)
            fprintf(out, "meta nfproto %s ", ipv4 ? "ipv4" : "ipv6");
        else
            fprintf(out, "%s saddr %s ", ipv4 ? "ip" : "ip6", text);
        write_verdict(out, claims[i].grant);
        fputc('\n', out);
    }
}

/* What is there already is added once more without harm, so that one transaction leads from any
 * state to the wanted one; chains go last, when nothing leads there any more. */
void inbound_write(FILE *out, const char *interface, const struct inbound_claim *claims,
                   size_t count, char *const *stale, size_t stale_count)
{
    static const char *const hooks[] = {"input", "forward"};

    fprintf(out, "add table " TABLE "\n", interface);
    for (size_t i = 0; i < count; i++)
        if (inbound_restricts(claims[i].grant) && is_first_of_its_peer(claims, i))
            write_peer(out, interface, claims[i].grant);
    write_hosts(out, interface, claims, count, AF_INET);
    write_hosts(out, interface, claims, count, AF_INET6);
    write_chain(out, interface, "judge", NULL);
    fprintf(out,
            "add rule " TABLE " judge ct state established,related accept\n"
            "add rule " TABLE " judge ip saddr vmap @hosts\n"
            "add rule " TABLE " judge ip6 saddr vmap @hosts6\n",
            interface, interface, interface);
    write_networks(out, interface, claims, count);
    for (size_t i = 0; i < sizeof hooks / sizeof hooks[0]; i++) {
        write_chain(out, interface, hooks[i], hooks[i]);
        fprintf(out, "add rule " TABLE " %s iifname \"%s\" jump judge\n", interface, hooks[i],
                interface);
    }
    for (size_t i = 0; i < stale_count; i++)
        fprintf(out, "flush chain " TABLE " %s\ndelete chain " TABLE " %s\n", interface, stale[i],
                interface, stale[i]);
}

/* Reading */

/* Its name, NULL for one that is no peer's or not ours. */
static const char *peer_chain(const struct json_at *item, const char *table)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./";
    struct json_at chain, member;
    const char *text;

    if (json_as_object(item, NULL, NULL) < 0 || !json_member(item, "chain", &chain) ||
        json_as_object(&chain, NULL, NULL) < 0)
        return NULL;
    if (!json_member(&chain, "table", &member) || json_as_string(&member, &text, NULL) < 0 ||
        strcmp(text, table) != 0)
        return NULL;
    if (!json_member(&chain, "name", &member) || json_as_string(&member, &text, NULL) < 0)
        return NULL;
    /* A peer's name has no others but '/', which is for who has none yet, and this goes into a text
     * again. */
    return strncmp(text, CHAIN_PREFIX, strlen(CHAIN_PREFIX)) == 0 &&
                   strspn(text, letters) == strlen(text)
               ? text
               : NULL;
}

static char **collect_chains(const struct json_at *list, size_t count, const char *table)
{
    char **chains = calloc(count + 1, sizeof *chains);
    size_t found = 0;

    for (size_t i = 0; chains != NULL && i < count; i++) {
        struct json_at item = json_item(list, i);
        const char *name = peer_chain(&item, table);

        if (name != NULL && (chains[found++] = strdup(name)) == NULL) {
            inbound_chains_free(chains);
            return NULL;
        }
    }
    return chains;
}

char **inbound_chains_parse(const char *json, size_t length, const char *interface,
                            struct error *err)
{
    struct json *document = json_parse(json, length, err);
    char table[INTERFACE_NAME_SIZE + 32], **chains = NULL;
    struct json_at root, list;
    size_t count;

    if (document == NULL)
        return NULL;
    snprintf(table, sizeof table, "punchguard-inbound_%s", interface);
    root = json_root(document);
    if (json_as_object(&root, NULL, err) == 0 && json_require(&root, "nftables", &list, err) == 0 &&
        json_as_array(&list, SIZE_MAX, &count, err) == 0) {
        chains = collect_chains(&list, count, table);
        if (chains == NULL)
            error_set(err, "no-memory", "out of memory");
    }
    json_destroy(document);
    return chains;
}

void inbound_chains_free(char **chains)
{
    for (size_t i = 0; chains != NULL && chains[i] != NULL; i++)
        free(chains[i]);
    free(chains);
}
