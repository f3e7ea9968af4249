/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The peer's candidates and descriptions: whatever is accepted is an address that we may send to.
 */
#include <arpa/inet.h>
#include <string.h>

#include "ice-agent/remote.h"
#include "tests/fuzz/fuzz.h"

static const char *const seeds[] = {
    "candidate:1 1 UDP 2015363327 203.0.113.7 4711 typ host",
    "candidate:2 1 UDP 1679819263 198.51.100.2 61000 typ srflx raddr 10.2.0.2 rport 61000",
    "candidate:3 1 udp 5 2001:db8::7 1 typ relay raddr :: rport 9 generation 0",
    "candidate:4 1 TCP 5 203.0.113.7 9 typ host tcptype active",
    "candidate:5 1 UDP 5 127.0.0.1 9 typ host",
    "candidate:6 1 UDP 5 10.66.0.7 9 typ host",
};

size_t fuzz_seed(size_t index, uint8_t *out, size_t space)
{
    size_t length = index < sizeof seeds / sizeof seeds[0] ? strlen(seeds[index]) : 0;

    INVARIANT(length <= space);
    if (length > 0)
        memcpy(out, seeds[index], length);
    return length;
}

static void check_accepted(const struct candidate *candidate)
{
    struct in_addr ipv4;
    uint32_t address;

    INVARIANT(candidate->priority > 0);
    INVARIANT(candidate->endpoint.port > 0);
    INVARIANT(candidate->foundation[0] != '\0');
    INVARIANT(endpoint_family(&candidate->endpoint) != AF_UNSPEC);
    INVARIANT(!endpoint_is_loopback(&candidate->endpoint));
    if (inet_pton(AF_INET, candidate->endpoint.address, &ipv4) != 1)
        return;
    address = ntohl(ipv4.s_addr);
    INVARIANT(address >> 24 != 0 && address >> 24 != 127 && address >> 28 < 14);
    INVARIANT(address >> 8 != 0x0A4200);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct remote remote;
    struct prefix exclude;
    struct candidate candidate;
    char text[4097];

    if (size >= sizeof text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    prefix_parse(&exclude, "10.66.0.0/24", false, NULL);
    remote_init(&remote, &exclude, 1);
    remote_add(&remote, "ufrag", text, &candidate, NULL);
    remote_describe(&remote, text, text, NULL);
    remote_describe(&remote, "ufrag", "0123456789012345678901", NULL);
    while (remote_take_waiting(&remote, &candidate, NULL) != 0)
        if (remote.count > 0)
            check_accepted(&candidate);
    if (remote_add(&remote, "ufrag", text, &candidate, NULL) > 0)
        check_accepted(&candidate);
    return 0;
}
