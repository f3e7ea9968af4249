/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A STUN server for tests: answers Binding requests over UDP at each address it is told, those of
 * RFC 8489 and those of RFC 3489, without magic cookie, which libnice still sends.
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
#define STUN_PORT             3478
/* RFC 8489 sections 14.1 and 14.2. */
#define STUN_MAPPED_ADDRESS     0x0001
#define STUN_XOR_MAPPED_ADDRESS 0x0020

static const char usage[] = "usage: stun-server --listen=ADDRESS[:PORT]...\n"
                            "Prints one line for each address, once all of them listen.\n";

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

/* The key of the exclusive or: cookie and transaction id, which are the request's own bytes; zeros
 * for a client of RFC 3489, which gets the plain address (RFC 8489 section 11). */
static unsigned key_find(const uint8_t *request, uint8_t key[16])
{
    static const uint8_t cookie[4] = {0x21, 0x12, 0xA4, 0x42};

    if (memcmp(request + 4, cookie, sizeof cookie) != 0) {
        memset(key, 0, 16);
        return STUN_MAPPED_ADDRESS;
    }
    memcpy(key, request + 4, 16);
    return STUN_XOR_MAPPED_ADDRESS;
}

/* The response's length. */
static size_t answer_build(const uint8_t *request, const struct endpoint *from, uint8_t *out)
{
    int family = endpoint_family(from);
    unsigned size = family == AF_INET ? 4 : 16;
    uint8_t address[16], key[16];

    inet_pton(family, from->address, address);
    put16(out, STUN_BINDING_RESPONSE);
    put16(out + 2, 8 + size);
    memcpy(out + 4, request + 4, 16);
    put16(out + 20, key_find(request, key));
    put16(out + 22, 4 + size);
    put16(out + 24, family == AF_INET ? 1 : 2);
    put16(out + 26, from->port ^ get16(key));
    for (unsigned i = 0; i < size; i++)
        out[28 + i] = address[i] ^ key[i];
    return 28 + size;
}

static void socket_serve(int fd)
{
    struct sockaddr_storage from;
    socklen_t from_length = sizeof from;
    struct endpoint client;
    uint8_t packet[2048], response[STUN_HEADER_BYTES + 24];
    ssize_t n =
        recvfrom(fd, packet, sizeof packet, MSG_DONTWAIT, (struct sockaddr *)&from, &from_length);

    if (n < 0 || !is_binding_request(packet, (size_t)n) ||
        endpoint_from_sockaddr(&client, (struct sockaddr *)&from) < 0)
        return;
    sendto(fd, response, answer_build(packet, &client, response), MSG_DONTWAIT,
           (struct sockaddr *)&from, from_length);
}

static int socket_listen(const char *text, struct endpoint *at)
{
    struct sockaddr_storage address;
    char host[256];
    uint16_t port;
    struct error err;
    int fd, length, one = 1;

    if (endpoint_split(text, STUN_PORT, host, &port, &err) < 0) {
        fprintf(stderr, "stun-server: %s\n", err.message);
        return -EINVAL;
    }
    if (endpoint_set(at, host, port) < 0) {
        fprintf(stderr, "stun-server: '%s' is not a numeric address\n", host);
        return -EINVAL;
    }
    length = endpoint_to_sockaddr(at, &address);
    fd = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (address.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, (socklen_t)length) < 0) {
        fprintf(stderr, "stun-server: %s: %s\n", text, strerror(errno));
        return -errno;
    }
    return fd;
}

int main(int argc, char **argv)
{
    static const char option[] = "--listen=";
    struct pollfd sockets[LISTEN_MAX];
    struct endpoint at[LISTEN_MAX];
    nfds_t count = 0;

    for (int i = 1; i < argc; i++) {
        if (count == LISTEN_MAX || strncmp(argv[i], option, sizeof option - 1) != 0) {
            fputs(usage, stderr);
            return 2;
        }
        sockets[count].fd = socket_listen(argv[i] + sizeof option - 1, &at[count]);
        if (sockets[count].fd < 0)
            return 1;
        sockets[count++].events = POLLIN;
    }
    if (count == 0) {
        fputs(usage, stderr);
        return 2;
    }
    for (nfds_t i = 0; i < count; i++) {
        char text[ENDPOINT_TEXT_SIZE];

        endpoint_format(&at[i], text);
        printf("listening on %s\n", text);
    }
    fflush(stdout);
    while (poll(sockets, count, -1) >= 0 || errno == EINTR)
        for (nfds_t i = 0; i < count; i++)
            if (sockets[i].revents != 0)
                socket_serve(sockets[i].fd);
    perror("stun-server: poll");
    return 1;
}
