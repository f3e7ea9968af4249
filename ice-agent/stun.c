/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ice-agent/stun.h"

#include <sodium.h>
#include <string.h>

/* RFC 8489 sections 5 and 18.2. */
#define BINDING_REQUEST    0x01
#define BINDING_INDICATION 0x11
#define TRANSACTION_AT     4

static void make(uint8_t packet[STUN_HEADER_BYTES], uint8_t type, const uint8_t *transaction)
{
    memset(packet, 0, STUN_HEADER_BYTES);
    packet[1] = type;
    memcpy(packet + TRANSACTION_AT, transaction, STUN_TRANSACTION_BYTES);
}

void stun_make_request(uint8_t packet[STUN_HEADER_BYTES],
                       const uint8_t transaction[STUN_TRANSACTION_BYTES])
{
    make(packet, BINDING_REQUEST, transaction);
}

void stun_make_indication(uint8_t packet[STUN_HEADER_BYTES])
{
    uint8_t transaction[STUN_TRANSACTION_BYTES] = {0x21, 0x12, 0xA4, 0x42}; /* the magic cookie */

    randombytes_buf(transaction + 4, sizeof transaction - 4);
    make(packet, BINDING_INDICATION, transaction);
}

bool stun_is_response(const uint8_t *packet, size_t length,
                      const uint8_t transaction[STUN_TRANSACTION_BYTES])
{
    return length >= STUN_HEADER_BYTES && packet[0] == 0x01 && packet[1] == 0x01 &&
           memcmp(packet + TRANSACTION_AT, transaction, STUN_TRANSACTION_BYTES) == 0;
}
