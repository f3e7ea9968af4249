/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/config.h"

static char folder[64], path[128];
static char ids[3][ID_TEXT_LENGTH + 1], tox[77];

/* In the texts below ' stands for ", @0 to @2 for ids, and @t for a Tox address. */
static char *expand(const char *text)
{
    char *out = malloc(strlen(text) * 40 + 1), *at = out;

    assert_non_null(out);
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            *at++ = '"';
        } else if (*text == '@' && strchr("012t", text[1]) != NULL) {
            const char *value = *++text == 't' ? tox : ids[*text - '0'];

            at = stpcpy(at, value);
        } else {
            *at++ = *text;
        }
    }
    *at = '\0';
    return out;
}

static void write_text(const char *text, size_t length)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, length, f), length);
    fclose(f);
}

static struct config *load(const char *text, struct config_errors *errors)
{
    char *expanded = expand(text);
    struct config *config;

    write_text(expanded, strlen(expanded));
    free(expanded);
    config = config_load(path, errors);
    assert_true((config == NULL) == (errors->count > 0));
    return config;
}

static struct config *load_good(const char *text)
{
    static struct config_errors errors;
    struct config *config = load(text, &errors);

    if (config == NULL)
        fail_msg("%s", errors.items[0].message);
    return config;
}

/* A wrong configuration, the start of what must be said after the file's name, and a part of the
 * rest. */
struct wrong {
    const char *text;
    const char *place;
    const char *part;
};

#define PEER(members) "{'peers': [{" members "}]}"
#define GOOD_PEER     "'name': 'a', 'id': '@0', 'addresses': {'tox': '@t'}"
#define WITH(members) "{'peers': [], " members "}"
#define TWO(a, b)                                                                                  \
    "{'peers': [{'name': 'a', 'id': '@0', 'addresses': {'tox': '@t'}" a                            \
    "}, {'name': 'b', 'id': '@1', 'addresses': {'tox': '@t'}" b "}]}"

