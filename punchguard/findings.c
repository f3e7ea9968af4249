/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "punchguard/findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/json.h"
#include "punchguard/layout.h"

static const char *const level_names[] = {"ok", "skip", "warn", "fail"};

static void print(const struct finding *finding)
{
    printf("%-4s  %-14s  ", level_names[finding->level], finding->check);
    layout_print(stdout, finding->text, 0);
    putchar('\n');
    if (finding->remedy != NULL) {
        printf("%22s→ ", "");
        layout_print(stdout, finding->remedy, 0);
        putchar('\n');
    }
    fflush(stdout);
}

void findings_add(struct findings *findings, enum level level, const char *check,
                  const char *remedy, const char *format, ...)
{
    struct finding *items =
        realloc(findings->items, (findings->count + 1) * sizeof *findings->items);
    struct finding *finding;
    va_list args;

    if (items == NULL)
        return;
    findings->items = items;
    finding = &items[findings->count];
    va_start(args, format);
    if (vasprintf(&finding->text, format, args) < 0)
        finding->text = NULL;
    va_end(args);
    finding->remedy = remedy != NULL ? strdup(remedy) : NULL;
    finding->level = level;
    finding->check = check;
    if (finding->text == NULL) {
        free(finding->remedy);
        return;
    }
    findings->count++;
    if (findings->aloud)
        print(finding);
}

enum level findings_worst(const struct findings *findings)
{
    enum level worst = LEVEL_OK;

    for (size_t i = 0; i < findings->count; i++)
        if (findings->items[i].level > worst)
            worst = findings->items[i].level;
    return worst;
}

static void print_member(const char *name, const char *text)
{
    char *quoted = text != NULL ? json_quote(text) : NULL;

    printf(",\"%s\":%s", name, quoted != NULL ? quoted : "null");
    free(quoted);
}

void findings_print_json(const struct findings *findings)
{
    printf("{\"level\":\"%s\",\"findings\":[", level_names[findings_worst(findings)]);
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->items[i];

        printf("%s{\"level\":\"%s\"", i > 0 ? "," : "", level_names[finding->level]);
        print_member("check", finding->check);
        print_member("text", finding->text);
        print_member("remedy", finding->remedy);
        putchar('}');
    }
    puts("]}");
}

void findings_clear(struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        free(findings->items[i].text);
        free(findings->items[i].remedy);
    }
    free(findings->items);
    findings->items = NULL;
    findings->count = 0;
}
