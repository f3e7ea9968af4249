/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the parts of pairing.c share: pairing_inviter.c and pairing_joiner.c are the two sides.
 */
#ifndef BROKER_PAIRING_STATE_H
#define BROKER_PAIRING_STATE_H

#include "broker/bucket.h"
#include "broker/joining.h"
#include "broker/pairing.h"

enum meeting_kind {
    MEETING_INVITED, /* with whoever has the invitation, at its rendezvous */
    MEETING_JOINING, /* with the inviter, likewise */
    MEETING_REFUSED, /* with one that is told so, at its address */
};

#define MEETING_NAME_SIZE 32
#define MEETINGS_MAX      (LEARNED_INVITATIONS_MAX + PAIRING_JOINS_MAX + PAIRING_REFUSE_MAX)

/* What a transport knows as a peer, under a name that no peer can have, and that is none. */
struct meeting {
    enum meeting_kind kind;
    char name[MEETING_NAME_SIZE];
    char *address; /* only of MEETING_REFUSED, on the transport of that slot */
    unsigned slot;
    uint8_t secret[INVITATION_SECRET_BYTES]; /* of the rendezvous */
    uint8_t inviter[ID_KEY_BYTES];
    uint32_t online; /* a bit for each transport, by its slot */
    char *text;      /* only of MEETING_REFUSED: what it is told once it is there */
    int64_t until;
};

struct again {
    int64_t at, wait;
};

/* Of a learned peer that has not accepted us yet. */
struct asking {
    uint8_t key[ID_KEY_BYTES];
    struct invitation invitation;
    struct contact own; /* that `joining` was made with */
    struct joining joining;
    struct again request, meet;
};

struct pairing_answer {
    uint8_t key[ID_KEY_BYTES];
    char *text;
    int64_t until;
};

/* How often a peer told of others. */
struct introducer {
    char name[PEER_NAME_MAX + 1];
    struct bucket bucket;
    int64_t last;
    bool told; /* that it is passed over, since one of its was taken in */
};

struct pairing {
    const struct identity *identity;
    char *state_dir;
    const struct pairing_broker *broker;
    void *data;
    struct learned learned;
    bool broken; /* nothing may be written, for the reason in `why` */
    struct error why;
    struct bucket strangers, words;
    struct meeting meetings[MEETINGS_MAX];
    size_t meeting_count;
    struct asking asks[PAIRING_JOINS_MAX];
    size_t ask_count;
    struct pairing_answer answers[PAIRING_ANSWER_MAX]; /* the oldest first */
    size_t answer_count;
    struct introducer introducers[PAIRING_INTRODUCERS_MAX];
    size_t introducer_count;
};

/* pairing.c */
int pairing_save(struct pairing *pairing, struct error *err);
/* What we say of ourselves: the addresses of transports that are ready and bring requests. */
void pairing_own_contact(struct pairing *pairing, struct contact *own);
/* A name that nobody has yet, made from that one. */
void pairing_free_name(struct pairing *pairing, char name[PEER_NAME_MAX + 1]);
int pairing_check_name(struct pairing *pairing, const char *name, struct error *err);
/* The peer of that id, or NULL. */
const char *pairing_name_of(struct pairing *pairing, const uint8_t key[ID_KEY_BYTES]);
const char *contact_address(const struct contact *contact, const char *transport);

/* Makes it known to the transports it is for. `of` is what is named after: an invitation's secret,
 * or of MEETING_REFUSED a key. NULL where there are too many. */
struct meeting *meeting_open(struct pairing *pairing, enum meeting_kind kind, const uint8_t *of,
                             int64_t until);
void meeting_announce(struct pairing *pairing, const struct meeting *meeting, size_t index);
void meeting_close(struct pairing *pairing, struct meeting *meeting);
struct meeting *meeting_of(struct pairing *pairing, enum meeting_kind kind, const uint8_t *of);

/* pairing_inviter.c */
void inviter_begin(struct pairing *pairing);
/* `name` of the peer or meeting that it came from, NULL for a request; `peer`: of a peer. */
void inviter_asked(struct pairing *pairing, size_t index, const char *name, bool peer,
                   const char *text);
void inviter_peer_online(struct pairing *pairing, size_t index, const uint8_t key[ID_KEY_BYTES]);
int64_t inviter_next(const struct pairing *pairing);
void inviter_tick(struct pairing *pairing);
void inviter_clear(struct pairing *pairing);

/* pairing_joiner.c */
void joiner_begin(struct pairing *pairing);
void joiner_answered(struct pairing *pairing, const char *text);
void joiner_accepted(struct pairing *pairing, const uint8_t key[ID_KEY_BYTES]);
/* Forgets that we ask. */
void joiner_stop(struct pairing *pairing, const uint8_t key[ID_KEY_BYTES]);
void joiner_transport_ready(struct pairing *pairing);
void joiner_met(struct pairing *pairing, size_t index, const struct meeting *meeting);
int64_t joiner_next(const struct pairing *pairing);
void joiner_tick(struct pairing *pairing);
void joiner_clear(struct pairing *pairing);

#endif
