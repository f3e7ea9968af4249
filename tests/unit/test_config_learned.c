/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the file says goes before what was learned, and learned peers get no address that somebody
 * has.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "broker/config_diff.h"
#include "broker/config_learned.h"
#include "protocol/log.h"

#define CAT "{'name': 'cat', 'command': ['/bin/cat', 'x'], 'options': {'a': 1}}"
#define LS  "{'name': 'ls', 'command': ['/bin/ls']}"

static char path[64], ids[4][ID_TEXT_LENGTH + 1];
static uint8_t keys[4][ID_KEY_BYTES];
static struct learned learned;

/* ' stands for ", @0 to @3 for ids. */
static struct config *load(const char *text)
{
    static struct config_errors errors;
    struct config *config;
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    for (; *text != '\0'; text++) {
        if (*text == '@')
            fputs(ids[*++text - '0'], f);
        else
            fputc(*text == '\'' ? '"' : *text, f);
    }
    fclose(f);
    config = config_load(path, &errors);
    if (config == NULL)
        fail_msg("%s", errors.items[0].message);
    return config;
}

static int setup(void **state)
{
    int fd;

    (void)state;
    memset(&learned, 0, sizeof learned);
    for (uint8_t i = 0; i < 4; i++) {
        const uint8_t secret[32] = {0, (uint8_t)(i + 1)};

        crypto_scalarmult_curve25519_base(keys[i], secret);
        id_encode(keys[i], ids[i]);
    }
    snprintf(path, sizeof path, "/tmp/test-config-learned-XXXXXX");
    fd = mkstemp(path);
    if (fd < 0)
        return -1;
    close(fd);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    learned_clear(&learned);
    return unlink(path);
}

static void learn(const char *name, size_t who, const char *transport, const char *address)
{
    struct contact contact = {.count = 0};

    contact_set_name(&contact, name);
    if (transport != NULL)
        assert_int_equal(contact_add(&contact, transport, address, NULL), 0);
    assert_non_null(learned_peer_add(&learned, keys[who], &contact, NULL, NULL));
}

static void allowed_are(const struct config_peer *peer, bool ipv6, bool ipv4)
{
    struct prefix overlay[2];
    size_t count = 0;

    id_overlay(peer->grant.key, &overlay[0], &overlay[1]);
    if (ipv6)
        assert_true(prefix_equal(&peer->grant.allowed[count++], &overlay[0]));
    if (ipv4)
        assert_true(prefix_equal(&peer->grant.allowed[count++], &overlay[1]));
    assert_int_equal(peer->grant.allowed_count, count);
}

static void learned_peers_stand_behind_with_their_overlay_addresses(void **state)
{
    struct config *config = load("{'signalling': [" CAT "," LS "], 'peers': [{'name': 'a', 'id': "
                                 "'@0'}]}");

    (void)state;
    learn("b", 1, "ls", "there");
    learn("c", 2, "gone", "x");
    learned.peers[1].inbound.kind = INBOUND_NONE;
    assert_int_equal(config_add_learned(config, &learned, keys[3]), 0);
    assert_int_equal(config->peer_count, 3);
    assert_false(config->peers[0].learned);
    assert_true(config->peers[1].learned);
    assert_string_equal(config->peers[1].grant.peer, "b");
    assert_string_equal(config->peers[1].id, ids[1]);
    assert_null(config->peers[1].addresses[0]);
    assert_string_equal(config->peers[1].addresses[1], "there");
    assert_null(config->peers[2].addresses[1]);
    assert_int_equal(config->peers[1].grant.inbound.kind, INBOUND_ALL);
    assert_int_equal(config->peers[2].grant.inbound.kind, INBOUND_NONE);
    allowed_are(&config->peers[1], true, true);
    config_destroy(config);
}

static void what_the_file_says_of_a_name_or_an_id_counts(void **state)
{
    struct config *config = load("{'signalling': [" CAT "], 'peers': [{'name': 'a', 'id': '@0'}, "
                                 "{'name': 'b', 'id': '@1'}]}");

    (void)state;
    learn("a", 2, NULL, NULL); /* the name */
    learn("x", 1, NULL, NULL); /* the id */
    learn("y", 3, NULL, NULL); /* our own */
    memset(keys[2], 9, sizeof keys[2]);
    learn("z", 2, NULL, NULL); /* introduced, and not accepted */
    strcpy(learned.peers[3].introduced_by, "a");
    assert_int_equal(config_add_learned(config, &learned, keys[3]), 0);
    assert_int_equal(config->peer_count, 2);
    config_destroy(config);
}

static void an_address_that_somebody_has_is_not_given(void **state)
{
    char text[512], taken[PREFIX_TEXT_SIZE], own[PREFIX_TEXT_SIZE];
    struct prefix ipv6, ipv4;
    struct config *config;

    (void)state;
    id_overlay(keys[1], &ipv6, &ipv4);
    prefix_format(&ipv4, taken);
    id_overlay(keys[2], &ipv6, &ipv4);
    prefix_format(&ipv6, own);
    *strchr(own, '/') = '\0';
    snprintf(text, sizeof text,
             "{'interface': {'addresses': ['%s/64']}, 'signalling': [" CAT
             "], 'peers': [{'name': 'a', 'id': '@0', 'allowed_ips': ['%s', '0.0.0.0/0']}]}",
             own, taken);
    config = load(text);
    learn("b", 1, NULL, NULL);
    learn("c", 2, NULL, NULL);
    assert_int_equal(config_add_learned(config, &learned, keys[3]), 0);
    assert_int_equal(config->peer_count, 3);
    allowed_are(&config->peers[1], true, false);
    allowed_are(&config->peers[2], false, true);
    assert_int_equal(config->collision_count, 2);
    assert_string_equal(config->collisions[0].peer, "b");
    snprintf(text, sizeof text, "peer 'b' goes without its address %s, which 'a' has: ", taken);
    assert_memory_equal(config->collisions[0].why.message, text, strlen(text));
    assert_non_null(strstr(config->collisions[1].why.message, "'this device' has"));
    assert_true(config_had_collision(config, &config->collisions[1]));
    assert_false(config_had_collision(NULL, &config->collisions[1]));
    config->collision_count = 1;
    assert_false(config_had_collision(config, &config->collisions[1]));
    config_destroy(config);
}

