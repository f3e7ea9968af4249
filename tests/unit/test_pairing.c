/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Devices that join each other over a network of two transports: "tox" brings requests to
 * addresses, "lan" lets those meet that have the same rendezvous. Both are remembered here.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "broker/joining.h"
#include "broker/pairing.h"
#include "protocol/log.h"

#define DEVICES 3
#define KNOWN   64
#define QUEUE   64

enum { TOX, LAN, TRANSPORTS };

/* What a transport of a device was told of. */
struct known {
    char name[80], address[80], rendezvous[65];
};

struct device {
    struct pairing *pairing;
    struct identity identity;
    const char *name;
    char folder[64], address[80];
    struct known known[TRANSPORTS][KNOWN];
    size_t known_count[TRANSPORTS];
    char said[1024]; /* what was told, "bob:joined " */
    size_t told, asked;
    bool changed, knows;
    const char *configured; /* a name that the configuration has */
    uint8_t configured_key[ID_KEY_BYTES];
};

struct flight {
    size_t to;
    int transport;
    char name[80]; /* that the receiver knows the sender by; "" for a request */
    char *text;
};

static struct device devices[DEVICES];
static struct flight queue[QUEUE];
static size_t queued;
static bool has[TRANSPORTS];
static bool answers_lost;
static int64_t now, wall;
/* What the next to be invited, or to be joined, may begin; NULL: nothing is said. */
static const struct inbound *may;
static struct error err;

#define ALICE (&devices[0])
#define BOB   (&devices[1])
#define CAROL (&devices[2])

/* The network */

static struct known *known_named(struct device *device, size_t transport, const char *name)
{
    for (size_t i = 0; i < device->known_count[transport]; i++)
        if (strcmp(device->known[transport][i].name, name) == 0)
            return &device->known[transport][i];
    return NULL;
}

static bool is_same(const struct device *one, const struct known *known, const struct device *other,
                    const struct known *theirs, size_t transport)
{
    if (transport == LAN)
        return strcmp(known->rendezvous, theirs->rendezvous) == 0;
    return strcmp(known->address, other->address) == 0 &&
           strcmp(theirs->address, one->address) == 0;
}

/* The other end of what a device knows, or NULL. */
static struct known *counterpart(struct device *device, size_t transport, const struct known *known,
                                 struct device **other)
{
    for (size_t i = 0; i < DEVICES; i++) {
        *other = &devices[i];
        if (*other == device || (*other)->pairing == NULL)
            continue;
        for (size_t j = 0; j < (*other)->known_count[transport]; j++)
            if (is_same(device, known, *other, &(*other)->known[transport][j], transport))
                return &(*other)->known[transport][j];
    }
    return NULL;
}

static void fly(size_t to, size_t transport, const char *name, const char *text)
{
    assert_true(queued < QUEUE);
    queue[queued].to = to;
    queue[queued].transport = (int)transport;
    snprintf(queue[queued].name, sizeof queue[queued].name, "%s", name);
    queue[queued++].text = strdup(text);
}

static bool is_meeting(const char *name)
{
    return strchr(name, ':') != NULL;
}

static void presence_tell(struct device *device, size_t transport, const struct known *known)
{
    const struct learned_peer *peer;

    if (is_meeting(known->name)) {
        pairing_presence(device->pairing, transport, known->name, true);
        return;
    }
    peer = learned_peer_named(pairing_learned(device->pairing), known->name);
    if (peer != NULL)
        pairing_peer_online(device->pairing, transport, peer->key);
}

/* Calls */

static int64_t on_now(void *data)
{
    (void)data;
    return now;
}

static int64_t on_wall(void *data)
{
    (void)data;
    return wall;
}

static bool on_transport(void *data, size_t index, struct pairing_transport *out)
{
    static const char *const names[] = {"tox", "lan"};
    const struct device *device = data;

    if (index >= TRANSPORTS)
        return false;
    *out = (struct pairing_transport){.name = names[index],
                                      .address = index == TOX ? device->address : "",
                                      .slot = (unsigned)index + 3,
                                      .requests = index == TOX,
                                      .ready = has[index]};
    return true;
}

static void on_add(void *data, size_t index, const char *name, const char *address,
                   const char *rendezvous)
{
    struct device *device = data, *other;
    struct known *known = known_named(device, index, name), *theirs;

    if (known != NULL)
        return;
    assert_true(device->known_count[index] < KNOWN);
    known = &device->known[index][device->known_count[index]++];
    snprintf(known->name, sizeof known->name, "%s", name);
    snprintf(known->address, sizeof known->address, "%s", address != NULL ? address : "");
    snprintf(known->rendezvous, sizeof known->rendezvous, "%s", rendezvous);
    theirs = counterpart(device, index, known, &other);
    if (theirs == NULL)
        return;
    presence_tell(other, index, theirs);
    presence_tell(device, index, known);
}

static void on_remove(void *data, size_t index, const char *name)
{
    struct device *device = data;
    struct known *known = known_named(device, index, name);

    if (known != NULL)
        *known = device->known[index][--device->known_count[index]];
}

static void on_send(void *data, size_t index, const char *name, const char *text)
{
    struct device *device = data, *other;
    struct known *known = known_named(device, index, name), *theirs;

    theirs = known != NULL ? counterpart(device, index, known, &other) : NULL;
    if (theirs != NULL && !(answers_lost && joining_kind(text) == JOINING_ANSWER))
        fly((size_t)(other - devices), index, theirs->name, text);
}

static void on_ask(void *data, size_t index, const char *peer, const char *address,
                   const char *text)
{
    struct device *device = data;

    assert_non_null(known_named(device, index, peer));
    device->asked++;
    for (size_t i = 0; i < DEVICES; i++)
        if (devices[i].pairing != NULL && strcmp(devices[i].address, address) == 0)
            fly(i, index, "", text);
}

static bool on_reaches(void *data, size_t index, const char *peer)
{
    struct device *other;
    const struct known *known = known_named(data, index, peer);

    return known != NULL && counterpart(data, index, known, &other) != NULL;
}

static const char *on_own_name(void *data)
{
    return ((struct device *)data)->name;
}

static bool on_has_name(void *data, const char *name)
{
    const struct device *device = data;

    return device->configured != NULL && strcmp(device->configured, name) == 0;
}

static const char *on_name_of(void *data, const uint8_t key[ID_KEY_BYTES])
{
    const struct device *device = data;

    return device->configured != NULL && memcmp(device->configured_key, key, ID_KEY_BYTES) == 0
               ? device->configured
               : NULL;
}

