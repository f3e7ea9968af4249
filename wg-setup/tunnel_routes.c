/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Routes to what is behind peers: single hosts in the main table, as nothing but the tunnel leads
 * there; networks in a table of our own, with rules that keep what carries the tunnel out of it.
 * Without networks there are no rules.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>

#include "protocol/log.h"
#include "wg-setup/address.h"
#include "wg-setup/tunnel_state.h"

static const int families[] = {AF_INET, AF_INET6};

static bool is_host(const struct prefix *prefix)
{
    return prefix->length == (prefix->family == AF_INET ? 32 : 128);
}

/* Marks */

static void table_name(const struct tunnel *t, char out[64])
{
    snprintf(out, 64, "punchguard-routes_%s", t->interface.name);
}

static int put_table(struct tunnel *t, struct error *err)
{
    char name[64], *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    int rc;

    if (out == NULL) {
        error_set(err, "no-memory", "out of memory");
        return -ENOMEM;
    }
    rules_write(out, &t->rules);
    fclose(out);
    table_name(t, name);
    rc = ruleset_put(t->ruleset, name, text, err);
    free(text);
    return rc < 0 ? rc : 0;
}

/* What goes wrong here costs flows that others begin, and hosts with a strict rp_filter; nothing
 * else. */
static void help_answers(struct tunnel *t)
{
    struct error err;

    if (put_table(t, &err) < 0)
        log_warn("answers may leave by the tunnel: %s", err.message);
    if (t->sysctls != NULL && sysctls_set(t->sysctls, RULES_SETTING, "1", &err) < 0)
        log_warn("%s", err.message);
}

static int marks_begin(struct tunnel *t, struct error *err)
{
    int rc = t->marked ? 0 : t->ops->set_mark(t->interface.name, RULES_MARK, err);

    if (rc < 0 || t->marked)
        return rc;
    t->marked = true;
    help_answers(t);
    return 0;
}

static void marks_end(struct tunnel *t)
{
    struct error err;
    char name[64];

    table_name(t, name);
    if (ruleset_stands(t->ruleset, name) && ruleset_remove(t->ruleset, name, &err) < 0)
        log_error("%s", err.message);
    if (t->sysctls != NULL && sysctls_restore(t->sysctls, RULES_SETTING, &err) < 0)
        log_error("%s", err.message);
    t->marked = false;
}

/* Rules */

/* Whether a network of ours has it already: then the kernel's own route leads there. */
static bool on_link(const struct tunnel *t, const struct prefix *prefix)
{
    for (size_t i = 0; i < t->interface.address_count; i++)
        if (prefix_contains(&t->interface.addresses[i], prefix))
            return true;
    return false;
}

static bool has_network(const struct tunnel *t, const struct device_peer *device, int family)
{
    for (size_t i = 0; i < device->allowed_count; i++)
        if (device->allowed[i].family == family && !is_host(&device->allowed[i]) &&
            !on_link(t, &device->allowed[i]))
            return true;
    return false;
}

static bool is_wanted(const struct tunnel *t, const struct device_peer *wanted, int family)
{
    if (wanted != NULL && has_network(t, wanted, family))
        return true;
    for (size_t i = 0; i < t->peer_count; i++)
        if (has_network(t, &t->peers[i]->device, family))
            return true;
    return false;
}

/* What is missing of what the peers need, and of one that is about to have `wanted`. */
static int rules_begin(struct tunnel *t, const struct device_peer *wanted, struct error *err)
{
    for (int i = 0; i < 2; i++) {
        int rc;

        if (t->ruled[i] || !is_wanted(t, wanted, families[i]))
            continue;
        rc = marks_begin(t, err);
        if (rc == 0)
            rc = rules_put(&t->rules, families[i], err);
        if (rc < 0)
            return rc;
        t->ruled[i] = true;
    }
    return 0;
}

static void rules_end(struct tunnel *t, int i)
{
    struct error err;

    if (rules_remove(&t->rules, families[i], &err) < 0)
        log_error("%s", err.message);
    t->ruled[i] = false;
}

/* What nobody needs any more. */
static void rules_tidy(struct tunnel *t)
{
    struct error err;

    for (int i = 0; i < 2; i++)
        if (t->ruled[i] && !is_wanted(t, NULL, families[i]))
            rules_end(t, i);
    if (!t->marked || t->ruled[0] || t->ruled[1])
        return;
    marks_end(t);
    if (t->ops->set_mark(t->interface.name, 0, &err) < 0)
        log_error("%s", err.message);
}

void tunnel_routing_set(struct tunnel *t, int64_t user, struct sysctls *sysctls)
{
    struct error err;

    rules_init(&t->rules, t->interface.name, user);
    t->sysctls = sysctls;
    t->routing_told = true;
    if (rules_begin(t, NULL, &err) < 0)
        log_error("%s", err.message);
    /* Of one that crashed, and had peers with networks. */
    for (int i = 0; i < 2; i++)
        if (!t->ruled[i])
            rules_end(t, i);
    if (!t->marked)
        marks_end(t);
}

int tunnel_rules_check(struct tunnel *t, struct error *err)
{
    for (int i = 0; i < 2; i++) {
        int rc = t->ruled[i] ? rules_put(&t->rules, families[i], err) : 0;

        if (rc < 0)
            return rc;
    }
    return 0;
}

int tunnel_marks_check(struct tunnel *t, struct error *err)
{
    char name[64];

    table_name(t, name);
    if (!t->marked || ruleset_stands(t->ruleset, name))
        return 0;
    return put_table(t, err) < 0 ? -EIO : 1;
}

int tunnel_marks_again(struct tunnel *t, struct error *err)
{
    return t->marked ? t->ops->set_mark(t->interface.name, RULES_MARK, err) : 0;
}

void tunnel_routing_undo(struct tunnel *t)
{
    for (int i = 0; i < 2; i++)
        if (t->ruled[i])
            rules_end(t, i);
    if (t->marked)
        marks_end(t);
}

void tunnel_tidy(struct tunnel *t)
{
    struct error err;

    /* Rules for addresses that WireGuard lets nobody send from any more do no harm. */
    if (tunnel_inbound_apply(t, NULL, NULL, &err) < 0)
        log_warn("%s", err.message);
    if (t->routing_told)
        rules_tidy(t);
}

/* Routes */

static bool others_have(const struct tunnel *t, const struct peer *peer,
                        const struct prefix *prefix)
{
    for (size_t i = 0; i < t->peer_count; i++)
        if (t->peers[i] != peer && device_peer_allows(&t->peers[i]->device, prefix))
            return true;
    return false;
}

static uint32_t table_of(const struct tunnel *t, const struct prefix *prefix)
{
    return is_host(prefix) ? RT_TABLE_MAIN : t->rules.table;
}

int tunnel_routes(struct tunnel *t, const struct peer *peer, const struct device_peer *old,
                  const struct device_peer *new, struct error *err)
{
    int rc = 0;

    for (size_t i = 0; i < old->allowed_count; i++) {
        const struct prefix *to = &old->allowed[i];

        if (!device_peer_allows(new, to) && !on_link(t, to) && !others_have(t, peer, to))
            address_route(t->interface.name, to, table_of(t, to), false, NULL);
    }
    rc = t->routing_told ? rules_begin(t, new, err) : 0;
    for (size_t i = 0; rc == 0 && i < new->allowed_count; i++)
        if (!on_link(t, &new->allowed[i]))
            rc = address_route(t->interface.name, &new->allowed[i], table_of(t, &new->allowed[i]),
                               true, err);
    return rc;
}