static void free_overlay_addresses_are_what_a_peer_would_be_given(void **state)
{
    struct prefix overlay[2], ipv6, ipv4;
    struct config *config =
        load("{'signalling': [" CAT
             "], 'peers': [{'name': 'a', 'id': '@0', 'allowed_ips': ['100.64.0.0/10']}]}");

    (void)state;
    id_overlay(keys[1], &ipv6, &ipv4);
    assert_int_equal(config_overlay_free(config, keys[3], keys[1], overlay), 1);
    assert_true(prefix_equal(&overlay[0], &ipv6));
    config_destroy(config);
    config = load("{'signalling': [" CAT "], 'peers': []}");
    learn("b", 1, NULL, NULL);
    assert_int_equal(config_add_learned(config, &learned, keys[3]), 0);
    assert_int_equal(config_overlay_free(config, keys[3], keys[1], overlay), 2);
    assert_true(prefix_equal(&overlay[1], &ipv4));
    config_destroy(config);
}

static void a_peer_for_which_no_address_is_left_has_no_tunnel(void **state)
{
    struct config *config =
        load("{'signalling': [" CAT "], 'peers': [{'name': 'a', 'id': '@0', 'allowed_ips': "
             "['100.64.0.0/10', 'fd50:4755:4152:4400::/64']}]}");

    (void)state;
    learn("b", 1, "cat", "x");
    assert_int_equal(config_add_learned(config, &learned, keys[3]), 0);
    assert_int_equal(config->peer_count, 1);
    assert_int_equal(config->collision_count, 3);
    assert_memory_equal(config->collisions[2].why.message, "peer 'b' has no tunnel", 22);
    config_destroy(config);
}

static void a_copy_is_the_file_alone(void **state)
{
    struct config *config = load(
        "{'name': 'n', 'state_dir': '/s', 'control': '/c', 'names': false, 'hooks': [{'events': "
        "['path'], 'command': ['/bin/true', 'x']}], 'interface': {'mtu': 1300, 'addresses': "
        "['10.0.0.1/24']}, 'signalling': [" CAT "," LS "], 'ice': {'stun': ['a', 'b'], 'turn': "
        "[{'server': 'a:1', 'username': 'u', 'password': 'p', 'transport': 'udp'}]}, 'peers': "
        "[{'name': 'a', 'id': '@0', 'addresses': {'ls': 'x'}, 'allowed_ips': ['10.0.0.2/32']}]}");
    struct config *copy;
    struct config_diff *diff;

    (void)state;
    learn("b", 1, NULL, NULL);
    assert_int_equal(config_add_learned(config, &learned, keys[3]), 0);
    copy = config_copy_written(config);
    assert_non_null(copy);
    assert_string_equal(copy->path, config->path);
    assert_int_equal(copy->peer_count, 1);
    diff = config_diff(config, copy);
    assert_int_equal(diff->count, 1);
    assert_int_equal(diff->items[0].type, CONFIG_PEER_REMOVED);
    config_diff_destroy(diff);
    config_destroy(copy);
    config_destroy(config);
}

static void whether_the_interface_has_an_overlay_address_is_known(void **state)
{
    char text[256], own[PREFIX_TEXT_SIZE];
    struct prefix ipv6, ipv4;
    struct config *config = load("{'signalling': [" CAT "], 'peers': []}");

    (void)state;
    assert_true(config_has_overlay(config, keys[3]));
    config_destroy(config);
    config =
        load("{'interface': {'addresses': ['10.0.0.1/24']}, 'signalling': [" CAT "], 'peers': []}");
    assert_false(config_has_overlay(config, keys[3]));
    config_destroy(config);
    id_overlay(keys[3], &ipv6, &ipv4);
    prefix_format(&ipv4, own);
    snprintf(text, sizeof text,
             "{'interface': {'addresses': ['10.0.0.1/24', '%s']}, 'signalling': [" CAT
             "], 'peers': []}",
             own);
    config = load(text);
    assert_false(config_has_overlay(config, keys[3])); /* 10.0.0.1 would be what it sends from */
    config_destroy(config);
    snprintf(text, sizeof text,
             "{'interface': {'addresses': ['fd00::1/64', '%s', '10.0.0.1/24']}, 'signalling': [" CAT
             "], 'peers': []}",
             own);
    config = load(text);
    assert_true(config_has_overlay(config, keys[3]));
    config_destroy(config);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(learned_peers_stand_behind_with_their_overlay_addresses),
        TEST(what_the_file_says_of_a_name_or_an_id_counts),
        TEST(an_address_that_somebody_has_is_not_given),
        TEST(free_overlay_addresses_are_what_a_peer_would_be_given),
        TEST(a_peer_for_which_no_address_is_left_has_no_tunnel),
        TEST(a_copy_is_the_file_alone),
        TEST(whether_the_interface_has_an_overlay_address_is_known),
    };

    log_open("test_config_learned", false);
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
