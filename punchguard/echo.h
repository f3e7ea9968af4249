/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * ICMP echo (RFC 792, RFC 4443 section 4), as far as ping needs it.
 */
#ifndef PUNCHGUARD_ECHO_H
#define PUNCHGUARD_ECHO_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "protocol/error.h"

/* Header and the marks by which an answer is known. */
#define ECHO_BYTES 24

struct echo {
    int fd, family;
    bool raw; /* the kernel gives the IPv4 header too, and other processes' answers */
    struct sockaddr_storage to;
    socklen_t to_length;
    uint16_t id;
    uint64_t mark; /* random */
};

/* To a numeric address, by the unprivileged socket of icmp(7) where the system lets us, else by a
 * raw one. 0; -EPERM where neither is allowed, -errno, with `err` filled. */
int echo_open(struct echo *echo, const char *address, struct error *err);
void echo_close(struct echo *echo);

/* 0 or -errno: no route, say. */
int echo_send(const struct echo *echo, uint16_t sequence);
/* Reads once; the sequence of an answer to us, or -1 for anything else. */
int echo_receive(const struct echo *echo);

/* The request as bytes; the checksum is the kernel's for IPv6 and for unprivileged sockets. */
void echo_write(const struct echo *echo, uint16_t sequence, uint8_t out[ECHO_BYTES]);
/* The sequence of what was received, as echo_receive(). */
int echo_read(const struct echo *echo, const uint8_t *data, size_t length);

#endif
