/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The joiner's side: asks again and again until it is answered, or the invitation has expired.
 */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "broker/pairing_state.h"
#include "protocol/log.h"

/* At the start, until transports have told their addresses, in ms. */
#define SETTLE_MS 3000

static struct asking *asking_with_key(struct pairing *pairing, const uint8_t key[ID_KEY_BYTES])
{
    for (size_t i = 0; i < pairing->ask_count; i++)
        if (memcmp(pairing->asks[i].key, key, ID_KEY_BYTES) == 0)
            return &pairing->asks[i];
    return NULL;
}

static void asking_drop(struct pairing *pairing, struct asking *asking)
{
    struct meeting *meeting = meeting_of(pairing, MEETING_JOINING, asking->invitation.secret);

    if (meeting != NULL)
        meeting_close(pairing, meeting);
    joining_clear(&asking->joining);
    *asking = pairing->asks[--pairing->ask_count];
    sodium_memzero(&pairing->asks[pairing->ask_count], sizeof *asking);
}

static void meet(struct pairing *pairing, const struct invitation *invitation)
{
    struct pairing_transport transport;
    struct meeting *meeting = meeting_open(pairing, MEETING_JOINING, invitation->secret, INT64_MAX);

    if (meeting == NULL)
        return;
    memcpy(meeting->secret, invitation->secret, sizeof meeting->secret);
    memcpy(meeting->inviter, invitation->key, sizeof meeting->inviter);
    for (size_t i = 0; pairing->broker->transport(pairing->data, i, &transport); i++)
        meeting_announce(pairing, meeting, i);
}

static void begin(struct pairing *pairing, const struct invitation *invitation, int64_t at)
{
    struct asking *asking = &pairing->asks[pairing->ask_count++];

    memset(asking, 0, sizeof *asking);
    memcpy(asking->key, invitation->key, ID_KEY_BYTES);
    asking->invitation = *invitation;
    asking->request = (struct again){at, PAIRING_AGAIN_MS};
    asking->meet = (struct again){at, PAIRING_MEET_MS};
    meet(pairing, invitation);
}

void joiner_begin(struct pairing *pairing)
{
    int64_t at = pairing->broker->now(pairing->data) + SETTLE_MS;

    for (size_t i = 0; i < pairing->learned.peer_count; i++) {
        const struct learned_peer *peer = &pairing->learned.peers[i];
        struct invitation invitation;

        if (peer->invitation == NULL || pairing->ask_count == PAIRING_JOINS_MAX ||
            invitation_decode(peer->invitation, &invitation, NULL) < 0)
            continue;
        begin(pairing, &invitation, at);
        sodium_memzero(&invitation, sizeof invitation);
    }
}

void joiner_clear(struct pairing *pairing)
{
    while (pairing->ask_count > 0)
        asking_drop(pairing, &pairing->asks[pairing->ask_count - 1]);
}

void joiner_stop(struct pairing *pairing, const uint8_t key[ID_KEY_BYTES])
{
    struct asking *asking = asking_with_key(pairing, key);

    if (asking != NULL)
        asking_drop(pairing, asking);
}

/* Asking */

/* What is asked, with the addresses that we have by now; NULL where it can't be made. */
static const char *asking_text(struct pairing *pairing, struct asking *asking)
{
    struct contact own;

    pairing_own_contact(pairing, &own);
    if (asking->joining.data != NULL && memcmp(&own, &asking->own, sizeof own) == 0)
        return asking->joining.data;
    joining_clear(&asking->joining);
    asking->own = own;
    if (joining_ask(&asking->joining, pairing->identity, &asking->invitation, &own) < 0)
        joining_clear(&asking->joining);
    return asking->joining.data;
}

static void request(struct pairing *pairing, struct asking *asking, size_t index,
                    const struct pairing_transport *transport)
{
    const struct learned_peer *peer = learned_peer_with_key(&pairing->learned, asking->key);
    const char *text = asking_text(pairing, asking), *address;

    if (peer == NULL || text == NULL)
        return;
    address = contact_address(&peer->contact, transport->name);
    if (pairing->broker->reaches(pairing->data, index, peer->contact.name))
        pairing->broker->send(pairing->data, index, peer->contact.name, text);
    else if (address != NULL)
        pairing->broker->ask(pairing->data, index, peer->contact.name, address, text);
}

void joiner_met(struct pairing *pairing, size_t index, const struct meeting *meeting)
{
    struct asking *asking = asking_with_key(pairing, meeting->inviter);
    const char *text = asking != NULL ? asking_text(pairing, asking) : NULL;

    if (text != NULL)
        pairing->broker->send(pairing->data, index, meeting->name, text);
}

static void ask(struct pairing *pairing, struct asking *asking, bool requests)
{
    const struct meeting *meeting = meeting_of(pairing, MEETING_JOINING, asking->invitation.secret);
    struct pairing_transport transport;

    for (size_t i = 0; pairing->broker->transport(pairing->data, i, &transport); i++) {
        if (!transport.ready || transport.requests != requests)
            continue;
        if (requests)
            request(pairing, asking, i, &transport);
        else if (meeting != NULL && (meeting->online >> transport.slot & 1) != 0)
            joiner_met(pairing, i, meeting);
    }
}

