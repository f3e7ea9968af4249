/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Answers of STUN servers: only a success response with our transaction counts, and one that is
 * read whole tells numeric endpoints.
 */
#include <string.h>

#include "ice-agent/stun.h"
#include "tests/fuzz/fuzz.h"

static const uint8_t transaction[STUN_TRANSACTION_BYTES] = "0123456789abcdef";
static const uint8_t success[32] = "\x01\x01\x00\x0C"
                                   "0123456789abcdef"
                                   "\x00\x20\x00\x08\x00\x01\x12\x34\xCB\x00\x71\x07";

/* RESPONSE-ORIGIN, XOR-MAPPED-ADDRESS over IPv6, OTHER-ADDRESS, SOFTWARE. */
static const uint8_t full[76] = "\x01\x01\x00\x38"
                                "0123456789abcdef"
                                "\x80\x2B\x00\x08\x00\x01\x0D\x96\xCB\x00\x71\x0B"
                                "\x00\x20\x00\x14\x00\x02\x12\x34"
                                "fedcba9876543210"
                                "\x80\x2C\x00\x08\x00\x01\x0D\x97\xCB\x00\x71\x0D"
                                "\x80\x22\x00\x02"
                                "ab\0\0";
static const uint8_t refusal[28] = "\x01\x11\x00\x08"
                                   "0123456789abcdef"
                                   "\x00\x09\x00\x04\x00\x00\x04\x14";

static const struct {
    const uint8_t *bytes;
    size_t length;
} seeds[] = {
    {success, sizeof success},
    {success, STUN_HEADER_BYTES},
    {full, sizeof full},
    {refusal, sizeof refusal},
};

size_t fuzz_seed(size_t index, uint8_t *out, size_t space)
{
    size_t length = index < sizeof seeds / sizeof seeds[0] ? seeds[index].length : 0;

    INVARIANT(length <= space);
    if (length > 0)
        memcpy(out, seeds[index].bytes, length);
    return length;
}

static bool endpoint_is_right(const struct endpoint *endpoint)
{
    struct sockaddr_storage address;

    return endpoint->port != 0 && endpoint_to_sockaddr(endpoint, &address) > 0;
}

static void read_response(const uint8_t *data, size_t size)
{
    struct stun_response response;

    if (stun_read_response(&response, data, size, transaction) < 0)
        return;
    INVARIANT(response.refused || stun_is_response(data, size, transaction));
    INVARIANT(response.refused || endpoint_is_right(&response.mapped));
    INVARIANT(response.other.port == 0 || endpoint_is_right(&response.other));
    INVARIANT(response.origin.port == 0 || endpoint_is_right(&response.origin));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool right = size >= STUN_HEADER_BYTES && data[0] == 1 && data[1] == 1 &&
                 memcmp(data + 4, transaction, sizeof transaction) == 0;

    INVARIANT(stun_is_response(data, size, transaction) == right);
    read_response(data, size);
    return 0;
}
