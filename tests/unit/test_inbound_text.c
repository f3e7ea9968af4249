/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wg-setup/inbound.h"

#define TABLE "inet punchguard-inbound_pg0 "

static const struct grant all = {.peer = "alice"};
static const struct grant none = {.peer = "bob", .inbound = {.kind = INBOUND_NONE}};
static const struct grant some = {
    .peer = "4carol.x-y",
    .inbound = {
        .kind = INBOUND_LIST,
        .count = 3,
        .items = {{INBOUND_TCP, 22, 22}, {INBOUND_UDP, 60000, 61000}, {INBOUND_ICMP, 0, 0}}}};

static struct inbound_claim claim(const char *prefix, const struct grant *grant)
{
    struct inbound_claim made = {.grant = grant};

    assert_int_equal(prefix_parse(&made.prefix, prefix, false, NULL), 0);
    return made;
}

static char *written(struct inbound_claim *claims, size_t count)
{
    static char gone[] = "from_gone", *stale[] = {gone};
    static char buffer[8192];
    FILE *out = fmemopen(buffer, sizeof buffer, "w");

    assert_non_null(out);
    inbound_sort(claims, count);
    inbound_write(out, "pg0", claims, count, stale, 1);
    assert_int_equal(fclose(out), 0);
    return strdup(buffer);
}

/* Where it stands. */
static size_t find(const char *text, const char *part)
{
    const char *found = strstr(text, part);

    if (found == NULL)
        fail_msg("there is no '%s' in:\n%s", part, text);
    return (size_t)(found - text);
}

static void only_what_comes_from_the_tunnel_is_judged(void **state)
{
    struct inbound_claim claims[] = {claim("10.66.0.2", &none)};
    char *text = written(claims, 1);

    (void)state;
    find(text, "input { type filter hook input priority filter; policy accept; }\n");
    find(text, "forward { type filter hook forward priority filter; policy accept; }\n");
    find(text, "add rule " TABLE "input iifname \"pg0\" jump judge\n");
    find(text, "add rule " TABLE "forward iifname \"pg0\" jump judge\n");
    free(text);
}

static void answers_pass_before_anything_is_judged(void **state)
{
    struct inbound_claim claims[] = {claim("10.66.0.2", &none), claim("10.0.0.0/8", &none)};
    char *text = written(claims, 2);

    (void)state;
    find(text, "flush chain " TABLE "judge\n"
               "add rule " TABLE "judge ct state established,related accept\n");
    free(text);
}

static void a_peers_chain_has_what_it_may_begin_and_ends_with_drop(void **state)
{
    struct inbound_claim claims[] = {claim("10.66.0.2", &none), claim("10.66.0.3", &some),
                                     claim("fd00::3", &some)};
    char *text = written(claims, 3);
    size_t drop = find(text, "add rule " TABLE "from_4carol.x-y drop\n");

    (void)state;
    assert_true(find(text, "from_4carol.x-y tcp dport 22-22 accept\n") < drop);
    assert_true(find(text, "from_4carol.x-y udp dport 60000-61000 accept\n") < drop);
    assert_true(find(text, "from_4carol.x-y icmp type echo-request accept\n") < drop);
    assert_true(find(text, "from_4carol.x-y icmpv6 type echo-request accept\n") < drop);
    assert_null(strstr(text + drop + 1, "add rule " TABLE "from_4carol.x-y"));
    find(text, "flush chain " TABLE "from_bob\nadd rule " TABLE "from_bob drop\n");
    find(text, "hosts { 10.66.0.2 : goto from_bob, 10.66.0.3 : goto from_4carol.x-y }\n");
    find(text, "hosts6 { fd00::3 : goto from_4carol.x-y }\n");
    free(text);
}

/* alice's network lies inside bob's, who is an exit node: WireGuard lets nobody but alice send from
 * there. */
static void the_longest_prefix_judges(void **state)
{
    struct inbound_claim claims[] = {
        claim("0.0.0.0/0", &none),     claim("10.1.0.0/16", &all), claim("10.0.0.0/8", &some),
        claim("10.1.2.3", &none),      claim("::/0", &none),       claim("fd00:1::/32", &all),
        claim("192.168.0.0/16", &all),
    };
    char *text = written(claims, sizeof claims / sizeof claims[0]);
    size_t host = find(text, "judge ip saddr vmap @hosts\n");
    size_t inner = find(text, "judge ip saddr 10.1.0.0/16 accept\n");
    size_t outer = find(text, "judge ip saddr 10.0.0.0/8 goto from_4carol.x-y\n");
    size_t every = find(text, "judge meta nfproto ipv4 goto from_bob\n");

    (void)state;
    assert_true(host < inner && inner < outer && outer < every);
    assert_true(find(text, "judge ip6 saddr fd00:1::/32 accept\n") <
                find(text, "judge meta nfproto ipv6 goto from_bob\n"));
    free(text);
}

