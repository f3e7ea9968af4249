/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/inbound.h"

static struct error err;

static int read_inbound(struct inbound *inbound, const char *text)
{
    struct json *document = json_parse(text, strlen(text), &err);
    struct json_at root = json_root(document);
    int rc;

    assert_non_null(document);
    rc = inbound_read(inbound, &root, &err);
    json_destroy(document);
    return rc;
}

static void all_and_none_are_words(void **state)
{
    struct inbound inbound;

    (void)state;
    assert_int_equal(read_inbound(&inbound, "\"all\""), 0);
    assert_int_equal(inbound.kind, INBOUND_ALL);
    assert_int_equal(read_inbound(&inbound, "\"none\""), 0);
    assert_int_equal(inbound.kind, INBOUND_NONE);
}

static void a_list_has_protocols_and_ports(void **state)
{
    struct inbound inbound;

    (void)state;
    assert_int_equal(
        read_inbound(&inbound, "[\"tcp/22\", \"udp/60000-61000\", \"icmp\", \"tcp/65535\"]"), 0);
    assert_int_equal(inbound.kind, INBOUND_LIST);
    assert_int_equal(inbound.count, 4);
    assert_int_equal(inbound.items[0].protocol, INBOUND_TCP);
    assert_int_equal(inbound.items[0].first, 22);
    assert_int_equal(inbound.items[0].last, 22);
    assert_int_equal(inbound.items[1].protocol, INBOUND_UDP);
    assert_int_equal(inbound.items[1].first, 60000);
    assert_int_equal(inbound.items[1].last, 61000);
    assert_int_equal(inbound.items[2].protocol, INBOUND_ICMP);
    assert_int_equal(inbound.items[3].last, 65535);
}

static void what_is_wrong_is_told(void **state)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"\"some\"", "$: 'some' is neither \"all\" nor \"none\""},
        {"\"tcp/22\"", "a single thing is a list too: [\"tcp/22\"]"},
        {"true", "$: is neither \"all\", \"none\" nor a list"},
        {"{}", "nor a list such as"},
        {"[]", "$: the list is empty; \"none\" says that"},
        {"[22]", "$[0]"},
        {"[\"icmp\", \"sctp/22\"]", "$[1]: 'sctp/22' names no protocol with a port"},
        {"[\"tcp\"]", "'tcp' names no protocol with a port"},
        {"[\"\"]", "'' names no protocol with a port"},
        {"[\"TCP/22\"]", "'TCP/22' names no protocol with a port"},
        {"[\"icmp/8\"]", "'icmp/8' names no protocol with a port"},
        {"[\"tcp/\"]", "'tcp/' has no port"},
        {"[\"tcp/ssh\"]", "'tcp/ssh' has no port"},
        {"[\"tcp/0\"]", "'tcp/0' has no port"},
        {"[\"tcp/65536\"]", "'tcp/65536' has no port"},
        {"[\"tcp/-1\"]", "'tcp/-1' has no port"},
        {"[\"tcp/+1\"]", "'tcp/+1' has no port"},
        {"[\"tcp/ 1\"]", "'tcp/ 1' has no port"},
        {"[\"tcp/99999999999999999999999\"]", "has no port"},
        {"[\"tcp/5-\"]", "'tcp/5-' has no port to end with"},
        {"[\"tcp/5-70000\"]", "has no port to end with"},
        {"[\"tcp/9-5\"]", "'tcp/9-5' ends before it begins"},
        {"[\"tcp/22 \"]", "goes on behind its port"},
        {"[\"tcp/1-2-3\"]", "goes on behind its port"},
        {"[\"tcp/22; accept\"]", "udp/60000-61000 or icmp would be right"},
    };
    struct inbound inbound;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(read_inbound(&inbound, bad[i].text), -EINVAL);
        if (strstr(err.message, bad[i].says) == NULL)
            fail_msg("%s: '%s' does not say '%s'", bad[i].text, err.message, bad[i].says);
    }
}

