/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The redirect as nftables' text, and back from its JSON: pure.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/json.h"
#include "wg-setup/redirect.h"

/* Writing. What is there already is added once more without harm; then all but `learned` is emptied
 * and filled anew, so that one transaction leads from any state to the wanted one. */

enum value { VALUE_ADDRESS, VALUE_PORT, VALUE_BOTH };

static const char *address_type(int family)
{
    return family == AF_INET ? "ipv4_addr" : "ipv6_addr";
}

static void write_value(FILE *out, const struct endpoint *base, enum value value)
{
    if (value != VALUE_PORT)
        fputs(base->address, out);
    if (value == VALUE_BOTH)
        fputs(" . ", out);
    if (value != VALUE_ADDRESS)
        fprintf(out, "%u", (unsigned)base->port);
}

static void write_elements(FILE *out, const struct redirect_rules *rules, const char *name,
                           int family, enum value value)
{
    bool any = false;

    for (size_t i = 0; i < rules->pair_count; i++) {
        const struct redirect_pair *pair = &rules->pairs[i];

        if (endpoint_family(&pair->remote) != family || (value == VALUE_ADDRESS && pair->away))
            continue;
        if (!any)
            fprintf(out, "add element inet punchguard_%s %s { ", rules->interface, name);
        fprintf(out, "%s%s . %u : ", any ? ", " : "", pair->remote.address,
                (unsigned)pair->remote.port);
        write_value(out, &pair->base, value);
        any = true;
    }
    if (any)
        fputs(" }\n", out);
}

/* A map from a remote's address and port to what of the base is wanted. */
static void write_map(FILE *out, const struct redirect_rules *rules, const char *name, int family,
                      enum value value)
{
    const char *type = address_type(family);

    fprintf(out, "add map inet punchguard_%s %s { type %s . inet_service : %s%s%s; }\n",
            rules->interface, name, type, value == VALUE_PORT ? "" : type,
            value == VALUE_BOTH ? " . " : "", value == VALUE_ADDRESS ? "" : "inet_service");
    fprintf(out, "flush map inet punchguard_%s %s\n", rules->interface, name);
    write_elements(out, rules, name, family, value);
}

static void write_ports(FILE *out, const struct redirect_rules *rules)
{
    fprintf(out,
            "add set inet punchguard_%s ice { type inet_service; }\n"
            "flush set inet punchguard_%s ice\n",
            rules->interface, rules->interface);
    if (rules->port_count == 0)
        return;
    fprintf(out, "add element inet punchguard_%s ice { ", rules->interface);
    for (size_t i = 0; i < rules->port_count; i++)
        fprintf(out, "%s%u", i ? ", " : "", (unsigned)rules->ports[i]);
    fputs(" }\n", out);
}

/* Whoever sends from its own pair's end to ours. */
static void write_senders(FILE *out, const struct redirect_rules *rules, const char *name,
                          int family)
{
    const char *type = address_type(family);

    fprintf(out,
            "add set inet punchguard_%s %s { type %s . inet_service . %s . inet_service; }\n"
            "flush set inet punchguard_%s %s\n",
            rules->interface, name, type, type, rules->interface, name);
    for (size_t i = 0; i < rules->pair_count; i++) {
        const struct redirect_pair *pair = &rules->pairs[i];

        if (endpoint_family(&pair->remote) == family && !pair->away)
            fprintf(out, "add element inet punchguard_%s %s { %s . %u . %s . %u }\n",
                    rules->interface, name, pair->remote.address, (unsigned)pair->remote.port,
                    pair->base.address, (unsigned)pair->base.port);
    }
}

/* WireGuard's four message types, little-endian with three zero bytes behind: no STUN message
 * begins so, for its length and magic cookie stand elsewhere (RFC 8489 section 5), nor does a
 * probe. Without an anonymous set: the kernel takes a transaction's rules in a moment before its
 * set elements, and what comes in between would find the set empty (seen with Debian's 6.1: one
 * packet lost at each change). */
#define IS_WIREGUARD "udp dport @ice @th,64,32 & 0xf8ffffff == 0x00000000 @th,64,8 1-4"

/* `hook` NULL: a chain that is jumped to. */
static void write_chain(FILE *out, const char *interface, const char *chain, const char *hook)
{
    fprintf(out, "add chain inet punchguard_%s %s", interface, chain);
    if (hook != NULL)
        fprintf(out, " { type %s; policy accept; }", hook);
    fprintf(out, "\nflush chain inet punchguard_%s %s\n", interface, chain);
}

static void write_rules(FILE *out, const char *interface, const char *chain,
                        const char *const *rules, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fprintf(out, "add rule inet punchguard_%s %s %s\n", interface, chain, rules[i]);
}

/* All that the host gets passes the first chain, and what may be WireGuard's goes on to the second.
 * Most of that is from known senders, to an address that is this host's: it needs no learning,
 * which would be an update with every packet, and no look at the routing tables. */
