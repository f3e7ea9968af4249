/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The sockets: one a family that hears the group, and one that sends everything and hears what is
 * sent to us alone.
 *
 * What is sent to one host has a TTL or hop limit of 255 and is dropped where it comes with less:
 * it came from the link, for every router lowers it (RFC 5082). So has IPv6's multicast, whose
 * scope ends at the link. IPv4's multicast goes with a TTL of 1 instead, for routers may know its
 * group, and is not checked: nobody is met by it alone. What comes over an interface that is none
 * of the links, such as our own tunnel, is dropped.
 */
#ifndef SIGNAL_LAN_WIRE_H
#define SIGNAL_LAN_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/error.h"
#include "signal-lan/links.h"
#include "signal-lan/options.h"
#include "signal-lan/place.h"

#define WIRE_SOCKETS 4

struct wire {
    const struct options *options;
    int sockets[WIRE_SOCKETS]; /* -1: none */
};

/* A family that the kernel lacks is left out. 0; -errno with `err` filled, and nothing open.
 * `options` must outlive it. */
int wire_open(struct wire *wire, const struct options *options, struct error *err);
void wire_close(struct wire *wire);

/* Joins the groups on these links; on those where that was done before nothing changes. */
void wire_join(const struct wire *wire, const struct links *links);

/* To everybody on every link. Losses of any kind are not told. */
void wire_send_all(const struct wire *wire, const struct links *links, const uint8_t *packet,
                   size_t length);
void wire_send(const struct wire *wire, const struct place *place, const uint8_t *packet,
               size_t length);

/* The next packet of one of the sockets: its length and where it came from; 0 for one that is to be
 * dropped; -EAGAIN where there is none, or another -errno. */
int wire_receive(const struct wire *wire, size_t socket, const struct links *links, uint8_t *packet,
                 size_t size, struct place *place);

#endif
