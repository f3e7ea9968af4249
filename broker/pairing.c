/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/pairing.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/pairing_state.h"
#include "protocol/json.h"
#include "protocol/log.h"

static const char *const meeting_titles[] = {
    [MEETING_INVITED] = "invited", [MEETING_JOINING] = "joining", [MEETING_REFUSED] = "refused"};

/* Meetings */

/* ':' is in no peer's name. */
static void meeting_name(enum meeting_kind kind, const uint8_t *of, char out[MEETING_NAME_SIZE])
{
    char digits[2 * JOINING_NAME_BYTES + 1];
    uint8_t name[JOINING_NAME_BYTES];

    if (kind == MEETING_REFUSED)
        memcpy(name, of, sizeof name);
    else
        joining_name(of, name);
    sodium_bin2hex(digits, sizeof digits, name, sizeof name);
    snprintf(out, MEETING_NAME_SIZE, "%s:%s", meeting_titles[kind], digits);
}

static struct meeting *meeting_named(struct pairing *pairing, const char *name)
{
    for (size_t i = 0; i < pairing->meeting_count; i++)
        if (strcmp(pairing->meetings[i].name, name) == 0)
            return &pairing->meetings[i];
    return NULL;
}

struct meeting *meeting_of(struct pairing *pairing, enum meeting_kind kind, const uint8_t *of)
{
    char name[MEETING_NAME_SIZE];

    meeting_name(kind, of, name);
    return meeting_named(pairing, name);
}

static bool takes_place(const struct meeting *meeting, const struct pairing_transport *transport)
{
    if (!transport->ready)
        return false;
    if (meeting->kind == MEETING_REFUSED)
        return transport->slot == meeting->slot;
    return !transport->requests;
}

void meeting_announce(struct pairing *pairing, const struct meeting *meeting, size_t index)
{
    struct pairing_transport transport;
    char rendezvous[65];

    if (!pairing->broker->transport(pairing->data, index, &transport) ||
        !takes_place(meeting, &transport))
        return;
    joining_rendezvous(meeting->secret, meeting->inviter, transport.name, rendezvous);
    pairing->broker->add(pairing->data, index, meeting->name, meeting->address, rendezvous);
}

struct meeting *meeting_open(struct pairing *pairing, enum meeting_kind kind, const uint8_t *of,
                             int64_t until)
{
    struct meeting *meeting = meeting_of(pairing, kind, of);

    if (meeting == NULL && pairing->meeting_count < MEETINGS_MAX) {
        meeting = &pairing->meetings[pairing->meeting_count++];
        memset(meeting, 0, sizeof *meeting);
        meeting->kind = kind;
        meeting_name(kind, of, meeting->name);
        memcpy(meeting->inviter, pairing->identity->public, sizeof meeting->inviter);
    }
    if (meeting != NULL)
        meeting->until = until;
    return meeting;
}

void meeting_close(struct pairing *pairing, struct meeting *meeting)
{
    struct pairing_transport transport;
    size_t last = --pairing->meeting_count;

    for (size_t i = 0; pairing->broker->transport(pairing->data, i, &transport); i++)
        if (takes_place(meeting, &transport))
            pairing->broker->remove(pairing->data, i, meeting->name);
    free(meeting->address);
    free(meeting->text);
    *meeting = pairing->meetings[last];
    sodium_memzero(&pairing->meetings[last], sizeof *meeting);
}

static void meetings_tick(struct pairing *pairing)
{
    int64_t now = pairing->broker->now(pairing->data);

    for (size_t i = pairing->meeting_count; i-- > 0;)
        if (pairing->meetings[i].until <= now)
            meeting_close(pairing, &pairing->meetings[i]);
}

/* Shared by both sides */

int pairing_save(struct pairing *pairing, struct error *err)
{
    if (!pairing->broken)
        return learned_write(&pairing->learned, pairing->state_dir, err);
    *err = pairing->why;
    return -EROFS;
}

