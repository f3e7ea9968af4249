/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The options of a transport: right, or an error that says where.
 */
#include <stdlib.h>
#include <string.h>

#include "signal-tox/options.h"
#include "tests/fuzz/mutate.h"

static const char full[] =
    "{\"udp\":true,\"ipv6\":false,\"lan_discovery\":false,\"bootstrap\":[{\"address\":\"192.0.2."
    "1\","
    "\"udp_port\":33445,\"tcp_ports\":[3389,33445],\"public_key\":"
    "\"7E5668E0EE09E19F320AD47902419331FFEE147BB3606769CFBE921A2A2FD34C\"},{\"address\":"
    "\"2001:db8::1\",\"udp_port\":1,\"public_key\":"
    "\"82EF82BA33445A1F91A7DB27189ECFC0C013E06E3DA71F588ED692BED625EC23\"}]}";

const struct seed fuzz_seeds[] = {
    {full, sizeof full - 1},
    {"{\"bootstrap\":[]}", 16},
    {NULL, 0},
};

static void check(const struct options *options)
{
    if (options->node_count > NODES_MAX)
        abort();
    for (size_t i = 0; i < options->node_count; i++) {
        const struct node *node = &options->nodes[i];

        if (node->tcp_port_count > NODE_TCP_PORTS ||
            (node->udp_port == 0 && node->tcp_port_count == 0))
            abort();
        if (memchr(node->address, '\0', sizeof node->address) == NULL || node->address[0] == '\0')
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
