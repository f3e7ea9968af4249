/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/learned.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "protocol/file.h"
#include "protocol/json.h"
#include "protocol/log.h"

#define PREVIOUS_FILE LEARNED_FILE ".previous"
#define BROKEN_FILE   LEARNED_FILE ".broken"
#define FILE_VERSION  1
/* LEARNED_PEERS_MAX peers with all addresses. */
#define BYTES_MAX (4 * 1024 * 1024)

/* Peers */

struct learned_peer *learned_peer_named(const struct learned *learned, const char *name)
{
    for (size_t i = 0; i < learned->peer_count; i++)
        if (strcmp(learned->peers[i].contact.name, name) == 0)
            return &learned->peers[i];
    return NULL;
}

struct learned_peer *learned_peer_with_key(const struct learned *learned,
                                           const uint8_t key[ID_KEY_BYTES])
{
    for (size_t i = 0; i < learned->peer_count; i++)
        if (memcmp(learned->peers[i].key, key, ID_KEY_BYTES) == 0)
            return &learned->peers[i];
    return NULL;
}

static int check_new(const struct learned *learned, const uint8_t key[ID_KEY_BYTES],
                     const char *name, struct error *err)
{
    const struct learned_peer *same = learned_peer_with_key(learned, key);

    if (same != NULL)
        error_set(err, "duplicate", "this id is peer '%s' already", same->contact.name);
    else if (learned_peer_named(learned, name) != NULL)
        error_set(err, "duplicate", "'%s' is the name of a peer already; another one is right",
                  name);
    else if (learned->peer_count == LEARNED_PEERS_MAX)
        error_set(err, "too-many", "at most %d peers are possible; 'punchguard remove' makes room",
                  LEARNED_PEERS_MAX);
    else
        return 0;
    return -EEXIST;
}

struct learned_peer *learned_peer_add(struct learned *learned, const uint8_t key[ID_KEY_BYTES],
                                      const struct contact *contact, const char *invitation,
                                      struct error *err)
{
    struct learned_peer *peers, *peer;
    char *copy;

    if (check_new(learned, key, contact->name, err) < 0)
        return NULL;
    copy = invitation != NULL ? strdup(invitation) : NULL;
    peers = realloc(learned->peers, (learned->peer_count + 1) * sizeof *peers);
    if (peers != NULL)
        learned->peers = peers;
    if (peers == NULL || (invitation != NULL && copy == NULL)) {
        error_set(err, "no-memory", "out of memory");
        free(copy);
        return NULL;
    }
    peer = &peers[learned->peer_count++];
    memcpy(peer->key, key, ID_KEY_BYTES);
    peer->contact = *contact;
    peer->invitation = copy;
    peer->introduced_by[0] = peer->accepted_from[0] = '\0';
    peer->inbound = (struct inbound){.kind = INBOUND_ALL};
    return peer;
}

void learned_peer_accepted(struct learned_peer *peer)
{
    if (peer->invitation != NULL)
        sodium_memzero(peer->invitation, strlen(peer->invitation));
    free(peer->invitation);
    peer->invitation = NULL;
}

struct learned_peer learned_peer_take(struct learned *learned, size_t index)
{
    struct learned_peer *peer = &learned->peers[index], taken = *peer;

    memmove(peer, peer + 1, (--learned->peer_count - index) * sizeof *peer);
    return taken;
}

void learned_peer_put(struct learned *learned, size_t index, const struct learned_peer *peer)
{
    struct learned_peer *place = &learned->peers[index];

    memmove(place + 1, place, (learned->peer_count++ - index) * sizeof *place);
    *place = *peer;
}

void learned_peer_remove(struct learned *learned, struct learned_peer *peer)
{
    struct learned_peer taken = learned_peer_take(learned, (size_t)(peer - learned->peers));

    learned_peer_accepted(&taken);
}

/* Invitations */

void learned_invitation_remove(struct learned *learned, struct learned_invitation *invitation)
{
    struct learned_invitation *end = &learned->invitations[learned->invitation_count--];

    memmove(invitation, invitation + 1, (size_t)(end - (invitation + 1)) * sizeof *invitation);
    sodium_memzero(end - 1, sizeof *end);
}

