/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The line reader against the plainest model: the whole stream at once, cut at its newlines. A byte
 * of the input from 0xe0 stands for a run of 'x', so that short inputs make long lines.
 */
#include <stdlib.h>
#include <string.h>

#include "protocol/line.h"
#include "tests/fuzz/fuzz.h"

#define STREAM_MAX (300 * 1024)
#define LONG_RUN   0xe0

static const char *const seeds[] = {
    "one\ntwo\n\nthree", "\n\n\n", "\xff\xff\n short \n\xff\xff\xff\xff\xff\n",
    "\xe0\xe1\xe2\xe3\xe4\xe5\n{}\n", "{\"type\":\"ping\",\"ref\":1}\r\n{\"type\":\"shutdown\"}\n"};

size_t fuzz_seed(size_t index, uint8_t *out, size_t space)
{
    size_t length = index < sizeof seeds / sizeof seeds[0] ? strlen(seeds[index]) : 0;

    INVARIANT(length <= space);
    memcpy(out, seeds[index < sizeof seeds / sizeof seeds[0] ? index : 0], length);
    return length;
}

static size_t stream_make(const uint8_t *data, size_t size, char *stream)
{
    size_t length = 0;

    for (size_t i = 0; i < size; i++) {
        /* 0xe0 and 0xff: 21,844 and 21,848; three of them are about one longest line. */
        size_t run = data[i] < LONG_RUN ? 1 : 21844 + (data[i] - LONG_RUN) % 4u;

        if (length + run > STREAM_MAX)
            break;
        memset(stream + length, data[i] < LONG_RUN ? data[i] : 'x', run);
        length += run;
    }
    return length;
}

/* Where the model is in the stream. */
struct model {
    const char *stream;
    size_t at, length;
};

static enum line_result model_next(struct model *model, const char **line, size_t *length)
{
    const char *start = model->stream + model->at, *newline;
    size_t left = model->length - model->at;

    newline = left > 0 ? memchr(start, '\n', left) : NULL;
    *line = start;
    *length = newline ? (size_t)(newline - start) : left;
    model->at += *length + (newline != NULL);
    if (*length + 1 > LINE_MAX_BYTES)
        return LINE_TOO_LONG;
    return newline != NULL ? LINE_OK : LINE_NONE;
}

/* Takes what the reader has; each result must be the model's next. */
static void compare(struct line_reader *reader, struct model *model)
{
    const char *wanted;
    size_t length, wanted_length, space;
    enum line_result result;
    char *line;

    while ((result = line_next(reader, &line, &length)) != LINE_NONE) {
        INVARIANT(result == model_next(model, &wanted, &wanted_length));
        if (result == LINE_OK)
            INVARIANT(length == wanted_length && memcmp(line, wanted, length) == 0 &&
                      line[length] == '\0');
    }
    line_space(reader, &space);
    INVARIANT(space > 0 && space <= LINE_MAX_BYTES);
}

static size_t part_size(uint32_t *state, size_t most)
{
    *state = *state * 1664525u + 1013904223u;
    return 1 + (*state >> 8) % ((*state & 0x40) ? most : most < 7 ? most : 7);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *stream = malloc(STREAM_MAX);
    struct model model = {.stream = stream};
    struct line_reader reader;
    uint32_t state = size ? data[size / 2] : 0;
    const char *line;
    size_t length;

    INVARIANT(stream != NULL && line_reader_init(&reader) == 0);
    model.length = stream_make(data, size, stream);
    for (size_t fed = 0; fed < model.length;) {
        size_t space, part;
        void *where = line_space(&reader, &space);

        part = model.length - fed < space ? model.length - fed : space;
        part = part_size(&state, part);
        memcpy(where, stream + fed, part);
        line_filled(&reader, part);
        fed += part;
        compare(&reader, &model);
    }
    INVARIANT(model.at == model.length || model_next(&model, &line, &length) == LINE_NONE);
    line_reader_free(&reader);
    free(stream);
    return 0;
}
