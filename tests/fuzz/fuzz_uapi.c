/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The answer of a userspace WireGuard. With libFuzzer: clang -fsanitize=fuzzer,address, this file and wg-setup/libwg.a.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wg-setup/uapi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_peer(void *data, const struct device_status *status)
{
    char text[PREFIX_TEXT_SIZE];
    size_t count = status->allowed_count;

    for (size_t i = 0; i < count && i < PEER_ALLOWED_MAX; i++)
        prefix_format(&status->allowed[i], text);
    ++*(size_t *)data;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct device_about about;
    size_t peers = 0;
    char *text = malloc(size + 1);

    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    uapi_read(text, &about, on_peer, &peers);
    free(text);
    return 0;
}
