/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "protocol/file.h"
#include "protocol/json.h"
#include "punchguard/command.h"
#include "punchguard/service.h"
#include "punchguard/settings.h"

#define CONFIG_BYTES_MAX (1024 * 1024)
/* What punchguard-ice-agent(8) takes. */
#define SERVERS_MAX 32

/* The command line of the helper; the servers are owned. */
struct asking {
    char *servers[SERVERS_MAX];
    size_t count;
    bool chosen; /* by the command line or the configuration, not the helper */
};

static int server_add(struct asking *asking, const char *text, struct error *err)
{
    if (asking->count == SERVERS_MAX) {
        error_set(err, "too-many", "at most %d STUN servers are right", SERVERS_MAX);
        return -EINVAL;
    }
    asking->servers[asking->count] = strdup(text);
    if (asking->servers[asking->count] == NULL) {
        error_set(err, "no-memory", "out of memory");
        return -ENOMEM;
    }
    asking->count++;
    asking->chosen = true;
    return 0;
}

static int servers_take(struct asking *asking, const struct json_at *stun, struct error *err)
{
    size_t count;
    const char *text;

    if (json_as_array(stun, SERVERS_MAX, &count, err) < 0)
        return -EINVAL;
    if (count == 0)
        return json_fail(stun, err, "no-server",
                         "there is no STUN server to ask; --stun names one");
    for (size_t i = 0; i < count; i++) {
        struct json_at item = json_item(stun, i);

        if (json_as_string(&item, &text, err) < 0 || server_add(asking, text, err) < 0)
            return -EINVAL;
    }
    return 0;
}

static int config_take(struct asking *asking, const struct json *document, struct error *err)
{
    struct json_at root = json_root(document), ice, stun;

    if (json_as_object(&root, NULL, err) < 0)
        return -EINVAL;
    if (!json_member(&root, "ice", &ice))
        return 0;
    if (json_as_object(&ice, NULL, err) < 0)
        return -EINVAL;
    return json_member(&ice, "stun", &stun) ? servers_take(asking, &stun, err) : 0;
}

static int config_read(struct asking *asking, const char *path, struct error *err)
{
    struct json *document;
    size_t length;
    void *text;
    int rc = file_read(AT_FDCWD, path, CONFIG_BYTES_MAX, &text, &length, err);

    if (rc < 0)
        return rc;
    document = json_parse(text, length, err);
    rc = document != NULL ? config_take(asking, document, err) : -EINVAL;
    json_destroy(document);
    sodium_memzero(text, length); /* a TURN server's password may be in it */
    free(text);
    if (rc < 0)
        error_prefix(err, "%.200s: ", path);
    return rc;
}

/* Where the configuration can't be read, the helper's own servers are asked. */
static enum outcome servers_find(struct asking *asking, const struct context *context,
                                 struct error *err)
{
    struct settings settings;
    enum outcome outcome = settings_read(context, false, &settings, err);

    if (outcome != OUTCOME_OK || asking->chosen || !settings.there)
        return outcome;
    return config_read(asking, settings.config, err) < 0 ? OUTCOME_USAGE : OUTCOME_OK;
}

/* Comes back only where it can't be run. */
static enum outcome become(const struct asking *asking, bool json)
{
    char program[PATH_MAX];
    char *argv[3 + 2 * SERVERS_MAX + 1] = {program, (char *)(uintptr_t) "--netcheck"};
    size_t count = 2;

    service_program("punchguard-ice-agent", program, sizeof program);
    if (json)
        argv[count++] = (char *)(uintptr_t) "--json";
    for (size_t i = 0; i < asking->count; i++) {
        argv[count++] = (char *)(uintptr_t) "--stun";
        argv[count++] = asking->servers[i];
    }
    command_asking(asking->count);
    execvp(program, argv);
    return command_failf(OUTCOME_FAILED, "cannot run %s: %s", program, strerror(errno));
}

static enum outcome run(struct context *context, int argc, char **argv)
{
    static const struct option options[] = {{"stun", required_argument, NULL, OPTION_OWN},
                                            {NULL, 0, NULL, 0}};
    struct asking asking = {.count = 0};
    struct error err;
    enum outcome outcome = OUTCOME_OK;

    while (command_option(context, argc, argv, "", options, 0, 0) == OPTION_OWN &&
           outcome == OUTCOME_OK)
        if (server_add(&asking, optarg, &err) < 0)
            outcome = OUTCOME_USAGE;
    if (outcome == OUTCOME_OK)
        outcome = servers_find(&asking, context, &err);
    outcome = outcome == OUTCOME_OK ? become(&asking, context->json) : command_fail(outcome, &err);
    while (asking.count > 0)
        free(asking.servers[--asking.count]);
    return outcome;
}

const struct command command_netcheck = {
    .name = "netcheck",
    .arguments = "[--stun HOST[:PORT]]...",
    .summary = "Say what NATs and firewalls do, and with whom one can punch",
    .help = "  --stun HOST[:PORT]  a STUN server in place of the configuration's\n",
    .run = run,
};