void learned_invitations_forget(struct learned *learned, const uint8_t key[ID_KEY_BYTES])
{
    for (size_t i = 0; i < learned->invitation_count; i++)
        if (memcmp(learned->invitations[i].used_by, key, ID_KEY_BYTES) == 0)
            memset(learned->invitations[i].used_by, 0, ID_KEY_BYTES);
}

static struct learned_invitation *oldest_closed(struct learned *learned)
{
    for (size_t i = 0; i < learned->invitation_count; i++)
        if (learned->invitations[i].used || learned->invitations[i].cancelled)
            return &learned->invitations[i];
    return NULL;
}

static void make_room(struct learned *learned, int64_t now)
{
    struct learned_invitation *closed;

    for (size_t i = learned->invitation_count; i-- > 0;)
        if (learned->invitations[i].expires + LEARNED_KEEP_S <= now)
            learned_invitation_remove(learned, &learned->invitations[i]);
    for (size_t i = learned->invitation_count;
         i-- > 0 && learned->invitation_count == LEARNED_INVITATIONS_MAX;)
        if (learned->invitations[i].expires <= now)
            learned_invitation_remove(learned, &learned->invitations[i]);
    closed = oldest_closed(learned);
    if (learned->invitation_count == LEARNED_INVITATIONS_MAX && closed != NULL)
        learned_invitation_remove(learned, closed);
}

struct learned_invitation *learned_invitation_add(struct learned *learned, const char *name,
                                                  int64_t expires, int64_t now, struct error *err)
{
    struct learned_invitation *invitation;

    make_room(learned, now);
    if (learned->invitation_count == LEARNED_INVITATIONS_MAX) {
        error_set(err, "too-many",
                  "%d invitations are open, more are not possible; 'punchguard invite --cancel' "
                  "takes one back",
                  LEARNED_INVITATIONS_MAX);
        return NULL;
    }
    invitation = &learned->invitations[learned->invitation_count++];
    memset(invitation, 0, sizeof *invitation);
    snprintf(invitation->name, sizeof invitation->name, "%s", name);
    randombytes_buf(invitation->secret, sizeof invitation->secret);
    invitation->expires = expires;
    return invitation;
}

void learned_clear(struct learned *learned)
{
    while (learned->peer_count > 0)
        learned_peer_remove(learned, &learned->peers[learned->peer_count - 1]);
    free(learned->peers);
    sodium_memzero(learned, sizeof *learned);
}

/* Reading */

static int read_name(const struct json_at *object, const char *key, char name[PEER_NAME_MAX + 1],
                     struct error *err)
{
    struct json_at at;
    struct error why;
    const char *text;

    if (json_require(object, key, &at, err) < 0 || json_as_string(&at, &text, err) < 0)
        return -EINVAL;
    if (peer_name_check(text, &why) < 0)
        return json_fail(&at, err, why.code, "%s", why.message);
    strcpy(name, text);
    return 0;
}

static int read_id(const struct json_at *at, uint8_t key[ID_KEY_BYTES], struct error *err)
{
    struct error why;
    const char *text;

    if (json_as_string(at, &text, err) < 0)
        return -EINVAL;
    if (id_decode(text, key, &why) < 0)
        return json_fail(at, err, why.code, "%s", why.message);
    return 0;
}

static int read_addresses(const struct json_at *peer, struct contact *contact, struct error *err)
{
    struct json_at at;

    if (json_require(peer, "addresses", &at, err) < 0)
        return -EINVAL;
    return contact_read_addresses(contact, &at, err);
}

static int read_invitation_text(const struct json_at *peer, const char **text, struct error *err)
{
    struct invitation invitation;
    struct error why;
    struct json_at at;

    *text = NULL;
    if (!json_member(peer, "invitation", &at))
        return 0;
    if (json_as_string(&at, text, err) < 0)
        return -EINVAL;
    if (invitation_decode(*text, &invitation, &why) < 0)
        return json_fail(&at, err, why.code, "%s", why.message);
    sodium_memzero(&invitation, sizeof invitation);
    return 0;
}

