/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "broker/joining.h"
#include "protocol/message.h"

#define TOX "ABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABAB"

static struct identity alice, bob, mallory;
static struct invitation invitation;
static struct contact bobs;
static struct joining joining;
static struct joining_asked asked;

static void identity_make(struct identity *identity, uint8_t seed)
{
    memset(identity->secret, seed, sizeof identity->secret);
    crypto_scalarmult_curve25519_base(identity->public, identity->secret);
}

static int begin(void **state)
{
    (void)state;
    identity_make(&alice, 1);
    identity_make(&bob, 2);
    identity_make(&mallory, 3);
    memset(&invitation, 0, sizeof invitation);
    memcpy(invitation.key, alice.public, ID_KEY_BYTES);
    memset(invitation.secret, 9, sizeof invitation.secret);
    memset(&bobs, 0, sizeof bobs);
    contact_set_name(&bobs, "bob");
    contact_add(&bobs, "tox", TOX, NULL);
    return joining_ask(&joining, &bob, &invitation, &bobs);
}

static int end(void **state)
{
    (void)state;
    joining_clear(&joining);
    joining_asked_clear(&asked);
    return 0;
}

static void who_has_the_invitation_is_known_with_its_contact(void **state)
{
    uint8_t name[JOINING_NAME_BYTES];

    (void)state;
    assert_true(strlen(joining.data) <= MESSAGE_REQUEST_MAX);
    assert_int_equal(joining_kind(joining.data), JOINING_ASKING);
    assert_int_equal(joining_read(&asked, &alice, joining.data), 0);
    assert_memory_equal(asked.key, bob.public, ID_KEY_BYTES);
    joining_name(invitation.secret, name);
    assert_memory_equal(asked.name, name, sizeof name);
    assert_true(joining_proves(&asked, &alice, invitation.secret));
    assert_string_equal(asked.joiner.name, "bob");
    assert_string_equal(asked.joiner.items[0].address, TOX);
}

static void every_result_reaches_the_joiner(void **state)
{
    (void)state;
    for (int result = JOINING_ACCEPTED; result <= JOINING_CANCELLED; result++) {
        enum joining_result got;
        char *data, name[PEER_NAME_MAX + 1];

        assert_int_equal(joining_read(&asked, &alice, joining.data), 0);
        data = joining_answer(&asked, invitation.secret, (enum joining_result)result,
                              result == JOINING_ACCEPTED ? "bob-2" : "");
        assert_int_equal(joining_kind(data), JOINING_ANSWER);
        assert_true(strlen(data) <= MESSAGE_REQUEST_MAX);
        assert_int_equal(joining_answered(&joining, data, &got, name), 0);
        assert_int_equal(got, result);
        assert_string_equal(name, result == JOINING_ACCEPTED ? "bob-2" : "");
        free(data);
    }
}

static void another_secret_proves_nothing_and_answers_nothing(void **state)
{
    struct invitation wrong = invitation;
    char *data, name[PEER_NAME_MAX + 1];
    enum joining_result result;

    (void)state;
    wrong.secret[15] ^= 1;
    joining_clear(&joining);
    assert_int_equal(joining_ask(&joining, &bob, &wrong, &bobs), 0);
    assert_int_equal(joining_read(&asked, &alice, joining.data), 0);
    assert_false(joining_proves(&asked, &alice, invitation.secret));
    data = joining_answer(&asked, invitation.secret, JOINING_ACCEPTED, "bob");
    assert_int_equal(joining_answered(&joining, data, &result, name), -EBADMSG);
    free(data);
}

static void nobody_else_can_read_what_is_asked_or_answer_it(void **state)
{
    char *data, name[PEER_NAME_MAX + 1];
    struct invitation of_mallory = invitation;
    struct joining other;
    enum joining_result result;

    (void)state;
    assert_int_equal(joining_read(&asked, &mallory, joining.data), -EBADMSG);
    /* Even with the secret: the answer is bound to the inviter's key. */
    memcpy(of_mallory.key, mallory.public, ID_KEY_BYTES);
    assert_int_equal(joining_ask(&other, &bob, &of_mallory, &bobs), 0);
    assert_int_equal(joining_read(&asked, &mallory, other.data), 0);
    data = joining_answer(&asked, invitation.secret, JOINING_ACCEPTED, "bob");
    assert_int_equal(joining_answered(&joining, data, &result, name), -EBADMSG);
    free(data);
    joining_clear(&other);
}

