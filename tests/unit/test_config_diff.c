/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/config_diff.h"

static char path[64], ids[3][ID_TEXT_LENGTH + 1];

/* ' stands for ", @0 to @2 for ids. */
static void write_config(const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    for (; *text != '\0'; text++) {
        if (*text == '@')
            fputs(ids[*++text - '0'], f);
        else
            fputc(*text == '\'' ? '"' : *text, f);
    }
    fclose(f);
}

static struct config *load(const char *text)
{
    static struct config_errors errors;
    struct config *config;

    write_config(text);
    config = config_load(path, &errors);
    if (config == NULL)
        fail_msg("%s", errors.items[0].message);
    return config;
}

static int setup(void **state)
{
    int fd;

    (void)state;
    for (uint8_t i = 0; i < 3; i++) {
        const uint8_t key[ID_KEY_BYTES] = {(uint8_t)(i + 1)};

        id_encode(key, ids[i]);
    }
    snprintf(path, sizeof path, "/tmp/test-config-diff-XXXXXX");
    fd = mkstemp(path);
    if (fd < 0)
        return -1;
    close(fd);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

/* The rest of a configuration is the same on both sides. */
#define REST                                                                                       \
    "'name': 'n', 'state_dir': '/s', 'control': '/c', 'interface': {'mtu': 1300, 'addresses': "    \
    "['10.0.0.1/24']}, 'ice': {'stun': ['a', 'b']}"
#define CAT "{'name': 'cat', 'command': ['/bin/cat', 'x'], 'options': {'a': 1}}"
#define LS  "{'name': 'ls', 'command': ['/bin/ls']}"
#define A   "{'name': 'a', 'id': '@0', 'addresses': {'cat': 'x'}, 'allowed_ips': ['10.0.0.2/32']}"
#define B   "{'name': 'b', 'id': '@1'}"
#define CONFIG(signalling, peers, rest)                                                            \
    "{'signalling': [" signalling "], 'peers': [" peers "], " rest "}"

#define HOOK(events, seconds)                                                                      \
    "'hooks': [{'events': [" events "], 'command': ['/bin/cat', 'x'], 'timeout': " seconds "}]"

/* Each as "TYPE before after", none as -. */
static void expect(const char *before, const char *after, const char *expected)
{
    struct config *old = load(before), *new = load(after);
    struct config_diff *diff = config_diff(old, new);
    char text[1024] = "";

    assert_non_null(diff);
    for (size_t i = 0; i < diff->count; i++) {
        const struct config_change *change = &diff->items[i];

        sprintf(text + strlen(text), "%s%d", i ? " " : "", change->type);
        if (change->before != CONFIG_DIFF_NONE)
            sprintf(text + strlen(text), "<%zu", change->before);
        if (change->after != CONFIG_DIFF_NONE)
            sprintf(text + strlen(text), ">%zu", change->after);
        assert_true(strlen(change->text) > 10);
    }
    assert_string_equal(text, expected);
    config_diff_destroy(diff);
    config_destroy(old);
    config_destroy(new);
}

static void the_same_in_another_order_and_layout_is_no_change(void **state)
{
    (void)state;
    expect(CONFIG(CAT "," LS, A "," B, REST), CONFIG(CAT "," LS, A "," B, REST), "");
    expect(CONFIG(CAT "," LS, A "," B, REST), CONFIG(LS ",  " CAT, B ",\n" A, REST), "");
    /* A default that is written out. */
    expect(CONFIG(CAT, "", "'name': 'n'"),
           CONFIG(CAT, "", "'name': 'n', 'interface': {'mtu': 1280}"), "");
}

static void transports_come_go_and_change_alone(void **state)
{
    char expected[32];

    (void)state;
    sprintf(expected, "%d>0", CONFIG_TRANSPORT_ADDED);
    expect(CONFIG(CAT, A, REST), CONFIG(LS "," CAT, A, REST), expected);
    sprintf(expected, "%d<1", CONFIG_TRANSPORT_REMOVED);
    expect(CONFIG(CAT "," LS, A, REST), CONFIG(CAT, A, REST), expected);
    sprintf(expected, "%d<0>1", CONFIG_TRANSPORT_CHANGED);
    expect(
        CONFIG(CAT "," LS, A, REST),
        CONFIG(LS ",{'name': 'cat', 'command': ['/bin/cat', 'x'], 'options': {'a': 2}}", A, REST),
        expected);
    expect(CONFIG(CAT "," LS, A, REST),
           CONFIG(LS ",{'name': 'cat', 'command': ['/bin/cat'], 'options': {'a': 1}}", A, REST),
           expected);
    expect(CONFIG(CAT "," LS, A, REST),
           CONFIG(LS ",{'name': 'cat', 'command': ['/bin/cat', 'x']}", A, REST), expected);
}

static void other_hooks_are_one_change(void **state)
{
    char expected[32];

    (void)state;
    sprintf(expected, "%d", CONFIG_HOOKS);
    expect(CONFIG(CAT, "", HOOK("'path', 'ready'", "5")), CONFIG(CAT, "", HOOK("'ready','path'", "5")),
           "");
    expect(CONFIG(CAT, "", REST), CONFIG(CAT, "", REST ", " HOOK("'path'", "5")), expected);
    expect(CONFIG(CAT, "", HOOK("'path'", "5")), CONFIG(CAT, "", HOOK("'ready'", "5")), expected);
    expect(CONFIG(CAT, "", HOOK("'path'", "5")), CONFIG(CAT, "", HOOK("'path'", "6")), expected);
}

static void names_on_and_off_are_a_change(void **state)
{
    char expected[32];

    (void)state;
    sprintf(expected, "%d", CONFIG_NAMES);
    expect(CONFIG(CAT, "", REST), CONFIG(CAT, "", REST ", 'names': false"), expected);
    expect(CONFIG(CAT, "", REST), CONFIG(CAT, "", REST ", 'names': true"), "");
}

static void peers_come_go_and_change_alone(void **state)
{
    char expected[32];

    (void)state;
    sprintf(expected, "%d>0", CONFIG_PEER_ADDED);
    expect(CONFIG(CAT, A, REST), CONFIG(CAT, B "," A, REST), expected);
    sprintf(expected, "%d<0", CONFIG_PEER_REMOVED);
    expect(CONFIG(CAT, A "," B, REST), CONFIG(CAT, B, REST), expected);
    sprintf(expected, "%d<0>0", CONFIG_PEER_ADDRESSES);
    expect(CONFIG(CAT, A, REST),
           CONFIG(CAT, "{'name': 'a', 'id': '@0', 'allowed_ips': ['10.0.0.2/32']}", REST),
           expected);
    sprintf(expected, "%d<0>0", CONFIG_PEER_ALLOWED);
    expect(CONFIG(CAT, A, REST),
           CONFIG(CAT,
                  "{'name': 'a', 'id': '@0', 'addresses': {'cat': 'x'}, 'allowed_ips': "
                  "['10.0.0.3/32']}",
                  REST),
           expected);
    expect(CONFIG(CAT, A, REST),
           CONFIG(CAT, "{'name': 'a', 'id': '@0', 'addresses': {'cat': 'x'}}", REST), expected);
    sprintf(expected, "%d<0>0", CONFIG_PEER_INBOUND);
    expect(CONFIG(CAT, A, REST),
           CONFIG(CAT,
                  "{'name': 'a', 'id': '@0', 'addresses': {'cat': 'x'}, 'allowed_ips': "
                  "['10.0.0.2/32'], 'inbound': 'none'}",
                  REST),
           expected);
}

static void another_id_or_name_is_another_peer(void **state)
{
    char expected[32];

    (void)state;
    sprintf(expected, "%d<0 %d>0", CONFIG_PEER_REMOVED, CONFIG_PEER_ADDED);
    expect(CONFIG(CAT, B, REST), CONFIG(CAT, "{'name': 'b', 'id': '@2'}", REST), expected);
    expect(CONFIG(CAT, B, REST), CONFIG(CAT, "{'name': 'c', 'id': '@1'}", REST), expected);
    /* Names that change places. */
    sprintf(expected, "%d<0 %d<1 %d>0 %d>1", CONFIG_PEER_REMOVED, CONFIG_PEER_REMOVED,
            CONFIG_PEER_ADDED, CONFIG_PEER_ADDED);
    expect(CONFIG(CAT, "{'name': 'a', 'id': '@0'}, {'name': 'b', 'id': '@1'}", REST),
           CONFIG(CAT, "{'name': 'b', 'id': '@0'}, {'name': 'a', 'id': '@1'}", REST), expected);
}

static void an_address_on_a_transport_that_begins_is_no_change_of_its_own(void **state)
{
    char expected[32];

    (void)state;
    sprintf(expected, "%d>1", CONFIG_TRANSPORT_ADDED);
    expect(CONFIG(CAT, A, REST),
           CONFIG(CAT "," LS,
                  "{'name': 'a', 'id': '@0', 'addresses': {'cat': 'x', 'ls': 'y'}, "
                  "'allowed_ips': ['10.0.0.2/32']}",
                  REST),
           expected);
    /* Nor one that goes with its transport. */
    sprintf(expected, "%d<1", CONFIG_TRANSPORT_REMOVED);
    expect(CONFIG(LS "," CAT, A, REST),
           CONFIG(LS, "{'name': 'a', 'id': '@0', 'allowed_ips': ['10.0.0.2/32']}", REST), expected);
}

static void the_rest_is_told_by_its_path(void **state)
{
    static const struct {
        const char *rest;
        enum config_change_type type;
        const char *text;
    } cases[] = {
        {"'name': 'm'", CONFIG_NAME, "'m'"},
        {"'introductions': 'accept'", CONFIG_INTRODUCTIONS, "introductions"},
        {"'ice': {'stun': ['a']}", CONFIG_ICE, "STUN"},
        {"'ice': {'stun': []}", CONFIG_ICE, "STUN"},
        {"'ice': {'turn': [{'server': 'x', 'username': 'u', 'password': 'p'}]}", CONFIG_ICE,
         "TURN"},
        {"'interface': {'name': 'pg7'}", CONFIG_RESTART, "$.interface.name"},
        {"'interface': {'mtu': 1400}", CONFIG_RESTART, "$.interface.mtu"},
        {"'interface': {'listen_port': 7}", CONFIG_RESTART, "$.interface.listen_port"},
        {"'interface': {'backend': 'kernel'}", CONFIG_RESTART, "$.interface.backend"},
        {"'interface': {'addresses': ['10.0.0.1/25']}", CONFIG_RESTART, "$.interface.addresses"},
        {"'state_dir': '/elsewhere'", CONFIG_RESTART, "$.state_dir"},
        {"'control': '/elsewhere'", CONFIG_RESTART, "$.control"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[512];
        struct config *old = load(CONFIG(CAT, "", "'name': 'n'")), *new;
        struct config_diff *diff;

        snprintf(text, sizeof text, "{'signalling': [" CAT "], 'peers': [], %s%s}", cases[i].rest,
                 cases[i].type == CONFIG_NAME ? "" : ", 'name': 'n'");
        new = load(text);
        diff = config_diff(old, new);
        assert_non_null(diff);
        assert_int_equal(diff->count, 1);
        assert_int_equal(diff->items[0].type, cases[i].type);
        assert_non_null(strstr(diff->items[0].text, cases[i].text));
        config_diff_destroy(diff);
        config_destroy(old);
        config_destroy(new);
    }
}

static void what_goes_on_is_named_by_its_old_place(void **state)
{
    struct config *old = load(CONFIG(CAT "," LS, A "," B, REST));
    struct config *new = load(CONFIG("{'name': 'new', 'command': ['/bin/ls']}," LS,
                                     "{'name': 'c', 'id': '@2'}," B, REST));
    struct config_diff *diff = config_diff(old, new);

    (void)state;
    assert_non_null(diff);
    assert_int_equal(diff->transports[0], CONFIG_DIFF_NONE);
    assert_int_equal(diff->transports[1], 1);
    assert_int_equal(diff->peers[0], CONFIG_DIFF_NONE);
    assert_int_equal(diff->peers[1], 1);
    config_diff_destroy(diff);
    config_diff_destroy(NULL);
    assert_string_equal(config_peer_address(old, &old->peers[0], "cat"), "x");
    assert_null(config_peer_address(old, &old->peers[0], "ls"));
    assert_null(config_peer_address(old, &old->peers[0], "new"));
    config_destroy(old);
    config_destroy(new);
}

static void what_needs_a_restart_stays(void **state)
{
    struct config *old = load(CONFIG(CAT, "", REST));
    struct config *new = load(CONFIG(CAT, "", "'state_dir': '/other', 'name': 'm'"));

    (void)state;
    config_diff_keep(old, new);
    assert_string_equal(new->state_dir, "/s");
    assert_string_equal(new->control, "/c");
    assert_int_equal(new->interface.mtu, 1300);
    assert_string_equal(new->name, "m");
    assert_string_equal(old->state_dir, "/other");
    config_destroy(old);
    config_destroy(new);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_in_another_order_and_layout_is_no_change),
        cmocka_unit_test(transports_come_go_and_change_alone),
        cmocka_unit_test(other_hooks_are_one_change),
        cmocka_unit_test(names_on_and_off_are_a_change),
        cmocka_unit_test(peers_come_go_and_change_alone),
        cmocka_unit_test(another_id_or_name_is_another_peer),
        cmocka_unit_test(an_address_on_a_transport_that_begins_is_no_change_of_its_own),
        cmocka_unit_test(the_rest_is_told_by_its_path),
        cmocka_unit_test(what_goes_on_is_named_by_its_old_place),
        cmocka_unit_test(what_needs_a_restart_stays),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, setup, teardown);
}
