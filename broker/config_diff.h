/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What differs between two configurations: which parts of a running broker go on as they are, and
 * what a reload has to do about the rest. Pure.
 *
 * A transport is known by its name, and is another one where its command or options differ. A peer
 * is known by its name and its id together. Their order means nothing.
 */
#ifndef BROKER_CONFIG_DIFF_H
#define BROKER_CONFIG_DIFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/config.h"

#define CONFIG_DIFF_NONE SIZE_MAX
/* A sentence with a name of at most 64 bytes in it. */
#define CONFIG_CHANGE_TEXT_SIZE 240

enum config_change_type {
    CONFIG_TRANSPORT_ADDED,
    CONFIG_TRANSPORT_REMOVED,
    CONFIG_TRANSPORT_CHANGED, /* command or options */
    CONFIG_PEER_ADDED,
    CONFIG_PEER_REMOVED,
    CONFIG_PEER_ADDRESSES, /* on a transport that goes on */
    CONFIG_PEER_ALLOWED,   /* allowed_ips */
    CONFIG_PEER_INBOUND,   /* what it may begin: wg-setup's to carry out */
    CONFIG_PEER_ORIGIN,    /* written in the file now, or only learned: wg-setup knows it as another */
    CONFIG_ICE,
    CONFIG_NAME,
    CONFIG_INTRODUCTIONS,
    CONFIG_HOOKS,
    CONFIG_NAMES,
    CONFIG_RESTART, /* can't be changed while the broker runs */
};

struct config_change {
    enum config_change_type type;
    size_t before; /* index of the transport or peer in the old configuration, CONFIG_DIFF_NONE
                      without */
    size_t after;  /* in the new one; likewise */
    char text[CONFIG_CHANGE_TEXT_SIZE]; /* for people */
};

struct config_diff {
    /* Of each transport and peer of the new configuration: the index of the old one that goes on as
     * it, or CONFIG_DIFF_NONE where it begins. */
    size_t *transports, *peers;
    struct config_change *items;
    size_t count;
};

/* NULL without memory. Nothing of the configurations is kept. */
struct config_diff *config_diff(const struct config *before, const struct config *after);
void config_diff_destroy(struct config_diff *diff);

/* The address of the peer on the transport of that name, NULL where it has none. */
const char *config_peer_address(const struct config *config, const struct config_peer *peer,
                                const char *transport);

bool config_hook_same(const struct config_hook *a, const struct config_hook *b);

/* Gives `after` what can't be changed while the broker runs as `before` has it, and the other way
 * round. */
void config_diff_keep(struct config *before, struct config *after);

#endif
