/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whether a helper that said hello can be worked with.
 */
#ifndef BROKER_HANDSHAKE_H
#define BROKER_HANDSHAKE_H

#include "protocol/error.h"
#include "protocol/message.h"

enum handshake_result {
    HANDSHAKE_OK,
    HANDSHAKE_WRONG,   /* other protocol version or role: a new start may find another program */
    HANDSHAKE_REFUSED, /* it insists on a capability that the broker lacks: not to be used */
};

/* "signal", "ice" or "wg". */
const char *handshake_role_name(enum role role);

/* The highest protocol that both sides speak; 0 where there is none. */
int64_t handshake_protocol(const struct message_hello *hello, const struct protocol_range *ours);

/* `known` (NULL-terminated, or NULL) are the capabilities beginning with `*` that the broker has.
 * `err` is filled where the result is not HANDSHAKE_OK. */
enum handshake_result handshake_check(const struct message_hello *hello, enum role role,
                                      const char *const *known, const struct protocol_range *ours,
                                      struct error *err);

#endif
