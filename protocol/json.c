/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "protocol/json.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct json *json_parse(const char *text, size_t length, struct error *err)
{
    json_error_t problem;
    json_t *root = NULL;

    /* jansson overlooks a NUL byte that follows a number. */
    if (length > 0 && memchr(text, '\0', length) != NULL) {
        error_set(err, "bad-json", "a NUL byte is in it; JSON (RFC 8259) in UTF-8 is expected");
        return NULL;
    }
    root = json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &problem);
    if (root == NULL) {
        bool duplicate = json_error_code(&problem) == json_error_duplicate_key;

        error_set(err, duplicate ? "duplicate-key" : "bad-json",
                  "line %d, column %d: %s; JSON (RFC 8259) in UTF-8 is expected", problem.line,
                  problem.column, problem.text);
    }
    return (struct json *)root;
}

void json_destroy(struct json *document)
{
    json_decref((json_t *)document);
}

struct json_at json_root(const struct json *document)
{
    return (struct json_at){.value = document};
}

void json_path(const struct json_at *at, char *out, size_t size)
{
    size_t used;

    if (at->parent == NULL) {
        snprintf(out, size, "$");
        return;
    }
    json_path(at->parent, out, size);
    used = strlen(out);
    if (at->key != NULL)
        snprintf(out + used, size - used, ".%s", at->key);
    else
        snprintf(out + used, size - used, "[%zu]", at->index);
}

int json_fail(const struct json_at *at, struct error *err, const char *code, const char *format,
              ...)
{
    char path[160], text[420];
    va_list args;

    json_path(at, path, sizeof path);
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    error_set(err, code, "%s: %s", path, text);
    return -EINVAL;
}

static const char *type_name(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a number with a fraction";
    case JSON_NULL:
        return "null";
    case JSON_TRUE:
    case JSON_FALSE:
        return "true or false";
    }
    return "something else";
}

static int wrong_type(const struct json_at *at, const char *right, struct error *err)
{
    return json_fail(at, err, "wrong-type", "%s is expected, this is %s", right,
                     type_name(at->value));
}

int json_as_string(const struct json_at *at, const char **out, struct error *err)
{
    if (!json_is_string((const json_t *)at->value))
        return wrong_type(at, "a string", err);
    *out = json_string_value(at->value);
    return 0;
}

int json_as_integer(const struct json_at *at, int64_t min, int64_t max, int64_t *out,
                 struct error *err)
{
    json_int_t value;

    if (!json_is_integer((const json_t *)at->value))
        return wrong_type(at, "an integer", err);
    value = json_integer_value(at->value);
    if (value < min || value > max)
        return json_fail(at, err, "out-of-range",
                         "%" PRId64 " is not between %" PRId64 " and %" PRId64, (int64_t)value, min,
                         max);
    *out = value;
    return 0;
}

int json_as_boolean(const struct json_at *at, bool *out, struct error *err)
{
    if (!json_is_boolean((const json_t *)at->value))
        return wrong_type(at, "true or false", err);
    *out = json_is_true((const json_t *)at->value);
    return 0;
}

int json_as_array(const struct json_at *at, size_t max, size_t *count, struct error *err)
{
    if (!json_is_array((const json_t *)at->value))
        return wrong_type(at, "an array", err);
    *count = json_array_size(at->value);
    if (*count > max)
        return json_fail(at, err, "too-many", "%zu items, at most %zu are right", *count, max);
    return 0;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein distance, for words shorter than 32 bytes. */
static size_t word_distance(const char *a, const char *b)
{
    size_t row[32], length = strlen(b);

    if (length > 31 || strlen(a) > 31)
        return SIZE_MAX;
    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 0; a[i] != '\0'; i++) {
        size_t corner = row[0];

        row[0] = i + 1;
        for (size_t j = 0; j < length; j++) {
            size_t change = corner + (a[i] != b[j]);

            corner = row[j + 1];
            row[j + 1] = smaller(change, smaller(row[j], row[j + 1]) + 1);
        }
    }
    return row[length];
}

static int unknown_key(const struct json_at *at, const char *key, const char *const *known,
                       struct error *err)
{
    const char *best = NULL;
    size_t best_distance = 4;
    char list[300] = "";

    for (size_t i = 0; known[i] != NULL; i++) {
        size_t distance = word_distance(key, known[i]), used = strlen(list);

        if (distance < best_distance) {
            best = known[i];
            best_distance = distance;
        }
        snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", known[i]);
    }
    if (best != NULL)
        return json_fail(at, err, "unknown-key", "there is no key '%.60s'; did you mean '%s'?", key,
                         best);
    return json_fail(at, err, "unknown-key", "there is no key '%.60s'; known are: %s", key, list);
}

int json_as_object(const struct json_at *at, const char *const *known, struct error *err)
{
    const char *key;

    if (!json_is_object((const json_t *)at->value))
        return wrong_type(at, "an object", err);
    for (size_t i = 0; known != NULL && (key = json_key(at, i)) != NULL; i++) {
        size_t k = 0;

        while (known[k] != NULL && strcmp(known[k], key) != 0)
            k++;
        if (known[k] == NULL)
            return unknown_key(at, key, known, err);
    }
    return 0;
}

bool json_member(const struct json_at *object, const char *key, struct json_at *out)
{
    const json_t *value = json_object_get(object->value, key);

    *out = (struct json_at){.value = value, .parent = object, .key = key};
    return value != NULL;
}

int json_require(const struct json_at *object, const char *key, struct json_at *out,
                 struct error *err)
{
    if (json_member(object, key, out))
        return 0;
    return json_fail(object, err, "missing-field", "the field '%s' is missing", key);
}

struct json_at json_item(const struct json_at *array, size_t index)
{
    return (struct json_at){
        .value = json_array_get(array->value, index), .parent = array, .index = index};
}

const char *json_key(const struct json_at *object, size_t index)
{
    json_t *value = (json_t *)(uintptr_t)object->value;
    void *at = json_object_iter(value);

    while (at != NULL && index-- > 0)
        at = json_object_iter_next(value, at);
    return at ? json_object_iter_key(at) : NULL;
}

char *json_text(const struct json_at *at)
{
    return json_dumps(at->value, JSON_COMPACT | JSON_ENCODE_ANY);
}

char *json_quote(const char *text)
{
    json_t *value = json_string(text);
    char *quoted = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;

    json_decref(value);
    return quoted;
}
