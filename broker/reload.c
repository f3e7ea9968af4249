/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/reload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/config_diff.h"
#include "broker/config_learned.h"
#include "broker/pairing.h"
#include "broker/pairing_broker.h"
#include "broker/resume.h"
#include "protocol/log.h"

/* All that can fail is made before anything is changed. */
struct reload {
    struct broker *broker;
    struct config *before, *after;
    bool reread; /* the file may say something else than before */
    struct config_diff *diff;
    struct peer **peers;           /* of `after`: those that go on, and new ones */
    struct transport **transports; /* likewise */
};

static void note(struct config_errors *errors, const struct error *err)
{
    if (errors->count < CONFIG_ERRORS_MAX)
        errors->items[errors->count++] = *err;
}

static void note_no_memory(struct config_errors *errors)
{
    struct error err;

    error_set(&err, "no-memory", "out of memory");
    note(errors, &err);
}

/* This user need not be able to read the file. */
static struct config *read_config(struct broker *broker, struct config_errors *errors)
{
    const char *path = broker->config->path;
    struct config *config;
    struct error err;
    int fd;

    if (broker->launcher == NULL)
        return config_load(path, errors);
    fd = launcher_open_config(broker->launcher, &err);
    if (fd < 0) {
        error_prefix(&err, "%.200s: ", path);
        note(errors, &err);
        return NULL;
    }
    config = config_load_open(path, fd, errors);
    close(fd);
    return config;
}

/* NULL with the errors filled. */
static struct config *read_all(struct broker *broker, struct config_errors *errors)
{
    struct config *config = read_config(broker, errors);

    if (config == NULL ||
        config_add_learned(config, pairing_learned(broker->pairing), broker->identity->public) == 0)
        return config;
    note_no_memory(errors);
    config_destroy(config);
    return NULL;
}

/* What the file said when it was read, with what is learned by now. NULL without memory. */
static struct config *learn_anew(struct broker *broker)
{
    struct config *config = config_copy_written(broker->config);

    if (config == NULL ||
        config_add_learned(config, pairing_learned(broker->pairing), broker->identity->public) == 0)
        return config;
    config_destroy(config);
    return NULL;
}

/* Before anything is changed */

static bool make_peers(struct reload *reload, struct config_errors *errors)
{
    const struct config *after = reload->after;
    struct resume *kept = broker_kept(after);
    struct error err;

    if (kept == NULL)
        note_no_memory(errors);
    for (size_t i = 0; kept != NULL && i < after->peer_count; i++) {
        size_t old = reload->diff->peers[i];

        if (old != CONFIG_DIFF_NONE)
            reload->peers[i] = reload->broker->peers[old];
        else
            reload->peers[i] = peer_new(reload->broker, &after->peers[i], i, &kept[i].memory, &err);
        if (reload->peers[i] == NULL)
            note(errors, &err);
    }
    free(kept);
    return errors->count == 0;
}

static bool make_transports(struct reload *reload, struct config_errors *errors)
{
    struct broker *broker = reload->broker;
    uint32_t slots = 0;

    for (size_t i = 0; i < broker->transport_count; i++)
        slots |= 1u << broker->transports[i]->slot;
    for (size_t i = 0; i < reload->after->transport_count; i++) {
        size_t old = reload->diff->transports[i];

        if (old != CONFIG_DIFF_NONE)
            reload->transports[i] = broker->transports[old];
        else
            reload->transports[i] = transport_new(broker, &reload->after->transports[i], i, slots);
        if (reload->transports[i] == NULL) {
            note_no_memory(errors);
            return false;
        }
        slots |= 1u << reload->transports[i]->slot;
    }
    return true;
}

/* `after` is there. */
static bool prepare(struct reload *reload, struct config_errors *errors)
{
    reload->diff = config_diff(reload->before, reload->after);
    reload->peers = calloc(reload->after->peer_count + 1, sizeof(struct peer *));
    reload->transports = calloc(reload->after->transport_count + 1, sizeof(struct transport *));
    if (reload->diff == NULL || reload->peers == NULL || reload->transports == NULL) {
        note_no_memory(errors);
        return false;
    }
    config_diff_keep(reload->before, reload->after);
    return make_peers(reload, errors) && make_transports(reload, errors);
}

