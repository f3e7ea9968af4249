/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "signal-tox/options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "protocol/json.h"

struct default_node {
    const char *address;
    uint16_t udp_port;
    uint16_t tcp_ports[NODE_TCP_PORTS];
    const char *public_key;
};

/* Made from nodes.json. */
static const struct default_node default_nodes[] = {
#define NODE(address, udp_port, public_key, ...) {address, udp_port, {__VA_ARGS__}, public_key},
#include "signal-tox/nodes.inc"
#undef NODE
};

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

int hex_read(const char *text, uint8_t *out, size_t bytes)
{
    if (strlen(text) != 2 * bytes)
        return -EINVAL;
    for (size_t i = 0; i < bytes; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

        if (high < 0 || low < 0)
            return -EINVAL;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return 0;
}

void hex_write(const uint8_t *bytes, size_t length, char *out)
{
    for (size_t i = 0; i < length; i++)
        snprintf(out + 2 * i, 3, "%02X", bytes[i]);
}

static void use_default_nodes(struct options *options)
{
    options->node_count = 0;
    for (size_t i = 0; i < sizeof default_nodes / sizeof default_nodes[0]; i++) {
        struct node *node = &options->nodes[options->node_count];
        const struct default_node *from = &default_nodes[i];

        if (options->node_count == NODES_MAX || hex_read(from->public_key, node->public_key, 32) < 0)
            continue;
        snprintf(node->address, sizeof node->address, "%s", from->address);
        node->udp_port = from->udp_port;
        node->tcp_port_count = 0;
        for (size_t k = 0; k < NODE_TCP_PORTS && from->tcp_ports[k] != 0; k++)
            node->tcp_ports[node->tcp_port_count++] = from->tcp_ports[k];
        options->node_count++;
    }
}

static int read_boolean(const struct json_at *at, const char *key, bool *out, struct error *err)
{
    struct json_at member;

    return json_member(at, key, &member) ? json_as_boolean(&member, out, err) : 0;
}

static int read_address(struct node *node, const struct json_at *at, struct error *err)
{
    struct json_at member;
    struct endpoint endpoint;
    const char *text;

    if (json_require(at, "address", &member, err) < 0 || json_as_string(&member, &text, err) < 0)
        return -EINVAL;
    if (endpoint_set(&endpoint, text, 0) < 0)
        return json_fail(&member, err, "bad-address",
                         "'%.80s' is no numeric IP address, such as 203.0.113.1; host names are not "
                         "looked up here",
                         text);
    snprintf(node->address, sizeof node->address, "%s", endpoint.address);
    return 0;
}

static int read_ports(struct node *node, const struct json_at *at, struct error *err)
{
    struct json_at member;
    int64_t port;
    size_t count;

    if (json_member(at, "udp_port", &member)) {
        if (json_as_integer(&member, 1, 65535, &port, err) < 0)
            return -EINVAL;
        node->udp_port = (uint16_t)port;
    }
    if (json_member(at, "tcp_ports", &member)) {
        if (json_as_array(&member, NODE_TCP_PORTS, &count, err) < 0)
            return -EINVAL;
        for (size_t i = 0; i < count; i++) {
            struct json_at item = json_item(&member, i);

            if (json_as_integer(&item, 1, 65535, &port, err) < 0)
                return -EINVAL;
            node->tcp_ports[node->tcp_port_count++] = (uint16_t)port;
        }
    }
    if (node->udp_port == 0 && node->tcp_port_count == 0)
        return json_fail(at, err, "missing-field", "a udp_port or tcp_ports are needed");
    return 0;
}

static int read_node(struct node *node, const struct json_at *at, struct error *err)
{
    static const char *const known[] = {"address", "udp_port", "tcp_ports", "public_key", NULL};
    struct json_at member;
    const char *text;

    memset(node, 0, sizeof *node);
    if (json_as_object(at, known, err) < 0 || read_address(node, at, err) < 0 ||
        read_ports(node, at, err) < 0 || json_require(at, "public_key", &member, err) < 0 ||
        json_as_string(&member, &text, err) < 0)
        return -EINVAL;
    if (hex_read(text, node->public_key, sizeof node->public_key) < 0)
        return json_fail(&member, err, "bad-key", "64 hex digits are right");
    return 0;
}

static int read_nodes(struct options *options, const struct json_at *at, struct error *err)
{
    size_t count;

    if (json_as_array(at, NODES_MAX, &count, err) < 0)
        return -EINVAL;
    for (size_t i = 0; i < count; i++) {
        struct json_at item = json_item(at, i);

        if (read_node(&options->nodes[i], &item, err) < 0)
            return -EINVAL;
    }
    options->node_count = count;
    return 0;
}

static int read_all(struct options *options, const struct json_at *at, struct error *err)
{
    static const char *const known[] = {"udp", "ipv6", "lan_discovery", "bootstrap", NULL};
    struct json_at member;

    if (json_as_object(at, known, err) < 0 || read_boolean(at, "udp", &options->udp, err) < 0 ||
        read_boolean(at, "ipv6", &options->ipv6, err) < 0 ||
        read_boolean(at, "lan_discovery", &options->lan_discovery, err) < 0)
        return -EINVAL;
    return json_member(at, "bootstrap", &member) ? read_nodes(options, &member, err) : 0;
}

int options_read(struct options *options, const char *text, struct error *err)
{
    struct json *document;
    struct json_at root;
    int rc;

    memset(options, 0, sizeof *options);
    options->udp = options->ipv6 = true;
    use_default_nodes(options);
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
