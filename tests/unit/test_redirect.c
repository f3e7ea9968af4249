/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wg-setup/redirect.h"

static struct redirect_pair pair(const char *remote, uint16_t remote_port, const char *base,
                                 uint16_t base_port)
{
    struct redirect_pair made = {.away = false};

    assert_int_equal(endpoint_set(&made.remote, remote, remote_port), 0);
    assert_int_equal(endpoint_set(&made.base, base, base_port), 0);
    return made;
}

/* Inlined, GCC 12 takes what open_memstream(3) gives for a pointer to the local variable. */
__attribute__((noinline)) static char *written(const struct redirect_rules *rules)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    redirect_write(out, rules);
    fclose(out);
    return text;
}

static void without_pairs_no_element_is_added(void **state)
{
    const struct redirect_rules rules = {.interface = "pg0", .listen_port = 51820};
    char *text = written(&rules);

    (void)state;
    assert_null(strstr(text, "add element"));
    assert_non_null(strstr(text, "arrived udp dport set 51820\n"));
    assert_non_null(strstr(text, "iifname != \"pg0\""));
    free(text);
}

static void what_was_learned_is_never_emptied(void **state)
{
    const struct redirect_rules rules = {.interface = "pg0", .listen_port = 51820};
    char *text = written(&rules);

    (void)state;
    assert_null(strstr(text, "delete"));
    assert_null(strstr(text, "flush map inet punchguard_pg0 learned"));
    assert_non_null(strstr(text, "flush map inet punchguard_pg0 egress\n"));
    assert_non_null(strstr(text, "flush set inet punchguard_pg0 ice\n"));
    free(text);
}

static void pairs_of_each_family_stand_in_their_maps(void **state)
{
    const uint16_t ports[] = {41000, 42000};
    const struct redirect_pair pairs[] = {
        pair("203.0.113.5", 7, "192.168.1.10", 41000),
        pair("2001:db8::5", 8, "2001:db8::1", 42000),
        pair("203.0.113.6", 9, "192.168.1.10", 41000),
    };
    const struct redirect_rules rules = {.interface = "pg0",
                                         .listen_port = 51820,
                                         .ports = ports,
                                         .port_count = 2,
                                         .pairs = pairs,
                                         .pair_count = 3};
    char *text = written(&rules);

    (void)state;
    assert_non_null(strstr(text, "add element inet punchguard_pg0 ice { 41000, 42000 }\n"));
    assert_non_null(strstr(text, "egress { 203.0.113.5 . 7 : 41000, 203.0.113.6 . 9 : 41000 }\n"));
    assert_non_null(strstr(text, "egress6 { 2001:db8::5 . 8 : 42000 }\n"));
    assert_non_null(strstr(text, "source { 203.0.113.5 . 7 : 192.168.1.10, "));
    assert_non_null(strstr(text, "senders { 203.0.113.5 . 7 . 192.168.1.10 . 41000 }\n"));
    assert_non_null(strstr(text, "senders { 203.0.113.6 . 9 . 192.168.1.10 . 41000 }\n"));
    assert_non_null(strstr(text, "senders6 { 2001:db8::5 . 8 . 2001:db8::1 . 42000 }\n"));
    assert_non_null(strstr(text, "source6 { 2001:db8::5 . 8 : 2001:db8::1 }\n"));
    assert_non_null(strstr(text, "pairs { 203.0.113.5 . 7 : 192.168.1.10 . 41000, "));
    free(text);
}

/* How much of the text is left where that begins. */
static size_t rest(const char *text, const char *what)
{
    assert_non_null(strstr(text, what));
    return strlen(strstr(text, what));
}

/* A known sender's packets are neither learned, an update each, nor looked up in the routing
 * tables. */
static void known_senders_are_done_with_before_others_are_looked_at(void **state)
{
    const struct redirect_rules rules = {.interface = "pg0", .listen_port = 51820};
    char *text = written(&rules);
    size_t local = rest(text, "fib daddr type != local return\n");

    (void)state;
    assert_true(rest(text, "@senders udp dport set 51820 accept\n") > local);
    assert_true(rest(text, "@senders6 udp dport set 51820 accept\n") > local);
    assert_true(local > rest(text, "update @learned"));
    free(text);
}

/* What comes to an address that is not this host's is not for it. */
static void nobody_is_a_known_sender_to_an_absent_base(void **state)
{
    struct redirect_pair away = pair("203.0.113.5", 7, "192.168.1.10", 41000);
    struct redirect_rules rules = {.interface = "pg0", .pairs = &away, .pair_count = 1};
    char *text;

    (void)state;
    away.away = true;
    text = written(&rules);
    assert_null(strstr(text, "add element inet punchguard_pg0 senders"));
    free(text);
}

static void an_absent_base_keeps_its_port_and_loses_its_address(void **state)
{
    struct redirect_pair away = pair("203.0.113.5", 7, "192.168.1.10", 41000);
    struct redirect_rules rules = {.interface = "pg0", .pairs = &away, .pair_count = 1};
    char *text;

    (void)state;
    away.away = true;
    text = written(&rules);
    assert_null(strstr(text, "add element inet punchguard_pg0 source"));
    assert_non_null(strstr(text, "egress { 203.0.113.5 . 7 : 41000 }\n"));
    assert_non_null(strstr(text, "pairs { 203.0.113.5 . 7 : 192.168.1.10 . 41000 }\n"));
    free(text);
}