static const struct wrong wrongs[] = {
    /* the text */
    {"", "line 1, column 0: ", "JSON"},
    {"{", "line 1, column 1: ", "expected"},
    {"{'peers': [],\n 'name': 'x',,}", "line 2, column 14: ", "JSON"},
    {"{'peers': [],\n'peers': []}", "line 2, column 7: ", "duplicate"},
    {"{'peers': []} x", "line 1, column 15: ", "end of file"},
    {"{'name': '\xff', 'peers': []}", "line 1, column ", "UTF-8"},
    {"{'name': 'a\\u0000b', 'peers': []}", "line 1, column ", "is not allowed"},
    {"{'peers': [] // none\n}", "line 1, column ", "JSON"},
    /* the whole */
    {"[]", "$: ", "an object is expected, this is an array"},
    {"7", "$: ", "an object is expected, this is an integer"},
    {"{}", "$: ", "the field 'peers' is missing; \"peers\": [] is right"},
    {"{'peers': [], 'sginalling': []}", "$: ", "did you mean 'signalling'?"},
    {"{'peers': [], 'zzzzzzzzzzzz': 1}", "$: ", "known are: name, state_dir, control"},
    {"{'peers': {}}", "$.peers: ", "an array is expected, this is an object"},
    {"{'peers': null}", "$.peers: ", "an array is expected, this is null"},
    /* name, folders */
    {WITH("'name': 7"), "$.name: ", "a string is expected, this is an integer"},
    {WITH("'name': ''"), "$.name: ", "1 to 64 are right"},
    {WITH("'name': 'a\\nb'"), "$.name: ", "control character"},
    {WITH("'state_dir': 'var/lib'"), "$.state_dir: ", "absolute path, such as /var/lib/punchguard"},
    {WITH("'state_dir': '/'"), "$.state_dir: ", "absolute path"},
    {WITH("'state_dir': ['/x']"), "$.state_dir: ", "a string is expected, this is an array"},
    {WITH("'introductions': true"), "$.introductions: ", "a string is expected"},
    {WITH("'introductions': 'no'"), "$.introductions: ", "one of ask, accept, ignore"},
    {WITH("'control': 'pg.sock'"),
     "$.control: ", "absolute path, such as /run/punchguard/pg0.sock"},
    {WITH("'control': "
          "'/run/0123456789012345678901234567890123456789012345678901234567890123456789"
          "012345678901234567890123456789012'"),
     "$.control: ", "108 bytes, 2 to 107 are right"},
    /* interface */
    {WITH("'interface': []"), "$.interface: ", "an object is expected, this is an array"},
    {WITH("'interface': {'nam': 'x'}"), "$.interface: ", "did you mean 'name'?"},
    {WITH("'interface': {'name': 'abcdefghijklmnop'}"), "$.interface.name: ", "1 to 15"},
    {WITH("'interface': {'name': 'a/b'}"), "$.interface.name: ", "'a/b' is no interface name"},
    {WITH("'interface': {'name': ''}"), "$.interface.name: ", "1 to 15"},
    {WITH("'interface': {'mtu': 100}"), "$.interface.mtu: ", "100 is not between 576 and 8920"},
    {WITH("'interface': {'mtu': 1280.5}"), "$.interface.mtu: ", "an integer is expected"},
    {WITH("'interface': {'mtu': 1200}"), "$.interface.mtu: ", "1280 or more is right"},
    {WITH("'interface': {'mtu': 99999999999999999999}"), "line 1, column ", "too big"},
    {WITH("'interface': {'listen_port': 65536}"), "$.interface.listen_port: ", "0 and 65535"},
    {WITH("'interface': {'listen_port': '51820'}"), "$.interface.listen_port: ", "an integer"},
    {WITH("'interface': {'backend': 'magic'}"),
     "$.interface.backend: ", "auto, kernel or userspace"},
    {WITH("'interface': {'addresses': '10.0.0.1/24'}"), "$.interface.addresses: ", "an array"},
    {WITH("'interface': {'addresses': ['10.0.0.1/24', '10.0.0/8']}"),
     "$.interface.addresses[1]: ", "such as 10.66.0.2/32"},
    {WITH("'interface': {'addresses': ['10.0.0.1/33']}"), "$.interface.addresses[0]: ", "/33"},
    {WITH("'interface': {'addresses': ['10.0.0.1/24', '10.0.0.1/24']}"),
     "$.interface.addresses[1]: ", "twice"},
    /* signalling */
    {WITH("'signalling': {}"), "$.signalling: ", "an array is expected"},
    {WITH("'signalling': []"), "$.signalling: ", "no peer can be reached"},
    {WITH("'signalling': ['tox']"), "$.signalling[0]: ", "an object is expected, this is a string"},
    {WITH("'signalling': [{'command': ['plugin']}]"), "$.signalling[0]: ", "'name' is missing"},
    {WITH("'signalling': [{'name': 'tox'}]"), "$.signalling[0]: ", "'command' is missing"},
    {WITH("'signalling': [{'name': '../x', 'command': ['plugin']}]"),
     "$.signalling[0].name: ", "small letters"},
    {WITH("'signalling': [{'name': 'tox', 'command': 'plugin'}]"),
     "$.signalling[0].command: ", "an array is expected, this is a string"},
    {WITH("'signalling': [{'name': 'tox', 'command': []}]"),
     "$.signalling[0].command: ", "the command is empty"},
    {WITH("'signalling': [{'name': 'tox', 'command': ['']}]"),
     "$.signalling[0].command[0]: ", "0 bytes"},
    {WITH("'signalling': [{'name': 'tox', 'command': ['plugin', 7]}]"),
     "$.signalling[0].command[1]: ", "a string is expected"},
    {WITH("'signalling': [{'name': 'tox', 'command': ['no-such-program']}]"),
     "$.signalling[0].command[0]: ", "neither beside the broker's own program nor in PATH"},
    {WITH("'signalling': [{'name': 'tox', 'command': ['/dev/null']}]"),
     "$.signalling[0].command[0]: ", "not a program that can be run"},
    {WITH("'signalling': [{'name': 'tox', 'command': ['./plugin']}]"),
     "$.signalling[0].command[0]: ", "not an absolute path"},
    {WITH("'signalling': [{'name': 'tox', 'command': ['plugin'], 'options': []}]"),
     "$.signalling[0].options: ", "an object is expected"},
    {WITH("'signalling': [{'name': 'tox', 'command': ['plugin'], 'option': {}}]"),
     "$.signalling[0]: ", "did you mean 'options'?"},
    {WITH("'signalling': [{'name': 'a', 'command': ['plugin']}, {'name': 'a', 'command': "
          "['plugin']}]"),
     "$.signalling[1].name: ", "the name of $.signalling[0] already"},
    {WITH("'signalling': [1, 2, 3, 4, 5, 6, 7, 8, 9]"), "$.signalling: ", "at most 8"},
    /* ice */
    {WITH("'ice': {'stun': 'x'}"), "$.ice.stun: ", "an array is expected"},
    /* hooks */
    {WITH("'hooks': {}"), "$.hooks: ", "an array is expected, this is an object"},
    {WITH("'hooks': [{'command': ['/bin/sh']}]"), "$.hooks[0]: ", "'events' is missing"},
    {WITH("'hooks': [{'events': ['path']}]"), "$.hooks[0]: ", "'command' is missing"},
    {WITH("'hooks': [{'evnts': []}]"), "$.hooks[0]: ", "did you mean 'events'?"},
    {WITH("'hooks': [{'events': [], 'command': ['/bin/sh']}]"), "$.hooks[0].events: ", "empty"},
    {WITH("'hooks': [{'events': ['path', 7], 'command': ['/bin/sh']}]"), "$.hooks[0].events[1]: ",
     "a string is expected"},
    {WITH("'hooks': [{'events': ['candidate'], 'command': ['/bin/sh']}]"), "$.hooks[0].events[0]: ",
     "'candidate' is no event that a hook can be run on; right are ready, peer-up"},
    {WITH("'hooks': [{'events': ['path'], 'command': []}]"), "$.hooks[0].command: ",
     "[\"/usr/local/bin/on-peer\"]"},
    {WITH("'hooks': [{'events': ['path'], 'command': ['no-such-program']}]"),
     "$.hooks[0].command[0]: ", "no-such-program"},
    {WITH("'hooks': [{'events': ['path'], 'command': ['/bin/sh'], 'timeout': 0}]"),
     "$.hooks[0].timeout: ", "1 and 300"},
    /* ice */
    {WITH("'ice': {'stnu': []}"), "$.ice: ", "did you mean 'stun'?"},
    {WITH("'ice': {'stun': ['a.example', 5]}"), "$.ice.stun[1]: ", "a string is expected"},
    {WITH("'ice': {'stun': ['203.0.113.1:0']}"), "$.ice.stun[0]: ", "1 to 65535"},
    {WITH("'ice': {'stun': ['203.0.113.1:65536']}"), "$.ice.stun[0]: ", "1 to 65535"},
    {WITH("'ice': {'stun': ['stun:203.0.113.1:3478']}"), "$.ice.stun[0]: ", "is not host:port"},
    {WITH("'ice': {'stun': ['203.0.113.256:3478']}"), "$.ice.stun[0]: ", "neither an IP address"},
    {WITH("'ice': {'stun': ['[2001:db8::1:3478']}"), "$.ice.stun[0]: ", "[2001:db8::1]:3478"},
    {WITH("'ice': {'stun': ['[2001:db8::g]:3478']}"), "$.ice.stun[0]: ", "is not host:port"},
    {WITH("'ice': {'stun': [':3478']}"), "$.ice.stun[0]: ", "is not host:port"},
    {WITH("'ice': {'stun': ['a..b:3478']}"), "$.ice.stun[0]: ", "nor a host's name"},
    {WITH("'ice': {'stun': ['a b:3478']}"), "$.ice.stun[0]: ", "is not host:port"},
    {WITH("'ice': {'turn': ['203.0.113.1']}"), "$.ice.turn[0]: ", "an object is expected"},
    {WITH("'ice': {'turn': [{'username': 'u', 'password': 'p'}]}"),
     "$.ice.turn[0]: ", "'server' is missing"},
    {WITH("'ice': {'turn': [{'server': 'h', 'password': 'p'}]}"),
     "$.ice.turn[0]: ", "'username' is missing"},
    {WITH("'ice': {'turn': [{'server': 'h', 'username': 'u', 'password': ''}]}"),
     "$.ice.turn[0].password: ", "0 bytes"},
    {WITH("'ice': {'turn': [{'server': 'h:x', 'username': 'u', 'password': 'p'}]}"),
     "$.ice.turn[0].server: ", "is not host:port"},
    {WITH("'ice': {'turn': [{'server': 'h', 'username': 'u', 'password': 'p', 'transport': "
          "'sctp'}]}"),
     "$.ice.turn[0].transport: ", "not one of udp, tcp, tls"},
    {WITH("'ice': {'turn': [{'server': 'h', 'user': 'u', 'password': 'p'}]}"),
     "$.ice.turn[0]: ", "there is no key 'user'"},
    /* peers */
    {"{'peers': ['home']}", "$.peers[0]: ", "an object is expected, this is a string"},
    {PEER("'id': '@0', 'addresses': {'tox': '@t'}"), "$.peers[0]: ", "'name' is missing"},
    {PEER("'name': 'a', 'addresses': {'tox': '@t'}"), "$.peers[0]: ", "'id' is missing"},
    {PEER("'name': 'a b', 'id': '@0', 'addresses': {'tox': '@t'}"),
     "$.peers[0].name: ", "'a b' is no peer's name"},
    {PEER(GOOD_PEER ", 'adresses': {}"), "$.peers[0]: ", "did you mean 'addresses'?"},
    {PEER("'name': 'a', 'id': 'PG2AAAA', 'addresses': {'tox': '@t'}"),
     "$.peers[0].id: ", "begins with PG1"},
    {PEER("'name': 'a', 'id': 'PG1AAAA', 'addresses': {'tox': '@t'}"),
     "$.peers[0].id: ", "61 characters, this has 7"},
    {PEER("'name': 'a', 'id': "
          "'PG1AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'addresses': {'tox': "
          "'@t'}"),
     "$.peers[0].id: ", "checksum"},
    {PEER("'name': 'a', 'id': "
          "'PG1AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA1AAAAAAAAAAAAAAAAAAAAAAAAA', 'addresses': {'tox': "
          "'@t'}"),
     "$.peers[0].id: ", "'1', is not one of A-Z and 2-7"},
    {PEER("'name': 'a', 'id': '@0'"), "$.peers[0]: ", "without an address"},
    {PEER("'name': 'a', 'id': '@0', 'addresses': []"),
     "$.peers[0].addresses: ", "an object is expected"},
    {PEER("'name': 'a', 'id': '@0', 'addresses': {'tpx': '@t'}"),
     "$.peers[0].addresses: ", "did you mean 'tox'?"},
    {PEER("'name': 'a', 'id': '@0', 'addresses': {'tox': 'ABCD'}"),
     "$.peers[0].addresses.tox: ", "76 hex digits, this has 4"},
    {PEER("'name': 'a', 'id': '@0', 'addresses': {'tox': "
          "'000000000000000000000000000000000000000000000000000000000000000000000000000x'}"),
     "$.peers[0].addresses.tox: ", "character 76"},
    {PEER("'name': 'a', 'id': '@0', 'addresses': {'tox': "
          "'1000000000000000000000000000000000000000000000000000000000000000000000000000'}"),
     "$.peers[0].addresses.tox: ", "checksum"},
    {PEER(GOOD_PEER ", 'allowed_ips': '10.0.0.1/32'"), "$.peers[0].allowed_ips: ", "an array"},
    {PEER(GOOD_PEER ", 'allowed_ips': ['10.0.0.1/24']"),
     "$.peers[0].allowed_ips[0]: ", "bits set past its length"},
    {PEER(GOOD_PEER ", 'allowed_ips': ['10.0.0.0/8', 'fd00::/129']"),
     "$.peers[0].allowed_ips[1]: ", "such as 10.66.0.2/32"},
    {PEER(GOOD_PEER ", 'inbound': ['icmp', 'tcp/0']"), "$.peers[0].inbound[1]: ", "ports from 1 to 65535"},
    {PEER(GOOD_PEER ", 'allowed_ips': [7]"), "$.peers[0].allowed_ips[0]: ", "a string is expected"},
    {PEER(GOOD_PEER ", 'allowed_ips': ['10.0.0.0/8', '10.0.0.0/8']"),
     "$.peers[0].allowed_ips[1]: ", "twice"},
    {TWO(", 'allowed_ips': ['10.0.0.0/8', 'fd00::/8']", ", 'allowed_ips': ['fd00::/8']"),
     "$.peers[1].allowed_ips[0]: ", "belongs to $.peers[0] ('a') already"},
    {"{'interface': {'addresses': ['10.0.0.1/24']}, 'peers': [{" GOOD_PEER
     ", 'allowed_ips': ['10.0.0.2/32', '10.0.0.1/32']}]}",
     "$.peers[0].allowed_ips[1]: ", "our own address, $.interface.addresses[0]"},
    {"{'peers': [{" GOOD_PEER "}, {'name': 'a', 'id': '@1', 'addresses': {'tox': '@t'}}]}",
     "$.peers[1].name: ", "the name of $.peers[0] already"},
    {"{'peers': [{" GOOD_PEER "}, {'name': 'b', 'id': '@0', 'addresses': {'tox': '@t'}}]}",
     "$.peers[1].id: ", "the id of $.peers[0] ('a') already"},
};

