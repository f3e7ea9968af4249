/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The listing of a table that was found. What is read has ports and addresses that can be written again.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "wg-setup/redirect.h"

static const char *const seeds[] = {
    "{\"nftables\": [{\"metainfo\": {\"version\": \"1.0.6\"}}]}",
    "{\"nftables\": [{\"set\": {\"family\": \"inet\", \"name\": \"ice\", \"elem\": [41000, "
    "42000]}}]}",
    "{\"nftables\": [{\"map\": {\"name\": \"learned\", \"elem\": [[{\"elem\": {\"val\": "
    "{\"concat\": "
    "[\"192.0.2.1\", 5]}, \"expires\": 179}}, 41000]]}}]}",
    "{\"nftables\": [{\"map\": {\"name\": \"pairs\", \"elem\": [[{\"concat\": [\"192.0.2.1\", 5]}, "
    "{\"concat\": [\"10.0.0.1\", 41000]}]]}}, {\"map\": {\"name\": \"pairs6\", \"elem\": "
    "[[{\"concat\": "
    "[\"2001:db8::1\", 5]}, {\"concat\": [\"2001:db8::2\", 41000]}]]}}]}",
};

size_t fuzz_seed(size_t index, uint8_t *out, size_t space)
{
    size_t length = index < sizeof seeds / sizeof seeds[0] ? strlen(seeds[index]) : 0;

    INVARIANT(length <= space);
    if (length > 0)
        memcpy(out, seeds[index], length);
    return length;
}

static void check(const struct redirect_standing *standing)
{
    for (size_t i = 0; i < standing->port_count; i++)
        INVARIANT(standing->ports[i] != 0);
    for (size_t i = 0; i < standing->pair_count; i++) {
        INVARIANT(endpoint_family(&standing->pairs[i].remote) != 0);
        INVARIANT(endpoint_family(&standing->pairs[i].base) ==
                  endpoint_family(&standing->pairs[i].remote));
    }
    for (size_t i = 0; i < standing->learned_count; i++)
        INVARIANT(standing->learned[i].base.port != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct redirect_standing standing;
    struct error err = {.code = ""};

    memset(&standing, 0, sizeof standing);
    if (redirect_parse((const char *)data, size, &standing, &err) == 0)
        check(&standing);
    else
        invariant_error_told(&err);
    redirect_standing_clear(&standing);
    return 0;
}
