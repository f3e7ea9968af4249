/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The inviter's side: invitations that are open, and who asks for one.
 */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "broker/pairing_state.h"
#include "protocol/log.h"

/* A used invitation's joiner may ask again, for its answer may be lost: so long in ms. */
#define USED_MEETING_MS 120000

static struct learned_invitation *invitation_named(struct pairing *pairing,
                                                   const uint8_t name[JOINING_NAME_BYTES])
{
    uint8_t other[JOINING_NAME_BYTES];

    for (size_t i = 0; i < pairing->learned.invitation_count; i++) {
        joining_name(pairing->learned.invitations[i].secret, other);
        if (memcmp(other, name, sizeof other) == 0)
            return &pairing->learned.invitations[i];
    }
    return NULL;
}

/* When the meeting ends with the invitation. */
static int64_t when_expired(struct pairing *pairing, const struct learned_invitation *invitation)
{
    int64_t left = invitation->expires - pairing->broker->wall(pairing->data);

    return pairing->broker->now(pairing->data) + left * 1000;
}

static void meeting_end_by(struct pairing *pairing, const struct learned_invitation *invitation,
                           int64_t until)
{
    struct meeting *meeting = meeting_of(pairing, MEETING_INVITED, invitation->secret);

    if (meeting != NULL)
        meeting->until = until;
}

static void meet(struct pairing *pairing, const struct learned_invitation *invitation)
{
    struct pairing_transport transport;
    struct meeting *meeting = meeting_open(pairing, MEETING_INVITED, invitation->secret,
                                           when_expired(pairing, invitation));

    if (meeting == NULL)
        return;
    memcpy(meeting->secret, invitation->secret, sizeof meeting->secret);
    for (size_t i = 0; pairing->broker->transport(pairing->data, i, &transport); i++)
        meeting_announce(pairing, meeting, i);
}

void inviter_begin(struct pairing *pairing)
{
    for (size_t i = 0; i < pairing->learned.invitation_count; i++) {
        const struct learned_invitation *invitation = &pairing->learned.invitations[i];

        if (!invitation->used && invitation->expires > pairing->broker->wall(pairing->data))
            meet(pairing, invitation);
    }
}

/* Those of invitations that gave way to a new one. */
static void close_meetings(struct pairing *pairing)
{
    for (size_t i = pairing->meeting_count; i-- > 0;) {
        struct meeting *meeting = &pairing->meetings[i];
        uint8_t name[JOINING_NAME_BYTES];

        joining_name(meeting->secret, name);
        if (meeting->kind == MEETING_INVITED && invitation_named(pairing, name) == NULL)
            meeting_close(pairing, meeting);
    }
}

/* Answers that wait for the peer to be reached */

static void answer_drop(struct pairing *pairing, size_t index)
{
    free(pairing->answers[index].text);
    pairing->answer_count--;
    memmove(&pairing->answers[index], &pairing->answers[index + 1],
            (pairing->answer_count - index) * sizeof pairing->answers[0]);
}

static void answer_keep(struct pairing *pairing, const uint8_t key[ID_KEY_BYTES], char *text)
{
    struct pairing_answer *answer;

    for (size_t i = pairing->answer_count; i-- > 0;)
        if (memcmp(pairing->answers[i].key, key, ID_KEY_BYTES) == 0)
            answer_drop(pairing, i);
    if (pairing->answer_count == PAIRING_ANSWER_MAX)
        answer_drop(pairing, 0);
    answer = &pairing->answers[pairing->answer_count++];
    memcpy(answer->key, key, ID_KEY_BYTES);
    answer->text = text;
    answer->until = pairing->broker->now(pairing->data) + PAIRING_ANSWER_MS;
}

void inviter_peer_online(struct pairing *pairing, size_t index, const uint8_t key[ID_KEY_BYTES])
{
    const char *name = pairing_name_of(pairing, key);

    for (size_t i = pairing->answer_count; i-- > 0;) {
        if (name == NULL || memcmp(pairing->answers[i].key, key, ID_KEY_BYTES) != 0)
            continue;
        pairing->broker->send(pairing->data, index, name, pairing->answers[i].text);
        answer_drop(pairing, i);
    }
}

