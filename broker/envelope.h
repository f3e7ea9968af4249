/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What goes into a transport's `data`: messages to one peer, sealed with Noise_KK and base64'd.
 * Pure: no I/O and no clock; `now` is milliseconds of any clock that never goes back.
 *
 * Of the two the one with the smaller public identity key is the initiator, so there is no glare.
 * Four kinds of envelope (the first byte, before base64):
 *
 *   1 initiation   Noise's first message: 16 bytes of the wake it answers or zero, the initiator's
 * hello 2 response     Noise's second message: the same 16 bytes, the responder's hello 3 message
 * 8 bytes naming the keys (the handshake's hash begins with them), 8 bytes of counter
 *                  (little-endian), ciphertext. An empty one confirms the keys; the initiator's
 * asks for one of the responder's. 4 wake         "I have no keys": responder to initiator; 8 bytes
 * naming the keys that it was asked with and does not have (zero: of its own accord), 16 random
 * bytes, 16 bytes of BLAKE2b keyed by X25519 of the identity keys
 *
 * A responder uses new keys only after a first message under them, since an initiation may be a
 * replayed one: until then the keys before stay in use, and the initiator goes on accepting what is
 * sealed with them. Initiations and wakes seen before have no effect, answers are limited in rate,
 * and nothing that is not authentic changes anything. A flood of old initiations (a transport may
 * have recorded some) uses up the answers to those, not to one that answers a wake of this
 * responder's life. What arrives late under the keys before the last ones is accepted for
 * ENVELOPE_GRACE_MS.
 *
 * Loss is the caller's business in one respect: a message sealed with keys that the peer lost in a
 * restart is lost. `established` is the sign to say again what matters.
 */
#ifndef BROKER_ENVELOPE_H
#define BROKER_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `data` at most, without its terminator: what a transport must carry (DESIGN: 16 KiB). */
#define ENVELOPE_DATA_MAX 16384
/* The longest message: 3/4 of that, less kind, name of the keys, counter and tag. */
#define ENVELOPE_MESSAGE_MAX (ENVELOPE_DATA_MAX / 4 * 3 - 17 - 16)
#define ENVELOPE_HELLO_MAX   2048 /* bytes */
/* Old keys are wiped so long after newer ones are known to both sides. */
#define ENVELOPE_GRACE_MS 60000
/* An initiator whose keys are older makes new ones when there is traffic. */
#define ENVELOPE_REKEY_MS 3600000
/* An unanswered initiation is sent again unchanged for so long; then a new one is made, since the
 * peer may have given up its answer. */
#define ENVELOPE_ATTEMPT_MS 5000
/* Initiations and wakes are sent again after so long, doubling to the second. */
#define ENVELOPE_RETRY_MIN_MS 1000
#define ENVELOPE_RETRY_MAX_MS 30000
/* Answers to what the peer sends: so many at once, one more in so many milliseconds. */
#define ENVELOPE_ANSWERS          8
#define ENVELOPE_ANSWER_REFILL_MS 1000

struct envelope;

/* What came out of one `data`. Strings are terminated and the receiver's: envelope_opened_clear. */
struct envelope_opened {
    bool established; /* new keys with the peer, who is proven to be there */
    char *hello;      /* the peer's hello, when `established` */
    char *message;    /* zero or one message of the peer's */
    size_t length;    /* of `message` */
    bool late;        /* the peer sent something after `message` that was opened before it */
    char *reply;      /* to be sent to the peer, or NULL */
};

/* The keys are copied. NULL with errno EINVAL when the peer's key is our own or of low order
 * (X25519 all zero), ENOMEM without memory. */
struct envelope *envelope_new(const uint8_t own_secret[32], const uint8_t own_public[32],
                              const uint8_t peer_public[32]);
/* Wipes all keys. */
void envelope_free(struct envelope *envelope);

/* What the peer gets with the next handshakes; copied. 0, -EMSGSIZE or -ENOMEM. */
int envelope_set_hello(struct envelope *envelope, const char *hello);
bool envelope_is_initiator(const struct envelope *envelope);
/* Whether envelope_seal would work. */
bool envelope_is_ready(struct envelope *envelope);

/* Asks for (new) keys now: the initiator's initiation or the responder's wake, to be sent to the
 * peer; call it on the peer's presence. Sent again by envelope_poll until there are new keys. NULL
 * without memory. The string is the caller's. */
char *envelope_begin(struct envelope *envelope, int64_t now);
/* When envelope_poll has something to do, or INT64_MAX. Any other call may change it. */
int64_t envelope_next(const struct envelope *envelope);
/* Does what is due: a string to be sent, the caller's, or NULL. Not called while the peer is known
 * to be absent, it costs nothing. */
char *envelope_poll(struct envelope *envelope, int64_t now);

/* `*data` is the caller's. 0; -ENOTCONN without keys (the caller queues, and should have called
 * envelope_begin); -EMSGSIZE when too long or empty; -ENOMEM. */
int envelope_seal(struct envelope *envelope, int64_t now, const char *message, size_t length,
                  char **data);

/* `opened` is always set. 0 when the data was authentic and new, else it had no effect, though
 * `opened->reply` may be set also then:
 *   -EBADMSG   malformed or forged, or of a kind that this side never gets
 *   -EALREADY  seen before
 *   -ENOKEY    sealed with keys that are not ours any more
 *   -EBUSY     authentic, but there were too many of them
 *   -ENOMEM */
int envelope_open(struct envelope *envelope, int64_t now, const char *data,
                  struct envelope_opened *opened);
void envelope_opened_clear(struct envelope_opened *opened);

#endif