static bool on_knows(void *data, const char *peer)
{
    (void)peer;
    return ((struct device *)data)->knows;
}

static void on_changed(void *data)
{
    ((struct device *)data)->changed = true;
}

static void on_rearm(void *data)
{
    (void)data;
}

static void on_tell(void *data, const char *peer, const char *state, const char *reason)
{
    struct device *device = data;
    size_t used = strlen(device->said);

    (void)reason;
    device->told++;
    snprintf(device->said + used, sizeof device->said - used, "%s:%s ", peer != NULL ? peer : "",
             state);
}

static const struct pairing_broker calls = {
    .now = on_now,
    .wall = on_wall,
    .transport = on_transport,
    .add = on_add,
    .remove = on_remove,
    .send = on_send,
    .ask = on_ask,
    .reaches = on_reaches,
    .own_name = on_own_name,
    .has_name = on_has_name,
    .name_of = on_name_of,
    .knows = on_knows,
    .changed = on_changed,
    .rearm = on_rearm,
    .tell = on_tell,
};

/* Time and what happens in it */

/* Peers of both a device's configuration and what it learned, as the broker tells transports. */
static void put_into_place(struct device *device)
{
    const struct learned *learned = pairing_learned(device->pairing);
    char rendezvous[65];

    device->changed = false;
    for (size_t transport = 0; transport < TRANSPORTS; transport++) {
        for (size_t i = device->known_count[transport]; i-- > 0;)
            if (!is_meeting(device->known[transport][i].name) &&
                learned_peer_named(learned, device->known[transport][i].name) == NULL)
                on_remove(device, transport, device->known[transport][i].name);
        for (size_t i = 0; i < learned->peer_count && has[transport]; i++) {
            const struct contact *contact = &learned->peers[i].contact;
            const char *address = NULL;

            for (size_t at = 0; at < contact->count; at++)
                if (strcmp(contact->items[at].transport, "tox") == 0)
                    address = contact->items[at].address;
            identity_rendezvous(&device->identity, learned->peers[i].key, "lan", rendezvous);
            if (transport == LAN || address != NULL)
                on_add(device, transport, contact->name, address, rendezvous);
        }
    }
}

static void deliver(const struct flight *flight)
{
    struct pairing *pairing = devices[flight->to].pairing;
    size_t transport = (size_t)flight->transport;

    if (flight->name[0] == '\0')
        pairing_requested(pairing, transport, flight->text);
    else if (is_meeting(flight->name))
        pairing_receive(pairing, transport, flight->name, flight->text);
    else
        assert_true(pairing_peer_data(pairing, transport, flight->name, flight->text));
}

static void settle(void)
{
    bool busy = true;

    while (busy || queued > 0) {
        busy = queued > 0;
        for (size_t i = 0; i < DEVICES; i++) {
            if (devices[i].pairing == NULL)
                continue;
            busy |= devices[i].changed;
            if (devices[i].changed)
                put_into_place(&devices[i]);
            pairing_tick(devices[i].pairing);
        }
        if (queued > 0) {
            struct flight flight = queue[0];

            memmove(queue, queue + 1, --queued * sizeof queue[0]);
            deliver(&flight);
            free(flight.text);
        }
    }
}

static void pass(int64_t seconds)
{
    now += seconds * 1000;
    wall += seconds;
    settle();
}

static void open_pairing(struct device *device)
{
    struct pairing_options options = {.identity = &device->identity,
                                      .state_dir = device->folder,
                                      .broker = &calls,
                                      .data = device};

    device->pairing = pairing_new(&options);
    assert_non_null(device->pairing);
    device->changed = true;
}

static int begin(void **state)
{
    static const char *const names[] = {"alice", "bob", "carol"};

    (void)state;
    memset(devices, 0, sizeof devices);
    memset(&err, 0, sizeof err);
    has[TOX] = has[LAN] = true;
    answers_lost = false;
    may = NULL;
    now = 5000;
    wall = 1800000000;
    for (size_t i = 0; i < DEVICES; i++) {
        struct device *device = &devices[i];

        memset(device->identity.secret, (int)i + 17, sizeof device->identity.secret);
        crypto_scalarmult_curve25519_base(device->identity.public, device->identity.secret);
        device->name = names[i];
        snprintf(device->address, sizeof device->address, "%s%02zX",
                 "AB12AB12AB12AB12AB12AB12AB12AB12AB12AB12AB12AB12AB12AB12AB12AB12AB12AB12AB", i);
        snprintf(device->folder, sizeof device->folder, "/tmp/punchguard-pairing-XXXXXX");
        if (mkdtemp(device->folder) == NULL)
            return -1;
        open_pairing(device);
    }
    settle();
    return 0;
}

static void empty(const char *folder)
{
    static const char *const names[] = {"peers.json", "peers.json.previous", "peers.json.broken"};
    char path[128];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
}

static int end(void **state)
{
    (void)state;
    for (size_t i = 0; i < DEVICES; i++) {
        pairing_free(devices[i].pairing);
        devices[i].pairing = NULL;
        empty(devices[i].folder);
        rmdir(devices[i].folder);
        unlink(devices[i].folder);
    }
    while (queued > 0)
        free(queue[--queued].text);
    return 0;
}

static const char *invite(const char *name, int64_t lifetime)
{
    static char text[INVITATION_TEXT_SIZE];
    struct invitation made;

    if (pairing_invite(ALICE->pairing, name, lifetime, may, &made, &err) < 0)
        fail_msg("%s", err.message);
    invitation_encode(&made, text);
    return text;
}

static void join_as(struct device *device, const char *text, const char *name)
{
    char peer[PEER_NAME_MAX + 1];
    uint8_t key[ID_KEY_BYTES];

    if (pairing_join(device->pairing, text, name, may, peer, key, &err) < 0)
        fail_msg("%s", err.message);
    settle();
}

static void refused(struct device *device, const char *text, const char *name, const char *code)
{
    char peer[PEER_NAME_MAX + 1];
    uint8_t key[ID_KEY_BYTES];

    memset(&err, 0, sizeof err);
    assert_true(pairing_join(device->pairing, text, name, NULL, peer, key, &err) < 0);
    assert_string_equal(err.code, code);
    assert_true(strlen(err.message) > 10);
}

static size_t peers_of(const struct device *device)
{
    return pairing_learned(device->pairing)->peer_count;
}

