/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ice-agent/remote.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

/* RFC 8839 section 5.4. */
#define UFRAG_MIN 4
#define PWD_MIN   22

void remote_init(struct remote *remote, const struct prefix *exclude, size_t exclude_count)
{
    memset(remote, 0, sizeof *remote);
    remote->exclude = exclude;
    remote->exclude_count = exclude_count;
}

void remote_clear(struct remote *remote)
{
    sodium_memzero(remote, sizeof *remote);
}

static int check_text(const char *field, const char *text, size_t min, struct error *err)
{
    if (candidate_is_ice_text(text, min))
        return 0;
    error_set(err, "bad-value", "the field '%s' must have %zu to %d letters, digits, '+' or '/'",
              field, min, REMOTE_TEXT_MAX);
    return -EINVAL;
}

int remote_look(const struct remote *remote, const char *ufrag, const char *pwd, struct error *err)
{
    if (check_text("ufrag", ufrag, UFRAG_MIN, err) < 0 || check_text("pwd", pwd, PWD_MIN, err) < 0)
        return -EINVAL;
    if (strcmp(remote->ufrag, ufrag) == 0) {
        if (strcmp(remote->pwd, pwd) == 0)
            return 0;
        error_set(err, "bad-value",
                  "description: another pwd under the same ufrag; a restart needs a new ufrag");
        return -EINVAL;
    }
    return strcmp(remote->ufrag_before, ufrag) != 0;
}

int remote_describe(struct remote *remote, const char *ufrag, const char *pwd, struct error *err)
{
    int rc = remote_look(remote, ufrag, pwd, err);

    if (rc <= 0)
        return rc;
    strcpy(remote->ufrag_before, remote->ufrag);
    strcpy(remote->ufrag, ufrag);
    strcpy(remote->pwd, pwd);
    remote->count = 0;
    return 1;
}

static int take(struct remote *remote, const char *text, struct candidate *out, struct error *err)
{
    if (candidate_parse(out, text, err) < 0)
        return -EINVAL;
    for (size_t i = 0; i < remote->count; i++)
        if (candidate_equal(&remote->candidates[i], out))
            return 0;
    if (candidate_check(out, remote->exclude, remote->exclude_count, err) < 0)
        return -EINVAL;
    if (remote->count == REMOTE_CANDIDATES) {
        error_set(err, "too-many-candidates", "candidate: at most %d under one description",
                  REMOTE_CANDIDATES);
        return -EINVAL;
    }
    remote->candidates[remote->count++] = *out;
    return 1;
}

static void waiting_remove(struct remote *remote, size_t index)
{
    remote->waiting_count--;
    memmove(&remote->waiting[index], &remote->waiting[index + 1],
            (remote->waiting_count - index) * sizeof remote->waiting[0]);
}

/* The oldest gives way: it is the likeliest to belong to a description that will never come. */
static void wait_for_description(struct remote *remote, const char *ufrag, const char *text)
{
    struct remote_waiting *slot;

    for (size_t i = 0; i < remote->waiting_count; i++)
        if (strcmp(remote->waiting[i].ufrag, ufrag) == 0 &&
            strcmp(remote->waiting[i].candidate, text) == 0)
            return;
    if (remote->waiting_count == REMOTE_CANDIDATES)
        waiting_remove(remote, 0);
    slot = &remote->waiting[remote->waiting_count++];
    strcpy(slot->ufrag, ufrag);
    strcpy(slot->candidate, text);
}

int remote_add(struct remote *remote, const char *ufrag, const char *text, struct candidate *out,
               struct error *err)
{
    if (check_text("ufrag", ufrag, UFRAG_MIN, err) < 0)
        return -EINVAL;
    if (strcmp(remote->ufrag, ufrag) == 0)
        return take(remote, text, out, err);
    if (strlen(text) > REMOTE_CANDIDATE_MAX) {
        error_set(err, "bad-candidate", "candidate: %d bytes are right at most",
                  REMOTE_CANDIDATE_MAX);
        return -EINVAL;
    }
    wait_for_description(remote, ufrag, text);
    return 0;
}

int remote_take_waiting(struct remote *remote, struct candidate *out, struct error *err)
{
    for (size_t i = 0; i < remote->waiting_count; i++) {
        char text[REMOTE_CANDIDATE_MAX + 1];
        int rc;

        if (strcmp(remote->waiting[i].ufrag, remote->ufrag) != 0)
            continue;
        strcpy(text, remote->waiting[i].candidate);
        waiting_remove(remote, i--);
        rc = take(remote, text, out, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

void remote_done(struct remote *remote, const char *ufrag)
{
    snprintf(remote->done_ufrag, sizeof remote->done_ufrag, "%s", ufrag);
}

bool remote_is_done(const struct remote *remote)
{
    return remote->ufrag[0] != '\0' && strcmp(remote->done_ufrag, remote->ufrag) == 0;
}