static int read_peer(struct learned *learned, const struct json_at *at, struct error *err)
{
    static const char *const known[] = {
        "name", "id", "addresses", "invitation", "introduced_by", "accepted_from", "inbound", NULL};
    struct contact contact = {.count = 0};
    struct inbound inbound = {.kind = INBOUND_ALL};
    char by[PEER_NAME_MAX + 1] = "", from[PEER_NAME_MAX + 1] = "";
    struct learned_peer *peer;
    uint8_t key[ID_KEY_BYTES];
    struct json_at id;
    struct error why;
    const char *text;

    if (json_as_object(at, known, err) < 0 || read_name(at, "name", contact.name, err) < 0 ||
        json_require(at, "id", &id, err) < 0 || read_id(&id, key, err) < 0 ||
        read_addresses(at, &contact, err) < 0 || read_invitation_text(at, &text, err) < 0)
        return -EINVAL;
    if (json_member(at, "introduced_by", &id) && read_name(at, "introduced_by", by, err) < 0)
        return -EINVAL;
    if (json_member(at, "accepted_from", &id) && read_name(at, "accepted_from", from, err) < 0)
        return -EINVAL;
    if (json_member(at, "inbound", &id) && inbound_read(&inbound, &id, err) < 0)
        return -EINVAL;
    peer = learned_peer_add(learned, key, &contact, text, &why);
    if (peer == NULL)
        return json_fail(at, err, why.code, "%s", why.message);
    strcpy(peer->introduced_by, by);
    strcpy(peer->accepted_from, from);
    peer->inbound = inbound;
    return 0;
}

static int read_secret(const struct json_at *invitation, uint8_t secret[INVITATION_SECRET_BYTES],
                       struct error *err)
{
    struct json_at at;
    const char *text;
    size_t length;

    if (json_require(invitation, "secret", &at, err) < 0 || json_as_string(&at, &text, err) < 0)
        return -EINVAL;
    if (sodium_hex2bin(secret, INVITATION_SECRET_BYTES, text, strlen(text), NULL, &length, NULL) !=
            0 ||
        length != INVITATION_SECRET_BYTES || strlen(text) != 2 * length)
        return json_fail(&at, err, "bad-secret", "%d hex digits are right",
                         2 * INVITATION_SECRET_BYTES);
    return 0;
}

static int read_invitation(struct learned *learned, const struct json_at *at, struct error *err)
{
    static const char *const known[] = {"name", "secret",  "expires", "cancelled",
                                        "used", "used_by", "inbound", NULL};
    struct learned_invitation *own = &learned->invitations[learned->invitation_count];
    struct json_at member;

    memset(own, 0, sizeof *own);
    if (json_as_object(at, known, err) < 0 || read_secret(at, own->secret, err) < 0 ||
        json_require(at, "expires", &member, err) < 0 ||
        json_as_integer(&member, 0, UINT32_MAX, &own->expires, err) < 0)
        return -EINVAL;
    if (json_member(at, "name", &member) && read_name(at, "name", own->name, err) < 0)
        return -EINVAL;
    if (json_member(at, "cancelled", &member) && json_as_boolean(&member, &own->cancelled, err) < 0)
        return -EINVAL;
    if (json_member(at, "used", &member) && json_as_boolean(&member, &own->used, err) < 0)
        return -EINVAL;
    if (json_member(at, "used_by", &member)) {
        own->used = true;
        if (read_id(&member, own->used_by, err) < 0)
            return -EINVAL;
    }
    own->says_inbound = json_member(at, "inbound", &member);
    if (own->says_inbound && inbound_read(&own->inbound, &member, err) < 0)
        return -EINVAL;
    learned->invitation_count++;
    return 0;
}

typedef int read_item(struct learned *learned, const struct json_at *at, struct error *err);

static int read_list(struct learned *learned, const struct json_at *root, const char *key,
                     size_t max, read_item *read_one, struct error *err)
{
    struct json_at at;
    size_t count;

    if (json_require(root, key, &at, err) < 0 || json_as_array(&at, max, &count, err) < 0)
        return -EINVAL;
    for (size_t i = 0; i < count; i++) {
        struct json_at item = json_item(&at, i);

        if (read_one(learned, &item, err) < 0)
            return -EINVAL;
    }
    return 0;
}