/* The only error is the one that is meant. */
static void check_wrong(const struct wrong *wrong)
{
    static struct config_errors errors;
    struct config *config = load(wrong->text, &errors);
    const char *message = errors.items[0].message;
    size_t length = strlen(path);

    if (config != NULL)
        fail_msg("accepted: %s", wrong->text);
    if (errors.count != 1)
        fail_msg("%zu errors in %s: %s | %s", errors.count, wrong->text, message,
                 errors.items[1].message);
    if (strncmp(message, path, length) != 0 || strncmp(message + length, ": ", 2) != 0 ||
        strncmp(message + length + 2, wrong->place, strlen(wrong->place)) != 0)
        fail_msg("not '%s' but '%s'", wrong->place, message);
    if (strstr(message + length + 2 + strlen(wrong->place), wrong->part) == NULL)
        fail_msg("'%s' is not in '%s'", wrong->part, message);
}

static void each_wrong_value_is_told_with_file_path_and_remedy(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++)
        check_wrong(&wrongs[i]);
    print_message("%zu wrong configurations\n", sizeof wrongs / sizeof wrongs[0]);
}

static void all_errors_are_told_at_once_up_to_a_limit(void **state)
{
    static struct config_errors errors;
    char text[4096] = "{'peers': [";

    (void)state;
    assert_null(
        load("{'name': 1, 'interface': {'mtu': 1}, 'ice': {'stun': ['', ':']}, 'peers': [7, "
             "{'name': 'b', 'id': 'x'}]}",
             &errors));
    assert_int_equal(errors.count, 7);
    assert_non_null(strstr(errors.items[0].message, "$.interface.mtu"));
    assert_non_null(strstr(errors.items[6].message, "$.peers[1]: without an address"));
    for (int i = 0; i < 100; i++)
        strcat(text, i ? ",1" : "1");
    strcat(text, "]}");
    assert_null(load(text, &errors));
    assert_int_equal(errors.count, CONFIG_ERRORS_MAX);
}

