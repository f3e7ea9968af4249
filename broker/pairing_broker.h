/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * pairing.h in the running broker: its clock, transports and peers, and what the control socket
 * asks of it.
 */
#ifndef BROKER_PAIRING_BROKER_H
#define BROKER_PAIRING_BROKER_H

#include "broker/broker.h"
#include "broker/control.h"

/* Reads what was learned and adds it to the configuration. Before peers are made. 0 or -ENOMEM with
 * `err` filled. */
int pairing_broker_open(struct broker *broker, struct error *err);
/* The timer ends with a turn of the loop. */
void pairing_broker_close(struct broker *broker);
/* After the end of the loop. */
void pairing_broker_free(struct broker *broker);

/* Logs and emits the collisions of overlay addresses that `before`, which may be NULL, had not. */
void pairing_broker_say_collisions(const struct broker *broker, const struct config *before);

/* struct control_broker's `pair`; `data` is the broker. */
int pairing_broker_control(void *data, const struct message *m, control_say *say, void *client,
                           struct error *err);

#endif
