/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A WireGuard interface, whoever runs it: one struct device_ops a back end.
 */
#ifndef WG_SETUP_DEVICE_H
#define WG_SETUP_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/endpoint.h"
#include "protocol/error.h"
#include "protocol/interface.h"
#include "wg-setup/key.h"

struct device_peer {
    uint8_t public_key[KEY_BYTES];
    uint8_t preshared_key[KEY_BYTES]; /* zeros: none */
    const struct prefix *allowed;
    size_t allowed_count;
    uint16_t keepalive; /* seconds, 0 off */
    struct endpoint endpoint;
    bool remove;
    bool set_allowed, set_keepalive, set_endpoint, set_preshared; /* what else is to change */
};

/* What one peer looks like. */
struct device_status {
    uint8_t public_key[KEY_BYTES];
    uint8_t preshared_key[KEY_BYTES]; /* zeros: none */
    struct prefix allowed[PEER_ALLOWED_MAX];
    size_t allowed_count; /* more than PEER_ALLOWED_MAX: the rest is not here */
    uint16_t keepalive;
    int64_t latest_handshake; /* seconds since 1970, 0 never */
    int64_t rx_bytes, tx_bytes;
    struct endpoint endpoint; /* address "": none */
};

struct device_about {
    uint8_t public_key[KEY_BYTES]; /* zeros: no key set */
    uint16_t listen_port;
};

typedef void device_peer_seen(void *data, const struct device_status *status);

struct device_ops {
    const char *name; /* "kernel" or "userspace" */
    /* Makes the interface. 0; 1 where a WireGuard interface of this back end has the name already,
     * untouched; -EEXIST where the name is taken by another kind; -EOPNOTSUPP where the back end is
     * missing here; -errno. */
    int (*create)(const char *name, struct error *err);
    /* Sets private key and port (0: leaves the port). */
    int (*set)(const char *name, const uint8_t secret[KEY_BYTES], uint16_t port, struct error *err);
    /* The mark (SO_MARK) of what it sends to peers, 0 for none. */
    int (*set_mark)(const char *name, uint32_t mark, struct error *err);
    int (*set_peer)(const char *name, const struct device_peer *peer, struct error *err);
    /* Tells about the interface, and `seen` about each peer. Either may be NULL. */
    int (*read)(const char *name, struct device_about *about, device_peer_seen *seen, void *data,
                struct error *err);
    /* A descriptor that polls readable when what runs the interface has ended, for the caller to
     * close; -1 where that can't happen. */
    int (*watch)(const char *name);
    /* When it returns nothing runs the interface any more. No interface is no error. */
    int (*destroy)(const char *name, struct error *err);
};

extern const struct device_ops device_kernel;
extern const struct device_ops device_userspace;

#endif
