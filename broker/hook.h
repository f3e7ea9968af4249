/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Hooks: commands of the configuration that are run on events, with the event's line on their
 * standard input, never through a shell.
 *
 * Of one hook one process runs at a time, so events reach it in their order; different hooks run
 * beside each other. The broker never waits for one.
 */
#ifndef BROKER_HOOK_H
#define BROKER_HOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "broker/config.h"

/* Events that wait for one hook, one for each peer that there can be. Past it the oldest is
 * dropped: what came last says how things are. */
#define HOOK_WAITING_MAX CONFIG_PEERS_MAX
/* One that can't be started is not tried on the next event earlier than this, in ms. */
#define HOOK_PAUSE_MS 200
/* When the broker ends, hooks have so long, in ms; helpers have 2 s. */
#define HOOK_END_MS 1500

struct hooks;

/* NULL without memory. */
struct hooks *hooks_new(uv_loop_t *loop);

/* `list` is kept, not copied, until the next call or hooks_destroy(). What is in it as before goes
 * on; what is not starts no process any more, and one that runs goes on to its end. */
void hooks_set(struct hooks *hooks, const struct config_hook *list, size_t count);

/* Runs those that want to know of it. */
void hooks_event(struct hooks *hooks, enum message_type type, const char *line, size_t length);

/* Events that come from now on are nobody's. What waits is still run, within `ms` from now;
 * then what runs is killed. False where nothing runs or waits; else `on_ended` will be called. */
bool hooks_end(struct hooks *hooks, int ms, void (*on_ended)(void *data), void *data);

/* After the end of the loop; what is left is freed by its next turns. NULL is fine. */
void hooks_destroy(struct hooks *hooks);

#endif
