/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whether the host's firewall drops answers to what this host has sent, as `nft --json list
 * ruleset` shows it. Pure.
 */
#ifndef PUNCHGUARD_FIREWALL_H
#define PUNCHGUARD_FIREWALL_H

#include "protocol/error.h"

#define FIREWALL_CHAIN 256

/* Looks for a base chain of input or output that drops what no rule names, in a table that does not
 * look at connections' states anywhere, so that answers of STUN servers and peers are dropped
 * unless somebody has named each. 1 where there is one, *chain then its "family table chain" and
 * *hook "input" or "output"; 0; or -EINVAL with `err` filled where the text is not as expected. */
int firewall_find_dropping(const char *ruleset, char chain[FIREWALL_CHAIN], const char **hook,
                           struct error *err);

#endif
