/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/config_diff.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Everything but the peers and transports. */
#define SCALARS_MAX 16

struct comparison {
    const struct config *before, *after;
    struct config_diff *diff;
};

static void note(struct comparison *c, enum config_change_type type, size_t before, size_t after,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));

static void note(struct comparison *c, enum config_change_type type, size_t before, size_t after,
                 const char *format, ...)
{
    struct config_change *change = &c->diff->items[c->diff->count++];
    va_list args;

    change->type = type;
    change->before = before;
    change->after = after;
    va_start(args, format);
    vsnprintf(change->text, sizeof change->text, format, args);
    va_end(args);
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Lists that end with NULL; both may be NULL. */
static bool same_texts(char *const *a, char *const *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    while (*a != NULL && *b != NULL)
        if (strcmp(*a++, *b++) != 0)
            return false;
    return *a == *b;
}

/* Transports */

static size_t transport_named(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->transport_count; i++)
        if (strcmp(config->transports[i].name, name) == 0)
            return i;
    return CONFIG_DIFF_NONE;
}

static const char *transport_difference(const struct config_transport *a,
                                        const struct config_transport *b)
{
    if (!same_texts(a->command, b->command))
        return "command";
    return same_text(a->options, b->options) ? NULL : "options";
}

static void compare_transports(struct comparison *c)
{
    for (size_t i = 0; i < c->before->transport_count; i++) {
        const char *name = c->before->transports[i].name;

        if (transport_named(c->after, name) == CONFIG_DIFF_NONE)
            note(c, CONFIG_TRANSPORT_REMOVED, i, CONFIG_DIFF_NONE, "transport '%s' removed", name);
    }
    for (size_t i = 0; i < c->after->transport_count; i++) {
        const struct config_transport *transport = &c->after->transports[i];
        size_t old = transport_named(c->before, transport->name);
        const char *what = NULL;

        c->diff->transports[i] = old;
        if (old != CONFIG_DIFF_NONE)
            what = transport_difference(&c->before->transports[old], transport);
        if (old == CONFIG_DIFF_NONE)
            note(c, CONFIG_TRANSPORT_ADDED, old, i, "transport '%s' added", transport->name);
        else if (what != NULL)
            note(c, CONFIG_TRANSPORT_CHANGED, old, i, "transport '%s': another %s, started again",
                 transport->name, what);
        if (what != NULL)
            c->diff->transports[i] = CONFIG_DIFF_NONE;
    }
}

/* Peers */

static size_t peer_same(const struct config *config, const struct grant *grant)
{
    for (size_t i = 0; i < config->peer_count; i++)
        if (strcmp(config->peers[i].grant.peer, grant->peer) == 0 &&
            memcmp(config->peers[i].grant.key, grant->key, sizeof grant->key) == 0)
            return i;
    return CONFIG_DIFF_NONE;
}

static bool same_allowed(const struct grant *a, const struct grant *b)
{
    if (a->allowed_count != b->allowed_count)
        return false;
    for (size_t i = 0; i < a->allowed_count; i++)
        if (!prefix_equal(&a->allowed[i], &b->allowed[i]))
            return false;
    return true;
}

const char *config_peer_address(const struct config *config, const struct config_peer *peer,
                                const char *transport)
{
    size_t at = transport_named(config, transport);

    return at == CONFIG_DIFF_NONE ? NULL : peer->addresses[at];
}

/* On transports that go on; others are told all addresses anyhow. */
static bool same_addresses(const struct comparison *c, const struct config_peer *old,
                           const struct config_peer *new)
{
    for (size_t i = 0; i < c->after->transport_count; i++)
        if (c->diff->transports[i] != CONFIG_DIFF_NONE &&
            !same_text(old->addresses[c->diff->transports[i]], new->addresses[i]))
            return false;
    return true;
}

static void compare_peer(struct comparison *c, size_t before, size_t after)
{
    const struct config_peer *old = &c->before->peers[before], *new = &c->after->peers[after];

    if (!same_addresses(c, old, new))
        note(c, CONFIG_PEER_ADDRESSES, before, after, "peer '%s': other addresses",
             new->grant.peer);
    if (!same_allowed(&old->grant, &new->grant))
        note(c, CONFIG_PEER_ALLOWED, before, after, "peer '%s': other allowed_ips",
             new->grant.peer);
    if (!inbound_equal(&old->grant.inbound, &new->grant.inbound))
        note(c, CONFIG_PEER_INBOUND, before, after, "peer '%s': other inbound", new->grant.peer);
}

static void compare_origin(struct comparison *c, size_t before, size_t after)
{
    const struct config_peer *old = &c->before->peers[before], *new = &c->after->peers[after];

    if (old->learned != new->learned)
        note(c, CONFIG_PEER_ORIGIN, before, after, "peer '%s': %s", new->grant.peer,
             new->learned ? "as it joined, and no longer as it was written"
                          : "as it is written, and no longer as it joined");
}

static bool name_stays(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->peer_count; i++)
        if (strcmp(config->peers[i].grant.peer, name) == 0)
            return true;
    return false;
}

static void compare_peers(struct comparison *c)
{
    for (size_t i = 0; i < c->before->peer_count; i++) {
        const struct grant *grant = &c->before->peers[i].grant;

        if (peer_same(c->after, grant) == CONFIG_DIFF_NONE)
            note(c, CONFIG_PEER_REMOVED, i, CONFIG_DIFF_NONE, "peer '%s' removed%s", grant->peer,
                 name_stays(c->after, grant->peer) ? ", for its id is another one" : "");
    }
    for (size_t i = 0; i < c->after->peer_count; i++) {
        const struct grant *grant = &c->after->peers[i].grant;
        size_t old = peer_same(c->before, grant);

        c->diff->peers[i] = old;
        if (old == CONFIG_DIFF_NONE)
            note(c, CONFIG_PEER_ADDED, old, i, "peer '%s' added", grant->peer);
        else
            compare_peer(c, old, i);
        if (old != CONFIG_DIFF_NONE)
            compare_origin(c, old, i);
    }
}

