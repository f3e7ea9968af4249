/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * nftables: transactions as text (nft(8)), and tables of ours as a whole. The only user of
 * libnftables.
 */
#ifndef WG_SETUP_RULESET_H
#define WG_SETUP_RULESET_H

#include <stdbool.h>

#include "protocol/error.h"

struct ruleset;

/* NULL without memory. Where nftables is missing, each call below fails and says so. */
struct ruleset *ruleset_new(void);
void ruleset_destroy(struct ruleset *ruleset);

/* One transaction. What it prints, valid until the next call; NULL with `err` (which may be NULL)
 * telling the first of what nftables said. */
const char *ruleset_run(struct ruleset *ruleset, const char *text, struct error *err);
/* The same with JSON as output. */
const char *ruleset_run_json(struct ruleset *ruleset, const char *text, struct error *err);

/* Puts `text` in place, whether or not `table` stands, and as what. 1 where it had to be deleted
 * first, as what stood has our names but other types; 0, or -EIO with `err` filled. */
int ruleset_put(struct ruleset *ruleset, const char *table, const char *text, struct error *err);
/* Whether there is a table inet `table`. */
bool ruleset_stands(struct ruleset *ruleset, const char *table);
/* That it is not there is no error. 0, or -EIO with `err` filled. */
int ruleset_remove(struct ruleset *ruleset, const char *table, struct error *err);

#endif
