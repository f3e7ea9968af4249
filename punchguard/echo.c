/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "punchguard/echo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "protocol/endpoint.h"

int echo_open(struct echo *echo, const char *address, struct error *err)
{
    struct endpoint endpoint;
    int protocol;

    *echo = (struct echo){.fd = -1};
    if (endpoint_set(&endpoint, address, 1) < 0) {
        error_set(err, "bad-address", "'%s' is no address", address);
        return -EINVAL;
    }
    echo->to_length = (socklen_t)endpoint_to_sockaddr(&endpoint, &echo->to);
    echo->family = echo->to.ss_family;
    /* Raw sockets take the port of IPv6 for a protocol. */
    if (echo->family == AF_INET)
        ((struct sockaddr_in *)&echo->to)->sin_port = 0;
    else
        ((struct sockaddr_in6 *)&echo->to)->sin6_port = 0;
    protocol = echo->family == AF_INET ? IPPROTO_ICMP : (int)IPPROTO_ICMPV6;
    echo->fd = socket(echo->family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
    if (echo->fd < 0) {
        echo->raw = true;
        echo->fd = socket(echo->family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
    }
    if (echo->fd < 0) {
        int saved = errno;

        error_set(err, "not-permitted",
                  "cannot ping: %s; root may, and whoever is in the range of groups of "
                  "net.ipv4.ping_group_range",
                  strerror(saved));
        return saved == EACCES ? -EPERM : -saved;
    }
    randombytes_buf(&echo->mark, sizeof echo->mark);
    echo->id = (uint16_t)echo->mark;
    return 0;
}

void echo_close(struct echo *echo)
{
    if (echo->fd >= 0)
        close(echo->fd);
    echo->fd = -1;
}

/* RFC 1071. */
static uint16_t checksum(const uint8_t *data, size_t length)
{
    uint32_t sum = 0;

    for (size_t i = 0; i + 1 < length; i += 2)
        sum += (uint32_t)data[i] << 8 | data[i + 1];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static void put16(uint8_t *out, uint16_t value)
{
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
}

void echo_write(const struct echo *echo, uint16_t sequence, uint8_t out[ECHO_BYTES])
{
    memset(out, 0, ECHO_BYTES);
    out[0] = echo->family == AF_INET ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
    put16(out + 4, echo->id);
    put16(out + 6, sequence);
    memcpy(out + 8, &echo->mark, sizeof echo->mark);
    if (echo->family == AF_INET)
        put16(out + 2, checksum(out, ECHO_BYTES));
}

int echo_read(const struct echo *echo, const uint8_t *data, size_t length)
{
    uint8_t wanted = echo->family == AF_INET ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY;

    if (echo->raw && echo->family == AF_INET) {
        size_t header = length > 0 ? (size_t)(data[0] & 0x0f) * 4 : 0;

        if (header < 20 || header > length)
            return -1;
        data += header;
        length -= header;
    }
    if (length < ECHO_BYTES || data[0] != wanted || data[1] != 0 ||
        memcmp(data + 8, &echo->mark, sizeof echo->mark) != 0)
        return -1;
    return data[6] << 8 | data[7];
}

int echo_send(const struct echo *echo, uint16_t sequence)
{
    uint8_t data[ECHO_BYTES];

    echo_write(echo, sequence, data);
    if (sendto(echo->fd, data, sizeof data, 0, (const struct sockaddr *)&echo->to,
               echo->to_length) < 0)
        return -errno;
    return 0;
}

int echo_receive(const struct echo *echo)
{
    uint8_t data[1500];
    ssize_t n = recv(echo->fd, data, sizeof data, 0);

    return n < 0 ? -1 : echo_read(echo, data, (size_t)n);
}