static void write_ingress(FILE *out, const struct redirect_rules *rules)
{
    char hook[64], jump[128], known[128], known6[128], redirect[64];
    const char *const jumps[] = {jump};
    const char *const statements[] = {
        known,
        known6,
        "fib daddr type != local return",
        "update @learned { ip saddr . udp sport : udp dport }",
        redirect,
    };
    unsigned port = rules->listen_port;

    snprintf(hook, sizeof hook, "filter hook prerouting priority %d", REDIRECT_INGRESS_PRIORITY);
    snprintf(jump, sizeof jump, IS_WIREGUARD " iifname != \"%s\" jump arrived", rules->interface);
    snprintf(known, sizeof known,
             "ip saddr . udp sport . ip daddr . udp dport @senders udp dport set %u accept", port);
    snprintf(known6, sizeof known6,
             "ip6 saddr . udp sport . ip6 daddr . udp dport @senders6 udp dport set %u accept",
             port);
    snprintf(redirect, sizeof redirect, "udp dport set %u", port);
    write_chain(out, rules->interface, "arrived", NULL);
    write_chain(out, rules->interface, "ingress", hook);
    write_rules(out, rules->interface, "arrived", statements,
                sizeof statements / sizeof statements[0]);
    write_rules(out, rules->interface, "ingress", jumps, 1);
}

/* All that the host sends passes the first chain, and WireGuard's own goes on to the second. */
static void write_egress(FILE *out, const struct redirect_rules *rules)
{
    static const char *const statements[] = {
        "ip saddr set ip daddr . udp dport map @source",
        "ip6 saddr set ip6 daddr . udp dport map @source6",
        "udp sport set ip daddr . udp dport map @egress accept",
        "udp sport set ip6 daddr . udp dport map @egress6 accept",
        "udp sport set ip daddr . udp dport map @learned",
    };
    char hook[64], jump[64];
    const char *const jumps[] = {jump};

    snprintf(hook, sizeof hook, "route hook output priority %d", REDIRECT_EGRESS_PRIORITY);
    snprintf(jump, sizeof jump, "udp sport %u jump wireguard", (unsigned)rules->listen_port);
    write_chain(out, rules->interface, "wireguard", NULL);
    write_chain(out, rules->interface, "egress", hook);
    write_rules(out, rules->interface, "wireguard", statements,
                sizeof statements / sizeof statements[0]);
    write_rules(out, rules->interface, "egress", jumps, 1);
}

void redirect_write(FILE *out, const struct redirect_rules *rules)
{
    fprintf(out, "add table inet punchguard_%s\n", rules->interface);
    write_ports(out, rules);
    write_senders(out, rules, "senders", AF_INET);
    write_senders(out, rules, "senders6", AF_INET6);
    fprintf(out,
            "add map inet punchguard_%s learned { type ipv4_addr . inet_service : inet_service; "
            "flags dynamic,timeout; timeout %ds; size %d; }\n",
            rules->interface, REDIRECT_LEARNED_S, REDIRECT_LEARNED_MAX);
    write_map(out, rules, "source", AF_INET, VALUE_ADDRESS);
    write_map(out, rules, "egress", AF_INET, VALUE_PORT);
    write_map(out, rules, "source6", AF_INET6, VALUE_ADDRESS);
    write_map(out, rules, "egress6", AF_INET6, VALUE_PORT);
    /* No rule looks here: the pairs as they are, for whoever takes the table over. */
    write_map(out, rules, "pairs", AF_INET, VALUE_BOTH);
    write_map(out, rules, "pairs6", AF_INET6, VALUE_BOTH);
    write_ingress(out, rules);
    write_egress(out, rules);
}

/* Reading */

static int read_port(const struct json_at *at, uint16_t *port, struct error *err)
{
    int64_t number;

    if (json_as_integer(at, 1, 65535, &number, err) < 0)
        return -EBADMSG;
    *port = (uint16_t)number;
    return 0;
}

/* {"concat": [ADDRESS, PORT]} */
static int read_endpoint(const struct json_at *at, struct endpoint *endpoint, struct error *err)
{
    struct json_at concat, item;
    const char *address;
    uint16_t port;
    size_t count;

    if (json_as_object(at, NULL, err) < 0 || json_require(at, "concat", &concat, err) < 0 ||
        json_as_array(&concat, 2, &count, err) < 0)
        return -EBADMSG;
    if (count != 2) {
        json_fail(&concat, err, "nftables", "is no address with a port");
        return -EBADMSG;
    }
    item = json_item(&concat, 0);
    if (json_as_string(&item, &address, err) < 0)
        return -EBADMSG;
    item = json_item(&concat, 1);
    if (read_port(&item, &port, err) < 0)
        return -EBADMSG;
    if (endpoint_set(endpoint, address, port) < 0) {
        json_fail(&concat, err, "nftables", "is no address with a port");
        return -EBADMSG;
    }
    return 0;
}