const char *contact_address(const struct contact *contact, const char *transport)
{
    for (size_t i = 0; i < contact->count; i++)
        if (strcmp(contact->items[i].transport, transport) == 0)
            return contact->items[i].address;
    return NULL;
}

void pairing_own_contact(struct pairing *pairing, struct contact *own)
{
    struct pairing_transport transport;
    struct error err;

    memset(own, 0, sizeof *own);
    contact_set_name(own, pairing->broker->own_name(pairing->data));
    for (size_t i = 0; pairing->broker->transport(pairing->data, i, &transport); i++)
        if (transport.ready && transport.requests && transport.address != NULL &&
            transport.address[0] != '\0' &&
            contact_add(own, transport.name, transport.address, &err) < 0)
            log_warn("%s", err.message);
}

static bool is_taken(struct pairing *pairing, const char *name)
{
    return pairing->broker->has_name(pairing->data, name) ||
           learned_peer_named(&pairing->learned, name) != NULL;
}

void pairing_free_name(struct pairing *pairing, char name[PEER_NAME_MAX + 1])
{
    char base[PEER_NAME_MAX + 1];

    strcpy(base, name);
    for (unsigned number = 2; is_taken(pairing, name); number++) {
        char tail[12];
        int length = snprintf(tail, sizeof tail, "-%u", number);

        snprintf(name, PEER_NAME_MAX + 1, "%.*s%s", PEER_NAME_MAX - length, base, tail);
    }
}

int pairing_check_name(struct pairing *pairing, const char *name, struct error *err)
{
    if (peer_name_check(name, err) < 0)
        return -EINVAL;
    if (!is_taken(pairing, name))
        return 0;
    error_set(err, "duplicate", "'%s' is the name of a peer already; another one is right", name);
    return -EEXIST;
}

const char *pairing_name_of(struct pairing *pairing, const uint8_t key[ID_KEY_BYTES])
{
    const char *name = pairing->broker->name_of(pairing->data, key);
    const struct learned_peer *peer = learned_peer_with_key(&pairing->learned, key);

    return name != NULL ? name : peer != NULL ? peer->contact.name : NULL;
}

/* Its life */

struct pairing *pairing_new(const struct pairing_options *options)
{
    struct pairing *pairing = calloc(1, sizeof *pairing);

    if (pairing == NULL)
        return NULL;
    pairing->identity = options->identity;
    pairing->broker = options->broker;
    pairing->data = options->data;
    pairing->state_dir = strdup(options->state_dir);
    if (pairing->state_dir == NULL) {
        free(pairing);
        return NULL;
    }
    pairing->strangers = bucket_full(PAIRING_STRANGERS, PAIRING_STRANGERS_MS);
    pairing->words = bucket_full(PAIRING_WORDS, PAIRING_WORDS_MS);
    pairing->broken = learned_read(&pairing->learned, options->state_dir, &pairing->why) < 0;
    inviter_begin(pairing);
    joiner_begin(pairing);
    return pairing;
}

void pairing_free(struct pairing *pairing)
{
    if (pairing == NULL)
        return;
    while (pairing->meeting_count > 0)
        meeting_close(pairing, &pairing->meetings[pairing->meeting_count - 1]);
    inviter_clear(pairing);
    joiner_clear(pairing);
    learned_clear(&pairing->learned);
    free(pairing->state_dir);
    free(pairing);
}

const struct error *pairing_broken(const struct pairing *pairing)
{
    return pairing->broken ? &pairing->why : NULL;
}

const struct learned *pairing_learned(const struct pairing *pairing)
{
    static const struct learned nothing;

    return pairing != NULL ? &pairing->learned : &nothing;
}

int64_t pairing_next(const struct pairing *pairing)
{
    int64_t inviter = inviter_next(pairing), next = joiner_next(pairing);

    if (inviter < next)
        next = inviter;
    for (size_t i = 0; i < pairing->meeting_count; i++)
        if (pairing->meetings[i].until < next)
            next = pairing->meetings[i].until;
    return next;
}

