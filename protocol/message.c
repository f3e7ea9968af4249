/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "protocol/message.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/line.h"

#define REQUIRED true
#define OPTIONAL false

#define FIELD(message_name, field, k, need, lo, hi, w)                                             \
    {.name = #field,                                                                               \
     .kind = k,                                                                                    \
     .required = need,                                                                             \
     .offset = offsetof(struct message, message_name.field),                                       \
     .min = lo,                                                                                    \
     .max = hi,                                                                                    \
     .words = w},

/* The empty last item gives messages without fields an array. */
#define MESSAGE(roles, directions, name, type) static const struct message_field fields_##name[] = {
#define STRING(name, field, need, min, max)    FIELD(name, field, FIELD_STRING, need, min, max, NULL)
#define CHOICE(name, field, need, words)       FIELD(name, field, FIELD_CHOICE, need, 1, 64, words)
#define HEX(name, field, need, bytes)          FIELD(name, field, FIELD_HEX, need, bytes, bytes, NULL)
#define KEY(name, field, need)                 FIELD(name, field, FIELD_KEY, need, 44, 44, NULL)
#define INTEGER(name, field, need, min, max)   FIELD(name, field, FIELD_INTEGER, need, min, max, NULL)
#define BOOLEAN(name, field, need)             FIELD(name, field, FIELD_BOOLEAN, need, 0, 1, NULL)
#define ENDPOINT(name, field, need)            FIELD(name, field, FIELD_ENDPOINT, need, 1, 65535, NULL)
#define STRINGS(name, field, need, count, max)                                                     \
    FIELD(name, field, FIELD_STRINGS, need, count, max, NULL)
#define DOCUMENT(name, field, need, type) FIELD(name, field, FIELD_DOCUMENT, need, type, type, NULL)
#define END(message_name)                                                                          \
    {                                                                                              \
        .name = NULL                                                                               \
    }                                                                                              \
    }                                                                                              \
    ;
#include "protocol/messages.def"
#include "protocol/messages.undef"