static void has_peer(const struct device *device, const char *name, const struct device *other)
{
    const struct learned_peer *peer = learned_peer_named(pairing_learned(device->pairing), name);

    assert_non_null(peer);
    assert_memory_equal(peer->key, other->identity.public, ID_KEY_BYTES);
    assert_null(peer->invitation);
}

/* Nothing can be written from now on. */
static void fill_up(const struct device *device)
{
    empty(device->folder);
    assert_int_equal(rmdir(device->folder), 0);
    close(open(device->folder, O_CREAT | O_WRONLY, 0600));
}

/* Tests */

static void whoever_has_the_invitation_is_a_peer_soon(void **state)
{
    (void)state;
    has[LAN] = false;
    join_as(BOB, invite("bobby", 0), "");
    has_peer(ALICE, "bobby", BOB);
    has_peer(BOB, "alice", ALICE);
    assert_string_equal(ALICE->said, "bobby:invited bobby:joined ");
    assert_string_equal(BOB->said, "alice:joining alice:joined ");
    assert_true(pairing_learned(ALICE->pairing)->invitations[0].used);
    /* Each is reached by the address that it told. */
    assert_string_equal(pairing_learned(ALICE->pairing)->peers[0].contact.items[0].address,
                        BOB->address);
}

static void without_addresses_they_meet_by_the_secret(void **state)
{
    (void)state;
    has[TOX] = false;
    join_as(BOB, invite("", 0), "home");
    has_peer(ALICE, "bob", BOB);
    has_peer(BOB, "home", ALICE);
    assert_int_equal(BOB->asked, 0);
    /* What they met by goes. */
    pass(200);
    for (size_t i = 0; i < 2; i++)
        for (size_t at = 0; at < devices[i].known_count[LAN]; at++)
            assert_false(is_meeting(devices[i].known[LAN][at].name));
}

/* What somebody sends who knows everything of the invitation but the secret. To be freed. */
static char *forge(const uint8_t name[JOINING_NAME_BYTES], const struct contact *contact)
{
    static const uint8_t prologue[] = "PunchGuard joining 1";
    uint8_t payload[JOINING_NAME_BYTES + JOINING_PROOF_BYTES + CONTACT_PACKED_MAX];
    uint8_t raw[1 + sizeof payload + NOISE_IKPSK2_OVERHEAD], psk[NOISE_KEY_BYTES] = {0};
    struct noise_setup setup = {.pattern = NOISE_IKPSK2,
                                .initiator = true,
                                .prologue = prologue,
                                .prologue_length = sizeof prologue - 1,
                                .own_secret = CAROL->identity.secret,
                                .own_public = CAROL->identity.public,
                                .remote_public = ALICE->identity.public,
                                .psk = psk};
    struct noise_handshake handshake;
    char *text = malloc(2 * sizeof raw);
    size_t length = JOINING_NAME_BYTES + JOINING_PROOF_BYTES;

    memcpy(payload, name, JOINING_NAME_BYTES);
    randombytes_buf(payload + JOINING_NAME_BYTES, JOINING_PROOF_BYTES);
    length += contact_pack(contact, payload + length);
    noise_begin(&handshake, &setup);
    assert_int_equal(noise_write(&handshake, payload, length, raw + 1, sizeof raw - 1, &length), 0);
    raw[0] = JOINING_ASKING;
    return sodium_bin2base64(text, 2 * sizeof raw, raw, length + 1, sodium_base64_VARIANT_ORIGINAL);
}

static void a_thousand_wrong_secrets_change_nothing_and_are_told_rarely(void **state)
{
    struct invitation invitation;
    struct contact own = {.name = "mallory"};
    uint8_t name[JOINING_NAME_BYTES];
    struct joining joining;
    char path[128], *text;

    (void)state;
    assert_int_equal(invitation_decode(invite("bob", 0), &invitation, &err), 0);
    joining_name(invitation.secret, name);
    snprintf(path, sizeof path, "%s/peers.json", ALICE->folder);
    assert_int_equal(unlink(path), 0);
    ALICE->told = 0;
    for (int i = 0; i < 1000; i++) {
        now += 1000; /* each is read */
        if (i % 2 == 0) {
            text = forge(name, &own);
            pairing_requested(ALICE->pairing, TOX, text);
            free(text);
            continue;
        }
        randombytes_buf(invitation.secret, sizeof invitation.secret);
        assert_int_equal(joining_ask(&joining, &CAROL->identity, &invitation, &own), 0);
        pairing_requested(ALICE->pairing, TOX, joining.data);
        joining_clear(&joining);
    }
    assert_int_equal(peers_of(ALICE), 0);
    assert_false(pairing_learned(ALICE->pairing)->invitations[0].used);
    assert_in_range(ALICE->told, 1, PAIRING_WORDS + 1000000 / PAIRING_WORDS_MS + 1);
    assert_int_equal(access(path, F_OK), -1); /* nothing was written */
    assert_int_equal(queued, 0);              /* and nothing answered */
    assert_false(ALICE->changed);
}

static void the_right_one_comes_through_after_the_wrong_ones(void **state)
{
    struct invitation invitation;
    struct contact own = {.name = "mallory"};
    struct joining joining;
    const char *text = invite("bob", 0);

    (void)state;
    has[LAN] = false;
    assert_int_equal(invitation_decode(text, &invitation, &err), 0);
    invitation.secret[3] ^= 1;
    assert_int_equal(joining_ask(&joining, &CAROL->identity, &invitation, &own), 0);
    for (int i = 0; i < 1000; i++)
        pairing_requested(ALICE->pairing, TOX, joining.data);
    joining_clear(&joining);
    join_as(BOB, text, "");
    assert_int_equal(peers_of(ALICE), 0); /* what strangers may ask is used up */
    pass(31);
    has_peer(ALICE, "bob", BOB);
}

static void an_invitation_is_used_once_and_who_comes_second_is_told(void **state)
{
    const char *text = invite("", 0);

    (void)state;
    for (int transport = TOX; transport <= LAN; transport++) {
        has[TOX] = transport == TOX;
        has[LAN] = transport == LAN;
        if (peers_of(ALICE) == 0)
            join_as(BOB, text, "");
        ALICE->changed = BOB->changed = true;
        settle();
        join_as(CAROL, text, "");
        pass(70);
        assert_string_equal(CAROL->said, "alice:joining alice:refused ");
        assert_int_equal(peers_of(CAROL), 0);
        assert_int_equal(peers_of(ALICE), 1);
        has_peer(ALICE, "bob", BOB);
        CAROL->said[0] = '\0';
        /* Over the LAN both need another one: the first one's rendezvous is gone by now. */
        if (transport == TOX) {
            assert_int_equal(pairing_remove(ALICE->pairing, "bob", &err), 0);
            assert_int_equal(pairing_remove(BOB->pairing, "alice", &err), 0);
            has[TOX] = false;
            has[LAN] = true;
            settle();
            text = invite("", 0);
        }
    }
}

