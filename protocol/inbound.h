/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * "inbound" of conf.json, of peers that joined, and of the command line: what a peer may begin
 * towards us through the tunnel.
 */
#ifndef PROTOCOL_INBOUND_H
#define PROTOCOL_INBOUND_H

#include "protocol/error.h"
#include "protocol/json.h"

#define INBOUND_ITEMS_MAX 64
/* INBOUND_ITEMS_MAX of the longest, each with a comma or the NUL behind it. */
#define INBOUND_TEXT_SIZE (INBOUND_ITEMS_MAX * (int)sizeof "udp/60000-61000")

/* The stricter one is the greater. */
enum inbound_kind { INBOUND_ALL, INBOUND_LIST, INBOUND_NONE };
enum inbound_protocol { INBOUND_TCP, INBOUND_UDP, INBOUND_ICMP };

struct inbound_item {
    enum inbound_protocol protocol;
    uint16_t first, last; /* ports, both included; 0 for ICMP */
};

struct inbound {
    enum inbound_kind kind;
    struct inbound_item items[INBOUND_ITEMS_MAX]; /* of INBOUND_LIST */
    size_t count;
};

/* Reads "all", "none", or a list of texts as below. 0, or -EINVAL with `err` filled. */
int inbound_read(struct inbound *inbound, const struct json_at *at, struct error *err);
/* "tcp/22", "udp/60000-61000" or "icmp". 0, or -EINVAL with `err` filled. */
int inbound_item_parse(struct inbound_item *item, const char *text, struct error *err);
/* The same as one text: "all", "none", or items with a comma between: "tcp/22,icmp". 0, or -EINVAL
 * with `err` filled. */
int inbound_parse(struct inbound *inbound, const char *text, struct error *err);
/* As inbound_parse() takes it; gives `out` back. */
const char *inbound_format(const struct inbound *inbound, char out[INBOUND_TEXT_SIZE]);
/* Whether both say the same, word for word. */
bool inbound_equal(const struct inbound *a, const struct inbound *b);

#endif
