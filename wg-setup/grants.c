/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wg-setup/grants.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "protocol/file.h"
#include "protocol/json.h"
#include "wg-setup/learned.h"

#define CONFIG_MAX (1024 * 1024)

struct grants {
    char *name, *state_dir;
    bool names;
    struct grant *items;
    size_t count;
    struct learned *learned; /* NULL before grants_read_learned() */
};

void grants_destroy(struct grants *grants)
{
    if (grants == NULL)
        return;
    for (size_t i = 0; i < grants->count; i++)
        grant_clear(&grants->items[i]);
    free(grants->items);
    learned_destroy(grants->learned);
    free(grants->state_dir);
    free(grants->name);
    free(grants);
}

const char *grants_name(const struct grants *grants)
{
    return grants->name;
}

bool grants_want_names(const struct grants *grants)
{
    return grants->names;
}

const struct grant *grants_at(const struct grants *grants, size_t index)
{
    return index < grants->count ? &grants->items[index] : NULL;
}

const char *grants_state_dir(const struct grants *grants)
{
    return grants->state_dir;
}

int grants_read_learned(struct grants *grants, struct error *err)
{
    grants->learned = learned_read(grants->state_dir);
    if (grants->learned != NULL)
        return 0;
    error_set(err, "no-memory", "out of memory");
    return -ENOMEM;
}

void grants_learn(struct grants *grants)
{
    if (grants->learned != NULL)
        learned_parse(grants->learned);
}

void grants_keep_learned(struct grants *grants, struct grants *before)
{
    grants->learned = before->learned;
    before->learned = NULL;
}

static int read_peers(struct grants *grants, const struct json_at *at, struct error *err)
{
    size_t count;

    if (json_as_array(at, 1024, &count, err) < 0)
        return -EINVAL;
    grants->items = calloc(count + 1, sizeof *grants->items);
    if (grants->items == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        struct json_at item = json_item(at, i);

        if (grant_read(&grants->items[i], &item, err) < 0)
            return -EINVAL;
        grants->count++;
    }
    return 0;
}

/* Without one the host's, of which a domain is no part. */
static int read_name(struct grants *grants, const struct json_at *root, struct error *err)
{
    char host[PEER_NAME_MAX + 1] = "";
    const char *name = host;
    struct json_at member;

    if (json_member(root, "name", &member) && json_as_string(&member, &name, err) < 0)
        return -EINVAL;
    if (name == host && gethostname(host, sizeof host - 1) == 0)
        host[strcspn(host, ".")] = '\0';
    grants->name = strdup(name);
    return grants->name != NULL ? 0 : -ENOMEM;
}

static int read_all(struct grants *grants, const struct json_at *at, struct interface *interface,
                    struct error *err)
{
    const char *state_dir = "/var/lib/punchguard";
    struct json_at member;

    if (json_as_object(at, NULL, err) < 0)
        return -EINVAL;
    if (json_member(at, "state_dir", &member) && json_as_string(&member, &state_dir, err) < 0)
        return -EINVAL;
    grants->names = true;
    if (json_member(at, "names", &member) && json_as_boolean(&member, &grants->names, err) < 0)
        return -EINVAL;
    if (read_name(grants, at, err) < 0)
        return -EINVAL;
    grants->state_dir = strdup(state_dir);
    if (grants->state_dir == NULL)
        return -ENOMEM;
    if (json_member(at, "interface", &member) && interface_read(interface, &member, err) < 0)
        return -EINVAL;
    return json_member(at, "peers", &member) ? read_peers(grants, &member, err) : 0;
}

struct grants *grants_load(const char *path, struct interface *interface, struct error *err)
{
    struct grants *grants = calloc(1, sizeof *grants);
    struct json *document = NULL;
    struct json_at root;
    void *text = NULL;
    size_t length;
    int rc = grants ? file_read(AT_FDCWD, path, CONFIG_MAX, &text, &length, err) : -ENOMEM;

    if (rc == 0)
        document = json_parse(text, length, err);
    if (document != NULL) {
        root = json_root(document);
        rc = read_all(grants, &root, interface, err);
    }
    if (rc < 0 || document == NULL) {
        error_prefix(err, "%s: ", path);
        grants_destroy(grants);
        grants = NULL;
    }
    json_destroy(document);
    free(text);
    return grants;
}

static bool can_be_overlay(const struct prefix *address)
{
    return id_is_overlay(address) && address->length == (address->family == AF_INET6 ? 128 : 32);
}

int grants_complete_interface(const struct grants *grants, struct interface *interface,
                              const struct interface *told, struct error *err)
{
    (void)grants;
    if (interface->address_count > 0)
        return 0;
    for (size_t i = 0; i < told->address_count; i++) {
        if (!can_be_overlay(&told->addresses[i])) {
            error_set(err, "not-granted",
                      "configure: interface.addresses[%zu] is no overlay address of an id, and the "
                      "configuration names none",
                      i);
            return -EPERM;
        }
    }
    memcpy(interface->addresses, told->addresses, sizeof interface->addresses);
    interface->address_count = told->address_count;
    return 0;
}

static const struct grant *grant_find(const struct grants *grants, const char *peer)
{
    for (size_t i = 0; i < grants->count; i++)
        if (strcmp(grants->items[i].peer, peer) == 0)
            return &grants->items[i];
    return NULL;
}

static const struct grant *grant_with_key(const struct grants *grants, const uint8_t *key)
{
    for (size_t i = 0; i < grants->count; i++)
        if (memcmp(grants->items[i].key, key, sizeof grants->items[i].key) == 0)
            return &grants->items[i];
    return NULL;
}

