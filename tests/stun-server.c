/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A STUN server for tests: answers Binding requests over UDP at each address it is told, those of
 * RFC 8489 and those of RFC 3489, without magic cookie, which libnice still sends. With two
 * addresses and two ports it answers from elsewhere as well (RFC 5780).
 */
#include <config.h>

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "protocol/endpoint.h"

#define LISTEN_MAX 16

/* RFC 8489 section 5. */
#define STUN_HEADER_BYTES     20
#define STUN_BINDING_REQUEST  0x0001
#define STUN_BINDING_RESPONSE 0x0101
#define STUN_BINDING_REFUSAL  0x0111
#define STUN_PORT             3478
/* RFC 8489 sections 14.1 and 14.2. */
#define STUN_MAPPED_ADDRESS     0x0001
#define STUN_XOR_MAPPED_ADDRESS 0x0020
/* RFC 8489 sections 14.8 and 14.9. */
#define STUN_ERROR_CODE         0x0009
#define STUN_UNKNOWN_ATTRIBUTES 0x000a
/* RFC 5780 sections 7.2 to 7.4. */
#define STUN_CHANGE_REQUEST  0x0003
#define STUN_CHANGE_ADDRESS  4
#define STUN_CHANGE_PORT     2
#define STUN_RESPONSE_ORIGIN 0x802b
#define STUN_OTHER_ADDRESS   0x802c
/* Three addresses of IPv6. */
#define RESPONSE_MAX (STUN_HEADER_BYTES + 3 * 24)

static const char usage[] =
    "usage: stun-server [--listen=ADDRESS[:PORT] | --pair=ADDRESS[:PORT],ADDRESS[:PORT]]...\n"
    "A pair has two addresses and two ports, and listens on all four endpoints of these; it\n"
    "announces OTHER-ADDRESS and does as CHANGE-REQUEST says. A single address refuses that.\n"
    "Prints one line for each endpoint, once all of them listen.\n";

/* The endpoints of a pair follow each other: by address, then by port. So one's place among the
 * four, exclusive or with these, is the place of another. */
#define CORNER_PORT    1
#define CORNER_ADDRESS 2
#define CORNERS        4

struct listener {
    int fd;
    struct endpoint at;
    int first; /* of its pair; -1: single */
};

static struct listener listeners[LISTEN_MAX];
static int listener_count;

