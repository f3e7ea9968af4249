/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The interface and the table as a whole.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "protocol/await.h"
#include "protocol/log.h"
#include "wg-setup/address.h"
#include "wg-setup/tunnel_state.h"

/* A userspace WireGuard has its port, or has ended, within this, in ms. */
#define PORT_OPEN_MS   1000
#define BACKEND_END_MS 1000

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
    error_set(
        err, "interface-taken",
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
        if (address_link_index(name_of(t)) == 0)
            log_warn(
                "this kernel has no WireGuard (module 'wireguard'): falling back to userspace, "
                "which is slower");
    }
    t->ops = &device_userspace;
    return create(t, t->ops, err);
}

/* What stands keeps its port, unless another one is wanted by name. */
static int set_key(struct tunnel *t, bool adopted, struct error *err)
{
    struct device_about about;
    int rc;

    if (adopted) {
        rc = t->ops->read(name_of(t), &about, NULL, NULL, err);
        if (rc < 0 || t->listen_port == 0 || t->listen_port == about.listen_port)
            return rc;
    }
    return t->ops->set(name_of(t), t->key.secret, t->listen_port, err);
}

/* A userspace WireGuard opens its port a little after its link came up. */
static int await_port(struct tunnel *t, struct device_about *about, struct error *err)
{
    const struct timespec pause = {.tv_nsec = 5 * 1000000};
    int rc = 0;

    for (int waited = 0; waited <= PORT_OPEN_MS; waited += 5) {
        rc = t->ops->read(name_of(t), about, NULL, NULL, err);
        if (rc < 0 || about->listen_port != 0)
            return rc;
        nanosleep(&pause, NULL);
    }
    return rc;
}

static int bring_up(struct tunnel *t, bool adopted, struct error *err)
{
    struct device_about about;
    int rc = set_key(t, adopted, err);

    /* Of an earlier configuration. First, as what is added again must not go with them. */
    if (rc == 0 && adopted)
        rc = address_keep(name_of(t), t->interface.addresses, t->interface.address_count, err);
    for (size_t i = 0; rc == 0 && i < t->interface.address_count; i++)
        rc = address_add(name_of(t), &t->interface.addresses[i], err);
    if (rc == 0)
        rc = address_link_up(name_of(t), t->interface.mtu, err);
    if (rc == 0)
        rc = await_port(t, &about, err);
    if (rc < 0)
        return rc;
    if (about.listen_port == 0) {
        error_set(err, "no-port", "interface %s: WireGuard opened no port; is %u taken?",
                  name_of(t), (unsigned)t->listen_port);
        return -EADDRINUSE;
    }
    t->listen_port = about.listen_port;
    t->link = address_link_index(name_of(t));
    t->watch = t->ops->watch(name_of(t));
    return 0;
}

/* A table without the interface that it was for: nobody's paths. */
static void remove_stale_table(struct tunnel *t)
{
    struct error err;

    if (!redirect_stands(t->redirect))
        return;
    log_info("removed the nftables table of a tunnel that is gone");
    if (redirect_remove(t->redirect, &err) < 0)
        log_error("%s", err.message);
}

static int make_or_adopt(struct tunnel *t, int64_t now_ms, struct error *err)
{
    struct error ignored;
    int rc = create_any(t, err);
    bool adopted = rc == 1;

    if (rc < 0)
        return rc;
    rc = bring_up(t, adopted, err);
    if (rc < 0) {
        if (!adopted)
            t->ops->destroy(name_of(t), &ignored);
        return rc;
    }
    log_info("interface %s: %s, %s WireGuard, port %u", name_of(t), adopted ? "adopted" : "made",
             t->ops->name, (unsigned)t->listen_port);
    if (adopted)
        return tunnel_adopt(t, now_ms, err);
    remove_stale_table(t);
    return 0;
}

struct tunnel *tunnel_open(const struct interface *interface, const struct key *key, int64_t now_ms,
                           struct error *err)
{
    struct tunnel *t = calloc(1, sizeof *t);

