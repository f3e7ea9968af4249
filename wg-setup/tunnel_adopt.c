/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Taking over what an earlier wg-setup left standing. A peer found in WireGuard is a peer like any
 * other, but without a name until a broker sets it.
 */
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "protocol/log.h"
#include "wg-setup/tunnel_state.h"

struct adoption {
    struct tunnel *tunnel;
    size_t missed;
};

static void on_peer(void *data, const struct device_status *status)
{
    struct adoption *adoption = data;
    struct peer *peer = peer_from_status(status);

    if (peer == NULL || !tunnel_peer_append(adoption->tunnel, peer)) {
        peer_destroy(peer);
        adoption->missed++;
    }
}

static void drop_with_log(struct tunnel *t, struct peer *peer, const char *why)
{
    char key[KEY_TEXT_LENGTH + 1];
    struct error err;

    key_to_text(peer->device.public_key, key);
    log_warn("peer %s stood in WireGuard, but %s: it is dropped", key, why);
    if (tunnel_peer_drop(t, peer, &err) < 0)
        log_error("%s", err.message);
}

static void apply_with_log(struct tunnel *t)
{
    struct error err;

    if (tunnel_apply(t, &err) < 0)
        log_error("%s", err.message);
}

/* No configuration grants so many, and the rest was not read. */
static void drop_unreadable(struct tunnel *t)
{
    for (size_t i = t->peer_count; i-- > 0;) {
        struct peer *peer = t->peers[i];

        if (peer->device.allowed_count <= PEER_ALLOWED_MAX)
            continue;
        peer->device.allowed_count = PEER_ALLOWED_MAX;
        drop_with_log(t, peer, "has more allowed IPs than a peer may have");
    }
}

int tunnel_adopt(struct tunnel *t, int64_t now_ms, struct error *err)
{
    struct adoption adoption = {.tunnel = t};
    struct error why = {.message = "out of memory"};
    int rc = t->ops->read(t->interface.name, NULL, on_peer, &adoption, err);

    if (rc < 0)
        return rc;
    if (adoption.missed > 0)
        log_warn("%zu peers of interface %s are too many to take over", adoption.missed,
                 t->interface.name);
    drop_unreadable(t);
    rc = redirect_read(t->redirect, &t->stray, &why);
    if (rc < 0 && rc != -ENOENT)
        log_warn("the nftables table that stands can't be taken over: %s", why.message);
    for (size_t i = 0; i < t->peer_count; i++)
        peer_adopt(t->peers[i], &t->stray);
    if (t->peer_count > 0 || t->stray.port_count > 0 || t->stray.pair_count > 0)
        t->adopted_until = now_ms + TUNNEL_ADOPTION_MS;
    log_info("adopted %zu peers", t->peer_count);
    if (rc == 0)
        apply_with_log(t);
    return 0;
}

void tunnel_adopted_check(struct tunnel *t,
                          bool (*granted)(const void *data, const struct prefix *allowed,
                                          size_t count),
                          const void *data)
{
    bool dropped = false;

    for (size_t i = t->peer_count; i-- > 0;) {
        struct peer *peer = t->peers[i];

        if (peer->name[0] != '\0' ||
            granted(data, peer->device.allowed, peer->device.allowed_count))
            continue;
        drop_with_log(t, peer, "no peer of the configuration is granted its addresses");
        dropped = true;
    }
    if (dropped)
        apply_with_log(t);
}

int tunnel_timeout(const struct tunnel *t, int64_t now_ms)
{
    if (t->adopted_until == 0)
        return -1;
    return now_ms < t->adopted_until ? (int)(t->adopted_until - now_ms) : 0;
}

void tunnel_tick(struct tunnel *t, int64_t now_ms)
{
    bool dropped = t->stray.port_count > 0 || t->stray.pair_count > 0;

    if (t->adopted_until == 0 || now_ms < t->adopted_until)
        return;
    t->adopted_until = 0;
    if (dropped)
        log_info("dropped %zu ICE ports and %zu pairs that nobody asked for", t->stray.port_count,
                 t->stray.pair_count);
    redirect_standing_clear(&t->stray);
    for (size_t i = t->peer_count; i-- > 0;) {
        if (t->peers[i]->name[0] != '\0')
            continue;
        drop_with_log(t, t->peers[i], "nobody has set it since");
        dropped = true;
    }
    if (dropped)
        apply_with_log(t);
}