static void give_back(struct reload *reload)
{
    if (reload->diff != NULL && reload->peers != NULL && reload->transports != NULL) {
        config_diff_keep(reload->before, reload->after);
        for (size_t i = 0; i < reload->after->peer_count; i++)
            if (reload->diff->peers[i] == CONFIG_DIFF_NONE && reload->peers[i] != NULL)
                peer_discard(reload->peers[i]);
        for (size_t i = 0; i < reload->after->transport_count; i++)
            if (reload->diff->transports[i] == CONFIG_DIFF_NONE)
                transport_free(reload->transports[i]);
    }
    free(reload->peers);
    free(reload->transports);
    config_destroy(reload->after);
}

/* The change itself */

static void end_what_goes(struct reload *reload)
{
    struct broker *broker = reload->broker;

    for (size_t i = 0; i < reload->diff->count; i++) {
        const struct config_change *change = &reload->diff->items[i];

        if (change->type == CONFIG_PEER_REMOVED)
            peer_remove(broker->peers[change->before]);
    }
    for (size_t i = 0; i < reload->diff->count; i++) {
        const struct config_change *change = &reload->diff->items[i];

        if (change->type == CONFIG_TRANSPORT_REMOVED || change->type == CONFIG_TRANSPORT_CHANGED)
            transport_retire(broker->transports[change->before]);
    }
}

static void put_in_place(struct reload *reload)
{
    struct broker *broker = reload->broker;
    struct config *config = reload->after;

    free(broker->peers);
    free(broker->transports);
    broker->config = config;
    broker->peers = reload->peers;
    broker->peer_count = config->peer_count;
    broker->transports = reload->transports;
    broker->transport_count = config->transport_count;
    for (size_t i = 0; i < config->peer_count; i++)
        broker->peers[i]->config = &config->peers[i];
    for (size_t i = 0; i < config->transport_count; i++) {
        broker->transports[i]->config = &config->transports[i];
        broker->transports[i]->index = i;
    }
    hooks_set(broker->hooks, config->hooks, config->hook_count);
}

static void transport_begins(struct transport *transport)
{
    struct error err;

    if (transport_start(transport, &err) < 0)
        transport_down(transport, &err);
}

/* Transports that begin are told of all peers once they are ready. */
static void peer_begins(struct reload *reload, struct peer *peer)
{
    struct broker *broker = reload->broker;

    if (broker->wg.public_key[0] != '\0')
        peer_set_hello(peer);
    for (size_t i = 0; i < broker->transport_count; i++)
        transport_peer_add(broker->transports[i], peer);
    if (broker->wg.ready)
        peer_handle(peer, SESSION_WG_READY, 0, NULL);
}

static void peer_moves(struct reload *reload, const struct config_change *change)
{
    const struct config_peer *before = &reload->before->peers[change->before];
    struct peer *peer = reload->peers[change->after];

    for (size_t i = 0; i < reload->broker->transport_count; i++) {
        struct transport *transport = reload->broker->transports[i];
        const char *old = config_peer_address(reload->before, before, transport->name);
        const char *new = peer->config->addresses[i];

        if (reload->diff->transports[i] == CONFIG_DIFF_NONE)
            continue;
        if (old == NULL || new == NULL ? old != new : strcmp(old, new) != 0)
            transport_peer_change(transport, peer);
    }
}

static void carry_out(struct reload *reload, const struct config_change *change)
{
    switch (change->type) {
    case CONFIG_TRANSPORT_ADDED:
    case CONFIG_TRANSPORT_CHANGED:
        transport_begins(reload->transports[change->after]);
        break;
    case CONFIG_PEER_ADDED:
        peer_begins(reload, reload->peers[change->after]);
        break;
    case CONFIG_PEER_ADDRESSES:
        peer_moves(reload, change);
        break;
    case CONFIG_PEER_ALLOWED:
    case CONFIG_PEER_INBOUND:
        peer_handle(reload->peers[change->after], SESSION_GRANTED, 0, NULL);
        break;
    case CONFIG_PEER_ORIGIN:
        peer_handle(reload->peers[change->after], SESSION_GRANTED_ANEW, 0, NULL);
        break;
    case CONFIG_TRANSPORT_REMOVED:
    case CONFIG_PEER_REMOVED:
    case CONFIG_ICE:
    case CONFIG_NAME:
    case CONFIG_INTRODUCTIONS:
    case CONFIG_HOOKS:
    case CONFIG_NAMES:
    case CONFIG_RESTART:
        break;
    }
}

