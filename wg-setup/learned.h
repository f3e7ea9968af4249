/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the broker's STATE_DIR/peers.json says that learned peers may begin. It is the broker's word
 * and no more to be trusted than what a broker says in peer-set; it is read so that a peer that
 * stood before is not let in further in the moment before the broker has set it again.
 */
#ifndef WG_SETUP_LEARNED_H
#define WG_SETUP_LEARNED_H

#include "protocol/interface.h"

struct learned;

/* The file's bytes alone, which are of somebody with fewer rights: nobody was learned until
 * learned_parse(). Without the file, or where it can't be read, which is logged, nobody was at all.
 * NULL without memory. */
struct learned *learned_read(const char *state_dir);
/* Takes the bytes apart, once. What can't be parsed is logged, and nobody further was learned. */
void learned_parse(struct learned *learned);
void learned_destroy(struct learned *learned);
/* The grant of the learned peer whose overlay address that is, under a name that no peer can have;
 * NULL where it is nobody's. */
const struct grant *learned_of(const struct learned *learned, const struct prefix *prefix);
/* That of somebody who is no peer: nothing. */
const struct grant *learned_nobody(void);

#endif
