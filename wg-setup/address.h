/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Addresses, MTU and routes of our interface, by rtnetlink. Nothing here touches another interface.
 */
#ifndef WG_SETUP_ADDRESS_H
#define WG_SETUP_ADDRESS_H

#include <stdbool.h>

#include "protocol/endpoint.h"
#include "protocol/error.h"

/* Each: 0, or -errno with `err` filled. What is so already is no error. */
int address_link_up(const char *interface, int mtu, struct error *err);
int address_add(const char *interface, const struct prefix *address, struct error *err);
/* Removes all addresses but these and link-local ones. */
int address_keep(const char *interface, const struct prefix *addresses, size_t count,
                 struct error *err);
/* A route to the prefix through the interface, in the table of that number (254 is main). */
int address_route(const char *interface, const struct prefix *to, uint32_t table, bool add,
                  struct error *err);
/* The interface's number, 0 where there is none. */
unsigned address_link_index(const char *interface);
/* Addresses that this host can send from now, those of `interface` left out; 0 or -errno. */
struct address_set {
    char (*items)[INET6_ADDRSTRLEN];
    size_t count;
};
int address_set_read(struct address_set *set, const char *interface);
bool address_set_has(const struct address_set *set, const char *address);
void address_set_clear(struct address_set *set);
/* Link and address alone, for back ends that are the kernel's. `kind` "wireguard". */
int address_link_add(const char *interface, const char *kind, struct error *err);
int address_link_delete(const char *interface, struct error *err);
/* The link's kind as the kernel names it, "" where it has none. -ENODEV without the link. */
int address_link_kind(const char *interface, char out[32]);

#endif
