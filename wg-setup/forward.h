/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What peers send on through this host: to the networks behind it, or as their exit to the
 * internet.
 */
#ifndef WG_SETUP_FORWARD_H
#define WG_SETUP_FORWARD_H

#include <stdio.h>

#include "protocol/interface.h"
#include "wg-setup/sysctl.h"

struct forward;

/* `interface` passes interface_set_name(). `sysctls` outlives it. NULL without memory. */
struct forward *forward_new(const char *interface, struct sysctls *sysctls);
/* Leaves everything as it is. */
void forward_destroy(struct forward *forward);

/* Makes it so, whatever an earlier process left. 0, or -errno with `err` filled. */
int forward_apply(struct forward *forward, enum interface_forward mode, struct error *err);
/* Somebody removed nftables tables: puts ours back. 1 where it was gone, 0, or -errno. */
int forward_check(struct forward *forward, struct error *err);
/* Puts everything back as it was. */
void forward_undo(struct forward *forward);

/* For forward_apply() and tests: the transaction's text; and whether a line of /proc/net/ipv6_route
 * is a default route that a router announced, with the interface's name then. */
void forward_write(FILE *out, const char *interface);
bool forward_is_announced(const char *line, char interface[INTERFACE_NAME_SIZE]);
/* For them too: sets accept_ra of the interfaces with such routes in `routes`, lines of that file,
 * to 2 where it is 1, or 2 by another one of us. A host that forwards drops the routes otherwise.
 * 0, or -errno with `err` filled. */
int forward_keep_announced(struct sysctls *sysctls, FILE *routes, struct error *err);

#endif