static int read_root(struct learned *learned, const struct json_at *root, struct error *err)
{
    static const char *const known[] = {"version", "peers", "invitations", NULL};
    struct json_at at;
    int64_t version;

    if (json_as_object(root, known, err) < 0 || json_require(root, "version", &at, err) < 0 ||
        json_as_integer(&at, FILE_VERSION, FILE_VERSION, &version, err) < 0)
        return -EINVAL;
    if (read_list(learned, root, "peers", LEARNED_PEERS_MAX, read_peer, err) < 0)
        return -EINVAL;
    return read_list(learned, root, "invitations", LEARNED_INVITATIONS_MAX, read_invitation, err);
}

static int read_file(struct learned *learned, int folder, const char *name, struct error *err)
{
    struct json *document;
    struct json_at root;
    size_t length;
    void *text;
    int rc = file_read(folder, name, BYTES_MAX, &text, &length, err);

    memset(learned, 0, sizeof *learned);
    if (rc < 0)
        return rc;
    document = json_parse(text, length, err);
    sodium_memzero(text, length);
    free(text);
    rc = -EINVAL;
    if (document != NULL) {
        root = json_root(document);
        rc = read_root(learned, &root, err);
    }
    json_destroy(document);
    if (rc < 0) {
        learned_clear(learned);
        error_prefix(err, "%s: ", name);
    }
    return rc;
}

/* For when the file is torn. Never an older state, which would bring back who was removed: rather
 * none. */
static void copy_write(int folder, const void *text, size_t length)
{
    struct error err;

    if (file_write(folder, PREVIOUS_FILE, text, length, &err) == 0)
        return;
    log_warn("%s", err.message);
    if (unlinkat(folder, PREVIOUS_FILE, 0) < 0 && errno != ENOENT)
        log_warn("cannot remove the old " PREVIOUS_FILE ": %s", strerror(errno));
}

/* A broker that ended between the two writes left an older one. */
static void copy_renew(int folder)
{
    size_t length, copy_length = 0;
    void *text, *copy = NULL;

    if (file_read(folder, LEARNED_FILE, BYTES_MAX, &text, &length, NULL) < 0)
        return;
    if (file_read(folder, PREVIOUS_FILE, BYTES_MAX, &copy, &copy_length, NULL) < 0 ||
        copy_length != length || memcmp(copy, text, length) != 0)
        copy_write(folder, text, length);
    sodium_memzero(text, length);
    free(text);
    if (copy != NULL)
        sodium_memzero(copy, copy_length);
    free(copy);
}

/* The file is not to be had, for the reason in `err`. */
static int recover(struct learned *learned, int folder, bool missing, struct error *err)
{
    struct error why;
    int rc = read_file(learned, folder, PREVIOUS_FILE, &why);

    if (rc == -ENOENT && missing)
        return 0;
    if (rc < 0) {
        struct error first = *err;

        error_set(err, "bad-peers",
                  "%.220s, and its copy can't be used either (%.150s): nobody can join or "
                  "be removed, and who joined before is no peer, until the file is mended or "
                  "removed",
                  first.message, why.message);
        return rc;
    }
    if (missing) {
        log_warn(LEARNED_FILE " is gone: its copy is used");
        return 0;
    }
    log_warn("%s: its copy is used, and what was there is kept as " BROKEN_FILE, err->message);
    if (renameat(folder, LEARNED_FILE, folder, BROKEN_FILE) < 0)
        log_warn("cannot keep the broken " LEARNED_FILE ": %s", strerror(errno));
    return 0;
}

int learned_read(struct learned *learned, const char *state_dir, struct error *err)
{
    int folder = folder_open(state_dir, 0700, err), rc;

    memset(learned, 0, sizeof *learned);
    if (folder < 0)
        return folder;
    rc = read_file(learned, folder, LEARNED_FILE, err);
    if (rc == 0)
        copy_renew(folder);
    if (rc == -ENOENT || rc == -EINVAL || rc == -EFBIG)
        rc = recover(learned, folder, rc == -ENOENT, err);
    if (rc < 0)
        error_prefix(err, "%.200s: ", state_dir);
    close(folder);
    return rc;
}

void learned_forget_broken(const char *state_dir)
{
    int folder = folder_open(state_dir, 0700, NULL);

    if (folder < 0)
        return;
    if (unlinkat(folder, BROKEN_FILE, 0) < 0 && errno != ENOENT)
        log_warn("cannot remove " BROKEN_FILE ", which may tell of a removed peer: %s",
                 strerror(errno));
    close(folder);
}

