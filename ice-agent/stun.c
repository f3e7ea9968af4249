/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ice-agent/stun.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

/* RFC 8489 sections 5 and 18.2. */
#define BINDING_REQUEST    0x01
#define BINDING_INDICATION 0x11
#define BINDING_RESPONSE   0x0101
#define BINDING_REFUSAL    0x0111
#define LENGTH_AT          2
#define TRANSACTION_AT     4
#define COOKIE_BYTES       4
/* RFC 8489 section 14: type and length, then the value, filled up to a multiple of 4. */
#define ATTRIBUTE_BYTES 4
/* RFC 8489 section 18.3, RFC 5780 section 9.1. */
#define MAPPED_ADDRESS     0x0001
#define CHANGE_REQUEST     0x0003
#define XOR_MAPPED_ADDRESS 0x0020
#define RESPONSE_ORIGIN    0x802b
#define OTHER_ADDRESS      0x802c
/* RFC 8489 section 14.1. */
#define FAMILY_IPV4 1
#define FAMILY_IPV6 2

static const uint8_t cookie[COOKIE_BYTES] = {0x21, 0x12, 0xA4, 0x42};

static unsigned get16(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

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
    uint8_t transaction[STUN_TRANSACTION_BYTES];

    stun_make_transaction(transaction);
    make(packet, BINDING_INDICATION, transaction);
}

bool stun_is_response(const uint8_t *packet, size_t length,
                      const uint8_t transaction[STUN_TRANSACTION_BYTES])
{
    return length >= STUN_HEADER_BYTES && packet[0] == 0x01 && packet[1] == 0x01 &&
           memcmp(packet + TRANSACTION_AT, transaction, STUN_TRANSACTION_BYTES) == 0;
}

void stun_make_transaction(uint8_t transaction[STUN_TRANSACTION_BYTES])
{
    memcpy(transaction, cookie, COOKIE_BYTES);
    randombytes_buf(transaction + COOKIE_BYTES, STUN_TRANSACTION_BYTES - COOKIE_BYTES);
}

size_t stun_make_change_request(uint8_t packet[STUN_REQUEST_MAX],
                                const uint8_t transaction[STUN_TRANSACTION_BYTES], unsigned change)
{
    uint8_t *attribute = packet + STUN_HEADER_BYTES;

    make(packet, BINDING_REQUEST, transaction);
    if (change == 0)
        return STUN_HEADER_BYTES;
    packet[LENGTH_AT + 1] = STUN_REQUEST_MAX - STUN_HEADER_BYTES;
    memset(attribute, 0, STUN_REQUEST_MAX - STUN_HEADER_BYTES);
    attribute[1] = CHANGE_REQUEST;
    attribute[3] = 4;
    attribute[7] = (uint8_t)change;
    return STUN_REQUEST_MAX;
}

/* `key` is what the address was put in exclusive or with (RFC 8489 section 14.2). */
static int address_read(struct endpoint *endpoint, const uint8_t *value, size_t length,
                        const uint8_t key[STUN_TRANSACTION_BYTES])
{
    uint8_t bytes[16];
    char text[INET6_ADDRSTRLEN];
    size_t size;
    int family;

    if (length < 4 || (value[1] != FAMILY_IPV4 && value[1] != FAMILY_IPV6))
        return -EBADMSG;
    family = value[1] == FAMILY_IPV4 ? AF_INET : AF_INET6;
    size = family == AF_INET ? 4 : 16;
    if (length != 4 + size)
        return -EBADMSG;
    for (size_t i = 0; i < size; i++)
        bytes[i] = value[4 + i] ^ key[i];
    inet_ntop(family, bytes, text, sizeof text);
    endpoint_set(endpoint, text, (uint16_t)(get16(value + 2) ^ get16(key)));
    return endpoint->port == 0 ? -EBADMSG : 0;
}

/* Where an attribute goes; NULL for one that is not read. */
static struct endpoint *attribute_slot(struct stun_response *response, struct endpoint *plain,
                                       unsigned type)
{
    switch (type) {
    case MAPPED_ADDRESS:
        return plain;
    case XOR_MAPPED_ADDRESS:
        return &response->mapped;
    case OTHER_ADDRESS:
        return &response->other;
    case RESPONSE_ORIGIN:
        return &response->origin;
    default:
        return NULL;
    }
}

/* Of two alike the first counts (RFC 8489 section 14). The other addresses are extras: servers that
 * have none send zeros. */
static int attribute_read(struct stun_response *response, struct endpoint *plain, unsigned type,
                          const uint8_t *value, size_t length, const uint8_t *transaction)
{
    static const uint8_t no_key[STUN_TRANSACTION_BYTES];
    const uint8_t *key = type == XOR_MAPPED_ADDRESS ? transaction : no_key;
    struct endpoint *into = attribute_slot(response, plain, type);

    if (into == NULL || into->port != 0 || address_read(into, value, length, key) == 0)
        return 0;
    memset(into, 0, sizeof *into);
    return into == plain || into == &response->mapped ? -EBADMSG : 0;
}

static int attributes_read(struct stun_response *response, const uint8_t *at, const uint8_t *end,
                           const uint8_t *transaction)
{
    struct endpoint plain = {.port = 0};

    while (at < end) {
        size_t length, space;

        if (end - at < ATTRIBUTE_BYTES)
            return -EBADMSG;
        length = get16(at + 2);
        space = ATTRIBUTE_BYTES + (length + 3) / 4 * 4;
        if ((size_t)(end - at) < space ||
            attribute_read(response, &plain, get16(at), at + ATTRIBUTE_BYTES, length, transaction) <
                0)
            return -EBADMSG;
        at += space;
    }
    /* The form with exclusive or, which no gateway on the way can have rewritten, counts first. */
    if (response->mapped.port == 0)
        response->mapped = plain;
    return 0;
}

int stun_read_response(struct stun_response *response, const uint8_t *packet, size_t length,
                       const uint8_t transaction[STUN_TRANSACTION_BYTES])
{
    unsigned type;

    memset(response, 0, sizeof *response);
    if (length < STUN_HEADER_BYTES || get16(packet + LENGTH_AT) != length - STUN_HEADER_BYTES ||
        memcmp(packet + TRANSACTION_AT, transaction, STUN_TRANSACTION_BYTES) != 0)
        return -EBADMSG;
    type = get16(packet);
    if (type != BINDING_RESPONSE && type != BINDING_REFUSAL)
        return -EBADMSG;
    response->refused = type == BINDING_REFUSAL;
    if (attributes_read(response, packet + STUN_HEADER_BYTES, packet + length, transaction) < 0)
        return -EBADMSG;
    return response->refused || response->mapped.port != 0 ? 0 : -EBADMSG;
}
