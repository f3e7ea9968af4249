/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The tunnel is the test's: what the linker finds here it does not take from the library.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "protocol/log.h"
#include "wg-setup/hosts.h"
#include "wg-setup/names.h"

#define PEERS_MAX 8

static char folder[64], config[96], hosts[96], bob_id[ID_TEXT_LENGTH + 1];
static const uint8_t bob_key[ID_KEY_BYTES] = {1};

/* Peers that were set. */
static struct {
    const char *name;
    struct prefix allowed;
} set[PEERS_MAX];
static size_t set_count;

void tunnel_each_peer(const struct tunnel *tunnel,
                      void (*seen)(void *data, const char *peer, const struct prefix *allowed,
                                   size_t count),
                      void *data)
{
    (void)tunnel;
    for (size_t i = 0; i < set_count; i++)
        seen(data, set[i].name, &set[i].allowed, 1);
}

void tunnel_peer_allowed(const struct tunnel *tunnel, const char *peer,
                         const struct prefix **allowed, size_t *count)
{
    (void)tunnel;
    for (size_t i = 0; i < set_count; i++) {
        if (strcmp(set[i].name, peer) == 0) {
            *allowed = &set[i].allowed;
            *count = 1;
        }
    }
}

static void peer_set(const char *name, const char *address)
{
    set[set_count].name = name;
    assert_int_equal(prefix_parse(&set[set_count++].allowed, address, false, NULL), 0);
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static const char *read_text(void)
{
    static char text[8192];
    FILE *file = fopen(hosts, "r");
    size_t length;

    assert_non_null(file);
    length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    return text;
}

struct keeping {
    struct names *names;
    struct grants *grants;
    struct interface interface;
    int64_t now;
};

/* `members` go before the peers. */
static void load(struct keeping *k, const char *members)
{
    char text[1024];
    struct error err;

    snprintf(text, sizeof text,
             "{\"name\": \"Laptop\", \"interface\": {\"addresses\": [\"10.66.0.1/24\"]}, %s"
             "\"peers\": [{\"name\": \"bob\", \"id\": \"%s\", \"allowed_ips\": "
             "[\"10.66.0.2/32\", \"10.7.0.0/16\"]}]}",
             members, bob_id);
    write_text(config, text);
    grants_destroy(k->grants);
    interface_init(&k->interface);
    k->grants = grants_load(config, &k->interface, &err);
    if (k->grants == NULL)
        fail_msg("%s", err.message);
}

static struct keeping begin(void)
{
    struct keeping k = {.now = 1000};

    set_count = 0;
    write_text(hosts, "127.0.0.1\tlocalhost\n");
    load(&k, "");
    k.names = names_new(hosts, "pg0");
    assert_non_null(k.names);
    return k;
}

static void tick(struct keeping *k)
{
    names_touch(k->names, k->now);
    assert_in_range(names_timeout(k->names, k->now), 1, NAMES_WRITE_MS);
    k->now += NAMES_WRITE_MS;
    names_tick(k->names, k->grants, NULL, &k->interface, k->now);
}

static void end(struct keeping *k)
{
    names_remove(k->names);
    assert_string_equal(read_text(), "127.0.0.1\tlocalhost\n");
    names_destroy(k->names);
    grants_destroy(k->grants);
}

static size_t lines_with(const char *word)
{
    size_t count = 0;

    for (const char *at = read_text(); (at = strstr(at, word)) != NULL; at++)
        count++;
    return count;
}

/* What is logged meanwhile, as how many lines. */
static size_t lines_logged(struct keeping *k, int ticks)
{
    FILE *log = tmpfile();
    int terminal = dup(STDERR_FILENO);
    size_t count = 0;

    assert_non_null(log);
    dup2(fileno(log), STDERR_FILENO);
    while (ticks-- > 0)
        tick(k);
    dup2(terminal, STDERR_FILENO);
    close(terminal);
    rewind(log);
    for (int c; (c = fgetc(log)) != EOF;)
        count += c == '\n';
    fclose(log);
    return count;
}

static void peers_of_the_configuration_have_names_before_they_are_heard_of(void **state)
{
    struct keeping k = begin();

    (void)state;
    tick(&k);
    assert_non_null(strstr(read_text(), "10.66.0.1\tlaptop.pg.internal\n"
                                        "10.66.0.2\tbob.pg.internal\n"));
    assert_int_equal(lines_with(".pg.internal"), 2);
    assert_int_equal(names_timeout(k.names, k.now), -1);
    end(&k);
}

static void what_a_peer_was_given_goes_before_what_it_may_have(void **state)
{
    struct keeping k = begin();

    (void)state;
    peer_set("bob", "10.7.0.9");
    assert_int_equal(lines_logged(&k, 1), 0);
    assert_int_equal(lines_with("10.7.0.9\tbob.pg.internal\n"), 1);
    assert_int_equal(lines_with("10.66.0.2"), 0);
    end(&k);
}

static void a_learned_peer_has_a_name_as_well(void **state)
{
    struct keeping k = begin();

    (void)state;
    peer_set("carol", "100.64.3.4");
    tick(&k);
    assert_int_equal(lines_with("100.64.3.4\tcarol.pg.internal\n"), 1);
    set_count = 0;
    tick(&k);
    assert_int_equal(lines_with("carol"), 0);
    end(&k);
}

/* Whoever speaks to us may be hostile. */
static void a_name_can_make_no_other_line_and_take_nobodys_place(void **state)
{
    static const char *const names[] = {"x\n1.2.3.4 bank.example", "bank.example", "x 1.2.3.4",
                                        "BOB", "laptop"};
    struct keeping k = begin();

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        peer_set(names[i], "100.64.3.4");
    peer_set("thief", "10.66.0.2");
    /* Each is told once, in a line of its own. */
    assert_int_equal(lines_logged(&k, 2), 6);
    assert_int_equal(lines_with("\n"), 1 + 2 + 2);
    assert_int_equal(lines_with("bank"), 0);
    assert_int_equal(lines_with("1.2.3.4"), 0);
    assert_int_equal(lines_with("10.66.0.2\tbob.pg.internal\n"), 1);
    end(&k);
}

static void the_configuration_can_do_without(void **state)
{
    struct keeping k = begin();

    (void)state;
    tick(&k);
    load(&k, "\"names\": false, ");
    tick(&k);
    assert_string_equal(read_text(), "127.0.0.1\tlocalhost\n");
    assert_false(names_were_disturbed(k.names));
    end(&k);
}

static void whoever_rewrites_the_file_is_noticed(void **state)
{
    struct keeping k = begin();

    (void)state;
    assert_false(names_were_disturbed(k.names));
    tick(&k);
    assert_false(names_were_disturbed(k.names));
    write_text(hosts, "127.0.0.1\tlocalhost\n");
    assert_true(names_were_disturbed(k.names));
    tick(&k);
    assert_int_equal(lines_with("bob.pg.internal"), 1);
    assert_false(names_were_disturbed(k.names));
    end(&k);
}

static void one_that_cannot_be_written_is_tried_again_later(void **state)
{
    struct keeping k = begin();

    (void)state;
    unlink(hosts);
    assert_int_equal(symlink("/nonexistent/hosts", hosts), 0);
    tick(&k);
    assert_int_equal(names_timeout(k.names, k.now), NAMES_AGAIN_MS);
    unlink(hosts);
    write_text(hosts, "127.0.0.1\tlocalhost\n");
    k.now += NAMES_AGAIN_MS;
    names_tick(k.names, k.grants, NULL, &k.interface, k.now);
    assert_int_equal(lines_with("bob.pg.internal"), 1);
    end(&k);
}

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/test-names-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(config, sizeof config, "%s/conf.json", folder);
    snprintf(hosts, sizeof hosts, "%s/hosts", folder);
    id_encode(bob_key, bob_id);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(config);
    unlink(hosts);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(peers_of_the_configuration_have_names_before_they_are_heard_of),
        cmocka_unit_test(what_a_peer_was_given_goes_before_what_it_may_have),
        cmocka_unit_test(a_learned_peer_has_a_name_as_well),
        cmocka_unit_test(a_name_can_make_no_other_line_and_take_nobodys_place),
        cmocka_unit_test(the_configuration_can_do_without),
        cmocka_unit_test(whoever_rewrites_the_file_is_noticed),
        cmocka_unit_test(one_that_cannot_be_written_is_tried_again_later),
    };

    log_open("test_names", false);
    return cmocka_run_group_tests(tests, setup, teardown);
}