static void an_invitation_that_is_over_by_the_inviters_clock_is_told(void **state)
{
    const char *text = invite("", 60);

    (void)state;
    has[LAN] = false;
    wall += 50;
    /* Bob's clock is behind. */
    assert_int_equal(pairing_join(BOB->pairing, text, "", NULL, (char[PEER_NAME_MAX + 1]){0},
                                  (uint8_t[ID_KEY_BYTES]){0}, &err),
                     0);
    put_into_place(BOB);
    pairing_tick(BOB->pairing);
    wall += 11;
    deliver(&queue[0]);
    assert_int_equal(peers_of(ALICE), 0);
    assert_non_null(strstr(ALICE->said, "bob:refused"));
    wall -= 11;
    settle();
    assert_string_equal(BOB->said, "alice:joining alice:refused ");
    assert_int_equal(peers_of(BOB), 0);
}

static void who_is_not_answered_asks_less_and_less_until_the_end(void **state)
{
    const char *text = invite("", 3600);

    (void)state;
    has[LAN] = false;
    pairing_free(ALICE->pairing);
    ALICE->pairing = NULL;
    join_as(BOB, text, "");
    assert_int_equal(BOB->asked, 1);
    assert_int_equal(peers_of(BOB), 1);
    pass(29);
    assert_int_equal(BOB->asked, 1);
    for (int second = 0; second < 3500; second++)
        pass(1);
    assert_in_range(BOB->asked, 12, 17);
    assert_int_equal(peers_of(BOB), 1);
    for (int second = 0; second < 80; second++)
        pass(1);
    assert_int_equal(peers_of(BOB), 0);
    assert_string_equal(BOB->said, "alice:joining alice:expired ");
}

static void a_lost_answer_is_given_again_to_the_same_device(void **state)
{
    (void)state;
    has[LAN] = false;
    answers_lost = true;
    join_as(BOB, invite("", 0), "");
    assert_int_equal(peers_of(ALICE), 1);
    assert_non_null(learned_peer_named(pairing_learned(BOB->pairing), "alice")->invitation);
    answers_lost = false;
    pass(31);
    has_peer(BOB, "alice", ALICE);
    assert_int_equal(peers_of(ALICE), 1);
}

static void the_sealed_channel_is_an_answer_too(void **state)
{
    (void)state;
    answers_lost = true;
    join_as(BOB, invite("", 0), "");
    pairing_peer_there(BOB->pairing, CAROL->identity.public);
    assert_string_equal(BOB->said, "alice:joining ");
    pairing_peer_there(BOB->pairing, ALICE->identity.public);
    has_peer(BOB, "alice", ALICE);
    assert_string_equal(BOB->said, "alice:joining alice:joined ");
}

static void who_was_removed_does_not_come_back_by_the_same_invitation(void **state)
{
    const char *text = invite("", 0);

    (void)state;
    has[LAN] = false;
    join_as(BOB, text, "");
    assert_int_equal(pairing_remove(ALICE->pairing, "bob", &err), 0);
    assert_int_equal(pairing_remove(BOB->pairing, "alice", &err), 0);
    settle();
    BOB->said[0] = '\0';
    join_as(BOB, text, "");
    assert_string_equal(BOB->said, "alice:joining alice:refused ");
    assert_int_equal(peers_of(ALICE) + peers_of(BOB), 0);
}

static void who_joins_again_keeps_its_name_and_gets_new_addresses(void **state)
{
    (void)state;
    has[LAN] = false;
    join_as(BOB, invite("b", 0), "");
    assert_int_equal(pairing_remove(BOB->pairing, "alice", &err), 0);
    settle();
    BOB->address[0] = 'F';
    join_as(BOB, invite("c", 0), "");
    has_peer(ALICE, "b", BOB);
    assert_int_equal(peers_of(ALICE), 1);
    assert_string_equal(pairing_learned(ALICE->pairing)->peers[0].contact.items[0].address,
                        BOB->address);
}

static void a_name_that_is_taken_gets_a_number(void **state)
{
    (void)state;
    ALICE->configured = "bob";
    join_as(BOB, invite("", 0), "");
    has_peer(ALICE, "bob-2", BOB);
    CAROL->name = "bob";
    join_as(CAROL, invite("", 0), "");
    has_peer(ALICE, "bob-3", CAROL);
    assert_true(pairing_invite(ALICE->pairing, "bob", 0, NULL, &(struct invitation){0}, &err) < 0);
    assert_string_equal(err.code, "duplicate");
    refused(BOB, invite("", 0), "carol", "duplicate");
}

static void whom_the_configuration_has_is_not_learned(void **state)
{
    (void)state;
    ALICE->configured = "desk";
    memcpy(ALICE->configured_key, BOB->identity.public, ID_KEY_BYTES);
    answers_lost = true;
    join_as(BOB, invite("", 0), "");
    assert_int_equal(peers_of(ALICE), 0);
    assert_true(pairing_learned(ALICE->pairing)->invitations[0].used);
    assert_non_null(strstr(ALICE->said, "desk:joined"));
    BOB->configured = "alice";
    memcpy(BOB->configured_key, ALICE->identity.public, ID_KEY_BYTES);
    assert_int_equal(pairing_remove(BOB->pairing, "alice", &err), 0);
    refused(BOB, invite("", 0), "", "configured");
}

static void what_can_not_be_joined_is_told(void **state)
{
    char text[INVITATION_TEXT_SIZE];

    (void)state;
    strcpy(text, invite("", 60));
    refused(ALICE, text, "", "own-invitation");
    refused(BOB, "PG1", "", "bad-invitation");
    refused(BOB, text, "a b", "bad-peer-name");
    wall += 60;
    refused(BOB, text, "", "expired");
    wall -= 60;
    text[20] = text[20] == 'A' ? 'B' : 'A';
    refused(BOB, text, "", "mistyped");
    has[TOX] = false;
    strcpy(text, invite("", 60));
    has[TOX] = true;
    join_as(BOB, text, "");
    assert_int_equal(pairing_remove(BOB->pairing, "alice", &err), 0);
    assert_true(pairing_invite(ALICE->pairing, "", PAIRING_EXPIRES_MAX_S + 1, NULL,
                               &(struct invitation){0}, &err) < 0);
    assert_string_equal(err.code, "out-of-range");
}

