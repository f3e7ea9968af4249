/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * message_decode(): the first byte of the input says for which role and direction, the rest is the
 * line. What decodes must encode to a line that decodes to the same message.
 */
#include <string.h>

#include <stdlib.h>

#include "protocol/line.h"
#include "protocol/message.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/walk.h"

static uint8_t selector(enum role role, enum direction direction)
{
    uint8_t number = 0;

    for (unsigned bit = (unsigned)role; bit > 1; bit >>= 1)
        number++;
    return (uint8_t)(number * 2 + (direction == FROM_HELPER));
}

size_t fuzz_seed(size_t index, uint8_t *out, size_t space)
{
    const struct walk_message *message;
    json_t *object;
    size_t length;

    if (index >= walk_count * 2)
        return 0;
    message = &walk_messages[index / 2];
    object = walk_object(message, true, false);
    for (size_t i = 0; index % 2 == 1 && i < message->count; i++)
        if (message->fields[i].max < 500)
            json_object_set_new(object, message->fields[i].name,
                                walk_value(&message->fields[i], true));
    out[0] = selector(walk_role(message), walk_direction(message));
    length = json_dumpb(object, (char *)out + 1, space - 1, JSON_COMPACT);
    json_decref(object);
    INVARIANT(length < space);
    return length + 1;
}

/* The encoded message without its newline; NULL where it would not fit a line: a number with an
 * exponent may be longer when written again. */
static char *encode(const struct message *message, size_t *length)
{
    struct error err;
    char *line = message_encode(message, length, &err);

    if (line == NULL) {
        invariant_error_told(&err);
        INVARIANT(strcmp(err.code, "too-long") == 0 && strstr(err.message, "the line") != NULL);
        return NULL;
    }
    INVARIANT(*length <= LINE_MAX_BYTES && strlen(line) == *length);
    INVARIANT(strcspn(line, "\n") == *length - 1);
    line[--*length] = '\0';
    return line;
}

static void round_trip(const struct message *message, enum role role, enum direction direction)
{
    struct message again;
    struct error err;
    size_t length, second_length;
    char *line = encode(message, &length), *second;

    if (line == NULL)
        return;
    INVARIANT(message_decode(line, length, role, direction, &again, NULL, &err) == 0);
    INVARIANT(again.type == message->type);
    second = encode(&again, &second_length);
    INVARIANT(second != NULL && strcmp(line, second) == 0);
    message_clear(&again);
    free(line);
    free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum role role;
    enum direction direction;
    struct message message;
    struct error err = {0};
    int64_t ref;

    if (size == 0)
        return 0;
    role = (enum role)(1u << data[0] / 2 % 6);
    direction = data[0] % 2 ? FROM_HELPER : TO_HELPER;
    if (message_decode((const char *)data + 1, size - 1, role, direction, &message, &ref, &err) <
        0) {
        invariant_error_told(&err);
        return 0;
    }
    if (message.type != MESSAGE_NONE)
        round_trip(&message, role, direction);
    message_clear(&message);
    return 0;
}
