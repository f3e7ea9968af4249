/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a device says of itself to one that does not know it yet: its name, and its addresses on
 * transports. Packed into few bytes, for invitations and for who answers them.
 */
#ifndef PROTOCOL_CONTACT_H
#define PROTOCOL_CONTACT_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/error.h"
#include "protocol/interface.h"
#include "protocol/json.h"

#define CONTACT_TRANSPORTS_MAX 8
#define CONTACT_TRANSPORT_MAX  32  /* bytes of a transport's name */
#define CONTACT_ADDRESS_MAX    255 /* bytes of an address; hex digits take half of that */

struct contact_address {
    char transport[CONTACT_TRANSPORT_MAX + 1];
    char address[CONTACT_ADDRESS_MAX + 1];
};

struct contact {
    char name[PEER_NAME_MAX + 1]; /* one that a peer may have */
    size_t count;
    struct contact_address items[CONTACT_TRANSPORTS_MAX];
};

#define CONTACT_PACKED_MAX                                                                         \
    (2 + PEER_NAME_MAX + CONTACT_TRANSPORTS_MAX * (2 + CONTACT_TRANSPORT_MAX + CONTACT_ADDRESS_MAX))

/* Any text, say a host's name, as a name that a peer may have: other characters become '-'. */
void contact_set_name(struct contact *contact, const char *text);
/* 0, or -EINVAL with `err` filled for what can't be packed: too long, empty, too many, twice. */
int contact_add(struct contact *contact, const char *transport, const char *address,
                struct error *err);

/* Adds what a JSON object {TRANSPORT: ADDRESS} has. 0, or -EINVAL with `err` naming the place. */
int contact_read_addresses(struct contact *contact, const struct json_at *at, struct error *err);
/* The addresses as such an object's text, for the caller to free; NULL without memory. */
char *contact_addresses_text(const struct contact *contact);

/* How many bytes were written, at most CONTACT_PACKED_MAX; the contact is one that contact_add()
 * and contact_set_name() or contact_unpack() made. */
size_t contact_pack(const struct contact *contact, uint8_t out[CONTACT_PACKED_MAX]);
/* How many bytes at the front of `data` were a contact, or -EINVAL. Each contact has one packed
 * form and no other. */
int contact_unpack(struct contact *contact, const uint8_t *data, size_t length);

#endif
