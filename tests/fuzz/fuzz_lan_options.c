/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The options of a transport: right, or an error that says where.
 */
#include <stdlib.h>
#include <string.h>

#include "signal-lan/options.h"
#include "tests/fuzz/fuzz.h"

static const char *const seeds[] = {
    "{\"groups\":[\"239.255.1.2\",\"ff02::1:2\"],\"port\":7000,\"direct_port\":0}",
    "{\"interfaces\":[\"eth0\",\"wlan0\"],\"direct_port\":7001}",
};

size_t fuzz_seed(size_t index, uint8_t *out, size_t space)
{
    size_t length = index < sizeof seeds / sizeof seeds[0] ? strlen(seeds[index]) : 0;

    INVARIANT(length <= space);
    if (length > 0)
        memcpy(out, seeds[index], length);
    return length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    struct options options;
    struct error err;

    INVARIANT(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    if (options_read(&options, text, &err) < 0) {
        invariant_error_told(&err);
    } else {
        INVARIANT(options.ipv4 || options.ipv6);
        INVARIANT(options.port != 0 && options.port != options.direct_port);
        INVARIANT(options.interface_count <= OPTIONS_INTERFACES_MAX);
        for (size_t i = 0; i < options.interface_count; i++)
            INVARIANT(memchr(options.interfaces[i], '\0', IFNAMSIZ) != NULL);
    }
    free(text);
    return 0;
}
