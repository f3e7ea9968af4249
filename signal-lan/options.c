/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "signal-lan/options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "protocol/json.h"

/* Of the 239.0.0.0/8 that RFC 2365 keeps for such use. */
static bool is_local_group4(const struct in_addr *group)
{
    return ntohl(group->s_addr) >> 24 == 239;
}

static int read_group(struct options *options, const struct json_at *at, struct error *err)
{
    struct in6_addr group6;
    struct in_addr group4;
    const char *text;
    bool *taken;

    if (json_as_string(at, &text, err) < 0)
        return -EINVAL;
    if (inet_pton(AF_INET, text, &group4) == 1 && is_local_group4(&group4)) {
        options->group4 = group4;
        taken = &options->ipv4;
    } else if (inet_pton(AF_INET6, text, &group6) == 1 && IN6_IS_ADDR_MC_LINKLOCAL(&group6)) {
        options->group6 = group6;
        taken = &options->ipv6;
    } else {
        return json_fail(at, err, "bad-group",
                         "'%.80s' is no group for a link; one of 239.0.0.0/8 (RFC 2365), such as "
                         "%s, or of IPv6's link-local scope, such as %s, is right",
                         text, OPTIONS_GROUP_IPV4, OPTIONS_GROUP_IPV6);
    }
    if (*taken)
        return json_fail(at, err, "bad-group", "a second group of the same family; one is right");
    *taken = true;
    return 0;
}

static int read_groups(struct options *options, const struct json_at *at, struct error *err)
{
    size_t count;

    if (json_as_array(at, 2, &count, err) < 0)
        return -EINVAL;
    options->ipv4 = options->ipv6 = false;
    for (size_t i = 0; i < count; i++) {
        struct json_at item = json_item(at, i);

        if (read_group(options, &item, err) < 0)
            return -EINVAL;
    }
    if (count == 0)
        return json_fail(at, err, "bad-group", "a group is needed, of IPv4, IPv6 or one of each");
    return 0;
}

static int read_interfaces(struct options *options, const struct json_at *at, struct error *err)
{
    size_t count;

    if (json_as_array(at, OPTIONS_INTERFACES_MAX, &count, err) < 0)
        return -EINVAL;
    for (size_t i = 0; i < count; i++) {
        struct json_at item = json_item(at, i);
        const char *name;

        if (json_as_string(&item, &name, err) < 0)
            return -EINVAL;
        if (name[0] == '\0' || strlen(name) >= IFNAMSIZ)
            return json_fail(&item, err, "bad-interface",
                             "'%.80s' is no interface's name; 1 to %d bytes are right", name,
                             IFNAMSIZ - 1);
        snprintf(options->interfaces[i], IFNAMSIZ, "%s", name);
    }
    options->interface_count = count;
    return 0;
}

static int read_port(const struct json_at *at, const char *key, int64_t least, uint16_t *out,
                     struct error *err)
{
    struct json_at member;
    int64_t port;

    if (!json_member(at, key, &member))
        return 0;
    if (json_as_integer(&member, least, 65535, &port, err) < 0)
        return -EINVAL;
    *out = (uint16_t)port;
    return 0;
}

static int read_all(struct options *options, const struct json_at *at, struct error *err)
{
    static const char *const known[] = {"groups", "port", "direct_port", "interfaces", NULL};
    struct json_at member;

    if (json_as_object(at, known, err) < 0 || read_port(at, "port", 1, &options->port, err) < 0 ||
        read_port(at, "direct_port", 0, &options->direct_port, err) < 0)
        return -EINVAL;
    if (options->port == options->direct_port && json_member(at, "direct_port", &member))
        return json_fail(&member, err, "bad-port",
                         "%d is the groups' port; another, or 0 for any, is right", options->port);
    if (json_member(at, "groups", &member) && read_groups(options, &member, err) < 0)
        return -EINVAL;
    return json_member(at, "interfaces", &member) ? read_interfaces(options, &member, err) : 0;
}

int options_read(struct options *options, const char *text, struct error *err)
{
    struct json *document;
    struct json_at root;
    int rc;

    memset(options, 0, sizeof *options);
    options->ipv4 = options->ipv6 = true;
    options->port = OPTIONS_PORT;
    inet_pton(AF_INET, OPTIONS_GROUP_IPV4, &options->group4);
    inet_pton(AF_INET6, OPTIONS_GROUP_IPV6, &options->group6);
    if (text == NULL)
        return 0;
    document = json_parse(text, strlen(text), err);
    if (document == NULL)
        return -EINVAL;
    root = json_root(document);
    rc = read_all(options, &root, err);
    json_destroy(document);
    return rc;
}
