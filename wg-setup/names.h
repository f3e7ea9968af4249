/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The names of this device and its peers in /etc/hosts, kept as the tunnel and the configuration
 * have them.
 *
 * Whoever speaks to us can name a device only by one label below HOSTS_DOMAIN, and only for
 * addresses that the peer was granted.
 */
#ifndef WG_SETUP_NAMES_H
#define WG_SETUP_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/interface.h"
#include "wg-setup/grants.h"
#include "wg-setup/tunnel.h"

#define NAMES_PATH "/etc/hosts"
/* So long after a change it is written, in ms: of a mesh that comes up, not each peer by itself. */
#define NAMES_WRITE_MS 200
/* One that could not be written is tried again after this. */
#define NAMES_AGAIN_MS 30000

struct names;

/* NULL without memory. `path` is kept, not copied, and `interface` too. */
struct names *names_new(const char *path, const char *interface);
void names_destroy(struct names *names);

/* Something changed, or may have: to be looked at within NAMES_WRITE_MS. */
void names_touch(struct names *names, int64_t now_ms);
/* In how many ms names_tick() wants to be called, -1 for not at all. */
int names_timeout(const struct names *names, int64_t now_ms);
/* Writes what is due. */
void names_tick(struct names *names, const struct grants *grants, const struct tunnel *tunnel,
                const struct interface *interface, int64_t now_ms);
/* Whether somebody else has written the file since we did: then names_touch() is right. */
bool names_were_disturbed(const struct names *names);
/* Takes them out of the file. */
void names_remove(struct names *names);

#endif
