/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Hosts files of any kind: our blocks come and go, and all that is not ours stays as it was. The
 * first byte up to a newline is a peer's name.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "wg-setup/hosts.h"

#define HOME "100.64.7.9\thome.pg.internal\n"

static const char *const seeds[] = {
    "home\n127.0.0.1\tlocalhost\n",
    "a_b\n127.0.0.1\tlocalhost",
    "Home-2\n# punchguard pg0 begin (kept)\n100.64.7.9\thome.pg.internal\n# punchguard pg0 end\n"
    "# punchguard pg1 begin\nfd50::1\twork.pg.internal\n# punchguard pg1 end\nlast\n",
    "x\na\r\n# punchguard pg0 begin\r\n1.2.3.4\tb.pg.internal\r\n10.0.0.1 printer\n"
    "# punchguard pg0 end\r\n# punchguard pg0 end",
};

size_t fuzz_seed(size_t index, uint8_t *out, size_t space)
{
    size_t length = index < sizeof seeds / sizeof seeds[0] ? strlen(seeds[index]) : 0;

    INVARIANT(length <= space);
    if (length > 0)
        memcpy(out, seeds[index], length);
    return length;
}

struct text {
    char *bytes;
    size_t length;
};

static struct text edit(const struct text *from, const char *interface, const char *lines)
{
    struct text to;

    to.bytes = hosts_edit(from->bytes, from->length, interface, lines, &to.length);
    INVARIANT(to.bytes != NULL);
    return to;
}

static bool same(const struct text *a, const struct text *b)
{
    return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

static bool has(const struct text *text, const char *word)
{
    return memmem(text->bytes, text->length, word, strlen(word)) != NULL;
}

/* One line of the list, or none: a name can't make another. */
static void try_name(const char *name)
{
    struct hosts_list list = {.count = 0};
    struct prefix address;
    struct error err;
    char *lines;

    INVARIANT(prefix_parse(&address, "100.64.7.9", false, NULL) == 0);
    if (hosts_list_add(&list, name, &address, 1, &err) < 0)
        invariant_error_told(&err);
    lines = hosts_list_text(&list);
    INVARIANT(lines != NULL);
    if (list.count > 0) {
        static const char end[] = ".pg.internal\n";

        INVARIANT(strncmp(lines, "100.64.7.9\t", 11) == 0);
        INVARIANT(strcspn(lines, "\n") == strlen(lines) - 1);
        INVARIANT(strcmp(lines + strlen(lines) - strlen(end), end) == 0);
        INVARIANT(strspn(lines + 11, "abcdefghijklmnopqrstuvwxyz0123456789-") ==
                  strlen(lines) - 11 - strlen(end));
    }
    free(lines);
    hosts_list_clear(&list);
}

static void try_text(const struct text *text)
{
    struct text without = edit(text, "pg0", ""), with = edit(text, "pg0", HOME);
    struct text again = edit(&with, "pg0", HOME), back = edit(&with, "pg0", "");
    struct text other = edit(&with, "pg1", HOME);

    INVARIANT(same(&again, &with));
    INVARIANT(same(&back, &without));
    INVARIANT(has(&with, HOME "# punchguard pg0 end\n"));
    INVARIANT(has(&other, HOME "# punchguard pg0 end\n"));
    INVARIANT(without.length <= text->length);
    if (!has(text, "# punchguard pg0 "))
        INVARIANT(same(&without, text));
    free(without.bytes);
    free(with.bytes);
    free(again.bytes);
    free(back.bytes);
    free(other.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *newline = memchr(data, '\n', size);
    size_t length = newline ? (size_t)(newline - data) : size;
    struct text text = {.length = newline ? size - length - 1 : 0};
    char *name = calloc(1, length + 1);

    text.bytes = malloc(text.length + 1);
    INVARIANT(name != NULL && text.bytes != NULL);
    memcpy(name, data, length);
    if (text.length > 0)
        memcpy(text.bytes, newline + 1, text.length);
    try_name(name);
    try_text(&text);
    free(name);
    free(text.bytes);
    return 0;
}
