/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "signal-lan/parcel.h"

#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ID_BYTES   8
#define ACK_LENGTH (1 + ID_BYTES + 4)
/* After so many vain tries the peer may have given up what it had of the message. */
#define TRIES_FORGOTTEN 5

struct waiting {
    uint8_t id[ID_BYTES];
    int64_t ref, posted, due; /* `due` 0: not sent yet */
    char *text;
    size_t length;
    uint32_t have; /* pieces that the peer has */
    unsigned last; /* the last piece that was sent */
    unsigned tries;
};

struct joining {
    uint8_t id[ID_BYTES];
    char *text; /* NULL: free */
    uint32_t have;
    unsigned count;
    size_t length;
    uint64_t touched;
};

struct parcels {
    struct parcel_events events;
    struct waiting waiting[PARCEL_WAITING_MAX];
    size_t waiting_count;
    struct joining joining[PARCEL_JOINING_MAX];
    uint64_t touches;
    uint8_t seen[PARCEL_SEEN_MAX][ID_BYTES];
    size_t seen_next, seen_count;
};

struct parcels *parcels_new(const struct parcel_events *events)
{
    struct parcels *p = calloc(1, sizeof *p);

    if (p != NULL)
        p->events = *events;
    return p;
}

void parcels_destroy(struct parcels *p)
{
    if (p == NULL)
        return;
    for (size_t i = 0; i < p->waiting_count; i++)
        free(p->waiting[i].text);
    for (size_t i = 0; i < PARCEL_JOINING_MAX; i++)
        free(p->joining[i].text);
    free(p);
}

static void waiting_remove(struct parcels *p, size_t index)
{
    free(p->waiting[index].text);
    p->waiting_count--;
    memmove(&p->waiting[index], &p->waiting[index + 1],
            (p->waiting_count - index) * sizeof p->waiting[0]);
}

static void drop_aged(struct parcels *p, int64_t now)
{
    for (size_t i = p->waiting_count; i-- > 0;)
        if (now - p->waiting[i].posted > PARCEL_AGE_MS)
            waiting_remove(p, i);
}

int parcels_post(struct parcels *p, int64_t ref, const char *text, int64_t now)
{
    size_t length = strlen(text);
    struct waiting *w;

    if (length == 0 || length > PARCEL_DATA_MAX)
        return -EMSGSIZE;
    drop_aged(p, now);
    if (p->waiting_count == PARCEL_WAITING_MAX)
        return -ENOBUFS;
    w = &p->waiting[p->waiting_count];
    *w = (struct waiting){.ref = ref, .posted = now, .length = length, .text = strdup(text)};
    if (w->text == NULL)
        return -ENOMEM;
    randombytes_buf(w->id, sizeof w->id);
    p->waiting_count++;
    return 0;
}

void parcels_connected(struct parcels *p)
{
    for (size_t i = 0; i < p->waiting_count; i++) {
        p->waiting[i].due = 0;
        p->waiting[i].have = 0;
        p->waiting[i].tries = 0;
    }
}

static unsigned pieces(size_t length)
{
    return (unsigned)((length + PARCEL_PIECE_MAX - 1) / PARCEL_PIECE_MAX);
}

static uint32_t all_of(unsigned count)
{
    return (1u << count) - 1;
}

static void send_piece(struct parcels *p, const struct waiting *w, unsigned index)
{
    uint8_t packet[PARCEL_PACKET_MAX] = {PARCEL_KIND_PIECE};
    size_t at = (size_t)index * PARCEL_PIECE_MAX, length = w->length - at;

    if (length > PARCEL_PIECE_MAX)
        length = PARCEL_PIECE_MAX;
    memcpy(packet + 1, w->id, ID_BYTES);
    packet[9] = (uint8_t)index;
    packet[10] = (uint8_t)pieces(w->length);
    memcpy(packet + PARCEL_HEAD, w->text + at, length);
    p->events.send(p->events.data, packet, PARCEL_HEAD + length);
}

static void send_message(struct parcels *p, struct waiting *w, int64_t now)
{
    int64_t wait = PARCEL_AGAIN_MS << w->tries / 2;

    if (w->tries > 0 && w->tries % TRIES_FORGOTTEN == 0)
        w->have = 0;
    for (unsigned i = 0; i < pieces(w->length); i++) {
        if (w->have & (1u << i))
            continue;
        w->last = i;
        send_piece(p, w, i);
    }
    w->due = now + (wait < PARCEL_AGAIN_MAX_MS ? wait : PARCEL_AGAIN_MAX_MS);
    if (w->tries < 16)
        w->tries++;
}

int64_t parcels_work(struct parcels *p, int64_t now)
{
    int64_t next = INT64_MAX;

    drop_aged(p, now);
    for (size_t i = 0; i < p->waiting_count && i < PARCEL_UNDER_WAY_MAX; i++) {
        struct waiting *w = &p->waiting[i];

        if (w->due <= now)
            send_message(p, w, now);
        if (w->due < next)
            next = w->due;
    }
    return next;
}

