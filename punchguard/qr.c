/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "punchguard/qr.h"

#include <errno.h>
#include <qrencode.h>
#include <stdbool.h>

/* ISO/IEC 18004 section 6.3.8. */
#define QUIET 4
/* Black and white, whatever the terminal's colours are. */
#define COLOURS_ON  "\033[30;47m"
#define COLOURS_OFF "\033[0m"

static bool is_dark(const QRcode *code, int x, int y)
{
    if (x < 0 || y < 0 || x >= code->width || y >= code->width)
        return false;
    return (code->data[y * code->width + x] & 1) != 0;
}

static void print_rows(const QRcode *code, int y, FILE *out)
{
    static const char *const halves[2][2] = {{" ", "\u2584"}, {"\u2580", "\u2588"}};

    fputs(COLOURS_ON, out);
    for (int x = -QUIET; x < code->width + QUIET; x++)
        fputs(halves[is_dark(code, x, y)][is_dark(code, x, y + 1)], out);
    fputs(COLOURS_OFF "\n", out);
}

int qr_print(const char *text, FILE *out)
{
    QRcode *code = QRcode_encodeString(text, 0, QR_ECLEVEL_L, QR_MODE_8, 1);

    if (code == NULL)
        return errno == ERANGE ? -E2BIG : -ENOMEM;
    for (int y = -QUIET; y < code->width + QUIET; y += 2)
        print_rows(code, y, out);
    QRcode_free(code);
    return 0;
}
