/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/envelope.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "broker/bucket.h"
#include "broker/keyring.h"

#define PROLOGUE     "PunchGuard envelope 1"
#define WAKE_CONTEXT "PunchGuard wake 1"

#define HEADER_BYTES    (1 + KEYS_NAME_BYTES + 8)
#define CHALLENGE_BYTES 16
#define WAKE_MAC_BYTES  16
#define WAKE_MAC_AT     (1 + KEYS_NAME_BYTES + CHALLENGE_BYTES)
#define WAKE_BYTES      (WAKE_MAC_AT + WAKE_MAC_BYTES)
#define RAW_MAX         (ENVELOPE_DATA_MAX / 4 * 3)
/* Of a handshake message: the challenge of a wake, and the hello. */
#define PAYLOAD_MAX (CHALLENGE_BYTES + ENVELOPE_HELLO_MAX)

#define UNCONFIRMED_MS 120000
/* A response so late may name keys that the responder has given up. */
#define RESPONSE_LATE_MS (UNCONFIRMED_MS / 2)
/* The same response is not sent again sooner. */
#define RESPONSE_MS 500
/* A wake so soon after new keys was sent before they were known: they are confirmed once more. */
#define YOUNG_MS 3000
/* An initiation so young is sent again rather than replaced by one that answers a wake. */
#define ATTEMPT_MIN_MS 1000
/* Initiations under way: the newest, and two before it, whose responses may be on their way: with
 * the retries doubling this allows for a transport that takes half a minute. */
#define ATTEMPTS 3
/* Own wakes that an initiation may answer. */
#define CHALLENGES 8
/* Initiations, responses and wakes that are remembered, so that they have no effect again. */
#define SEEN_MAX 256

enum kind { KIND_INITIATION = 1, KIND_RESPONSE, KIND_MESSAGE, KIND_WAKE };

/* The initiator's handshake under way. */
struct attempt {
    bool active;
    struct noise_handshake handshake;
    uint8_t challenge[CHALLENGE_BYTES];
    int64_t since;
    char *data;
};

struct envelope {
    struct keyring keyring; /* knows too whether this side is the initiator */
    uint8_t own_secret[NOISE_KEY_BYTES];
    uint8_t own_public[NOISE_KEY_BYTES];
    uint8_t peer_public[NOISE_KEY_BYTES];
    uint8_t wake_key[NOISE_KEY_BYTES];
    uint8_t prologue[sizeof PROLOGUE - 1 + 2 * NOISE_KEY_BYTES];
    char *hello;
    struct attempt attempts[ATTEMPTS]; /* the newest first */
    /* The initiator's: of the last wake. The responder's: of its own last wakes. */
    uint8_t challenges[CHALLENGES][CHALLENGE_BYTES];
    unsigned challenge_next;
    bool wanted; /* new keys: ask again at retry_at */
    int64_t retry_at;
    int64_t retry_after;
    struct bucket answers;       /* to what the peer sent just now, beyond doubt */
    struct bucket stale_answers; /* to what is authentic, but may be a replay */
    struct bucket other_answers; /* to what anybody may have sent */
    uint8_t seen_key[crypto_shorthash_KEYBYTES];
    uint64_t seen[SEEN_MAX];
    unsigned seen_next;
};

static char *text_encode(const uint8_t *raw, size_t length)
{
    size_t size = sodium_base64_ENCODED_LEN(length, sodium_base64_VARIANT_ORIGINAL);
    char *text = malloc(size);

    if (text != NULL)
        sodium_bin2base64(text, size, raw, length, sodium_base64_VARIANT_ORIGINAL);
    return text;
}

static char *bytes_copy(const uint8_t *bytes, size_t length)
{
    char *copy = malloc(length + 1);

    if (copy == NULL)
        return NULL;
    if (length > 0)
        memcpy(copy, bytes, length);
    copy[length] = '\0';
    return copy;
}