int64_t inviter_next(const struct pairing *pairing)
{
    int64_t next = INT64_MAX;

    for (size_t i = 0; i < pairing->answer_count; i++)
        if (pairing->answers[i].until < next)
            next = pairing->answers[i].until;
    return next;
}

void inviter_tick(struct pairing *pairing)
{
    for (size_t i = pairing->answer_count; i-- > 0;)
        if (pairing->answers[i].until <= pairing->broker->now(pairing->data))
            answer_drop(pairing, i);
}

void inviter_clear(struct pairing *pairing)
{
    while (pairing->answer_count > 0)
        answer_drop(pairing, pairing->answer_count - 1);
}

/* Who asks */

static void say_refused(struct pairing *pairing, const char *peer, const char *reason)
{
    if (!bucket_take(&pairing->words, pairing->broker->now(pairing->data)))
        return;
    log_warn("somebody who wanted to join%s%s was refused: %s", peer != NULL ? " as " : "",
             peer != NULL ? peer : "", reason);
    pairing->broker->tell(pairing->data, peer, "refused", reason);
}

/* The invitation, once the secret is proven; NULL where nothing is to be done. */
static struct learned_invitation *read_asked(struct pairing *pairing, const char *text,
                                             struct joining_asked *asked)
{
    struct learned_invitation *invitation;

    if (pairing->learned.invitation_count == 0 ||
        !bucket_take(&pairing->strangers, pairing->broker->now(pairing->data)))
        return NULL;
    if (joining_read(asked, pairing->identity, text) < 0) {
        say_refused(pairing, NULL, "what it sent is not meant for this device");
        return NULL;
    }
    invitation = invitation_named(pairing, asked->name);
    if (invitation != NULL && joining_proves(asked, pairing->identity, invitation->secret))
        return invitation;
    say_refused(pairing, NULL,
                invitation != NULL ? "it does not have the secret of the invitation that it names"
                                   : "it names no invitation of this device");
    return NULL;
}

/* Addresses may have changed since it was learned. */
static void refresh(struct learned_peer *peer, const struct contact *said)
{
    char name[PEER_NAME_MAX + 1];

    strcpy(name, peer->contact.name);
    peer->contact = *said;
    strcpy(peer->contact.name, name);
}

static struct learned_peer *learn(struct pairing *pairing,
                                  const struct learned_invitation *invitation,
                                  const struct joining_asked *asked, struct error *err)
{
    struct learned_peer *peer = learned_peer_with_key(&pairing->learned, asked->key);
    struct contact contact = asked->joiner;

    if (peer != NULL) {
        log_warn("%s joins by an invitation, and was peer '%s' before", contact.name,
                 peer->contact.name);
        refresh(peer, &contact);
        peer->introduced_by[0] = peer->accepted_from[0] = '\0';
    } else {
        if (invitation->name[0] != '\0')
            strcpy(contact.name, invitation->name);
        pairing_free_name(pairing, contact.name);
        peer = learned_peer_add(&pairing->learned, asked->key, &contact, NULL, err);
    }
    if (peer != NULL && invitation->says_inbound)
        peer->inbound = invitation->inbound;
    return peer;
}

/* `before` is the peer as it was, NULL where it was none. */
static void unlearn(struct pairing *pairing, struct learned_invitation *invitation,
                    const struct learned_peer *before, const uint8_t key[ID_KEY_BYTES])
{
    struct learned_peer *peer = learned_peer_with_key(&pairing->learned, key);

    invitation->used = false;
    meeting_end_by(pairing, invitation, when_expired(pairing, invitation));
    if (peer != NULL && before != NULL)
        *peer = *before;
    else if (peer != NULL)
        learned_peer_remove(&pairing->learned, peer);
}

