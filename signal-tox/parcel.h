/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Messages of up to 16 KiB over Tox's custom lossless packets of 1,373 bytes: cutting, joining, acknowledging, and
 * dropping doubles. Knows nothing of Tox; one struct parcels a friend.
 *
 * Packets (numbers big-endian), all beginning with PARCEL_PACKET_ID:
 *   1, id (8 bytes), index (1), count (1), bytes    one piece of message `id`
 *   2, id (8 bytes)                                 message `id` has arrived whole
 * An id is 8 random bytes, so that it means the same after a restart of either side.
 */
#ifndef SIGNAL_TOX_PARCEL_H
#define SIGNAL_TOX_PARCEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* tox.h: custom lossless packets have ids 160 to 191 and at most TOX_MAX_CUSTOM_PACKET_SIZE bytes. */
#define PARCEL_PACKET_ID  160
#define PARCEL_PACKET_MAX 1373
#define PARCEL_HEAD       12
#define PARCEL_PIECE_MAX  (PARCEL_PACKET_MAX - PARCEL_HEAD)
#define PARCEL_DATA_MAX   16384
#define PARCEL_PIECES_MAX ((PARCEL_DATA_MAX + PARCEL_PIECE_MAX - 1) / PARCEL_PIECE_MAX)
/* Messages of one friend that wait for their acknowledgement. */
#define PARCEL_WAITING_MAX 64
/* Messages of one friend that are being joined: more means that the oldest is given up. */
#define PARCEL_JOINING_MAX 4
/* Ids remembered to tell doubles. */
#define PARCEL_SEEN_MAX 512
/* An unacknowledged message is dropped after this, in ms: the broker has long said something newer. */
#define PARCEL_AGE_MS 120000

struct parcels;

/* Sends one packet: 0, -EAGAIN to be asked again later, other -errno when the friend is not there. */
typedef int parcel_send(void *data, const uint8_t *packet, size_t length);

struct parcel_events {
    parcel_send *send;
    void (*delivered)(void *data, int64_t ref);                       /* the friend has message `ref` */
    void (*received)(void *data, const char *text, size_t length); /* terminated */
    void *data;
};

struct parcels *parcels_new(const struct parcel_events *events);
void parcels_destroy(struct parcels *parcels);

/* Takes a message. 0, -EMSGSIZE, -ENOBUFS when too many wait, -ENOMEM. */
int parcels_post(struct parcels *parcels, int64_t ref, const char *text, int64_t now);
/* The connection is new: everything unacknowledged goes again. */
void parcels_connected(struct parcels *parcels);
/* Sends what can be sent. Whether something is left for another call. */
bool parcels_flush(struct parcels *parcels, int64_t now);
/* A packet of the friend's; anything not as above has no effect. */
void parcels_packet(struct parcels *parcels, const uint8_t *packet, size_t length);

#endif
