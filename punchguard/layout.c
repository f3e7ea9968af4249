/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "punchguard/layout.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Between two columns. */
#define GAP 2

static void print_scaled(int64_t bytes, const char *suffix, char out[LAYOUT_TEXT])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes;
    size_t unit = 0;

    /* Not below: three digits at most, also once they are rounded. */
    while (value >= 999.5 && unit < sizeof units / sizeof units[0] - 1) {
        value /= 1024;
        unit++;
    }
    snprintf(out, LAYOUT_TEXT, unit > 0 && value < 9.95 ? "%.1f %s%s" : "%.0f %s%s", value,
             units[unit], suffix);
}

void layout_bytes(int64_t bytes, char out[LAYOUT_TEXT])
{
    print_scaled(bytes, "", out);
}

void layout_rate(int64_t bytes, int64_t ms, char out[LAYOUT_TEXT])
{
    double rate = bytes > 0 && ms > 0 ? (double)bytes * 1000 / (double)ms : 0;

    print_scaled((int64_t)rate, "/s", out);
}

void layout_age(int64_t seconds, char out[LAYOUT_TEXT])
{
    int64_t minutes = seconds / 60, hours = minutes / 60, days = hours / 24;

    if (seconds < 0)
        seconds = 0;
    if (minutes < 1)
        snprintf(out, LAYOUT_TEXT, "%" PRId64 " s", seconds);
    else if (hours < 1)
        snprintf(out, LAYOUT_TEXT, "%" PRId64 " min", minutes);
    else if (days < 1)
        snprintf(out, LAYOUT_TEXT, "%" PRId64 " h %" PRId64 " min", hours, minutes % 60);
    else
        snprintf(out, LAYOUT_TEXT, "%" PRId64 " d %" PRId64 " h", days, hours % 24);
}

static bool begins_character(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

size_t layout_width(const char *text)
{
    size_t width = 0;

    for (; *text != '\0'; text++)
        width += begins_character(*text);
    return width;
}

/* How many bytes of a control character begin here; 0 for none. */
static size_t control_bytes(const char *text)
{
    const unsigned char *bytes = (const unsigned char *)text;

    if (bytes[0] < 0x20 || bytes[0] == 0x7f)
        return 1;
    return bytes[0] == 0xc2 && bytes[1] >= 0x80 && bytes[1] < 0xa0 ? 2 : 0;
}

void layout_print(FILE *out, const char *text, size_t width)
{
    bool cut = width > 0 && layout_width(text) > width;
    size_t left = width == 0 ? SIZE_MAX : cut ? width - 1 : width;

    while (*text != '\0') {
        size_t control = control_bytes(text);

        if (begins_character(*text) && left-- == 0)
            break;
        fputc(control > 0 ? '?' : *text, out);
        text += control > 0 ? control : 1;
    }
    if (cut)
        fputs("…", out);
}

struct table_row *table_add(struct table *table)
{
    struct table_row *rows = realloc(table->rows, (table->row_count + 1) * sizeof *table->rows);

    if (rows == NULL)
        return NULL;
    table->rows = rows;
    memset(&rows[table->row_count], 0, sizeof *rows);
    return &rows[table->row_count++];
}

void table_cell(char cell[TABLE_CELL], const char *text)
{
    static const char more[] = "…";

    if (text == NULL || strlen(text) < TABLE_CELL)
        snprintf(cell, TABLE_CELL, "%s", text != NULL ? text : "-");
    else
        snprintf(cell, TABLE_CELL, "%.*s%s", TABLE_CELL - (int)sizeof more, text, more);
}

void table_clear(struct table *table)
{
    free(table->rows);
    table->rows = NULL;
    table->row_count = 0;
}

static void measure(const struct table *table, size_t widths[TABLE_COLUMNS])
{
    for (size_t c = 0; c < table->column_count; c++) {
        widths[c] = layout_width(table->columns[c].title);
        for (size_t r = 0; r < table->row_count; r++)
            if (layout_width(table->rows[r].cells[c]) > widths[c])
                widths[c] = layout_width(table->rows[r].cells[c]);
    }
}

static size_t total(const struct table *table, const size_t widths[TABLE_COLUMNS])
{
    size_t sum = 0;

    for (size_t c = 0; c < table->column_count; c++)
        if (widths[c] > 0)
            sum += widths[c] + (sum > 0 ? GAP : 0);
    return sum;
}

/* Leaves whole columns out; a width of 0 is a column that is not shown. */
static void fit(const struct table *table, size_t widths[TABLE_COLUMNS], size_t width)
{
    while (width > 0 && total(table, widths) > width) {
        size_t worst = 0;

        for (size_t c = 1; c < table->column_count; c++)
            if (widths[c] > 0 && (widths[worst] == 0 || table->columns[c].dispensable >=
                                                            table->columns[worst].dispensable))
                worst = c;
        if (table->columns[worst].dispensable == 0)
            return;
        widths[worst] = 0;
    }
}

static void pad(FILE *out, size_t count)
{
    while (count-- > 0)
        fputc(' ', out);
}

/* One line; the last column is not padded. */
static void print_line(const struct table *table, const size_t widths[TABLE_COLUMNS],
                       const struct table_row *row, FILE *out, size_t width)
{
    size_t used = 0, gap = 0;

    for (size_t c = 0; c < table->column_count; c++) {
        const char *cell = row != NULL ? row->cells[c] : table->columns[c].title;
        size_t between = used > 0 ? GAP : 0, room = widths[c], spare;

        if (room == 0)
            continue;
        if (width > 0 && used + between + room > width)
            room = width > used + between ? width - used - between : 0;
        if (room == 0)
            return;
        spare = layout_width(cell) < room ? room - layout_width(cell) : 0;
        pad(out, gap + between + (table->columns[c].right ? spare : 0));
        layout_print(out, cell, room);
        gap = table->columns[c].right ? 0 : spare;
        used += between + room;
    }
}

static size_t row_height(const struct table_row *row)
{
    return row->note[0] != '\0' ? 2 : 1;
}

static void print_row(const struct table *table, const size_t widths[TABLE_COLUMNS],
                      const struct table_row *row, FILE *out, size_t width, const char *end)
{
    print_line(table, widths, row, out, width);
    fputs(end, out);
    if (row->note[0] == '\0')
        return;
    fputs("  ", out);
    layout_print(out, row->note, width > 2 ? width - 2 : width);
    fputs(end, out);
}

void table_print(const struct table *table, FILE *out, size_t width, size_t height, const char *end)
{
    size_t widths[TABLE_COLUMNS] = {0}, used = 1;

    measure(table, widths);
    fit(table, widths, width);
    print_line(table, widths, NULL, out, width);
    fputs(end, out);
    for (size_t r = 0; r < table->row_count; r++) {
        const struct table_row *row = &table->rows[r];
        bool last = r + 1 == table->row_count;

        /* The line that counts the rest needs one too. */
        if (height > 0 && used + row_height(row) + (last ? 0 : 1) > height) {
            fprintf(out, "… and %zu more%s", table->row_count - r, end);
            return;
        }
        print_row(table, widths, row, out, width, end);
        used += row_height(row);
    }
}
