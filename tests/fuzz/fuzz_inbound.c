/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a peer may begin: an item that is read reads the same when it is written again; and of a
 * listing of chains nothing is taken that nftables' text could take for more than a name.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/inbound.h"
#include "tests/fuzz/fuzz.h"
#include "wg-setup/inbound.h"

#define CHAIN "{\"chain\": {\"family\": \"inet\", \"table\": \"punchguard-inbound_pg0\", \"name\": "

static const char *const seeds[] = {
    "tcp/22",
    "udp/60000-61000",
    "icmp",
    "{\"nftables\": [{\"metainfo\": {\"version\": \"1.0.6\"}}, " CHAIN "\"judge\"}}, " CHAIN
    "\"from_bob.x-y\"}}]}",
};

size_t fuzz_seed(size_t index, uint8_t *out, size_t space)
{
    size_t length = index < sizeof seeds / sizeof seeds[0] ? strlen(seeds[index]) : 0;

    INVARIANT(length <= space);
    if (length > 0)
        memcpy(out, seeds[index], length);
    return length;
}

static void read_item(const char *text)
{
    struct inbound_item item, again;
    struct error err = {.code = ""};
    char written[32] = "icmp";

    if (inbound_item_parse(&item, text, &err) < 0) {
        invariant_error_told(&err);
        return;
    }
    if (item.protocol != INBOUND_ICMP) {
        INVARIANT(item.first >= 1 && item.first <= item.last);
        snprintf(written, sizeof written, "%s/%u-%u", item.protocol == INBOUND_TCP ? "tcp" : "udp",
                 (unsigned)item.first, (unsigned)item.last);
    }
    INVARIANT(inbound_item_parse(&again, written, NULL) == 0);
    INVARIANT(again.protocol == item.protocol && again.first == item.first &&
              again.last == item.last);
}

static void read_chains(const char *text, size_t size)
{
    static const char right[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./";
    struct error err = {.code = ""};
    char **chains = inbound_chains_parse(text, size, "pg0", &err);

    if (chains == NULL)
        invariant_error_told(&err);
    for (size_t i = 0; chains != NULL && chains[i] != NULL; i++) {
        INVARIANT(strncmp(chains[i], "from_", 5) == 0);
        INVARIANT(strspn(chains[i], right) == strlen(chains[i]));
    }
    inbound_chains_free(chains);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    INVARIANT(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    read_item(text);
    read_chains(text, size);
    free(text);
    return 0;
}
