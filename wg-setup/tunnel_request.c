/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The requests of punchguard-protocol(7).
 */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/log.h"
#include "wg-setup/tunnel_state.h"

/* The list of peers */

static struct peer *peer_named(const struct tunnel *t, const char *name)
{
    for (size_t i = 0; i < t->peer_count; i++)
        if (strcmp(t->peers[i]->name, name) == 0)
            return t->peers[i];
    return NULL;
}

static struct peer *peer_with_key(struct tunnel *t, const uint8_t key[KEY_BYTES])
{
    for (size_t i = 0; i < t->peer_count; i++)
        if (memcmp(t->peers[i]->device.public_key, key, KEY_BYTES) == 0)
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

bool tunnel_peer_append(struct tunnel *t, struct peer *peer)
{
    if (t->peer_count == TUNNEL_PEERS_MAX)
        return false;
    t->peers[t->peer_count++] = peer;
    return true;
}

void tunnel_peer_unlist(struct tunnel *t, const struct peer *peer)
{
    for (size_t i = 0; i < t->peer_count; i++) {
        if (t->peers[i] == peer) {
            t->peers[i] = t->peers[--t->peer_count];
            return;
        }
    }
}

int tunnel_peer_drop(struct tunnel *t, struct peer *peer, struct error *err)
{
    static const struct device_peer nothing;
    struct device_peer gone = {.remove = true};
    int rc;

    memcpy(gone.public_key, peer->device.public_key, KEY_BYTES);
    rc = t->ops->set_peer(t->interface.name, &gone, err);
    if (rc < 0)
        return rc;
    tunnel_routes(t, peer, &peer->device, &nothing, NULL);
    tunnel_peer_unlist(t, peer);
    peer_destroy(peer);
    tunnel_tidy(t);
    return 0;
}

/* peer-set, peer-remove */

static int read_keys(const struct tunnel *t, const struct message_peer_set *m,
                     struct device_peer *device, struct error *err)
{
    if (key_from_text(m->wg_public_key, device->public_key) < 0 ||
        (m->preshared_key != NULL && key_from_text(m->preshared_key, device->preshared_key) < 0)) {
        error_set(err, "bad-value", "peer-set: a key is no 32 bytes of base64");
        return -EINVAL;
    }
    if (memcmp(device->public_key, t->key.public, KEY_BYTES) == 0) {
        error_set(err, "bad-value", "peer-set: 'wg_public_key' of peer '%s' is our own", m->peer);
        return -EINVAL;
    }
    return 0;
}

/* Fills keys, keep-alive and `allowed`, which is the caller's then. */
static int read_wanted(const struct tunnel *t, const struct message_peer_set *m,
                       struct device_peer *wanted, struct error *err)
{
    const struct strings *texts = &m->allowed_ips;
    struct prefix *allowed;

    if (read_keys(t, m, wanted, err) < 0)
        return -EINVAL;
    allowed = calloc(texts->count + 1, sizeof *allowed);
    if (allowed == NULL) {
        error_set(err, "no-memory", "out of memory");
        return -ENOMEM;
    }
    for (size_t i = 0; i < texts->count; i++) {
        if (prefix_parse(&allowed[i], texts->items[i], false, err) < 0) {
            error_prefix(err, "peer-set: allowed_ips[%zu]: ", i);
            free(allowed);
            return -EINVAL;
        }
    }
    wanted->keepalive = (uint16_t)m->keepalive;
    wanted->allowed = allowed;
    wanted->allowed_count = texts->count;
    return 0;
}

/* What it may begin, as the broker says it: NULL for everything. The caller's. */
static int read_told(const struct message_peer_set *m, struct grant **told, struct error *err)
{
    struct inbound inbound = {.kind = INBOUND_ALL};

    *told = NULL;
    if (m->inbound != NULL && inbound_parse(&inbound, m->inbound, err) < 0) {
        error_prefix(err, "peer-set: inbound: ");
        return -EINVAL;
    }
    if (inbound.kind == INBOUND_ALL)
        return 0;
    *told = calloc(1, sizeof **told);
    if (*told == NULL) {
        error_set(err, "no-memory", "out of memory");
        return -ENOMEM;
    }
    snprintf((*told)->peer, sizeof(*told)->peer, "%s", m->peer);
    (*told)->inbound = inbound;
    return 0;
}

static struct peer *peer_create(struct tunnel *t, const char *name, struct error *err)
{
    struct peer *peer = peer_new(name);

