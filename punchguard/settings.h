/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the person's command has to know of conf.json: where things are.
 */
#ifndef PUNCHGUARD_SETTINGS_H
#define PUNCHGUARD_SETTINGS_H

#include <stdbool.h>
#include <sys/un.h>

#include "punchguard/command.h"

#define CONFIG_DEFAULT SYSCONFDIR "/punchguard/conf.json"

struct settings {
    char config[4096]; /* absolute, where the file is there */
    bool there;        /* the configuration could be read */
    int problem;       /* or -errno, why not: -ENOENT where it is missing */
    char socket[sizeof((struct sockaddr_un *)0)->sun_path];
    /* The command line named another socket than the configuration's; false and `uncertain` where the
     * configuration could not be read, so that this is not known. */
    bool elsewhere, uncertain;
    char state_dir[4096];
};

/* A configuration that was not named on the command line, and can't be read, counts as one with
 * only defaults: who may ask the broker need not be able to read what it was told. One that was
 * named has to be there, unless `may_be_made` or the socket was named too. OUTCOME_OK, or with `err`
 * filled OUTCOME_USAGE, or NOT_PERMITTED where one that was named may not be read. */
enum outcome settings_read(const struct context *context, bool may_be_made,
                           struct settings *settings, struct error *err);

#endif