static void use_up(struct pairing *pairing, struct learned_invitation *invitation,
                   const uint8_t key[ID_KEY_BYTES])
{
    invitation->used = true;
    memcpy(invitation->used_by, key, ID_KEY_BYTES);
    meeting_end_by(pairing, invitation, pairing->broker->now(pairing->data) + USED_MEETING_MS);
}

static enum joining_result take_in(struct pairing *pairing, struct learned_invitation *invitation,
                                   const struct joining_asked *asked)
{
    bool configured = pairing->broker->name_of(pairing->data, asked->key) != NULL;
    const struct learned_peer *known = learned_peer_with_key(&pairing->learned, asked->key);
    struct learned_peer before;
    struct error err;

    if (known != NULL)
        before = *known;
    if (!configured && learn(pairing, invitation, asked, &err) == NULL) {
        say_refused(pairing, asked->joiner.name, err.message);
        return JOINING_REFUSED;
    }
    use_up(pairing, invitation, asked->key);
    if (pairing_save(pairing, &err) < 0) {
        unlearn(pairing, invitation, known != NULL ? &before : NULL, asked->key);
        say_refused(pairing, asked->joiner.name, err.message);
        return JOINING_REFUSED;
    }
    pairing->broker->tell(pairing->data, pairing_name_of(pairing, asked->key), "joined", NULL);
    pairing->broker->changed(pairing->data);
    return JOINING_ACCEPTED;
}

/* The same device again: its answer was lost. */
static enum joining_result take_in_again(struct pairing *pairing, const struct joining_asked *asked)
{
    struct learned_peer *peer = learned_peer_with_key(&pairing->learned, asked->key);
    struct error err;

    if (pairing->broker->name_of(pairing->data, asked->key) != NULL)
        return JOINING_ACCEPTED;
    if (peer == NULL || peer->introduced_by[0] != '\0')
        return JOINING_USED; /* and removed since */
    refresh(peer, &asked->joiner);
    if (pairing_save(pairing, &err) < 0)
        log_warn("%s", err.message);
    pairing->broker->changed(pairing->data);
    return JOINING_ACCEPTED;
}

static enum joining_result decide(struct pairing *pairing, struct learned_invitation *invitation,
                                  const struct joining_asked *asked)
{
    if (invitation->cancelled && !invitation->used) {
        say_refused(pairing, asked->joiner.name, "its invitation was taken back");
        return JOINING_CANCELLED;
    }
    if (invitation->used && memcmp(invitation->used_by, asked->key, ID_KEY_BYTES) == 0)
        return take_in_again(pairing, asked);
    if (invitation->used) {
        say_refused(pairing, asked->joiner.name, "its invitation was used before, by another");
        return JOINING_USED;
    }
    if (invitation->expires <= pairing->broker->wall(pairing->data)) {
        say_refused(pairing, asked->joiner.name, "its invitation has expired");
        return JOINING_EXPIRED;
    }
    return take_in(pairing, invitation, asked);
}

/* Who is no peer is told at the address that it gave. Takes the text over. */
static void refuse(struct pairing *pairing, size_t index, const struct joining_asked *asked,
                   char *text)
{
    struct pairing_transport transport;
    struct meeting *meeting = NULL;
    const char *address = NULL;
    size_t count = 0;

    for (size_t i = 0; i < pairing->meeting_count; i++)
        count += pairing->meetings[i].kind == MEETING_REFUSED;
    if (pairing->broker->transport(pairing->data, index, &transport))
        address = contact_address(&asked->joiner, transport.name);
    if (address != NULL && count < PAIRING_REFUSE_MAX &&
        meeting_of(pairing, MEETING_REFUSED, asked->key) == NULL)
        meeting = meeting_open(pairing, MEETING_REFUSED, asked->key,
                               pairing->broker->now(pairing->data) + PAIRING_REFUSE_MS);
    if (meeting == NULL) {
        free(text);
        return;
    }
    meeting->slot = transport.slot;
    meeting->address = strdup(address);
    meeting->text = text;
    if (meeting->address != NULL)
        meeting_announce(pairing, meeting, index);
}

