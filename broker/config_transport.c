/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/config_read.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "broker/program.h"

#define TOX_NAME          "tox"
#define TOX_COMMAND       "punchguard-signal-tox"
#define NAME_BYTES_MAX    32
#define COMMAND_WORDS_MAX 64
#define COMMAND_BYTES_MAX 4096

bool config_transport_is_tox(const struct config_transport *transport)
{
    const char *slash = strrchr(transport->command[0], '/');

    return strcmp(slash ? slash + 1 : transport->command[0], TOX_COMMAND) == 0;
}

/* The name is also a folder's, in the state folder. */
static int read_name(struct config_reader *reader, const struct json_at *transport, size_t index)
{
    static const char right[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
    struct config *config = reader->config;
    struct config_transport *own = &config->transports[index];
    struct json_at at;
    struct error err;

    if (json_require(transport, "name", &at, &err) < 0)
        return config_note(reader, &err);
    if (config_string(reader, &at, 1, NAME_BYTES_MAX, &own->name) < 0)
        return -EINVAL;
    if (strspn(own->name, right) != strlen(own->name) || own->name[0] == '-')
        return config_fail(reader, &at, "bad-transport-name",
                           "'%s' is no transport's name; small letters, digits, '_' and '-' are "
                           "right",
                           own->name);
    for (size_t i = 0; i < index; i++)
        if (config->transports[i].name != NULL &&
            strcmp(config->transports[i].name, own->name) == 0)
            return config_fail(
                reader, &at, "duplicate",
                "'%s' is the name of $.signalling[%zu] already; another one is right", own->name,
                i);
    return 0;
}

static int check_program(struct config_reader *reader, const struct json_at *at, const char *name)
{
    char path[PATH_MAX];
    struct error err;

    if (name[0] != '/' && strchr(name, '/') != NULL)
        return config_fail(
            reader, at, "bad-path",
            "'%.100s' is not an absolute path; that, or a program's name without '/' "
            "is right",
            name);
    if (program_find(name, path, sizeof path, &err) < 0)
        return config_fail(reader, at, err.code, "%s", err.message);
    return 0;
}

int config_read_command(struct config_reader *reader, const struct json_at *object,
                        const char *example, char ***command)
{
    struct json_at at, first;
    struct error err;
    size_t count;

    if (json_require(object, "command", &at, &err) < 0 ||
        json_as_array(&at, COMMAND_WORDS_MAX, &count, &err) < 0)
        return config_note(reader, &err);
    if (count == 0)
        return config_fail(reader, &at, "too-few",
                           "the command is empty; a program and its arguments are right, such as "
                           "[\"%s\"]",
                           example);
    *command = calloc(count + 1, sizeof **command);
    if (*command == NULL)
        return config_no_memory(reader);
    for (size_t i = 0; i < count; i++) {
        struct json_at word = json_item(&at, i);

        if (config_string(reader, &word, i == 0, COMMAND_BYTES_MAX, &(*command)[i]) < 0)
            return -EINVAL;
    }
    first = json_item(&at, 0);
    return check_program(reader, &first, (*command)[0]);
}

static int read_options(struct config_reader *reader, const struct json_at *transport,
                        struct config_transport *own)
{
    struct json_at at;
    struct error err;

    if (!json_member(transport, "options", &at))
        return 0;
    if (json_as_object(&at, NULL, &err) < 0)
        return config_note(reader, &err);
    own->options = json_text(&at);
    return own->options != NULL ? 0 : config_no_memory(reader);
}

static int read_transport(struct config_reader *reader, const struct json_at *at, size_t index)
{
    static const char *const known[] = {"name", "command", "options", NULL};
    struct config_transport *own = &reader->config->transports[index];
    struct error err;
    int rc;

    if (json_as_object(at, known, &err) < 0)
        return config_note(reader, &err);
    rc = read_name(reader, at, index);
    if (config_read_command(reader, at, TOX_COMMAND, &own->command) < 0)
        rc = -EINVAL;
    if (read_options(reader, at, own) < 0)
        rc = -EINVAL;
    return rc;
}

static int make_transports(struct config_reader *reader, size_t count)
{
    struct config *config = reader->config;

    config->transports = calloc(count, sizeof *config->transports);
    if (config->transports == NULL)
        return config_no_memory(reader);
    config->transport_count = count;
    return 0;
}

int config_read_signalling(struct config_reader *reader, const struct json_at *at)
{
    struct error err;
    size_t count;
    int rc = 0;

    if (json_as_array(at, CONFIG_TRANSPORTS_MAX, &count, &err) < 0)
        return config_note(reader, &err);
    if (count == 0)
        return config_fail(reader, at, "too-few",
                           "without a transport no peer can be reached; leave 'signalling' out for "
                           "those there are");
    if (make_transports(reader, count) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        struct json_at item = json_item(at, i);

        if (read_transport(reader, &item, i) < 0)
            rc = -EINVAL;
    }
    return rc;
}

static int default_transport(struct config_reader *reader, const char *name, const char *command)
{
    struct config_transport *own = &reader->config->transports[reader->config->transport_count++];

    own->name = strdup(name);
    own->command = calloc(2, sizeof *own->command);
    if (own->command != NULL)
        own->command[0] = strdup(command);
    if (own->name == NULL || own->command == NULL || own->command[0] == NULL)
        return config_no_memory(reader);
    return 0;
}

int config_default_signalling(struct config_reader *reader, const struct json_at *root)
{
    static const struct {
        const char *name, *command;
    } others[] = {{"lan", "punchguard-signal-lan"}, {"dht", "punchguard-signal-dht"}};
    struct json_at at = {.parent = root, .key = "signalling"};
    char path[PATH_MAX];

    if (make_transports(reader, 1 + sizeof others / sizeof others[0]) < 0)
        return -ENOMEM;
    reader->config->transport_count = 0;
    if (default_transport(reader, TOX_NAME, TOX_COMMAND) < 0)
        return -ENOMEM;
    /* A build may be without the others. */
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (program_find(others[i].command, path, sizeof path, &(struct error){.message = ""}) ==
                0 &&
            default_transport(reader, others[i].name, others[i].command) < 0)
            return -ENOMEM;
    return check_program(reader, &at, TOX_COMMAND);
}