static void a_list_is_bounded(void **state)
{
    char text[1024] = "[\"icmp\"";
    struct inbound inbound;

    (void)state;
    for (size_t i = 1; i < INBOUND_ITEMS_MAX; i++)
        strcat(text, ",\"icmp\"");
    strcat(text, "]");
    assert_int_equal(read_inbound(&inbound, text), 0);
    text[strlen(text) - 1] = '\0';
    strcat(text, ",\"icmp\"]");
    assert_int_equal(read_inbound(&inbound, text), -EINVAL);
}

static void each_difference_counts(void **state)
{
    static const char *const others[] = {
        "\"all\"",         "\"none\"",        "[\"tcp/22\"]",         "[\"udp/22\"]",
        "[\"tcp/21-22\"]", "[\"tcp/22-23\"]", "[\"tcp/22\",\"icmp\"]"};
    struct inbound a, b;

    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        for (size_t k = 0; k < sizeof others / sizeof others[0]; k++) {
            assert_int_equal(read_inbound(&a, others[i]), 0);
            assert_int_equal(read_inbound(&b, others[k]), 0);
            assert_int_equal(inbound_equal(&a, &b), i == k);
        }
}

static void one_text_says_the_same_as_json(void **state)
{
    static const struct {
        const char *text, *json;
    } same[] = {
        {"all", "\"all\""},
        {"none", "\"none\""},
        {"icmp", "[\"icmp\"]"},
        {"tcp/22,udp/60000-61000,icmp", "[\"tcp/22\", \"udp/60000-61000\", \"icmp\"]"},
    };
    char text[INBOUND_TEXT_SIZE];
    struct inbound a, b;

    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        assert_int_equal(inbound_parse(&a, same[i].text, &err), 0);
        assert_int_equal(read_inbound(&b, same[i].json), 0);
        assert_true(inbound_equal(&a, &b));
        assert_string_equal(inbound_format(&a, text), same[i].text);
    }
}

static void the_longest_text_has_room(void **state)
{
    char text[INBOUND_TEXT_SIZE + 100] = "udp/60000-61000", again[INBOUND_TEXT_SIZE];
    struct inbound inbound;

    (void)state;
    for (size_t i = 1; i < INBOUND_ITEMS_MAX; i++)
        strcat(text, ",udp/60000-61000");
    assert_int_equal(inbound_parse(&inbound, text, &err), 0);
    assert_string_equal(inbound_format(&inbound, again), text);
    strcat(text, ",icmp");
    assert_int_equal(inbound_parse(&inbound, text, &err), -EINVAL);
    assert_non_null(strstr(err.message, "more than 64 items"));
}

static void a_wrong_text_is_told(void **state)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"", "'' is neither all, none nor a list such as tcp/22,icmp: '' names no protocol"},
        {"All", "'All' names no protocol with a port"},
        {"none,tcp/22", "'none' names no protocol with a port"},
        {"tcp/22,", "'' names no protocol"},
        {"tcp/22, udp/53", "' udp/53' names no protocol"},
        {"icmp,tcp/70000",
         "'tcp/70000' has no port; tcp/22, udp/60000-61000 or icmp would be right"},
        {"tcp/0000000000000000000000000000222", "longer than any that is right"},
    };
    struct inbound inbound;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(inbound_parse(&inbound, bad[i].text, &err), -EINVAL);
        assert_string_equal(err.code, "bad-inbound");
        if (strstr(err.message, bad[i].says) == NULL)
            fail_msg("%s: '%s' does not say '%s'", bad[i].text, err.message, bad[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_and_none_are_words),
        cmocka_unit_test(a_list_has_protocols_and_ports),
        cmocka_unit_test(what_is_wrong_is_told),
        cmocka_unit_test(a_list_is_bounded),
        cmocka_unit_test(each_difference_counts),
        cmocka_unit_test(one_text_says_the_same_as_json),
        cmocka_unit_test(the_longest_text_has_room),
        cmocka_unit_test(a_wrong_text_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
