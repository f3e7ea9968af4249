/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the peer has said about itself, in whatever order it came, as often as it came, and never
 * more than a bound of it. Pure: no I/O.
 */
#ifndef ICE_AGENT_REMOTE_H
#define ICE_AGENT_REMOTE_H

#include "ice-agent/candidate.h"

/* Candidates of one description (DESIGN.md section 5). */
#define REMOTE_CANDIDATES 20
/* Longest ufrag and pwd (RFC 8839 section 5.4), and longest candidate that the protocol carries. */
#define REMOTE_TEXT_MAX      256
#define REMOTE_CANDIDATE_MAX 512

struct remote_waiting {
    char ufrag[REMOTE_TEXT_MAX + 1];
    char candidate[REMOTE_CANDIDATE_MAX + 1];
};

struct remote {
    const struct prefix *exclude; /* not owned */
    size_t exclude_count;
    char ufrag[REMOTE_TEXT_MAX + 1]; /* "": no description yet */
    char pwd[REMOTE_TEXT_MAX + 1];
    char ufrag_before[REMOTE_TEXT_MAX + 1]; /* of the description before this one */
    struct candidate candidates[REMOTE_CANDIDATES];
    size_t count;
    struct remote_waiting
        waiting[REMOTE_CANDIDATES]; /* came before their description; oldest first */
    size_t waiting_count;
    char done_ufrag[REMOTE_TEXT_MAX + 1]; /* of the last candidates-done */
};

void remote_init(struct remote *remote, const struct prefix *exclude, size_t exclude_count);
/* Wipes the password. */
void remote_clear(struct remote *remote);

/* Whether a description is new: 1; 0: known already, that is the present one or the one before,
 * come late or twice; -EINVAL with `err` filled. */
int remote_look(const struct remote *remote, const char *ufrag, const char *pwd, struct error *err);

/* As remote_look(); what is new takes the place of the one before, whose candidates are forgotten.
 */
int remote_describe(struct remote *remote, const char *ufrag, const char *pwd, struct error *err);

/* 1: *out is for use; 0: known already, or kept until its description comes; -EINVAL with `err`
 * filled. */
int remote_add(struct remote *remote, const char *ufrag, const char *text, struct candidate *out,
               struct error *err);

/* After a new description, until it gives 0: takes out one candidate that waited for it. 1, 0 or
 * -EINVAL as remote_add(). */
int remote_take_waiting(struct remote *remote, struct candidate *out, struct error *err);

/* The peer has no further candidates under this ufrag. */
void remote_done(struct remote *remote, const char *ufrag);
/* Whether that was said of the present description. */
bool remote_is_done(const struct remote *remote);

#endif
