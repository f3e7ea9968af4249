/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ice-agent/settings.h"

#define ARGUMENTS_MAX 600

/* The options, cut at spaces, as a command line. */
static int from_arguments(struct settings *settings, const char *options, struct error *err)
{
    static char text[16384];
    char *argv[ARGUMENTS_MAX] = {(char *)(uintptr_t) "punchguard-ice-agent"}, *rest = NULL;
    int argc = 1;

    snprintf(text, sizeof text, "%s", options);
    for (char *at = strtok_r(text, " ", &rest); at != NULL; at = strtok_r(NULL, " ", &rest))
        argv[argc++] = at;
    return settings_from_arguments(settings, argc, argv, err);
}

static int from_line(struct settings *settings, const char *fields, struct error *err)
{
    char line[16384];
    struct message message;
    int rc;

    snprintf(line, sizeof line, "{\"type\":\"configure\",%s}", fields);
    if (message_decode(line, strlen(line), ROLE_ICE, TO_HELPER, &message, NULL, err) < 0)
        fail_msg("%s: %s", fields, err->message);
    rc = settings_from_message(settings, &message.ice_configure, err);
    message_clear(&message);
    return rc;
}

static void configure_alone_has_useful_defaults(void **state)
{
    struct settings settings;
    struct error err;

    (void)state;
    assert_int_equal(from_line(&settings, "\"controlling\":true", &err), 0);
    assert_true(settings.controlling);
    assert_true(settings.stun_count >= 4);
    assert_int_equal(settings.local_count, 0);
    assert_int_equal(settings.exclude_count, 0);
    assert_int_equal(settings.turn_count, 0);
    assert_int_equal(settings.port, 0);
    settings_clear(&settings);
}

static void configure_is_taken_over_field_by_field(void **state)
{
    struct settings settings;
    struct error err;

    (void)state;
    assert_int_equal(
        from_line(&settings,
                  "\"controlling\":false,\"stun\":[\"stun.example\",\"[2001:db8::1]:19302\"],"
                  "\"turn\":[{\"server\":\"turn.example\",\"username\":\"u\",\"password\":\"p\"}],"
                  "\"local_addresses\":[\"10.0.0.2\",\"2001:DB8::2\"],"
                  "\"exclude\":[\"10.66.0.1/24\",\"fd00::1\"],\"port\":5000,\"wg_port\":51820",
                  &err),
        0);
    assert_false(settings.controlling);
    assert_int_equal(settings.stun_count, 2);
    assert_string_equal(settings.stun[1], "[2001:db8::1]:19302");
    assert_int_equal(settings.turn_count, 1);
    assert_int_equal(settings.local_count, 2);
    assert_string_equal(settings.local[1].address, "2001:db8::2");
    assert_int_equal(settings.exclude_count, 2);
    assert_int_equal(settings.exclude[0].length, 24);
    assert_int_equal(settings.port, 5000);
    settings_clear(&settings);
    assert_int_equal(settings.stun_count, 0);
}

static void an_empty_list_of_stun_servers_means_none(void **state)
{
    struct settings settings;
    struct error err;

    (void)state;
    assert_int_equal(from_line(&settings, "\"controlling\":true,\"stun\":[]", &err), 0);
    assert_int_equal(settings.stun_count, 0);
}

