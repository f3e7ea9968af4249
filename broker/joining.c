/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/joining.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/message.h"

#define PROLOGUE           "PunchGuard joining 1"
#define NAME_CONTEXT       "PunchGuard invitation name"
#define PSK_CONTEXT        "PunchGuard invitation psk"
#define PROOF_CONTEXT      "PunchGuard invitation proof"
#define RENDEZVOUS_CONTEXT "PunchGuard invitation rendezvous 1 "

/* Base64 makes four characters of three bytes. */
#define RAW_MAX     (MESSAGE_REQUEST_MAX / 4 * 3)
#define ASKING_HEAD (JOINING_NAME_BYTES + JOINING_PROOF_BYTES)
#define ASKING_MAX  (RAW_MAX - 1 - NOISE_IKPSK2_OVERHEAD)
#define ANSWER_MAX  (1 + PEER_NAME_MAX)

static void secret_hash(const uint8_t secret[INVITATION_SECRET_BYTES], const char *context,
                        uint8_t *out, size_t length)
{
    crypto_generichash(out, length, (const uint8_t *)context, strlen(context), secret,
                       INVITATION_SECRET_BYTES);
}

void joining_name(const uint8_t secret[INVITATION_SECRET_BYTES], uint8_t name[JOINING_NAME_BYTES])
{
    uint8_t hash[32];

    secret_hash(secret, NAME_CONTEXT, hash, sizeof hash);
    memcpy(name, hash, JOINING_NAME_BYTES);
    sodium_memzero(hash, sizeof hash);
}

void joining_rendezvous(const uint8_t secret[INVITATION_SECRET_BYTES],
                        const uint8_t inviter[ID_KEY_BYTES], const char *transport, char out[65])
{
    crypto_generichash_state state;
    uint8_t hash[32];

    crypto_generichash_init(&state, secret, INVITATION_SECRET_BYTES, sizeof hash);
    crypto_generichash_update(&state, (const uint8_t *)RENDEZVOUS_CONTEXT,
                              sizeof RENDEZVOUS_CONTEXT - 1);
    crypto_generichash_update(&state, inviter, ID_KEY_BYTES);
    crypto_generichash_update(&state, (const uint8_t *)transport, strlen(transport));
    crypto_generichash_final(&state, hash, sizeof hash);
    sodium_bin2hex(out, 65, hash, sizeof hash);
    sodium_memzero(&state, sizeof state);
    sodium_memzero(hash, sizeof hash);
}

static void proof_make(const uint8_t secret[INVITATION_SECRET_BYTES],
                       const uint8_t joiner[ID_KEY_BYTES], const uint8_t inviter[ID_KEY_BYTES],
                       const struct contact *contact, uint8_t proof[JOINING_PROOF_BYTES])
{
    uint8_t packed[CONTACT_PACKED_MAX];
    size_t length = contact_pack(contact, packed);
    crypto_generichash_state state;

    crypto_generichash_init(&state, secret, INVITATION_SECRET_BYTES, JOINING_PROOF_BYTES);
    crypto_generichash_update(&state, (const uint8_t *)PROOF_CONTEXT, sizeof PROOF_CONTEXT - 1);
    crypto_generichash_update(&state, joiner, ID_KEY_BYTES);
    crypto_generichash_update(&state, inviter, ID_KEY_BYTES);
    crypto_generichash_update(&state, packed, length);
    crypto_generichash_final(&state, proof, JOINING_PROOF_BYTES);
    sodium_memzero(&state, sizeof state);
}

static void handshake_begin(struct noise_handshake *handshake, const struct identity *identity,
                            const uint8_t *inviter, const uint8_t *psk)
{
    struct noise_setup setup = {
        .pattern = NOISE_IKPSK2,
        .initiator = inviter != NULL,
        .prologue = (const uint8_t *)PROLOGUE,
        .prologue_length = sizeof PROLOGUE - 1,
        .own_secret = identity->secret,
        .own_public = identity->public,
        .remote_public = inviter,
        .psk = psk,
    };

    noise_begin(handshake, &setup);
}

static char *data_make(enum joining_kind kind, uint8_t *raw, size_t length)
{
    size_t size = sodium_base64_encoded_len(length + 1, sodium_base64_VARIANT_ORIGINAL);
    char *data = malloc(size);

    raw[0] = (uint8_t)kind;
    if (data != NULL)
        sodium_bin2base64(data, size, raw, length + 1, sodium_base64_VARIANT_ORIGINAL);
    return data;
}

