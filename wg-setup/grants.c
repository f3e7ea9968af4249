/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wg-setup/grants.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/file.h"
#include "protocol/json.h"

#define CONFIG_MAX (1024 * 1024)

struct grants {
    char *state_dir;
    struct grant *items;
    size_t count;
};

void grants_destroy(struct grants *grants)
{
    if (grants == NULL)
        return;
    for (size_t i = 0; i < grants->count; i++)
        grant_clear(&grants->items[i]);
    free(grants->items);
    free(grants->state_dir);
    free(grants);
}

const char *grants_state_dir(const struct grants *grants)
{
    return grants->state_dir;
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

static int read_all(struct grants *grants, const struct json_at *at, struct interface *interface,
                    struct error *err)
{
    const char *state_dir = "/var/lib/punchguard";
    struct json_at member;

    if (json_as_object(at, NULL, err) < 0)
        return -EINVAL;
    if (json_member(at, "state_dir", &member) && json_as_string(&member, &state_dir, err) < 0)
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
    struct prefix network;
    bool ipv6 = address->family == AF_INET6;

    if (prefix_parse(&network, ipv6 ? "fd50:4755:4152:4400::/64" : "100.64.0.0/10", false, NULL) <
        0)
        return false;
    return prefix_contains(&network, address) && address->length == (ipv6 ? 128 : 32);
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

bool grants_still(const void *data, const char *peer, const struct prefix *prefix)
{
    const struct grants_change *change = data;
    const struct grant *before = grant_find(change->before, peer);
    const struct grant *after = grant_find(change->after, peer);

    if (prefix != NULL)
        return after != NULL && grant_allows(after, prefix);
    return before != NULL && after != NULL &&
           memcmp(before->key, after->key, sizeof after->key) == 0;
}

int grants_check(const struct grants *grants, const struct message_peer_set *m, struct error *err)
{
    const struct grant *grant = grant_find(grants, m->peer);
    uint8_t key[ID_KEY_BYTES];
    struct prefix prefix;

    if (grant == NULL) {
        error_set(err, "not-granted", "peer-set: there is no peer '%s' in the configuration",
                  m->peer);
        return -EPERM;
    }
    if (m->id == NULL) {
        error_set(err, "missing-field",
                  "peer-set: 'id' is missing: with a configuration peer '%s' must name the one it "
                  "has there",
                  m->peer);
        return -EINVAL;
    }
    if (id_decode(m->id, key, err) < 0)
        return -EINVAL;
    if (memcmp(key, grant->key, sizeof key) != 0) {
        error_set(err, "not-granted", "peer-set: peer '%s' has another id in the configuration",
                  m->peer);
        return -EPERM;
    }
    for (size_t i = 0; i < m->allowed_ips.count; i++) {
        if (prefix_parse(&prefix, m->allowed_ips.items[i], false, err) < 0)
            return -EINVAL;
        if (!grant_allows(grant, &prefix)) {
            error_set(err, "not-granted",
                      "peer-set: the configuration does not grant %s to peer '%s'",
                      m->allowed_ips.items[i], m->peer);
            return -EPERM;
        }
    }
    return 0;
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
    return false;
}