void pairing_tick(struct pairing *pairing)
{
    meetings_tick(pairing);
    inviter_tick(pairing);
    joiner_tick(pairing);
    pairing->broker->rearm(pairing->data);
}

/* What transports bring */

void pairing_transport_ready(struct pairing *pairing, size_t index)
{
    if (pairing == NULL)
        return;
    for (size_t i = 0; i < pairing->meeting_count; i++)
        meeting_announce(pairing, &pairing->meetings[i], index);
    joiner_transport_ready(pairing);
    pairing->broker->rearm(pairing->data);
}

void pairing_transport_lost(struct pairing *pairing, unsigned slot)
{
    if (pairing == NULL)
        return;
    for (size_t i = 0; i < pairing->meeting_count; i++)
        pairing->meetings[i].online &= ~(1u << slot);
}

void pairing_presence(struct pairing *pairing, size_t index, const char *name, bool online)
{
    struct meeting *meeting = pairing != NULL ? meeting_named(pairing, name) : NULL;
    struct pairing_transport transport;

    if (meeting == NULL || !pairing->broker->transport(pairing->data, index, &transport))
        return;
    meeting->online &= ~(1u << transport.slot);
    if (!online)
        return;
    meeting->online |= 1u << transport.slot;
    if (meeting->kind == MEETING_REFUSED && meeting->text != NULL)
        pairing->broker->send(pairing->data, index, name, meeting->text);
    else if (meeting->kind == MEETING_JOINING)
        joiner_met(pairing, index, meeting);
}

void pairing_receive(struct pairing *pairing, size_t index, const char *name, const char *text)
{
    const struct meeting *meeting = pairing != NULL ? meeting_named(pairing, name) : NULL;

    if (meeting == NULL)
        return;
    if (meeting->kind == MEETING_INVITED && joining_kind(text) == JOINING_ASKING)
        inviter_asked(pairing, index, name, false, text);
    else if (meeting->kind == MEETING_JOINING && joining_kind(text) == JOINING_ANSWER)
        joiner_answered(pairing, text);
    pairing->broker->rearm(pairing->data);
}

void pairing_requested(struct pairing *pairing, size_t index, const char *text)
{
    if (pairing == NULL)
        return;
    inviter_asked(pairing, index, NULL, false, text);
    pairing->broker->rearm(pairing->data);
}

bool pairing_peer_data(struct pairing *pairing, size_t index, const char *peer, const char *text)
{
    enum joining_kind kind = joining_kind(text);

    if (pairing == NULL)
        return false;
    if (kind == JOINING_ASKING)
        inviter_asked(pairing, index, peer, true, text);
    else if (kind == JOINING_ANSWER)
        joiner_answered(pairing, text);
    else
        return false;
    pairing->broker->rearm(pairing->data);
    return true;
}

void pairing_peer_online(struct pairing *pairing, size_t index, const uint8_t key[ID_KEY_BYTES])
{
    if (pairing == NULL)
        return;
    inviter_peer_online(pairing, index, key);
}

void pairing_peer_there(struct pairing *pairing, const uint8_t key[ID_KEY_BYTES])
{
    if (pairing == NULL)
        return;
    joiner_accepted(pairing, key);
}

/* Introductions */

static size_t waiting_count(const struct learned *learned)
{
    size_t count = 0;

    for (size_t i = 0; i < learned->peer_count; i++)
        count += learned->peers[i].introduced_by[0] != '\0';
    return count;
}

static size_t accepted_count(const struct learned *learned, const char *from)
{
    size_t count = 0;

    for (size_t i = 0; i < learned->peer_count; i++)
        count += strcmp(learned->peers[i].accepted_from, from) == 0;
    return count;
}

