/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Ids. What decodes must encode to the same text; every key has an id, which decodes to it.
 */
#include <stdlib.h>
#include <string.h>

#include "protocol/id.h"
#include "tests/fuzz/fuzz.h"

static const char *const seeds[] = {
    "PG1AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQTCQKRMFYYDENBWHA5DYPQNTDNSA",
    "PG1BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAFNTZOHI",
    "PG1AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
};

size_t fuzz_seed(size_t index, uint8_t *out, size_t space)
{
    size_t length = index < sizeof seeds / sizeof seeds[0] ? strlen(seeds[index]) : 0;

    INVARIANT(length <= space);
    memcpy(out, seeds[index < sizeof seeds / sizeof seeds[0] ? index : 0], length);
    return length;
}

static void decode(const char *text)
{
    uint8_t key[ID_KEY_BYTES];
    char again[ID_TEXT_LENGTH + 1];
    struct error err = {0};

    if (id_decode(text, key, &err) < 0) {
        invariant_error_told(&err);
        return;
    }
    id_encode(key, again);
    INVARIANT(strcmp(text, again) == 0);
}

static void encode(const uint8_t key[ID_KEY_BYTES])
{
    uint8_t again[ID_KEY_BYTES];
    char text[ID_TEXT_LENGTH + 1];

    id_encode(key, text);
    INVARIANT(strlen(text) == ID_TEXT_LENGTH);
    INVARIANT(id_decode(text, again, NULL) == 0);
    INVARIANT(memcmp(key, again, sizeof again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    INVARIANT(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    decode(text);
    if (size >= ID_KEY_BYTES)
        encode(data);
    free(text);
    return 0;
}
