/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wg-setup/hosts.h"

#define BEGIN(name)                                                                                \
    "# punchguard " name " begin (kept by punchguard-wg-setup: see \"names\" in "                  \
    "punchguard.conf(5))\n"
#define END(name) "# punchguard " name " end\n"
#define HOME      "100.64.7.9\thome.pg.internal\n"
#define WORK      "fd50:4755:4152:4400::7\twork.pg.internal\n"
#define OTHERS    "127.0.0.1\tlocalhost\n::1 localhost # and more\n"

static void expect(const char *text, const char *interface, const char *lines, const char *expected)
{
    size_t length;
    char *edited = hosts_edit(text, strlen(text), interface, lines, &length);

    assert_non_null(edited);
    assert_string_equal(edited, expected);
    assert_int_equal(length, strlen(expected));
    free(edited);
}

static void the_block_goes_to_the_end_and_away_again(void **state)
{
    (void)state;
    expect(OTHERS, "pg0", HOME, OTHERS BEGIN("pg0") HOME END("pg0"));
    expect(OTHERS BEGIN("pg0") HOME END("pg0"), "pg0", "", OTHERS);
    expect("", "pg0", HOME, BEGIN("pg0") HOME END("pg0"));
    expect(BEGIN("pg0") HOME END("pg0"), "pg0", "", "");
    expect(OTHERS, "pg0", "", OTHERS);
}

static void it_stays_where_it_is(void **state)
{
    (void)state;
    expect("a\n" BEGIN("pg0") HOME END("pg0") "b\n", "pg0", WORK,
           "a\n" BEGIN("pg0") WORK END("pg0") "b\n");
    expect("a\n" BEGIN("pg0") HOME WORK END("pg0") "b", "pg0", "", "a\nb");
}

/* Nothing is added to the last line, so that nothing has to be taken away. */
static void a_last_line_without_newline_keeps_being_so(void **state)
{
    (void)state;
    expect("127.0.0.1 localhost", "pg0", HOME, BEGIN("pg0") HOME END("pg0") "127.0.0.1 localhost");
    expect(BEGIN("pg0") HOME END("pg0") "127.0.0.1 localhost", "pg0", "", "127.0.0.1 localhost");
}

static void interfaces_have_blocks_of_their_own(void **state)
{
    (void)state;
    expect(OTHERS BEGIN("pg0") HOME END("pg0"), "pg1", WORK,
           OTHERS BEGIN("pg0") HOME END("pg0") BEGIN("pg1") WORK END("pg1"));
    expect(OTHERS BEGIN("pg0") HOME END("pg0") BEGIN("pg1") WORK END("pg1"), "pg0", "",
           OTHERS BEGIN("pg1") WORK END("pg1"));
    expect(BEGIN("pg10") HOME END("pg10"), "pg1", "", BEGIN("pg10") HOME END("pg10"));
}

static void a_line_of_somebody_else_in_the_block_stays(void **state)
{
    (void)state;
    expect("a\n" BEGIN("pg0") HOME "10.0.0.1 printer\n" WORK END("pg0") "b\n", "pg0", HOME,
           "a\n" BEGIN("pg0") HOME END("pg0") "10.0.0.1 printer\nb\n");
    expect(BEGIN("pg0") "10.0.0.1 home.pg.internal\n" END("pg0"), "pg0", "",
           "10.0.0.1 home.pg.internal\n");
    expect(BEGIN("pg0") "10.0.0.1\thome.pg.internal # mine\n" END("pg0"), "pg0", "",
           "10.0.0.1\thome.pg.internal # mine\n");
}

static void without_its_end_only_what_can_be_ours_goes(void **state)
{
    (void)state;
    expect("a\n" BEGIN("pg0") HOME WORK "b\n" HOME, "pg0", "", "a\nb\n" HOME);
    expect("a\n" BEGIN("pg0") HOME BEGIN("pg1") WORK END("pg1"), "pg0", "",
           "a\n" BEGIN("pg1") WORK END("pg1"));
    expect("a\n" END("pg0") "b\n", "pg0", "", "a\nb\n");
    expect("a\n" BEGIN("pg0") HOME "b\n", "pg0", WORK, "a\n" BEGIN("pg0") WORK END("pg0") "b\n");
}

static void two_blocks_of_one_interface_become_one(void **state)
{
    (void)state;
    expect(BEGIN("pg0") HOME END("pg0") "a\n" BEGIN("pg0") WORK END("pg0"), "pg0", WORK,
           BEGIN("pg0") WORK END("pg0") "a\n");
}

