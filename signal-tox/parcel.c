/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "signal-tox/parcel.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define KIND_PIECE 1
#define KIND_ACK   2
#define ID_BYTES   8

struct waiting {
    uint8_t id[ID_BYTES];
    int64_t ref, posted;
    char *text;
    size_t length;
    unsigned sent; /* pieces */
};

struct joining {
    uint8_t id[ID_BYTES];
    char *text; /* NULL: free */
    uint32_t have;
    unsigned count;
    size_t length;
    uint64_t age;
};

struct parcels {
    struct parcel_events events;
    struct waiting waiting[PARCEL_WAITING_MAX];
    size_t waiting_count;
    struct joining joining[PARCEL_JOINING_MAX];
    uint64_t ages;
    uint8_t seen[PARCEL_SEEN_MAX][ID_BYTES];
    size_t seen_next, seen_count;
    uint8_t acks[PARCEL_WAITING_MAX][ID_BYTES]; /* that the send queue had no room for */
    size_t ack_count;
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
    for (size_t i = 0; i < p->waiting_count; i++)
        p->waiting[i].sent = 0;
}

static unsigned pieces(size_t length)
{
    return (unsigned)((length + PARCEL_PIECE_MAX - 1) / PARCEL_PIECE_MAX);
}

static int send_piece(struct parcels *p, const struct waiting *w)
{
    uint8_t packet[PARCEL_PACKET_MAX] = {PARCEL_PACKET_ID, KIND_PIECE};
    size_t at = (size_t)w->sent * PARCEL_PIECE_MAX, length = w->length - at;

    if (length > PARCEL_PIECE_MAX)
        length = PARCEL_PIECE_MAX;
    memcpy(packet + 2, w->id, ID_BYTES);
    packet[10] = (uint8_t)w->sent;
    packet[11] = (uint8_t)pieces(w->length);
    memcpy(packet + PARCEL_HEAD, w->text + at, length);
    return p->events.send(p->events.data, packet, PARCEL_HEAD + length);
}

static int send_ack(struct parcels *p, const uint8_t id[ID_BYTES])
{
    uint8_t packet[2 + ID_BYTES] = {PARCEL_PACKET_ID, KIND_ACK};

    memcpy(packet + 2, id, ID_BYTES);
    return p->events.send(p->events.data, packet, sizeof packet);
}

static void ack(struct parcels *p, const uint8_t id[ID_BYTES])
{
    if (send_ack(p, id) == -EAGAIN && p->ack_count < PARCEL_WAITING_MAX)
        memcpy(p->acks[p->ack_count++], id, ID_BYTES);
}

bool parcels_flush(struct parcels *p, int64_t now)
{
    drop_aged(p, now);
    while (p->ack_count > 0) {
        if (send_ack(p, p->acks[p->ack_count - 1]) < 0)
            return true;
        p->ack_count--;
    }
    for (size_t i = 0; i < p->waiting_count; i++) {
        struct waiting *w = &p->waiting[i];

        for (; w->sent < pieces(w->length); w->sent++)
            if (send_piece(p, w) < 0)
                return true;
    }
    return false;
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
        if (j->text == NULL || (oldest->text != NULL && j->age < oldest->age))
            oldest = j;
    }
    joining_clear(oldest);
    oldest->text = malloc((size_t)count * PARCEL_PIECE_MAX + 1);
    if (oldest->text == NULL)
        return NULL;
    memcpy(oldest->id, id, ID_BYTES);
    oldest->count = count;
    oldest->age = ++p->ages;
    return oldest;
}

static void deliver(struct parcels *p, struct joining *j)
{
    ack(p, j->id);
    remember(p, j->id);
    j->text[j->length] = '\0';
    if (j->length <= PARCEL_DATA_MAX && strlen(j->text) == j->length)
        p->events.received(p->events.data, j->text, j->length);
    joining_clear(j);
}

static void take_piece(struct parcels *p, const uint8_t *packet, size_t length)
{
    const uint8_t *id = packet + 2;
    unsigned index = packet[10], count = packet[11];
    size_t size = length - PARCEL_HEAD;
    struct joining *j;

    if (count == 0 || count > PARCEL_PIECES_MAX || index >= count || size == 0)
        return;
    if (index + 1 < count && size != PARCEL_PIECE_MAX)
        return;
    if (was_seen(p, id)) {
        ack(p, id);
        return;
    }
    j = joining_find(p, id, count);
    if (j == NULL || (j->have & (1u << index)))
        return;
    memcpy(j->text + (size_t)index * PARCEL_PIECE_MAX, packet + PARCEL_HEAD, size);
    j->have |= 1u << index;
    j->length += size;
    if (j->have == (1u << count) - 1)
        deliver(p, j);
}

static void take_ack(struct parcels *p, const uint8_t *id)
{
    for (size_t i = 0; i < p->waiting_count; i++) {
        int64_t ref = p->waiting[i].ref;

        if (memcmp(p->waiting[i].id, id, ID_BYTES) != 0)
            continue;
        waiting_remove(p, i);
        p->events.delivered(p->events.data, ref);
        return;
    }
}

void parcels_packet(struct parcels *p, const uint8_t *packet, size_t length)
{
    if (length < 2 || packet[0] != PARCEL_PACKET_ID)
        return;
    if (packet[1] == KIND_PIECE && length > PARCEL_HEAD && length <= PARCEL_PACKET_MAX)
        take_piece(p, packet, length);
    else if (packet[1] == KIND_ACK && length == 2 + ID_BYTES)
        take_ack(p, packet + 2);
}