static void no_name_but_an_interface_name_reaches_nftables(void **state)
{
    static const char *const names[] = {
        "",
        "pg0\"; flush ruleset; \"",
        "pg0 {",
        "a\nb",
        "pg0;x",
        "../x",
        "$x",
        ".x",
        "-x",
        "a name of 16 by",
        "sixteen_bytes_xx",
    };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_null(redirect_new(names[i]));
}

#define TABLE(elements)                                                                            \
    "{\"nftables\": [{\"metainfo\": {\"version\": \"1.0.6\"}}, {\"table\": {\"family\": "          \
    "\"inet\", "                                                                                   \
    "\"name\": \"punchguard_pg0\", \"handle\": 1}}" elements "]}"
#define MAP(name, elements) ", {\"map\": {\"name\": \"" name "\", \"elem\": [" elements "]}}"

static int parse(const char *json, struct redirect_standing *standing)
{
    struct error err = {.code = ""};
    int rc;

    memset(standing, 0, sizeof *standing);
    rc = redirect_parse(json, strlen(json), standing, &err);
    if (rc == -EBADMSG) {
        assert_true(err.message[0] != '\0');
        redirect_standing_clear(standing);
    }
    return rc;
}

static void a_listing_gives_back_ports_pairs_and_what_was_learned(void **state)
{
    static const char listing[] = TABLE(
        ", {\"set\": {\"name\": \"ice\", \"elem\": [41000, 42000]}}" MAP(
            "learned",
            "[{\"elem\": {\"val\": {\"concat\": [\"192.0.2.1\", 5]}, \"expires\": 179}}, 41000]")
            MAP("egress", "[{\"concat\": [\"192.0.2.1\", 5]}, 1]") MAP(
                "pairs", "[{\"concat\": [\"192.0.2.1\", 5]}, {\"concat\": [\"10.0.0.1\", 41000]}]")
                MAP("pairs6", "[{\"concat\": [\"2001:db8::1\", 6]}, {\"concat\": [\"2001:db8::2\", "
                              "42000]}]") ", {\"chain\": {\"name\": \"ingress\"}}, {\"rule\": "
                                          "{\"expr\": []}}");
    struct redirect_standing standing;

    (void)state;
    assert_int_equal(parse(listing, &standing), 0);
    assert_int_equal(standing.port_count, 2);
    assert_int_equal(standing.ports[1], 42000);
    assert_int_equal(standing.pair_count, 2);
    assert_string_equal(standing.pairs[0].base.address, "10.0.0.1");
    assert_int_equal(standing.pairs[0].base.port, 41000);
    assert_string_equal(standing.pairs[1].remote.address, "2001:db8::1");
    assert_int_equal(standing.learned_count, 1);
    assert_int_equal(standing.learned[0].remote.port, 5);
    assert_int_equal(standing.learned[0].base.port, 41000);
    redirect_standing_clear(&standing);
    redirect_standing_clear(&standing);
}

static void a_table_without_elements_is_empty(void **state)
{
    struct redirect_standing standing;

    (void)state;
    assert_int_equal(parse(TABLE(", {\"set\": {\"name\": \"ice\"}}"), &standing), 0);
    assert_int_equal(standing.port_count + standing.pair_count + standing.learned_count, 0);
    redirect_standing_clear(&standing);
}

static void a_listing_of_another_shape_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"nftables\": 1}",
        "{\"nftables\": [1]}",
        TABLE(", {\"set\": {\"name\": \"ice\", \"elem\": [0]}}"),
        TABLE(", {\"set\": {\"name\": \"ice\", \"elem\": [65536]}}"),
        TABLE(", {\"set\": {\"name\": \"ice\", \"elem\": [\"x\"]}}"),
        TABLE(", {\"set\": {\"elem\": [1]}}"),
        TABLE(MAP("pairs", "1")),
        TABLE(MAP("pairs", "[]")),
        TABLE(MAP("pairs", "[{\"concat\": [\"192.0.2.1\", 5]}, 41000]")),
        TABLE(MAP("pairs", "[{\"concat\": [\"192.0.2.1\"]}, {\"concat\": [\"10.0.0.1\", 1]}]")),
        TABLE(MAP("pairs", "[{\"concat\": [\"x\", 5]}, {\"concat\": [\"10.0.0.1\", 1]}]")),
        TABLE(MAP("pairs", "[{\"concat\": [\"10.0.0.2\", 5]}, {\"concat\": [\"fd00::1\", 1]}]")),
        TABLE(MAP("learned", "[{\"elem\": {}}, 1]")),
    };
    struct redirect_standing standing;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(parse(bad[i], &standing), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_pairs_no_element_is_added),
        cmocka_unit_test(what_was_learned_is_never_emptied),
        cmocka_unit_test(pairs_of_each_family_stand_in_their_maps),
        cmocka_unit_test(known_senders_are_done_with_before_others_are_looked_at),
        cmocka_unit_test(nobody_is_a_known_sender_to_an_absent_base),
        cmocka_unit_test(an_absent_base_keeps_its_port_and_loses_its_address),
        cmocka_unit_test(no_name_but_an_interface_name_reaches_nftables),
        cmocka_unit_test(a_listing_gives_back_ports_pairs_and_what_was_learned),
        cmocka_unit_test(a_table_without_elements_is_empty),
        cmocka_unit_test(a_listing_of_another_shape_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
