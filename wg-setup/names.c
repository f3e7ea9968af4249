/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wg-setup/names.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "protocol/log.h"
#include "wg-setup/hosts.h"
#include "wg-setup/hosts_file.h"

/* Whoever writes the file right now is given so long, when we end. */
#define LAST_TRIES  20
#define LAST_TRY_MS 10

struct names {
    const char *path, *interface;
    int64_t due;       /* 0: not at all */
    struct stat after; /* of the file, when we had written it */
    bool written;
    char *complaints; /* as they were said last; NULL before the first */
    int failure;      /* said last; 0 where it was written */
};

/* What is to be written */

struct gathering {
    const struct grants *grants;
    const struct tunnel *tunnel;
    struct hosts_list list;
    FILE *complaints; /* one a line */
};

static void add(struct gathering *g, const char *name, const struct prefix *prefixes, size_t count)
{
    struct error err;

    if (hosts_list_add(&g->list, name, prefixes, count, &err) == 0)
        return;
    /* It may be a stranger's: the log must not be made to say something else. */
    fputc('\'', g->complaints);
    for (; *name != '\0'; name++)
        fputc((unsigned char)*name < ' ' || *name == 0x7f ? '?' : *name, g->complaints);
    fprintf(g->complaints, "' has no name in " HOSTS_DOMAIN ": %s\n", err.message);
}

static void add_own(struct gathering *g, const struct interface *interface)
{
    struct prefix single[INTERFACE_ADDRESSES_MAX];

    for (size_t i = 0; i < interface->address_count; i++) {
        single[i] = interface->addresses[i];
        single[i].length = single[i].family == AF_INET6 ? 128 : 32;
    }
    add(g, grants_name(g->grants), single, interface->address_count);
}

static void add_granted(struct gathering *g, const struct grant *grant)
{
    const struct prefix *allowed = grant->allowed;
    size_t count = grant->allowed_count;
    struct prefix derived[2];

    if (count == 0) {
        id_overlay(grant->key, &derived[0], &derived[1]);
        allowed = derived;
        count = 2;
    }
    tunnel_peer_allowed(g->tunnel, grant->peer, &allowed, &count);
    add(g, grant->peer, allowed, count);
}

static void on_peer(void *data, const char *name, const struct prefix *allowed, size_t count)
{
    struct gathering *g = data;

    if (!grants_have(g->grants, name))
        add(g, name, allowed, count);
}

/* The configuration's before those that were learned. NULL without memory. */
static char *gather(struct gathering *g, const struct interface *interface)
{
    const struct grant *grant;
    char *text;

    add_own(g, interface);
    for (size_t i = 0; (grant = grants_at(g->grants, i)) != NULL; i++)
        add_granted(g, grant);
    tunnel_each_peer(g->tunnel, on_peer, g);
    text = hosts_list_text(&g->list);
    hosts_list_clear(&g->list);
    return text;
}

/* Once, until they are others. */
static void complain(struct names *names, char *complaints)
{
    if (complaints != NULL &&
        (names->complaints == NULL || strcmp(names->complaints, complaints) != 0)) {
        char *copy = strdup(complaints), *rest = copy, *line;

        while (copy != NULL && (line = strsep(&rest, "\n")) != NULL)
            if (*line != '\0')
                log_warn("%s", line);
        free(copy);
    }
    free(names->complaints);
    names->complaints = complaints;
}

static char *wanted_lines(struct names *names, const struct grants *grants,
                          const struct tunnel *tunnel, const struct interface *interface)
{
    struct gathering g = {.grants = grants, .tunnel = tunnel};
    char *lines = NULL, *complaints = NULL;
    size_t size;

    if (!grants_want_names(grants))
        return strdup("");
    g.complaints = open_memstream(&complaints, &size);
    if (g.complaints == NULL)
        return NULL;
    lines = gather(&g, interface);
    if (fclose(g.complaints) == 0)
        complain(names, complaints);
    return lines;
}

/* Writing it */

static void say_failure(struct names *names, int rc, const struct error *err)
{
    if (rc == names->failure)
        return;
    names->failure = rc;
    if (rc == -EROFS || rc == -EACCES || rc == -EPERM)
        log_warn("%s; names ending in ." HOSTS_DOMAIN " are not kept there. Start it anew where "
                 "somebody has replaced the file; or \"names\": false in the configuration does "
                 "without them",
                 err->message);
    else
        log_warn("%s; names ending in ." HOSTS_DOMAIN " are not kept there", err->message);
}

static int put(struct names *names, const char *lines)
{
    struct error err;
    int rc = hosts_file_put(names->path, names->interface, lines, &err);

    if (rc == -EAGAIN)
        return rc;
    if (rc < 0) {
        /* What we never wrote need not be removed. */
        if (lines[0] != '\0' || names->written)
            say_failure(names, rc, &err);
        return rc;
    }
    names->failure = 0;
    names->written = lines[0] != '\0';
    if (stat(names->path, &names->after) < 0)
        memset(&names->after, 0, sizeof names->after);
    return rc;
}

struct names *names_new(const char *path, const char *interface)
{
    struct names *names = calloc(1, sizeof *names);

    if (names != NULL) {
        names->path = path;
        names->interface = interface;
    }
    return names;
}

void names_destroy(struct names *names)
{
    if (names == NULL)
        return;
    free(names->complaints);
    free(names);
}

void names_touch(struct names *names, int64_t now_ms)
{
    if (names->due == 0 || names->due > now_ms + NAMES_WRITE_MS)
        names->due = now_ms + NAMES_WRITE_MS;
}

int names_timeout(const struct names *names, int64_t now_ms)
{
    if (names->due == 0)
        return -1;
    return names->due > now_ms ? (int)(names->due - now_ms) : 0;
}

void names_tick(struct names *names, const struct grants *grants, const struct tunnel *tunnel,
                const struct interface *interface, int64_t now_ms)
{
    char *lines;
    int rc;

    if (names->due == 0 || names->due > now_ms)
        return;
    names->due = 0;
    lines = wanted_lines(names, grants, tunnel, interface);
    rc = lines ? put(names, lines) : -ENOMEM;
    free(lines);
    if (rc == -EAGAIN)
        names->due = now_ms + NAMES_WRITE_MS;
    else if (rc < 0)
        names->due = now_ms + NAMES_AGAIN_MS;
}

bool names_were_disturbed(const struct names *names)
{
    struct stat now;

    if (!names->written || stat(names->path, &now) < 0)
        return names->written;
    return now.st_ino != names->after.st_ino || now.st_size != names->after.st_size ||
           now.st_mtim.tv_sec != names->after.st_mtim.tv_sec ||
           now.st_mtim.tv_nsec != names->after.st_mtim.tv_nsec;
}

void names_remove(struct names *names)
{
    const struct timespec pause = {.tv_nsec = LAST_TRY_MS * 1000000L};

    for (int i = 0; put(names, "") == -EAGAIN && i < LAST_TRIES; i++)
        nanosleep(&pause, NULL);
}
