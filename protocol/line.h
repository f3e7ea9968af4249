/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Cuts a byte stream into lines, with constant memory whatever comes.
 */
#ifndef PROTOCOL_LINE_H
#define PROTOCOL_LINE_H

#include <stdbool.h>
#include <stddef.h>

/* Longest line with its newline, in bytes: the contract of punchguard-protocol(7). */
#define LINE_MAX_BYTES (64 * 1024)

struct line_reader {
    char *buffer; /* LINE_MAX_BYTES + 1 */
    size_t begin; /* first byte not yet handed out */
    size_t end;   /* first free byte */
    size_t scanned;
    bool skipping; /* inside a line that is too long */
};

enum line_result {
    LINE_NONE,     /* more bytes are needed */
    LINE_OK,       /* a line without its newline, terminated with NUL, valid until the next call */
    LINE_TOO_LONG, /* a line was dropped; told once for each, when its length passes the limit */
};

/* 0 or -ENOMEM. */
int line_reader_init(struct line_reader *reader);
void line_reader_free(struct line_reader *reader);

/* Where to read the next bytes to, and how many fit: never zero once line_next() gave LINE_NONE. */
void *line_space(struct line_reader *reader, size_t *space);
/* Says that `count` bytes were read there. */
void line_filled(struct line_reader *reader, size_t count);

enum line_result line_next(struct line_reader *reader, char **line, size_t *length);

#endif