static void files_that_are_none_are_told(void **state)
{
    static struct config_errors errors;
    static char big[CONFIG_BYTES_MAX + 1];

    (void)state;
    memset(big, ' ', sizeof big);
    write_text(big, sizeof big);
    assert_null(config_load(path, &errors));
    assert_non_null(strstr(errors.items[0].message, "at most 1048576 are right"));
    unlink(path);
    assert_null(config_load(path, &errors));
    assert_non_null(strstr(errors.items[0].message, path));
    assert_non_null(strstr(errors.items[0].message, "No such file"));
    assert_null(config_load(folder, &errors));
    assert_non_null(strstr(errors.items[0].message, "is not a regular file"));
}

static void a_link_to_the_file_is_followed(void **state)
{
    static struct config_errors errors;
    char link[128];
    struct config *config;

    (void)state;
    write_text("{\"peers\": []}", 13);
    snprintf(link, sizeof link, "%s/link", folder);
    assert_int_equal(symlink("conf.json", link), 0);
    config = config_load(link, &errors);
    assert_non_null(config);
    assert_string_equal(config->path, path);
    config_destroy(config);
    unlink(link);
}

static void a_file_that_somebody_else_opened_is_read(void **state)
{
    static struct config_errors errors;
    struct config *config = load_good("{'peers': [], 'name': 'x'}");
    char *place = strdup(config->path);
    int fd = open(path, O_RDONLY);

    (void)state;
    config_destroy(config);
    assert_int_equal(unlink(path), 0);
    config = config_load_open(place, fd, &errors);
    assert_non_null(config);
    assert_string_equal(config->path, place);
    assert_string_equal(config->name, "x");
    config_destroy(config);
    /* At its end already. */
    assert_null(config_load_open(place, fd, &errors));
    assert_int_equal(strncmp(errors.items[0].message, place, strlen(place)), 0);
    close(fd);
    free(place);
}

