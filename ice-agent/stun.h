/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The three STUN messages that we make or read ourselves (RFC 8489); the checks of ICE are
 * libnice's.
 */
#ifndef ICE_AGENT_STUN_H
#define ICE_AGENT_STUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* IANA's port for STUN (RFC 8489 section 18.6). */
#define STUN_PORT 3478
/* A message without attributes (RFC 8489 section 5). */
#define STUN_HEADER_BYTES 20
/* With the bytes of the magic cookie, which RFC 3489 section 11.1 did not have. libnice 0.1.21 asks
 * STUN servers in that form, so that is what a server must answer to be of use; RFC 8489 section 11
 * has servers do so. */
#define STUN_TRANSACTION_BYTES 16

/* A Binding request, which asks for an answer. */
void stun_make_request(uint8_t packet[STUN_HEADER_BYTES],
                       const uint8_t transaction[STUN_TRANSACTION_BYTES]);
/* A Binding indication, which only keeps a NAT's mapping (RFC 8489 section 7.3.2); its transaction
 * is random. */
void stun_make_indication(uint8_t packet[STUN_HEADER_BYTES]);
/* Whether it is the success response to this transaction. */
bool stun_is_response(const uint8_t *packet, size_t length,
                      const uint8_t transaction[STUN_TRANSACTION_BYTES]);

#endif
