/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A broker that runs: the one that does already, or one that is started, by systemd where that
 * knows of it. Progress goes to standard error.
 */
#ifndef PUNCHGUARD_STARTING_H
#define PUNCHGUARD_STARTING_H

#include <stdint.h>
#include <sys/types.h>

#include "punchguard/client.h"
#include "punchguard/settings.h"
#include "punchguard/snapshot.h"

#define STARTING_LOG_DEFAULT "/var/log/punchguard.log"

struct starting {
    const struct context *context;
    const char *log; /* of a broker that no service manager starts */
    int64_t timeout_ms;
    struct client *client; /* open after OUTCOME_OK; the caller closes it in any case */
    struct error err;
    /* its own */
    struct settings settings;
    pid_t broker;    /* 0: none of ours */
    bool service;    /* systemd's */
    int64_t look_at; /* when its unit is asked about next */
    int64_t deadline;
    char said[1024]; /* the progress that was shown last */
};

/* Makes a configuration where there is none, starts a broker where none runs, and waits until it
 * has its interface and a transport; `snapshot` is then what it says of itself, to be cleared by
 * the caller. Otherwise `err` is filled. */
enum outcome starting_run(struct starting *starting, struct snapshot *snapshot);

#endif
