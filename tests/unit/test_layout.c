/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "punchguard/layout.h"

static void assert_bytes(int64_t bytes, const char *expected)
{
    char text[LAYOUT_TEXT];

    layout_bytes(bytes, text);
    assert_string_equal(text, expected);
}

static void bytes_have_three_digits_at_most(void **state)
{
    (void)state;
    assert_bytes(0, "0 B");
    assert_bytes(999, "999 B");
    assert_bytes(1000, "1.0 KiB");
    assert_bytes(1024, "1.0 KiB");
    assert_bytes(1536, "1.5 KiB");
    assert_bytes(10 * 1024, "10 KiB");
    assert_bytes(1023 * 1024, "1.0 MiB");
    assert_bytes(INT64_C(5) << 30, "5.0 GiB");
    assert_bytes(INT64_MAX, "8.0 EiB");
}

static void assert_age(int64_t seconds, const char *expected)
{
    char text[LAYOUT_TEXT];

    layout_age(seconds, text);
    assert_string_equal(text, expected);
}

static void ages_have_two_units_at_most(void **state)
{
    (void)state;
    assert_age(-5, "0 s"); /* the clock was set back */
    assert_age(59, "59 s");
    assert_age(60, "1 min");
    assert_age(3599, "59 min");
    assert_age(3600 * 3 + 60 * 20, "3 h 20 min");
    assert_age(86400 * 4 + 3600 * 2, "4 d 2 h");
}

static void a_rate_is_never_below_zero_nor_over_no_time(void **state)
{
    char text[LAYOUT_TEXT];

    (void)state;
    layout_rate(2048, 2000, text);
    assert_string_equal(text, "1.0 KiB/s");
    layout_rate(-100, 1000, text); /* WireGuard began to count anew */
    assert_string_equal(text, "0 B/s");
    layout_rate(100, 0, text);
    assert_string_equal(text, "0 B/s");
}

static void widths_are_counted_in_characters(void **state)
{
    (void)state;
    assert_int_equal(layout_width("abc"), 3);
    assert_int_equal(layout_width("äö…"), 3);
    assert_int_equal(layout_width(""), 0);
}

static struct table table_new(void)
{
    struct table table = {
        .columns = {{"NAME", false, 0}, {"EXTRA", false, 2}, {"N", true, 1}},
        .column_count = 3,
    };
    struct table_row *row = table_add(&table);

    strcpy(row->cells[0], "a");
    strcpy(row->cells[1], "something");
    strcpy(row->cells[2], "7");
    row = table_add(&table);
    strcpy(row->cells[0], "longer");
    strcpy(row->cells[1], "x");
    strcpy(row->cells[2], "1234");
    return table;
}

static void assert_printed(const struct table *table, size_t width, size_t height,
                           const char *expected)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    table_print(table, out, width, height, "\n");
    fclose(out);
    assert_string_equal(text, expected);
    free(text);
}

static void columns_stand_below_their_titles(void **state)
{
    struct table table = table_new();

    (void)state;
    assert_printed(&table, 0, 0,
                   "NAME    EXTRA         N\n"
                   "a       something     7\n"
                   "longer  x          1234\n");
    table_clear(&table);
}

static void what_matters_least_goes_first_where_it_is_narrow(void **state)
{
    struct table table = table_new();

    (void)state;
    assert_printed(&table, 23, 0,
                   "NAME    EXTRA         N\n"
                   "a       something     7\n"
                   "longer  x          1234\n");
    assert_printed(&table, 22, 0,
                   "NAME       N\n"
                   "a          7\n"
                   "longer  1234\n");
    assert_printed(&table, 11, 0, "NAME\na\nlonger\n");
    assert_printed(&table, 3, 0, "NA…\na\nlo…\n");
    table_clear(&table);
}

static void what_is_too_high_is_counted(void **state)
{
    struct table table = table_new();

    (void)state;
    assert_printed(&table, 11, 3, "NAME\na\nlonger\n");
    assert_printed(&table, 11, 2, "NAME\n… and 2 more\n");
    strcpy(table.rows[0].note, "why");
    assert_printed(&table, 11, 4, "NAME\na\n  why\nlonger\n");
    assert_printed(&table, 11, 3, "NAME\n… and 2 more\n");
    table_clear(&table);
}

/* A terminal would obey them. */
static void control_characters_do_not_reach_the_terminal(void **state)
{
    struct table table = table_new();

    (void)state;
    strcpy(table.rows[0].cells[0], "\033[2J");
    strcpy(table.rows[1].note, "a\x7f\r\xc2\x9b"
                               "2J\xc2\xa0");
    assert_printed(&table, 11, 0, "NAME\n?[2J\nlonger\n  a???2J\xc2\xa0\n");
    table_clear(&table);
}

static void notes_are_cut_to_the_width(void **state)
{
    struct table table = table_new();

    (void)state;
    strcpy(table.rows[0].note, "0123456789");
    assert_printed(&table, 11, 0, "NAME\na\n  01234567…\nlonger\n");
    table_clear(&table);
}

static void a_cell_says_where_it_does_not_say_all(void **state)
{
    char cell[TABLE_CELL], text[TABLE_CELL + 1];

    (void)state;
    memset(text, 'x', sizeof text);
    text[TABLE_CELL - 1] = '\0';
    table_cell(cell, text);
    assert_string_equal(cell, text);
    text[TABLE_CELL - 1] = 'x';
    text[TABLE_CELL] = '\0';
    table_cell(cell, text);
    assert_int_equal(strlen(cell), TABLE_CELL - 1);
    assert_string_equal(cell + TABLE_CELL - 1 - strlen("…"), "…");
    table_cell(cell, NULL);
    assert_string_equal(cell, "-");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_have_three_digits_at_most),
        cmocka_unit_test(ages_have_two_units_at_most),
        cmocka_unit_test(a_rate_is_never_below_zero_nor_over_no_time),
        cmocka_unit_test(widths_are_counted_in_characters),
        cmocka_unit_test(columns_stand_below_their_titles),
        cmocka_unit_test(what_matters_least_goes_first_where_it_is_narrow),
        cmocka_unit_test(what_is_too_high_is_counted),
        cmocka_unit_test(control_characters_do_not_reach_the_terminal),
        cmocka_unit_test(notes_are_cut_to_the_width),
        cmocka_unit_test(a_cell_says_where_it_does_not_say_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
