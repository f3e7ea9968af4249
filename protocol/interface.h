/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What of conf.json both the broker and wg-setup read: the interface, and what each peer may have.
 */
#ifndef PROTOCOL_INTERFACE_H
#define PROTOCOL_INTERFACE_H

#include "protocol/endpoint.h"
#include "protocol/error.h"
#include "protocol/id.h"
#include "protocol/inbound.h"
#include "protocol/json.h"

#define INTERFACE_NAME_SIZE     16 /* IFNAMSIZ */
#define INTERFACE_ADDRESSES_MAX 16
#define PEER_NAME_MAX           64
#define PEER_ALLOWED_MAX        256

/* 1280 is the least that IPv6 allows (RFC 8200 section 5) and fits any sane path around it. */
#define INTERFACE_MTU_DEFAULT 1280

enum interface_backend { BACKEND_AUTO, BACKEND_KERNEL, BACKEND_USERSPACE };
/* What peers send through us to others: left as the host has it; as it is; with our address as its source. */
enum interface_forward { FORWARD_NONE, FORWARD_ROUTED, FORWARD_MASQUERADE };

struct interface {
    char name[INTERFACE_NAME_SIZE];
    struct prefix addresses[INTERFACE_ADDRESSES_MAX]; /* with host bits */
    size_t address_count;                             /* 0: the overlay addresses of our id */
    int mtu;
    int listen_port; /* 0: any */
    enum interface_backend backend;
    enum interface_forward forward;
};

/* The defaults: pg0, no addresses, MTU 1280, any port, auto, nothing forwarded. */
void interface_init(struct interface *interface);
/* Reads the object; what is absent keeps its value. 0, or -EINVAL with `err` filled. */
int interface_read(struct interface *interface, const struct json_at *at, struct error *err);
/* The same for one word of a command line: 0 or -EINVAL. */
int interface_set_name(struct interface *interface, const char *text, struct error *err);
int interface_add_address(struct interface *interface, const char *text, struct error *err);
int interface_set_backend(struct interface *interface, const char *text, struct error *err);
int interface_set_forward(struct interface *interface, const char *text, struct error *err);
const char *interface_backend_name(enum interface_backend backend);

/* Whether the text may be a peer's name. 0, or -EINVAL with `err` filled. */
int peer_name_check(const char *text, struct error *err);

/* In STATE_DIR: the broker's, what was learned by invitations. */
#define PEERS_LEARNED_FILE "peers.json"

/* What the configuration grants one peer. */
struct grant {
    char peer[PEER_NAME_MAX + 1];
    uint8_t key[ID_KEY_BYTES]; /* public identity key */
    struct prefix *allowed;    /* owned; none: the overlay addresses of its id */
    size_t allowed_count;
    struct inbound inbound; /* default: all */
};

/* Reads name, id, allowed_ips and inbound of one item of `peers`; other fields are left alone. 0, or
 * -EINVAL, -ENOMEM with `err` filled. */
int grant_read(struct grant *grant, const struct json_at *at, struct error *err);
void grant_clear(struct grant *grant);
/* Whether the prefix lies within what is granted, the peer's overlay addresses included. */
bool grant_allows(const struct grant *grant, const struct prefix *prefix);
/* Whether the grant has what would else be the overlay address of some id: that address, or a
 * network of overlay addresses with it inside. */
bool grant_reserves(const struct grant *grant, const struct prefix *overlay);

#endif