static void make_program(const char *name)
{
    char program[128];
    FILE *f;

    snprintf(program, sizeof program, "%s/%s", folder, name);
    f = fopen(program, "w");
    assert_non_null(f);
    fclose(f);
    assert_int_equal(chmod(program, 0755), 0);
}

static void remove_file(const char *name)
{
    char file[128];

    snprintf(file, sizeof file, "%s/%s", folder, name);
    unlink(file);
}

static void everything_but_peers_has_a_default(void **state)
{
    struct config *config = load_good("{'peers': []}");
    char host[65];

    (void)state;
    assert_int_equal(gethostname(host, sizeof host), 0);
    assert_string_equal(config->path, path);
    assert_string_equal(config->name, host);
    assert_string_equal(config->state_dir, "/var/lib/punchguard");
    assert_string_equal(config->control, "/run/punchguard/pg0.sock");
    assert_string_equal(config->interface.name, "pg0");
    assert_int_equal(config->interface.mtu, 1280);
    assert_int_equal(config->interface.listen_port, 0);
    assert_int_equal(config->interface.address_count, 0);
    assert_int_equal(config->interface.backend, BACKEND_AUTO);
    assert_int_equal(config->transport_count, 1);
    assert_string_equal(config->transports[0].name, "tox");
    assert_string_equal(config->transports[0].command[0], "punchguard-signal-tox");
    assert_null(config->transports[0].command[1]);
    assert_null(config->transports[0].options);
    assert_null(config->stun);
    assert_null(config->turn);
    assert_int_equal(config->peer_count, 0);
    config_destroy(config);
    config_destroy(NULL);
}

