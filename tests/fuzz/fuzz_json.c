/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * json_parse(), and what is read with it: an interface and a peer's grant. What parses must be
 * written as text that parses to the same.
 */
#include <stdlib.h>
#include <string.h>

#include "protocol/interface.h"
#include "protocol/json.h"
#include "tests/fuzz/fuzz.h"

static const char *const seeds[] = {
    "{\"name\":\"pg0\",\"addresses\":[\"10.66.0.1/24\",\"fd00::1/64\"],\"mtu\":1280,"
    "\"listen_port\":0,\"backend\":\"auto\"}",
    "{\"name\":\"home\",\"id\":\"PG1AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQTCQKRMFYYDENBWHA5DYPQNTDNSA\","
    "\"allowed_ips\":[\"10.66.0.2/32\",\"fd00::/64\"]}",
    "[1,-0.5e-3,\"\\u00e9\\n\",null,true,{\"a\":{\"b\":[[[]]]}}]",
    "\"text\"",
};

size_t fuzz_seed(size_t index, uint8_t *out, size_t space)
{
    size_t length = index < sizeof seeds / sizeof seeds[0] ? strlen(seeds[index]) : 0;

    INVARIANT(length <= space);
    memcpy(out, seeds[index < sizeof seeds / sizeof seeds[0] ? index : 0], length);
    return length;
}

/* Reads the value as every type: one fits at most, and the others say why not. */
static void read_value(const struct json_at *at)
{
    struct error err;
    const char *text;
    int64_t number;
    size_t count;
    bool truth;
    int fits = 0;

    fits += json_as_string(at, &text, &err) == 0;
    fits += json_as_integer(at, INT64_MIN, INT64_MAX, &number, &err) == 0;
    fits += json_as_boolean(at, &truth, &err) == 0;
    fits += json_as_array(at, SIZE_MAX, &count, &err) == 0;
    fits += json_as_object(at, NULL, &err) == 0;
    INVARIANT(fits <= 1);
    if (json_as_object(at, NULL, NULL) < 0)
        invariant_error_told(&err);
}

static void read_all(const struct json_at *at, int depth)
{
    size_t count = 0;
    const char *key;

    read_value(at);
    if (depth > 20)
        return;
    if (json_as_array(at, SIZE_MAX, &count, NULL) == 0) {
        for (size_t i = 0; i < count; i++) {
            struct json_at item = json_item(at, i);

            read_all(&item, depth + 1);
        }
    } else if (json_as_object(at, NULL, NULL) == 0) {
        for (size_t i = 0; (key = json_key(at, i)) != NULL; i++) {
            struct json_at member;

            INVARIANT(json_member(at, key, &member));
            read_all(&member, depth + 1);
        }
    }
}

static void read_configuration(const struct json_at *root)
{
    struct interface interface;
    struct grant grant;
    struct error err = {0};

    interface_init(&interface);
    if (interface_read(&interface, root, &err) < 0)
        invariant_error_told(&err);
    memset(&err, 0, sizeof err);
    if (grant_read(&grant, root, &err) < 0) {
        invariant_error_told(&err);
        return;
    }
    for (size_t i = 0; i < grant.allowed_count; i++)
        INVARIANT(grant_allows(&grant, &grant.allowed[i]));
    grant_clear(&grant);
}

static void written_again_it_is_the_same(const struct json_at *root)
{
    char *text = json_text(root), *again;
    struct json *document;
    struct json_at second;

    INVARIANT(text != NULL);
    document = json_parse(text, strlen(text), NULL);
    INVARIANT(document != NULL);
    second = json_root(document);
    again = json_text(&second);
    INVARIANT(again != NULL && strcmp(text, again) == 0);
    json_destroy(document);
    free(text);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = {0};
    struct json *document = json_parse((const char *)data, size, &err);
    struct json_at root;

    if (document == NULL) {
        invariant_error_told(&err);
        return 0;
    }
    root = json_root(document);
    read_all(&root, 0);
    read_configuration(&root);
    written_again_it_is_the_same(&root);
    json_destroy(document);
    return 0;
}
