/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The log for people, on standard error. Never parsed by anything of ours.
 */
#ifndef PROTOCOL_LOG_H
#define PROTOCOL_LOG_H

#include <stdbool.h>

/* Lines that one process may log in one second; the rest is counted and said once. */
#define LOG_LINES_PER_SECOND 100

/* `program` is kept, not copied. */
void log_open(const char *program, bool verbose);

void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
