/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What two devices say when one joins the other by an invitation: Noise_IKpsk2, psk from the
 * invitation's secret. Pure: no I/O and no clock.
 *
 * The joiner's first message goes as a transport's `request`, or as `data` where both meet by the
 * secret's rendezvous; the inviter's answer goes as `data`. Their first byte, before base64, is
 * none of envelope.h's:
 *
 *   5 asking   Noise's first message: 8 bytes that name the invitation, 16 bytes that prove the
 *              secret, the joiner's contact
 *   6 answer   Noise's second message: a byte of the result, the name that the joiner has there
 *
 * Noise's own proof of the secret would come with a third message; until then the inviter would
 * have to keep strangers. So the first carries a proof: BLAKE2b under the secret, of both identity
 * keys and all else that is asked. Noise (ss) lets nobody but the joiner send it, and sent again by
 * somebody else it asks for what has been done.
 */
#ifndef BROKER_JOINING_H
#define BROKER_JOINING_H

#include <stdbool.h>

#include "broker/identity.h"
#include "broker/noise.h"
#include "protocol/invitation.h"

#define JOINING_NAME_BYTES  8
#define JOINING_PROOF_BYTES 16

enum joining_kind { JOINING_NONE, JOINING_ASKING = 5, JOINING_ANSWER = 6 };

enum joining_result {
    JOINING_ACCEPTED,
    JOINING_USED,    /* by another device */
    JOINING_EXPIRED, /* by the inviter's clock */
    JOINING_REFUSED, /* the inviter has no room for it, or can't keep it */
    JOINING_CANCELLED,
};

/* What a transport's data begins as. */
enum joining_kind joining_kind(const char *data);

/* The name of the invitation, which tells nothing of the secret. */
void joining_name(const uint8_t secret[INVITATION_SECRET_BYTES], uint8_t name[JOINING_NAME_BYTES]);
/* Where inviter and joiner meet on transports without addresses: 32 bytes as hex digits, which
 * only who has the invitation can compute. */
void joining_rendezvous(const uint8_t secret[INVITATION_SECRET_BYTES],
                        const uint8_t inviter[ID_KEY_BYTES], const char *transport, char out[65]);

/* The joiner's side. */
struct joining {
    struct noise_handshake handshake;
    char *data; /* to be sent, again and again */
};

/* Addresses that do not fit are left out, the last ones first. 0, or -EINVAL for an inviter's key
 * that is ours or none; -ENOMEM. To be cleared in any case. */
int joining_ask(struct joining *joining, const struct identity *identity,
                const struct invitation *invitation, const struct contact *own);
void joining_clear(struct joining *joining);
/* 0 with the result and the name that we have there, or -EBADMSG for what is no answer to this. */
int joining_answered(const struct joining *joining, const char *data, enum joining_result *result,
                     char name[PEER_NAME_MAX + 1]);

/* The inviter's side. */
struct joining_asked {
    struct noise_handshake handshake;
    uint8_t key[ID_KEY_BYTES]; /* the joiner's public identity key: it does have the secret one */
    uint8_t name[JOINING_NAME_BYTES];
    uint8_t proof[JOINING_PROOF_BYTES];
    struct contact joiner;
};

/* 0, or -EBADMSG; costs two X25519. Whoever knows our id can say this much. To be cleared. */
int joining_read(struct joining_asked *asked, const struct identity *identity, const char *data);
/* Whether whoever asks has the secret. */
bool joining_proves(const struct joining_asked *asked, const struct identity *identity,
                    const uint8_t secret[INVITATION_SECRET_BYTES]);
/* Once for each joining_read(): `name` may be "". A string for the caller to free; NULL without
 * memory. */
char *joining_answer(struct joining_asked *asked, const uint8_t secret[INVITATION_SECRET_BYTES],
                     enum joining_result result, const char *name);
void joining_asked_clear(struct joining_asked *asked);

#endif
