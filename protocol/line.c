/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "protocol/line.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int line_reader_init(struct line_reader *reader)
{
    memset(reader, 0, sizeof *reader);
    reader->buffer = malloc(LINE_MAX_BYTES + 1);
    return reader->buffer == NULL ? -ENOMEM : 0;
}

void line_reader_free(struct line_reader *reader)
{
    if (reader == NULL)
        return;
    free(reader->buffer);
    memset(reader, 0, sizeof *reader);
}

static void line_compact(struct line_reader *reader)
{
    if (reader->begin == 0)
        return;
    memmove(reader->buffer, reader->buffer + reader->begin, reader->end - reader->begin);
    reader->end -= reader->begin;
    reader->scanned -= reader->begin;
    reader->begin = 0;
}

void *line_space(struct line_reader *reader, size_t *space)
{
    line_compact(reader);
    *space = LINE_MAX_BYTES - reader->end;
    return reader->buffer + reader->end;
}

void line_filled(struct line_reader *reader, size_t count)
{
    reader->end += count;
}

static enum line_result line_overflow(struct line_reader *reader)
{
    bool told = reader->skipping;

    reader->begin = reader->end = reader->scanned = 0;
    reader->skipping = true;
    return told ? LINE_NONE : LINE_TOO_LONG;
}

enum line_result line_next(struct line_reader *reader, char **line, size_t *length)
{
    char *start, *newline;

    for (;;) {
        start = reader->buffer + reader->begin;
        newline = memchr(reader->buffer + reader->scanned, '\n', reader->end - reader->scanned);
        if (newline == NULL) {
            reader->scanned = reader->end;
            if (reader->skipping || reader->end - reader->begin >= LINE_MAX_BYTES)
                return line_overflow(reader);
            return LINE_NONE;
        }
        reader->begin = (size_t)(newline - reader->buffer) + 1;
        reader->scanned = reader->begin;
        if (reader->skipping) {
            reader->skipping = false;
            continue;
        }
        *newline = '\0';
        *line = start;
        *length = (size_t)(newline - start);
        return LINE_OK;
    }
}
