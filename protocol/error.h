/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One error, told so that a person can act on it.
 */
#ifndef PROTOCOL_ERROR_H
#define PROTOCOL_ERROR_H

#include <stddef.h>

/* `code` is a kebab-case word for programs, `message` a sentence for people that says what is
 * wrong, where, and what would be right. Both are always terminated and UTF-8:
 * long texts are cut, bytes that are not UTF-8 become '?'. */
struct error {
    char code[40];
    char message[600];
};

/* Fills `err`, which may be NULL. */
void error_set(struct error *err, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts text in front of the message that is there, say the name of the file. */
void error_prefix(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