static void put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static unsigned get16(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static bool is_binding_request(const uint8_t *packet, size_t length)
{
    return length >= STUN_HEADER_BYTES && get16(packet) == STUN_BINDING_REQUEST &&
           get16(packet + 2) == length - STUN_HEADER_BYTES;
}

/* What CHANGE-REQUEST says; -1 where there is none. */
static int change_find(const uint8_t *request, size_t length)
{
    for (size_t at = STUN_HEADER_BYTES; at + 8 <= length;
         at += 4 + (get16(request + at + 2) + 3) / 4 * 4)
        if (get16(request + at) == STUN_CHANGE_REQUEST && get16(request + at + 2) == 4)
            return request[at + 7] & (STUN_CHANGE_ADDRESS | STUN_CHANGE_PORT);
    return -1;
}

/* The key of the exclusive or: cookie and transaction id, which are the request's own bytes; zeros
 * for a client of RFC 3489, which gets the plain address (RFC 8489 section 11). */
static unsigned key_find(const uint8_t *request, uint8_t key[16])
{
    static const uint8_t cookie[4] = {0x21, 0x12, 0xA4, 0x42};

    memset(key, 0, 16);
    if (memcmp(request + 4, cookie, sizeof cookie) != 0)
        return STUN_MAPPED_ADDRESS;
    memcpy(key, request + 4, 16);
    return STUN_XOR_MAPPED_ADDRESS;
}

/* The length so far, with the attribute. */
static size_t address_put(uint8_t *out, size_t length, unsigned type,
                          const struct endpoint *endpoint, const uint8_t key[16])
{
    int family = endpoint_family(endpoint);
    unsigned size = family == AF_INET ? 4 : 16;
    uint8_t address[16];

    inet_pton(family, endpoint->address, address);
    put16(out + length, type);
    put16(out + length + 2, 4 + size);
    put16(out + length + 4, family == AF_INET ? 1 : 2);
    put16(out + length + 6, endpoint->port ^ get16(key));
    for (unsigned i = 0; i < size; i++)
        out[length + 8 + i] = address[i] ^ key[i];
    return length + 8 + size;
}

/* The response's length, as the `origin` sends it. */
static size_t answer_build(const uint8_t *request, const struct endpoint *from,
                           const struct listener *origin, uint8_t *out)
{
    static const uint8_t no_key[16];
    uint8_t key[16];
    unsigned type = key_find(request, key);
    size_t length = address_put(out, STUN_HEADER_BYTES, type, from, key);

    if (origin->first >= 0) {
        int other = (int)(origin - listeners - origin->first) ^ (CORNER_ADDRESS | CORNER_PORT);

        length = address_put(out, length, STUN_RESPONSE_ORIGIN, &origin->at, no_key);
        length = address_put(out, length, STUN_OTHER_ADDRESS, &listeners[origin->first + other].at,
                             no_key);
    }
    put16(out, STUN_BINDING_RESPONSE);
    put16(out + 2, (unsigned)length - STUN_HEADER_BYTES);
    memcpy(out + 4, request + 4, 16);
    return length;
}

/* 420 (Unknown Attribute). */
static size_t refusal_build(const uint8_t *request, uint8_t *out)
{
    static const uint8_t attributes[] = {
        0, STUN_ERROR_CODE,     0, 4, 0, 0, 4, 20, 0, STUN_UNKNOWN_ATTRIBUTES, 0, 2,
        0, STUN_CHANGE_REQUEST, 0, 0};

    put16(out, STUN_BINDING_REFUSAL);
    put16(out + 2, sizeof attributes);
    memcpy(out + 4, request + 4, 16);
    memcpy(out + STUN_HEADER_BYTES, attributes, sizeof attributes);
    return STUN_HEADER_BYTES + sizeof attributes;
}

/* The listener that shall answer. */
static const struct listener *origin_find(const struct listener *asked, int change)
{
    int corner = (int)(asked - listeners) - asked->first;

    if (asked->first < 0 || change < 0)
        return asked;
    corner ^= change & STUN_CHANGE_ADDRESS ? CORNER_ADDRESS : 0;
    corner ^= change & STUN_CHANGE_PORT ? CORNER_PORT : 0;
    return &listeners[asked->first + corner];
}

static void listener_serve(const struct listener *asked)
{
    struct sockaddr_storage from;
    socklen_t from_length = sizeof from;
    struct endpoint client;
    const struct listener *origin;
    uint8_t packet[2048], response[RESPONSE_MAX];
    size_t length;
    int change;
    ssize_t n = recvfrom(asked->fd, packet, sizeof packet, MSG_DONTWAIT, (struct sockaddr *)&from,
                         &from_length);

    if (n < 0 || !is_binding_request(packet, (size_t)n) ||
        endpoint_from_sockaddr(&client, (struct sockaddr *)&from) < 0)
        return;
    change = change_find(packet, (size_t)n);
    origin = origin_find(asked, change);
    length = change >= 0 && asked->first < 0 ? refusal_build(packet, response)
                                             : answer_build(packet, &client, origin, response);
    sendto(origin->fd, response, length, MSG_DONTWAIT, (struct sockaddr *)&from, from_length);
}

static int endpoint_read(const char *text, struct endpoint *endpoint)
{
    char host[256];
    uint16_t port;
    struct error err;

    if (endpoint_split(text, STUN_PORT, host, &port, &err) < 0) {
        fprintf(stderr, "stun-server: %s\n", err.message);
        return -EINVAL;
    }
    if (endpoint_set(endpoint, host, port) < 0) {
        fprintf(stderr, "stun-server: '%s' is not a numeric address\n", host);
        return -EINVAL;
    }
    return 0;
}

static int listener_add(const struct endpoint *at, int first)
{
    struct listener *listener = &listeners[listener_count];
    struct sockaddr_storage address;
    int length = endpoint_to_sockaddr(at, &address), one = 1;
    char text[ENDPOINT_TEXT_SIZE];

    if (listener_count == LISTEN_MAX) {
        fprintf(stderr, "stun-server: at most %d endpoints are right\n", LISTEN_MAX);
        return -ENOSPC;
    }
    *listener = (struct listener){.at = *at, .first = first};
    listener->fd = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (address.ss_family == AF_INET6)
        setsockopt(listener->fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    if (listener->fd < 0 ||
        bind(listener->fd, (struct sockaddr *)&address, (socklen_t)length) < 0) {
        endpoint_format(at, text);
        fprintf(stderr, "stun-server: %s: %s\n", text, strerror(errno));
        return -errno;
    }
    listener_count++;
    return 0;
}

static int single_add(const char *text)
{
    struct endpoint at;
    int rc = endpoint_read(text, &at);

    return rc < 0 ? rc : listener_add(&at, -1);
}

static int pair_add(char *text)
{
    char *second = strchr(text, ',');
    struct endpoint ends[2];
    int first = listener_count, rc = 0;

    if (second != NULL)
        *second++ = '\0';
    if (second == NULL || endpoint_read(text, &ends[0]) < 0 || endpoint_read(second, &ends[1]) < 0)
        return -EINVAL;
    for (int i = 0; rc == 0 && i < CORNERS; i++) {
        struct endpoint at = ends[i & CORNER_ADDRESS ? 1 : 0];

        at.port = ends[i & CORNER_PORT ? 1 : 0].port;
        rc = listener_add(&at, first);
    }
    return rc;
}

static int options_take(int argc, char **argv)
{
    static const char listen[] = "--listen=", pair[] = "--pair=";

    for (int i = 1; i < argc; i++) {
        int rc = -EINVAL;

        if (strncmp(argv[i], listen, sizeof listen - 1) == 0)
            rc = single_add(argv[i] + sizeof listen - 1);
        else if (strncmp(argv[i], pair, sizeof pair - 1) == 0)
            rc = pair_add(argv[i] + sizeof pair - 1);
        if (rc < 0)
            return rc;
    }
    return listener_count > 0 ? 0 : -EINVAL;
}

int main(int argc, char **argv)
{
    struct pollfd sockets[LISTEN_MAX];
    int rc = options_take(argc, argv);

    if (rc < 0) {
        fputs(rc == -EINVAL ? usage : "", stderr);
        return rc == -EINVAL ? 2 : 1;
    }
    for (int i = 0; i < listener_count; i++) {
        char text[ENDPOINT_TEXT_SIZE];

        sockets[i] = (struct pollfd){.fd = listeners[i].fd, .events = POLLIN};
        endpoint_format(&listeners[i].at, text);
        printf("listening on %s\n", text);
    }
    fflush(stdout);
    while (poll(sockets, (nfds_t)listener_count, -1) >= 0 || errno == EINTR)
        for (int i = 0; i < listener_count; i++)
            if (sockets[i].revents != 0)
                listener_serve(&listeners[i]);
    perror("stun-server: poll");
    return 1;
}