static void a_restart_goes_on_where_it_was(void **state)
{
    const char *text = invite("", 0);

    (void)state;
    /* The joiner's, while nobody answers; then the inviter's. */
    pairing_free(ALICE->pairing);
    ALICE->pairing = NULL;
    join_as(BOB, text, "");
    pairing_free(BOB->pairing);
    memset(BOB->known_count, 0, sizeof BOB->known_count);
    memset(ALICE->known_count, 0, sizeof ALICE->known_count);
    open_pairing(BOB);
    open_pairing(ALICE);
    pass(5);
    has_peer(ALICE, "bob", BOB);
    has_peer(BOB, "alice", ALICE);
}

static void what_can_not_be_kept_is_refused(void **state)
{
    const char *text = invite("", 0);

    (void)state;
    has[LAN] = false;
    empty(ALICE->folder);
    assert_int_equal(rmdir(ALICE->folder), 0);
    close(open(ALICE->folder, O_CREAT | O_WRONLY, 0600));
    join_as(BOB, text, "");
    assert_int_equal(peers_of(ALICE), 0);
    assert_false(pairing_learned(ALICE->pairing)->invitations[0].used);
    assert_string_equal(BOB->said, "alice:joining alice:refused ");
    assert_true(pairing_invite(ALICE->pairing, "", 0, NULL, &(struct invitation){0}, &err) < 0);
    assert_int_equal(pairing_learned(ALICE->pairing)->invitation_count, 1);
}

static void with_a_broken_file_nothing_is_changed(void **state)
{
    char path[128];
    FILE *file;

    (void)state;
    pairing_free(ALICE->pairing);
    snprintf(path, sizeof path, "%s/peers.json", ALICE->folder);
    file = fopen(path, "w");
    fputs("{", file);
    fclose(file);
    open_pairing(ALICE);
    assert_true(pairing_invite(ALICE->pairing, "", 0, NULL, &(struct invitation){0}, &err) < 0);
    assert_string_equal(err.code, "bad-peers");
    refused(ALICE, "PGI1", "", "too-short");
    assert_int_equal(access(path, F_OK), 0);
}

static void peers_are_renamed_and_removed(void **state)
{
    (void)state;
    ALICE->configured = "desk";
    join_as(BOB, invite("", 0), "");
    assert_int_equal(pairing_rename(ALICE->pairing, "bob", "robert", &err), 0);
    has_peer(ALICE, "robert", BOB);
    assert_true(ALICE->changed);
    assert_true(pairing_rename(ALICE->pairing, "robert", "desk", &err) < 0);
    assert_string_equal(err.code, "duplicate");
    assert_true(pairing_rename(ALICE->pairing, "robert", "a/b", &err) < 0);
    assert_string_equal(err.code, "bad-peer-name");
    assert_true(pairing_rename(ALICE->pairing, "bob", "x", &err) < 0);
    assert_string_equal(err.code, "no-such-peer");
    assert_true(pairing_remove(ALICE->pairing, "desk", &err) < 0);
    assert_string_equal(err.code, "configured");
    assert_int_equal(pairing_remove(ALICE->pairing, "robert", &err), 0);
    assert_int_equal(peers_of(ALICE), 0);
    pairing_free(ALICE->pairing);
    open_pairing(ALICE);
    assert_int_equal(peers_of(ALICE), 0);
}

static int cancel(const char *text)
{
    char digits[2 * JOINING_NAME_BYTES + 1];
    uint8_t name[JOINING_NAME_BYTES];
    struct invitation invitation;

    assert_int_equal(invitation_decode(text, &invitation, &err), 0);
    joining_name(invitation.secret, name);
    sodium_bin2hex(digits, sizeof digits, name, sizeof name);
    return pairing_cancel(ALICE->pairing, digits, &err);
}

static void who_has_an_invitation_that_was_taken_back_is_told(void **state)
{
    char text[INVITATION_TEXT_SIZE];

    (void)state;
    for (int transport = TOX; transport <= LAN; transport++) {
        has[TOX] = transport == TOX;
        has[LAN] = transport == LAN;
        strcpy(text, invite("", 0));
        assert_int_equal(cancel(text), 0);
        assert_true(cancel(text) < 0);
        assert_string_equal(err.code, "no-such-invitation");
        /* After a restart too. */
        pairing_free(ALICE->pairing);
        open_pairing(ALICE);
        settle();
        BOB->said[0] = '\0';
        join_as(BOB, text, "");
        pass(100);
        assert_int_equal(peers_of(ALICE) + peers_of(BOB), 0);
        assert_string_equal(BOB->said, "alice:joining alice:refused ");
    }
}

static void an_invitation_that_can_not_be_taken_back_stays(void **state)
{
    const char *text = invite("", 0);

    (void)state;
    fill_up(ALICE);
    assert_true(cancel(text) < 0);
    assert_string_equal(err.code, "file");
    unlink(ALICE->folder);
    assert_int_equal(mkdir(ALICE->folder, 0700), 0);
    join_as(BOB, text, "");
    has_peer(ALICE, "bob", BOB);
}

static void what_was_taken_back_gives_way_to_new_invitations(void **state)
{
    (void)state;
    has[TOX] = false;
    for (int i = 0; i < 4 * LEARNED_INVITATIONS_MAX; i++)
        assert_int_equal(cancel(invite("", 0)), 0);
    join_as(BOB, invite("", 0), "");
    has_peer(ALICE, "bob", BOB);
}

static void one_that_was_connected_before_stays_a_peer_when_refused(void **state)
{
    char text[INVITATION_TEXT_SIZE];

    (void)state;
    has[LAN] = false;
    strcpy(text, invite("", 0));
    join_as(CAROL, text, "");
    join_as(BOB, invite("", 0), "");
    assert_int_equal(pairing_remove(ALICE->pairing, "bob", &err), 0);
    settle();
    BOB->knows = true;
    join_as(BOB, text, "");
    has_peer(BOB, "alice", ALICE);
    assert_non_null(strstr(BOB->said, "alice:refused"));
}

