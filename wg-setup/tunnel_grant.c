/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What stands but is no longer granted.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/log.h"
#include "wg-setup/tunnel_state.h"

typedef bool granted_call(const void *data, const char *peer, const struct prefix *prefix);

static bool grants_all(const struct peer *peer, granted_call *granted, const void *data)
{
    for (size_t i = 0; i < peer->device.allowed_count; i++)
        if (!granted(data, peer->name, &peer->device.allowed[i]))
            return false;
    return true;
}

static int peer_narrow(struct tunnel *t, struct peer *peer, granted_call *granted, const void *data,
                       struct error *err)
{
    struct device_peer narrower = {.set_allowed = true};
    struct prefix *kept = calloc(peer->device.allowed_count + 1, sizeof *kept);
    int rc;

    if (kept == NULL) {
        error_set(err, "no-memory", "out of memory");
        return -ENOMEM;
    }
    memcpy(narrower.public_key, peer->device.public_key, KEY_BYTES);
    narrower.allowed = kept;
    for (size_t i = 0; i < peer->device.allowed_count; i++)
        if (granted(data, peer->name, &peer->device.allowed[i]))
            kept[narrower.allowed_count++] = peer->device.allowed[i];
    rc = t->ops->set_peer(t->interface.name, &narrower, err);
    if (rc == 0)
        rc = tunnel_routes(t, peer, &peer->device, &narrower, err);
    free((void *)(uintptr_t)peer->device.allowed);
    peer->device.allowed = kept;
    peer->device.allowed_count = narrower.allowed_count;
    return rc;
}

void tunnel_granted_check(struct tunnel *t, granted_call *granted, const void *data)
{
    struct error err;
    bool dropped = false;

    for (size_t i = t->peer_count; i-- > 0;) {
        struct peer *peer = t->peers[i];
        int rc = 0;

        if (peer->name[0] == '\0')
            continue;
        if (!granted(data, peer->name, NULL)) {
            log_info("peer '%s' is not in the configuration any more: it is dropped", peer->name);
            rc = tunnel_peer_drop(t, peer, &err);
            dropped = true;
        } else if (!grants_all(peer, granted, data)) {
            log_info("peer '%s' is granted less than it had", peer->name);
            rc = peer_narrow(t, peer, granted, data, &err);
        }
        if (rc < 0)
            log_error("%s", err.message);
    }
    tunnel_tidy(t);
    if (dropped && tunnel_apply(t, &err) < 0)
        log_error("%s", err.message);
}