static void no_bit_can_be_changed_on_the_way(void **state)
{
    uint8_t raw[MESSAGE_REQUEST_MAX];
    char data[MESSAGE_REQUEST_MAX + 4];
    size_t length;

    (void)state;
    assert_int_equal(sodium_base642bin(raw, sizeof raw, joining.data, strlen(joining.data), NULL,
                                       &length, NULL, sodium_base64_VARIANT_ORIGINAL),
                     0);
    for (size_t i = 0; i < length; i++) {
        /* The key's last bit is not looked at (RFC 7748 section 5), but it is hashed. */
        raw[i] ^= 0x80;
        sodium_bin2base64(data, sizeof data, raw, length, sodium_base64_VARIANT_ORIGINAL);
        assert_int_equal(joining_read(&asked, &alice, data), -EBADMSG);
        raw[i] ^= 0x80;
    }
    for (size_t cut = 0; cut < strlen(joining.data); cut++) {
        memcpy(data, joining.data, cut);
        data[cut] = '\0';
        assert_int_equal(joining_read(&asked, &alice, data), -EBADMSG);
    }
}

static void what_is_asked_again_is_answered_again(void **state)
{
    enum joining_result result;
    char *first, *second, name[PEER_NAME_MAX + 1];

    (void)state;
    assert_int_equal(joining_read(&asked, &alice, joining.data), 0);
    first = joining_answer(&asked, invitation.secret, JOINING_ACCEPTED, "bob");
    assert_int_equal(joining_read(&asked, &alice, joining.data), 0);
    second = joining_answer(&asked, invitation.secret, JOINING_ACCEPTED, "bob");
    assert_string_not_equal(first, second);
    assert_int_equal(joining_answered(&joining, second, &result, name), 0);
    assert_int_equal(joining_answered(&joining, first, &result, name), 0);
    free(first);
    free(second);
}

static void a_contact_that_is_too_long_loses_its_last_addresses(void **state)
{
    char address[200];

    (void)state;
    memset(address, 'z', sizeof address - 1);
    address[sizeof address - 1] = '\0';
    for (char name[] = "a"; bobs.count < CONTACT_TRANSPORTS_MAX; name[0]++)
        assert_int_equal(contact_add(&bobs, name, address, NULL), 0);
    joining_clear(&joining);
    assert_int_equal(joining_ask(&joining, &bob, &invitation, &bobs), 0);
    assert_true(strlen(joining.data) <= MESSAGE_REQUEST_MAX);
    assert_int_equal(joining_read(&asked, &alice, joining.data), 0);
    assert_true(joining_proves(&asked, &alice, invitation.secret));
    assert_string_equal(asked.joiner.items[0].transport, "tox");
    assert_in_range(asked.joiner.count, 2, CONTACT_TRANSPORTS_MAX - 1);
}

static void ones_own_invitation_and_a_key_that_is_none_are_refused(void **state)
{
    struct invitation odd = invitation;

    (void)state;
    joining_clear(&joining);
    assert_int_equal(joining_ask(&joining, &alice, &invitation, &bobs), -EINVAL);
    joining_clear(&joining);
    memset(odd.key, 0, sizeof odd.key);
    assert_int_equal(joining_ask(&joining, &bob, &odd, &bobs), -EINVAL);
}

static void rendezvous_differ_by_transport_secret_and_inviter(void **state)
{
    char one[65], two[65];

    (void)state;
    joining_rendezvous(invitation.secret, alice.public, "lan", one);
    assert_int_equal(strlen(one), 64);
    joining_rendezvous(invitation.secret, alice.public, "lan", two);
    assert_string_equal(one, two);
    joining_rendezvous(invitation.secret, alice.public, "dht", two);
    assert_string_not_equal(one, two);
    joining_rendezvous(invitation.secret, bob.public, "lan", two);
    assert_string_not_equal(one, two);
    invitation.secret[0] ^= 1;
    joining_rendezvous(invitation.secret, alice.public, "lan", two);
    assert_string_not_equal(one, two);
}

static void other_data_is_no_joining(void **state)
{
    static const char *const others[] = {"", "A", "AQ==", "AQID", "BAAA", "BwAA", "!!!!", "=AAA"};

    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_int_equal(joining_kind(others[i]), JOINING_NONE);
        assert_int_equal(joining_read(&asked, &alice, others[i]), -EBADMSG);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(who_has_the_invitation_is_known_with_its_contact),
        TEST(every_result_reaches_the_joiner),
        TEST(another_secret_proves_nothing_and_answers_nothing),
        TEST(nobody_else_can_read_what_is_asked_or_answer_it),
        TEST(no_bit_can_be_changed_on_the_way),
        TEST(what_is_asked_again_is_answered_again),
        TEST(a_contact_that_is_too_long_loses_its_last_addresses),
        TEST(ones_own_invitation_and_a_key_that_is_none_are_refused),
        TEST(rendezvous_differ_by_transport_secret_and_inviter),
        TEST(other_data_is_no_joining),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