static bool is_due(struct again *again, int64_t now)
{
    if (now < again->at)
        return false;
    again->at = now + again->wait;
    again->wait = again->wait * 2 < PAIRING_AGAIN_MAX_MS ? again->wait * 2 : PAIRING_AGAIN_MAX_MS;
    return true;
}

static int64_t when_expired(const struct pairing *pairing, const struct asking *asking)
{
    int64_t left = asking->invitation.expires - pairing->broker->wall(pairing->data);

    return pairing->broker->now(pairing->data) + (left > 0 ? left * 1000 : 0);
}

int64_t joiner_next(const struct pairing *pairing)
{
    int64_t next = INT64_MAX;

    for (size_t i = 0; i < pairing->ask_count; i++) {
        const struct asking *asking = &pairing->asks[i];
        int64_t expired = when_expired(pairing, asking);
        int64_t at = asking->request.at < asking->meet.at ? asking->request.at : asking->meet.at;

        next = at < next ? at : next;
        next = expired < next ? expired : next;
    }
    return next;
}

/* A new way may lead there. */
void joiner_transport_ready(struct pairing *pairing)
{
    int64_t now = pairing->broker->now(pairing->data);

    for (size_t i = 0; i < pairing->ask_count; i++)
        if (pairing->asks[i].request.wait > PAIRING_AGAIN_MS)
            pairing->asks[i].request = (struct again){now, PAIRING_AGAIN_MS};
}

/* The answer */

static void save_or_say(struct pairing *pairing)
{
    struct error err;

    if (pairing_save(pairing, &err) < 0)
        log_error("%s", err.message);
}

static void accepted(struct pairing *pairing, struct asking *asking)
{
    struct learned_peer *peer = learned_peer_with_key(&pairing->learned, asking->key);

    asking_drop(pairing, asking);
    if (peer == NULL)
        return;
    learned_peer_accepted(peer);
    save_or_say(pairing);
    pairing->broker->tell(pairing->data, peer->contact.name, "joined", NULL);
}

/* One that was connected before stays a peer. */
static void refused(struct pairing *pairing, struct asking *asking, const char *state,
                    const char *reason)
{
    struct learned_peer *peer = learned_peer_with_key(&pairing->learned, asking->key);
    char name[PEER_NAME_MAX + 1];

    asking_drop(pairing, asking);
    if (peer == NULL)
        return;
    strcpy(name, peer->contact.name);
    log_warn("%s: not joined: %s", name, reason);
    if (pairing->broker->knows(pairing->data, name)) {
        learned_peer_accepted(peer);
    } else {
        learned_peer_remove(&pairing->learned, peer);
        pairing->broker->changed(pairing->data);
    }
    save_or_say(pairing);
    pairing->broker->tell(pairing->data, name, state, reason);
}

static const char *const reasons[] = {
    [JOINING_USED] = "the invitation was used before: ask for a new one",
    [JOINING_EXPIRED] = "the invitation has expired, says the other device's clock: ask for a new "
                        "one",
    [JOINING_REFUSED] = "the other device could not take this one in: its log says why",
    [JOINING_CANCELLED] = "the invitation was taken back: ask for a new one",
};

void joiner_answered(struct pairing *pairing, const char *text)
{
    char name[PEER_NAME_MAX + 1];
    enum joining_result result;

    for (size_t i = 0; i < pairing->ask_count; i++) {
        struct asking *asking = &pairing->asks[i];

        if (asking->joining.data == NULL ||
            joining_answered(&asking->joining, text, &result, name) < 0)
            continue;
        if (result == JOINING_ACCEPTED)
            accepted(pairing, asking);
        else
            refused(pairing, asking, "refused", reasons[result]);
        return;
    }
}

void joiner_accepted(struct pairing *pairing, const uint8_t key[ID_KEY_BYTES])
{
    struct asking *asking = asking_with_key(pairing, key);

    if (asking != NULL)
        accepted(pairing, asking);
}

void joiner_tick(struct pairing *pairing)
{
    int64_t now = pairing->broker->now(pairing->data);

    for (size_t i = pairing->ask_count; i-- > 0;) {
        struct asking *asking = &pairing->asks[i];

        if (when_expired(pairing, asking) <= now) {
            refused(pairing, asking, "expired",
                    "the other device did not answer before the invitation expired");
            continue;
        }
        if (is_due(&asking->request, now))
            ask(pairing, asking, true);
        if (is_due(&asking->meet, now))
            ask(pairing, asking, false);
    }
}

/* What people ask for */