static uint64_t seen_mark(const struct envelope *envelope, const uint8_t *raw, size_t length)
{
    uint8_t hash[crypto_shorthash_BYTES];
    uint64_t mark;

    crypto_shorthash(hash, raw, length, envelope->seen_key);
    memcpy(&mark, hash, sizeof mark);
    return mark != 0 ? mark : 1; /* zero is an empty place */
}

static bool seen_has(const struct envelope *envelope, uint64_t mark)
{
    for (unsigned i = 0; i < SEEN_MAX; i++)
        if (envelope->seen[i] == mark)
            return true;
    return false;
}

static void seen_add(struct envelope *envelope, uint64_t mark)
{
    envelope->seen[envelope->seen_next++ % SEEN_MAX] = mark;
}

static void handshake_begin(const struct envelope *envelope, struct noise_handshake *handshake)
{
    noise_begin(handshake, &(struct noise_setup){
                               .pattern = NOISE_KK,
                               .initiator = envelope->keyring.initiator,
                               .prologue = envelope->prologue,
                               .prologue_length = sizeof envelope->prologue,
                               .own_secret = envelope->own_secret,
                               .own_public = envelope->own_public,
                               .remote_public = envelope->peer_public,
                           });
}

/* Our next handshake message, with its kind in front, as text; NULL without memory. */
static char *handshake_write(const struct envelope *envelope, struct noise_handshake *handshake,
                             enum kind kind, const uint8_t challenge[CHALLENGE_BYTES])
{
    uint8_t raw[1 + NOISE_KK_OVERHEAD + PAYLOAD_MAX], payload[PAYLOAD_MAX];
    const char *hello = envelope->hello != NULL ? envelope->hello : "";
    size_t length = strlen(hello);

    raw[0] = (uint8_t)kind;
    memcpy(payload, challenge, CHALLENGE_BYTES);
    memcpy(payload + CHALLENGE_BYTES, hello, length);
    if (noise_write(handshake, payload, CHALLENGE_BYTES + length, raw + 1, sizeof raw - 1,
                    &length) != 0)
        return NULL;
    return text_encode(raw, 1 + length);
}

/* The other's handshake message, with the same payload. */
static int handshake_read(struct noise_handshake *handshake, const uint8_t *raw, size_t length,
                          uint8_t payload[PAYLOAD_MAX], size_t *payload_length)
{
    if (noise_read(handshake, raw + 1, length - 1, payload, PAYLOAD_MAX, payload_length) != 0 ||
        *payload_length < CHALLENGE_BYTES)
        return -EBADMSG;
    return 0;
}

static char *payload_hello(const uint8_t *payload, size_t length)
{
    return bytes_copy(payload + CHALLENGE_BYTES, length - CHALLENGE_BYTES);
}

static void attempt_clear(struct attempt *attempt)
{
    free(attempt->data);
    sodium_memzero(attempt, sizeof *attempt);
}

static void attempts_clear(struct envelope *envelope)
{
    for (unsigned i = 0; i < ATTEMPTS; i++)
        attempt_clear(&envelope->attempts[i]);
}

static bool attempt_serves(const struct envelope *envelope, const struct attempt *attempt,
                           int64_t now)
{
    int64_t age = now - attempt->since;

    if (!attempt->active || age >= ENVELOPE_ATTEMPT_MS)
        return false;
    return age < ATTEMPT_MIN_MS ||
           memcmp(attempt->challenge, envelope->challenges[0], CHALLENGE_BYTES) == 0;
}

/* The initiator's initiation: the one under way, or a new one. */
static char *attempt_make(struct envelope *envelope, int64_t now)
{
    struct attempt *attempt = &envelope->attempts[0];

    if (attempt_serves(envelope, attempt, now))
        return strdup(attempt->data);
    attempt_clear(&envelope->attempts[ATTEMPTS - 1]);
    memmove(attempt + 1, attempt, (ATTEMPTS - 1) * sizeof *attempt);
    memset(attempt, 0, sizeof *attempt);
    handshake_begin(envelope, &attempt->handshake);
    memcpy(attempt->challenge, envelope->challenges[0], CHALLENGE_BYTES);
    attempt->data =
        handshake_write(envelope, &attempt->handshake, KIND_INITIATION, attempt->challenge);
    if (attempt->data == NULL) {
        attempt_clear(attempt);
        return NULL;
    }
    attempt->active = true;
    attempt->since = now;
    return strdup(attempt->data);
}

