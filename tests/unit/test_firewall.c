/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rule sets as nft(8) 1.0.6 prints them, shortened.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "punchguard/firewall.h"

/* ' stands for ". */
static char *quoted(const char *text)
{
    char *copy = strdup(text);

    assert_non_null(copy);
    for (char *at = copy; *at != '\0'; at++)
        if (*at == '\'')
            *at = '"';
    return copy;
}

static int find(const char *text, char chain[FIREWALL_CHAIN], const char **hook)
{
    char *ruleset = quoted(text);
    struct error err;
    int rc = firewall_find_dropping(ruleset, chain, hook, &err);

    free(ruleset);
    return rc;
}

#define SET(items) "{'nftables': [{'metainfo': {'json_schema_version': 1}}, " items "]}"
#define TABLE      "{'table': {'family': 'inet', 'name': 'filter', 'handle': 1}}"
#define IN(policy) CHAIN("filter", "input", policy)
#define CHAIN(table, hook, policy)                                                                 \
    "{'chain': {'family': 'inet', 'table': '" table "', 'name': 'in', 'handle': 1, 'type': "       \
    "'filter', 'hook': '" hook "', 'prio': 0, 'policy': '" policy "'}}"
#define RULE_IN(chain, expr)                                                                       \
    "{'rule': {'family': 'inet', 'table': 'filter', 'chain': '" chain                              \
    "', 'handle': 2, 'expr': [" expr "]}}"
#define RULE(expr) RULE_IN("in", expr)
#define PORT22                                                                                     \
    "{'match': {'op': '==', 'left': {'payload': {'protocol': 'tcp', 'field': 'dport'}}, "          \
    "'right': 22}}"
#define STATE                                                                                      \
    "{'match': {'op': 'in', 'left': {'ct': {'key': 'state'}}, 'right': ['established', "           \
    "'related']}}"

static void expect(const char *text, int expected, const char *hook_expected)
{
    char chain[FIREWALL_CHAIN];
    const char *hook = "";

    assert_int_equal(find(text, chain, &hook), expected);
    if (expected == 1) {
        assert_string_equal(chain, "inet filter in");
        assert_string_equal(hook, hook_expected);
    }
}

static void one_that_lets_nothing_in_is_found(void **state)
{
    (void)state;
    expect(SET(TABLE "," IN("drop")), 1, "input");
    expect(SET(TABLE "," IN("drop") "," RULE(PORT22 ", {'accept': null}")), 1, "input");
    expect(SET(TABLE "," CHAIN("filter", "output", "drop")), 1, "output");
}

static void a_rule_at_the_end_that_drops_is_a_policy_too(void **state)
{
    (void)state;
    expect(SET(IN("accept") "," RULE("{'counter': {'packets': 0, 'bytes': 0}}, {'drop': null}")), 1,
           "input");
    expect(SET(IN("accept") "," RULE("{'reject': {'type': 'icmpx'}}")), 1, "input");
    expect(SET(IN("accept") "," RULE(PORT22 ", {'drop': null}")), 0, NULL);
    expect(SET(IN("accept") "," RULE_IN("other", "{'drop': null}")), 0, NULL);
}

static void one_that_knows_connections_is_right(void **state)
{
    (void)state;
    expect(SET(IN("drop") "," RULE(STATE ", {'accept': null}")), 0, NULL);
    /* In a chain that it jumps to, or by a verdict map. */
    expect(SET(IN("drop") "," RULE("{'jump': {'target': 'x'}}") "," RULE_IN("x", STATE)), 0, NULL);
    expect(SET(IN("drop") "," RULE("{'vmap': {'key': {'ct': {'key': 'state'}}, 'data': '@x'}}")), 0,
           NULL);
    /* By iptables-nft, whose matches nft(8) does not show in full. */
    expect(SET(IN("drop") "," RULE("{'xt': {'type': 'match', 'name': 'conntrack'}}")), 0, NULL);
}

static void what_drops_no_answers_is_no_matter(void **state)
{
    (void)state;
    expect(SET(IN("accept")), 0, NULL);
    expect(SET(CHAIN("filter", "forward", "drop")), 0, NULL);
    expect(SET(TABLE), 0, NULL);
    expect("{'nftables': []}", 0, NULL);
}

static void the_states_of_another_table_do_not_help(void **state)
{
    char chain[FIREWALL_CHAIN];
    const char *hook;

    (void)state;
    assert_int_equal(
        find(SET(CHAIN("other", "input", "drop") "," IN("accept") "," RULE(STATE)), chain, &hook),
        1);
    assert_string_equal(chain, "inet other in");
}

static void what_is_no_rule_set_is_an_error(void **state)
{
    static const char *const wrong[] = {"", "x", "[]", "{}", "{'nftables': 7}"};
    char chain[FIREWALL_CHAIN];
    const char *hook;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(find(wrong[i], chain, &hook), -EINVAL);
    expect("{'nftables': [7, {'chain': 7}, {'rule': []}, {'chain': {'hook': 3}}]}", 0, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_lets_nothing_in_is_found),
        cmocka_unit_test(a_rule_at_the_end_that_drops_is_a_policy_too),
        cmocka_unit_test(one_that_knows_connections_is_right),
        cmocka_unit_test(what_drops_no_answers_is_no_matter),
        cmocka_unit_test(the_states_of_another_table_do_not_help),
        cmocka_unit_test(what_is_no_rule_set_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
