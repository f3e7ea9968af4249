/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * STATE_DIR/peers.json: what was learned by invitations. It can hold no command, no route and no
 * allowed address: peers in it have the overlay addresses of their ids and nothing else. wg-setup
 * reads it too: wg-setup/learned.h.
 */
#ifndef BROKER_LEARNED_H
#define BROKER_LEARNED_H

#include <stdbool.h>

#include "protocol/inbound.h"
#include "protocol/invitation.h"

#define LEARNED_FILE            PEERS_LEARNED_FILE
#define LEARNED_PEERS_MAX       1024
#define LEARNED_INVITATIONS_MAX 32
/* Used, cancelled and expired invitations are kept so long after their expiry, in seconds, so that
 * who comes too late is told. */
#define LEARNED_KEEP_S (24 * 3600)

struct learned_peer {
    uint8_t key[ID_KEY_BYTES]; /* public identity key */
    struct contact contact;    /* the name that it has here, its addresses */
    char *invitation;          /* the text, while it has not accepted us; else NULL */
    /* The peer that introduced it; "" for a peer. What was introduced is none until it is accepted
     * here. */
    char introduced_by[PEER_NAME_MAX + 1];
    /* The peer on whose word alone it is one; "" where a person or an invitation made it one. */
    char accepted_from[PEER_NAME_MAX + 1];
    struct inbound inbound; /* what it may begin here; default: all */
};

/* One that we made. */
struct learned_invitation {
    char name[PEER_NAME_MAX + 1]; /* that the joiner is to have; "": its own */
    uint8_t secret[INVITATION_SECRET_BYTES];
    int64_t expires; /* seconds since 1970 */
    bool cancelled;
    bool used;
    uint8_t used_by[ID_KEY_BYTES]; /* 0 of a peer that was removed */
    bool says_inbound; /* `inbound` is the joiner's to be, also where it is a peer already */
    struct inbound inbound;
};

struct learned {
    struct learned_peer *peers;
    size_t peer_count;
    struct learned_invitation invitations[LEARNED_INVITATIONS_MAX]; /* the oldest first */
    size_t invitation_count;
};

/* Where the file is broken its copy, peers.json.previous, is used, which is logged, and what was
 * there is kept as peers.json.broken; the copy of a whole file is renewed where it differs. 0, also
 * where there is none; or -errno with `err` filled: then nothing may be written, so that nothing is
 * lost. To be cleared in any case. */
int learned_read(struct learned *learned, const char *state_dir, struct error *err);
/* 0, or -errno with `err` filled and the file as it was. */
int learned_write(const struct learned *learned, const char *state_dir, struct error *err);
/* Removes peers.json.broken, which may tell of peers that are removed; that it can't be is logged. */
void learned_forget_broken(const char *state_dir);
void learned_clear(struct learned *learned);

/* NULL where there is none. */
struct learned_peer *learned_peer_named(const struct learned *learned, const char *name);
struct learned_peer *learned_peer_with_key(const struct learned *learned,
                                           const uint8_t key[ID_KEY_BYTES]);
/* A new peer, with a key and a name that no other has; all are copied. `invitation` may be NULL.
 * NULL with `err` filled; pointers to others are of no use afterwards. */
struct learned_peer *learned_peer_add(struct learned *learned, const uint8_t key[ID_KEY_BYTES],
                                      const struct contact *contact, const char *invitation,
                                      struct error *err);
void learned_peer_remove(struct learned *learned, struct learned_peer *peer);
/* Takes the peer out without wiping it. Before another is added learned_peer_put() brings it back
 * as it was; else it is the caller's to wipe, by learned_peer_accepted(). */
struct learned_peer learned_peer_take(struct learned *learned, size_t index);
void learned_peer_put(struct learned *learned, size_t index, const struct learned_peer *peer);
/* It has accepted us. */
void learned_peer_accepted(struct learned_peer *peer);

/* A new secret. Drops what expired long before `now`, and where there are too many one that was
 * used or cancelled. NULL with `err` filled where too many are open. */
struct learned_invitation *learned_invitation_add(struct learned *learned, const char *name,
                                                  int64_t expires, int64_t now, struct error *err);
void learned_invitation_remove(struct learned *learned, struct learned_invitation *invitation);
/* What that device used stays used, and says no more by whom. */
void learned_invitations_forget(struct learned *learned, const uint8_t key[ID_KEY_BYTES]);

#endif
