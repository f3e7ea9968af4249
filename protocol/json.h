/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * JSON read with checks: whatever is wrong is told with its path, what is wrong and what would be right.
 * protocol/ is the only user of jansson.
 */
#ifndef PROTOCOL_JSON_H
#define PROTOCOL_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/error.h"

struct json; /* a parsed document */

/* Parses one value; duplicate keys and NUL characters are refused; `err` tells line and column. NULL on
 * error. */
struct json *json_parse(const char *text, size_t length, struct error *err);
void json_destroy(struct json *document);

/* A value and how it was reached. Lives on the caller's stack: a child points to its parent, and all of
 * them to the document. */
struct json_at {
    const void *value;
    const struct json_at *parent;
    const char *key; /* NULL for an array's item and for the root */
    size_t index;
};

struct json_at json_root(const struct json *document);

/* The path as in $.peers[1].allowed_ips[0]. */
void json_path(const struct json_at *at, char *out, size_t size);

/* Fills `err` with "PATH: text". Always -EINVAL. */
int json_fail(const struct json_at *at, struct error *err, const char *code, const char *format,
              ...) __attribute__((format(printf, 4, 5)));

/* Each: 0, or -EINVAL with `err` filled. Strings live as long as the document. */
int json_as_string(const struct json_at *at, const char **out, struct error *err);
int json_as_integer(const struct json_at *at, int64_t min, int64_t max, int64_t *out,
                 struct error *err);
int json_as_boolean(const struct json_at *at, bool *out, struct error *err);
int json_as_array(const struct json_at *at, size_t max, size_t *count, struct error *err);
/* `known` is a NULL-terminated list: another key is an error that names the nearest known one. NULL: any
 * key is right. */
int json_as_object(const struct json_at *at, const char *const *known, struct error *err);

/* The member of an object, false where it is absent. `object` must have passed json_as_object(). */
bool json_member(const struct json_at *object, const char *key, struct json_at *out);
/* 0, or -EINVAL saying that the field is missing. */
int json_require(const struct json_at *object, const char *key, struct json_at *out,
                 struct error *err);
/* The item of an array; `index` is below json_as_array()'s count. */
struct json_at json_item(const struct json_at *array, size_t index);
/* The keys of an object in their order: NULL past the last. */
const char *json_key(const struct json_at *object, size_t index);

/* A text as a JSON string with its quotes, for the caller to free; NULL without memory or where it is not
 * UTF-8. */
char *json_quote(const char *text);

/* The value as compact text, for the caller to free; NULL without memory. */
char *json_text(const struct json_at *at);

#endif
