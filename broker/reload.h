/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The configuration, read again by a running broker: what differs is changed, all else goes on as
 * it was.
 */
#ifndef BROKER_RELOAD_H
#define BROKER_RELOAD_H

#include "broker/broker.h"
#include "broker/config.h"

/* So many are told in one message (messages.def); the log has them all. */
#define RELOAD_CHANGES_MAX 128

/* What came of it, for whoever asked. */
struct reload_result {
    struct config_errors errors; /* none: it was done */
    char **changed;              /* what differed, a sentence each: none where nothing did */
    size_t changed_count;
};

/* What was learned is not what it was: all else of the configuration stays. Where that can't be
 * done it is logged, and everything is as it was. Not from inside a call of a helper, peer or
 * session. */
int broker_relearn(struct broker *broker);

/* Reads the file that the broker was started with. What needs a restart keeps its value, and is
 * among what differed. Logs what it did, and emits `reload`, or `error` for each wrong place. Not
 * from inside a call of a helper, peer or session. 0, or -errno with the errors filled and
 * everything as it was. `result` is always set, and the caller's to clear. */
int broker_reload(struct broker *broker, struct reload_result *result);
void reload_result_clear(struct reload_result *result);

#endif
