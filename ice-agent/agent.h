/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One ICE session with one peer, on libnice, which nothing else here includes. Messages in,
 * messages out. Runs on GLib's default main context, in one thread.
 */
#ifndef ICE_AGENT_AGENT_H
#define ICE_AGENT_AGENT_H

#include "ice-agent/settings.h"
#include "protocol/error.h"
#include "protocol/message.h"

struct agent;

struct agent_events {
    /* description, candidate, candidates-done, state or selected; not to be kept. */
    void (*send)(void *data, const struct message *message);
    /* A message that was refused, or something that does not work; the agent goes on. */
    void (*fail)(void *data, const struct error *err);
    void *data;
};

/* `settings` must outlive the agent. NULL with `err` filled. */
struct agent *agent_new(const struct settings *settings, const struct agent_events *events,
                        struct error *err);
void agent_destroy(struct agent *agent);

/* Sends the description and gathers. */
void agent_start(struct agent *agent);

/* A description, candidate, candidates-done or restart came in. Others are ignored. */
void agent_take(struct agent *agent, const struct message *message);

/* Whether all candidates of this side are told. */
bool agent_gathered(const struct agent *agent);

#endif