static void of_one_prefix_twice_the_stricter_judges(void **state)
{
    struct inbound_claim claims[] = {claim("10.66.0.2", &all),   claim("10.66.0.2", &some),
                                     claim("10.66.0.2", NULL),   claim("10.0.0.0/8", &some),
                                     claim("10.0.0.0/8", &none), claim("10.66.0.2", &some)};
    char *text = written(claims, sizeof claims / sizeof claims[0]);

    (void)state;
    find(text, "hosts { 10.66.0.2 : goto from_4carol.x-y }\n");
    find(text, "judge ip saddr 10.0.0.0/8 goto from_bob\n");
    assert_null(strstr(text, "10.0.0.0/8 goto from_4carol"));
    free(text);
}

/* Rules are in force a moment before the elements of sets that came with them. */
static void no_rule_has_a_set_of_its_own(void **state)
{
    struct inbound_claim claims[] = {claim("10.66.0.2", &some), claim("10.0.0.0/8", &none)};
    char *text = written(claims, 2);

    (void)state;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
        if (strncmp(line, "add rule", 8) == 0 && strchr(line, '{') != NULL)
            fail_msg("'%s'", line);
    free(text);
}

static void a_chain_goes_when_nothing_leads_there(void **state)
{
    struct inbound_claim claims[] = {claim("10.66.0.2", &some)};
    char *text = written(claims, 1);
    size_t gone = find(text, "delete chain " TABLE "from_gone\n");

    (void)state;
    assert_true(find(text, "flush map " TABLE "hosts\n") < gone);
    assert_true(find(text, "flush chain " TABLE "judge\n") < gone);
    free(text);
}

static void the_order_of_peers_makes_no_difference(void **state)
{
    struct inbound_claim one[] = {claim("10.66.0.2", &some), claim("10.66.0.3", &none),
                                  claim("10.66.0.2", &some)};
    struct inbound_claim other[] = {one[1], one[2], one[0]};
    char *a = written(one, 3), *b = written(other, 3);

    (void)state;
    assert_string_equal(a, b);
    free(a);
    free(b);
}

#define CHAIN(table, name)                                                                         \
    "{\"chain\": {\"family\": \"inet\", \"table\": \"" table "\", \"name\": \"" name "\"}}, "
#define OURS "punchguard-inbound_pg0"

static void chains_of_peers_are_found_among_all(void **state)
{
    /* clang-format off */
    static const char json[] =
        "{\"nftables\": [{\"metainfo\": {\"version\": \"1.0.6\"}}, "
        CHAIN(OURS, "judge")
        CHAIN(OURS, "from_bob")
        CHAIN(OURS, "from_x; flush ruleset")
        CHAIN("punchguard-inbound_pg1", "from_dave")
        CHAIN("filter", "from_eve")
        "7, {\"chain\": 3}, {\"chain\": {\"table\": \"" OURS "\"}}]}";
    /* clang-format on */
    struct error err;
    char **chains = inbound_chains_parse(json, strlen(json), "pg0", &err);

    (void)state;
    assert_non_null(chains);
    assert_string_equal(chains[0], "from_bob");
    assert_null(chains[1]);
    inbound_chains_free(chains);
    assert_null(inbound_chains_parse("{", 1, "pg0", &err));
    assert_null(inbound_chains_parse("{}", 2, "pg0", &err));
    assert_null(inbound_chains_parse("[]", 2, "pg0", &err));
    inbound_chains_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_comes_from_the_tunnel_is_judged),
        cmocka_unit_test(answers_pass_before_anything_is_judged),
        cmocka_unit_test(a_peers_chain_has_what_it_may_begin_and_ends_with_drop),
        cmocka_unit_test(the_longest_prefix_judges),
        cmocka_unit_test(of_one_prefix_twice_the_stricter_judges),
        cmocka_unit_test(no_rule_has_a_set_of_its_own),
        cmocka_unit_test(a_chain_goes_when_nothing_leads_there),
        cmocka_unit_test(the_order_of_peers_makes_no_difference),
        cmocka_unit_test(chains_of_peers_are_found_among_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
