/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Every message of messages.def with right values, for tests and fuzzers. Made from the table apart
 * from protocol/message.c, so that a mistake there is seen.
 */
#ifndef TESTS_UNIT_WALK_H
#define TESTS_UNIT_WALK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/message.h"

struct walk_field {
    const char *name;
    enum field_kind kind;
    bool required;
    int64_t min, max; /* bytes of a text or of each item, range of a number; bytes of a HEX: both */
    size_t items;     /* most of a STRINGS */
    const char *words;
    char document; /* 'o' or 'a' */
};

struct walk_message {
    enum message_type id;
    const char *type;
    unsigned roles, directions;
    const struct walk_field *fields;
    size_t count;
};

extern const struct walk_message walk_messages[];
extern const size_t walk_count;

/* A right value of the field: the smallest, or else the largest. New reference. */
json_t *walk_value(const struct walk_field *field, bool largest);

/* The message with all fields, or with the required ones only. New reference. */
json_t *walk_object(const struct walk_message *message, bool optional, bool largest);

/* A text of so many bytes. New reference. */
json_t *walk_text(size_t length);

/* Any one of the roles, and of the directions, that the message is for. */
enum role walk_role(const struct walk_message *message);
enum direction walk_direction(const struct walk_message *message);

#endif
