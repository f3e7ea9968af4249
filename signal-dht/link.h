/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Presence of one peer and messages to and from it, over values that both sides put at one place of
 * the DHT, where everybody's values of the last ten minutes come back to everybody. Knows nothing
 * of OpenDHT and of seals: what it puts is to be sealed, what it takes has been opened.
 *
 * Each side is a number, its instance, new with every life. A value that names our present instance
 * proves that its sender has heard us in this life: only that makes a peer present, and only such
 * messages count. Any other value of an instance is a call to be answered once. So values of
 * earlier lives and values put again by others have no effect.
 *
 * Times are in ms, of a clock that also runs in suspend.
 */
#ifndef SIGNAL_DHT_LINK_H
#define SIGNAL_DHT_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Messages of one peer that wait for their acknowledgement, and their bytes. */
#define LINK_WAITING_MAX       256
#define LINK_WAITING_BYTES_MAX (1024 * 1024)
/* An unacknowledged message is dropped after this, in ms: the broker has long said something newer.
 */
#define LINK_AGE_MS 120000
/* Word of a present peer, when there is nothing else to say; and how long we believe without any,
 * in ms: two may be lost. */
#define LINK_BEAT_MS    50000
#define LINK_SILENCE_MS 120000
/* A message unanswered for so long, with no other word, makes the peer absent too. */
#define LINK_UNANSWERED_MS 20000

struct link;

struct link_events {
    /* 0, or -EAGAIN to be polled again later. */
    int (*put)(void *data, const uint8_t *value, size_t length);
    void (*presence)(void *data, bool online);
    void (*delivered)(void *data, int64_t ref); /* the peer has message `ref` */
    void (*received)(void *data, const char *text);
    void *data;
};

/* What became of a value. */
enum link_use {
    LINK_NEWS,  /* new, whether it is for us or not */
    LINK_STALE, /* known, of an earlier life, or senseless */
    LINK_OWN,   /* our own came back */
};

/* NULL without memory. */
struct link *link_new(const struct link_events *events, int64_t now);
void link_destroy(struct link *link);

/* Takes a message. 0, -EMSGSIZE, -ENOBUFS when too many wait, -ENOMEM. */
int link_post(struct link *link, int64_t ref, const char *text, int64_t now);
enum link_use link_value(struct link *link, const uint8_t *bytes, size_t length, int64_t now);
/* Puts what is due and notices who went silent; when to call again. */
int64_t link_poll(struct link *link, int64_t now);
/* Our place in the network is new: call again as at the beginning. */
void link_renew(struct link *link, int64_t now);
/* Says goodbye to a peer that is present. */
void link_leave(struct link *link);

#endif
