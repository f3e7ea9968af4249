/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broker/noise.h"

#define TEXT_MAX 512

static size_t hex_of(const json_t *vector, const char *key, uint8_t out[TEXT_MAX])
{
    const char *hex = json_string_value(json_object_get(vector, key));
    size_t length = 0;

    if (hex == NULL)
        return 0;
    assert_int_equal(sodium_hex2bin(out, TEXT_MAX, hex, strlen(hex), NULL, &length, NULL), 0);
    return length;
}

static size_t first_hex_of(const json_t *vector, const char *key, uint8_t out[TEXT_MAX])
{
    const char *hex = json_string_value(json_array_get(json_object_get(vector, key), 0));
    size_t length = 0;

    if (hex == NULL)
        return 0;
    assert_int_equal(sodium_hex2bin(out, TEXT_MAX, hex, strlen(hex), NULL, &length, NULL), 0);
    return length;
}

static void begin_side(struct noise_handshake *handshake, const json_t *vector, bool initiator)
{
    uint8_t prologue[TEXT_MAX], secret[TEXT_MAX], public[32], ephemeral[TEXT_MAX];
    uint8_t remote[TEXT_MAX], psk[TEXT_MAX];
    const char *name = json_string_value(json_object_get(vector, "protocol_name"));
    bool kk = strcmp(name, "Noise_KK_25519_ChaChaPoly_BLAKE2b") == 0;
    struct noise_setup setup = {.pattern = kk ? NOISE_KK : NOISE_IKPSK2,
                                .initiator = initiator,
                                .prologue = prologue,
                                .own_secret = secret,
                                .own_public = public,
                                .ephemeral_secret = ephemeral};

    assert_true(kk || strcmp(name, "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2b") == 0);
    setup.prologue_length = hex_of(vector, initiator ? "init_prologue" : "resp_prologue", prologue);
    assert_int_equal(hex_of(vector, initiator ? "init_static" : "resp_static", secret), 32);
    assert_int_equal(hex_of(vector, initiator ? "init_ephemeral" : "resp_ephemeral", ephemeral),
                     32);
    crypto_scalarmult_base(public, secret);
    if (hex_of(vector, initiator ? "init_remote_static" : "resp_remote_static", remote) == 32)
        setup.remote_public = remote;
    if (first_hex_of(vector, initiator ? "init_psks" : "resp_psks", psk) == 32)
        setup.psk = psk;
    assert_true(kk == (setup.psk == NULL));
    noise_begin(handshake, &setup);
}

/* One message of the vector, from `from` to `to`: bytes as published, and read back. */
static void exchange_handshake(struct noise_handshake *from, struct noise_handshake *to,
                               const json_t *message)
{
    uint8_t payload[TEXT_MAX], expected[TEXT_MAX], sent[TEXT_MAX], got[TEXT_MAX];
    size_t payload_length = hex_of(message, "payload", payload);
    size_t expected_length = hex_of(message, "ciphertext", expected);
    size_t sent_length, got_length;

    assert_int_equal(noise_write(from, payload, payload_length, sent, sizeof sent, &sent_length),
                     0);
    assert_int_equal(sent_length, expected_length);
    assert_memory_equal(sent, expected, expected_length);
    assert_int_equal(noise_read(to, sent, sent_length, got, sizeof got, &got_length), 0);
    assert_int_equal(got_length, payload_length);
    assert_memory_equal(got, payload, payload_length);
}

static void exchange_transport(const uint8_t send[32], const uint8_t receive[32], uint64_t counter,
                               const json_t *message)
{
    uint8_t payload[TEXT_MAX], expected[TEXT_MAX], sent[TEXT_MAX + 16], got[TEXT_MAX];
    size_t payload_length = hex_of(message, "payload", payload);
    size_t expected_length = hex_of(message, "ciphertext", expected);

    assert_int_equal(expected_length, payload_length + NOISE_TAG_BYTES);
    assert_int_equal(noise_seal(send, counter, NULL, 0, payload, payload_length, sent), 0);
    assert_memory_equal(sent, expected, expected_length);
    assert_int_equal(noise_open(receive, counter, NULL, 0, sent, expected_length, got), 0);
    assert_memory_equal(got, payload, payload_length);
}

static void run_vector(const json_t *vector)
{
    const json_t *messages = json_object_get(vector, "messages");
    struct noise_handshake initiator, responder;
    uint8_t initiator_send[32], initiator_receive[32], responder_send[32], responder_receive[32];
    uint8_t hash[TEXT_MAX];

    begin_side(&initiator, vector, true);
    begin_side(&responder, vector, false);
    exchange_handshake(&initiator, &responder, json_array_get(messages, 0));
    exchange_handshake(&responder, &initiator, json_array_get(messages, 1));
    assert_true(noise_done(&initiator) && noise_done(&responder));
    assert_memory_equal(initiator.hash, responder.hash, NOISE_HASH_BYTES);
    assert_memory_equal(responder.remote_static, initiator.own_public, NOISE_KEY_BYTES);
    if (hex_of(vector, "handshake_hash", hash) != 0)
        assert_memory_equal(initiator.hash, hash, NOISE_HASH_BYTES);
    noise_split(&initiator, initiator_send, initiator_receive);
    noise_split(&responder, responder_send, responder_receive);
    assert_true(json_array_size(messages) > 2);
    for (size_t i = 2; i < json_array_size(messages); i++)
        exchange_transport(i % 2 ? responder_send : initiator_send,
                           i % 2 ? initiator_receive : responder_receive, i / 2 - 1,
                           json_array_get(messages, i));
}

