/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Our own liveness of the selected pair: asks and answers that only the two agents can make. Pure:
 * times are passed in, in ms of any monotonic clock; packets are handed out, not sent.
 *
 * A packet: "PGP1", one byte 'a' (ask) or 'r' (answer), 8 random bytes, which an answer repeats,
 * and the first 8 bytes of BLAKE2b-256 of all before, keyed with BLAKE2b-256 of both ICE passwords,
 * the bytewise smaller first, a NUL after each. It begins like neither STUN (two zero bits, RFC
 * 8489 section 5) nor WireGuard (a byte 1 to 4).
 */
#ifndef ICE_AGENT_PROBE_H
#define ICE_AGENT_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROBE_BYTES       21
#define PROBE_NONCE_BYTES 8
#define PROBE_KEY_BYTES   32

/* Ms between asks while they are answered, and after a miss. */
#define PROBE_INTERVAL_MS 2000
#define PROBE_RETRY_MS    300
/* A pair that nobody has answered on yet: so many asks at this short distance, in ms, because
 * `selected` waits for the first answer. */
#define PROBE_FIRST_ASKS 5
#define PROBE_FIRST_MS   100
/* So many misses in a row, and the pair is dead. */
#define PROBE_DEAD_MISSES 5
/* Dead for so many asks: from then on only one each PROBE_INTERVAL_MS. */
#define PROBE_HOPE_ASKS 30
/* Answers a second: an ask replayed to us must not make us a source of traffic. */
#define PROBE_ANSWERS_PER_S 20
/* Asks whose answer may still come; with PROBE_RETRY_MS this spans 4 s of round trip. */
#define PROBE_OUTSTANDING 16

enum probe_state {
    PROBE_IDLE,   /* no pair, or no passwords */
    PROBE_TRYING, /* a pair on which nobody has answered yet */
    PROBE_ALIVE,
    PROBE_DEAD,
};

struct probe_ask {
    uint8_t nonce[PROBE_NONCE_BYTES];
    int64_t sent; /* 0: none */
};

struct probe {
    enum probe_state state;
    uint8_t key[2][PROBE_KEY_BYTES]; /* the present one, and the one before a restart */
    unsigned keys;
    struct probe_ask asks[PROBE_OUTSTANDING];
    unsigned next_ask;
    bool waiting; /* for the answer to the last ask */
    unsigned misses;
    int64_t due;    /* when to ask next */
    int64_t rtt_ms; /* of the last answer; -1 before */
    int64_t answer_second;
    unsigned answers_in_second;
    struct {
        uint64_t asked, answered, missed, answers_given, answers_refused, foreign;
    } count;
};

void probe_init(struct probe *probe);
/* Wipes the keys. */
void probe_clear(struct probe *probe);

/* Both sides' ICE passwords, in any order. The passwords before stay good, for the peer may be
 * late. */
void probe_set_passwords(struct probe *probe, const char *one, const char *other);

/* A pair was selected: everything about the one before is forgotten, the first ask is due at once.
 */
void probe_start(struct probe *probe, int64_t now);
void probe_stop(struct probe *probe);
/* There is a sign that the pair may answer again: the next ask is due at once. */
void probe_hurry(struct probe *probe, int64_t now);

/* Whether an ask is to be sent now, which is then in `packet`. May turn the state to PROBE_DEAD. */
bool probe_ask(struct probe *probe, int64_t now, uint8_t packet[PROBE_BYTES]);
/* When to call probe_ask() next; INT64_MAX for never. */
int64_t probe_deadline(const struct probe *probe);

/* A datagram came. Whether `answer` is to be sent back. May turn the state to PROBE_ALIVE. */
bool probe_receive(struct probe *probe, int64_t now, const void *data, size_t length,
                   uint8_t answer[PROBE_BYTES]);

#endif
