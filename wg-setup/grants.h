/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the configuration grants, read by wg-setup itself: whoever speaks to it can't widen it.
 */
#ifndef WG_SETUP_GRANTS_H
#define WG_SETUP_GRANTS_H

#include "protocol/interface.h"
#include "protocol/message.h"

struct grants;

/* Reads name, names, state_dir, interface and each peer's id and allowed_ips. NULL with `err` filled. */
struct grants *grants_load(const char *path, struct interface *interface, struct error *err);
void grants_destroy(struct grants *grants);
/* Lives as long as `grants`. */
const char *grants_state_dir(const struct grants *grants);
/* Reads the bytes of what the broker has learned, while files of others can be read. 0, or -ENOMEM
 * with `err` filled. */
int grants_read_learned(struct grants *grants, struct error *err);
/* Takes them apart, for grants_of(): with no more rights than are needed, as they are another
 * user's. Nothing where they were not read. */
void grants_learn(struct grants *grants);
/* Moves that from grants that were there before, which are to be destroyed. */
void grants_keep_learned(struct grants *grants, struct grants *before);

/* What this device is called, and whether it and its peers are to have names in /etc/hosts. */
const char *grants_name(const struct grants *grants);
bool grants_want_names(const struct grants *grants);
/* The peers of the configuration in its order; NULL past the last. */
const struct grant *grants_at(const struct grants *grants, size_t index);
/* Whether the configuration has a peer of that name. */
bool grants_have(const struct grants *grants, const char *peer);

/* Takes from what was told the one thing that the configuration may leave open: addresses that can
 * be an id's overlay addresses. 0, or -EPERM with `err` filled. */
int grants_complete_interface(const struct grants *grants, struct interface *interface,
                              const struct interface *told, struct error *err);
/* Whether one of the peers, or one that was learned, may have all of these. `grants` is a struct
 * grants. */
bool grants_cover(const void *grants, const struct prefix *allowed, size_t count);
/* A configuration that was read again. */
struct grants_change {
    const struct grants *before, *after;
};
/* Whether the peer of that name is the same device as before; or, with a prefix, whether it may
 * have that now. `change` is a struct grants_change. */
bool grants_still(const void *change, const char *peer, const struct prefix *prefix);
/* The grant of the peer of that name; of one without a name (""), that of the peer who may have the
 * prefix, by the longest that is granted, a learned one's too. NULL where there is none, or
 * `grants`, a struct grants, is NULL; but of one without a name that is no peer, after
 * grants_read_learned(), that of nobody. */
const struct grant *grants_of(const void *grants, const char *peer, const struct prefix *prefix);
/* Whether the peer is in the configuration under that id, and asks for nothing wider. One that is
 * not there, by name or id, was learned: it may have the addresses that follow from its id, unless
 * the configuration gives them, or a network of them, to another. 0, -EPERM or -EINVAL. */
int grants_check(const struct grants *grants, const struct message_peer_set *m, struct error *err);

#endif