static void a_block_with_other_words_or_line_ends_is_ours_too(void **state)
{
    (void)state;
    expect("a\n# punchguard pg0 begin\n" HOME END("pg0"), "pg0", "", "a\n");
    expect("a\r\n# punchguard pg0 begin\r\n100.64.7.9\thome.pg.internal\r\n# punchguard pg0 "
           "end\r\nb\r\n",
           "pg0", "", "a\r\nb\r\n");
    expect("# punchguard pg0 beginning\n", "pg0", "", "# punchguard pg0 beginning\n");
}

static void bytes_of_any_kind_stay(void **state)
{
    static const char text[] = "a\0b\n\xff\xfe\n\n\n# punchguard\n# punchguard pg0\n\0";
    size_t length, again;
    char *edited, *back;

    (void)state;
    edited = hosts_edit(text, sizeof text - 1, "pg0", HOME, &length);
    back = hosts_edit(edited, length, "pg0", "", &again);
    assert_int_equal(again, sizeof text - 1);
    assert_memory_equal(back, text, again);
    free(edited);
    free(back);
}

static void labels_are_those_of_host_names(void **state)
{
    static const char *const wrong[] = {"",     "-a",  "a-",       "a_b", "a.b",     "a b",
                                        "a\nb", "a\t", "\xc3\xa4", "a#",  "1.2.3.4", "*"};
    char label[HOSTS_LABEL_MAX + 1], longest[HOSTS_LABEL_MAX + 2];
    struct error err;

    (void)state;
    assert_int_equal(hosts_label("Home-2", label, &err), 0);
    assert_string_equal(label, "home-2");
    assert_int_equal(hosts_label("7", label, &err), 0);
    memset(longest, 'a', sizeof longest);
    longest[HOSTS_LABEL_MAX + 1] = '\0';
    assert_int_not_equal(hosts_label(longest, label, &err), 0);
    longest[HOSTS_LABEL_MAX] = '\0';
    assert_int_equal(hosts_label(longest, label, &err), 0);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_not_equal(hosts_label(wrong[i], label, &err), 0);
        assert_string_equal(err.code, "no-label");
    }
}

static int add(struct hosts_list *list, const char *name, const char *a, const char *b,
               struct error *err)
{
    struct prefix prefixes[2];

    assert_int_equal(prefix_parse(&prefixes[0], a, false, NULL), 0);
    if (b != NULL)
        assert_int_equal(prefix_parse(&prefixes[1], b, false, NULL), 0);
    return hosts_list_add(list, name, prefixes, b != NULL ? 2 : 1, err);
}

static void each_address_and_each_name_is_there_once(void **state)
{
    struct hosts_list list = {.count = 0};
    struct error err;
    char *text;

    (void)state;
    assert_int_equal(add(&list, "Laptop", "fd50:4755:4152:4400::1", "100.64.0.1", &err), 0);
    assert_int_equal(add(&list, "net", "10.0.0.0/8", "10.0.0.7/32", &err), 0);
    assert_int_not_equal(add(&list, "laptop", "100.64.0.2", NULL, &err), 0);
    assert_string_equal(err.code, "duplicate");
    assert_int_not_equal(add(&list, "thief", "100.64.0.1", NULL, &err), 0);
    assert_string_equal(err.code, "no-address");
    assert_int_equal(add(&list, "late", "100.64.0.1", "100.64.0.3", &err), 0);
    assert_int_not_equal(add(&list, "two words", "100.64.0.4", NULL, &err), 0);
    text = hosts_list_text(&list);
    assert_string_equal(text, "fd50:4755:4152:4400::1\tlaptop.pg.internal\n"
                              "100.64.0.1\tlaptop.pg.internal\n"
                              "10.0.0.7\tnet.pg.internal\n"
                              "100.64.0.3\tlate.pg.internal\n");
    free(text);
    hosts_list_clear(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_block_goes_to_the_end_and_away_again),
        cmocka_unit_test(it_stays_where_it_is),
        cmocka_unit_test(a_last_line_without_newline_keeps_being_so),
        cmocka_unit_test(interfaces_have_blocks_of_their_own),
        cmocka_unit_test(a_line_of_somebody_else_in_the_block_stays),
        cmocka_unit_test(without_its_end_only_what_can_be_ours_goes),
        cmocka_unit_test(two_blocks_of_one_interface_become_one),
        cmocka_unit_test(a_block_with_other_words_or_line_ends_is_ours_too),
        cmocka_unit_test(bytes_of_any_kind_stay),
        cmocka_unit_test(labels_are_those_of_host_names),
        cmocka_unit_test(each_address_and_each_name_is_there_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
