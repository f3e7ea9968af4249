/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Addresses, host:port and prefixes. What is read must be written as text that reads the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/endpoint.h"
#include "tests/fuzz/fuzz.h"

static const char *const seeds[] = {
    "203.0.113.1:3478",
    "[2001:db8::1]:3478",
    "stun.example.org",
    "stun.example.org:3478",
    "10.66.0.0/24",
    "fd50:4755:4152::/64",
    "::ffff:192.0.2.1",
    "fe80::1%eth0",
    "192.0.2.1",
    "0.0.0.0/0",
    "::/0",
};

size_t fuzz_seed(size_t index, uint8_t *out, size_t space)
{
    size_t length = index < sizeof seeds / sizeof seeds[0] ? strlen(seeds[index]) : 0;

    INVARIANT(length <= space);
    memcpy(out, seeds[index < sizeof seeds / sizeof seeds[0] ? index : 0], length);
    return length;
}

static void address(const char *text)
{
    struct endpoint endpoint, again;
    struct sockaddr_storage socket;
    char formatted[ENDPOINT_TEXT_SIZE], host[256];
    uint16_t port;

    if (endpoint_set(&endpoint, text, 4242) < 0)
        return;
    INVARIANT(endpoint_set(&again, endpoint.address, 4242) == 0);
    INVARIANT(endpoint_equal(&endpoint, &again));
    INVARIANT(endpoint_to_sockaddr(&endpoint, &socket) > 0);
    INVARIANT(endpoint_from_sockaddr(&again, (struct sockaddr *)&socket) == 0);
    INVARIANT(endpoint_equal(&endpoint, &again) || strncmp(endpoint.address, "::ffff:", 7) == 0);
    endpoint_format(&endpoint, formatted);
    INVARIANT(endpoint_split(formatted, 1, host, &port, NULL) == 0);
    INVARIANT(strcmp(host, endpoint.address) == 0 && port == 4242);
}

static void host_and_port(const char *text)
{
    char host[256], again[256], formatted[300];
    struct error err = {0};
    uint16_t port, port_again;

    if (endpoint_split(text, 3478, host, &port, &err) < 0) {
        invariant_error_told(&err);
        return;
    }
    INVARIANT(host[0] != '\0' && port > 0);
    snprintf(formatted, sizeof formatted, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host,
             (unsigned)port);
    INVARIANT(endpoint_split(formatted, 1, again, &port_again, NULL) == 0);
    INVARIANT(strcmp(host, again) == 0 && port == port_again);
}

static void prefix(const char *text, bool host_bits)
{
    struct prefix prefix, again, all;
    char formatted[PREFIX_TEXT_SIZE];
    struct error err = {0};

    if (prefix_parse(&prefix, text, host_bits, &err) < 0) {
        invariant_error_told(&err);
        return;
    }
    prefix_format(&prefix, formatted);
    INVARIANT(prefix_parse(&again, formatted, host_bits, NULL) == 0);
    INVARIANT(prefix_equal(&prefix, &again) && prefix_contains(&prefix, &again));
    INVARIANT(prefix_parse(&all, prefix.family == AF_INET ? "0.0.0.0/0" : "::/0", false, NULL) ==
              0);
    INVARIANT(prefix_contains(&all, &prefix) && prefix_overlap(&prefix, &all));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    INVARIANT(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    address(text);
    host_and_port(text);
    prefix(text, true);
    prefix(text, false);
    free(text);
    return 0;
}