static void introduce_to(struct device *device, const char *by, const char *name,
                         const uint8_t *key, char *addresses, bool accept)
{
    char id[ID_TEXT_LENGTH + 1], copy[128];
    struct message_introduce told = {.name = copy, .id = id, .addresses = addresses};

    strcpy(copy, name);
    id_encode(key, id);
    pairing_introduced(device->pairing, by, &told, accept);
    settle();
}

/* What bob says of carol, or with `key` of that one. */
static void introduce(const char *name, const uint8_t *key, char *addresses, bool accept)
{
    introduce_to(ALICE, "bob", name, key != NULL ? key : CAROL->identity.public, addresses, accept);
}

static void who_is_introduced_is_a_peer_once_it_is_accepted(void **state)
{
    static char addresses[] = "{\"tox\": \"AB\"}";

    (void)state;
    introduce("car ol", NULL, addresses, false);
    assert_string_equal(ALICE->said, "car-ol:introduced ");
    assert_false(ALICE->changed);
    /* Also after a restart. */
    pairing_free(ALICE->pairing);
    open_pairing(ALICE);
    assert_string_equal(pairing_learned(ALICE->pairing)->peers[0].introduced_by, "bob");
    assert_true(pairing_accept(ALICE->pairing, "x", NULL, &err) < 0);
    assert_string_equal(err.code, "no-such-peer");
    assert_int_equal(pairing_accept(ALICE->pairing, "car-ol", NULL, &err), 0);
    has_peer(ALICE, "car-ol", CAROL);
    assert_string_equal(pairing_learned(ALICE->pairing)->peers[0].introduced_by, "");
    assert_string_equal(pairing_learned(ALICE->pairing)->peers[0].contact.items[0].address, "AB");
    assert_true(pairing_accept(ALICE->pairing, "car-ol", NULL, &err) < 0);
    assert_string_equal(err.code, "no-introduction");
}

static void whom_we_know_is_not_introduced(void **state)
{
    static char none[] = "{}", wrong[] = "{\"tox\": 1}";

    (void)state;
    introduce("carol", NULL, wrong, false);
    introduce("me", ALICE->identity.public, none, true);
    ALICE->configured = "desk";
    memcpy(ALICE->configured_key, CAROL->identity.public, ID_KEY_BYTES);
    introduce("carol", NULL, none, true);
    assert_int_equal(peers_of(ALICE), 0);
    ALICE->configured = NULL;
    introduce("carol", NULL, none, true);
    introduce("other", NULL, none, true);
    assert_int_equal(peers_of(ALICE), 1);
    has_peer(ALICE, "carol", CAROL);
}

static void a_peer_can_not_introduce_without_end(void **state)
{
    static char none[] = "{}";
    uint8_t key[ID_KEY_BYTES];

    (void)state;
    for (uint8_t i = 0; i < 40; i++) {
        memset(key, i + 1, sizeof key);
        introduce("x", key, none, false);
    }
    assert_int_equal(peers_of(ALICE), PAIRING_INTRODUCED_MAX);
    assert_int_equal(pairing_remove(ALICE->pairing, "x", &err), 0);
    introduce("x", NULL, none, false);
    assert_int_equal(peers_of(ALICE), PAIRING_INTRODUCED_MAX);
}

/* What was said on standard error since log_begin(). */
static int log_kept, log_file;

static void log_begin(void)
{
    char name[] = "/tmp/punchguard-pairing-log-XXXXXX";

    log_kept = dup(2);
    log_file = mkstemp(name);
    unlink(name);
    dup2(log_file, 2);
}

static size_t log_lines(void)
{
    char text[65536];
    ssize_t length;
    size_t lines = 0;

    length = pread(log_file, text, sizeof text, 0);
    for (ssize_t i = 0; i < length; i++)
        lines += text[i] == '\n';
    dup2(log_kept, 2);
    close(log_kept);
    close(log_file);
    return lines;
}

/* `by` tells of as many devices that nobody knows. */
static void introduce_many(const char *by, unsigned from, unsigned count, bool accept)
{
    static char none[] = "{}";
    uint8_t key[ID_KEY_BYTES] = {0};

    for (unsigned i = from; i < from + count; i++) {
        memcpy(key, &i, sizeof i);
        introduce_to(ALICE, by, "x", key, none, accept);
    }
}

static void a_peer_can_not_have_devices_accepted_without_end(void **state)
{
    (void)state;
    has[TOX] = has[LAN] = false; /* there is no room in the test's network */
    log_begin();
    for (unsigned i = 0; i < 1000; i++) {
        introduce_many("bob", 1 + i, 1, true);
        now += 10 * PAIRING_INTRODUCTIONS_MS;
    }
    assert_int_equal(log_lines(), 1);
    assert_int_equal(peers_of(ALICE), PAIRING_ACCEPTED_MAX);
    pairing_free(ALICE->pairing);
    open_pairing(ALICE);
    introduce_many("bob", 2000, 1, true);
    assert_int_equal(peers_of(ALICE), PAIRING_ACCEPTED_MAX);
    /* Others may, also that one where a person is asked, and once there is room. */
    introduce_many("carol", 3000, 1, true);
    introduce_many("bob", 4000, 1, false);
    assert_int_equal(peers_of(ALICE), PAIRING_ACCEPTED_MAX + 2);
    assert_int_equal(pairing_remove(ALICE->pairing, "x", &err), 0);
    introduce_many("bob", 5000, 1, true);
    assert_int_equal(peers_of(ALICE), PAIRING_ACCEPTED_MAX + 2);
}

static void a_peer_can_not_introduce_in_a_flood(void **state)
{
    size_t told = 0;

    (void)state;
    log_begin();
    for (unsigned i = 0; i < 1000; i++) {
        introduce_many("bob", 1 + i, 1, false);
        if (peers_of(ALICE) == 1) {
            told++;
            assert_int_equal(pairing_remove(ALICE->pairing, "x", &err), 0);
        }
        ALICE->said[0] = '\0';
    }
    assert_int_equal(told, PAIRING_INTRODUCTIONS);
    introduce_many("carol", 2000, 1, false);
    assert_int_equal(peers_of(ALICE), 1);
    now += PAIRING_INTRODUCTIONS_MS;
    introduce_many("bob", 3000, 2, false);
    assert_int_equal(peers_of(ALICE), 2);
    assert_int_equal(log_lines(), 2);
}