static void wake_mac(const struct envelope *envelope, const uint8_t raw[WAKE_MAC_AT],
                     uint8_t mac[WAKE_MAC_BYTES])
{
    crypto_generichash(mac, WAKE_MAC_BYTES, raw, WAKE_MAC_AT, envelope->wake_key,
                       sizeof envelope->wake_key);
}

static char *wake_make(const struct envelope *envelope, const uint8_t name[KEYS_NAME_BYTES],
                       const uint8_t challenge[CHALLENGE_BYTES])
{
    uint8_t raw[WAKE_BYTES];

    raw[0] = KIND_WAKE;
    memcpy(raw + 1, name, KEYS_NAME_BYTES);
    memcpy(raw + 1 + KEYS_NAME_BYTES, challenge, CHALLENGE_BYTES);
    wake_mac(envelope, raw, raw + WAKE_MAC_AT);
    return text_encode(raw, sizeof raw);
}

/* `data` stays NULL without memory. */
static int message_make(struct keys *keys, const void *message, size_t length, char **data)
{
    size_t size = HEADER_BYTES + length + NOISE_TAG_BYTES;
    uint8_t *raw = malloc(size);
    int rc = -ENOMEM;

    if (raw == NULL)
        return -ENOMEM;
    raw[0] = KIND_MESSAGE;
    memcpy(raw + 1, keys->name, KEYS_NAME_BYTES);
    for (unsigned i = 0; i < 8; i++)
        raw[1 + KEYS_NAME_BYTES + i] = (uint8_t)(keys->counter >> (8 * i));
    rc = noise_seal(keys->send, keys->counter++, raw, HEADER_BYTES, message, length,
                    raw + HEADER_BYTES);
    if (rc == 0) {
        *data = text_encode(raw, size);
        rc = *data != NULL ? 0 : -ENOMEM;
    }
    free(raw);
    return rc;
}

/* An empty message: says that we have these keys, and asks the responder to say so too. */
static char *confirmation_make(struct keys *keys)
{
    char *data = NULL;

    message_make(keys, NULL, 0, &data);
    return data;
}

static bool is_unconfirmed(const struct keys *keys, int64_t now, int64_t age)
{
    return keys != NULL && !keys->confirmed && now - keys->since < age;
}

/* A wake of our own accord: the initiation that answers it is a fresh one. */
static char *challenge_make(struct envelope *envelope)
{
    static const uint8_t none[KEYS_NAME_BYTES];
    uint8_t *challenge = envelope->challenges[envelope->challenge_next++ % CHALLENGES];

    randombytes_buf(challenge, CHALLENGE_BYTES);
    return wake_make(envelope, none, challenge);
}

static bool challenge_is_met(const struct envelope *envelope, const uint8_t *challenge)
{
    if (sodium_is_zero(challenge, CHALLENGE_BYTES))
        return false;
    for (unsigned i = 0; i < CHALLENGES; i++)
        if (memcmp(envelope->challenges[i], challenge, CHALLENGE_BYTES) == 0)
            return true;
    return false;
}

/* What brings common keys nearer, from what this side knows. */
static char *request_make(struct envelope *envelope, int64_t now)
{
    struct keys *current = keyring_current(&envelope->keyring);

    if (!envelope->keyring.initiator)
        return challenge_make(envelope);
    if (!envelope->attempts[0].active && is_unconfirmed(current, now, ENVELOPE_ATTEMPT_MS))
        return confirmation_make(current);
    return attempt_make(envelope, now);
}

/* The first request is made by the caller, now or at `at`. */
static void request_want(struct envelope *envelope, int64_t at)
{
    if (envelope->wanted)
        return;
    envelope->wanted = true;
    envelope->retry_at = at;
    envelope->retry_after = ENVELOPE_RETRY_MIN_MS;
}