static void each_bad_value_is_named(void **state)
{
    static const struct {
        const char *fields, *field, *value;
    } cases[] = {
        {"\"stun\":[\"203.0.113.1:0\"]", "stun", "203.0.113.1:0"},
        {"\"stun\":[\"203.0.113.1:65536\"]", "stun", "203.0.113.1:65536"},
        {"\"stun\":[\"stun:203.0.113.1:3478\"]", "stun", "stun:203.0.113.1:3478"},
        {"\"stun\":[\"a.example\",\"b c\"]", "stun", "b c"},
        {"\"local_addresses\":[\"eth0\"]", "local_addresses", "eth0"},
        {"\"local_addresses\":[\"10.0.0.2:5000\"]", "local_addresses", "10.0.0.2:5000"},
        {"\"exclude\":[\"10.66.0.0/33\"]", "exclude", "10.66.0.0/33"},
        {"\"exclude\":[\"tunnel\"]", "exclude", "tunnel"},
        {"\"turn\":[{\"server\":\"a.example\",\"username\":\"u\"}]", "turn", "password"},
        {"\"turn\":[\"a.example\"]", "turn", "object"},
        {"\"port\":51820,\"wg_port\":51820", "port", "51820"},
    };
    char fields[512];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct settings settings;
        struct error err = {.message = ""};

        snprintf(fields, sizeof fields, "\"controlling\":true,%s", cases[i].fields);
        assert_int_equal(from_line(&settings, fields, &err), -EINVAL);
        if (strstr(err.message, cases[i].field) == NULL ||
            strstr(err.message, cases[i].value) == NULL)
            fail_msg("%s: %s", cases[i].fields, err.message);
    }
}

/* 32 servers are what the message may hold; of addresses it may hold more than are used. */
static void lists_are_bounded(void **state)
{
    char fields[2048] = "\"controlling\":true,\"local_addresses\":[\"10.0.0.1\"";
    struct settings settings;
    struct error err;

    (void)state;
    for (int i = 1; i <= ADDRESSES_MAX; i++)
        sprintf(fields + strlen(fields), ",\"10.0.1.%d\"", i);
    strcat(fields, "]");
    assert_int_equal(from_line(&settings, fields, &err), -EINVAL);
    assert_string_equal(err.code, "too-many");
    assert_non_null(strstr(err.message, "local_addresses"));
}

static void without_options_it_waits_for_configure(void **state)
{
    struct settings settings;
    struct error err;

    (void)state;
    assert_int_equal(from_arguments(&settings, "", &err), 0);
    assert_int_equal(from_arguments(&settings, "--verbose", &err), 0);
    assert_true(settings.verbose);
}

static void every_field_of_configure_is_an_option(void **state)
{
    char name[] = "/tmp/turn-XXXXXX", options[512];
    static const char turn[] =
        "[{\"server\":\"turn.example\",\"username\":\"u\",\"password\":\"p\"}]";
    struct settings settings;
    struct error err;
    int fd = mkstemp(name);

    (void)state;
    assert_true(write(fd, turn, sizeof turn - 1) == (ssize_t)sizeof turn - 1);
    close(fd);
    snprintf(options, sizeof options,
             "--controlled --stun a.example --stun 203.0.113.1:19302 --local-address 10.0.0.2 "
             "--exclude 10.66.0.1/24 --exclude fd00::/64 --turn %s --port 5000 --wg-port=51820",
             name);
    assert_int_equal(from_arguments(&settings, options, &err), 1);
    unlink(name);
    assert_false(settings.controlling);
    assert_int_equal(settings.stun_count, 2);
    assert_int_equal(settings.local_count, 1);
    assert_int_equal(settings.exclude_count, 2);
    assert_int_equal(settings.turn_count, 1);
    assert_int_equal(settings.port, 5000);
    settings_clear(&settings);
}

static void no_stun_is_not_the_default(void **state)
{
    struct settings settings;
    struct error err;

    (void)state;
    assert_int_equal(from_arguments(&settings, "--controlling --no-stun", &err), 1);
    assert_int_equal(settings.stun_count, 0);
    assert_int_equal(from_arguments(&settings, "--controlling", &err), 1);
    assert_true(settings.stun_count > 0);
    settings_clear(&settings);
}