static void who_was_introduced_may_come_by_an_invitation(void **state)
{
    static char none[] = "{}";

    (void)state;
    introduce("bo", BOB->identity.public, none, false);
    join_as(BOB, invite("", 0), "");
    has_peer(ALICE, "bo", BOB);
    assert_string_equal(pairing_learned(ALICE->pairing)->peers[0].introduced_by, "");
}

static void who_was_removed_and_is_introduced_waits_whatever_it_was_invited_by(void **state)
{
    static char none[] = "{}";
    const char *text = invite("", 0);

    (void)state;
    has[LAN] = false;
    join_as(BOB, text, "");
    assert_int_equal(pairing_remove(ALICE->pairing, "bob", &err), 0);
    assert_int_equal(pairing_remove(BOB->pairing, "alice", &err), 0);
    settle();
    introduce("bob", BOB->identity.public, none, false);
    BOB->said[0] = '\0';
    join_as(BOB, text, "");
    pass(70);
    assert_string_equal(BOB->said, "alice:joining alice:refused ");
    assert_int_equal(pairing_learned(ALICE->pairing)->peers[0].contact.count, 0);
}

/* Whether alice's peers.json has it. */
static bool is_kept(const struct device *of)
{
    char got[4096] = "", path[128], id[ID_TEXT_LENGTH + 1];
    FILE *file;

    snprintf(path, sizeof path, "%s/peers.json", ALICE->folder);
    file = fopen(path, "r");
    assert_non_null(file);
    got[fread(got, 1, sizeof got - 1, file)] = '\0';
    fclose(file);
    id_encode(of->identity.public, id);
    return strstr(got, id) != NULL;
}

static void nothing_is_kept_of_who_was_removed(void **state)
{
    const char *text = invite("", 0);

    (void)state;
    has[LAN] = false;
    join_as(BOB, text, "");
    assert_true(is_kept(BOB));
    assert_int_equal(pairing_remove(ALICE->pairing, "bob", &err), 0);
    assert_false(is_kept(BOB));
    assert_int_equal(pairing_remove(BOB->pairing, "alice", &err), 0);
    settle();
    /* Its invitation is used all the same, after a restart too. */
    pairing_free(ALICE->pairing);
    open_pairing(ALICE);
    join_as(BOB, text, "");
    pass(70);
    assert_int_equal(peers_of(ALICE) + peers_of(BOB), 0);
    assert_non_null(strstr(BOB->said, "alice:refused"));
}

static void the_file_that_was_put_aside_goes_with_who_is_removed(void **state)
{
    char path[128];
    FILE *file;

    (void)state;
    has[LAN] = false;
    join_as(BOB, invite("", 0), "");
    snprintf(path, sizeof path, "%s/peers.json.broken", ALICE->folder);
    file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    assert_true(pairing_remove(ALICE->pairing, "nobody", &err) < 0);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(pairing_remove(ALICE->pairing, "bob", &err), 0);
    assert_int_equal(access(path, F_OK), -1);
}

static const struct learned_peer *only_peer(const struct device *device)
{
    assert_int_equal(peers_of(device), 1);
    return &pairing_learned(device->pairing)->peers[0];
}

static void one_that_waits_is_no_peer_where_it_can_not_be_declined(void **state)
{
    static char addresses[] = "{\"tox\": \"AB\"}";

    (void)state;
    introduce("carol", NULL, addresses, false);
    fill_up(ALICE);
    assert_true(pairing_remove(ALICE->pairing, "carol", &err) < 0);
    assert_string_equal(only_peer(ALICE)->introduced_by, "bob");
    assert_string_equal(only_peer(ALICE)->contact.name, "carol");
    assert_string_equal(only_peer(ALICE)->contact.items[0].address, "AB");
    assert_false(ALICE->changed);
}

static void one_that_waits_is_no_peer_where_its_invitation_can_not_be_kept(void **state)
{
    static char addresses[] = "{\"tox\": \"AB\"}";
    const char *text = invite("", 0);

    (void)state;
    introduce_to(BOB, "carol", "al", ALICE->identity.public, addresses, false);
    fill_up(BOB);
    refused(BOB, text, "", "file");
    assert_string_equal(only_peer(BOB)->introduced_by, "carol");
    assert_string_equal(only_peer(BOB)->contact.name, "al");
    assert_string_equal(only_peer(BOB)->contact.items[0].address, "AB");
    assert_null(only_peer(BOB)->invitation);
    assert_false(BOB->changed);
}

static void one_that_waits_is_no_peer_where_it_can_not_be_taken_in(void **state)
{
    static char none[] = "{}";
    const char *text = invite("", 0);

    (void)state;
    has[LAN] = false;
    introduce("bo", BOB->identity.public, none, false);
    fill_up(ALICE);
    join_as(BOB, text, "");
    assert_non_null(strstr(BOB->said, "alice:refused"));
    assert_string_equal(only_peer(ALICE)->introduced_by, "bob");
    assert_int_equal(only_peer(ALICE)->contact.count, 0);
    assert_false(pairing_learned(ALICE->pairing)->invitations[0].used);
}

static void a_join_goes_on_where_its_peer_can_not_be_removed(void **state)
{
    const char *text = invite("", 0);

    (void)state;
    has[TOX] = has[LAN] = false;
    join_as(BOB, text, "");
    fill_up(BOB);
    assert_true(pairing_remove(BOB->pairing, "alice", &err) < 0);
    assert_string_equal(only_peer(BOB)->invitation, text);
    has[TOX] = true;
    pairing_transport_ready(BOB->pairing, TOX);
    BOB->changed = ALICE->changed = true;
    pass(31);
    has_peer(ALICE, "bob", BOB);
    assert_string_equal(BOB->said, "alice:joining alice:joined ");
}

static void an_invitation_that_could_not_be_used_stays_open_to_its_end(void **state)
{
    const char *text = invite("", 0);

    (void)state;
    has[TOX] = false;
    fill_up(ALICE);
    join_as(BOB, text, "");
    assert_non_null(strstr(BOB->said, "alice:refused"));
    unlink(ALICE->folder);
    assert_int_equal(mkdir(ALICE->folder, 0700), 0);
    pass(3600);
    join_as(CAROL, text, "");
    has_peer(ALICE, "carol", CAROL);
}