char *envelope_begin(struct envelope *envelope, int64_t now)
{
    keyring_expire(&envelope->keyring, now);
    envelope->wanted = false;
    request_want(envelope, now + ENVELOPE_RETRY_MIN_MS);
    return request_make(envelope, now);
}

int64_t envelope_next(const struct envelope *envelope)
{
    int64_t next = keyring_next(&envelope->keyring);

    return envelope->wanted && envelope->retry_at < next ? envelope->retry_at : next;
}

char *envelope_poll(struct envelope *envelope, int64_t now)
{
    keyring_expire(&envelope->keyring, now);
    if (!envelope->wanted || now < envelope->retry_at)
        return NULL;
    envelope->retry_at = now + envelope->retry_after;
    envelope->retry_after *= 2;
    if (envelope->retry_after > ENVELOPE_RETRY_MAX_MS)
        envelope->retry_after = ENVELOPE_RETRY_MAX_MS;
    return request_make(envelope, now);
}

/* Old keys: new ones are made when there is traffic, by the side that can. */
static void keys_renew(struct envelope *envelope, const struct keys *current, int64_t now)
{
    if (envelope->keyring.initiator && current->confirmed &&
        now - current->since >= ENVELOPE_REKEY_MS)
        request_want(envelope, now);
}

int envelope_seal(struct envelope *envelope, int64_t now, const char *message, size_t length,
                  char **data)
{
    struct keys *current;

    *data = NULL;
    if (length == 0 || length > ENVELOPE_MESSAGE_MAX)
        return -EMSGSIZE;
    keyring_expire(&envelope->keyring, now);
    current = keyring_current(&envelope->keyring);
    if (current == NULL) {
        request_want(envelope, now);
        return -ENOTCONN;
    }
    keys_renew(envelope, current, now);
    return message_make(current, message, length, data);
}

/* An initiation that was answered before. */
static void answer_again(struct envelope *envelope, int64_t now, uint64_t initiation,
                         struct envelope_opened *opened)
{
    struct keys *keys = keyring_answering(&envelope->keyring, initiation);

    if (keys == NULL || now - keys->answered < RESPONSE_MS)
        return;
    keys->answered = now;
    opened->reply = strdup(keys->response);
}

/* Whether an authentic initiation may be answered. While replays use up the answers, the wake that
 * this makes us send lets the peer show that it is no replay. */
static bool may_answer(struct envelope *envelope, int64_t now, const uint8_t *challenge)
{
    if (challenge_is_met(envelope, challenge))
        return bucket_take(&envelope->answers, now);
    if (bucket_take(&envelope->stale_answers, now))
        return true;
    request_want(envelope, now);
    return false;
}

static int open_initiation(struct envelope *envelope, int64_t now, const uint8_t *raw,
                           size_t length, struct envelope_opened *opened)
{
    uint64_t mark = seen_mark(envelope, raw, length);
    struct noise_handshake handshake;
    uint8_t payload[PAYLOAD_MAX];
    size_t payload_length;
    struct keys *keys;
    int rc = -EBADMSG;

    if (seen_has(envelope, mark)) {
        answer_again(envelope, now, mark, opened);
        return -EALREADY;
    }
    handshake_begin(envelope, &handshake);
    if (handshake_read(&handshake, raw, length, payload, &payload_length) != 0)
        goto out;
    rc = -EBUSY;
    if (!may_answer(envelope, now, payload))
        goto out;
    rc = -ENOMEM;
    opened->reply = handshake_write(envelope, &handshake, KIND_RESPONSE, payload);
    if (opened->reply == NULL)
        goto out;
    seen_add(envelope, mark);
    keys = keyring_add(&envelope->keyring, &handshake, now);
    keys->expires = now + UNCONFIRMED_MS;
    keys->initiation = mark;
    keys->answered = now;
    keys->response = strdup(opened->reply);
    keys->hello = payload_hello(payload, payload_length);
    rc = 0;
out:
    noise_clear(&handshake);
    return rc;
}

