/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What `punchguard doctor` found: a line each, and what to do about it.
 */
#ifndef PUNCHGUARD_FINDINGS_H
#define PUNCHGUARD_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>

enum level {
    LEVEL_OK,
    LEVEL_SKIP, /* could not be looked at */
    LEVEL_WARN, /* works, but not as well as it might, or not for long */
    LEVEL_FAIL, /* stands in the way of a tunnel */
};

struct finding {
    enum level level;
    const char *check; /* a constant */
    char *text;
    char *remedy; /* NULL: nothing is to be done */
};

struct findings {
    struct finding *items;
    size_t count;
    bool aloud; /* each is printed as it comes */
};

/* `remedy` may be NULL, and is copied. */
void findings_add(struct findings *findings, enum level level, const char *check,
                  const char *remedy, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* LEVEL_OK where there is none. */
enum level findings_worst(const struct findings *findings);
/* As one JSON object, on a line. */
void findings_print_json(const struct findings *findings);
void findings_clear(struct findings *findings);

#endif
