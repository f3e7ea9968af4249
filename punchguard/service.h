/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Starting and stopping the broker: by systemd where it runs and knows the unit, else by ourselves.
 */
#ifndef PUNCHGUARD_SERVICE_H
#define PUNCHGUARD_SERVICE_H

#include <stdbool.h>
#include <sys/types.h>

#include "punchguard/settings.h"

/* Whether systemd runs and has the unit, which is for the default configuration and its socket
 * alone. */
bool service_is_there(const struct settings *settings);
/* Whether it is what runs the broker that the socket is connected to. */
bool service_is_active(const struct settings *settings, int socket);
enum outcome service_start(struct error *err);
enum outcome service_stop(struct error *err);
/* Whether the broker that it started has ended by itself; `err` says how then, and what tells why.
 * The unit starts it again, so that it may yet become ready. */
bool service_has_failed(struct error *err);

/* What says more of a broker that systemd started. */
#define SERVICE_LOG "'journalctl -u punchguard'"

/* Starts the broker in a session of its own, its log appended to the file, its events thrown away.
 * Its process, or -1 with `err` filled. */
pid_t service_spawn(const struct settings *settings, const char *log, struct error *err);

/* Runs a program of ours or the system's to its end, its standard output thrown away, where `quiet`
 * standard error too. Its exit status, or -1 where it can't be run. */
int service_run(char *const argv[], bool quiet);

/* The path of a program of ours: beside this one, or its name alone, to be looked up in PATH. */
void service_program(const char *name, char *path, size_t size);

#endif
