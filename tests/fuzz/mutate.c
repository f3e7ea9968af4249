/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * usage: TARGET [ROUNDS]
 */
#include "tests/fuzz/mutate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX 4096
#define ROUNDS    50000

/* xorshift64 (Marsaglia 2003), so that each run is the same. */
static uint64_t number = 0x9E3779B97F4A7C15u;

static size_t below(size_t bound)
{
    number ^= number << 13;
    number ^= number >> 7;
    number ^= number << 17;
    return bound == 0 ? 0 : (size_t)(number % bound);
}

static size_t change(uint8_t *input, size_t size)
{
    size_t at = below(size), length = below(size - at + 1), to = below(size);

    switch (below(6)) {
    case 0: /* a bit */
        input[at] ^= (uint8_t)(1u << below(8));
        return size;
    case 1: /* a byte */
        input[at] = (uint8_t)below(256);
        return size;
    case 2: /* the rest away */
        return at;
    case 3: /* a part away */
        memmove(input + at, input + at + length, size - at - length);
        return size - length;
    case 4: /* a part doubled */
        if (size + length > INPUT_MAX)
            return size;
        memmove(input + at + length, input + at, size - at);
        return size + length;
    default: /* a part over another */
        memmove(input + to, input + at, length < size - to ? length : size - to);
        return size;
    }
}

/* In memory of exactly its size, so that a sanitizer sees a read past the end. */
static void try(const uint8_t *input, size_t size)
{
    uint8_t *exact = malloc(size > 0 ? size : 1);

    if (exact == NULL)
        abort();
    memcpy(exact, input, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? atol(argv[1]) : ROUNDS;
    size_t seeds = 0;

    while (fuzz_seeds[seeds].data != NULL)
        seeds++;
    for (long i = 0; i < rounds; i++) {
        const struct seed *seed = &fuzz_seeds[(size_t)i % seeds];
        uint8_t input[INPUT_MAX];
        size_t size = seed->size;

        memcpy(input, seed->data, size);
        for (size_t changes = below(8); changes > 0 && size > 0; changes--)
            size = change(input, size);
        try(input, size);
    }
    printf("%ld inputs\n", rounds);
    return 0;
}
