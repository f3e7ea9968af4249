/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The answer of a userspace WireGuard. What is told of a peer can be told to a broker, and is what was written.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "wg-setup/uapi.h"

#define KEY_A "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define KEY_B "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"

static const char *const seeds[] = {
    "errno=0\n\n",
    "errno=-98\n\n",
    "private_key=" KEY_B "\nlisten_port=51820\nerrno=0\n\n",
    "private_key=" KEY_B "\nlisten_port=51820\npublic_key=" KEY_A "\npreshared_key=" KEY_B
    "\nprotocol_version=1\nendpoint=203.0.113.5:41000\nlast_handshake_time_sec=1700000000\n"
    "last_handshake_time_nsec=5\ntx_bytes=11\nrx_bytes=12\npersistent_keepalive_interval=25\n"
    "allowed_ip=10.66.0.2/32\nallowed_ip=fd00::/64\npublic_key=" KEY_B
    "\nendpoint=[2001:db8::1]:7\nerrno=0\n\n",
};

size_t fuzz_seed(size_t index, uint8_t *out, size_t space)
{
    size_t length = index < sizeof seeds / sizeof seeds[0] ? strlen(seeds[index]) : 0;

    INVARIANT(length <= space);
    if (length > 0)
        memcpy(out, seeds[index], length);
    return length;
}

static void on_peer(void *data, const struct device_status *status)
{
    char text[PREFIX_TEXT_SIZE];
    struct prefix again;

    (void)data;
    INVARIANT(status->latest_handshake >= 0 && status->rx_bytes >= 0 && status->tx_bytes >= 0);
    INVARIANT(status->endpoint.address[0] == '\0' || endpoint_family(&status->endpoint) != 0);
    for (size_t i = 0; i < status->allowed_count && i < PEER_ALLOWED_MAX; i++) {
        prefix_format(&status->allowed[i], text);
        INVARIANT(prefix_parse(&again, text, false, NULL) == 0);
        INVARIANT(prefix_equal(&again, &status->allowed[i]));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct device_about about;
    char *text = malloc(size + 1);

    INVARIANT(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    INVARIANT(uapi_read(text, &about, on_peer, NULL) <= 0);
    free(text);
    return 0;
}