/* Where there are too many, in the place of the one that was silent the longest. */
static struct introducer *introducer_named(struct pairing *pairing, const char *name)
{
    struct introducer *oldest = &pairing->introducers[0];

    for (size_t i = 0; i < pairing->introducer_count; i++) {
        if (strcmp(pairing->introducers[i].name, name) == 0)
            return &pairing->introducers[i];
        if (pairing->introducers[i].last < oldest->last)
            oldest = &pairing->introducers[i];
    }
    if (pairing->introducer_count < PAIRING_INTRODUCERS_MAX)
        oldest = &pairing->introducers[pairing->introducer_count++];
    memset(oldest, 0, sizeof *oldest);
    snprintf(oldest->name, sizeof oldest->name, "%s", name);
    oldest->bucket = bucket_full(PAIRING_INTRODUCTIONS, PAIRING_INTRODUCTIONS_MS);
    oldest->bucket.since = pairing->broker->now(pairing->data);
    return oldest;
}

/* Its name, made free, and its addresses. */
static int read_introduced(struct pairing *pairing, const struct message_introduce *told,
                           struct contact *contact, struct error *err)
{
    struct json *document = json_parse(told->addresses, strlen(told->addresses), err);
    struct json_at root;
    int rc = -EINVAL;

    memset(contact, 0, sizeof *contact);
    contact_set_name(contact, told->name);
    pairing_free_name(pairing, contact->name);
    if (document != NULL) {
        root = json_root(document);
        rc = contact_read_addresses(contact, &root, err);
    }
    json_destroy(document);
    return rc;
}

static bool is_news(struct pairing *pairing, const uint8_t key[ID_KEY_BYTES])
{
    return memcmp(key, pairing->identity->public, ID_KEY_BYTES) != 0 &&
           pairing_name_of(pairing, key) == NULL;
}

static int check_room(struct pairing *pairing, struct introducer *by, bool accept,
                      struct error *err)
{
    int64_t now = pairing->broker->now(pairing->data);

    by->last = now;
    if (!bucket_take(&by->bucket, now))
        error_set(err, "too-many", "it told of %d at once, and may tell of one every %d s",
                  PAIRING_INTRODUCTIONS, PAIRING_INTRODUCTIONS_MS / 1000);
    else if (accept && accepted_count(&pairing->learned, by->name) >= PAIRING_ACCEPTED_MAX)
        error_set(err, "too-many", "%d are peers on its word alone already", PAIRING_ACCEPTED_MAX);
    else if (!accept && waiting_count(&pairing->learned) >= PAIRING_INTRODUCED_MAX)
        error_set(err, "too-many", "%d wait to be accepted already", PAIRING_INTRODUCED_MAX);
    else
        return 0;
    return -ENOBUFS;
}

static int introduce(struct pairing *pairing, struct introducer *by,
                     const uint8_t key[ID_KEY_BYTES], const struct message_introduce *told,
                     bool accept, struct error *err)
{
    struct learned_peer *peer;
    struct contact contact;
    int rc;

    if (check_room(pairing, by, accept, err) < 0 ||
        read_introduced(pairing, told, &contact, err) < 0)
        return -EINVAL;
    peer = learned_peer_add(&pairing->learned, key, &contact, NULL, err);
    if (peer == NULL)
        return -ENOMEM;
    strcpy(accept ? peer->accepted_from : peer->introduced_by, by->name);
    rc = pairing_save(pairing, err);
    if (rc < 0) {
        learned_peer_remove(&pairing->learned, peer);
        return rc;
    }
    pairing->broker->tell(pairing->data, contact.name, accept ? "joined" : "introduced", by->name);
    if (accept)
        pairing->broker->changed(pairing->data);
    return 0;
}

