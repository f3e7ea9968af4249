/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The options of a transport: right, or an error that says where.
 */
#include <stdlib.h>
#include <string.h>

#include "signal-dht/options.h"
#include "tests/fuzz/mutate.h"

static const char full[] = "{\"port\":4222,\"bootstrap\":[\"bootstrap.example.org\",\"192.0.2.1:"
                           "4222\",\"[2001:db8::1]:1\"]}";

const struct seed fuzz_seeds[] = {
    {full, sizeof full - 1},
    {"{\"bootstrap\":[]}", 16},
    {NULL, 0},
};

static void check(const struct options *options)
{
    if (options->bootstrap_count > OPTIONS_BOOTSTRAP_MAX)
        abort();
    for (size_t i = 0; i < options->bootstrap_count; i++) {
        const struct bootstrap *node = &options->bootstrap[i];

        if (memchr(node->host, '\0', sizeof node->host) == NULL || node->host[0] == '\0' ||
            node->port == 0)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct options options;
    struct error err = {0};
    char *text = malloc(size + 1);

    if (text == NULL)
        abort();
    memcpy(text, data, size);
    text[size] = '\0';
    if (options_read(&options, text, &err) == 0)
        check(&options);
    else if (err.code[0] == '\0' || err.message[0] == '\0')
        abort();
    free(text);
    return 0;
}
