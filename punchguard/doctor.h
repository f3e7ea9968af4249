/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The parts of `punchguard doctor`: each looks at one thing and adds what it found.
 */
#ifndef PUNCHGUARD_DOCTOR_H
#define PUNCHGUARD_DOCTOR_H

#include "protocol/interface.h"
#include "protocol/json.h"
#include "punchguard/command.h"
#include "punchguard/findings.h"
#include "punchguard/settings.h"
#include "punchguard/snapshot.h"

struct doctor {
    const struct context *context;
    struct settings settings;
    struct json *document;      /* the configuration; NULL where it can't be read */
    struct interface interface; /* of it, or the defaults */
    enum outcome asked;         /* of the broker */
    struct error why_not;       /* where that is not OUTCOME_OK */
    struct snapshot snapshot;   /* its answer, or none */
    struct findings findings;
};

/* The configuration's member, at its top; false where it has none. */
bool doctor_setting(const struct doctor *doctor, const char *key, struct json_at *root,
                    struct json_at *out);

/* doctor_config.c: the configuration itself, and the state folder. */
void doctor_look_at_config(struct doctor *doctor);
void doctor_look_at_state(struct doctor *doctor);
/* doctor_host.c: WireGuard in the kernel or beside it, nftables and a firewall, the clock. */
void doctor_look_at_wireguard(struct doctor *doctor);
void doctor_look_at_nftables(struct doctor *doctor);
void doctor_look_at_clock(struct doctor *doctor);
/* doctor_addresses.c, doctor_network.c: the tunnel's addresses and MTU beside those of the host's
 * networks. */
void doctor_look_at_addresses(struct doctor *doctor);
void doctor_look_at_mtu(struct doctor *doctor);
/* doctor_nat.c: what netcheck finds. doctor_tox.c: whether nodes answer. Both send. */
void doctor_look_at_nat(struct doctor *doctor);
void doctor_look_at_tox(struct doctor *doctor);
/* doctor_broker.c: whether it runs, what it says, and who may ask it. Asked first, for the others.
 */
void doctor_ask_broker(struct doctor *doctor);
void doctor_look_at_broker(struct doctor *doctor);

#endif
