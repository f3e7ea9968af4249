/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Names in the text of a hosts file (hosts(5)): a block of ours for each interface, and every other
 * line as it was, byte for byte. Pure.
 *
 *     # punchguard pg0 begin (kept by punchguard-wg-setup: see "names" in punchguard.conf(5))
 *     100.64.7.9	home.pg.internal
 *     # punchguard pg0 end
 */
#ifndef WG_SETUP_HOSTS_H
#define WG_SETUP_HOSTS_H

#include <stddef.h>

#include "protocol/endpoint.h"
#include "protocol/error.h"

/* .internal is reserved for private use (ICANN, 29 July 2024): no public name can be meant. */
#define HOSTS_DOMAIN    "pg.internal"
#define HOSTS_LABEL_MAX 63 /* RFC 1035 section 2.3.4 */
/* Of one device, as many single addresses get its name. */
#define HOSTS_ADDRESSES_MAX 4

/* Writes the DNS label that `name` is (RFC 1123 section 2.1), in small letters. 0, or -EINVAL with
 * `err` saying why it is none. */
int hosts_label(const char *name, char label[HOSTS_LABEL_MAX + 1], struct error *err);

/* Names and their addresses, each of which is there once: the first that asks gets it. */
struct hosts_list {
    struct hosts_entry *entries;
    size_t count, room;
};

/* Adds the addresses of a device among `prefixes`; networks are left out. 0; -EINVAL or -EEXIST
 * with `err` saying why it goes without a name; -ENOMEM. */
int hosts_list_add(struct hosts_list *list, const char *name, const struct prefix *prefixes,
                   size_t count, struct error *err);
/* As lines of a hosts file, to be freed; NULL without memory. */
char *hosts_list_text(const struct hosts_list *list);
void hosts_list_clear(struct hosts_list *list);

/* A copy of the text with `lines` (of hosts_list_text()) as the interface's block, where it stands
 * or else at the end; at the beginning where the last line has no newline, which stays so. With ""
 * there is no block. A line that somebody else put into the block stays. To be freed; NULL without
 * memory. */
char *hosts_edit(const char *text, size_t length, const char *interface, const char *lines,
                 size_t *new_length);

#endif