/* The initiator has new keys: they are asked to be confirmed until they are. */
static void keys_establish(struct envelope *envelope, const struct noise_handshake *handshake,
                           int64_t now, struct envelope_opened *opened)
{
    attempts_clear(envelope);
    opened->established = true;
    opened->reply = confirmation_make(keyring_add(&envelope->keyring, handshake, now));
    envelope->wanted = false;
    request_want(envelope, now + ENVELOPE_RETRY_MIN_MS);
}

static int open_response(struct envelope *envelope, int64_t now, const uint8_t *raw, size_t length,
                         struct envelope_opened *opened)
{
    uint64_t mark = seen_mark(envelope, raw, length);
    struct noise_handshake handshake;
    uint8_t payload[PAYLOAD_MAX];
    size_t payload_length;
    int rc = -ENOKEY;

    if (seen_has(envelope, mark))
        return -EALREADY;
    for (unsigned i = 0; i < ATTEMPTS && rc != 0; i++) {
        if (!envelope->attempts[i].active || now - envelope->attempts[i].since > RESPONSE_LATE_MS)
            continue;
        handshake = envelope->attempts[i].handshake;
        rc = handshake_read(&handshake, raw, length, payload, &payload_length);
        if (rc == 0) {
            seen_add(envelope, mark);
            opened->hello = payload_hello(payload, payload_length);
            keys_establish(envelope, &handshake, now, opened);
        }
        noise_clear(&handshake);
    }
    return rc;
}

/* An authentic first message came under these keys. */
static void keys_confirm(struct envelope *envelope, struct keys *keys, int64_t now,
                         struct envelope_opened *opened)
{
    bool newest = keyring_confirm(&envelope->keyring, keys, now, ENVELOPE_GRACE_MS);

    if (newest && !envelope->attempts[0].active && keys == keyring_current(&envelope->keyring))
        envelope->wanted = false;
    if (newest && !envelope->keyring.initiator) {
        opened->established = true;
        opened->hello = keys->hello;
        keys->hello = NULL;
    }
    free(keys->hello);
    free(keys->response);
    keys->hello = keys->response = NULL;
}

/* The empty message that the peer waits for, if it does. */
static void reply_confirmation(struct envelope *envelope, const struct keys *keys, int64_t now,
                               struct envelope_opened *opened)
{
    struct keys *current = keyring_current(&envelope->keyring);
    bool asked = envelope->keyring.initiator ? keys != current && !current->confirmed
                                             : opened->established || opened->message == NULL;

    if (asked && bucket_take(&envelope->answers, now))
        opened->reply = confirmation_make(current);
}

/* Somebody sealed with keys that we do not have. The name is no proof of anything. */
static int open_unknown(struct envelope *envelope, int64_t now, const uint8_t name[KEYS_NAME_BYTES],
                        struct envelope_opened *opened)
{
    struct keys *current = keyring_current(&envelope->keyring);

    if (envelope->keyring.initiator && current != NULL && current->confirmed)
        return -ENOKEY; /* the peer has our keys: an old message, or nobody's */
    if (!bucket_take(&envelope->other_answers, now))
        return -ENOKEY;
    if (!envelope->keyring.initiator) {
        uint8_t challenge[CHALLENGE_BYTES];

        randombytes_buf(challenge, sizeof challenge);
        opened->reply = wake_make(envelope, name, challenge);
        return -ENOKEY;
    }
    request_want(envelope, now + ENVELOPE_RETRY_MIN_MS);
    opened->reply = request_make(envelope, now);
    return -ENOKEY;
}

static uint64_t counter_read(const uint8_t bytes[8])
{
    uint64_t counter = 0;

    for (unsigned i = 0; i < 8; i++)
        counter |= (uint64_t)bytes[i] << (8 * i);
    return counter;
}

static int open_message(struct envelope *envelope, int64_t now, const uint8_t *raw, size_t length,
                        struct envelope_opened *opened)
{
    struct keys *keys;
    uint64_t counter;
    uint8_t *message;