/* What stands behind the kind, into RAW_MAX bytes. Its length, or -EBADMSG. */
static int data_read(const char *data, enum joining_kind kind, uint8_t raw[RAW_MAX])
{
    size_t text = strnlen(data, MESSAGE_REQUEST_MAX + 1), length = 0;

    if (text > MESSAGE_REQUEST_MAX ||
        sodium_base642bin(raw, RAW_MAX, data, text, NULL, &length, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        length == 0 || raw[0] != (uint8_t)kind)
        return -EBADMSG;
    return (int)length - 1;
}

enum joining_kind joining_kind(const char *data)
{
    uint8_t raw[3];
    size_t length = 0;

    if (strnlen(data, 4) < 4 || sodium_base642bin(raw, sizeof raw, data, 4, NULL, &length, NULL,
                                                  sodium_base64_VARIANT_ORIGINAL) != 0)
        return JOINING_NONE;
    return length > 0 && (raw[0] == JOINING_ASKING || raw[0] == JOINING_ANSWER)
               ? (enum joining_kind)raw[0]
               : JOINING_NONE;
}

/* The joiner */

static size_t asking_make(const struct identity *identity, const struct invitation *invitation,
                          const struct contact *own,
                          uint8_t payload[ASKING_HEAD + CONTACT_PACKED_MAX])
{
    struct contact contact = *own;
    size_t length;

    joining_name(invitation->secret, payload);
    while ((length = contact_pack(&contact, payload + ASKING_HEAD)) > ASKING_MAX - ASKING_HEAD)
        contact.count--;
    proof_make(invitation->secret, identity->public, invitation->key, &contact,
               payload + JOINING_NAME_BYTES);
    return ASKING_HEAD + length;
}

int joining_ask(struct joining *joining, const struct identity *identity,
                const struct invitation *invitation, const struct contact *own)
{
    uint8_t raw[RAW_MAX], payload[ASKING_HEAD + CONTACT_PACKED_MAX], psk[NOISE_KEY_BYTES];
    size_t length = asking_make(identity, invitation, own, payload);
    int rc = -EINVAL;

    joining->data = NULL;
    secret_hash(invitation->secret, PSK_CONTEXT, psk, sizeof psk);
    handshake_begin(&joining->handshake, identity, invitation->key, psk);
    sodium_memzero(psk, sizeof psk);
    if (memcmp(identity->public, invitation->key, ID_KEY_BYTES) == 0 ||
        noise_write(&joining->handshake, payload, length, raw + 1, sizeof raw - 1, &length) < 0)
        goto out;
    joining->data = data_make(JOINING_ASKING, raw, length);
    rc = joining->data != NULL ? 0 : -ENOMEM;
out:
    sodium_memzero(payload, sizeof payload);
    return rc;
}

void joining_clear(struct joining *joining)
{
    noise_clear(&joining->handshake);
    free(joining->data);
    joining->data = NULL;
}

int joining_answered(const struct joining *joining, const char *data, enum joining_result *result,
                     char name[PEER_NAME_MAX + 1])
{
    struct noise_handshake handshake = joining->handshake;
    uint8_t raw[RAW_MAX], payload[ANSWER_MAX];
    int length = data_read(data, JOINING_ANSWER, raw), rc = -EBADMSG;
    size_t written;

    if (length < 0 ||
        noise_read(&handshake, raw + 1, (size_t)length, payload, sizeof payload, &written) < 0 ||
        written == 0 || payload[0] > JOINING_CANCELLED)
        goto out;
    *result = (enum joining_result)payload[0];
    memcpy(name, payload + 1, written - 1);
    name[written - 1] = '\0';
    if (peer_name_check(name, NULL) < 0)
        name[0] = '\0';
    rc = 0;
out:
    noise_clear(&handshake);
    return rc;
}

/* The inviter */

int joining_read(struct joining_asked *asked, const struct identity *identity, const char *data)
{
    uint8_t raw[RAW_MAX], payload[RAW_MAX];
    int length = data_read(data, JOINING_ASKING, raw), used;
    size_t written;

    memset(asked, 0, sizeof *asked);
    if (length < 0)
        return -EBADMSG;
    handshake_begin(&asked->handshake, identity, NULL, NULL);
    if (noise_read(&asked->handshake, raw + 1, (size_t)length, payload, sizeof payload, &written) <
            0 ||
        written < ASKING_HEAD)
        return -EBADMSG;
    memcpy(asked->key, asked->handshake.remote_static, ID_KEY_BYTES);
    memcpy(asked->name, payload, JOINING_NAME_BYTES);
    memcpy(asked->proof, payload + JOINING_NAME_BYTES, JOINING_PROOF_BYTES);
    used = contact_unpack(&asked->joiner, payload + ASKING_HEAD, written - ASKING_HEAD);
    return used == (int)(written - ASKING_HEAD) ? 0 : -EBADMSG;
}

bool joining_proves(const struct joining_asked *asked, const struct identity *identity,
                    const uint8_t secret[INVITATION_SECRET_BYTES])
{
    uint8_t proof[JOINING_PROOF_BYTES];

    proof_make(secret, asked->key, identity->public, &asked->joiner, proof);
    return sodium_memcmp(proof, asked->proof, sizeof proof) == 0;
}

char *joining_answer(struct joining_asked *asked, const uint8_t secret[INVITATION_SECRET_BYTES],
                     enum joining_result result, const char *name)
{
    uint8_t raw[RAW_MAX], payload[ANSWER_MAX], psk[NOISE_KEY_BYTES];
    size_t length = strnlen(name, PEER_NAME_MAX);
    int rc;

    payload[0] = (uint8_t)result;
    memcpy(payload + 1, name, length);
    secret_hash(secret, PSK_CONTEXT, psk, sizeof psk);
    noise_set_psk(&asked->handshake, psk);
    sodium_memzero(psk, sizeof psk);
    rc = noise_write(&asked->handshake, payload, length + 1, raw + 1, sizeof raw - 1, &length);
    return rc < 0 ? NULL : data_make(JOINING_ANSWER, raw, length);
}

void joining_asked_clear(struct joining_asked *asked)
{
    sodium_memzero(asked, sizeof *asked);
}
