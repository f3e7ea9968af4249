/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wg-setup/tunnel.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "protocol/log.h"
#include "wg-setup/address.h"
#include "wg-setup/redirect.h"

struct peer {
    char name[65];
    struct device_peer device; /* `allowed` is owned */
    struct endpoint ports[TUNNEL_PORTS_MAX];
    size_t port_count;
    struct redirect_pair pairs[TUNNEL_PORTS_MAX];
    size_t pair_count;
    bool has_path;
};

struct tunnel {
    struct interface interface;
    struct key key;
    const struct device_ops *ops;
    struct redirect *redirect;
    uint16_t listen_port;
    int watch;
    struct peer *peers[TUNNEL_PEERS_MAX];
    size_t peer_count;
};

static const char *name_of(const struct tunnel *t)
{
    return t->interface.name;
}

/* The interface */

/* 1 when one that is ours stands there already. */
static int create(struct tunnel *t, const struct device_ops *ops, struct error *err)
{
    struct device_about about;
    int rc = ops->create(name_of(t), err);

    if (rc != 1)
        return rc;
    rc = ops->read(name_of(t), &about, NULL, NULL, err);
    if (rc < 0)
        return rc;
    if (memcmp(about.public_key, t->key.public, KEY_BYTES) == 0)
        return 1;
    error_set(err, "interface-taken",
              "interface %s is a WireGuard interface with another key, so not ours; it is left alone: "
              "another interface.name is right",
              name_of(t));
    return -EEXIST;
}

static int create_any(struct tunnel *t, struct error *err)
{
    int rc = -EOPNOTSUPP;

    if (t->interface.backend != BACKEND_USERSPACE) {
        t->ops = &device_kernel;
        rc = create(t, t->ops, err);
        if (rc != -EOPNOTSUPP || t->interface.backend == BACKEND_KERNEL)
            return rc;
        log_warn("this kernel has no WireGuard (module 'wireguard'): falling back to userspace, "
                 "which is slower");
    }
    t->ops = &device_userspace;
    return create(t, t->ops, err);
}

static int bring_up(struct tunnel *t, bool adopted, struct error *err)
{
    struct device_about about;
    int rc = 0;

    if (!adopted)
        rc = t->ops->set(name_of(t), t->key.secret, t->listen_port, err);
    for (size_t i = 0; rc == 0 && i < t->interface.address_count; i++)
        rc = address_add(name_of(t), &t->interface.addresses[i], err);
    if (rc == 0)
        rc = address_link_up(name_of(t), t->interface.mtu, err);
    if (rc == 0)
        rc = t->ops->read(name_of(t), &about, NULL, NULL, err);
    if (rc < 0)
        return rc;
    if (about.listen_port == 0) {
        error_set(err, "no-port", "interface %s: WireGuard opened no port; is %u taken?",
                  name_of(t), (unsigned)t->listen_port);
        return -EADDRINUSE;
    }
    t->listen_port = about.listen_port;
    t->watch = t->ops->watch(name_of(t));
    return 0;
}

struct tunnel *tunnel_open(const struct interface *interface, const struct key *key,
                           struct error *err)
{
    struct tunnel *t = calloc(1, sizeof *t);
    struct error ignored;
    int rc;

    if (t == NULL) {
        error_set(err, "no-memory", "out of memory");
        return NULL;
    }
    t->interface = *interface;
    t->key = *key;
    t->watch = -1;
    t->listen_port = (uint16_t)interface->listen_port;
    t->redirect = redirect_new(interface->name);
    rc = t->redirect ? create_any(t, err) : -ENOMEM;
    if (rc < 0) {
        tunnel_destroy(t);
        return NULL;
    }
    if (bring_up(t, rc == 1, err) < 0) {
        if (rc == 0)
            t->ops->destroy(name_of(t), &ignored);
        tunnel_destroy(t);
        return NULL;
    }
    log_info("interface %s: %s, %s WireGuard, port %u", name_of(t), rc == 1 ? "adopted" : "made",
             t->ops->name, (unsigned)t->listen_port);
    return t;
}

static void peer_free(struct peer *peer)
{
    free((void *)(uintptr_t)peer->device.allowed);
    sodium_memzero(peer, sizeof *peer);
    free(peer);
}

void tunnel_destroy(struct tunnel *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->peer_count; i++)
        peer_free(t->peers[i]);
    if (t->watch >= 0)
        close(t->watch);
    redirect_destroy(t->redirect);
    key_wipe(&t->key);
    free(t);
}

void tunnel_undo(struct tunnel *t)
{
    struct error err;

    if (t->watch >= 0)
        close(t->watch);
    t->watch = -1;
    /* Addresses and routes go with the interface. */
    if (t->ops->destroy(name_of(t), &err) < 0)
        log_error("%s", err.message);
    if (redirect_remove(t->redirect, &err) < 0)
        log_error("%s", err.message);
}