/* Some transport of ours must lead to the inviter. */
static int check_way(struct pairing *pairing, const struct contact *inviter, struct error *err)
{
    struct pairing_transport transport;
    char theirs[200] = "no transport with addresses";
    size_t used = 0;

    for (size_t i = 0; pairing->broker->transport(pairing->data, i, &transport); i++)
        if (!transport.requests || contact_address(inviter, transport.name) != NULL)
            return 0;
    for (size_t i = 0; i < inviter->count && used < sizeof theirs; i++)
        used += (size_t)snprintf(theirs + used, sizeof theirs - used, "%s%s", i > 0 ? ", " : "",
                                 inviter->items[i].transport);
    error_set(err, "no-way",
              "no signalling transport of this device leads to the other one, which has %s: "
              "$.signalling of the configuration is right where it has one of those too",
              theirs);
    return -EHOSTUNREACH;
}

static int check_invitation(struct pairing *pairing, const struct invitation *invitation,
                            struct error *err)
{
    const char *configured = pairing->broker->name_of(pairing->data, invitation->key);

    if (memcmp(invitation->key, pairing->identity->public, ID_KEY_BYTES) == 0)
        error_set(err, "own-invitation",
                  "this device made that invitation; it is for another one to join by");
    else if (configured != NULL)
        error_set(err, "configured", "that device is peer '%s' of the configuration already",
                  configured);
    else if (asking_with_key(pairing, invitation->key) != NULL)
        error_set(err, "already-joining", "this device asks that one already");
    else if (pairing->ask_count == PAIRING_JOINS_MAX)
        error_set(err, "too-many", "%d devices are asked already, more are not possible",
                  PAIRING_JOINS_MAX);
    else if (invitation_check_expiry(invitation, pairing->broker->wall(pairing->data), err) < 0)
        return -ETIME;
    else
        return check_way(pairing, &invitation->inviter, err);
    return -EINVAL;
}

/* One that is known already, with new addresses and an invitation. */
static struct learned_peer *learn_anew(struct learned_peer *known, struct contact *contact,
                                       const char *text, struct error *err)
{
    char *invitation = strdup(text);

    if (invitation == NULL) {
        error_set(err, "no-memory", "out of memory");
        return NULL;
    }
    strcpy(contact->name, known->contact.name);
    known->contact = *contact;
    known->invitation = invitation;
    known->introduced_by[0] = known->accepted_from[0] = '\0';
    return known;
}

/* The peer to be, under the name asked for, or the one that it is already. */
static struct learned_peer *learn(struct pairing *pairing, const struct invitation *invitation,
                                  const char *text, const char *name, const struct inbound *inbound,
                                  struct error *err)
{
    struct learned_peer *known = learned_peer_with_key(&pairing->learned, invitation->key);
    struct contact contact = invitation->inviter;
    struct learned_peer *peer;

    if (known != NULL && name[0] != '\0' && strcmp(known->contact.name, name) != 0) {
        error_set(err, "duplicate",
                  "that device is peer '%s' already; 'punchguard rename' gives it "
                  "another name",
                  known->contact.name);
        return NULL;
    }
    if (known != NULL) {
        peer = learn_anew(known, &contact, text, err);
    } else {
        if (name[0] == '\0')
            pairing_free_name(pairing, contact.name);
        else if (pairing_check_name(pairing, name, err) == 0)
            strcpy(contact.name, name);
        else
            return NULL;
        peer = learned_peer_add(&pairing->learned, invitation->key, &contact, text, err);
    }
    if (peer != NULL && inbound != NULL)
        peer->inbound = *inbound;
    return peer;
}

/* What could not be saved is as it was. */
static void put_back(struct pairing *pairing, struct learned_peer *peer,
                     const struct learned_peer *before)
{
    if (before == NULL) {
        learned_peer_remove(&pairing->learned, peer);
        return;
    }
    learned_peer_accepted(peer);
    *peer = *before;
}

int pairing_join(struct pairing *pairing, const char *text, const char *name,
                 const struct inbound *inbound, char peer_name[PEER_NAME_MAX + 1],
                 uint8_t key[ID_KEY_BYTES], struct error *err)
{
    struct invitation invitation;
    struct learned_peer *peer, before;
    bool known;
    int rc;

    if (invitation_decode(text, &invitation, err) < 0)
        return -EINVAL;
    rc = check_invitation(pairing, &invitation, err);
    if (rc < 0)
        goto out;
    peer = learned_peer_with_key(&pairing->learned, invitation.key);
    known = peer != NULL;
    if (known)
        before = *peer;
    peer = learn(pairing, &invitation, text, name, inbound, err);
    rc = peer != NULL ? pairing_save(pairing, err) : -EINVAL;
    if (rc < 0) {
        if (peer != NULL)
            put_back(pairing, peer, known ? &before : NULL);
        goto out;
    }
    if (known)
        learned_peer_accepted(&before);
    strcpy(peer_name, peer->contact.name);
    memcpy(key, peer->key, ID_KEY_BYTES);
    begin(pairing, &invitation, pairing->broker->now(pairing->data));
    pairing->broker->tell(pairing->data, peer_name, "joining", NULL);
    pairing->broker->changed(pairing->data);
out:
    sodium_memzero(&invitation, sizeof invitation);
    return rc;
}
