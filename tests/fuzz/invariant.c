/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/message.h"
#include "tests/fuzz/fuzz.h"

void invariant_hold(int holds, const char *what, const char *file, int line)
{
    if (holds)
        return;
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    abort();
}

void invariant_error_told(const struct error *err)
{
    struct message message;
    size_t length;
    char *line;

    INVARIANT(strlen(err->code) > 0);
    INVARIANT(strspn(err->code, "abcdefghijklmnopqrstuvwxyz-") == strlen(err->code));
    INVARIANT(strlen(err->message) > 0);
    message_init(&message, MESSAGE_error);
    message.error.code = (char *)(uintptr_t)err->code;
    message.error.message = (char *)(uintptr_t)err->message;
    line = message_encode(&message, &length, NULL);
    INVARIANT(line != NULL);
    free(line);
}
