/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A small fuzzer in the process: mutates the target's seeds, the same way each time.
 *
 *   fuzz_NAME                  every seed, then ITERATIONS mutations
 *   fuzz_NAME FILE…            these inputs only
 *   fuzz_NAME --seeds FOLDER   writes the seeds as files
 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

#define ITERATIONS 60000
#define INPUT_MAX  65536
#define SEEDS_MAX  400

struct input {
    uint8_t *bytes;
    size_t length;
};

static struct input seeds[SEEDS_MAX];
static size_t seed_count;
static struct input input; /* the one that runs */
static uint32_t random_state;

static uint32_t random_below(size_t bound)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state % (uint32_t)bound;
}

static void seeds_read(void)
{
    static uint8_t buffer[INPUT_MAX];
    size_t length;

    while (seed_count < SEEDS_MAX && (length = fuzz_seed(seed_count, buffer, INPUT_MAX)) > 0) {
        seeds[seed_count].bytes = malloc(length);
        seeds[seed_count].length = length;
        memcpy(seeds[seed_count++].bytes, buffer, length);
    }
}

static void seeds_free(void)
{
    for (size_t i = 0; i < seed_count; i++)
        free(seeds[i].bytes);
}

/* Makes room for `length` bytes at `at`, which may be the end. */
static void insert(size_t at, const void *bytes, size_t length)
{
    uint8_t copy[256];

    if (length > sizeof copy)
        length = sizeof copy;
    if (input.length + length > INPUT_MAX)
        return;
    memcpy(copy, bytes, length);
    memmove(input.bytes + at + length, input.bytes + at, input.length - at);
    memcpy(input.bytes + at, copy, length);
    input.length += length;
}

static void cut(size_t at, size_t length)
{
    if (length > input.length - at)
        length = input.length - at;
    memmove(input.bytes + at, input.bytes + at + length, input.length - at - length);
    input.length -= length;
}

static void insert_token(void)
{
    static const char *const tokens[] = {"\"",
                                         "{",
                                         "}",
                                         "[",
                                         "]",
                                         ",",
                                         ":",
                                         "\\",
                                         "\\u0000",
                                         "\\n",
                                         "true",
                                         "null",
                                         "\"ref\"",
                                         "0",
                                         "-1",
                                         "1e9",
                                         "65536",
                                         "9223372036854775807",
                                         "\n",
                                         "/",
                                         "::",
                                         "%",
                                         "\xc3\xa9",
                                         "\xff",
                                         "\xed\xa0\x80",
                                         "\\ud800",
                                         "\\u00e9",
                                         "::1",
                                         "127.0.0.1",
                                         "/32",
                                         "|",
                                         " ",
                                         "PG1",
                                         "{\"address\":\"::1\",\"port\":1}"};
    const char *token = tokens[random_below(sizeof tokens / sizeof tokens[0])];

    insert(random_below(input.length + 1), token, strlen(token));
}

/* What follows a colon, up to a comma or brace, by another JSON value: most other mutations leave
 * no JSON. */
static void replace_value(void)
{
    static const char *const values[] = {
        "null", "true", "-1",    "0",           "65536",   "9223372036854775807",
        "0.5",  "\"\"", "\"x\"", "\"1|2\"",     "[]",      "[\"x\",\"\\u00e9\"]",
        "{}",   "[1]",  "[{}]",  "{\"a\":1e3}", "\"::1\"", "{\"address\":\"::1\",\"port\":1}"};
    const char *value = values[random_below(sizeof values / sizeof values[0])];
    size_t at = random_below(input.length), length = 0;

    while (at < input.length && input.bytes[at] != ':')
        at++;
    if (at == input.length)
        return;
    at++;
    while (at + length < input.length && input.bytes[at + length] != ',' &&
           input.bytes[at + length] != '}')
        length++;
    cut(at, length);
    insert(at, value, strlen(value));
}

static void splice(void)
{
    const struct input *other = &seeds[random_below(seed_count)];
    size_t from = random_below(other->length), length = 1 + random_below(other->length - from);

    insert(random_below(input.length + 1), other->bytes + from, length);
}

