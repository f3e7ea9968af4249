/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a fuzz target has, so that it runs both in `make check`, by tests/fuzz/driver.c, and under
 * libFuzzer, which finds more and has no end. By hand, with clang, from the top of the source,
 * where BUILD is a configured build folder:
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -std=c11 -D_GNU_SOURCE -I. -IBUILD \
 *       tests/fuzz/fuzz_message.c tests/fuzz/invariant.c tests/unit/walk.c protocol/[a-z]*.c \
 *       -ljansson -lsodium -o fuzz_message
 *   BUILD/tests/fuzz/fuzz_message --seeds corpus    (writes the seeds there)
 *   ./fuzz_message -max_len=4096 corpus
 *
 * An input that libFuzzer found to break something runs again by `BUILD/tests/fuzz/fuzz_message
 * FILE`.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/error.h"

/* libFuzzer's name. Returns 0; aborts where an invariant does not hold. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writes seed number `index` to out[], which holds `space` bytes. Its length; 0 past the last. */
size_t fuzz_seed(size_t index, uint8_t *out, size_t space);

#define INVARIANT(condition) invariant_hold(condition, #condition, __FILE__, __LINE__)
void invariant_hold(int holds, const char *what, const char *file, int line);

/* The error has a code and a message, and can be sent. */
void invariant_error_told(const struct error *err);

#endif
