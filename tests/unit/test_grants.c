/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "wg-setup/grants.h"

static char path[64], bob_id[ID_TEXT_LENGTH + 1], carol_id[ID_TEXT_LENGTH + 1];
static const uint8_t bob_key[ID_KEY_BYTES] = {1}, carol_key[ID_KEY_BYTES] = {2};

static void write_config(const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

/* bob may have a network, carol what follows from her id. */
static int setup(void **state)
{
    char text[1024];
    int fd;

    (void)state;
    id_encode(bob_key, bob_id);
    id_encode(carol_key, carol_id);
    snprintf(path, sizeof path, "/tmp/test-grants-XXXXXX");
    fd = mkstemp(path);
    if (fd < 0)
        return -1;
    close(fd);
    snprintf(
        text, sizeof text,
        "{\"state_dir\": \"/s\", \"interface\": {\"name\": \"pg7\"}, \"peers\": ["
        "{\"name\": \"bob\", \"id\": \"%s\", \"allowed_ips\": [\"10.66.2.0/24\", \"fd00::/64\"]},"
        "{\"name\": \"carol\", \"id\": \"%s\"}]}",
        bob_id, carol_id);
    write_config(text);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

static struct grants *load(struct interface *interface)
{
    struct error err = {.message = ""};
    struct grants *grants;

    interface_init(interface);
    grants = grants_load(path, interface, &err);
    if (grants == NULL)
        fail_msg("%s", err.message);
    return grants;
}

/* What grants_check() says to one allowed IP. */
static int ask(const struct grants *grants, const char *peer, const char *id, const char *allowed)
{
    char *items[] = {(char *)(uintptr_t)allowed};
    struct message_peer_set m = {.peer = (char *)(uintptr_t)peer,
                                 .id = (char *)(uintptr_t)id,
                                 .allowed_ips = {.items = items, .count = allowed ? 1 : 0}};
    struct error err = {.message = ""};
    int rc = grants_check(grants, &m, &err);

    if (rc < 0)
        assert_true(err.message[0] != '\0');
    return rc;
}

static void nothing_wider_than_granted_is_given(void **state)
{
    static const char *const wider[] = {"0.0.0.0/0",     "::/0",         "10.66.0.0/16",
                                        "10.66.2.0/23",  "10.66.3.1/32", "fd00::/63",
                                        "10.66.1.255/32"};
    struct interface interface;
    struct grants *grants = load(&interface);

    (void)state;
    assert_int_equal(ask(grants, "bob", bob_id, "10.66.2.0/24"), 0);
    assert_int_equal(ask(grants, "bob", bob_id, "10.66.2.7/32"), 0);
    assert_int_equal(ask(grants, "bob", bob_id, "fd00::1/128"), 0);
    assert_int_equal(ask(grants, "bob", bob_id, NULL), 0);
    for (size_t i = 0; i < sizeof wider / sizeof wider[0]; i++)
        assert_int_equal(ask(grants, "bob", bob_id, wider[i]), -EPERM);
    assert_int_equal(ask(grants, "bob", bob_id, "10.66.2.1/24"), -EINVAL);
    assert_int_equal(ask(grants, "bob", bob_id, "x"), -EINVAL);
    grants_destroy(grants);
}

static void derived_addresses_are_granted_to_their_id_alone(void **state)
{
    struct interface interface;
    struct grants *grants = load(&interface);
    struct prefix ipv6, ipv4;
    char text[PREFIX_TEXT_SIZE];

    (void)state;
    id_overlay(carol_key, &ipv6, &ipv4);
    prefix_format(&ipv6, text);
    assert_int_equal(ask(grants, "carol", carol_id, text), 0);
    assert_int_equal(ask(grants, "bob", bob_id, text), -EPERM);
    prefix_format(&ipv4, text);
    assert_int_equal(ask(grants, "carol", carol_id, text), 0);
    assert_int_equal(ask(grants, "bob", bob_id, text), -EPERM);
    assert_int_equal(ask(grants, "carol", carol_id, "100.64.0.0/10"), -EPERM);
    grants_destroy(grants);
}

static void another_name_or_id_gets_nothing(void **state)
{
    struct interface interface;
    struct grants *grants = load(&interface);

    (void)state;
    assert_int_equal(ask(grants, "mallory", bob_id, "10.66.2.7/32"), -EPERM);
    assert_int_equal(ask(grants, "bob", carol_id, "10.66.2.7/32"), -EPERM);
    assert_int_equal(ask(grants, "bob", "PG1NONSENSE", "10.66.2.7/32"), -EINVAL);
    assert_int_equal(ask(grants, "bob", NULL, "10.66.2.7/32"), -EINVAL);
    grants_destroy(grants);
}

static void a_learned_peer_has_what_follows_from_its_id_and_nothing_else(void **state)
{
    static const uint8_t dave_key[ID_KEY_BYTES] = {4};
    static const char *const wider[] = {"0.0.0.0/0",
                                        "::/0",
                                        "100.64.0.0/10",
                                        "10.66.3.1/32",
                                        "100.64.0.1/32",
                                        "fd50:4755:4152:4400::/64",
                                        "fd50:4755:4152:4400::1/128"};
    char dave_id[ID_TEXT_LENGTH + 1], text[PREFIX_TEXT_SIZE];
    struct interface interface;
    struct grants *grants = load(&interface);
    struct prefix ipv6, ipv4;

    (void)state;
    id_encode(dave_key, dave_id);
    id_overlay(dave_key, &ipv6, &ipv4);
    prefix_format(&ipv6, text);
    assert_int_equal(ask(grants, "dave", dave_id, text), 0);
    assert_int_equal(ask(grants, "bob", bob_id, text), -EPERM);
    prefix_format(&ipv4, text);
    assert_int_equal(ask(grants, "dave", dave_id, text), 0);
    for (size_t i = 0; i < sizeof wider / sizeof wider[0]; i++)
        assert_int_equal(ask(grants, "dave", dave_id, wider[i]), -EPERM);
    /* Whom the configuration knows can't come by another name, or with another id. */
    id_overlay(carol_key, &ipv6, &ipv4);
    prefix_format(&ipv6, text);
    assert_int_equal(ask(grants, "dave", carol_id, text), -EPERM);
    assert_int_equal(ask(grants, "carol", dave_id, NULL), -EPERM);
    id_overlay(bob_key, &ipv6, &ipv4);
    prefix_format(&ipv6, text);
    assert_int_equal(ask(grants, "dave", bob_id, text), -EPERM);
    assert_int_equal(ask(grants, "dave", bob_id, NULL), -EPERM);
    grants_destroy(grants);
}

static void what_the_configuration_gives_a_learned_peer_does_not_take(void **state)
{
    static const uint8_t dave_key[ID_KEY_BYTES] = {4};
    static const char *const given[] = {"100.64.0.0/10", NULL, "0.0.0.0/0"};
    char dave_id[ID_TEXT_LENGTH + 1], address[PREFIX_TEXT_SIZE], text[512];
    struct interface interface;
    struct prefix ipv6, ipv4;

    (void)state;
    id_encode(dave_key, dave_id);
    id_overlay(dave_key, &ipv6, &ipv4);
    prefix_format(&ipv4, address);
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
        struct grants *grants;

        snprintf(text, sizeof text,
                 "{\"peers\": [{\"name\": \"bob\", \"id\": \"%s\", \"allowed_ips\": [\"%s\"]}]}",
                 bob_id, given[i] != NULL ? given[i] : address);
        write_config(text);
        grants = load(&interface);
        /* A route to everything leaves room for addresses inside it. */
        assert_int_equal(ask(grants, "dave", dave_id, address), i == 2 ? 0 : -EPERM);
        assert_true(grants_cover(grants, &ipv6, 1));
        grants_destroy(grants);
    }
}

static void a_learned_peer_stays_when_the_configuration_is_read_again(void **state)
{
    static const uint8_t dave_key[ID_KEY_BYTES] = {4};
    struct prefix other = {.family = AF_INET, .address = {10, 9, 9, 9}, .length = 32};
    char dave_id[ID_TEXT_LENGTH + 1], text[512];
    struct interface interface;
    struct grants *before = load(&interface), *after = load(&interface);
    struct grants_change change = {before, after};
    struct prefix ipv6, ipv4;

    (void)state;
    id_encode(dave_key, dave_id);
    id_overlay(dave_key, &ipv6, &ipv4);
    assert_true(grants_still(&change, "dave", NULL));
    assert_true(grants_still(&change, "dave", &ipv4));
    assert_false(grants_still(&change, "dave", &other));
    grants_destroy(after);
    snprintf(text, sizeof text, "{\"peers\": [{\"name\": \"dave\", \"id\": \"%s\"}]}", dave_id);
    write_config(text);
    change.after = after = load(&interface);
    assert_false(grants_still(&change, "dave", NULL));
    grants_destroy(before);
    grants_destroy(after);
}

static void a_configuration_that_changes_later_changes_nothing(void **state)
{
    struct interface interface;
    struct grants *grants = load(&interface);

    (void)state;
    write_config("{\"state_dir\": \"/elsewhere\", \"peers\": []}");
    assert_int_equal(ask(grants, "bob", bob_id, "10.66.2.7/32"), 0);
    assert_string_equal(grants_state_dir(grants), "/s");
    assert_string_equal(interface.name, "pg7");
    grants_destroy(grants);
}

static void a_configuration_that_is_a_link_or_no_json_is_refused(void **state)
{
    struct interface interface;
    struct error err;
    char link[80];

    (void)state;
    snprintf(link, sizeof link, "%s.link", path);
    assert_int_equal(symlink(path, link), 0);
    interface_init(&interface);
    assert_null(grants_load(link, &interface, &err));
    unlink(link);
    write_config("{\"peers\": [");
    assert_null(grants_load(path, &interface, &err));
    assert_non_null(strstr(err.message, path));
    assert_null(grants_load("/nonexistent/conf.json", &interface, &err));
}

static void cover(const struct grants *grants, const char *first, const char *second, bool expected)
{
    struct prefix allowed[2];

    assert_int_equal(prefix_parse(&allowed[0], first, false, NULL), 0);
    assert_int_equal(prefix_parse(&allowed[1], second, false, NULL), 0);
    assert_int_equal(grants_cover(grants, allowed, 2), expected);
}

static void adopted_addresses_must_be_one_peers(void **state)
{
    struct interface interface;
    struct grants *grants = load(&interface);
    struct prefix ipv6, ipv4;
    char text[PREFIX_TEXT_SIZE];

    (void)state;
    id_overlay(carol_key, &ipv6, &ipv4);
    prefix_format(&ipv6, text);
    cover(grants, "10.66.2.7/32", "fd00::7/128", true);
    cover(grants, "10.66.2.7/32", "10.66.3.7/32", false);
    cover(grants, "10.66.2.7/32", text, false);
    grants_destroy(grants);
}

/* bob keeps his id and loses a network, carol has another id, and dave is new. */
static void what_is_still_granted_after_a_change(void **state)
{
    struct interface interface;
    struct grants *before = load(&interface);
    struct grants_change change = {.before = before};
    struct prefix kept, lost;
    char text[1024];

    (void)state;
    snprintf(text, sizeof text,
             "{\"peers\": [{\"name\": \"bob\", \"id\": \"%s\", \"allowed_ips\": [\"fd00::/64\"]},"
             "{\"name\": \"carol\", \"id\": \"%s\"}, {\"name\": \"dave\", \"id\": \"%s\"}]}",
             bob_id, bob_id, carol_id);
    write_config(text);
    change.after = load(&interface);
    assert_int_equal(prefix_parse(&kept, "fd00::7/128", false, NULL), 0);
    assert_int_equal(prefix_parse(&lost, "10.66.2.7/32", false, NULL), 0);
    assert_true(grants_still(&change, "bob", NULL));
    assert_true(grants_still(&change, "bob", &kept));
    assert_false(grants_still(&change, "bob", &lost));
    assert_false(grants_still(&change, "carol", NULL));
    assert_false(grants_still(&change, "dave", NULL));
    assert_false(grants_still(&change, "mallory", &kept));
    grants_destroy((struct grants *)(uintptr_t)change.after);
    grants_destroy(before);
}

static const struct grant *of(const struct grants *grants, const char *peer, const char *text)
{
    struct prefix prefix;

    assert_int_equal(prefix_parse(&prefix, text, false, NULL), 0);
    return grants_of(grants, peer, &prefix);
}

/* carol's addresses are hers although bob may have all others. */
static void a_peer_without_a_name_is_whose_prefix_is_longest(void **state)
{
    struct interface interface;
    struct grants *grants;
    struct prefix ipv6, ipv4;
    char text[1024];

    (void)state;
    snprintf(text, sizeof text,
             "{\"peers\": [{\"name\": \"bob\", \"id\": \"%s\", \"allowed_ips\": [\"0.0.0.0/0\"],"
             "\"inbound\": \"none\"}, {\"name\": \"carol\", \"id\": \"%s\","
             "\"allowed_ips\": [\"10.1.0.0/16\"]}]}",
             bob_id, carol_id);
    write_config(text);
    grants = load(&interface);
    id_overlay(carol_key, &ipv6, &ipv4);
    assert_string_equal(of(grants, "", "10.1.2.3/32")->peer, "carol");
    assert_string_equal(of(grants, "", "10.0.0.0/8")->peer, "bob");
    assert_string_equal(grants_of(grants, "", &ipv4)->peer, "carol");
    assert_string_equal(grants_of(grants, "", &ipv6)->peer, "carol");
    assert_int_equal(of(grants, "", "10.0.0.0/8")->inbound.kind, INBOUND_NONE);
    assert_string_equal(of(grants, "bob", "10.1.2.3/32")->peer, "bob");
    assert_null(of(grants, "", "fd00::1"));
    assert_null(of(grants, "mallory", "10.0.0.0/8"));
    assert_null(of(NULL, "bob", "10.0.0.0/8"));
    grants_destroy(grants);
}

static int complete(const struct grants *grants, struct interface *interface, const char *told)
{
    struct interface from;
    struct error err;

    interface_init(&from);
    assert_int_equal(interface_add_address(&from, told, NULL), 0);
    return grants_complete_interface(grants, interface, &from, &err);
}

static void only_overlay_addresses_may_be_told(void **state)
{
    struct interface interface;
    struct grants *grants = load(&interface);

    (void)state;
    assert_int_equal(complete(grants, &interface, "10.0.0.1/8"), -EPERM);
    assert_int_equal(complete(grants, &interface, "100.64.0.1/10"), -EPERM);
    assert_int_equal(complete(grants, &interface, "fd50:4755:4152:4400::1/64"), -EPERM);
    assert_int_equal(interface.address_count, 0);
    assert_int_equal(complete(grants, &interface, "100.64.0.1/32"), 0);
    assert_int_equal(interface.address_count, 1);
    assert_int_equal(complete(grants, &interface, "100.64.9.9/32"), 0);
    assert_int_equal(interface.addresses[0].address[2], 0);
    grants_destroy(grants);
    grants_destroy(NULL);
}

/* Learned peers */

static const uint8_t dave_key[ID_KEY_BYTES] = {3}, eve_key[ID_KEY_BYTES] = {4};

/* What stands in peers.json: %1$s is carol's id, %2$s dave's, %3$s eve's. */
static struct grants *read_learned(const char *learned)
{
    char folder[] = "/tmp/test-grants-folder-XXXXXX", file[64], text[512];
    char dave_id[ID_TEXT_LENGTH + 1], eve_id[ID_TEXT_LENGTH + 1];
    struct interface interface;
    struct grants *grants;
    struct error err;
    FILE *out;

    id_encode(dave_key, dave_id);
    id_encode(eve_key, eve_id);
    assert_non_null(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/peers.json", folder);
    out = learned != NULL ? fopen(file, "w") : NULL;
    if (out != NULL) {
        assert_true(fprintf(out, learned, carol_id, dave_id, eve_id) > 0);
        fclose(out);
    }
    snprintf(text, sizeof text,
             "{\"state_dir\": \"%s\", \"peers\": [{\"name\": \"bob\", \"id\": \"%s\"},"
             "{\"name\": \"net\", \"id\": \"%s\", \"allowed_ips\": [\"0.0.0.0/0\"]}]}",
             folder, bob_id, "PG1AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQTCQKRMFYYDENBWHA5DYPQNTDNSA");
    write_config(text);
    grants = load(&interface);
    assert_int_equal(grants_read_learned(grants, &err), 0);
    unlink(file);
    rmdir(folder);
    return grants;
}

static struct grants *load_learned(const char *learned)
{
    struct grants *grants = read_learned(learned);

    grants_learn(grants);
    return grants;
}

/* What stands of the device with the key, before it is set, is judged by. */
static const struct grant *standing(const struct grants *grants, const uint8_t *key)
{
    struct prefix ipv6, ipv4;

    id_overlay(key, &ipv6, &ipv4);
    return grants_of(grants, "", &ipv6);
}

#define LEARNED                                                                                    \
    "{\"version\": 1, \"peers\": [{\"name\": \"carol\", \"id\": \"%1$s\", \"addresses\": {},"      \
    "\"inbound\": [\"tcp/22\"], \"allowed_ips\": [\"fd00::/8\"]},"                                 \
    "{\"name\": \"dave\", \"id\": \"%2$s\", \"addresses\": {}},"                                   \
    "{\"name\": \"eve\", \"id\": \"%3$s\", \"addresses\": {}, \"introduced_by\": \"dave\"}]}"

static void a_learned_peer_that_stands_begins_what_it_could_before(void **state)
{
    struct grants *grants = load_learned(LEARNED), *again;
    struct interface interface;
    struct prefix ipv6, ipv4;

    (void)state;
    assert_int_equal(standing(grants, carol_key)->inbound.kind, INBOUND_LIST);
    assert_int_equal(standing(grants, carol_key)->inbound.items[0].first, 22);
    assert_int_equal(standing(grants, dave_key)->inbound.kind, INBOUND_ALL);
    assert_string_equal(standing(grants, bob_key)->peer, "bob");
    id_overlay(carol_key, &ipv6, &ipv4);
    assert_int_equal(grants_of(grants, "", &ipv4)->inbound.kind, INBOUND_LIST);
    assert_null(grants_of(grants, "carol", &ipv4));
    /* Its file gives it no address. */
    assert_int_equal(of(grants, "", "fd00::/8")->inbound.kind, INBOUND_NONE);
    again = load(&interface);
    grants_keep_learned(again, grants);
    grants_destroy(grants);
    assert_int_equal(standing(again, carol_key)->inbound.kind, INBOUND_LIST);
    grants_destroy(again);
}

/* So that bytes of another user are taken apart without rights that it does not have. */
static void what_was_learned_is_parsed_later_than_read(void **state)
{
    struct grants *grants = read_learned(LEARNED), *never = read_learned(LEARNED);

    (void)state;
    assert_int_equal(standing(grants, carol_key)->inbound.kind, INBOUND_NONE);
    grants_learn(grants);
    assert_int_equal(standing(grants, carol_key)->inbound.kind, INBOUND_LIST);
    grants_learn(grants);
    assert_int_equal(standing(grants, carol_key)->inbound.kind, INBOUND_LIST);
    grants_destroy(grants);
    grants_destroy(never);
}

static void who_stands_and_is_no_peer_begins_nothing(void **state)
{
    static const char *const files[] = {LEARNED, NULL, "{\"version\": 1, \"pee", "{}",
                                        "{\"peers\": [{\"name\": \"eve\"}]}"};

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct grants *grants = load_learned(files[i]);

        assert_int_equal(standing(grants, eve_key)->inbound.kind, INBOUND_NONE);
        assert_string_equal(standing(grants, bob_key)->peer, "bob");
        grants_destroy(grants);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_wider_than_granted_is_given, setup, teardown),
        cmocka_unit_test_setup_teardown(derived_addresses_are_granted_to_their_id_alone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(another_name_or_id_gets_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_learned_peer_has_what_follows_from_its_id_and_nothing_else, setup, teardown),
        cmocka_unit_test_setup_teardown(what_the_configuration_gives_a_learned_peer_does_not_take,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_learned_peer_stays_when_the_configuration_is_read_again,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_configuration_that_changes_later_changes_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_configuration_that_is_a_link_or_no_json_is_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(adopted_addresses_must_be_one_peers, setup, teardown),
        cmocka_unit_test_setup_teardown(a_peer_without_a_name_is_whose_prefix_is_longest, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_still_granted_after_a_change, setup, teardown),
        cmocka_unit_test_setup_teardown(a_learned_peer_that_stands_begins_what_it_could_before,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_learned_is_parsed_later_than_read, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_stands_and_is_no_peer_begins_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(only_overlay_addresses_may_be_told, setup, teardown),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
