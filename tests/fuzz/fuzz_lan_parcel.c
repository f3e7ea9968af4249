/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Packets of a peer's, each after two bytes of its length: what comes out is text of at most 16
 * KiB, and a message that was not posted is never acknowledged.
 */
#include <sodium.h>
#include <string.h>

#include "signal-lan/parcel.h"
#include "tests/fuzz/fuzz.h"

/* A message in one piece, the same again; an acknowledgement; two pieces in the wrong order. */
static const uint8_t one[] = {0, 14, 3, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 'y', 'e', 's',
                              0, 14, 3, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 'y', 'e', 's'};
static const uint8_t ack[] = {0, 13, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
static const uint8_t two[2 + 13 + 2 + PARCEL_PACKET_MAX] = {
    0,    13,   3, 9, 9, 9, 9, 9, 9, 9, 9, 1, 2, 'e', 'n',
    0x04, 0x58, 3, 9, 9, 9, 9, 9, 9, 9, 9, 0, 2, 'b', 'e'};

static const struct {
    const uint8_t *bytes;
    size_t length;
} seeds[] = {{one, sizeof one}, {ack, sizeof ack}, {two, sizeof two}};

size_t fuzz_seed(size_t index, uint8_t *out, size_t space)
{
    size_t length = index < sizeof seeds / sizeof seeds[0] ? seeds[index].length : 0;

    INVARIANT(length <= space);
    if (length > 0)
        memcpy(out, seeds[index].bytes, length);
    return length;
}

static void on_send(void *data, const uint8_t *packet, size_t length)
{
    (void)data;
    INVARIANT(length > 1 && length <= PARCEL_PACKET_MAX);
    INVARIANT(packet[0] == PARCEL_KIND_PIECE || packet[0] == PARCEL_KIND_ACK);
}

static void on_delivered(void *data, int64_t ref)
{
    (void)data;
    (void)ref;
    INVARIANT(!"delivered");
}

static void on_received(void *data, const char *text, size_t length)
{
    (void)data;
    INVARIANT(length > 0 && length <= PARCEL_DATA_MAX);
    INVARIANT(strlen(text) == length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct parcel_events events = {
        .send = on_send, .delivered = on_delivered, .received = on_received};
    struct parcels *parcels = parcels_new(&events);
    size_t length;

    INVARIANT(parcels != NULL && parcels_post(parcels, 1, "waiting", 0) == 0);
    for (; size >= 2; data += length, size -= length) {
        length = (size_t)data[0] << 8 | data[1];
        data += 2;
        size -= 2;
        length = length < size ? length : size;
        parcels_packet(parcels, data, length);
    }
    parcels_work(parcels, 1);
    parcels_destroy(parcels);
    return 0;
}