static void send_ack(struct parcels *p, const uint8_t id[ID_BYTES], uint32_t have)
{
    uint8_t packet[ACK_LENGTH] = {PARCEL_KIND_ACK};

    memcpy(packet + 1, id, ID_BYTES);
    for (int i = 0; i < 4; i++)
        packet[1 + ID_BYTES + i] = (uint8_t)(have >> (24 - 8 * i));
    p->events.send(p->events.data, packet, sizeof packet);
}

static bool was_seen(const struct parcels *p, const uint8_t *id)
{
    for (size_t i = 0; i < p->seen_count; i++)
        if (memcmp(p->seen[i], id, ID_BYTES) == 0)
            return true;
    return false;
}

static void remember(struct parcels *p, const uint8_t *id)
{
    memcpy(p->seen[p->seen_next], id, ID_BYTES);
    p->seen_next = (p->seen_next + 1) % PARCEL_SEEN_MAX;
    if (p->seen_count < PARCEL_SEEN_MAX)
        p->seen_count++;
}

static void joining_clear(struct joining *j)
{
    free(j->text);
    memset(j, 0, sizeof *j);
}

/* The message that the piece belongs to, a new one perhaps, or NULL where it contradicts what came
 * before. */
static struct joining *joining_find(struct parcels *p, const uint8_t *id, unsigned count)
{
    struct joining *oldest = &p->joining[0];

    for (size_t i = 0; i < PARCEL_JOINING_MAX; i++) {
        struct joining *j = &p->joining[i];

        if (j->text != NULL && memcmp(j->id, id, ID_BYTES) == 0)
            return j->count == count ? j : NULL;
        if (j->text == NULL || (oldest->text != NULL && j->touched < oldest->touched))
            oldest = j;
    }
    joining_clear(oldest);
    oldest->text = malloc((size_t)count * PARCEL_PIECE_MAX + 1);
    if (oldest->text == NULL)
        return NULL;
    memcpy(oldest->id, id, ID_BYTES);
    oldest->count = count;
    return oldest;
}

static void deliver(struct parcels *p, struct joining *j)
{
    remember(p, j->id);
    j->text[j->length] = '\0';
    if (j->length <= PARCEL_DATA_MAX && strlen(j->text) == j->length)
        p->events.received(p->events.data, j->text, j->length);
    joining_clear(j);
}

static void join(struct parcels *p, struct joining *j, unsigned index, const uint8_t *bytes,
                 size_t size)
{
    j->touched = ++p->touches;
    if (!(j->have & (1u << index))) {
        memcpy(j->text + (size_t)index * PARCEL_PIECE_MAX, bytes, size);
        j->have |= 1u << index;
        j->length += size;
    }
    send_ack(p, j->id, j->have);
    if (j->have == all_of(j->count))
        deliver(p, j);
}

static void take_piece(struct parcels *p, const uint8_t *packet, size_t length)
{
    const uint8_t *id = packet + 1;
    unsigned index = packet[9], count = packet[10];
    size_t size = length - PARCEL_HEAD;
    struct joining *j;

    if (count == 0 || count > PARCEL_PIECES_MAX || index >= count || size == 0)
        return;
    if (index + 1 < count && size != PARCEL_PIECE_MAX)
        return;
    if (was_seen(p, id)) {
        send_ack(p, id, all_of(count));
        return;
    }
    j = joining_find(p, id, count);
    if (j != NULL)
        join(p, j, index, packet + PARCEL_HEAD, size);
}

static void acknowledged(struct parcels *p, size_t index, uint32_t have)
{
    struct waiting *w = &p->waiting[index];
    uint32_t all = all_of(pieces(w->length));
    int64_t ref = w->ref;

    if ((have & ~w->have) != 0)
        w->tries = 0;
    w->have |= have & all;
    if (w->have == all) {
        waiting_remove(p, index);
        p->events.delivered(p->events.data, ref);
        return;
    }
    /* What was sent before the last piece and is missing is lost: no need to wait. */
    if (w->due != 0 && (have & (1u << w->last)))
        w->due = 0;
}

static void take_ack(struct parcels *p, const uint8_t *packet)
{
    const uint8_t *number = packet + 1 + ID_BYTES;
    uint32_t have = (uint32_t)number[0] << 24 | (uint32_t)number[1] << 16 |
                    (uint32_t)number[2] << 8 | number[3];

    for (size_t i = 0; i < p->waiting_count; i++)
        if (memcmp(p->waiting[i].id, packet + 1, ID_BYTES) == 0) {
            acknowledged(p, i, have);
            return;
        }
}

void parcels_packet(struct parcels *p, const uint8_t *packet, size_t length)
{
    if (length > PARCEL_HEAD && length <= PARCEL_PACKET_MAX && packet[0] == PARCEL_KIND_PIECE)
        take_piece(p, packet, length);
    else if (length == ACK_LENGTH && packet[0] == PARCEL_KIND_ACK)
        take_ack(p, packet);
}