    if (peer != NULL && tunnel_peer_append(t, peer))
        return peer;
    error_set(err, "too-many", "at most %d peers are possible", TUNNEL_PEERS_MAX);
    peer_destroy(peer);
    return NULL;
}

/* WireGuard knows a peer by its key: the same device with another key is a new peer to it. */
static struct peer *peer_rekey(struct tunnel *t, struct peer *peer, struct error *err)
{
    struct device_peer gone = {.remove = true};

    memcpy(gone.public_key, peer->device.public_key, KEY_BYTES);
    if (t->ops->set_peer(t->interface.name, &gone, err) < 0)
        return NULL;
    sodium_memzero(peer->device.preshared_key, KEY_BYTES);
    peer->keepalive_now = 0;
    return peer;
}

/* What a peer was before the request that sets it. */
enum peer_before {
    BEFORE_UNKNOWN,  /* WireGuard does not have its key yet */
    BEFORE_NAMELESS, /* adopted */
    BEFORE_SET,
};

/* The peer with that name, and what it was. NULL with `err` filled. */
static struct peer *peer_for(struct tunnel *t, const char *name, const uint8_t key[KEY_BYTES],
                             enum peer_before *before, struct error *err)
{
    struct peer *named = peer_named(t, name), *holder = peer_with_key(t, key);

    *before = holder == NULL ? BEFORE_UNKNOWN : BEFORE_SET;
    if (holder == NULL)
        return named ? peer_rekey(t, named, err) : peer_create(t, name, err);
    if (holder == named)
        return holder;
    if (holder->name[0] != '\0') {
        error_set(err, "key-taken", "peer-set: peer '%s' has the WireGuard key of peer '%s'", name,
                  holder->name);
        return NULL;
    }
    if (named != NULL && tunnel_peer_drop(t, named, err) < 0)
        return NULL;
    snprintf(holder->name, sizeof holder->name, "%s", name);
    *before = BEFORE_NAMELESS;
    return holder;
}

/* WireGuard must let nothing in that the rules for what peers may begin don't know of. */
static void change_undo(struct tunnel *t, const struct peer *peer, const struct device_peer *wanted,
                        bool fresh)
{
    struct device_peer before = {.remove = true};
    struct error err;

    if (!fresh) {
        before = peer->device;
        before.set_allowed = wanted->set_allowed;
        before.set_preshared = wanted->set_preshared;
    }
    memcpy(before.public_key, wanted->public_key, KEY_BYTES);
    if (t->ops->set_peer(t->interface.name, &before, &err) < 0 ||
        tunnel_routes(t, peer, wanted, &before, &err) < 0)
        log_error("peer '%s': %s", peer->name, err.message);
    sodium_memzero(before.preshared_key, sizeof before.preshared_key);
}

/* Only what differs is set, so that a peer that is there already notices nothing. */
static int peer_change(struct tunnel *t, struct peer *peer, struct device_peer *wanted, bool fresh,
                       struct error *err)
{
    const struct device_peer *old = &peer->device;
    int rc = 0;