    if (length < HEADER_BYTES + NOISE_TAG_BYTES)
        return -EBADMSG;
    keys = keyring_named(&envelope->keyring, raw + 1);
    if (keys == NULL)
        return open_unknown(envelope, now, raw + 1, opened);
    counter = counter_read(raw + 1 + KEYS_NAME_BYTES);
    if (!window_accepts(&keys->window, counter))
        return -EALREADY;
    length -= HEADER_BYTES;
    message = malloc(length - NOISE_TAG_BYTES + 1);
    if (message == NULL)
        return -ENOMEM;
    if (noise_open(keys->receive, counter, raw, HEADER_BYTES, raw + HEADER_BYTES, length,
                   message) != 0) {
        free(message);
        return -EBADMSG;
    }
    opened->late = counter < keys->window.next || keyring_has_later(&envelope->keyring, keys);
    window_mark(&keys->window, counter);
    length -= NOISE_TAG_BYTES;
    message[length] = '\0';
    if (length > 0) {
        opened->message = (char *)message;
        opened->length = length;
    } else {
        free(message);
    }
    if (!keys->confirmed)
        keys_confirm(envelope, keys, now, opened);
    reply_confirmation(envelope, keys, now, opened);
    keys_renew(envelope, keyring_current(&envelope->keyring), now);
    return 0;
}

static int open_wake(struct envelope *envelope, int64_t now, const uint8_t *raw, size_t length,
                     struct envelope_opened *opened)
{
    struct keys *current = keyring_current(&envelope->keyring);
    bool names_current, names_none;
    uint8_t mac[WAKE_MAC_BYTES];
    uint64_t mark;

    if (length != WAKE_BYTES)
        return -EBADMSG;
    wake_mac(envelope, raw, mac);
    if (sodium_memcmp(mac, raw + WAKE_MAC_AT, sizeof mac) != 0)
        return -EBADMSG;
    mark = seen_mark(envelope, raw, length);
    if (seen_has(envelope, mark))
        return -EALREADY;
    names_none = sodium_is_zero(raw + 1, KEYS_NAME_BYTES);
    names_current = current != NULL && memcmp(raw + 1, current->name, KEYS_NAME_BYTES) == 0;
    if (!names_none && !names_current)
        return 0; /* it was asked with keys that we do not use: not by us, or long ago */
    if (!bucket_take(&envelope->stale_answers, now)) {
        request_want(envelope, now);
        return -EBUSY;
    }
    seen_add(envelope, mark);
    memcpy(envelope->challenges[0], raw + 1 + KEYS_NAME_BYTES, CHALLENGE_BYTES);
    request_want(envelope, now + ENVELOPE_RETRY_MIN_MS);
    if (names_none && !envelope->attempts[0].active && is_unconfirmed(current, now, YOUNG_MS))
        opened->reply = confirmation_make(current);
    else
        opened->reply = attempt_make(envelope, now);
    return 0;
}

static int open_raw(struct envelope *envelope, int64_t now, const uint8_t *raw, size_t length,
                    struct envelope_opened *opened)
{
    if (raw[0] == KIND_MESSAGE)
        return open_message(envelope, now, raw, length, opened);
    if (raw[0] == KIND_INITIATION && !envelope->keyring.initiator)
        return open_initiation(envelope, now, raw, length, opened);
    if (raw[0] == KIND_RESPONSE && envelope->keyring.initiator)
        return open_response(envelope, now, raw, length, opened);
    if (raw[0] == KIND_WAKE && envelope->keyring.initiator)
        return open_wake(envelope, now, raw, length, opened);
    return -EBADMSG;
}

int envelope_open(struct envelope *envelope, int64_t now, const char *data,
                  struct envelope_opened *opened)
{
    size_t text_length = strnlen(data, ENVELOPE_DATA_MAX + 1), length = 0;
    uint8_t *raw;
    int rc = -EBADMSG;

