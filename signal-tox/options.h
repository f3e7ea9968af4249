/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The `options` of a transport that runs signal-tox, and the public nodes used where they name none.
 */
#ifndef SIGNAL_TOX_OPTIONS_H
#define SIGNAL_TOX_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/endpoint.h"
#include "protocol/error.h"

#define NODES_MAX     64
#define NODE_TCP_PORTS 4

struct node {
    char address[INET6_ADDRSTRLEN]; /* numeric: toxcore would block on names */
    uint16_t udp_port;              /* 0: none */
    uint16_t tcp_ports[NODE_TCP_PORTS];
    size_t tcp_port_count;
    uint8_t public_key[32];
};

struct options {
    bool udp, ipv6, lan_discovery;
    struct node nodes[NODES_MAX];
    size_t node_count;
};

/* `text` is a JSON object, or NULL for the defaults. 0, or -EINVAL with `err` telling the JSON path below
 * `options`. */
int options_read(struct options *options, const char *text, struct error *err);

/* Hex digits to bytes: 0 or -EINVAL. */
int hex_read(const char *text, uint8_t *out, size_t bytes);
void hex_write(const uint8_t *bytes, size_t length, char *out);

#endif
