/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/config_read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_DEFAULT 10 /* s */
#define TIMEOUT_MAX     300

/* Those that are rare enough for a process each. */
static const enum message_type hooked[] = {
    MESSAGE_event_ready,  MESSAGE_event_peer_up,  MESSAGE_event_peer_down,
    MESSAGE_event_path,   MESSAGE_event_presence, MESSAGE_event_transport,
    MESSAGE_event_helper, MESSAGE_event_reload,   MESSAGE_event_error,
};

#define HOOKED_COUNT (sizeof hooked / sizeof hooked[0])

uint32_t config_hook_event(enum message_type type)
{
    for (size_t i = 0; i < HOOKED_COUNT; i++)
        if (hooked[i] == type)
            return UINT32_C(1) << i;
    return 0;
}

static uint32_t event_named(const char *name)
{
    for (size_t i = 0; i < HOOKED_COUNT; i++)
        if (strcmp(message_type_name(hooked[i]), name) == 0)
            return UINT32_C(1) << i;
    return 0;
}

static int bad_event(struct config_reader *reader, const struct json_at *at, const char *name)
{
    char list[200] = "";

    for (size_t i = 0; i < HOOKED_COUNT; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "",
                 message_type_name(hooked[i]));
    return config_fail(reader, at, "bad-event",
                       "'%.40s' is no event that a hook can be run on; right are %s", name, list);
}

static int read_events(struct config_reader *reader, const struct json_at *hook,
                       struct config_hook *own)
{
    struct json_at at;
    struct error err;
    size_t count;

    if (json_require(hook, "events", &at, &err) < 0 ||
        json_as_array(&at, HOOKED_COUNT, &count, &err) < 0)
        return config_note(reader, &err);
    if (count == 0)
        return config_fail(reader, &at, "too-few",
                           "the list is empty; events are right, such as [\"peer-up\", "
                           "\"peer-down\"]");
    for (size_t i = 0; i < count; i++) {
        struct json_at item = json_item(&at, i);
        const char *name;
        uint32_t bit;

        if (json_as_string(&item, &name, &err) < 0)
            return config_note(reader, &err);
        bit = event_named(name);
        if (bit == 0)
            return bad_event(reader, &item, name);
        own->events |= bit;
    }
    return 0;
}

static int read_timeout(struct config_reader *reader, const struct json_at *hook,
                        struct config_hook *own)
{
    int64_t seconds = TIMEOUT_DEFAULT;
    struct json_at at;
    struct error err;

    if (json_member(hook, "timeout", &at) &&
        json_as_integer(&at, 1, TIMEOUT_MAX, &seconds, &err) < 0)
        return config_note(reader, &err);
    own->timeout = (int)seconds;
    return 0;
}

static int read_hook(struct config_reader *reader, const struct json_at *at,
                     struct config_hook *own)
{
    static const char *const known[] = {"events", "command", "timeout", NULL};
    struct error err;
    int rc;

    if (json_as_object(at, known, &err) < 0)
        return config_note(reader, &err);
    rc = read_events(reader, at, own);
    if (config_read_command(reader, at, "/usr/local/bin/on-peer", &own->command) < 0)
        rc = -EINVAL;
    if (read_timeout(reader, at, own) < 0)
        rc = -EINVAL;
    return rc;
}

int config_read_hooks(struct config_reader *reader, const struct json_at *at)
{
    struct config *config = reader->config;
    struct error err;
    size_t count;
    int rc = 0;

    if (json_as_array(at, CONFIG_HOOKS_MAX, &count, &err) < 0)
        return config_note(reader, &err);
    config->hooks = calloc(count + 1, sizeof *config->hooks);
    if (config->hooks == NULL)
        return config_no_memory(reader);
    config->hook_count = count;
    for (size_t i = 0; i < count; i++) {
        struct json_at item = json_item(at, i);

        if (read_hook(reader, &item, &config->hooks[i]) < 0)
            rc = -EINVAL;
    }
    return rc;
}
