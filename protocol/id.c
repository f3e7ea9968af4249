/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "protocol/id.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#define CHECKSUM_BYTES 4
#define ID_BYTES       (ID_KEY_BYTES + CHECKSUM_BYTES)
#define ID_DIGITS      (ID_TEXT_LENGTH - 3)

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static void id_hash(const char *context, uint8_t round, const uint8_t key[ID_KEY_BYTES],
                    uint8_t out[32])
{
    crypto_generichash_state state;

    crypto_generichash_init(&state, (const uint8_t *)context, strlen(context), 32);
    crypto_generichash_update(&state, &round, 1);
    crypto_generichash_update(&state, key, ID_KEY_BYTES);
    crypto_generichash_final(&state, out, 32);
}

static void id_checksum(const uint8_t key[ID_KEY_BYTES], uint8_t out[CHECKSUM_BYTES])
{
    uint8_t hash[32];

    id_hash("PunchGuard id checksum", 0, key, hash);
    memcpy(out, hash, CHECKSUM_BYTES);
}

void id_encode(const uint8_t key[ID_KEY_BYTES], char out[ID_TEXT_LENGTH + 1])
{
    uint8_t bytes[ID_BYTES + 1] = {0};

    memcpy(bytes, key, ID_KEY_BYTES);
    id_checksum(key, bytes + ID_KEY_BYTES);
    memcpy(out, "PG1", 3);
    for (unsigned i = 0; i < ID_DIGITS; i++) {
        unsigned bit = i * 5;
        unsigned pair = (unsigned)bytes[bit / 8] << 8 | bytes[bit / 8 + 1];

        out[3 + i] = digits[pair >> (11 - bit % 8) & 31];
    }
    out[ID_TEXT_LENGTH] = '\0';
}

static int id_bits(const char *text, uint8_t bytes[ID_BYTES + 1], struct error *err)
{
    for (unsigned i = 0; i < ID_DIGITS; i++) {
        const char *at = text[3 + i] ? strchr(digits, text[3 + i]) : NULL;
        unsigned bit = i * 5, pair;

        if (at == NULL) {
            error_set(err, "bad-id", "character %u of the id, '%c', is not one of A-Z and 2-7",
                      i + 4, text[3 + i]);
            return -EINVAL;
        }
        pair = (unsigned)(at - digits) << (11 - bit % 8);
        bytes[bit / 8] |= (uint8_t)(pair >> 8);
        bytes[bit / 8 + 1] |= (uint8_t)pair;
    }
    return 0;
}

int id_decode(const char *text, uint8_t key[ID_KEY_BYTES], struct error *err)
{
    uint8_t bytes[ID_BYTES + 1] = {0}, checksum[CHECKSUM_BYTES];
    size_t length = strlen(text);

    if (strncmp(text, "PG1", 3) != 0) {
        error_set(err, "bad-id", "an id begins with PG1");
        return -EINVAL;
    }
    if (length != ID_TEXT_LENGTH) {
        error_set(err, "bad-id", "an id has %d characters, this has %zu", ID_TEXT_LENGTH, length);
        return -EINVAL;
    }
    if (id_bits(text, bytes, err) < 0)
        return -EINVAL;
    id_checksum(bytes, checksum);
    if (bytes[ID_BYTES] != 0) {
        error_set(err, "bad-id",
                  "the last character of the id, '%c', is wrong: its last two bits must be zero",
                  text[ID_TEXT_LENGTH - 1]);
        return -EINVAL;
    }
    if (memcmp(bytes + ID_KEY_BYTES, checksum, CHECKSUM_BYTES) != 0) {
        error_set(err, "bad-id", "the id's checksum does not fit: a character of it is mistyped");
        return -EINVAL;
    }
    memcpy(key, bytes, ID_KEY_BYTES);
    return 0;
}

/* fd50:4755:4152:4400::/64 */
static const uint8_t overlay_network[8] = {0xfd, 0x50, 0x47, 0x55, 0x41, 0x52, 0x44, 0x00};

bool id_is_overlay(const struct prefix *prefix)
{
    /* RFC 6598 */
    static const struct prefix shared = {.family = AF_INET, .address = {100, 64}, .length = 10};
    struct prefix network = {.family = AF_INET6, .length = 64};

    memcpy(network.address, overlay_network, sizeof overlay_network);
    return prefix_contains(prefix->family == AF_INET ? &shared : &network, prefix);
}

void id_overlay(const uint8_t key[ID_KEY_BYTES], struct prefix *ipv6, struct prefix *ipv4)
{
    uint8_t hash[32];

    memset(ipv6, 0, sizeof *ipv6);
    memset(ipv4, 0, sizeof *ipv4);
    id_hash("PunchGuard overlay IPv6", 0, key, hash);
    *ipv6 = (struct prefix){.family = AF_INET6, .length = 128};
    memcpy(ipv6->address, overlay_network, sizeof overlay_network);
    memcpy(ipv6->address + 8, hash, 8);
    *ipv4 = (struct prefix){.family = AF_INET, .length = 32};
    for (uint8_t round = 0;; round++) {
        id_hash("PunchGuard overlay IPv4", round, key, hash);
        ipv4->address[0] = 100;
        ipv4->address[1] = (uint8_t)(64 | (hash[0] & 0x3f));
        ipv4->address[2] = hash[1];
        ipv4->address[3] = hash[2];
        if (ipv4->address[1] != 100 || round == 255)
            return;
    }
}
