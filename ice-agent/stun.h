/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The STUN messages that we make or read ourselves (RFC 8489, RFC 5780); the checks of ICE are
 * libnice's.
 */
#ifndef ICE_AGENT_STUN_H
#define ICE_AGENT_STUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/endpoint.h"

/* IANA's port for STUN (RFC 8489 section 18.6). */
#define STUN_PORT 3478
/* A message without attributes (RFC 8489 section 5). */
#define STUN_HEADER_BYTES 20
/* With the bytes of the magic cookie, which RFC 3489 section 11.1 did not have. libnice 0.1.21 asks
 * STUN servers in that form, so that is what a server must answer to be of use; RFC 8489 section 11
 * has servers do so. */
#define STUN_TRANSACTION_BYTES 16
/* A request with CHANGE-REQUEST. */
#define STUN_REQUEST_MAX (STUN_HEADER_BYTES + 8)
/* That the answer shall come from the server's other address, its other port (RFC 5780
 * section 7.2). */
#define STUN_CHANGE_ADDRESS 4
#define STUN_CHANGE_PORT    2

/* A Binding request, which asks for an answer. */
void stun_make_request(uint8_t packet[STUN_HEADER_BYTES],
                       const uint8_t transaction[STUN_TRANSACTION_BYTES]);
/* A Binding indication, which only keeps a NAT's mapping (RFC 8489 section 7.3.2); its transaction
 * is random. */
void stun_make_indication(uint8_t packet[STUN_HEADER_BYTES]);
/* Whether it is the success response to this transaction. */
bool stun_is_response(const uint8_t *packet, size_t length,
                      const uint8_t transaction[STUN_TRANSACTION_BYTES]);

/* A transaction that no other has, with the magic cookie: without it a server need not answer as
 * RFC 5780 says. */
void stun_make_transaction(uint8_t transaction[STUN_TRANSACTION_BYTES]);
/* A Binding request that asks for an answer from elsewhere; `change` 0 asks for an ordinary one.
 * Its length. */
size_t stun_make_change_request(uint8_t packet[STUN_REQUEST_MAX],
                                const uint8_t transaction[STUN_TRANSACTION_BYTES], unsigned change);

/* What a Binding response says; what it does not is an empty endpoint. */
struct stun_response {
    bool refused;           /* an error response: 420, say, for CHANGE-REQUEST */
    struct endpoint mapped; /* never empty in a success response */
    struct endpoint other;  /* OTHER-ADDRESS: what the server's answers could come from, too */
    struct endpoint origin; /* RESPONSE-ORIGIN: what it thinks that this answer comes from */
};

/* Reads the response to a transaction. 0, or -EBADMSG where it is none, or broken. */
int stun_read_response(struct stun_response *response, const uint8_t *packet, size_t length,
                       const uint8_t transaction[STUN_TRANSACTION_BYTES]);

#endif
