/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Answers of STUN servers: only a success response with our transaction counts.
 */
#include <string.h>

#include "ice-agent/stun.h"
#include "tests/fuzz/fuzz.h"

static const uint8_t transaction[STUN_TRANSACTION_BYTES] = "0123456789abcdef";
static const uint8_t response[32] = "\x01\x01\x00\x0C"
                                    "0123456789abcdef"
                                    "\x00\x20\x00\x08\x00\x01\x12\x34\xCB\x00\x71\x07";

static const struct {
    const uint8_t *bytes;
    size_t length;
} seeds[] = {
    {response, sizeof response},
    {response, STUN_HEADER_BYTES},
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
    bool right = size >= STUN_HEADER_BYTES && data[0] == 1 && data[1] == 1 &&
                 memcmp(data + 4, transaction, sizeof transaction) == 0;

    INVARIANT(stun_is_response(data, size, transaction) == right);
    return 0;
}