static void a_netcheck_needs_no_role_and_takes_what_it_can_use(void **state)
{
    struct settings settings;
    struct error err;

    (void)state;
    assert_int_equal(from_arguments(&settings, "--netcheck", &err), 1);
    assert_true(settings.netcheck);
    assert_false(settings.json);
    assert_true(settings.stun_count >= 4);
    settings_clear(&settings);
    assert_int_equal(from_arguments(&settings,
                                    "--json --netcheck --stun a.example --stun 203.0.113.1 "
                                    "--local-address 10.0.0.2 --exclude 10.66.0.0/24 --port 5000",
                                    &err),
                     1);
    assert_true(settings.json);
    assert_int_equal(settings.stun_count, 2);
    assert_int_equal(settings.local_count, 1);
    assert_int_equal(settings.exclude_count, 1);
    assert_int_equal(settings.port, 5000);
    settings_clear(&settings);
    assert_int_equal(from_arguments(&settings, "--controlling --no-stun", &err), 1);
    assert_false(settings.netcheck);
    settings_clear(&settings);
}

static void a_wrong_command_line_is_named(void **state)
{
    static const struct {
        const char *options, *named;
    } cases[] = {
        {"--no-stun", "--controlling"},
        {"--port 5000", "--controlled"},
        {"--controlling --controlled", "either"},
        {"--controlling --unheard-of", "--help"},
        {"--controlling -x", "--help"},
        {"--controlling --stun", "--help"},
        {"--controlling word", "no option"},
        {"--controlling --port 65536", "65535"},
        {"--controlling --port -1", "65535"},
        {"--controlling --port 5000x", "65535"},
        {"--controlling --port 99999999999999999999", "65535"},
        {"--controlling --wg-port x", "65535"},
        {"--controlling --port 51820 --wg-port 51820", "wg_port"},
        {"--controlling --stun a:b:c:d", "a:b:c:d"},
        {"--controlling --local-address eth0", "eth0"},
        {"--controlling --exclude 10.0.0.0/99", "10.0.0.0/99"},
        {"--controlling --turn /nowhere/turn.json", "/nowhere/turn.json"},
        {"--json", "--netcheck"},
        {"--controlling --json", "--netcheck"},
        {"--netcheck --controlling", "--controlling"},
        {"--netcheck --controlled", "--controlled"},
        {"--netcheck --wg-port 51820", "--wg-port"},
        {"--netcheck --no-stun", "--no-stun"},
        {"--netcheck --stun a:b:c:d", "a:b:c:d"},
        {"--netcheck word", "no option"},
    };

    (void)state;
    opterr = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct settings settings;
        struct error err = {.message = ""};

        if (from_arguments(&settings, cases[i].options, &err) >= 0)
            fail_msg("accepted: %s", cases[i].options);
        if (strstr(err.message, cases[i].named) == NULL)
            fail_msg("%s: %s", cases[i].options, err.message);
    }
}

static void an_option_can_be_repeated_up_to_its_bound(void **state)
{
    char options[16384] = "--controlling";
    struct settings settings;
    struct error err;

    (void)state;
    for (int i = 0; i < STUN_RACE_SERVERS; i++)
        sprintf(options + strlen(options), " --stun 10.0.0.%d", i + 1);
    assert_int_equal(from_arguments(&settings, options, &err), 1);
    assert_int_equal(settings.stun_count, STUN_RACE_SERVERS);
    settings_clear(&settings);
    strcat(options, " --stun 10.0.1.1");
    assert_int_equal(from_arguments(&settings, options, &err), -EINVAL);
    assert_string_equal(err.code, "too-many");
    assert_non_null(strstr(err.message, "--stun"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(configure_alone_has_useful_defaults),
        cmocka_unit_test(configure_is_taken_over_field_by_field),
        cmocka_unit_test(an_empty_list_of_stun_servers_means_none),
        cmocka_unit_test(each_bad_value_is_named),
        cmocka_unit_test(lists_are_bounded),
        cmocka_unit_test(without_options_it_waits_for_configure),
        cmocka_unit_test(every_field_of_configure_is_an_option),
        cmocka_unit_test(no_stun_is_not_the_default),
        cmocka_unit_test(a_netcheck_needs_no_role_and_takes_what_it_can_use),
        cmocka_unit_test(a_wrong_command_line_is_named),
        cmocka_unit_test(an_option_can_be_repeated_up_to_its_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
