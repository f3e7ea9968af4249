/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The configuration together with what was learned: learned peers stand behind those of the file,
 * with `learned` set, and what the file says goes before.
 */
#ifndef BROKER_CONFIG_LEARNED_H
#define BROKER_CONFIG_LEARNED_H

#include "broker/config.h"
#include "broker/learned.h"

/* The configuration alone, without what was learned; NULL without memory. */
struct config *config_copy_written(const struct config *config);

/* Appends the learned peers to a configuration that has none yet. `own` is our public identity
 * key. Left out, and logged: those whose name or id a peer of the file has. An overlay address that
 * is ours or another peer's already, or in a network of overlay addresses that the file gives to a
 * peer, is not given, which `collisions` tells. 0 or -ENOMEM. */
int config_add_learned(struct config *config, const struct learned *learned,
                       const uint8_t own[ID_KEY_BYTES]);

/* Those of the overlay addresses that follow from `key` which the peer with that key has, or would
 * be given; how many. */
size_t config_overlay_free(const struct config *config, const uint8_t own[ID_KEY_BYTES],
                           const uint8_t key[ID_KEY_BYTES], struct prefix overlay[2]);

/* Whether `config`, which may be NULL, had the very same one. */
bool config_had_collision(const struct config *config, const struct config_collision *collision);

/* Whether learned peers can reach this device, and know whence it sends: the first IPv4 address of
 * its interface, which is what the system sends from, follows from its id. */
bool config_has_overlay(const struct config *config, const uint8_t own[ID_KEY_BYTES]);

#endif