static const struct message_shape shapes[MESSAGE_COUNT] = {
#define MESSAGE(r, d, n, t)                                                                        \
    [MESSAGE_##n] = {.type = t,                                                                    \
                     .roles = r,                                                                   \
                     .directions = d,                                                              \
                     .fields = fields_##n,                                                         \
                     .field_count = sizeof fields_##n / sizeof fields_##n[0] - 1},
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

const struct message_shape *message_shape(enum message_type type)
{
    return type > MESSAGE_NONE && type < MESSAGE_COUNT ? &shapes[type] : NULL;
}

const char *message_type_name(enum message_type type)
{
    return type > MESSAGE_NONE && type < MESSAGE_COUNT ? shapes[type].type : "none";
}

static void *field_at(struct message *message, const struct message_field *field)
{
    return (char *)message + field->offset;
}

static const void *field_in(const struct message *message, const struct message_field *field)
{
    return (const char *)message + field->offset;
}

void message_init(struct message *message, enum message_type type)
{
    const struct message_shape *shape = message_shape(type);

    memset(message, 0, sizeof *message);
    message->type = type;
    for (size_t i = 0; shape != NULL && i < shape->field_count; i++)
        if (shape->fields[i].kind == FIELD_INTEGER)
            *(int64_t *)field_at(message, &shape->fields[i]) = MESSAGE_ABSENT;
}

static enum message_type type_find(const char *type, enum role role, enum direction direction)
{
    for (enum message_type i = MESSAGE_NONE + 1; i < MESSAGE_COUNT; i++)
        if ((shapes[i].roles & (unsigned)role) && (shapes[i].directions & (unsigned)direction) &&
            strcmp(shapes[i].type, type) == 0)
            return i;
    return MESSAGE_NONE;
}

static int fail(struct error *err, const char *code, const char *type, const char *field,
                const char *right)
{
    error_set(err, code, "%s: the field '%s' %s", type, field, right);
    return -EINVAL;
}

static bool word_among(const char *word, const char *words)
{
    size_t length = strcspn(word, "|");

    if (length == 0 || word[length] != '\0')
        return false;
    for (const char *at = words; at != NULL; at = strchr(at, '|')) {
        at += *at == '|';
        if (strncmp(at, word, length) == 0 && (at[length] == '|' || at[length] == '\0'))
            return true;
    }
    return false;
}

static bool is_hex(const char *text, int64_t bytes)
{
    return strlen(text) == (size_t)bytes * 2 &&
           strspn(text, "0123456789abcdefABCDEF") == (size_t)bytes * 2;
}

static bool is_key(const char *text)
{
    unsigned char key[32];
    size_t length;
    bool ok = sodium_base642bin(key, sizeof key, text, strlen(text), NULL, &length, NULL,
                                sodium_base64_VARIANT_ORIGINAL) == 0 &&
              length == sizeof key;

    sodium_memzero(key, sizeof key);
    return ok;
}

/* Whether a text fits its field; used in both directions. */
static int text_check(const struct message_field *field, const char *type, const char *text,
                      struct error *err)
{
    char right[160];
    size_t length = strlen(text);

    switch (field->kind) {
    case FIELD_CHOICE:
        if (word_among(text, field->words))
            return 0;
        snprintf(right, sizeof right, "is none of %s", field->words);
        return fail(err, "bad-value", type, field->name, right);
    case FIELD_HEX:
        if (is_hex(text, field->min))
            return 0;
        snprintf(right, sizeof right, "must have %" PRId64 " hex digits", field->min * 2);
        return fail(err, "bad-value", type, field->name, right);
    case FIELD_KEY:
        if (is_key(text))
            return 0;
        return fail(err, "bad-value", type, field->name, "must be a key of 32 bytes in base64");
    default:
        if (length >= (size_t)field->min && length <= (size_t)field->max)
            return 0;
        snprintf(right, sizeof right,
                 "has %zu bytes; %" PRId64 " to %" PRId64 " bytes are right", length, field->min,
                 field->max);
        return fail(err, length > (size_t)field->max ? "too-long" : "too-short", type, field->name,
                    right);
    }
}

static int wrong_type(const struct message_field *field, const char *type, const char *right,
                      struct error *err)
{
    return fail(err, "wrong-type", type, field->name, right);
}

static int decode_text(const json_t *value, const struct message_field *field, const char *type,
                       char **out, struct error *err)
{
    const char *text = json_string_value(value);

    if (text == NULL)
        return wrong_type(field, type, "must be a string", err);
    if (text_check(field, type, text, err) < 0)
        return -EINVAL;
    *out = strdup(text);
    return *out ? 0 : -ENOMEM;
}

static int integer_check(const struct message_field *field, const char *type, int64_t value,
                         struct error *err)
{
    char right[120];

    if (value >= field->min && value <= field->max)
        return 0;
    snprintf(right, sizeof right, "must be between %" PRId64 " and %" PRId64, field->min,
             field->max);
    return fail(err, "out-of-range", type, field->name, right);
}

static int decode_integer(const json_t *value, const struct message_field *field, const char *type,
                          int64_t *out, struct error *err)
{
    if (!json_is_integer(value))
        return wrong_type(field, type, "must be an integer", err);
    *out = json_integer_value(value);
    return integer_check(field, type, *out, err);
}

static int endpoint_check(const struct message_field *field, const char *type, const char *address,
                          int64_t port, struct endpoint *out, struct error *err)
{
    if (port < 1 || port > 65535)
        return fail(err, "out-of-range", type, field->name, "must have a port from 1 to 65535");
    if (endpoint_set(out, address, (uint16_t)port) < 0)
        return fail(err, "bad-value", type, field->name, "must have a numeric IP address");
    return 0;
}

static int decode_endpoint(const json_t *value, const struct message_field *field, const char *type,
                           struct endpoint *out, struct error *err)
{
    const char *address = json_string_value(json_object_get(value, "address"));
    const json_t *port = json_object_get(value, "port");

    if (address == NULL || !json_is_integer(port))
        return wrong_type(field, type, "must be {\"address\":\"…\",\"port\":…}", err);
    return endpoint_check(field, type, address, json_integer_value(port), out, err);
}

static int count_check(const struct message_field *field, const char *type, size_t count,
                       struct error *err)
{
    char right[120];

    if (count <= (size_t)field->min)
        return 0;
    snprintf(right, sizeof right, "has %zu items, at most %" PRId64 " are right", count,
             field->min);
    return fail(err, "too-many", type, field->name, right);
}

static int item_check(const struct message_field *field, const char *type, size_t index,
                      const char *text, struct error *err)
{
    size_t length = strlen(text);
    char right[160];

    if (length >= 1 && length <= (size_t)field->max)
        return 0;
    snprintf(right, sizeof right,
             "has %zu bytes in item %zu (from 0); 1 to %" PRId64 " bytes are right", length, index,
             field->max);
    return fail(err, length ? "too-long" : "too-short", type, field->name, right);
}

static int decode_strings(const json_t *value, const struct message_field *field, const char *type,
                          struct strings *out, struct error *err)
{
    size_t count = json_array_size(value);

    if (!json_is_array(value))
        return wrong_type(field, type, "must be an array of strings", err);
    if (count_check(field, type, count, err) < 0)
        return -EINVAL;
    out->items = calloc(count + 1, sizeof *out->items);
    if (out->items == NULL)
        return -ENOMEM;
    for (; out->count < count; out->count++) {
        const char *text = json_string_value(json_array_get(value, out->count));

        if (text == NULL)
            return wrong_type(field, type, "must be an array of strings", err);
        if (item_check(field, type, out->count, text, err) < 0)
            return -EINVAL;
        out->items[out->count] = strdup(text);
        if (out->items[out->count] == NULL)
            return -ENOMEM;
    }
    return 0;
}

static int document_check(const json_t *value, const struct message_field *field, const char *type,
                          struct error *err)
{
    if (field->min == 'o' && !json_is_object(value))
        return wrong_type(field, type, "must be an object", err);
    if (field->min == 'a' && !json_is_array(value))
        return wrong_type(field, type, "must be an array", err);
    return 0;
}

static int decode_document(const json_t *value, const struct message_field *field, const char *type,
                           char **out, struct error *err)
{
    if (document_check(value, field, type, err) < 0)
        return -EINVAL;
    *out = json_dumps(value, JSON_COMPACT);
    return *out ? 0 : -ENOMEM;
}

static int decode_field(const json_t *value, const struct message_field *field, const char *type,
                        void *out, struct error *err)
{
    switch (field->kind) {
    case FIELD_STRING:
    case FIELD_CHOICE:
    case FIELD_HEX:
    case FIELD_KEY:
        return decode_text(value, field, type, out, err);
    case FIELD_INTEGER:
        return decode_integer(value, field, type, out, err);
    case FIELD_BOOLEAN:
        if (!json_is_boolean(value))
            return wrong_type(field, type, "must be true or false", err);
        *(bool *)out = json_is_true(value);
        return 0;
    case FIELD_ENDPOINT:
        return decode_endpoint(value, field, type, out, err);
    case FIELD_STRINGS:
        return decode_strings(value, field, type, out, err);
    case FIELD_DOCUMENT:
        return decode_document(value, field, type, out, err);
    }
    return -EINVAL;
}

static int decode_fields(const json_t *root, struct message *message, struct error *err)
{
    const struct message_shape *shape = &shapes[message->type];

    for (size_t i = 0; i < shape->field_count; i++) {
        const struct message_field *field = &shape->fields[i];
        const json_t *value = json_object_get(root, field->name);
        int rc;

        if (value == NULL && !field->required)
            continue;
        if (value == NULL)
            return fail(err, "missing-field", shape->type, field->name, "is missing");
        rc = decode_field(value, field, shape->type, field_at(message, field), err);
        if (rc == -ENOMEM)
            error_set(err, "no-memory", "out of memory");
        if (rc < 0)
            return rc;
    }
    return 0;
}

static json_t *line_load(const char *text, size_t length, struct error *err)
{
    json_error_t problem;
    json_t *root = NULL;

    /* jansson overlooks a NUL byte that follows a number. */
    if (length > 0 && memchr(text, '\0', length) != NULL) {
        error_set(err, "bad-json", "a NUL byte is in the line; one JSON object in UTF-8 is right");
        return NULL;
    }
    root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &problem);
    if (root != NULL && json_is_object(root))
        return root;
    if (root != NULL)
        error_set(err, "bad-json", "a line must hold one JSON object");
    else if (json_error_code(&problem) == json_error_duplicate_key)
        error_set(err, "duplicate-key", "column %d: %.200s; each key may come once", problem.column,
                  problem.text);
    else
        error_set(err, "bad-json", "column %d: %.200s; a line must hold one JSON object in UTF-8",
                  problem.column, problem.text);
    json_decref(root);
    return NULL;
}

int message_decode(const char *text, size_t length, enum role role, enum direction direction,
                   struct message *message, int64_t *ref, struct error *err)
{
    json_t *root = line_load(text, length, err);
    const char *type = json_string_value(json_object_get(root, "type"));
    const json_t *number = json_object_get(root, "ref");
    int rc = -EINVAL;

    message_init(message, MESSAGE_NONE);
    if (ref != NULL)
        *ref = json_is_integer(number) && json_integer_value(number) >= 0
                   ? json_integer_value(number)
                   : MESSAGE_ABSENT;
    if (root == NULL)
        return -EINVAL;
    if (type == NULL) {
        bool there = json_object_get(root, "type") != NULL;

        error_set(err, there ? "wrong-type" : "missing-field", "the field 'type' %s",
                  there ? "must be a string" : "is missing");
        goto out;
    }
    message_init(message, type_find(type, role, direction));
    rc = message->type == MESSAGE_NONE ? 0 : decode_fields(root, message, err);
    if (rc < 0)
        message_clear(message);
out:
    json_decref(root);
    return rc;
}

static void strings_clear(struct strings *strings)
{
    for (size_t i = 0; i < strings->count; i++)
        free(strings->items[i]);
    free(strings->items);
}

void message_clear(struct message *message)
{
    const struct message_shape *shape = message_shape(message->type);

    for (size_t i = 0; shape != NULL && i < shape->field_count; i++) {
        const struct message_field *field = &shape->fields[i];

        switch (field->kind) {
        case FIELD_INTEGER:
        case FIELD_BOOLEAN:
        case FIELD_ENDPOINT:
            break;
        case FIELD_STRINGS:
            strings_clear(field_at(message, field));
            break;
        default:
            free(*(char **)field_at(message, field));
            break;
        }
    }
    message_init(message, MESSAGE_NONE);
}

static bool field_absent(const struct message_field *field, const void *in)
{
    switch (field->kind) {
    case FIELD_INTEGER:
        return *(const int64_t *)in == MESSAGE_ABSENT;
    case FIELD_BOOLEAN:
        return !*(const bool *)in && !field->required;
    case FIELD_ENDPOINT:
        return ((const struct endpoint *)in)->address[0] == '\0';
    case FIELD_STRINGS:
        return ((const struct strings *)in)->items == NULL && !field->required;
    default:
        return *(char *const *)in == NULL;
    }
}

static json_t *encode_text(const char *text, const struct message_field *field, const char *type,
                           struct error *err)
{
    json_t *value;

    if (text_check(field, type, text, err) < 0)
        return NULL;
    value = json_string(text);
    if (value == NULL)
        fail(err, "bad-value", type, field->name, "is not UTF-8");
    return value;
}

static json_t *encode_endpoint(const struct endpoint *endpoint, const struct message_field *field,
                               const char *type, struct error *err)
{
    struct endpoint right;

    if (endpoint_check(field, type, endpoint->address, endpoint->port, &right, err) < 0)
        return NULL;
    return json_pack("{s:s, s:i}", "address", right.address, "port", (int)right.port);
}

static json_t *encode_strings(const struct strings *strings, const struct message_field *field,
                              const char *type, struct error *err)
{
    json_t *array;

    if (count_check(field, type, strings->count, err) < 0)
        return NULL;
    array = json_array();
    for (size_t i = 0; i < strings->count; i++) {
        if (item_check(field, type, i, strings->items[i], err) < 0)
            goto bad;
        if (json_array_append_new(array, json_string(strings->items[i])) < 0) {
            fail(err, "bad-value", type, field->name, "has an item that is not UTF-8");
            goto bad;
        }
    }
    return array;
bad:
    json_decref(array);
    return NULL;
}

static json_t *encode_document(const char *text, const struct message_field *field,
                               const char *type, struct error *err)
{
    json_t *value = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

    if (document_check(value, field, type, err) == 0)
        return value;
    json_decref(value);
    return NULL;
}

/* NULL with `err` filled; the field is not absent. */
static json_t *encode_field(const struct message_field *field, const char *type, const void *in,
                            struct error *err)
{
    error_set(err, "no-memory", "out of memory");
    switch (field->kind) {
    case FIELD_INTEGER:
        if (integer_check(field, type, *(const int64_t *)in, err) < 0)
            return NULL;
        return json_integer(*(const int64_t *)in);
    case FIELD_BOOLEAN:
        return json_boolean(*(const bool *)in);
    case FIELD_ENDPOINT:
        return encode_endpoint(in, field, type, err);
    case FIELD_STRINGS:
        return encode_strings(in, field, type, err);
    case FIELD_DOCUMENT:
        return encode_document(*(char *const *)in, field, type, err);
    default:
        return encode_text(*(char *const *)in, field, type, err);
    }
}

static int encode_fields(const struct message *message, json_t *root, struct error *err)
{
    const struct message_shape *shape = &shapes[message->type];

    for (size_t i = 0; i < shape->field_count; i++) {
        const struct message_field *field = &shape->fields[i];
        const void *in = field_in(message, field);
        json_t *value;

        if (field_absent(field, in)) {
            if (field->required)
                return fail(err, "missing-field", shape->type, field->name, "is missing");
            continue;
        }
        value = encode_field(field, shape->type, in, err);
        if (value == NULL || json_object_set_new(root, field->name, value) < 0)
            return -EINVAL;
    }
    return 0;
}

/* The object as one line. NULL with `err` filled. */
static char *line_dump(const json_t *root, const char *type, size_t *length, struct error *err)
{
    size_t size = json_dumpb(root, NULL, 0, JSON_COMPACT);
    char *line;

    if (size + 1 > LINE_MAX_BYTES) {
        error_set(err, "too-long", "%s: the line would have %zu bytes; at most %d are right", type,
                  size + 1, LINE_MAX_BYTES);
        return NULL;
    }
    line = size > 0 ? malloc(size + 2) : NULL;
    if (line == NULL) {
        error_set(err, "no-memory", "out of memory");
        return NULL;
    }
    json_dumpb(root, line, size, JSON_COMPACT);
    line[size] = '\n';
    line[size + 1] = '\0';
    *length = size + 1;
    return line;
}

char *message_encode(const struct message *message, size_t *length, struct error *err)
{
    const struct message_shape *shape = message_shape(message->type);
    json_t *root = json_object();
    char *line = NULL;

    if (shape == NULL || root == NULL) {
        error_set(err, "bad-message", "there is no such message");
        goto out;
    }
    json_object_set_new(root, "type", json_string(shape->type));
    if (encode_fields(message, root, err) == 0)
        line = line_dump(root, shape->type, length, err);
out:
    json_decref(root);
    return line;
}

static const char *kind_name(const struct message_field *field)
{
    static const char *const names[] = {
        [FIELD_STRING] = "string",   [FIELD_CHOICE] = "choice",     [FIELD_HEX] = "hex",
        [FIELD_KEY] = "key",         [FIELD_INTEGER] = "integer",   [FIELD_BOOLEAN] = "boolean",
        [FIELD_ENDPOINT] = "endpoint", [FIELD_STRINGS] = "strings", [FIELD_DOCUMENT] = "json",
    };

    return names[field->kind];
}

static json_t *describe_field(const struct message_field *field)
{
    json_t *out = json_pack("{s:s, s:s, s:b}", "name", field->name, "kind", kind_name(field),
                            "required", field->required);

    if (field->kind == FIELD_STRING || field->kind == FIELD_INTEGER)
        json_object_set_new(out, "min", json_integer(field->min));
    if (field->kind == FIELD_STRING || field->kind == FIELD_INTEGER || field->kind == FIELD_STRINGS)
        json_object_set_new(out, "max", json_integer(field->max));
    if (field->kind == FIELD_STRINGS)
        json_object_set_new(out, "items", json_integer(field->min));
    if (field->kind == FIELD_HEX)
        json_object_set_new(out, "bytes", json_integer(field->min));
    if (field->kind == FIELD_DOCUMENT)
        json_object_set_new(out, "json", json_string(field->min == 'o' ? "object" : "array"));
    if (field->words != NULL)
        json_object_set_new(out, "words", json_string(field->words));
    return out;
}

void message_describe(FILE *out, unsigned roles, unsigned directions)
{
    static const char *const ways[] = {"", "to", "from", "both"};
    json_t *list = json_array();

    for (enum message_type i = MESSAGE_NONE + 1; i < MESSAGE_COUNT; i++) {
        json_t *fields = json_array();

        if (!(shapes[i].roles & roles) || !(shapes[i].directions & directions)) {
            json_decref(fields);
            continue;
        }
        for (size_t f = 0; f < shapes[i].field_count; f++)
            json_array_append_new(fields, describe_field(&shapes[i].fields[f]));
        json_array_append_new(list, json_pack("{s:s, s:i, s:s, s:o}", "type", shapes[i].type,
                                              "roles", (int)shapes[i].roles, "direction",
                                              ways[shapes[i].directions], "fields", fields));
    }
    json_dumpf(list, out, JSON_INDENT(1));
    fputc('\n', out);
    json_decref(list);
}