static void mutate_once(void)
{
    size_t at = input.length > 0 ? random_below(input.length) : 0;
    uint8_t byte = (uint8_t)random_below(256);

    switch (random_below(input.length > 0 ? 12 : 2)) {
    case 0:
        insert_token();
        break;
    case 1:
        splice();
        break;
    case 2:
        input.bytes[at] ^= (uint8_t)(1u << random_below(8));
        break;
    case 3:
        input.bytes[at] = byte;
        break;
    case 4:
        insert(at, &byte, 1);
        break;
    case 5:
        cut(at, 1 + random_below(8));
        break;
    case 6:
        insert(at, input.bytes + at, 1 + random_below(input.length - at));
        break;
    case 7:
        cut(at, 1 + random_below(input.length));
        break;
    default:
        replace_value();
        break;
    }
}

/* The target gets memory of exactly the input's size, so that reading past it is seen. */
static void run(const uint8_t *bytes, size_t length)
{
    uint8_t *copy = malloc(length ? length : 1);

    if (copy == NULL)
        exit(99);
    memcpy(copy, bytes, length);
    LLVMFuzzerTestOneInput(copy, length);
    free(copy);
}

static void run_mutations(void)
{
    for (uint32_t i = 0; i < ITERATIONS; i++) {
        const struct input *seed;

        random_state = i * 2654435761u + 1;
        seed = &seeds[random_below(seed_count)];
        memcpy(input.bytes, seed->bytes, seed->length);
        input.length = seed->length;
        for (uint32_t n = 1 + random_below(4) * random_below(2); n > 0; n--)
            mutate_once();
        run(input.bytes, input.length);
    }
}

static int run_file(const char *name)
{
    FILE *file = fopen(name, "rb");

    if (file == NULL) {
        perror(name);
        return 1;
    }
    input.length = fread(input.bytes, 1, INPUT_MAX, file);
    fclose(file);
    run(input.bytes, input.length);
    return 0;
}

static int write_seeds(const char *folder)
{
    if (mkdir(folder, 0777) < 0 && access(folder, W_OK) < 0) {
        perror(folder);
        return 1;
    }
    for (size_t i = 0; i < seed_count; i++) {
        char name[4096];
        FILE *file;

        snprintf(name, sizeof name, "%s/seed-%03zu", folder, i);
        file = fopen(name, "wb");
        if (file == NULL || fwrite(seeds[i].bytes, 1, seeds[i].length, file) != seeds[i].length ||
            fclose(file) != 0) {
            perror(name);
            return 1;
        }
    }
    return 0;
}

/* What was run when the target died, as bytes for printf(1). */
static void tell_input(void)
{
    fprintf(stderr, "\nthe input, for printf: ");
    for (size_t i = 0; i < input.length; i++)
        fprintf(stderr, "\\%03o", (unsigned)input.bytes[i]);
    fprintf(stderr, "\n");
}

static void on_death(int number)
{
    tell_input();
    signal(number, SIG_DFL);
    raise(number);
}

/* There only where the program is built with sanitizers. */
void __sanitizer_set_death_callback(void (*)(void)) __attribute__((weak));

int main(int argc, char **argv)
{
    int status = 0;

    input.bytes = malloc(INPUT_MAX);
    if (input.bytes == NULL)
        return 99;
    seeds_read();
    signal(SIGABRT, on_death);
    if (__sanitizer_set_death_callback != NULL)
        __sanitizer_set_death_callback(tell_input);
    else
        signal(SIGSEGV, on_death);
    if (argc == 3 && strcmp(argv[1], "--seeds") == 0) {
        status = write_seeds(argv[2]);
    } else if (argc > 1) {
        for (int i = 1; i < argc; i++)
            status |= run_file(argv[i]);
    } else {
        for (size_t i = 0; i < seed_count; i++) {
            memcpy(input.bytes, seeds[i].bytes, input.length = seeds[i].length);
            run(input.bytes, input.length);
        }
        run_mutations();
    }
    seeds_free();
    free(input.bytes);
    return status;
}
