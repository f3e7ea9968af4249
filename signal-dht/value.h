/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One value of the DHT as the two peers understand it, before the seal goes on. Numbers are
 * big-endian:
 *
 *   version (1 byte, 1), flags (1 byte: 1 is a goodbye)
 *   from (8), to (8)       instances: a random number for each life of each side; `to` is 0 where
 * it is not known counter (8)            grows with each value of `from`, from 1 settled (8), mask
 * (8)  of the messages of `to`: all up to this number have come or are given up by their sender,
 *                          and of the 64 after it those whose bit is set (the lowest is the next)
 *   base (8)               of the messages of `from`: all before this number have come or are given
 * up messages: offset from base (1), length (2), bytes zeros
 */
#ifndef SIGNAL_DHT_VALUE_H
#define SIGNAL_DHT_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VALUE_HEAD         50
#define VALUE_MESSAGE_HEAD 3
#define VALUE_DATA_MAX     16384
/* Messages that may be under way at a time. */
#define VALUE_WINDOW 64
/* OpenDHT sends up to 600 bytes in one datagram (network_engine.h, MAX_PACKET_VALUE_SIZE), of which
 * its own fields and the seal take some. */
#define VALUE_SMALL 496
#define VALUE_MAX   16448

struct value {
    bool bye;
    uint64_t from, to, counter, settled, mask, base;
    const uint8_t *messages; /* in what was read */
    size_t length;           /* of the messages, with the zeros */
};

struct value_message {
    uint64_t number;
    const char *text; /* not terminated */
    size_t length;
};

/* Writes the head; returns VALUE_HEAD. */
size_t value_write(const struct value *value, uint8_t *out);
/* Appends a message at `length`; returns the new length. The caller knows that there is room. */
size_t value_append(uint8_t *out, size_t length, const struct value *value,
                    const struct value_message *message);
/* Fills with zeros up to one of a few sizes, so that lengths tell little; returns it. `out` has
 * VALUE_MAX bytes. */
size_t value_pad(uint8_t *out, size_t length);

/* 0, or -EBADMSG. The value points into `bytes`. */
int value_read(struct value *value, const uint8_t *bytes, size_t length);
/* Takes the next message off the value; false past the last, or where the rest makes no sense. */
bool value_next(struct value *value, struct value_message *message);

#endif
