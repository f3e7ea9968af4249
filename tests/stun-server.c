/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A STUN server for tests: answers Binding requests (RFC 8489) over UDP at each address it is told.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
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
#define STUN_COOKIE           0x2112A442u
#define STUN_PORT             3478
/* RFC 8489 section 14.2. */
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

static int is_binding_request(const uint8_t *packet, size_t length)
{
    uint8_t cookie[4];

    put16(cookie, STUN_COOKIE >> 16);
    put16(cookie + 2, STUN_COOKIE & 0xffff);
    return length >= STUN_HEADER_BYTES && get16(packet) == STUN_BINDING_REQUEST &&
           get16(packet + 2) == length - STUN_HEADER_BYTES && memcmp(packet + 4, cookie, 4) == 0;
}

/* The response's length. Cookie and transaction id, the XOR's key, are the request's own bytes. */
static size_t answer_build(const uint8_t *request, const struct endpoint *from, uint8_t *out)
{
    int family = endpoint_family(from);
    unsigned size = family == AF_INET ? 4 : 16;
    uint8_t address[16];

    inet_pton(family, from->address, address);
    put16(out, STUN_BINDING_RESPONSE);
    put16(out + 2, 8 + size);
    memcpy(out + 4, request + 4, 16);
    put16(out + 20, STUN_XOR_MAPPED_ADDRESS);
    put16(out + 22, 4 + size);
    put16(out + 24, family == AF_INET ? 1 : 2);
    put16(out + 26, from->port ^ (STUN_COOKIE >> 16));
    for (unsigned i = 0; i < size; i++)
        out[28 + i] = address[i] ^ request[4 + i];
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