    memset(opened, 0, sizeof *opened);
    if (text_length > ENVELOPE_DATA_MAX)
        return -EBADMSG;
    raw = malloc(RAW_MAX);
    if (raw == NULL)
        return -ENOMEM;
    keyring_expire(&envelope->keyring, now);
    if (sodium_base642bin(raw, RAW_MAX, data, text_length, NULL, &length, NULL,
                          sodium_base64_VARIANT_ORIGINAL) == 0 &&
        length > 0)
        rc = open_raw(envelope, now, raw, length, opened);
    free(raw);
    return rc;
}

void envelope_opened_clear(struct envelope_opened *opened)
{
    free(opened->hello);
    free(opened->reply);
    if (opened->message != NULL)
        sodium_memzero(opened->message, opened->length);
    free(opened->message);
    memset(opened, 0, sizeof *opened);
}

int envelope_set_hello(struct envelope *envelope, const char *hello)
{
    char *copy;

    if (strlen(hello) > ENVELOPE_HELLO_MAX)
        return -EMSGSIZE;
    copy = strdup(hello);
    if (copy == NULL)
        return -ENOMEM;
    free(envelope->hello);
    envelope->hello = copy;
    return 0;
}

bool envelope_is_initiator(const struct envelope *envelope)
{
    return envelope->keyring.initiator;
}

bool envelope_is_ready(struct envelope *envelope)
{
    return keyring_current(&envelope->keyring) != NULL;
}

/* Protocol version and both ids: a handshake means these two and nothing else. */
static void prologue_make(struct envelope *envelope)
{
    uint8_t *at = envelope->prologue;
    const uint8_t *first =
        envelope->keyring.initiator ? envelope->own_public : envelope->peer_public;
    const uint8_t *second =
        envelope->keyring.initiator ? envelope->peer_public : envelope->own_public;

    memcpy(at, PROLOGUE, sizeof PROLOGUE - 1);
    at += sizeof PROLOGUE - 1;
    memcpy(at, first, NOISE_KEY_BYTES);
    memcpy(at + NOISE_KEY_BYTES, second, NOISE_KEY_BYTES);
}

static int wake_key_make(struct envelope *envelope)
{
    uint8_t shared[NOISE_KEY_BYTES];

    if (crypto_scalarmult_curve25519(shared, envelope->own_secret, envelope->peer_public) != 0)
        return -EINVAL;
    crypto_generichash(envelope->wake_key, sizeof envelope->wake_key, (const uint8_t *)WAKE_CONTEXT,
                       sizeof WAKE_CONTEXT - 1, shared, sizeof shared);
    sodium_memzero(shared, sizeof shared);
    return 0;
}

struct envelope *envelope_new(const uint8_t own_secret[32], const uint8_t own_public[32],
                              const uint8_t peer_public[32])
{
    int order = memcmp(own_public, peer_public, NOISE_KEY_BYTES);
    struct envelope *envelope = calloc(1, sizeof *envelope);

    if (envelope == NULL)
        return NULL;
    memcpy(envelope->own_secret, own_secret, NOISE_KEY_BYTES);
    memcpy(envelope->own_public, own_public, NOISE_KEY_BYTES);
    memcpy(envelope->peer_public, peer_public, NOISE_KEY_BYTES);
    envelope->keyring.initiator = order < 0;
    if (order == 0 || wake_key_make(envelope) != 0) {
        envelope_free(envelope);
        errno = EINVAL;
        return NULL;
    }
    prologue_make(envelope);
    crypto_shorthash_keygen(envelope->seen_key);
    envelope->answers = bucket_full(ENVELOPE_ANSWERS, ENVELOPE_ANSWER_REFILL_MS);
    envelope->stale_answers = envelope->answers;
    envelope->other_answers = envelope->answers;
    return envelope;
}

void envelope_free(struct envelope *envelope)
{
    if (envelope == NULL)
        return;
    keyring_clear(&envelope->keyring);
    attempts_clear(envelope);
    free(envelope->hello);
    sodium_memzero(envelope, sizeof *envelope);
    free(envelope);
}