/* What wg-setup reads, too. */
static bool grants_differ(const struct config_diff *diff)
{
    for (size_t i = 0; i < diff->count; i++)
        if (diff->items[i].type == CONFIG_PEER_ADDED ||
            diff->items[i].type == CONFIG_PEER_REMOVED ||
            diff->items[i].type == CONFIG_PEER_ALLOWED ||
            diff->items[i].type == CONFIG_PEER_INBOUND ||
            diff->items[i].type == CONFIG_PEER_ORIGIN || diff->items[i].type == CONFIG_NAME ||
            diff->items[i].type == CONFIG_NAMES)
            return true;
    return false;
}

static void apply(struct reload *reload)
{
    end_what_goes(reload);
    put_in_place(reload);
    /* Before the peers that are granted something else. */
    if (reload->reread && grants_differ(reload->diff))
        wireguard_reload(reload->broker);
    for (size_t i = 0; i < reload->diff->count; i++)
        carry_out(reload, &reload->diff->items[i]);
    broker_keep(reload->broker);
}

/* The word of it */

static void take_changes(struct reload_result *result, const struct config_diff *diff)
{
    result->changed = calloc(diff->count + 1, sizeof *result->changed);
    for (size_t i = 0; result->changed != NULL && i < diff->count; i++) {
        result->changed[result->changed_count] = strdup(diff->items[i].text);
        if (result->changed[result->changed_count] != NULL)
            result->changed_count++;
    }
}

static void tell(struct broker *broker, const struct config_diff *diff,
                 const struct reload_result *result)
{
    size_t count = result->changed_count;
    struct message event;

    for (size_t i = 0; i < diff->count; i++) {
        if (diff->items[i].type == CONFIG_RESTART)
            log_warn("%s: %s", broker->config->path, diff->items[i].text);
        else
            log_info("%s: %s", broker->config->path, diff->items[i].text);
    }
    if (diff->count == 0)
        log_info("%s: nothing differs", broker->config->path);
    notify_status(broker->notify, "read the configuration again, %zu changes", diff->count);
    message_init(&event, MESSAGE_event_reload);
    event.event_reload.changed.items = result->changed;
    event.event_reload.changed.count = count < RELOAD_CHANGES_MAX ? count : RELOAD_CHANGES_MAX;
    event_emit(broker->events, &event);
}

static void tell_errors(struct broker *broker, const struct config_errors *errors)
{
    for (size_t i = 0; i < errors->count; i++) {
        log_error("%s", errors->items[i].message);
        event_emit_error(broker->events, NULL, errors->items[i].code, errors->items[i].message);
    }
    log_warn("the configuration was not taken: everything stays as it was");
    notify_status(broker->notify, "configuration not taken: %s", errors->items[0].message);
}

int broker_reload(struct broker *broker, struct reload_result *result)
{
    struct reload reload = {.broker = broker, .before = broker->config, .reread = true};
    int rc = 0;

    memset(result, 0, sizeof *result);
    reload.after = read_all(broker, &result->errors);
    if (reload.after == NULL || !prepare(&reload, &result->errors)) {
        tell_errors(broker, &result->errors);
        give_back(&reload);
        rc = -EINVAL;
    } else {
        take_changes(result, reload.diff);
        if (reload.diff->count > 0)
            apply(&reload);
        else
            give_back(&reload);
        tell(broker, reload.diff, result);
        if (broker->config != reload.before) {
            pairing_broker_say_collisions(broker, reload.before);
            config_destroy(reload.before);
        }
    }
    config_diff_destroy(reload.diff);
    return rc;
}

int broker_relearn(struct broker *broker)
{
    struct config_errors errors = {.count = 0};
    struct reload reload = {.broker = broker, .before = broker->config};
    int rc = 0;

    reload.after = learn_anew(broker);
    if (reload.after == NULL)
        note_no_memory(&errors);
    if (reload.after == NULL || !prepare(&reload, &errors)) {
        log_error("%s", errors.items[0].message);
        give_back(&reload);
        rc = -EINVAL;
    } else {
        for (size_t i = 0; i < reload.diff->count; i++)
            log_info("%s", reload.diff->items[i].text);
        apply(&reload);
        pairing_broker_say_collisions(broker, reload.before);
        config_destroy(reload.before);
    }
    config_diff_destroy(reload.diff);
    return rc;
}

void reload_result_clear(struct reload_result *result)
{
    for (size_t i = 0; i < result->changed_count; i++)
        free(result->changed[i]);
    free(result->changed);
    memset(result, 0, sizeof *result);
}