/* A key, perhaps with what is said about the element: {"elem": {"val": KEY, "expires": …}}. */
static int read_key(const struct json_at *at, struct endpoint *endpoint, struct error *err)
{
    struct json_at element, value;

    if (json_as_object(at, NULL, err) < 0)
        return -EBADMSG;
    if (!json_member(at, "elem", &element))
        return read_endpoint(at, endpoint, err);
    if (json_as_object(&element, NULL, err) < 0 || json_require(&element, "val", &value, err) < 0)
        return -EBADMSG;
    return read_endpoint(&value, endpoint, err);
}

/* [KEY, VALUE]; the value of `learned` is the port alone. */
static int read_pair(const struct json_at *at, bool port_alone, struct redirect_pair *pair,
                     struct error *err)
{
    struct json_at key, value;
    size_t count;

    if (json_as_array(at, 2, &count, err) < 0)
        return -EBADMSG;
    if (count != 2) {
        json_fail(at, err, "nftables", "is no element of a map");
        return -EBADMSG;
    }
    key = json_item(at, 0);
    value = json_item(at, 1);
    if (read_key(&key, &pair->remote, err) < 0)
        return -EBADMSG;
    if (port_alone)
        return read_port(&value, &pair->base.port, err);
    if (read_endpoint(&value, &pair->base, err) < 0)
        return -EBADMSG;
    if (endpoint_family(&pair->base) == endpoint_family(&pair->remote))
        return 0;
    json_fail(at, err, "nftables", "has addresses of two families");
    return -EBADMSG;
}

/* More is not ours. */
#define ELEMENTS_MAX 65536

static int read_pairs(const struct json_at *elements, bool port_alone, struct redirect_pair **pairs,
                      size_t *pair_count, struct error *err)
{
    struct redirect_pair *more;
    size_t count;

    if (json_as_array(elements, ELEMENTS_MAX, &count, err) < 0)
        return -EBADMSG;
    more = realloc(*pairs, (*pair_count + count + 1) * sizeof *more);
    if (more == NULL)
        return -ENOMEM;
    *pairs = more;
    memset(more + *pair_count, 0, count * sizeof *more);
    for (size_t i = 0; i < count; i++) {
        struct json_at item = json_item(elements, i);

        if (read_pair(&item, port_alone, &more[*pair_count], err) < 0)
            return -EBADMSG;
        ++*pair_count;
    }
    return 0;
}

static int read_ports(const struct json_at *elements, struct redirect_standing *standing,
                      struct error *err)
{
    size_t count;

    if (json_as_array(elements, ELEMENTS_MAX, &count, err) < 0 || standing->ports != NULL)
        return -EBADMSG;
    standing->ports = calloc(count + 1, sizeof *standing->ports);
    if (standing->ports == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        struct json_at item = json_item(elements, i);

        if (read_port(&item, &standing->ports[i], err) < 0)
            return -EBADMSG;
        standing->port_count++;
    }
    return 0;
}

/* {"set": {"name": …, "elem": […]}} or {"map": …}; without elements there is no "elem". */
static int read_object(const struct json_at *at, struct redirect_standing *standing,
                       struct error *err)
{
    struct json_at object, name, elements;
    const char *text;

    if (json_as_object(at, NULL, err) < 0)
        return -EBADMSG;
    if (!json_member(at, "set", &object) && !json_member(at, "map", &object))
        return 0;
    if (json_as_object(&object, NULL, err) < 0 || json_require(&object, "name", &name, err) < 0 ||
        json_as_string(&name, &text, err) < 0)
        return -EBADMSG;
    if (!json_member(&object, "elem", &elements))
        return 0;
    if (strcmp(text, "ice") == 0)
        return read_ports(&elements, standing, err);
    if (strcmp(text, "pairs") == 0 || strcmp(text, "pairs6") == 0)
        return read_pairs(&elements, false, &standing->pairs, &standing->pair_count, err);
    if (strcmp(text, "learned") == 0)
        return read_pairs(&elements, true, &standing->learned, &standing->learned_count, err);
    return 0;
}

static int read_listing(const struct json_at *root, struct redirect_standing *standing,
                        struct error *err)
{
    struct json_at list;
    size_t count;
    int rc = 0;

    if (json_as_object(root, NULL, err) < 0 || json_require(root, "nftables", &list, err) < 0 ||
        json_as_array(&list, ELEMENTS_MAX, &count, err) < 0)
        return -EBADMSG;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct json_at item = json_item(&list, i);

        rc = read_object(&item, standing, err);
    }
    return rc;
}

int redirect_parse(const char *json, size_t length, struct redirect_standing *standing,
                   struct error *err)
{
    struct json *document = json_parse(json, length, err);
    struct json_at root;
    int rc;

    if (document == NULL)
        return -EBADMSG;
    root = json_root(document);
    rc = read_listing(&root, standing, err);
    json_destroy(document);
    return rc;
}

void redirect_standing_clear(struct redirect_standing *standing)
{
    free(standing->ports);
    free(standing->pairs);
    free(standing->learned);
    memset(standing, 0, sizeof *standing);
}