const char *tunnel_backend(const struct tunnel *t)
{
    return t->ops->name;
}

uint16_t tunnel_listen_port(const struct tunnel *t)
{
    return t->listen_port;
}

int tunnel_watch(const struct tunnel *t)
{
    return t->watch;
}

/* The table */

static int apply(struct tunnel *t, struct error *err)
{
    size_t max = t->peer_count * TUNNEL_PORTS_MAX + 1;
    uint16_t *ports = calloc(max, sizeof *ports);
    struct redirect_pair *pairs = calloc(max, sizeof *pairs);
    struct redirect_rules rules = {.interface = name_of(t),
                                   .listen_port = t->listen_port,
                                   .ports = ports,
                                   .pairs = pairs};
    int rc = -ENOMEM;

    for (size_t i = 0; ports != NULL && pairs != NULL && i < t->peer_count; i++) {
        const struct peer *peer = t->peers[i];

        for (size_t k = 0; k < peer->port_count; k++)
            ports[rules.port_count++] = peer->ports[k].port;
        for (size_t k = 0; k < peer->pair_count; k++)
            pairs[rules.pair_count++] = peer->pairs[k];
    }
    if (ports != NULL && pairs != NULL)
        rc = redirect_apply(t->redirect, &rules, err);
    else
        error_set(err, "no-memory", "out of memory");
    free(ports);
    free(pairs);
    return rc;
}

int tunnel_redirect_check(struct tunnel *t, struct error *err)
{
    int rc;

    if (redirect_stands(t->redirect))
        return 0;
    rc = apply(t, err);
    return rc < 0 ? rc : 1;
}

/* Peers */

static struct peer *peer_named(struct tunnel *t, const char *name)
{
    for (size_t i = 0; i < t->peer_count; i++)
        if (strcmp(t->peers[i]->name, name) == 0)
            return t->peers[i];
    return NULL;
}

static struct peer *peer_wanted(struct tunnel *t, const char *name, struct error *err)
{
    struct peer *peer = peer_named(t, name);

    if (peer == NULL)
        error_set(err, "unknown-peer", "there is no peer '%s'; peer-set it first", name);
    return peer;
}

static struct prefix *read_allowed(const struct strings *texts, struct error *err)
{
    struct prefix *allowed = calloc(texts->count + 1, sizeof *allowed);

    if (allowed == NULL) {
        error_set(err, "no-memory", "out of memory");
        return NULL;
    }
    for (size_t i = 0; i < texts->count; i++) {
        if (prefix_parse(&allowed[i], texts->items[i], false, err) < 0) {
            error_prefix(err, "peer-set: allowed_ips[%zu]: ", i);
            free(allowed);
            return NULL;
        }
    }
    return allowed;
}

static bool routed(const struct device_peer *peer, const struct prefix *prefix)
{
    for (size_t i = 0; i < peer->allowed_count; i++)
        if (prefix_equal(&peer->allowed[i], prefix))
            return true;
    return false;
}

/* Whether a network of ours has it already: then the kernel's own route leads there. */
static bool on_link(const struct tunnel *t, const struct prefix *prefix)
{
    for (size_t i = 0; i < t->interface.address_count; i++)
        if (prefix_contains(&t->interface.addresses[i], prefix))
            return true;
    return false;
}