/* Writing */

static void write_text(FILE *out, const char *key, const char *text)
{
    char *quoted = json_quote(text);

    fprintf(out, "\"%s\": %s", key, quoted != NULL ? quoted : "null");
    free(quoted);
}

/* As inbound_read() takes it. */
static void write_inbound(FILE *out, const struct inbound *inbound)
{
    char text[INBOUND_TEXT_SIZE];
    bool list = inbound->kind == INBOUND_LIST;

    fputs(list ? "\"inbound\": [\"" : "\"inbound\": \"", out);
    for (const char *at = inbound_format(inbound, text); *at != '\0'; at++) {
        if (*at == ',')
            fputs("\", \"", out);
        else
            fputc(*at, out);
    }
    fputs(list ? "\"]" : "\"", out);
}

static void write_peer(FILE *out, const struct learned_peer *peer, const char *separator)
{
    char id[ID_TEXT_LENGTH + 1], *addresses = contact_addresses_text(&peer->contact);

    id_encode(peer->key, id);
    fprintf(out, "%s\n    {", separator);
    write_text(out, "name", peer->contact.name);
    fprintf(out, ",\n     \"id\": \"%s\",\n     \"addresses\": %s", id,
            addresses != NULL ? addresses : "null");
    free(addresses);
    if (peer->invitation != NULL) {
        fputs(",\n     ", out);
        write_text(out, "invitation", peer->invitation);
    }
    if (peer->introduced_by[0] != '\0') {
        fputs(",\n     ", out);
        write_text(out, "introduced_by", peer->introduced_by);
    }
    if (peer->accepted_from[0] != '\0') {
        fputs(",\n     ", out);
        write_text(out, "accepted_from", peer->accepted_from);
    }
    if (peer->inbound.kind != INBOUND_ALL) {
        fputs(",\n     ", out);
        write_inbound(out, &peer->inbound);
    }
    fputc('}', out);
}

static void write_invitation(FILE *out, const struct learned_invitation *invitation,
                             const char *separator)
{
    char secret[2 * INVITATION_SECRET_BYTES + 1], id[ID_TEXT_LENGTH + 1];

    sodium_bin2hex(secret, sizeof secret, invitation->secret, sizeof invitation->secret);
    fprintf(out, "%s\n    {\"secret\": \"%s\", \"expires\": %lld", separator, secret,
            (long long)invitation->expires);
    sodium_memzero(secret, sizeof secret);
    if (invitation->name[0] != '\0') {
        fputs(", ", out);
        write_text(out, "name", invitation->name);
    }
    if (invitation->cancelled)
        fputs(", \"cancelled\": true", out);
    if (invitation->used && sodium_is_zero(invitation->used_by, ID_KEY_BYTES)) {
        fputs(", \"used\": true", out);
    } else if (invitation->used) {
        id_encode(invitation->used_by, id);
        fprintf(out, ", \"used_by\": \"%s\"", id);
    }
    if (invitation->says_inbound) {
        fputs(", ", out);
        write_inbound(out, &invitation->inbound);
    }
    fputc('}', out);
}

static char *text_make(const struct learned *learned, size_t *length)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, length);

    if (out == NULL)
        return NULL;
    fprintf(out, "{\"version\": %d,\n \"peers\": [", FILE_VERSION);
    for (size_t i = 0; i < learned->peer_count; i++)
        write_peer(out, &learned->peers[i], i > 0 ? "," : "");
    fputs("],\n \"invitations\": [", out);
    for (size_t i = 0; i < learned->invitation_count; i++)
        write_invitation(out, &learned->invitations[i], i > 0 ? "," : "");
    fputs("]}\n", out);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

int learned_write(const struct learned *learned, const char *state_dir, struct error *err)
{
    size_t length;
    char *text = text_make(learned, &length);
    int folder, rc;

    if (text == NULL) {
        error_set(err, "no-memory", "out of memory");
        return -ENOMEM;
    }
    folder = rc = folder_open(state_dir, 0700, err);
    if (folder >= 0) {
        rc = file_write(folder, LEARNED_FILE, text, length, err);
        if (rc == 0)
            copy_write(folder, text, length);
        close(folder);
    }
    sodium_memzero(text, length);
    free(text);
    return rc;
}