    wanted->endpoint = old->endpoint;
    wanted->set_allowed = fresh || !device_peer_same_allowed(old, wanted);
    wanted->set_preshared = memcmp(old->preshared_key, wanted->preshared_key, KEY_BYTES) != 0;
    wanted->set_keepalive = !fresh && peer->has_path && peer->keepalive_now != wanted->keepalive;
    if (wanted->set_allowed || wanted->set_preshared || wanted->set_keepalive)
        rc = t->ops->set_peer(t->interface.name, wanted, err);
    if (rc < 0)
        return rc;
    if (wanted->set_keepalive)
        peer->keepalive_now = wanted->keepalive;
    rc = tunnel_routes(t, peer, old, wanted, err);
    if (rc < 0)
        change_undo(t, peer, wanted, fresh);
    return rc;
}

/* To WireGuard it is a new peer then; nothing else of it is touched. */
static int device_anew(struct tunnel *t, struct peer *peer, bool with_path, struct error *err)
{
    struct device_peer gone = {.remove = true}, all = peer->device;
    int rc;

    memcpy(gone.public_key, peer->device.public_key, KEY_BYTES);
    rc = t->ops->set_peer(t->interface.name, &gone, err);
    if (rc < 0)
        return rc;
    all.set_endpoint = all.set_keepalive = with_path;
    all.set_allowed = true;
    all.set_preshared = !sodium_is_zero(all.preshared_key, KEY_BYTES);
    rc = t->ops->set_peer(t->interface.name, &all, err);
    peer->keepalive_now = rc == 0 && with_path ? all.keepalive : 0;
    return rc;
}

static void peer_take(struct peer *peer, const struct device_peer *wanted)
{
    free((void *)(uintptr_t)peer->device.allowed);
    peer->device = *wanted;
}

static void swap_told(struct peer *peer, struct grant **told)
{
    struct grant *before = peer->told;

    peer->told = *told;
    *told = before;
}

/* A peer that gets its name with the first word of a broker is judged without both again. */
static void peer_set_undo(struct tunnel *t, struct peer *peer, enum peer_before before,
                          struct grant **told)
{
    swap_told(peer, told);
    if (before == BEFORE_NAMELESS)
        peer->name[0] = '\0';
    if (before != BEFORE_UNKNOWN)
        return;
    tunnel_peer_unlist(t, peer);
    peer_destroy(peer);
}

int tunnel_peer_set(struct tunnel *t, const struct message_peer_set *m, struct error *err)
{
    struct device_peer wanted = {.keepalive = 0};
    enum peer_before before;
    struct grant *told;
    struct peer *peer;
    int rc = read_told(m, &told, err);

    if (rc == 0)
        rc = read_wanted(t, m, &wanted, err);
    if (rc < 0) {
        free(told);
        return rc;
    }
    peer = peer_for(t, m->peer, wanted.public_key, &before, err);
    if (peer != NULL)
        swap_told(peer, &told);
    rc = peer ? tunnel_inbound_apply(t, peer, &wanted, err) : -EEXIST;
    /* An interval that changes now would begin a handshake that is then forgotten. */
    if (rc == 0 && m->anew)
        peer->has_path = false;
    if (rc == 0)
        rc = peer_change(t, peer, &wanted, before == BEFORE_UNKNOWN, err);
    if (rc == 0) {
        peer_take(peer, &wanted);
        tunnel_tidy(t);
        if (before == BEFORE_UNKNOWN && peer->has_path)
            rc = tunnel_path_kick(t, peer, err);
        else if (before != BEFORE_UNKNOWN && m->anew)
            rc = device_anew(t, peer, false, err);
    } else {
        free((void *)(uintptr_t)wanted.allowed);
        if (peer != NULL)
            peer_set_undo(t, peer, before, &told);
        tunnel_tidy(t);
    }
    free(told);
    sodium_memzero(wanted.preshared_key, sizeof wanted.preshared_key);
    return rc;
}

int tunnel_peer_remove(struct tunnel *t, const char *name, struct error *err)
{
    struct peer *peer = peer_wanted(t, name, err);
    uint16_t ports[PEER_PORTS_MAX];
    size_t count;
    int rc;

    if (peer == NULL)
        return -ENOENT;
    count = peer->port_count;
    for (size_t i = 0; i < count; i++)
        ports[i] = peer->ports[i].port;
    rc = tunnel_peer_drop(t, peer, err);
    if (rc == 0 && count > 0)
        rc = tunnel_apply(t, err);
    for (size_t i = 0; rc == 0 && i < count; i++)
        redirect_forget(t->redirect, NULL, ports[i]);
    return rc;
}

/* port-open, port-close */

int tunnel_port_open(struct tunnel *t, const char *name, const struct endpoint *base,
                     struct error *err)
{
    struct peer *peer = peer_wanted(t, name, err);
    int rc;

