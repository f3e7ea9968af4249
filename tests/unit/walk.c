/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/walk.h"

#include <stdlib.h>
#include <string.h>

#define REQUIRED true
#define OPTIONAL false

#define ROW(field, k, need, ...) {.name = #field, .kind = k, .required = need, __VA_ARGS__},

#define MESSAGE(roles, directions, name, type)                                                     \
    static const struct walk_field walk_fields_##name[] = {
#define STRING(name, field, need, lo, hi)  ROW(field, FIELD_STRING, need, .min = lo, .max = hi)
#define CHOICE(name, field, need, list)    ROW(field, FIELD_CHOICE, need, .words = list)
#define HEX(name, field, need, bytes)      ROW(field, FIELD_HEX, need, .min = bytes, .max = bytes)
#define KEY(name, field, need)             ROW(field, FIELD_KEY, need, .min = 44, .max = 44)
#define INTEGER(name, field, need, lo, hi) ROW(field, FIELD_INTEGER, need, .min = lo, .max = hi)
#define BOOLEAN(name, field, need)         ROW(field, FIELD_BOOLEAN, need, .words = NULL)
#define ENDPOINT(name, field, need)        ROW(field, FIELD_ENDPOINT, need, .min = 1, .max = 65535)
#define STRINGS(name, field, need, most, hi)                                                       \
    ROW(field, FIELD_STRINGS, need, .min = 1, .max = hi, .items = most)
#define DOCUMENT(name, field, need, form) ROW(field, FIELD_DOCUMENT, need, .document = form)
#define END(message_name)                                                                          \
    {                                                                                              \
        .name = NULL                                                                               \
    }                                                                                              \
    }                                                                                              \
    ;
#include "protocol/messages.def"
#include "protocol/messages.undef"

const struct walk_message walk_messages[] = {
#define MESSAGE(r, d, n, t)                                                                        \
    {.id = MESSAGE_##n,                                                                            \
     .type = t,                                                                                    \
     .roles = r,                                                                                   \
     .directions = d,                                                                              \
     .fields = walk_fields_##n,                                                                    \
     .count = sizeof walk_fields_##n / sizeof walk_fields_##n[0] - 1},
#define STRING(name, field, need, min, max)
#define CHOICE(name, field, need, words)
#define HEX(name, field, need, bytes)
#define KEY(name, field, need)
#define INTEGER(name, field, need, min, max)
#define BOOLEAN(name, field, need)
#define ENDPOINT(name, field, need)
#define STRINGS(name, field, need, count, max)
#define DOCUMENT(name, field, need, kind)
#define END(name)
#include "protocol/messages.def"
#include "protocol/messages.undef"
};

const size_t walk_count = sizeof walk_messages / sizeof walk_messages[0];

json_t *walk_text(size_t length)
{
    char *text = malloc(length + 1);
    json_t *value;

    for (size_t i = 0; text != NULL && i < length; i++)
        text[i] = (char)('a' + i % 26);
    value = json_stringn(text, length);
    free(text);
    return value;
}

static json_t *value_hex(int64_t bytes, bool largest)
{
    char text[200];

    memset(text, largest ? 'F' : '0', (size_t)bytes * 2);
    return json_stringn(text, (size_t)bytes * 2);
}

static json_t *value_choice(const char *words, bool last)
{
    const char *begin = last && strrchr(words, '|') ? strrchr(words, '|') + 1 : words;

    return json_stringn(begin, strcspn(begin, "|"));
}

static json_t *value_strings(const struct walk_field *field, bool largest)
{
    json_t *list = json_array();

    for (size_t i = 0; largest && i < field->items; i++)
        json_array_append_new(list, walk_text(i == 0 ? (size_t)field->max : 1));
    return list;
}

static json_t *value_document(char form, bool largest)
{
    if (form == 'o')
        return largest ? json_pack("{s:[i, f, n], s:{}}", "a", 1, 0.25, "b") : json_object();
    return largest ? json_pack("[{s:s}, b]", "server", "x", 1) : json_array();
}

json_t *walk_value(const struct walk_field *field, bool largest)
{
    switch (field->kind) {
    case FIELD_STRING:
        return walk_text((size_t)(largest ? field->max : field->min));
    case FIELD_CHOICE:
        return value_choice(field->words, largest);
    case FIELD_HEX:
        return value_hex(field->min, largest);
    case FIELD_KEY:
        return json_string(largest ? "//////////////////////////////////////////8="
                                   : "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    case FIELD_INTEGER:
        return json_integer(largest ? field->max : field->min);
    case FIELD_BOOLEAN:
        return json_boolean(largest);
    case FIELD_ENDPOINT:
        return json_pack("{s:s, s:i}", "address", largest ? "2001:db8::1" : "192.0.2.1", "port",
                         largest ? 65535 : 1);
    case FIELD_STRINGS:
        return value_strings(field, largest);
    case FIELD_DOCUMENT:
        return value_document(field->document, largest);
    }
    return NULL;
}

json_t *walk_object(const struct walk_message *message, bool optional, bool largest)
{
    json_t *object = json_pack("{s:s}", "type", message->type);

    for (size_t i = 0; i < message->count; i++)
        if (optional || message->fields[i].required)
            json_object_set_new(object, message->fields[i].name,
                                walk_value(&message->fields[i], largest));
    return object;
}

enum role walk_role(const struct walk_message *message)
{
    return (enum role)(message->roles & (~message->roles + 1));
}

enum direction walk_direction(const struct walk_message *message)
{
    return message->directions & TO_HELPER ? TO_HELPER : FROM_HELPER;
}