    if (t != NULL) {
        t->interface = *interface;
        t->key = *key;
        t->watch = -1;
        t->listen_port = (uint16_t)interface->listen_port;
        t->redirect = redirect_new(interface->name);
        t->inbound = inbound_new(interface->name);
        t->ruleset = ruleset_new();
        rules_init(&t->rules, interface->name, -1);
    }
    if (t == NULL || t->redirect == NULL || t->inbound == NULL || t->ruleset == NULL) {
        error_set(err, "no-memory", "out of memory");
        tunnel_destroy(t);
        return NULL;
    }
    if (make_or_adopt(t, now_ms, err) < 0) {
        tunnel_destroy(t);
        return NULL;
    }
    return t;
}

void tunnel_destroy(struct tunnel *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->peer_count; i++)
        peer_destroy(t->peers[i]);
    if (t->watch >= 0)
        close(t->watch);
    redirect_destroy(t->redirect);
    inbound_destroy(t->inbound);
    ruleset_destroy(t->ruleset);
    redirect_standing_clear(&t->stray);
    key_wipe(&t->key);
    free(t);
}

void tunnel_undo(struct tunnel *t)
{
    struct error err;

    if (t->watch >= 0)
        close(t->watch);
    t->watch = -1;
    tunnel_routing_undo(t);
    /* Addresses and routes go with the interface. */
    if (t->ops->destroy(name_of(t), &err) < 0)
        log_error("%s", err.message);
    if (redirect_remove(t->redirect, &err) < 0)
        log_error("%s", err.message);
    if (inbound_remove(t->inbound, &err) < 0)
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

static bool set_away(struct redirect_pair *pairs, size_t count, const struct address_set *ours)
{
    bool changed = false;

    for (size_t i = 0; i < count; i++) {
        bool away = !address_set_has(ours, pairs[i].base.address);

        if (away != pairs[i].away)
            log_info("%s %s this host's address: packets to %s leave from %s",
                     pairs[i].base.address, away ? "is no longer" : "is", pairs[i].remote.address,
                     away ? "whatever address routing chooses" : "it");
        changed |= away != pairs[i].away;
        pairs[i].away = away;
    }
    return changed;
}

/* Whether a pair's base came or went. */
static bool look_for_bases(struct tunnel *t)
{
    struct address_set ours;
    bool changed;

    if (address_set_read(&ours, name_of(t)) < 0)
        return false;
    changed = set_away(t->stray.pairs, t->stray.pair_count, &ours);
    for (size_t i = 0; i < t->peer_count; i++) {
        struct peer *peer = t->peers[i];

        if (set_away(peer->pairs, peer->pair_count, &ours))
            changed = peer->moved = true;
    }
    address_set_clear(&ours);
    return changed;
}

static void add_port(struct redirect_rules *rules, uint16_t *ports, uint16_t port)
{
    for (size_t i = 0; i < rules->port_count; i++)
        if (ports[i] == port)
            return;
    ports[rules->port_count++] = port;
}

static void collect(const struct tunnel *t, struct redirect_rules *rules, uint16_t *ports,
                    struct redirect_pair *pairs)
{
    for (size_t i = 0; i < t->peer_count; i++) {
        const struct peer *peer = t->peers[i];

        for (size_t k = 0; k < peer->port_count; k++)
            add_port(rules, ports, peer->ports[k].port);
        for (size_t k = 0; k < peer->pair_count; k++)
            pairs[rules->pair_count++] = peer->pairs[k];
    }
    for (size_t i = 0; i < t->stray.port_count; i++)
        add_port(rules, ports, t->stray.ports[i]);
    for (size_t i = 0; i < t->stray.pair_count; i++)
        pairs[rules->pair_count++] = t->stray.pairs[i];
}

static int write_table(struct tunnel *t, struct error *err)
{
    size_t max = t->peer_count * PEER_PORTS_MAX + t->stray.port_count + t->stray.pair_count + 1;
    uint16_t *ports = calloc(max, sizeof *ports);
    struct redirect_pair *pairs = calloc(max, sizeof *pairs);
    struct redirect_rules rules = {
        .interface = name_of(t), .listen_port = t->listen_port, .ports = ports, .pairs = pairs};
    int rc = -ENOMEM;

    if (ports == NULL || pairs == NULL) {
        error_set(err, "no-memory", "out of memory");
        goto out;
    }
    collect(t, &rules, ports, pairs);
    rc = redirect_apply(t->redirect, &rules, err);
out:
    free(ports);
    free(pairs);
    return rc;
}

int tunnel_apply(struct tunnel *t, struct error *err)
{
    look_for_bases(t);
    return write_table(t, err);
}

/* WireGuard sends from the address that it was last reached at (wireguard-go even when that address is gone), until it
 * is given an endpoint anew. The keep-alive then shows the peer our new address. */
static void kick_moved(struct tunnel *t)
{
    struct endpoint now;
    struct error err;

    for (size_t i = 0; i < t->peer_count; i++) {
        struct peer *peer = t->peers[i];

        if (!peer->moved || !peer->has_path)
            continue;
        if (tunnel_endpoint_now(t, peer, &now) == 0 && now.address[0] != '\0')
            peer->device.endpoint = now;
        if (tunnel_path_kick(t, peer, &err) < 0)
            log_error("%s", err.message);
    }
}

int tunnel_addresses_check(struct tunnel *t, struct error *err)
{
    int rc;

    if (!look_for_bases(t))
        return 0;
    rc = write_table(t, err);
    kick_moved(t);
    return rc < 0 ? rc : 1;
}

void tunnel_settled(struct tunnel *t)
{
    kick_moved(t);
    for (size_t i = 0; i < t->peer_count; i++)
        t->peers[i]->moved = false;
}

int tunnel_tables_check(struct tunnel *t, struct error *err)
{
    int inbound = tunnel_inbound_check(t, err);
    int marks = inbound < 0 ? inbound : tunnel_marks_check(t, err), rc;

    if (marks < 0 || redirect_stands(t->redirect))
        return inbound > 0 ? inbound : marks;
    rc = tunnel_apply(t, err);
    return rc < 0 ? rc : 1;
}

/* Putting it back */

static int restore_peer(struct tunnel *t, struct peer *peer, struct error *err)
{
    static const struct device_peer nothing;
    struct device_peer all = peer->device;
    int rc;

    all.set_allowed = all.set_preshared = true;
    peer->keepalive_now = 0;
    rc = t->ops->set_peer(name_of(t), &all, err);
    if (rc == 0)
        rc = tunnel_routes(t, peer, &nothing, &peer->device, err);
    if (rc == 0 && peer->has_path)
        rc = tunnel_path_kick(t, peer, err);
    return rc;
}

int tunnel_restore(struct tunnel *t, struct error *err)
{
    int rc;

    if (t->watch >= 0)
        close(t->watch);
    t->watch = -1;
    rc = create(t, t->ops, err);
    if (rc >= 0)
        rc = bring_up(t, false, err);
    if (rc == 0)
        rc = tunnel_marks_again(t, err);
    for (size_t i = 0; rc == 0 && i < t->peer_count; i++)
        rc = restore_peer(t, t->peers[i], err);
    return rc == 0 ? tunnel_apply(t, err) : rc;
}

/* What ran an interface that is gone is on its way out, and still has the port. */
static void await_backend_end(struct tunnel *t)
{
    if (t->watch < 0 || await_fd(t->watch, POLLIN, BACKEND_END_MS))
        return;
    syscall(SYS_pidfd_send_signal, t->watch, SIGKILL, NULL, 0);
    await_fd(t->watch, POLLIN, BACKEND_END_MS);
}

int tunnel_link_check(struct tunnel *t, struct error *err)
{
    unsigned link = address_link_index(name_of(t));
    int rc;

    if (link == t->link)
        return 0;
    rc = link == 0 ? t->ops->destroy(name_of(t), err) : 0;
    if (rc == 0 && link == 0)
        await_backend_end(t);
    if (rc == 0)
        rc = tunnel_restore(t, err);
    return rc < 0 ? rc : 1;
}
