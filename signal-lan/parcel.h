/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Messages of up to 16 KiB over packets that get lost, doubled and mixed up: cutting, joining,
 * acknowledging, sending again, and dropping doubles. Knows nothing of networks; one struct parcels
 * a peer. Times in ms.
 *
 * Packets (numbers big-endian):
 *   3, id (8 bytes), index (1), count (1), bytes    one piece of message `id`
 *   4, id (8 bytes), pieces (4)                     bit N set: piece N of message `id` has arrived
 * An id is 8 random bytes, so that it means the same after a restart of either side.
 */
#ifndef SIGNAL_LAN_PARCEL_H
#define SIGNAL_LAN_PARCEL_H

#include <stddef.h>
#include <stdint.h>

#define PARCEL_KIND_PIECE 3
#define PARCEL_KIND_ACK   4

#define PARCEL_PACKET_MAX 1112
#define PARCEL_HEAD       11
#define PARCEL_PIECE_MAX  (PARCEL_PACKET_MAX - PARCEL_HEAD)
#define PARCEL_DATA_MAX   16384
#define PARCEL_PIECES_MAX ((PARCEL_DATA_MAX + PARCEL_PIECE_MAX - 1) / PARCEL_PIECE_MAX)
/* Messages of one peer that wait for their acknowledgement; of these so many are under way at a
 * time. */
#define PARCEL_WAITING_MAX   64
#define PARCEL_UNDER_WAY_MAX 4
/* Messages of one peer that are being joined: a peer that keeps to PARCEL_UNDER_WAY_MAX never has
 * more; else the one untouched for longest is given up. */
#define PARCEL_JOINING_MAX PARCEL_UNDER_WAY_MAX
/* Ids remembered to tell doubles. */
#define PARCEL_SEEN_MAX 256
/* Pieces not acknowledged go again after the first of these, doubling up to the second while
 * nothing is acknowledged. A link answers within a few ms, Wi-Fi that saves power within 100. */
#define PARCEL_AGAIN_MS     60
#define PARCEL_AGAIN_MAX_MS 1000
/* An unacknowledged message is dropped after this: the broker has long said something newer. */
#define PARCEL_AGE_MS 120000

struct parcels;

struct parcel_events {
    void (*send)(void *data, const uint8_t *packet, size_t length);
    void (*delivered)(void *data, int64_t ref);                    /* the peer has message `ref` */
    void (*received)(void *data, const char *text, size_t length); /* terminated */
    void *data;
};

struct parcels *parcels_new(const struct parcel_events *events);
void parcels_destroy(struct parcels *parcels);

/* Takes a message; parcels_work() sends it. 0, -EMSGSIZE, -ENOBUFS when too many wait, -ENOMEM. */
int parcels_post(struct parcels *parcels, int64_t ref, const char *text, int64_t now);
/* The peer is there, perhaps anew: everything unacknowledged goes again. */
void parcels_connected(struct parcels *parcels);
/* Sends what is due. When it wants to be called again, INT64_MAX: not before something comes. */
int64_t parcels_work(struct parcels *parcels, int64_t now);
/* A packet of the peer's; anything not as above has no effect. parcels_work() is to follow. */
void parcels_packet(struct parcels *parcels, const uint8_t *packet, size_t length);

#endif
