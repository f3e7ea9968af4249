/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "protocol/inbound.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(struct error *err, const char *text, const char *why)
{
    error_set(err, "bad-inbound",
              "'%.60s' %s; tcp/22, udp/60000-61000 or icmp would be right, with ports from 1 to "
              "65535",
              text, why);
    return -EINVAL;
}

/* Moves *at behind the number. */
static bool take_port(const char **at, uint16_t *out)
{
    char *end;
    unsigned long value;

    if (!isdigit((unsigned char)**at))
        return false;
    value = strtoul(*at, &end, 10);
    *at = end;
    *out = (uint16_t)value;
    return value >= 1 && value <= 65535;
}

int inbound_item_parse(struct inbound_item *item, const char *text, struct error *err)
{
    const char *at = text + 4;

    *item = (struct inbound_item){.protocol = INBOUND_ICMP};
    if (strcmp(text, "icmp") == 0)
        return 0;
    if (strncmp(text, "tcp/", 4) != 0 && strncmp(text, "udp/", 4) != 0)
        return fail(err, text, "names no protocol with a port");
    item->protocol = text[0] == 't' ? INBOUND_TCP : INBOUND_UDP;
    if (!take_port(&at, &item->first))
        return fail(err, text, "has no port");
    item->last = item->first;
    if (*at == '-') {
        at++;
        if (!take_port(&at, &item->last))
            return fail(err, text, "has no port to end with");
    }
    if (*at != '\0')
        return fail(err, text, "goes on behind its port");
    return item->last < item->first ? fail(err, text, "ends before it begins") : 0;
}

static int read_word(struct inbound *inbound, const struct json_at *at, const char *word,
                     struct error *err)
{
    inbound->kind = strcmp(word, "none") == 0 ? INBOUND_NONE : INBOUND_ALL;
    if (inbound->kind == INBOUND_NONE || strcmp(word, "all") == 0)
        return 0;
    return json_fail(at, err, "bad-inbound",
                     "'%.60s' is neither \"all\" nor \"none\"; a single thing is a list too: "
                     "[\"tcp/22\"]",
                     word);
}

static int read_items(struct inbound *inbound, const struct json_at *at, size_t count,
                      struct error *err)
{
    struct error why;

    for (size_t i = 0; i < count; i++) {
        struct json_at item = json_item(at, i);
        const char *text;

        if (json_as_string(&item, &text, err) < 0)
            return -EINVAL;
        if (inbound_item_parse(&inbound->items[i], text, &why) < 0)
            return json_fail(&item, err, why.code, "%s", why.message);
    }
    inbound->kind = INBOUND_LIST;
    inbound->count = count;
    return 0;
}

int inbound_read(struct inbound *inbound, const struct json_at *at, struct error *err)
{
    const char *word;
    size_t count;

    memset(inbound, 0, sizeof *inbound);
    if (json_as_string(at, &word, NULL) == 0)
        return read_word(inbound, at, word, err);
    if (json_as_array(at, SIZE_MAX, &count, NULL) < 0)
        return json_fail(at, err, "bad-inbound",
                         "is neither \"all\", \"none\" nor a list such as [\"tcp/22\", \"icmp\"]");
    if (count == 0)
        return json_fail(at, err, "bad-inbound", "the list is empty; \"none\" says that");
    if (json_as_array(at, INBOUND_ITEMS_MAX, &count, err) < 0)
        return -EINVAL;
    return read_items(inbound, at, count, err);
}

static int fail_text(struct error *err, const char *text, const char *why)
{
    error_set(err, "bad-inbound", "'%.60s' is neither all, none nor a list such as tcp/22,icmp: %s",
              text, why);
    return -EINVAL;
}

static int parse_items(struct inbound *inbound, const char *text, struct error *err)
{
    const char *at = text;
    struct error why;

    do {
        int length = (int)strcspn(at, ",");
        char item[32];

        if (inbound->count == INBOUND_ITEMS_MAX)
            return fail_text(err, text, "it has more than 64 items");
        if (length >= (int)sizeof item)
            return fail_text(err, text, "an item is longer than any that is right");
        snprintf(item, sizeof item, "%.*s", length, at);
        if (inbound_item_parse(&inbound->items[inbound->count++], item, &why) < 0)
            return fail_text(err, text, why.message);
        at += length;
    } while (*at++ == ',');
    return 0;
}

int inbound_parse(struct inbound *inbound, const char *text, struct error *err)
{
    memset(inbound, 0, sizeof *inbound);
    if (strcmp(text, "all") == 0)
        return 0;
    inbound->kind = strcmp(text, "none") == 0 ? INBOUND_NONE : INBOUND_LIST;
    return inbound->kind == INBOUND_NONE ? 0 : parse_items(inbound, text, err);
}

static size_t format_item(const struct inbound_item *item, char *out, size_t size)
{
    const char *name = item->protocol == INBOUND_TCP ? "tcp" : "udp";

    if (item->protocol == INBOUND_ICMP)
        return (size_t)snprintf(out, size, "icmp");
    if (item->first == item->last)
        return (size_t)snprintf(out, size, "%s/%u", name, (unsigned)item->first);
    return (size_t)snprintf(out, size, "%s/%u-%u", name, (unsigned)item->first,
                            (unsigned)item->last);
}

const char *inbound_format(const struct inbound *inbound, char out[INBOUND_TEXT_SIZE])
{
    size_t used = 0;

    strcpy(out, inbound->kind == INBOUND_NONE ? "none" : "all");
    for (size_t i = 0; inbound->kind == INBOUND_LIST && i < inbound->count; i++) {
        if (i > 0)
            out[used++] = ',';
        used += format_item(&inbound->items[i], out + used, INBOUND_TEXT_SIZE - used);
    }
    return out;
}

bool inbound_equal(const struct inbound *a, const struct inbound *b)
{
    if (a->kind != b->kind || a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (a->items[i].protocol != b->items[i].protocol ||
            a->items[i].first != b->items[i].first || a->items[i].last != b->items[i].last)
            return false;
    return true;
}