static void transports_that_are_installed_are_used_unasked(void **state)
{
    static const char *const names[] = {"tox", "lan", "dht"};
    struct config *config;

    (void)state;
    make_program("punchguard-signal-lan");
    make_program("punchguard-signal-dht");
    config = load_good("{'peers': []}");
    remove_file("punchguard-signal-lan");
    remove_file("punchguard-signal-dht");
    assert_int_equal(config->transport_count, 3);
    for (size_t i = 0; i < 3; i++) {
        char command[64];

        snprintf(command, sizeof command, "punchguard-signal-%s", names[i]);
        assert_string_equal(config->transports[i].name, names[i]);
        assert_string_equal(config->transports[i].command[0], command);
        assert_null(config->transports[i].command[1]);
    }
    config_destroy(config);
}

static const char whole[] =
    "{'name': 'laptop', 'state_dir': '/tmp/pg', 'control': '/tmp/pg/control.sock',"
    " 'introductions': 'accept',"
    " 'interface': {'name': 'wg7', 'addresses': ['10.66.0.1/24', 'fd00::1/64'], 'mtu': 1420,"
    "   'listen_port': 51820, 'backend': 'kernel'},"
    " 'signalling': [{'name': 'tox', 'command': ['punchguard-signal-tox'],"
    "     'options': {'udp': true, 'bootstrap': []}},"
    "   {'name': 'lan', 'command': ['plugin', '--folder', '', '/mnt']}],"
    " 'ice': {'stun': ['203.0.113.1:3478', '[2001:db8::1]:19302', 'stun.example.org',"
    "     '2001:db8::2'],"
    "   'turn': [{'server': '203.0.113.1:3478', 'username': 'u', 'password': 'p',"
    "     'transport': 'udp'}]},"
    " 'peers': [{'name': 'home', 'id': '@0', 'addresses': {'tox': '@t'},"
    "     'allowed_ips': ['10.66.0.2/32', '10.66.4.0/22', '0.0.0.0/0']},"
    "   {'name': 'phone', 'id': '@1', 'addresses': {'lan': 'anything'}},"
    "   {'name': 'hut', 'id': '@2', 'allowed_ips': ['10.66.4.0/24']}]}";

