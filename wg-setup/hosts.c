/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wg-setup/hosts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARK "# punchguard "

struct hosts_entry {
    char label[HOSTS_LABEL_MAX + 1];
    struct prefix address;
    bool first; /* of its device */
};

/* Labels. By hand: what a locale thinks a letter is does not matter. */

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static char small(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

int hosts_label(const char *name, char label[HOSTS_LABEL_MAX + 1], struct error *err)
{
    size_t length = strlen(name);

    if (length == 0 || length > HOSTS_LABEL_MAX) {
        error_set(err, "no-label", "it has %zu characters, 1 to %d are right in a DNS label",
                  length, HOSTS_LABEL_MAX);
        return -EINVAL;
    }
    for (size_t i = 0; i <= length; i++) {
        label[i] = small(name[i]);
        if (i == length || is_letter_or_digit(label[i]))
            continue;
        if (label[i] == '-' && i > 0 && i < length - 1)
            continue;
        error_set(err, "no-label",
                  "a DNS label has letters, digits and, not at its ends, '-' alone");
        return -EINVAL;
    }
    return 0;
}

/* The list */

static bool has_label(const struct hosts_list *list, const char *label)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->entries[i].first && strcmp(list->entries[i].label, label) == 0)
            return true;
    return false;
}

static bool has_address(const struct hosts_list *list, const struct prefix *address)
{
    for (size_t i = 0; i < list->count; i++)
        if (prefix_equal(&list->entries[i].address, address))
            return true;
    return false;
}

static struct hosts_entry *list_append(struct hosts_list *list)
{
    size_t room = list->room * 2 + 16;
    struct hosts_entry *entries;

    if (list->count == list->room) {
        entries = realloc(list->entries, room * sizeof *entries);
        if (entries == NULL)
            return NULL;
        list->entries = entries;
        list->room = room;
    }
    return &list->entries[list->count++];
}

static bool is_host(const struct prefix *prefix)
{
    return prefix->length == (prefix->family == AF_INET6 ? 128 : 32);
}

/* How many were added, or -ENOMEM. */
static int add_addresses(struct hosts_list *list, const char *label, const struct prefix *prefixes,
                         size_t count)
{
    int added = 0;

    for (size_t i = 0; i < count && added < HOSTS_ADDRESSES_MAX; i++) {
        struct hosts_entry *entry;

        if (!is_host(&prefixes[i]) || has_address(list, &prefixes[i]))
            continue;
        entry = list_append(list);
        if (entry == NULL)
            return -ENOMEM;
        *entry = (struct hosts_entry){.address = prefixes[i], .first = added == 0};
        snprintf(entry->label, sizeof entry->label, "%s", label);
        added++;
    }
    return added;
}

int hosts_list_add(struct hosts_list *list, const char *name, const struct prefix *prefixes,
                   size_t count, struct error *err)
{
    char label[HOSTS_LABEL_MAX + 1];
    int added;

    if (hosts_label(name, label, err) < 0)
        return -EINVAL;
    if (has_label(list, label)) {
        error_set(err, "duplicate",
                  "another device has that name already; names differ in more "
                  "than small and capital letters");
        return -EEXIST;
    }
    added = add_addresses(list, label, prefixes, count);
    if (added == 0)
        error_set(err, "no-address", "it has no single address that is its alone");
    if (added < 0)
        error_set(err, "no-memory", "out of memory");
    return added == 0 ? -EINVAL : added < 0 ? added : 0;
}

char *hosts_list_text(const struct hosts_list *list)
{
    char *text = NULL, address[INET6_ADDRSTRLEN];
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL)
        return NULL;
    for (size_t i = 0; i < list->count; i++) {
        const struct hosts_entry *entry = &list->entries[i];

        inet_ntop(entry->address.family, entry->address.address, address, sizeof address);
        fprintf(out, "%s\t%s." HOSTS_DOMAIN "\n", address, entry->label);
    }
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

void hosts_list_clear(struct hosts_list *list)
{
    free(list->entries);
    *list = (struct hosts_list){.count = 0};
}

/* Lines of a text */

struct line {
    const char *text;
    size_t length; /* without its end */
    size_t whole;  /* with it */
};

static bool line_next(const char **at, const char *end, struct line *line)
{
    const char *newline;

    if (*at == end)
        return false;
    newline = memchr(*at, '\n', (size_t)(end - *at));
    line->text = *at;
    line->length = (size_t)((newline ? newline : end) - *at);
    line->whole = line->length + (newline ? 1 : 0);
    *at += line->whole;
    if (line->length > 0 && line->text[line->length - 1] == '\r')
        line->length--;
    return true;
}