/* The rest */

static void note_restart(struct comparison *c, const char *path)
{
    note(c, CONFIG_RESTART, CONFIG_DIFF_NONE, CONFIG_DIFF_NONE,
         "%s differs, which a running broker can't change: end it by SIGQUIT, which keeps the "
         "tunnels, and start it again",
         path);
}

/* Another interface, other keys: what stands is not taken over by the broker that comes next. */
static void note_stop(struct comparison *c, const char *path)
{
    note(c, CONFIG_RESTART, CONFIG_DIFF_NONE, CONFIG_DIFF_NONE,
         "%s differs, which a running broker can't change: end it by SIGTERM, which takes the "
         "tunnels down, and start it again",
         path);
}

static bool same_interface_addresses(const struct interface *a, const struct interface *b)
{
    if (a->address_count != b->address_count)
        return false;
    for (size_t i = 0; i < a->address_count; i++)
        if (!prefix_equal(&a->addresses[i], &b->addresses[i]))
            return false;
    return true;
}

static void compare_interface(struct comparison *c)
{
    const struct interface *old = &c->before->interface, *new = &c->after->interface;

    if (strcmp(old->name, new->name) != 0)
        note_stop(c, "$.interface.name");
    if (!same_interface_addresses(old, new))
        note_restart(c, "$.interface.addresses");
    if (old->mtu != new->mtu)
        note_restart(c, "$.interface.mtu");
    if (old->listen_port != new->listen_port)
        note_restart(c, "$.interface.listen_port");
    if (old->forward != new->forward)
        note_restart(c, "$.interface.forward");
    if (old->backend != new->backend)
        note_stop(c, "$.interface.backend");
}

bool config_hook_same(const struct config_hook *a, const struct config_hook *b)
{
    return a->events == b->events && a->timeout == b->timeout && same_texts(a->command, b->command);
}

static bool same_hooks(const struct config *a, const struct config *b)
{
    if (a->hook_count != b->hook_count)
        return false;
    for (size_t i = 0; i < a->hook_count; i++)
        if (!config_hook_same(&a->hooks[i], &b->hooks[i]))
            return false;
    return true;
}

static void compare_rest(struct comparison *c)
{
    const struct config *old = c->before, *new = c->after;

    compare_interface(c);
    if (!same_text(old->state_dir, new->state_dir))
        note_stop(c, "$.state_dir");
    /* Where it is not written it follows the interface's name. */
    if (!same_text(old->control, new->control) &&
        strcmp(old->interface.name, new->interface.name) == 0)
        note_restart(c, "$.control");
    if (!same_texts(old->stun, new->stun) || !same_text(old->turn, new->turn))
        note(c, CONFIG_ICE, CONFIG_DIFF_NONE, CONFIG_DIFF_NONE,
             "other STUN or TURN servers, from the next session on");
    if (!same_text(old->name, new->name))
        note(c, CONFIG_NAME, CONFIG_DIFF_NONE, CONFIG_DIFF_NONE, "this device is now '%s'",
             new->name);
    if (old->introductions != new->introductions)
        note(c, CONFIG_INTRODUCTIONS, CONFIG_DIFF_NONE, CONFIG_DIFF_NONE,
             "another answer to introductions");
    if (old->names != new->names)
        note(c, CONFIG_NAMES, CONFIG_DIFF_NONE, CONFIG_DIFF_NONE, "names in /etc/hosts: %s",
             new->names ? "kept" : "removed");
    if (!same_hooks(old, new))
        note(c, CONFIG_HOOKS, CONFIG_DIFF_NONE, CONFIG_DIFF_NONE,
             "other hooks, from the next event on");
}

struct config_diff *config_diff(const struct config *before, const struct config *after)
{
    struct comparison c = {before, after, calloc(1, sizeof *c.diff)};
    size_t transports = before->transport_count + after->transport_count;
    /* A peer that goes on may differ in addresses, allowed_ips and inbound. */
    size_t most = transports + before->peer_count + 3 * after->peer_count + SCALARS_MAX;

    if (c.diff == NULL)
        return NULL;
    c.diff->transports = calloc(after->transport_count + 1, sizeof *c.diff->transports);
    c.diff->peers = calloc(after->peer_count + 1, sizeof *c.diff->peers);
    c.diff->items = calloc(most, sizeof *c.diff->items);
    if (c.diff->transports == NULL || c.diff->peers == NULL || c.diff->items == NULL) {
        config_diff_destroy(c.diff);
        return NULL;
    }
    compare_transports(&c);
    compare_peers(&c);
    compare_rest(&c);
    return c.diff;
}

void config_diff_destroy(struct config_diff *diff)
{
    if (diff == NULL)
        return;
    free(diff->transports);
    free(diff->peers);
    free(diff->items);
    free(diff);
}

static void swap(char **a, char **b)
{
    char *kept = *a;

    *a = *b;
    *b = kept;
}

void config_diff_keep(struct config *before, struct config *after)
{
    struct interface interface = before->interface;

    before->interface = after->interface;
    after->interface = interface;
    swap(&before->state_dir, &after->state_dir);
    swap(&before->control, &after->control);
}