static void a_whole_configuration_is_read(void **state)
{
    struct config *config = load_good(whole);
    struct prefix ipv6, ipv4;

    (void)state;
    assert_string_equal(config->name, "laptop");
    assert_string_equal(config->state_dir, "/tmp/pg");
    assert_string_equal(config->control, "/tmp/pg/control.sock");
    assert_int_equal(config->introductions, INTRODUCTIONS_ACCEPT);
    assert_string_equal(config->interface.name, "wg7");
    assert_int_equal(config->interface.address_count, 2);
    assert_int_equal(config->interface.listen_port, 51820);
    assert_int_equal(config->interface.backend, BACKEND_KERNEL);
    assert_int_equal(config->transport_count, 2);
    assert_string_equal(config->transports[0].options, "{\"udp\":true,\"bootstrap\":[]}");
    assert_string_equal(config->transports[1].command[3], "/mnt");
    assert_null(config->transports[1].command[4]);
    assert_int_equal(config->stun_count, 4);
    assert_string_equal(config->stun[1], "[2001:db8::1]:19302");
    assert_string_equal(config->turn, "[{\"server\":\"203.0.113.1:3478\",\"username\":\"u\","
                                      "\"password\":\"p\",\"transport\":\"udp\"}]");
    assert_int_equal(config->peer_count, 3);
    assert_string_equal(config->peers[0].grant.peer, "home");
    assert_string_equal(config->peers[0].id, ids[0]);
    assert_string_equal(config->peers[0].addresses[0], tox);
    assert_null(config->peers[0].addresses[1]);
    assert_int_equal(config->peers[0].grant.allowed_count, 3);
    assert_null(config->peers[1].addresses[0]);
    assert_string_equal(config->peers[1].addresses[1], "anything");
    id_overlay(config->peers[1].grant.key, &ipv6, &ipv4);
    assert_int_equal(config->peers[1].grant.allowed_count, 2);
    assert_true(prefix_equal(&config->peers[1].grant.allowed[0], &ipv6));
    assert_true(prefix_equal(&config->peers[1].grant.allowed[1], &ipv4));
    config_destroy(config);
}

static void hooks_are_read(void **state)
{
    struct config *config = load_good(
        "{'peers': [], 'hooks': [{'events': ['peer-up', 'ready', 'ready'], 'command': ['/bin/sh', '']},"
        "{'events': ['error'], 'command': ['/bin/sh'], 'timeout': 300}]}");

    (void)state;
    assert_int_equal(config->hook_count, 2);
    assert_int_equal(config->hooks[0].events, config_hook_event(MESSAGE_event_peer_up) |
                                                  config_hook_event(MESSAGE_event_ready));
    assert_int_equal(config->hooks[0].timeout, 10);
    assert_string_equal(config->hooks[0].command[0], "/bin/sh");
    assert_string_equal(config->hooks[0].command[1], "");
    assert_null(config->hooks[0].command[2]);
    assert_int_equal(config->hooks[1].events, config_hook_event(MESSAGE_event_error));
    assert_int_equal(config->hooks[1].timeout, 300);
    config_destroy(config);
}

static void empty_lists_are_right(void **state)
{
    struct config *config = load_good("{'ice': {'stun': [], 'turn': []}, 'peers': [{" GOOD_PEER
                                      ", 'allowed_ips': []}], 'interface': {'addresses': []}}");

    (void)state;
    assert_non_null(config->stun);
    assert_int_equal(config->stun_count, 0);
    assert_null(config->turn);
    assert_int_equal(config->peers[0].grant.allowed_count, 2); /* as if it were absent */
    config_destroy(config);
}

static void another_plugin_has_addresses_of_its_own_kind(void **state)
{
    struct config *config =
        load_good("{'signalling': [{'name': 'tox', 'command': ['plugin']}], 'peers': [{'name': "
                  "'a', 'id': '@0', 'addresses': {'tox': 'folder'}}]}");

    (void)state;
    assert_string_equal(config->peers[0].addresses[0], "folder");
    config_destroy(config);
}

/* 22 bits: among a few thousand random ids two have the same IPv4 overlay address. */
static void of_two_derived_ipv4_addresses_that_are_equal_the_later_peer_loses(void **state)
{
    enum { TRIES = 20000 };
    static struct {
        uint8_t key[32];
        struct prefix ipv4;
    } tries[TRIES];
    char text[1024];
    struct config *config;
    struct prefix ipv6;

    (void)state;
    for (int i = 0; i < TRIES; i++) {
        randombytes_buf(tries[i].key, 32);
        id_overlay(tries[i].key, &ipv6, &tries[i].ipv4);
        for (int j = 0; j < i; j++) {
            char first[ID_TEXT_LENGTH + 1], second[ID_TEXT_LENGTH + 1];

            if (!prefix_equal(&tries[i].ipv4, &tries[j].ipv4))
                continue;
            id_encode(tries[j].key, first);
            id_encode(tries[i].key, second);
            snprintf(text, sizeof text,
                     "{'peers': [{'name': 'a', 'id': '%s', 'addresses': {'tox': '@t'}}, {'name': "
                     "'b', 'id': '%s', 'addresses': {'tox': '@t'}}]}",
                     first, second);
            config = load_good(text);
            assert_int_equal(config->peers[0].grant.allowed_count, 2);
            assert_int_equal(config->peers[1].grant.allowed_count, 1);
            assert_int_equal(config->peers[1].grant.allowed[0].family, AF_INET6);
            config_destroy(config);
            return;
        }
    }
    fail_msg("no two of %d ids have the same address", TRIES);
}