    if (peer == NULL)
        return -ENOENT;
    if (peer_port_has(peer, base))
        return 0;
    if (peer_port_add(peer, base) < 0) {
        error_set(err, "too-many", "peer '%s' has %d open ports already; close one first", name,
                  PEER_PORTS_MAX);
        return -ENOBUFS;
    }
    standing_port_drop(&t->stray, base->port);
    rc = tunnel_apply(t, err);
    if (rc < 0)
        peer_port_drop(peer, base);
    return rc;
}

static bool anybody_has(const struct tunnel *t, uint16_t port)
{
    for (size_t i = 0; i < t->peer_count; i++)
        if (peer_port_number(t->peers[i], port))
            return true;
    return false;
}

int tunnel_port_close(struct tunnel *t, const char *name, const struct endpoint *base,
                      struct error *err)
{
    struct peer *peer = peer_wanted(t, name, err);
    int rc;

    if (peer == NULL)
        return -ENOENT;
    if (!peer_port_drop(peer, base))
        return 0;
    rc = tunnel_apply(t, err);
    /* Replies must not leave from a port that is no longer open. */
    if (rc == 0 && !anybody_has(t, base->port))
        redirect_forget(t->redirect, NULL, base->port);
    return rc;
}

/* path-set */

struct finding {
    const uint8_t *key;
    struct endpoint endpoint;
    int64_t latest_handshake, rx_bytes;
};

static void on_found(void *data, const struct device_status *status)
{
    struct finding *finding = data;

    if (memcmp(finding->key, status->public_key, KEY_BYTES) != 0)
        return;
    finding->endpoint = status->endpoint;
    finding->latest_handshake = status->latest_handshake;
    finding->rx_bytes = status->rx_bytes;
}

/* What WireGuard has of the peer now; zeros where nothing. 0, or -errno. */
static int find(const struct tunnel *t, const struct peer *peer, struct finding *finding)
{
    *finding = (struct finding){.key = peer->device.public_key};
    return t->ops->read(t->interface.name, NULL, on_found, finding, NULL);
}

int tunnel_endpoint_now(const struct tunnel *t, const struct peer *peer, struct endpoint *now)
{
    struct finding finding;
    int rc = find(t, peer, &finding);

    *now = finding.endpoint;
    return rc;
}

int tunnel_path_kick(struct tunnel *t, struct peer *peer, struct error *err)
{
    struct device_peer change = {.set_endpoint = true, .set_keepalive = true};
    struct finding finding;
    int rc;

    /* A packet that came before there was an endpoint made wireguard-go try a handshake that went
     * nowhere, and it tries no other for 5 s (REKEY_TIMEOUT). A peer that is new, and has its
     * endpoint from the first, has not tried. Not for one that we have answered: it would be left
     * with keys that nobody has. */
    if (peer->device.keepalive > 0 && find(t, peer, &finding) == 0 &&
        finding.latest_handshake == 0 && finding.rx_bytes == 0)
        return device_anew(t, peer, true, err);
    /* An interval that goes from none to some makes WireGuard send at once: the other side learns
     * of the path. */
    memcpy(change.public_key, peer->device.public_key, KEY_BYTES);
    change.endpoint = peer->device.endpoint;
    rc = t->ops->set_peer(t->interface.name, &change, err);
    peer->keepalive_now = 0;
    if (rc < 0 || peer->device.keepalive == 0)
        return rc;
    change.set_endpoint = false;
    change.keepalive = peer->device.keepalive;
    rc = t->ops->set_peer(t->interface.name, &change, err);
    if (rc == 0)
        peer->keepalive_now = change.keepalive;
    return rc;
}

static int path_none(struct tunnel *t, struct peer *peer, struct error *err)
{
    struct device_peer change = {.set_keepalive = true};
    bool had_pairs = peer->pair_count > 0;

    memcpy(change.public_key, peer->device.public_key, KEY_BYTES);
    if (t->ops->set_peer(t->interface.name, &change, err) < 0)
        return -EIO;
    peer->keepalive_now = 0;
    peer->has_path = false;
    peer->pair_count = 0;
    return had_pairs ? tunnel_apply(t, err) : 0;
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

/* 1 where the pair was new, 0 where it stood. */
static int pair_set(struct tunnel *t, struct peer *peer, const struct endpoint *remote,
                    const struct endpoint *base, struct error *err)
{
    const struct redirect_pair *pair = peer_pair(peer, remote);
    int rc;

    if (pair != NULL && endpoint_equal(&pair->base, base))
        return 0;
    for (size_t i = 0; i < t->peer_count; i++)
        peer_pair_drop(t->peers[i], remote);
    standing_pair_drop(&t->stray, remote);
    peer_pair_add(peer, remote, base);
    rc = tunnel_apply(t, err);
    if (rc < 0)
        return rc;
    /* What was learned of the remote on another port would win. */
    redirect_forget(t->redirect, remote, 0);
    return 1;
}

/* Whether WireGuard sends there already, and keeps it alive. */
static bool goes_there(const struct tunnel *t, const struct peer *peer,
                       const struct endpoint *remote)
{
    struct endpoint now;

    return peer->has_path && peer->keepalive_now == peer->device.keepalive &&
           tunnel_endpoint_now(t, peer, &now) == 0 && endpoint_equal(&now, remote);
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
    if (direct)
        rc = pair_set(t, peer, &m->remote, &m->base, err);
    if (rc < 0)
        return rc;
    if (rc == 0 && goes_there(t, peer, &m->remote))
        return 0;
    peer->device.endpoint = m->remote;
    peer->has_path = true;
    return tunnel_path_kick(t, peer, err);
}

/* status */

struct status_call {
    struct tunnel *tunnel;
    tunnel_seen *seen;
    void *data;
    struct redirect_standing standing; /* read once, where a peer is not where its pair leads */
    bool looked;
};

/* False where the path is not direct, or the table does not tell. */
static bool base_of(struct status_call *call, const struct peer *peer,
                    const struct endpoint *endpoint, struct endpoint *base)
{
    if (endpoint->address[0] == '\0' || endpoint_is_loopback(endpoint) || peer->port_count == 0)
        return false;
    if (peer_base(peer, endpoint, NULL, base))
        return true;
    if (!call->looked)
        redirect_read(call->tunnel->redirect, &call->standing, NULL);
    call->looked = true;
    return peer_base(peer, endpoint, &call->standing, base);
}

static void on_status(void *data, const struct device_status *status)
{
    struct status_call *call = data;
    struct peer *peer = peer_with_key(call->tunnel, status->public_key);
    struct endpoint base = {.port = 0};

    if (peer == NULL || peer->name[0] == '\0')
        return;
    if (!base_of(call, peer, &status->endpoint, &base))
        base = (struct endpoint){.port = 0};
    /* Where the peer is seen is where a lost interface finds it again. */
    if (peer->has_path && status->endpoint.address[0] != '\0')
        peer->device.endpoint = status->endpoint;
    call->seen(call->data, peer->name, status, &base);
}

int tunnel_status(struct tunnel *t, tunnel_seen *seen, void *data, struct error *err)
{
    struct status_call call = {.tunnel = t, .seen = seen, .data = data};
    int rc = t->ops->read(t->interface.name, NULL, on_status, &call, err);

    redirect_standing_clear(&call.standing);
    return rc;
}

/* What was set */

void tunnel_each_peer(const struct tunnel *t,
                      void (*seen)(void *data, const char *peer, const struct prefix *allowed,
                                   size_t count),
                      void *data)
{
    for (size_t i = 0; i < t->peer_count; i++)
        if (t->peers[i]->name[0] != '\0')
            seen(data, t->peers[i]->name, t->peers[i]->device.allowed,
                 t->peers[i]->device.allowed_count);
}

void tunnel_peer_allowed(const struct tunnel *t, const char *name, const struct prefix **allowed,
                         size_t *count)
{
    const struct peer *peer = peer_named(t, name);

    if (peer == NULL)
        return;
    *allowed = peer->device.allowed;
    *count = peer->device.allowed_count;
}
