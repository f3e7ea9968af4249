/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Answers of STUN servers: only a success response with our transaction counts.
 */
#include <stdlib.h>
#include <string.h>

#include "ice-agent/stun.h"
#include "tests/fuzz/mutate.h"

static const uint8_t transaction[STUN_TRANSACTION_BYTES] = "0123456789abcdef";
static const uint8_t response[32] = "\x01\x01\x00\x0C"
                                    "0123456789abcdef"
                                    "\x00\x20\x00\x08\x00\x01\x12\x34\xCB\x00\x71\x07";

const struct seed fuzz_seeds[] = {
    {response, sizeof response},
    {response, STUN_HEADER_BYTES},
    {NULL, 0},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool right = size >= STUN_HEADER_BYTES && data[0] == 1 && data[1] == 1 &&
                 memcmp(data + 4, transaction, sizeof transaction) == 0;

    if (stun_is_response(data, size, transaction) != right)
        abort();
    return 0;
}