static void an_address_that_another_peer_derives_cannot_be_given_away(void **state)
{
    static struct config_errors errors;
    struct prefix ipv6, ipv4;
    char text[1024], address[PREFIX_TEXT_SIZE];
    uint8_t key[32];

    (void)state;
    assert_int_equal(id_decode(ids[1], key, NULL), 0);
    id_overlay(key, &ipv6, &ipv4);
    prefix_format(&ipv6, address);
    snprintf(text, sizeof text, TWO(", 'allowed_ips': ['%s']", ""), address);
    assert_null(load(text, &errors));
    assert_int_equal(errors.count, 1);
    assert_non_null(strstr(errors.items[0].message, "$.peers[0].allowed_ips[0]: "));
    assert_non_null(strstr(errors.items[0].message, "belongs to $.peers[1] ('b') already"));
}

static void damaged_text_is_refused_or_read_but_never_harms(void **state)
{
    static struct config_errors errors;
    char *good = expand(whole);
    size_t length = strlen(good), refused = 0;
    char *text = malloc(length + 1);

    (void)state;
    assert_non_null(text);
    for (int i = 0; i < 6000; i++) {
        struct config *config;
        size_t cut = length;

        memcpy(text, good, length);
        for (uint32_t changes = 1 + randombytes_uniform(3); changes > 0; changes--)
            text[randombytes_uniform((uint32_t)length)] =
                randombytes_uniform(3) ? "{}[]\",:0a-\\"[randombytes_uniform(11)]
                                       : (char)randombytes_uniform(256);
        if (i % 5 == 0)
            cut = randombytes_uniform((uint32_t)length);
        write_text(text, cut);
        config = config_load(path, &errors);
        assert_true((config == NULL) == (errors.count > 0));
        for (size_t k = 0; k < errors.count; k++)
            assert_int_equal(strncmp(errors.items[k].message, path, strlen(path)), 0);
        refused += config == NULL;
        config_destroy(config);
    }
    assert_true(refused > 3000);
    free(text);
    free(good);
}

static int setup(void **state)
{
    uint8_t key[32], address[38] = {0};

    (void)state;
    snprintf(folder, sizeof folder, "/tmp/test-config-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/conf.json", folder);
    make_program("punchguard-signal-tox");
    make_program("plugin");
    for (int i = 0; i < 3; i++) {
        randombytes_buf(key, sizeof key);
        id_encode(key, ids[i]);
    }
    randombytes_buf(address, 36);
    for (int i = 0; i < 36; i++)
        address[36 + i % 2] ^= address[i];
    sodium_bin2hex(tox, sizeof tox, address, sizeof address);
    return setenv("PATH", folder, 1);
}

static int teardown(void **state)
{
    (void)state;
    remove_file("conf.json");
    remove_file("punchguard-signal-tox");
    remove_file("plugin");
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_wrong_value_is_told_with_file_path_and_remedy),
        cmocka_unit_test(all_errors_are_told_at_once_up_to_a_limit),
        cmocka_unit_test(files_that_are_none_are_told),
        cmocka_unit_test(a_link_to_the_file_is_followed),
        cmocka_unit_test(a_file_that_somebody_else_opened_is_read),
        cmocka_unit_test(everything_but_peers_has_a_default),
        cmocka_unit_test(transports_that_are_installed_are_used_unasked),
        cmocka_unit_test(a_whole_configuration_is_read),
        cmocka_unit_test(hooks_are_read),
        cmocka_unit_test(empty_lists_are_right),
        cmocka_unit_test(another_plugin_has_addresses_of_its_own_kind),
        cmocka_unit_test(of_two_derived_ipv4_addresses_that_are_equal_the_later_peer_loses),
        cmocka_unit_test(an_address_that_another_peer_derives_cannot_be_given_away),
        cmocka_unit_test(damaged_text_is_refused_or_read_but_never_harms),
    };

    if (sodium_init() < 0)
        return 99;
    return cmocka_run_group_tests(tests, setup, teardown);
}
