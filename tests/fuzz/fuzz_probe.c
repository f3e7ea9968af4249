/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Datagrams on the pair: without the passwords nobody gets an answer, nor makes a pair alive.
 */
#include <sodium.h>
#include <string.h>

#include "ice-agent/probe.h"
#include "tests/fuzz/fuzz.h"

/* An ask and an answer under "first" and "second", and the like of STUN and WireGuard. */
static const uint8_t ask[PROBE_BYTES] = {'P', 'G', 'P',  '1',  'a',  1,    2,    3,    4,    5,   6,
                                         7,   8,   0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07};
static const uint8_t stun[20] = {0x00, 0x01, 0x00, 0x00, 0x21, 0x12, 0xA4, 0x42};
static const uint8_t wireguard[32] = {4, 0, 0, 0};

static const struct {
    const uint8_t *bytes;
    size_t length;
} seeds[] = {
    {ask, sizeof ask},
    {stun, sizeof stun},
    {wireguard, sizeof wireguard},
};

size_t fuzz_seed(size_t index, uint8_t *out, size_t space)
{
    size_t length = index < sizeof seeds / sizeof seeds[0] ? seeds[index].length : 0;

    INVARIANT(length <= space);
    if (length > 0)
        memcpy(out, seeds[index].bytes, length);
    return length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t packet[PROBE_BYTES], answer[PROBE_BYTES];
    struct probe probe;

    probe_init(&probe);
    probe_set_passwords(&probe, "first", "second");
    probe_start(&probe, 1000);
    INVARIANT(probe_ask(&probe, 1000, packet));
    INVARIANT(!probe_receive(&probe, 1010, data, size, answer));
    INVARIANT(probe.state == PROBE_TRYING);
    /* A packet of ours, with this written over its end. */
    if (size > 0 && size <= sizeof packet && memcmp(packet + sizeof packet - size, data, size)) {
        memcpy(packet + sizeof packet - size, data, size);
        INVARIANT(!probe_receive(&probe, 1010, packet, sizeof packet, answer));
    }
    return 0;
}
