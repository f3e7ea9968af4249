/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "protocol/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "protocol/text.h"

static const char *log_program = "punchguard";
static bool log_verbose;
static time_t log_second;
static unsigned log_lines;
static unsigned log_suppressed;

void log_open(const char *program, bool verbose)
{
    log_program = program;
    log_verbose = verbose;
}

static bool log_allowed(char *note, size_t size)
{
    struct timespec now;

    note[0] = '\0';
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec != log_second) {
        if (log_suppressed > 0)
            snprintf(note, size, "%s: %u log lines left out\n", log_program, log_suppressed);
        log_second = now.tv_sec;
        log_lines = 0;
        log_suppressed = 0;
    }
    if (log_lines >= LOG_LINES_PER_SECOND) {
        log_suppressed++;
        return false;
    }
    log_lines++;
    return true;
}

/* Control characters could come from a peer or a helper and would drive a terminal: those of ASCII, and
 * U+0080 to U+009F, which UTF-8 writes as 0xc2 and the same byte. */
static void log_clean(char *line)
{
    text_clean(line);
    for (unsigned char *at = (unsigned char *)line; *at != '\0'; at++) {
        if (*at < 0x20 || *at == 0x7f)
            *at = '?';
        else if (at[0] == 0xc2 && at[1] < 0xa0)
            at[0] = at[1] = '?';
    }
}

/* One write a line, so that lines of several processes do not mix. */
static void log_line(const char *level, const char *format, va_list args)
{
    char line[1200];
    int head, body;
    size_t end;

    if (!log_allowed(line, sizeof line))
        return;
    if (line[0] != '\0' && write(STDERR_FILENO, line, strlen(line)) < 0)
        return;
    head = snprintf(line, sizeof line, "%s: %s", log_program, level);
    if (head < 0)
        return;
    body = vsnprintf(line + head, sizeof line - (size_t)head - 1, format, args);
    if (body < 0)
        return;
    end = (size_t)head + (size_t)body;
    if (end > sizeof line - 2)
        end = sizeof line - 2;
    line[end] = '\0';
    log_clean(line);
    end = strlen(line);
    line[end] = '\n';
    if (write(STDERR_FILENO, line, end + 1) < 0)
        return;
}

#define LOG_FUNCTION(name, level, condition)                                                       \
    void name(const char *format, ...)                                                             \
    {                                                                                              \
        va_list args;                                                                              \
                                                                                                   \
        if (!(condition))                                                                          \
            return;                                                                                \
        va_start(args, format);                                                                    \
        log_line(level, format, args);                                                             \
        va_end(args);                                                                              \
    }

LOG_FUNCTION(log_debug, "debug: ", log_verbose)
LOG_FUNCTION(log_info, "", true)
LOG_FUNCTION(log_warn, "warning: ", true)
LOG_FUNCTION(log_error, "error: ", true)
