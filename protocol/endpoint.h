/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An IP address with a port, and IP prefixes.
 */
#ifndef PROTOCOL_ENDPOINT_H
#define PROTOCOL_ENDPOINT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "protocol/error.h"

/* `address` is numeric, in the form that inet_ntop(3) gives, no scope; "" means that there is no
 * endpoint. `port` is in host order. */
struct endpoint {
    char address[INET6_ADDRSTRLEN];
    uint16_t port;
};

/* A numeric address, brought to inet_ntop's form. 0 or -EINVAL. */
int endpoint_set(struct endpoint *endpoint, const char *address, uint16_t port);
/* The size of the address written, or -EINVAL. */
int endpoint_to_sockaddr(const struct endpoint *endpoint, struct sockaddr_storage *out);
/* An IPv4-mapped IPv6 address becomes IPv4. 0 or -EINVAL. */
int endpoint_from_sockaddr(struct endpoint *endpoint, const struct sockaddr *address);
bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);
/* AF_INET, AF_INET6 or AF_UNSPEC. */
int endpoint_family(const struct endpoint *endpoint);
bool endpoint_is_loopback(const struct endpoint *endpoint);
/* "192.0.2.1:3478" or "[2001:db8::1]:3478". */
#define ENDPOINT_TEXT_SIZE (INET6_ADDRSTRLEN + 9)
void endpoint_format(const struct endpoint *endpoint, char out[ENDPOINT_TEXT_SIZE]);
/* Cuts "host:port", "[v6]:port" or "host" (then `default_port`); whether the host is one is not looked
 * at. `host` has 256 bytes. 0 or -EINVAL with
 * `err` filled. */
int endpoint_split(const char *text, uint16_t default_port, char host[256], uint16_t *port,
                   struct error *err);

/* `address` is in network order, 4 or 16 bytes of it used. */
struct prefix {
    int family;
    uint8_t address[16];
    uint8_t length;
};

#define PREFIX_TEXT_SIZE (INET6_ADDRSTRLEN + 5)

/* "10.0.0.0/8", or an address alone for a single host. With `host_bits` an address inside the
 * network ("10.66.0.1/24") is right, else the bits past the length must be zero. */
int prefix_parse(struct prefix *prefix, const char *text, bool host_bits, struct error *err);
void prefix_format(const struct prefix *prefix, char out[PREFIX_TEXT_SIZE]);
bool prefix_equal(const struct prefix *a, const struct prefix *b);
/* Whether all of `inner` lies in `outer`. */
bool prefix_contains(const struct prefix *outer, const struct prefix *inner);
bool prefix_overlap(const struct prefix *a, const struct prefix *b);

#endif