/* Whether a peer that the configuration does not name may have it, if its id gives it. */
static bool is_unreserved(const struct grants *grants, const struct prefix *prefix)
{
    if (!can_be_overlay(prefix))
        return false;
    for (size_t i = 0; i < grants->count; i++)
        if (grant_reserves(&grants->items[i], prefix))
            return false;
    return true;
}

bool grants_have(const struct grants *grants, const char *peer)
{
    return grant_find(grants, peer) != NULL;
}

bool grants_still(const void *data, const char *peer, const struct prefix *prefix)
{
    const struct grants_change *change = data;
    const struct grant *before = grant_find(change->before, peer);
    const struct grant *after = grant_find(change->after, peer);

    if (prefix != NULL)
        return after != NULL ? grant_allows(after, prefix) : is_unreserved(change->after, prefix);
    if (before == NULL && after == NULL)
        return true;
    return before != NULL && after != NULL &&
           memcmp(before->key, after->key, sizeof after->key) == 0;
}

static int fail_prefix(const struct message_peer_set *m, const char *prefix, struct error *err)
{
    error_set(err, "not-granted", "peer-set: the configuration does not grant %s to peer '%s'",
              prefix, m->peer);
    return -EPERM;
}

/* One that was learned: what follows from its id, of what the configuration gives nobody. */
static int check_learned(const struct grants *grants, const struct message_peer_set *m,
                         const uint8_t key[ID_KEY_BYTES], struct error *err)
{
    const struct grant *other = grant_with_key(grants, key);
    struct prefix prefix, ipv6, ipv4;

    if (other != NULL) {
        error_set(err, "not-granted",
                  "peer-set: the id of peer '%s' is '%s' in the configuration", m->peer,
                  other->peer);
        return -EPERM;
    }
    id_overlay(key, &ipv6, &ipv4);
    for (size_t i = 0; i < m->allowed_ips.count; i++) {
        if (prefix_parse(&prefix, m->allowed_ips.items[i], false, err) < 0)
            return -EINVAL;
        if ((!prefix_equal(&prefix, &ipv6) && !prefix_equal(&prefix, &ipv4)) ||
            !is_unreserved(grants, &prefix))
            return fail_prefix(m, m->allowed_ips.items[i], err);
    }
    return 0;
}

/* The length of the longest prefix granted that has all of this one, -1 where none has. */
static int covering_length(const struct grant *grant, const struct prefix *prefix)
{
    int longest = -1;

    for (size_t i = 0; i < grant->allowed_count; i++)
        if (prefix_contains(&grant->allowed[i], prefix) && grant->allowed[i].length > longest)
            longest = grant->allowed[i].length;
    return longest < 0 && grant_allows(grant, prefix) ? prefix->length : longest;
}

/* Who may have the prefix and no peer of the configuration has it, or a wider one (`best`). */
static const struct grant *learned_or(const struct grants *grants, const struct grant *best,
                                      const struct prefix *prefix)
{
    const struct grant *learned = grants->learned ? learned_of(grants->learned, prefix) : NULL;

    if (learned != NULL)
        return learned;
    return best == NULL && grants->learned != NULL ? learned_nobody() : best;
}

const struct grant *grants_of(const void *data, const char *peer, const struct prefix *prefix)
{
    const struct grants *grants = data;
    const struct grant *best = NULL;
    int longest = -1;

    if (grants == NULL || peer[0] != '\0')
        return grants ? grant_find(grants, peer) : NULL;
    for (size_t i = 0; i < grants->count; i++) {
        int length = covering_length(&grants->items[i], prefix);

        if (length > longest) {
            best = &grants->items[i];
            longest = length;
        }
    }
    return longest < prefix->length ? learned_or(grants, best, prefix) : best;
}

int grants_check(const struct grants *grants, const struct message_peer_set *m, struct error *err)
{
    const struct grant *grant = grant_find(grants, m->peer);
    uint8_t key[ID_KEY_BYTES];
    struct prefix prefix;

    if (m->id == NULL) {
        error_set(err, "missing-field",
                  "peer-set: 'id' is missing: with a configuration peer '%s' must name its own",
                  m->peer);
        return -EINVAL;
    }
    if (id_decode(m->id, key, err) < 0)
        return -EINVAL;
    if (grant == NULL)
        return check_learned(grants, m, key, err);
    if (memcmp(key, grant->key, sizeof key) != 0) {
        error_set(err, "not-granted", "peer-set: peer '%s' has another id in the configuration",
                  m->peer);
        return -EPERM;
    }
    for (size_t i = 0; i < m->allowed_ips.count; i++) {
        if (prefix_parse(&prefix, m->allowed_ips.items[i], false, err) < 0)
            return -EINVAL;
        if (!grant_allows(grant, &prefix))
            return fail_prefix(m, m->allowed_ips.items[i], err);
    }
    return 0;
}

static bool all_unreserved(const struct grants *grants, const struct prefix *allowed, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!is_unreserved(grants, &allowed[i]))
            return false;
    return count <= 2;
}

static bool allows_all(const struct grant *grant, const struct prefix *allowed, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!grant_allows(grant, &allowed[i]))
            return false;
    return true;
}

bool grants_cover(const void *data, const struct prefix *allowed, size_t count)
{
    const struct grants *grants = data;

    for (size_t i = 0; i < grants->count; i++)
        if (allows_all(&grants->items[i], allowed, count))
            return true;
    return all_unreserved(grants, allowed, count);
}
