/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "protocol/endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int endpoint_set(struct endpoint *endpoint, const char *address, uint16_t port)
{
    unsigned char bytes[16];
    int family = strchr(address, ':') ? AF_INET6 : AF_INET;

    if (inet_pton(family, address, bytes) != 1)
        return -EINVAL;
    memset(endpoint, 0, sizeof *endpoint);
    inet_ntop(family, bytes, endpoint->address, sizeof endpoint->address);
    endpoint->port = port;
    return 0;
}

int endpoint_family(const struct endpoint *endpoint)
{
    if (endpoint->address[0] == '\0')
        return AF_UNSPEC;
    return strchr(endpoint->address, ':') ? AF_INET6 : AF_INET;
}

int endpoint_to_sockaddr(const struct endpoint *endpoint, struct sockaddr_storage *out)
{
    struct sockaddr_in *in = (struct sockaddr_in *)out;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, endpoint->address, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons(endpoint->port);
        return (int)sizeof *in;
    }
    if (inet_pton(AF_INET6, endpoint->address, &in6->sin6_addr) == 1) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(endpoint->port);
        return (int)sizeof *in6;
    }
    return -EINVAL;
}

int endpoint_from_sockaddr(struct endpoint *endpoint, const struct sockaddr *address)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;

    memset(endpoint, 0, sizeof *endpoint);
    if (address->sa_family == AF_INET) {
        inet_ntop(AF_INET, &in->sin_addr, endpoint->address, sizeof endpoint->address);
        endpoint->port = ntohs(in->sin_port);
        return 0;
    }
    if (address->sa_family != AF_INET6)
        return -EINVAL;
    if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
        inet_ntop(AF_INET, in6->sin6_addr.s6_addr + 12, endpoint->address,
                  sizeof endpoint->address);
    else
        inet_ntop(AF_INET6, &in6->sin6_addr, endpoint->address, sizeof endpoint->address);
    endpoint->port = ntohs(in6->sin6_port);
    return 0;
}

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
    return a->port == b->port && strcmp(a->address, b->address) == 0;
}

bool endpoint_is_loopback(const struct endpoint *endpoint)
{
    return strcmp(endpoint->address, "::1") == 0 || strncmp(endpoint->address, "127.", 4) == 0;
}

void endpoint_format(const struct endpoint *endpoint, char out[ENDPOINT_TEXT_SIZE])
{
    const char *form = endpoint_family(endpoint) == AF_INET6 ? "[%s]:%u" : "%s:%u";

    snprintf(out, ENDPOINT_TEXT_SIZE, form, endpoint->address, (unsigned)endpoint->port);
}

static int port_parse(const char *text, uint16_t *port)
{
    char *end;
    unsigned long value;

    if (text[0] < '0' || text[0] > '9')
        return -EINVAL;
    value = strtoul(text, &end, 10);
    if (*end != '\0' || value < 1 || value > 65535)
        return -EINVAL;
    *port = (uint16_t)value;
    return 0;
}

int endpoint_split(const char *text, uint16_t default_port, char host[256], uint16_t *port,
                   struct error *err)
{
    const char *start = text, *end, *colon = NULL;
    struct endpoint ipv6;
    size_t length;

    *port = default_port;
    if (*text == '[') {
        start = text + 1;
        end = strchr(start, ']');
        if (end == NULL || (end[1] != '\0' && end[1] != ':'))
            goto bad;
        if (end[1] == ':')
            colon = end + 1;
    } else {
        colon = strrchr(text, ':');
        if (colon != NULL && strchr(text, ':') != colon)
            colon = NULL; /* an IPv6 address without brackets and port */
        end = colon != NULL ? colon : text + strlen(text);
    }
    length = (size_t)(end - start);
    if (length == 0 || length > 255 || strcspn(start, " \t/?#@[]") < length)
        goto bad;
    if (colon != NULL && port_parse(colon + 1, port) < 0)
        goto bad;
    memcpy(host, start, length);
    host[length] = '\0';
    /* Brackets and colons are IPv6's; a colon may be that of a URI: stun:203.0.113.1:3478. */
    if ((*text == '[' || strchr(host, ':') != NULL) && endpoint_set(&ipv6, host, 0) < 0)
        goto bad;
    return 0;
bad:
    error_set(err, "bad-endpoint",
              "'%.100s' is not host:port, such as 203.0.113.1:3478 or [2001:db8::1]:3478 with a port "
              "from 1 to 65535",
              text);
    return -EINVAL;
}

static uint8_t prefix_bits(const struct prefix *prefix)
{
    return prefix->family == AF_INET ? 32 : 128;
}

static bool bits_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;

    if (memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

static bool prefix_has_host_bits(const struct prefix *prefix)
{
    for (unsigned bit = prefix->length; bit < prefix_bits(prefix); bit++)
        if (prefix->address[bit / 8] & (0x80u >> (bit % 8)))
            return true;
    return false;
}

int prefix_parse(struct prefix *prefix, const char *text, bool host_bits, struct error *err)
{
    char address[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    size_t length = slash ? (size_t)(slash - text) : strlen(text);
    char *end;
    unsigned long bits;

    memset(prefix, 0, sizeof *prefix);
    if (length == 0 || length >= sizeof address)
        goto bad;
    memcpy(address, text, length);
    address[length] = '\0';
    prefix->family = strchr(address, ':') ? AF_INET6 : AF_INET;
    if (inet_pton(prefix->family, address, prefix->address) != 1)
        goto bad;
    prefix->length = prefix_bits(prefix);
    if (slash != NULL) {
        bits = strtoul(slash + 1, &end, 10);
        if (slash[1] < '0' || slash[1] > '9' || *end != '\0' || bits > prefix_bits(prefix))
            goto bad;
        prefix->length = (uint8_t)bits;
    }
    if (!host_bits && prefix_has_host_bits(prefix)) {
        error_set(err, "bad-prefix",
                  "'%.100s' has bits set past its length; name the network's first address, or /%u "
                  "for the one host",
                  text, (unsigned)prefix_bits(prefix));
        return -EINVAL;
    }
    return 0;
bad:
    error_set(err, "bad-prefix",
              "'%.100s' is not an address with a prefix length, such as 10.66.0.2/32 or fd00::/64",
              text);
    return -EINVAL;
}

void prefix_format(const struct prefix *prefix, char out[PREFIX_TEXT_SIZE])
{
    char address[INET6_ADDRSTRLEN];

    inet_ntop(prefix->family, prefix->address, address, sizeof address);
    snprintf(out, PREFIX_TEXT_SIZE, "%s/%u", address, (unsigned)prefix->length);
}

bool prefix_equal(const struct prefix *a, const struct prefix *b)
{
    return a->family == b->family && a->length == b->length &&
           memcmp(a->address, b->address, sizeof a->address) == 0;
}

bool prefix_contains(const struct prefix *outer, const struct prefix *inner)
{
    return outer->family == inner->family && outer->length <= inner->length &&
           bits_equal(outer->address, inner->address, outer->length);
}

bool prefix_overlap(const struct prefix *a, const struct prefix *b)
{
    return prefix_contains(a, b) || prefix_contains(b, a);
}
