/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "signal-dht/value.h"

#include <errno.h>
#include <string.h>

#define VERSION 1
#define BYE     1
/* More messages than any life has: what is beyond could overflow. */
#define NUMBER_MAX (UINT64_MAX / 2)

static void write_number(uint8_t *out, uint64_t number)
{
    for (int i = 7; i >= 0; i--, number >>= 8)
        out[i] = (uint8_t)number;
}

static uint64_t read_number(const uint8_t *in)
{
    uint64_t number = 0;

    for (int i = 0; i < 8; i++)
        number = number << 8 | in[i];
    return number;
}

size_t value_write(const struct value *value, uint8_t *out)
{
    out[0] = VERSION;
    out[1] = value->bye ? BYE : 0;
    write_number(out + 2, value->from);
    write_number(out + 10, value->to);
    write_number(out + 18, value->counter);
    write_number(out + 26, value->settled);
    write_number(out + 34, value->mask);
    write_number(out + 42, value->base);
    return VALUE_HEAD;
}

size_t value_append(uint8_t *out, size_t length, const struct value *value,
                    const struct value_message *message)
{
    out[length] = (uint8_t)(message->number - value->base);
    out[length + 1] = (uint8_t)(message->length >> 8);
    out[length + 2] = (uint8_t)message->length;
    memcpy(out + length + VALUE_MESSAGE_HEAD, message->text, message->length);
    return length + VALUE_MESSAGE_HEAD + message->length;
}

size_t value_pad(uint8_t *out, size_t length)
{
    static const size_t sizes[] = {160, VALUE_SMALL, 1024, 2048, 4096, 8192, VALUE_MAX};
    size_t i = 0;

    while (sizes[i] < length)
        i++;
    memset(out + length, 0, sizes[i] - length);
    return sizes[i];
}

int value_read(struct value *value, const uint8_t *bytes, size_t length)
{
    if (length < VALUE_HEAD || length > VALUE_MAX || bytes[0] != VERSION)
        return -EBADMSG;
    value->bye = (bytes[1] & BYE) != 0;
    value->from = read_number(bytes + 2);
    value->to = read_number(bytes + 10);
    value->counter = read_number(bytes + 18);
    value->settled = read_number(bytes + 26);
    value->mask = read_number(bytes + 34);
    value->base = read_number(bytes + 42);
    value->messages = bytes + VALUE_HEAD;
    value->length = length - VALUE_HEAD;
    if (value->from == 0 || value->counter == 0 || value->base == 0 || value->base > NUMBER_MAX)
        return -EBADMSG;
    return 0;
}

bool value_next(struct value *value, struct value_message *message)
{
    const uint8_t *at = value->messages;
    size_t length;

    if (value->length < VALUE_MESSAGE_HEAD)
        return false;
    length = (size_t)at[1] << 8 | at[2];
    if (length == 0 || length > VALUE_DATA_MAX || at[0] >= VALUE_WINDOW ||
        length > value->length - VALUE_MESSAGE_HEAD)
        return false;
    message->number = value->base + at[0];
    message->text = (const char *)at + VALUE_MESSAGE_HEAD;
    message->length = length;
    value->messages += VALUE_MESSAGE_HEAD + length;
    value->length -= VALUE_MESSAGE_HEAD + length;
    return true;
}
