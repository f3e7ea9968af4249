/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "punchguard/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/file.h"
#include "protocol/interface.h"
#include "protocol/json.h"

#define CONFIG_BYTES_MAX  (1024 * 1024)
#define STATE_DIR_DEFAULT "/var/lib/punchguard"
#define SOCKET_FOLDER     "/run/punchguard"

static int take_control(const struct json_at *root, struct settings *settings, struct error *err)
{
    struct interface interface;
    struct json_at at;
    const char *control;

    interface_init(&interface);
    if (json_as_object(root, NULL, err) < 0)
        return -EINVAL;
    if (json_member(root, "interface", &at) && interface_read(&interface, &at, err) < 0)
        return -EINVAL;
    if (!json_member(root, "control", &at)) {
        snprintf(settings->socket, sizeof settings->socket, SOCKET_FOLDER "/%s.sock",
                 interface.name);
        return 0;
    }
    if (json_as_string(&at, &control, err) < 0)
        return -EINVAL;
    if (control[0] != '/' || strlen(control) >= sizeof settings->socket)
        return json_fail(&at, err, "bad-path", "an absolute path of at most %zu bytes is right",
                         sizeof settings->socket - 1);
    strcpy(settings->socket, control);
    return 0;
}

static int take_state_dir(const struct json_at *root, struct settings *settings, struct error *err)
{
    struct json_at at;
    const char *path;

    if (!json_member(root, "state_dir", &at))
        return 0;
    if (json_as_string(&at, &path, err) < 0)
        return -EINVAL;
    if (path[0] != '/' || strlen(path) >= sizeof settings->state_dir)
        return json_fail(&at, err, "bad-path", "an absolute path is right");
    strcpy(settings->state_dir, path);
    return 0;
}

static int config_parse(const char *text, size_t length, struct settings *settings,
                        struct error *err)
{
    struct json *document = json_parse(text, length, err);
    struct json_at root;
    int rc = -EINVAL;

    if (document != NULL) {
        root = json_root(document);
        rc = take_control(&root, settings, err);
        if (rc == 0)
            rc = take_state_dir(&root, settings, err);
    }
    json_destroy(document);
    if (rc < 0)
        error_prefix(err, "%.200s: ", settings->config);
    return rc;
}

static int config_read(struct settings *settings, struct error *err)
{
    size_t length;
    void *text;
    int rc = file_read(AT_FDCWD, settings->config, CONFIG_BYTES_MAX, &text, &length, err);

    settings->there = rc == 0;
    settings->problem = rc;
    if (rc < 0)
        return rc;
    rc = config_parse(text, length, settings, err);
    sodium_memzero(text, length); /* a TURN server's password may be in it */
    free(text);
    return rc;
}

/* Symbolic links to its folder are followed; a socket itself need not be there yet. */
static char *socket_resolve(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    char folder[PATH_MAX] = ".", *real, *resolved = NULL;

    if (slash != NULL)
        snprintf(folder, sizeof folder, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    real = realpath(folder, NULL);
    if (real != NULL && asprintf(&resolved, "%s/%s", real, name) < 0)
        resolved = NULL;
    free(real);
    return resolved;
}

static bool is_same_socket(const char *one, const char *other)
{
    char *real_one = socket_resolve(one), *real_other = socket_resolve(other);
    bool same =
        strcmp(real_one != NULL ? real_one : one, real_other != NULL ? real_other : other) == 0;

    free(real_one);
    free(real_other);
    return same;
}

static enum outcome take_socket(const char *socket, struct settings *settings, struct error *err)
{
    if (strlen(socket) >= sizeof settings->socket) {
        error_set(err, "bad-path", "--socket: a path of at most %zu bytes is right",
                  sizeof settings->socket - 1);
        return OUTCOME_USAGE;
    }
    settings->elsewhere = !settings->uncertain && !is_same_socket(settings->socket, socket);
    strcpy(settings->socket, socket);
    return OUTCOME_OK;
}

enum outcome settings_read(const struct context *context, bool may_be_made,
                           struct settings *settings, struct error *err)
{
    const char *path = context->config != NULL ? context->config : CONFIG_DEFAULT;
    char *real = realpath(path, NULL);
    int rc;

    snprintf(settings->config, sizeof settings->config, "%s", real != NULL ? real : path);
    free(real);
    snprintf(settings->socket, sizeof settings->socket, SOCKET_FOLDER "/pg0.sock");
    snprintf(settings->state_dir, sizeof settings->state_dir, STATE_DIR_DEFAULT);
    settings->elsewhere = false;
    rc = config_read(settings, err);
    settings->uncertain = rc < 0 && rc != -ENOENT;
    if (context->socket != NULL)
        return take_socket(context->socket, settings, err);
    if (rc == 0 || (!settings->there && context->config == NULL) || (rc == -ENOENT && may_be_made))
        return OUTCOME_OK;
    return settings->problem == -EACCES ? OUTCOME_NOT_PERMITTED : OUTCOME_USAGE;
}
