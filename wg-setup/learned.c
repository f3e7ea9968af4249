/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wg-setup/learned.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/file.h"
#include "protocol/json.h"
#include "protocol/log.h"

/* The broker's own bound: LEARNED_PEERS_MAX peers with all addresses. */
#define BYTES_MAX (4 * 1024 * 1024)
#define PEERS_MAX 1024

struct learned {
    struct grant items[PEERS_MAX];
    size_t count;
    char path[PATH_MAX];
    void *text; /* NULL where there is none, or it has been parsed */
    size_t length;
};

/* Secrets of invitations stand there, too. */
static void text_wipe(struct learned *learned)
{
    if (learned->text != NULL)
        explicit_bzero(learned->text, learned->length);
    free(learned->text);
    learned->text = NULL;
}

static void warn(const struct learned *learned, const struct error *err)
{
    log_warn("%s: %s; a peer that stands and is not in the configuration may begin nothing until "
             "it is set again",
             learned->path, err->message);
}

void learned_destroy(struct learned *learned)
{
    if (learned == NULL)
        return;
    for (size_t i = 0; i < learned->count; i++)
        grant_clear(&learned->items[i]);
    text_wipe(learned);
    free(learned);
}

/* Whatever else stands there, it gives a peer the addresses of its id and no other. */
static int read_peer(struct learned *learned, const struct json_at *at, struct error *err)
{
    struct grant *grant = &learned->items[learned->count];
    struct json_at member;

    if (json_as_object(at, NULL, err) < 0)
        return -EINVAL;
    if (json_member(at, "introduced_by", &member))
        return 0;
    if (grant_read(grant, at, err) < 0)
        return -EINVAL;
    snprintf(grant->peer, sizeof grant->peer, "/%zu", learned->count++);
    free(grant->allowed);
    grant->allowed_count = 0;
    grant->allowed = calloc(2, sizeof *grant->allowed);
    if (grant->allowed == NULL)
        return -ENOMEM;
    grant->allowed_count = 2;
    id_overlay(grant->key, &grant->allowed[0], &grant->allowed[1]);
    return 0;
}

static int read_peers(struct learned *learned, const struct json_at *root, struct error *err)
{
    struct json_at peers;
    size_t count;

    if (json_as_object(root, NULL, err) < 0 || json_require(root, "peers", &peers, err) < 0 ||
        json_as_array(&peers, PEERS_MAX, &count, err) < 0)
        return -EINVAL;
    for (size_t i = 0; i < count; i++) {
        struct json_at item = json_item(&peers, i);

        if (read_peer(learned, &item, err) < 0)
            return -EINVAL;
    }
    return 0;
}

struct learned *learned_read(const char *state_dir)
{
    struct learned *learned = calloc(1, sizeof *learned);
    struct error err;
    int rc;

    if (learned == NULL)
        return NULL;
    snprintf(learned->path, sizeof learned->path, "%s/" PEERS_LEARNED_FILE, state_dir);
    rc = file_read(AT_FDCWD, learned->path, BYTES_MAX, &learned->text, &learned->length, &err);
    if (rc < 0 && rc != -ENOENT)
        warn(learned, &err);
    return learned;
}

void learned_parse(struct learned *learned)
{
    struct json *document;
    struct json_at root;
    struct error err = {.message = "out of memory"};
    int rc = -EINVAL;

    if (learned->text == NULL)
        return;
    document = json_parse(learned->text, learned->length, &err);
    if (document != NULL) {
        root = json_root(document);
        rc = read_peers(learned, &root, &err);
    }
    if (rc < 0)
        warn(learned, &err);
    json_destroy(document);
    text_wipe(learned);
}

const struct grant *learned_of(const struct learned *learned, const struct prefix *prefix)
{
    for (size_t i = 0; i < learned->count; i++)
        for (size_t k = 0; k < learned->items[i].allowed_count; k++)
            if (prefix_equal(&learned->items[i].allowed[k], prefix))
                return &learned->items[i];
    return NULL;
}

const struct grant *learned_nobody(void)
{
    static const struct grant nobody = {.peer = "/", .inbound = {.kind = INBOUND_NONE}};

    return &nobody;
}