void inviter_asked(struct pairing *pairing, size_t index, const char *name, bool peer,
                   const char *text)
{
    struct learned_invitation *invitation;
    struct joining_asked asked = {.joiner = {.count = 0}};
    enum joining_result result;
    const char *joiner;
    char *answer;

    invitation = read_asked(pairing, text, &asked);
    if (invitation == NULL)
        goto out;
    result = decide(pairing, invitation, &asked);
    joiner = result == JOINING_ACCEPTED ? pairing_name_of(pairing, asked.key) : NULL;
    answer = joining_answer(&asked, invitation->secret, result, joiner != NULL ? joiner : "");
    if (answer == NULL)
        goto out;
    /* A peer may have been learned under another name than what it was until now. */
    if (name != NULL && (!peer || result != JOINING_ACCEPTED)) {
        pairing->broker->send(pairing->data, index, name, answer);
        free(answer);
    } else if (result != JOINING_ACCEPTED) {
        refuse(pairing, index, &asked, answer);
    } else if (pairing->broker->reaches(pairing->data, index, joiner)) {
        pairing->broker->send(pairing->data, index, joiner, answer);
        free(answer);
    } else {
        answer_keep(pairing, asked.key, answer);
    }
out:
    joining_asked_clear(&asked);
}

/* What people ask for */

static int check_lifetime(int64_t lifetime, struct error *err)
{
    if (lifetime > 0 && lifetime <= PAIRING_EXPIRES_MAX_S)
        return 0;
    error_set(err, "out-of-range", "an invitation is good for 1 second to %d days",
              PAIRING_EXPIRES_MAX_S / 86400);
    return -EINVAL;
}

int pairing_invite(struct pairing *pairing, const char *name, int64_t lifetime,
                   const struct inbound *inbound, struct invitation *made, struct error *err)
{
    int64_t now = pairing->broker->wall(pairing->data);
    struct learned_invitation *invitation;
    int rc;

    if (lifetime == 0)
        lifetime = PAIRING_EXPIRES_S;
    rc = name[0] != '\0' ? pairing_check_name(pairing, name, err) : 0;
    if (rc == 0)
        rc = check_lifetime(lifetime, err);
    if (rc < 0)
        return rc;
    invitation = learned_invitation_add(&pairing->learned, name, now + lifetime, now, err);
    if (invitation == NULL)
        return -ENOBUFS;
    invitation->says_inbound = inbound != NULL;
    if (inbound != NULL)
        invitation->inbound = *inbound;
    rc = pairing_save(pairing, err);
    if (rc < 0) {
        learned_invitation_remove(&pairing->learned, invitation);
        return rc;
    }
    memset(made, 0, sizeof *made);
    memcpy(made->key, pairing->identity->public, sizeof made->key);
    memcpy(made->secret, invitation->secret, sizeof made->secret);
    made->expires = invitation->expires;
    pairing_own_contact(pairing, &made->inviter);
    close_meetings(pairing);
    meet(pairing, invitation);
    pairing->broker->tell(pairing->data, name[0] != '\0' ? name : NULL, "invited", NULL);
    pairing->broker->rearm(pairing->data);
    return 0;
}

int pairing_cancel(struct pairing *pairing, const char *text, struct error *err)
{
    struct learned_invitation *invitation = NULL;
    uint8_t name[JOINING_NAME_BYTES];
    size_t length = 0;
    int rc;

    if (sodium_hex2bin(name, sizeof name, text, strlen(text), NULL, &length, NULL) == 0 &&
        length == sizeof name)
        invitation = invitation_named(pairing, name);
    if (invitation == NULL || invitation->cancelled) {
        error_set(err, "no-such-invitation", "there is no invitation '%.40s'", text);
        return -ENOENT;
    }
    invitation->cancelled = true;
    rc = pairing_save(pairing, err);
    if (rc < 0) {
        invitation->cancelled = false;
        return rc;
    }
    pairing->broker->tell(pairing->data, invitation->name[0] != '\0' ? invitation->name : NULL,
                          "cancelled", NULL);
    return 0;
}
