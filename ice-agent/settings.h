/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What an ice-agent is told at its start, by `configure` or on the command line.
 */
#ifndef ICE_AGENT_SETTINGS_H
#define ICE_AGENT_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "ice-agent/addresses.h"
#include "ice-agent/stun_race.h"
#include "protocol/message.h"

#define SETTINGS_EXCLUDE_MAX 256

struct settings {
    bool controlling;
    bool verbose;
    bool netcheck;                 /* no session: netcheck_run.h */
    bool json;                     /* the form of its report */
    char *stun[STUN_RACE_SERVERS]; /* "host:port", owned */
    size_t stun_count;
    struct endpoint local[ADDRESSES_MAX]; /* none: list the interfaces */
    size_t local_count;
    struct prefix exclude[SETTINGS_EXCLUDE_MAX];
    size_t exclude_count;
    size_t turn_count; /* checked, not used yet */
    uint16_t port;     /* local UDP port, 0: any */
};

/* Checks and copies; what is absent gets its default: the STUN servers that were compiled in,
 * unless there is an empty list. 0, or -EINVAL, -ENOMEM with `err` naming the field; then there is
 * nothing to clear. */
int settings_from_message(struct settings *settings, const struct message_ice_configure *message,
                          struct error *err);

/* The same from a command line. 1: all is there; 0: there was nothing but --verbose, so wait for
 * `configure`; -EINVAL, -ENOMEM with `err` filled. */
int settings_from_arguments(struct settings *settings, int argc, char **argv, struct error *err);

void settings_clear(struct settings *settings);

extern const char settings_usage[];

#endif
