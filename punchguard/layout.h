/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Numbers as people read them, and tables for a terminal.
 */
#ifndef PUNCHGUARD_LAYOUT_H
#define PUNCHGUARD_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define LAYOUT_TEXT 32

/* "0 B", "999 B", "1.2 KiB", "34 MiB": at most three digits and their unit, by 1024. */
void layout_bytes(int64_t bytes, char out[LAYOUT_TEXT]);
/* The same with "/s". */
void layout_rate(int64_t bytes, int64_t ms, char out[LAYOUT_TEXT]);
/* "5 s", "12 min", "3 h 20 min", "4 d 2 h". Below zero: "0 s". */
void layout_age(int64_t seconds, char out[LAYOUT_TEXT]);

/* How many columns a text takes on a terminal, each character one; what is not UTF-8 too. */
size_t layout_width(const char *text);

/* At most `width` characters (0: all); what is cut ends in an ellipsis. Control characters, those
 * of ISO 6429's C1 too, become '?': a terminal would obey them. */
void layout_print(FILE *out, const char *text, size_t width);

#define TABLE_COLUMNS 12
#define TABLE_CELL    128

struct table_column {
    const char *title;
    bool right;      /* as numbers stand */
    int dispensable; /* 0: is always shown; the highest goes first where it gets too narrow */
};

struct table_row {
    char cells[TABLE_COLUMNS][TABLE_CELL];
    char note[1280]; /* a line of its own below; "" for none */
};

/* A list of rows below titles. Zeroed but for `columns` and `column_count`. */
struct table {
    struct table_column columns[TABLE_COLUMNS];
    size_t column_count;
    struct table_row *rows;
    size_t row_count;
};

/* A new empty row, valid until the next one; NULL without memory. */
struct table_row *table_add(struct table *table);
/* What is too long ends in an ellipsis; NULL: "-". */
void table_cell(char cell[TABLE_CELL], const char *text);
/* At most `width` columns wide (0: as wide as it gets) and `height` lines high (0: as high): what
 * is too wide is left out by `dispensable`, then cut; of what is too high the rest is counted. Each
 * line ends with `end`. */
void table_print(const struct table *table, FILE *out, size_t width, size_t height,
                 const char *end);
void table_clear(struct table *table);

#endif