static void published_vectors_pass(void **state)
{
    const char *srcdir = getenv("srcdir");
    char path[4096];
    json_error_t problem;
    json_t *file;
    size_t kinds[2] = {0};

    (void)state;
    snprintf(path, sizeof path, "%s/tests/data/noise-vectors.json", srcdir ? srcdir : ".");
    file = json_load_file(path, 0, &problem);
    assert_non_null(file);
    for (size_t i = 0; i < json_array_size(json_object_get(file, "vectors")); i++) {
        const json_t *vector = json_array_get(json_object_get(file, "vectors"), i);

        kinds[json_object_get(vector, "resp_remote_static") == NULL]++;
        run_vector(vector);
    }
    assert_int_equal(kinds[0], 2); /* KK */
    assert_int_equal(kinds[1], 1); /* IKpsk2 */
    json_decref(file);
}

struct side {
    uint8_t secret[32];
    uint8_t public[32];
};

static void begin_pair(struct noise_handshake *initiator, struct noise_handshake *responder,
                       const char *other_prologue)
{
    struct side a, b;
    struct noise_setup setup = {.pattern = NOISE_KK,
                                .initiator = true,
                                .prologue = (const uint8_t *)"one",
                                .prologue_length = 3,
                                .own_secret = a.secret,
                                .own_public = a.public,
                                .remote_public = b.public};

    crypto_box_keypair(a.public, a.secret);
    crypto_box_keypair(b.public, b.secret);
    noise_begin(initiator, &setup);
    setup.initiator = false;
    setup.prologue = (const uint8_t *)other_prologue;
    setup.own_secret = b.secret;
    setup.own_public = b.public;
    setup.remote_public = a.public;
    noise_begin(responder, &setup);
}

static void every_flipped_bit_is_noticed(void **state)
{
    struct noise_handshake initiator, responder;
    uint8_t message[128], payload[128];
    size_t length, got;

    (void)state;
    begin_pair(&initiator, &responder, "one");
    assert_int_equal(
        noise_write(&initiator, (const uint8_t *)"hi", 2, message, sizeof message, &length), 0);
    for (size_t bit = 0; bit < length * 8; bit++) {
        struct noise_handshake copy = responder;

        /* The top bit of a Curve25519 key is no part of it (RFC 7748 section 5), but is hashed. */
        message[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(noise_read(&copy, message, length, payload, sizeof payload, &got),
                         -EBADMSG);
        message[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t cut = 0; cut < length; cut++) {
        struct noise_handshake copy = responder;

        assert_int_equal(noise_read(&copy, message, cut, payload, sizeof payload, &got), -EBADMSG);
    }
    assert_int_equal(noise_read(&responder, message, length, payload, sizeof payload, &got), 0);
}

static void another_prologue_is_refused(void **state)
{
    struct noise_handshake initiator, responder;
    uint8_t message[128], payload[128];
    size_t length, got;

    (void)state;
    begin_pair(&initiator, &responder, "two");
    assert_int_equal(noise_write(&initiator, NULL, 0, message, sizeof message, &length), 0);
    assert_int_equal(length, NOISE_KK_OVERHEAD);
    assert_int_equal(noise_read(&responder, message, length, payload, sizeof payload, &got),
                     -EBADMSG);
}

static void keys_of_low_order_are_refused(void **state)
{
    static const uint8_t low[][32] = {{0}, {1}};
    struct noise_handshake initiator, responder;
    uint8_t message[128], payload[128];
    size_t length, got;

    (void)state;
    for (size_t i = 0; i < sizeof low / sizeof low[0]; i++) {
        begin_pair(&initiator, &responder, "one");
        memcpy(initiator.remote_static, low[i], 32);
        assert_int_equal(noise_write(&initiator, NULL, 0, message, sizeof message, &length),
                         -EBADMSG);
        begin_pair(&initiator, &responder, "one");
        assert_int_equal(noise_write(&initiator, NULL, 0, message, sizeof message, &length), 0);
        memcpy(message, low[i], 32);
        assert_int_equal(noise_read(&responder, message, length, payload, sizeof payload, &got),
                         -EBADMSG);
    }
}

static void turns_and_room_are_checked(void **state)
{
    struct noise_handshake initiator, responder, copy;
    uint8_t message[128], payload[4];
    size_t length, got;

    (void)state;
    begin_pair(&initiator, &responder, "one");
    assert_int_equal(noise_write(&responder, NULL, 0, message, sizeof message, &length), -EPROTO);
    assert_int_equal(noise_read(&initiator, message, 64, payload, sizeof payload, &got), -EPROTO);
    for (size_t room = 0; room < NOISE_KK_OVERHEAD + 5; room++) {
        copy = initiator;
        assert_int_equal(noise_write(&copy, (const uint8_t *)"hello", 5, message, room, &length),
                         -EMSGSIZE);
    }
    assert_int_equal(noise_write(&initiator, (const uint8_t *)"hello", 5, message,
                                 NOISE_KK_OVERHEAD + 5, &length),
                     0);
    assert_int_equal(noise_read(&responder, message, length, payload, sizeof payload, &got),
                     -EMSGSIZE);
}

static void the_reserved_counter_is_never_used(void **state)
{
    static const uint8_t key[32] = {7};
    uint8_t out[16];

    (void)state;
    assert_int_equal(noise_seal(key, UINT64_MAX, NULL, 0, NULL, 0, out), -EOVERFLOW);
    assert_int_equal(noise_open(key, UINT64_MAX, NULL, 0, out, 16, out), -EOVERFLOW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors_pass),
        cmocka_unit_test(every_flipped_bit_is_noticed),
        cmocka_unit_test(another_prologue_is_refused),
        cmocka_unit_test(keys_of_low_order_are_refused),
        cmocka_unit_test(turns_and_room_are_checked),
        cmocka_unit_test(the_reserved_counter_is_never_used),
    };

    if (sodium_init() < 0)
        return 99;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
