/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * GLib's resolver for this process, with one answer: the winner of a race of STUN servers.
 *
 * libnice takes one STUN server, by name, and looks it up once when it gathers; meanwhile its host
 * candidates are out already. So the race costs no time at all, and GLib starts no resolver threads
 * and loads no modules.
 */
#ifndef ICE_AGENT_RESOLVER_H
#define ICE_AGENT_RESOLVER_H

#include <gio/gio.h>
#include <stddef.h>

#include "protocol/endpoint.h"
#include "protocol/error.h"

/* The name that libnice is given (RFC 6761 section 6.4: never in the DNS). Any name gets the same
 * answer. */
#define RESOLVER_NAME "first-to-answer.invalid"

/* `winner` is NULL where no server answered. Called once, before libnice is told, and never from
 * within resolver_install(). */
typedef void (*resolver_decided)(void *data, const struct endpoint *winner);

struct resolver;

/* Starts the race from `locals` on the default main context and makes itself GLib's default. NULL
 * with `err` filled. */
struct resolver *resolver_install(char *const *servers, size_t count, const struct endpoint *locals,
                                  size_t local_count, resolver_decided decided, void *data,
                                  struct error *err);
/* A question that has no answer yet gets an error. */
void resolver_destroy(struct resolver *resolver);

#endif
