/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <qrencode.h>

#include "punchguard/qr.h"

#define QUIET 4
/* Of the longest code there is. */
#define SIDE (177 + 2 * QUIET + 1)

static bool printed[SIDE][SIDE]; /* [y][x]: dark */

/* One character is two modules, the upper one first; what is drawn is black, and what is not is
 * white. Gives the width. */
static size_t read_row(char *row, bool upper[SIDE], bool lower[SIDE])
{
    static const char *const halves[] = {" ", "\u2584", "\u2580", "\u2588"};
    const char *at = row + strlen("\033[30;47m"), *end = strstr(row, "\033[0m");
    size_t x = 0;

    assert_memory_equal(row, "\033[30;47m", strlen("\033[30;47m"));
    assert_non_null(end);
    assert_string_equal(end, "\033[0m");
    while (at < end) {
        size_t half = 0;

        while (half < 4 && strncmp(at, halves[half], strlen(halves[half])) != 0)
            half++;
        assert_true(half < 4 && x < SIDE);
        upper[x] = (half & 2) != 0;
        lower[x] = (half & 1) != 0;
        at += strlen(halves[half]);
        x++;
    }
    return x;
}

/* Prints, and reads what came back into `printed`; gives the width. */
static size_t print_and_read(const char *text)
{
    char *out = NULL, *rest, *row;
    size_t size, y = 0, width = 0;
    FILE *file = open_memstream(&out, &size);

    assert_non_null(file);
    assert_int_equal(qr_print(text, file), 0);
    fclose(file);
    rest = out;
    while ((row = strsep(&rest, "\n")) != NULL && row[0] != '\0') {
        size_t length;

        assert_true(y + 1 < SIDE);
        length = read_row(row, printed[y], printed[y + 1]);
        assert_true(width == 0 || length == width);
        width = length;
        y += 2;
    }
    assert_true(y == width || y == width + 1);
    free(out);
    return width;
}

static void what_is_printed_is_the_code(void **state)
{
    static const char *const texts[] = {"a",
                                        "PGI1-ABCDE-FGHIJ-KLMNO-PQRST-UVWXY-Z2345-67ABC-DEFGH"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        QRcode *code = QRcode_encodeString(texts[i], 0, QR_ECLEVEL_L, QR_MODE_8, 1);
        size_t width = print_and_read(texts[i]), side;

        assert_non_null(code);
        side = (size_t)code->width;
        assert_int_equal(width, side + 2 * QUIET);
        for (size_t y = 0; y < width; y++)
            for (size_t x = 0; x < width; x++) {
                bool inside = x >= QUIET && x < QUIET + side && y >= QUIET && y < QUIET + side;
                bool dark = inside && (code->data[(y - QUIET) * side + x - QUIET] & 1) != 0;

                if (printed[y][x] != dark)
                    fail_msg("'%s': column %zu of row %zu is %s", texts[i], x, y,
                             dark ? "light" : "dark");
            }
        QRcode_free(code);
    }
}

static void what_no_code_holds_is_told(void **state)
{
    static char text[4000];
    char *out = NULL;
    size_t size;
    FILE *file = open_memstream(&out, &size);

    (void)state;
    memset(text, 'x', sizeof text - 1);
    assert_int_equal(qr_print(text, file), -E2BIG);
    fclose(file);
    assert_int_equal(size, 0);
    free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_printed_is_the_code),
        cmocka_unit_test(what_no_code_holds_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
