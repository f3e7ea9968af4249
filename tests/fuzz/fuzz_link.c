/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Opened values, each after two bytes of its length: what comes out is text of at most 16 KiB, a
 * message that was not put is never acknowledged, and what is put stays within its size. The
 * instance of the link can't be guessed, so the first eight bytes after the head's flags, and the
 * next eight, are taken for a choice: 1 is ourselves.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "signal-dht/link.h"
#include "signal-dht/value.h"
#include "tests/fuzz/mutate.h"

enum { FROM_AT = 2, TO_AT = 10, NUMBER = 8 };

/* A call; a value for us with two messages, the second doubled; a goodbye. */
static const uint8_t call[] = {0, 50, 1, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0,
                               0, 0,  0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0,
                               0, 0,  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
static const uint8_t messages[] = {
    0, 62, 1, 0, 0, 0,  0, 0,  0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,  2, 0,
    0, 0,  0, 0, 0, 0,  1, 0,  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 97, 1, 0,
    1, 98, 1, 0, 1, 98, 0, 50, 1, 1, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 1, 0,  0, 0,
    0, 0,  0, 0, 3, 0,  0, 0,  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  0, 1};

const struct seed fuzz_seeds[] = {
    {call, sizeof call},
    {messages, sizeof messages},
    {NULL, 0},
};

struct run {
    uint8_t self[NUMBER];
    bool put, online;
};

static int on_put(void *data, const uint8_t *bytes, size_t length)
{
    struct run *run = data;

    if (length < VALUE_HEAD || length > VALUE_MAX)
        abort();
    memcpy(run->self, bytes + FROM_AT, NUMBER);
    run->put |= length > 160 || bytes[VALUE_HEAD + 2] != 0;
    return 0;
}

static void on_presence(void *data, bool online)
{
    struct run *run = data;

    if (run->online == online)
        abort();
    run->online = online;
}

static void on_delivered(void *data, int64_t ref)
{
    if (!((struct run *)data)->put || ref != 1)
        abort();
}

static void on_received(void *data, const char *text)
{
    if (!((struct run *)data)->online || text[0] == '\0' || strlen(text) > VALUE_DATA_MAX)
        abort();
}

static void choose(uint8_t *number, const uint8_t self[NUMBER])
{
    static const uint8_t one[NUMBER] = {0, 0, 0, 0, 0, 0, 0, 1};

    if (memcmp(number, one, NUMBER) == 0)
        memcpy(number, self, NUMBER);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t bytes[65536];
    struct run run = {0};
    struct link_events events = {.put = on_put,
                                 .presence = on_presence,
                                 .delivered = on_delivered,
                                 .received = on_received,
                                 .data = &run};
    struct link *link = link_new(&events, 0);
    int64_t now = 1;
    size_t length;

    if (link == NULL || link_post(link, 1, "waiting", 0) < 0)
        abort();
    link_poll(link, now);
    for (; size >= 2; data += length, size -= length, now += 7) {
        length = (size_t)data[0] << 8 | data[1];
        data += 2;
        size -= 2;
        if (length > size)
            length = size;
        memcpy(bytes, data, length);
        if (length >= VALUE_HEAD) {
            choose(bytes + FROM_AT, run.self);
            choose(bytes + TO_AT, run.self);
        }
        link_value(link, bytes, length, now);
        if (link_poll(link, now) < now)
            abort();
    }
    link_poll(link, now + 200000);
    link_destroy(link);
    return 0;
}