static bool begins_with(const struct line *line, const char *text)
{
    return line->length >= strlen(text) && memcmp(line->text, text, strlen(text)) == 0;
}

/* "# punchguard INTERFACE WORD", and perhaps a space and more. */
static bool is_mark(const struct line *line, const char *interface, const char *word)
{
    char mark[sizeof MARK + 64];
    size_t length = (size_t)snprintf(mark, sizeof mark, MARK "%.30s %s", interface, word);

    return begins_with(line, mark) && (line->length == length || line->text[length] == ' ');
}

/* The beginning of any interface's block. */
static bool is_any_begin(const struct line *line)
{
    const char *word = " begin";
    size_t at = sizeof MARK - 1, length = strlen(word);

    if (!begins_with(line, MARK))
        return false;
    while (at < line->length && line->text[at] != ' ')
        at++;
    return line->length >= at + length && memcmp(line->text + at, word, length) == 0 &&
           (line->length == at + length || line->text[at + length] == ' ');
}

/* "ADDRESS<tab>LABEL.pg.internal" */
static bool is_entry(const struct line *line)
{
    static const char domain[] = "." HOSTS_DOMAIN;
    size_t at = 0, end = line->length - (sizeof domain - 1);

    if (line->length < sizeof domain - 1 ||
        memcmp(line->text + end, domain, sizeof domain - 1) != 0)
        return false;
    while (at < end && strchr("0123456789abcdef.:", line->text[at]) != NULL &&
           line->text[at] != '\0')
        at++;
    if (at == 0 || at == end || line->text[at++] != '\t' || at == end)
        return false;
    while (at < end && (is_letter_or_digit(line->text[at]) || line->text[at] == '-'))
        at++;
    return at == end;
}

/* Editing */

/* Where the block that begins before `at` ends: behind its end mark; or, where that is gone, behind
 * what can only be ours. */
static const char *block_end(const char *at, const char *end, const char *interface)
{
    const char *ours = at, *next = at;
    bool only_ours = true;
    struct line line;

    while (line_next(&next, end, &line)) {
        if (is_mark(&line, interface, "end"))
            return next;
        if (is_any_begin(&line))
            break;
        only_ours = only_ours && is_entry(&line);
        if (only_ours)
            ours = next;
    }
    return ours;
}

static void write_block(FILE *out, const char *interface, const char *lines)
{
    if (lines[0] != '\0')
        fprintf(out,
                MARK "%s begin (kept by punchguard-wg-setup: see \"names\" in punchguard.conf(5))\n"
                     "%s" MARK "%s end\n",
                interface, lines, interface);
}

/* What is not ours of a block. */
static void write_foreign(FILE *out, const char *at, const char *end, const char *interface)
{
    struct line line;

    while (line_next(&at, end, &line))
        if (!is_entry(&line) && !is_mark(&line, interface, "end"))
            fwrite(line.text, 1, line.whole, out);
}

static bool has_block(const char *at, const char *end, const char *interface)
{
    struct line line;

    while (line_next(&at, end, &line))
        if (is_mark(&line, interface, "begin"))
            return true;
    return false;
}

static void edit(FILE *out, const char *text, size_t length, const char *interface,
                 const char *lines)
{
    const char *at = text, *end = text + length;
    bool cut = length > 0 && end[-1] != '\n', placed = false;
    struct line line;

    if (cut && !has_block(text, end, interface)) {
        write_block(out, interface, lines);
        placed = true;
    }
    while (line_next(&at, end, &line)) {
        if (is_mark(&line, interface, "begin")) {
            const char *rest = block_end(at, end, interface);

            if (!placed)
                write_block(out, interface, lines);
            placed = true;
            write_foreign(out, at, rest, interface);
            at = rest;
        } else if (!is_mark(&line, interface, "end")) {
            fwrite(line.text, 1, line.whole, out);
        }
    }
    if (!placed)
        write_block(out, interface, lines);
}

char *hosts_edit(const char *text, size_t length, const char *interface, const char *lines,
                 size_t *new_length)
{
    char *edited = NULL;
    FILE *out = open_memstream(&edited, new_length);

    if (out == NULL)
        return NULL;
    edit(out, text, length, interface, lines);
    if (fclose(out) == 0)
        return edited;
    free(edited);
    return NULL;
}
