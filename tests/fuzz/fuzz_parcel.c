/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Packets of a friend, each after two bytes of its length: what comes out is text of at most 16
 * KiB, and a message that was not posted is never acknowledged.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "signal-tox/parcel.h"
#include "tests/fuzz/mutate.h"

/* A message in one piece, the second half of it doubled; two pieces in the wrong order; an
 * acknowledgement. */
static const uint8_t one[] = {0,   19,  160, 1,   1,  2,   3,   4, 5, 6, 7, 8, 0, 1, 'm', 'e', 's',
                              's', 'a', 'g', 'e', 0,  14,  160, 1, 1, 2, 3, 4, 5, 6, 7,   8,   0,
                              1,   'm', 'e', 0,   10, 160, 2,   1, 2, 3, 4, 5, 6, 7, 8};
static const uint8_t ack[] = {0, 10, 160, 2, 0, 0, 0, 0, 0, 0, 0, 0};
static const uint8_t two[2 + PARCEL_PACKET_MAX + 16] = {
    0,    14,   160, 1, 9, 9, 9, 9, 9, 9, 9, 9, 1, 2, 'e', 'n',
    0x05, 0x5D, 160, 1, 9, 9, 9, 9, 9, 9, 9, 9, 0, 2, 'b', 'e'};

const struct seed fuzz_seeds[] = {
    {one, sizeof one},
    {ack, sizeof ack},
    {two, sizeof two},
    {NULL, 0},
};

static int on_send(void *data, const uint8_t *packet, size_t length)
{
    unsigned *count = data;

    if (length < 2 || length > PARCEL_PACKET_MAX || packet[0] != PARCEL_PACKET_ID)
        abort();
    return ++*count % 3 == 0 ? -EAGAIN : 0;
}

static void on_delivered(void *data, int64_t ref)
{
    (void)data;
    (void)ref;
    abort();
}

static void on_received(void *data, const char *text, size_t length)
{
    (void)data;
    if (length == 0 || length > PARCEL_DATA_MAX || strlen(text) != length)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned sent = 0;
    struct parcel_events events = {
        .send = on_send, .delivered = on_delivered, .received = on_received, .data = &sent};
    struct parcels *parcels = parcels_new(&events);
    size_t length;

    if (parcels == NULL || parcels_post(parcels, 1, "waiting", 0) < 0)
        abort();
    for (; size >= 2; data += length, size -= length) {
        length = (size_t)data[0] << 8 | data[1];
        data += 2;
        size -= 2;
        if (length > size)
            length = size;
        parcels_packet(parcels, data, length);
    }
    parcels_flush(parcels, 0);
    parcels_destroy(parcels);
    return 0;
}
