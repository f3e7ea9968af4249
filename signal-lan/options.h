/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The `options` of a transport that runs signal-lan.
 */
#ifndef SIGNAL_LAN_OPTIONS_H
#define SIGNAL_LAN_OPTIONS_H

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/error.h"

/* Administratively scoped: the "IPv4 Local Scope" (RFC 2365 section 6.1). */
#define OPTIONS_GROUP_IPV4 "239.255.80.71"
/* Link-local scope, transient (RFC 4291 section 2.7), from the group ids that hosts may take
 * (RFC 3307 section 4.3: 0x80000000 and above). */
#define OPTIONS_GROUP_IPV6 "ff12::8050:4731"
/* Assigned to nobody. */
#define OPTIONS_PORT 20551

#define OPTIONS_INTERFACES_MAX 32

struct options {
    bool ipv4, ipv6; /* whether there is a group of the family */
    struct in_addr group4;
    struct in6_addr group6;
    uint16_t port;        /* of the groups */
    uint16_t direct_port; /* 0: any */
    char interfaces[OPTIONS_INTERFACES_MAX][IFNAMSIZ];
    size_t interface_count; /* 0: every usable one */
};

/* `text` is a JSON object, or NULL for the defaults. 0, or -EINVAL with `err` telling the JSON path
 * below `options`. */
int options_read(struct options *options, const char *text, struct error *err);

#endif