static void a_removal_that_fails_forgets_nothing(void **state)
{
    (void)state;
    has[LAN] = false;
    join_as(BOB, invite("", 0), "");
    fill_up(ALICE);
    assert_true(pairing_remove(ALICE->pairing, "bob", &err) < 0);
    has_peer(ALICE, "bob", BOB);
    assert_memory_equal(pairing_learned(ALICE->pairing)->invitations[0].used_by,
                        BOB->identity.public, ID_KEY_BYTES);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

/* What the other device may begin */

static const struct inbound nothing = {.kind = INBOUND_NONE}, everything = {.kind = INBOUND_ALL};
static const struct inbound ssh = {.kind = INBOUND_LIST,
                                   .items = {{.protocol = INBOUND_TCP, .first = 22, .last = 22}},
                                   .count = 1};

static void begins(const struct device *device, const char *name, const struct inbound *inbound)
{
    const struct learned_peer *peer = learned_peer_named(pairing_learned(device->pairing), name);

    assert_non_null(peer);
    assert_true(inbound_equal(&peer->inbound, inbound));
}

static void restart(struct device *device)
{
    pairing_free(device->pairing);
    memset(device->known_count, 0, sizeof device->known_count);
    open_pairing(device);
}

static void the_other_begins_what_its_invitation_says(void **state)
{
    const char *text;

    (void)state;
    may = &ssh;
    text = invite("", 0);
    may = &nothing;
    restart(ALICE);
    join_as(BOB, text, "");
    begins(ALICE, "bob", &ssh);
    begins(BOB, "alice", &nothing);
    restart(ALICE);
    restart(BOB);
    begins(ALICE, "bob", &ssh);
    begins(BOB, "alice", &nothing);
    assert_int_equal(pairing_rename(ALICE->pairing, "bob", "robert", &err), 0);
    begins(ALICE, "robert", &ssh);
    may = NULL;
    join_as(CAROL, invite("", 0), "");
    begins(ALICE, "carol", &everything);
    begins(CAROL, "alice", &everything);
}

/* The one that says nothing widens nothing. */
static void another_invitation_changes_only_what_it_says(void **state)
{
    (void)state;
    may = &nothing;
    join_as(BOB, invite("", 0), "");
    may = NULL;
    join_as(BOB, invite("", 0), "");
    begins(ALICE, "bob", &nothing);
    begins(BOB, "alice", &nothing);
    may = &ssh;
    join_as(BOB, invite("", 0), "");
    begins(ALICE, "bob", &ssh);
    begins(BOB, "alice", &ssh);
    may = &everything;
    join_as(BOB, invite("", 0), "");
    begins(ALICE, "bob", &everything);
    begins(BOB, "alice", &everything);
}

static void what_can_not_be_kept_changes_nothing(void **state)
{
    const char *text;

    (void)state;
    has[LAN] = false;
    may = &nothing;
    join_as(BOB, invite("", 0), "");
    may = &everything;
    text = invite("", 0);
    empty(ALICE->folder);
    assert_int_equal(rmdir(ALICE->folder), 0);
    close(open(ALICE->folder, O_CREAT | O_WRONLY, 0600));
    BOB->knows = true;
    join_as(BOB, text, "");
    begins(ALICE, "bob", &nothing);
    assert_true(pairing_remove(ALICE->pairing, "bob", &err) < 0);
    begins(ALICE, "bob", &nothing);
}

static void who_is_accepted_begins_what_is_said_then(void **state)
{
    static char addresses[] = "{\"tox\": \"AB\"}";

    (void)state;
    introduce("carol", NULL, addresses, false);
    assert_int_equal(pairing_accept(ALICE->pairing, "carol", &ssh, &err), 0);
    restart(ALICE);
    has_peer(ALICE, "carol", CAROL);
    begins(ALICE, "carol", &ssh);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(whoever_has_the_invitation_is_a_peer_soon),
        TEST(without_addresses_they_meet_by_the_secret),
        TEST(a_thousand_wrong_secrets_change_nothing_and_are_told_rarely),
        TEST(the_right_one_comes_through_after_the_wrong_ones),
        TEST(an_invitation_is_used_once_and_who_comes_second_is_told),
        TEST(an_invitation_that_is_over_by_the_inviters_clock_is_told),
        TEST(who_is_not_answered_asks_less_and_less_until_the_end),
        TEST(a_lost_answer_is_given_again_to_the_same_device),
        TEST(the_sealed_channel_is_an_answer_too),
        TEST(who_was_removed_does_not_come_back_by_the_same_invitation),
        TEST(who_joins_again_keeps_its_name_and_gets_new_addresses),
        TEST(a_name_that_is_taken_gets_a_number),
        TEST(whom_the_configuration_has_is_not_learned),
        TEST(what_can_not_be_joined_is_told),
        TEST(a_restart_goes_on_where_it_was),
        TEST(what_can_not_be_kept_is_refused),
        TEST(with_a_broken_file_nothing_is_changed),
        TEST(peers_are_renamed_and_removed),
        TEST(who_has_an_invitation_that_was_taken_back_is_told),
        TEST(an_invitation_that_can_not_be_taken_back_stays),
        TEST(what_was_taken_back_gives_way_to_new_invitations),
        TEST(one_that_was_connected_before_stays_a_peer_when_refused),
        TEST(who_is_introduced_is_a_peer_once_it_is_accepted),
        TEST(whom_we_know_is_not_introduced),
        TEST(a_peer_can_not_introduce_without_end),
        TEST(a_peer_can_not_have_devices_accepted_without_end),
        TEST(a_peer_can_not_introduce_in_a_flood),
        TEST(who_was_introduced_may_come_by_an_invitation),
        TEST(the_other_begins_what_its_invitation_says),
        TEST(another_invitation_changes_only_what_it_says),
        TEST(what_can_not_be_kept_changes_nothing),
        TEST(who_is_accepted_begins_what_is_said_then),
        TEST(who_was_removed_and_is_introduced_waits_whatever_it_was_invited_by),
        TEST(nothing_is_kept_of_who_was_removed),
        TEST(the_file_that_was_put_aside_goes_with_who_is_removed),
        TEST(one_that_waits_is_no_peer_where_it_can_not_be_declined),
        TEST(a_removal_that_fails_forgets_nothing),
        TEST(an_invitation_that_could_not_be_used_stays_open_to_its_end),
        TEST(one_that_waits_is_no_peer_where_its_invitation_can_not_be_kept),
        TEST(one_that_waits_is_no_peer_where_it_can_not_be_taken_in),
        TEST(a_join_goes_on_where_its_peer_can_not_be_removed),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
