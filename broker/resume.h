/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * STATE_DIR/resume: what the sessions keep for the broker's next life. One message `resume` a line:
 * a peer's id, its WireGuard public key, and a pair that worked, the latest first. Losing the file
 * costs a slower start and nothing else, so what is wrong with it is told and passed over.
 */
#ifndef BROKER_RESUME_H
#define BROKER_RESUME_H

#include <stddef.h>

#include "broker/session.h"
#include "protocol/error.h"
#include "protocol/id.h"

#define RESUME_FILE "resume"

struct resume {
    char id[ID_TEXT_LENGTH + 1];
    struct session_memory memory;
};

/* Fills in the memories of those whose ids are given; peers that are not among them are passed
 * over. */
void resume_read(const char *state_dir, struct resume *peers, size_t count);

/* 0, or -errno with `err` filled and the file as it was. */
int resume_write(const char *state_dir, const struct resume *peers, size_t count,
                 struct error *err);

#endif