void pairing_introduced(struct pairing *pairing, const char *by,
                        const struct message_introduce *told, bool accept)
{
    struct introducer *introducer;
    uint8_t key[ID_KEY_BYTES];
    struct error err;
    int rc;

    if (pairing == NULL)
        return;
    rc = id_decode(told->id, key, &err);
    if (rc == 0 && !is_news(pairing, key))
        return;
    introducer = introducer_named(pairing, by);
    if (rc == 0)
        rc = introduce(pairing, introducer, key, told, accept, &err);
    if (rc < 0 && !introducer->told)
        log_warn("%s introduces a device, which is passed over, and others silently: %s", by,
                 err.message);
    introducer->told = rc < 0;
}

/* What people ask for */

/* One that was learned; else -ENOENT. */
static struct learned_peer *learned_or_told(struct pairing *pairing, const char *peer,
                                            struct error *err)
{
    struct learned_peer *learned = learned_peer_named(&pairing->learned, peer);

    if (learned != NULL)
        return learned;
    if (pairing->broker->has_name(pairing->data, peer))
        error_set(err, "configured",
                  "peer '%s' stands in the configuration, which is nobody's but root's: change it "
                  "there, then 'punchguard reload'",
                  peer);
    else
        error_set(err, "no-such-peer", "there is no peer '%s'", peer);
    return NULL;
}

int pairing_accept(struct pairing *pairing, const char *peer, const struct inbound *inbound,
                   struct error *err)
{
    struct learned_peer *learned = learned_or_told(pairing, peer, err);
    struct learned_peer before;
    int rc;

    if (learned == NULL)
        return -ENOENT;
    if (learned->introduced_by[0] == '\0') {
        error_set(err, "no-introduction", "'%s' is a peer already", peer);
        return -EEXIST;
    }
    before = *learned;
    learned->introduced_by[0] = '\0';
    if (inbound != NULL)
        learned->inbound = *inbound;
    rc = pairing_save(pairing, err);
    if (rc < 0) {
        *learned = before;
        return rc;
    }
    pairing->broker->tell(pairing->data, peer, "joined", before.introduced_by);
    pairing->broker->changed(pairing->data);
    return 0;
}

int pairing_rename(struct pairing *pairing, const char *peer, const char *name, struct error *err)
{
    struct learned_peer *learned = learned_or_told(pairing, peer, err);
    char before[PEER_NAME_MAX + 1];
    int rc;

    if (learned == NULL)
        return -ENOENT;
    rc = pairing_check_name(pairing, name, err);
    if (rc < 0)
        return rc;
    strcpy(before, learned->contact.name);
    strcpy(learned->contact.name, name);
    rc = pairing_save(pairing, err);
    if (rc < 0) {
        strcpy(learned->contact.name, before);
        return rc;
    }
    pairing->broker->tell(pairing->data, name, "renamed", before);
    pairing->broker->changed(pairing->data);
    return 0;
}

int pairing_remove(struct pairing *pairing, const char *peer, struct error *err)
{
    struct learned_peer *learned = learned_or_told(pairing, peer, err), taken;
    struct learned_invitation invitations[LEARNED_INVITATIONS_MAX];
    size_t index;
    int rc;

    if (learned == NULL)
        return -ENOENT;
    index = (size_t)(learned - pairing->learned.peers);
    memcpy(invitations, pairing->learned.invitations, sizeof invitations);
    taken = learned_peer_take(&pairing->learned, index);
    learned_invitations_forget(&pairing->learned, taken.key);
    rc = pairing_save(pairing, err);
    if (rc < 0) {
        memcpy(pairing->learned.invitations, invitations, sizeof invitations);
        learned_peer_put(&pairing->learned, index, &taken);
        goto out;
    }
    learned_forget_broken(pairing->state_dir);
    joiner_stop(pairing, taken.key);
    learned_peer_accepted(&taken);
    pairing->broker->tell(pairing->data, taken.contact.name, "removed", NULL);
    pairing->broker->changed(pairing->data);
out:
    sodium_memzero(invitations, sizeof invitations);
    return rc;
}
