/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "protocol/text.h"

#include <stdbool.h>
#include <stddef.h>

/* Whether the second byte may follow the first: no overlong form, no surrogate, nothing past
 * U+10FFFF. */
static bool second_fits(unsigned char first, unsigned char second)
{
    switch (first) {
    case 0xe0:
        return second >= 0xa0;
    case 0xed:
        return second <= 0x9f;
    case 0xf0:
        return second >= 0x90;
    case 0xf4:
        return second <= 0x8f;
    default:
        return true;
    }
}

/* The bytes of the character that begins here, 0 where none does. */
static size_t character_length(const unsigned char *at)
{
    size_t length;

    if (at[0] < 0x80)
        return 1;
    if (at[0] < 0xc2 || at[0] > 0xf4)
        return 0;
    length = at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return second_fits(at[0], at[1]) ? length : 0;
}

void text_clean(char *text)
{
    while (*text != '\0') {
        size_t length = character_length((const unsigned char *)text);

        if (length == 0)
            *text = '?';
        text += length ? length : 1;
    }
}
