/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the broker's state looks like on the control socket, and what the control socket may do to
 * it.
 */
#ifndef BROKER_REPORT_H
#define BROKER_REPORT_H

#include "broker/broker.h"
#include "broker/control.h"

/* Its `data` is a struct broker. */
extern const struct control_broker report_control;

/* Opens the broker's control socket. 0 also where it can't be had, which is logged; -EADDRINUSE
 * with `err` filled where another broker has it. */
int report_open(struct broker *broker, struct error *err);

#endif