static int change_routes(struct tunnel *t, const struct device_peer *old,
                         const struct device_peer *new, struct error *err)
{
    for (size_t i = 0; i < old->allowed_count; i++)
        if (!routed(new, &old->allowed[i]))
            address_route(name_of(t), &old->allowed[i], false, NULL);
    for (size_t i = 0; i < new->allowed_count; i++) {
        int rc = 0;

        if (!on_link(t, &new->allowed[i]))
            rc = address_route(name_of(t), &new->allowed[i], true, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static bool same_allowed(const struct device_peer *a, const struct device_peer *b)
{
    if (a->allowed_count != b->allowed_count)
        return false;
    for (size_t i = 0; i < a->allowed_count; i++)
        if (!routed(b, &a->allowed[i]))
            return false;
    return true;
}

static int read_keys(const struct message_peer_set *m, struct device_peer *device,
                     struct error *err)
{
    if (key_from_text(m->wg_public_key, device->public_key) < 0 ||
        (m->preshared_key != NULL &&
         key_from_text(m->preshared_key, device->preshared_key) < 0)) {
        error_set(err, "bad-value", "peer-set: a key is no 32 bytes of base64");
        return -EINVAL;
    }
    device->set_preshared = m->preshared_key != NULL;
    return 0;
}

static struct peer *peer_add(struct tunnel *t, const char *name, struct error *err)
{
    struct peer *peer = t->peer_count < TUNNEL_PEERS_MAX ? calloc(1, sizeof *peer) : NULL;

    if (peer == NULL) {
        error_set(err, "too-many", "at most %d peers are possible", TUNNEL_PEERS_MAX);
        return NULL;
    }
    snprintf(peer->name, sizeof peer->name, "%s", name);
    t->peers[t->peer_count++] = peer;
    return peer;
}

static void peer_drop(struct tunnel *t, struct peer *peer)
{
    for (size_t i = 0; i < t->peer_count; i++)
        if (t->peers[i] == peer)
            t->peers[i] = t->peers[--t->peer_count];
    peer_free(peer);
}

/* Only what differs is set, so that a peer that is there already notices nothing. */
static int peer_change(struct tunnel *t, struct peer *peer, struct device_peer *wanted, bool fresh,
                       struct error *err)
{
    struct device_peer gone = {.remove = true};
    int rc;

    if (!fresh && memcmp(peer->device.public_key, wanted->public_key, KEY_BYTES) != 0) {
        memcpy(gone.public_key, peer->device.public_key, KEY_BYTES);
        t->ops->set_peer(name_of(t), &gone, NULL);
        fresh = true;
    }
    wanted->set_allowed = fresh || !same_allowed(&peer->device, wanted);
    wanted->set_keepalive = false;
    rc = t->ops->set_peer(name_of(t), wanted, err);
    return rc < 0 ? rc : change_routes(t, &peer->device, wanted, err);
}

int tunnel_peer_set(struct tunnel *t, const struct message_peer_set *m, struct error *err)
{
    struct device_peer wanted = {.keepalive = (uint16_t)m->keepalive};
    struct peer *peer = peer_named(t, m->peer);
    bool fresh = peer == NULL;
    int rc;

    if (read_keys(m, &wanted, err) < 0)
        return -EINVAL;
    wanted.allowed = read_allowed(&m->allowed_ips, err);
    if (wanted.allowed == NULL)
        return -EINVAL;
    wanted.allowed_count = m->allowed_ips.count;
    if (fresh)
        peer = peer_add(t, m->peer, err);
    rc = peer ? peer_change(t, peer, &wanted, fresh, err) : -ENOBUFS;
    if (rc < 0) {
        free((void *)(uintptr_t)wanted.allowed);
        if (fresh && peer != NULL)
            peer_drop(t, peer);
        return rc;
    }
    wanted.endpoint = peer->device.endpoint;
    free((void *)(uintptr_t)peer->device.allowed);
    peer->device = wanted;
    return 0;
}

int tunnel_peer_remove(struct tunnel *t, const char *name, struct error *err)
{
    static const struct device_peer nothing;
    struct peer *peer = peer_wanted(t, name, err);
    struct device_peer gone = {.remove = true};
    int rc;

    if (peer == NULL)
        return -ENOENT;
    memcpy(gone.public_key, peer->device.public_key, KEY_BYTES);
    rc = t->ops->set_peer(name_of(t), &gone, err);
    if (rc < 0)
        return rc;
    change_routes(t, &peer->device, &nothing, NULL);
    peer_drop(t, peer);
    return apply(t, err);
}

/* Ports and paths */

static size_t port_find(const struct peer *peer, const struct endpoint *base)
{
    size_t i = 0;

    while (i < peer->port_count && !endpoint_equal(&peer->ports[i], base))
        i++;
    return i;
}

int tunnel_port_open(struct tunnel *t, const char *name, const struct endpoint *base,
                     struct error *err)
{
    struct peer *peer = peer_wanted(t, name, err);

    if (peer == NULL)
        return -ENOENT;
    if (port_find(peer, base) < peer->port_count)
        return 0;
    if (peer->port_count == TUNNEL_PORTS_MAX) {
        error_set(err, "too-many", "peer '%s' has %d open ports already; close one first", name,
                  TUNNEL_PORTS_MAX);
        return -ENOBUFS;
    }
    peer->ports[peer->port_count++] = *base;
    return apply(t, err);
}

static void pairs_drop(struct peer *peer, const struct endpoint *base,
                       const struct endpoint *remote)
{
    for (size_t i = peer->pair_count; i-- > 0;)
        if ((base != NULL && endpoint_equal(&peer->pairs[i].base, base)) ||
            (remote != NULL && endpoint_equal(&peer->pairs[i].remote, remote)))
            peer->pairs[i] = peer->pairs[--peer->pair_count];
}

int tunnel_port_close(struct tunnel *t, const char *name, const struct endpoint *base,
                      struct error *err)
{
    struct peer *peer = peer_wanted(t, name, err);
    size_t index;

    if (peer == NULL)
        return -ENOENT;
    index = port_find(peer, base);
    if (index == peer->port_count)
        return 0;
    peer->ports[index] = peer->ports[--peer->port_count];
    pairs_drop(peer, base, NULL);
    return apply(t, err);
}

/* An interval that goes from none to some makes WireGuard send at once: the other side learns of the path, and
 * without keys yet it begins the handshake. */
static int device_path(struct tunnel *t, struct peer *peer, const struct endpoint *remote,
                       struct error *err)
{
    struct device_peer change = {.set_endpoint = true, .set_keepalive = true};
    int rc;

    memcpy(change.public_key, peer->device.public_key, KEY_BYTES);
    change.endpoint = *remote;
    rc = t->ops->set_peer(name_of(t), &change, err);
    if (rc < 0 || peer->device.keepalive == 0)
        return rc;
    change.set_endpoint = false;
    change.keepalive = peer->device.keepalive;
    return t->ops->set_peer(name_of(t), &change, err);
}

static int path_none(struct tunnel *t, struct peer *peer, struct error *err)
{
    struct device_peer change = {.set_keepalive = true};

    memcpy(change.public_key, peer->device.public_key, KEY_BYTES);
    peer->has_path = false;
    peer->pair_count = 0;
    if (t->ops->set_peer(name_of(t), &change, err) < 0)
        return -EIO;
    return apply(t, err);
}

static int path_check(const struct message_path_set *m, bool direct, struct error *err)
{
    if (m->remote.address[0] == '\0' || (direct && m->base.address[0] == '\0')) {
        error_set(err, "missing-field", "path-set: a %s path needs 'remote'%s", m->kind,
                  direct ? " and 'base'" : "");
        return -EINVAL;
    }
    if (direct && endpoint_family(&m->remote) != endpoint_family(&m->base)) {
        error_set(err, "bad-value", "path-set: 'remote' and 'base' are of two address families");
        return -EINVAL;
    }
    if (!direct && !endpoint_is_loopback(&m->remote)) {
        error_set(err, "bad-value", "path-set: the 'remote' of a forwarded path must be loopback");
        return -EINVAL;
    }
    return 0;
}

int tunnel_path_set(struct tunnel *t, const struct message_path_set *m, struct error *err)
{
    struct peer *peer = peer_wanted(t, m->peer, err);
    bool direct = strcmp(m->kind, "direct") == 0;
    int rc = 0;

    if (peer == NULL)
        return -ENOENT;
    if (strcmp(m->kind, "none") == 0)
        return path_none(t, peer, err);
    if (path_check(m, direct, err) < 0)
        return -EINVAL;
    if (direct) {
        for (size_t i = 0; i < t->peer_count; i++)
            pairs_drop(t->peers[i], NULL, &m->remote);
        if (peer->pair_count == TUNNEL_PORTS_MAX)
            peer->pair_count--;
        peer->pairs[peer->pair_count++] =
            (struct redirect_pair){.remote = m->remote, .base = m->base};
        rc = apply(t, err);
    }
    peer->device.endpoint = m->remote;
    peer->has_path = true;
    return rc < 0 ? rc : device_path(t, peer, &m->remote, err);
}

/* Status */

struct status_call {
    struct tunnel *tunnel;
    void (*seen)(void *data, const char *peer, const struct device_status *status);
    void *data;
};

static void on_status(void *data, const struct device_status *status)
{
    struct status_call *call = data;

    for (size_t i = 0; i < call->tunnel->peer_count; i++) {
        struct peer *peer = call->tunnel->peers[i];

        if (memcmp(peer->device.public_key, status->public_key, KEY_BYTES) == 0)
            call->seen(call->data, peer->name, status);
    }
}

int tunnel_status(struct tunnel *t,
                  void (*seen)(void *data, const char *peer, const struct device_status *status),
                  void *data, struct error *err)
{
    struct status_call call = {.tunnel = t, .seen = seen, .data = data};

    return t->ops->read(name_of(t), NULL, on_status, &call, err);
}

static int restore_peer(struct tunnel *t, struct peer *peer, struct error *err)
{
    static const struct device_peer nothing;
    struct device_peer all = peer->device;
    int rc;

    all.set_allowed = all.set_preshared = true;
    rc = t->ops->set_peer(name_of(t), &all, err);
    if (rc == 0)
        rc = change_routes(t, &nothing, &peer->device, err);
    if (rc == 0 && peer->has_path)
        rc = device_path(t, peer, &peer->device.endpoint, err);
    return rc;
}

int tunnel_restore(struct tunnel *t, struct error *err)
{
    int rc;

    if (t->watch >= 0)
        close(t->watch);
    t->watch = -1;
    rc = t->ops->create(name_of(t), err);
    if (rc >= 0)
        rc = bring_up(t, false, err);
    for (size_t i = 0; rc == 0 && i < t->peer_count; i++)
        rc = restore_peer(t, t->peers[i], err);
    return rc == 0 ? apply(t, err) : rc;
}
