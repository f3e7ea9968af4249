/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/resume.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "protocol/file.h"
#include "protocol/log.h"
#include "protocol/message.h"

/* CONFIG_PEERS_MAX peers with all their pairs, 300 bytes a line. */
#define BYTES_MAX (1024 * 1024)

static struct resume *peer_with_id(struct resume *peers, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(peers[i].id, id) == 0)
            return &peers[i];
    return NULL;
}

static void memory_add(struct session_memory *memory, const struct message_resume *m)
{
    snprintf(memory->wg_public_key, sizeof memory->wg_public_key, "%s", m->wg_public_key);
    if (m->base.address[0] == '\0' || m->remote.address[0] == '\0' ||
        memory->pair_count == SESSION_PAIRS)
        return;
    memory->pairs[memory->pair_count++] =
        (struct session_pair){.base = m->base, .remote = m->remote};
}

static int line_read(char *line, struct resume *peers, size_t count)
{
    struct resume *peer;
    struct message m;
    struct error err;

    if (message_decode(line, strlen(line), ROLE_STATE, FROM_HELPER, &m, NULL, &err) < 0 ||
        m.type != MESSAGE_resume)
        return -EINVAL;
    peer = peer_with_id(peers, count, m.resume.id);
    if (peer != NULL)
        memory_add(&peer->memory, &m.resume);
    message_clear(&m);
    return 0;
}

void resume_read(const char *state_dir, struct resume *peers, size_t count)
{
    struct error err;
    size_t length, bad = 0;
    void *text = NULL;
    int folder = folder_open(state_dir, 0700, &err), rc = folder;

    if (folder >= 0) {
        rc = file_read(folder, RESUME_FILE, BYTES_MAX, &text, &length, &err);
        close(folder);
    }
    if (rc < 0) {
        if (rc != -ENOENT)
            log_warn("what is remembered of earlier paths can't be read: %s", err.message);
        return;
    }
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
        bad += line_read(line, peers, count) < 0;
    if (bad > 0)
        log_warn("%s/%s: %zu lines are no `resume` and are passed over", state_dir, RESUME_FILE,
                 bad);
    free(text);
}

static void line_write(FILE *out, const struct resume *peer, const struct session_pair *pair)
{
    struct message m;
    size_t length;
    char *line;

    message_init(&m, MESSAGE_resume);
    m.resume.id = (char *)(uintptr_t)peer->id;
    m.resume.wg_public_key = (char *)(uintptr_t)peer->memory.wg_public_key;
    if (pair != NULL) {
        m.resume.base = pair->base;
        m.resume.remote = pair->remote;
    }
    line = message_encode(&m, &length, NULL);
    if (line != NULL)
        fwrite(line, 1, length, out);
    free(line);
}

static void peer_write(FILE *out, const struct resume *peer)
{
    if (peer->memory.wg_public_key[0] == '\0')
        return;
    for (size_t i = 0; i < peer->memory.pair_count; i++)
        line_write(out, peer, &peer->memory.pairs[i]);
    if (peer->memory.pair_count == 0)
        line_write(out, peer, NULL);
}

int resume_write(const char *state_dir, const struct resume *peers, size_t count, struct error *err)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    int folder, rc;

    if (out == NULL) {
        error_set(err, "no-memory", "out of memory");
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++)
        peer_write(out, &peers[i]);
    fclose(out);
    folder = rc = folder_open(state_dir, 0700, err);
    if (folder >= 0) {
        rc = file_write(folder, RESUME_FILE, text, length, err);
        close(folder);
    }
    free(text);
    return rc;
}
