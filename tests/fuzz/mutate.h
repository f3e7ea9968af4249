/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What every fuzz target gives: libFuzzer's entry, and good inputs to begin with. Built with
 * -fsanitize=fuzzer a target is libFuzzer's alone; linked with mutate.c it is a test that takes
 * less than a second and does the same each time.
 */
#ifndef TESTS_FUZZ_MUTATE_H
#define TESTS_FUZZ_MUTATE_H

#include <stddef.h>
#include <stdint.h>

struct seed {
    const void *data;
    size_t size;
};

/* Ends the process by abort() where what it tests has broken a promise. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends with an entry without data. */
extern const struct seed fuzz_seeds[];

#endif
