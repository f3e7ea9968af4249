/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "protocol/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "protocol/text.h"

void error_set(struct error *err, const char *code, const char *format, ...)
{
    va_list args;

    if (err == NULL)
        return;
    snprintf(err->code, sizeof err->code, "%s", code);
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    text_clean(err->message);
}

void error_prefix(struct error *err, const char *format, ...)
{
    char tail[sizeof err->message];
    va_list args;
    int used;

    if (err == NULL)
        return;
    memcpy(tail, err->message, sizeof tail);
    va_start(args, format);
    used = vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    if (used >= 0 && (size_t)used < sizeof err->message)
        snprintf(err->message + used, sizeof err->message - (size_t)used, "%s", tail);
    text_clean(err->message);
}
