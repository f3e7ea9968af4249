/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the broker keeps of its peers: it comes back as it was, and nothing in the file can hurt.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "broker/clockwatch.h"
#include "broker/resume.h"
#include "protocol/log.h"

#define KEY "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/punchguard-resume-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    char path[128];

    (void)state;
    snprintf(path, sizeof path, "%s/" RESUME_FILE, folder);
    unlink(path);
    return rmdir(folder);
}

static void write_text(const char *text)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof path, "%s/" RESUME_FILE, folder);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void fill(struct resume *peer, unsigned number, size_t pairs)
{
    memset(peer, 0, sizeof *peer);
    snprintf(peer->id, sizeof peer->id, "PG1PEER%u", number);
    snprintf(peer->memory.wg_public_key, sizeof peer->memory.wg_public_key, KEY);
    peer->memory.pair_count = pairs;
    for (size_t i = 0; i < pairs; i++) {
        endpoint_set(&peer->memory.pairs[i].base, "192.0.2.1", (uint16_t)(number * 100 + i));
        endpoint_set(&peer->memory.pairs[i].remote, "2001:db8::1", (uint16_t)(i + 1));
    }
}

static void what_is_written_is_read_in_the_same_order(void **state)
{
    struct resume out[3], in[3];
    struct error err;

    (void)state;
    fill(&out[0], 1, SESSION_PAIRS);
    fill(&out[1], 2, 0);
    fill(&out[2], 3, 1);
    assert_int_equal(resume_write(folder, out, 3, &err), 0);
    for (int i = 0; i < 3; i++) {
        memset(&in[i], 0, sizeof in[i]);
        memcpy(in[i].id, out[i].id, sizeof in[i].id);
    }
    resume_read(folder, in, 3);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(in[i].memory.wg_public_key, KEY);
        assert_int_equal(in[i].memory.pair_count, out[i].memory.pair_count);
        for (size_t p = 0; p < in[i].memory.pair_count; p++) {
            assert_true(endpoint_equal(&in[i].memory.pairs[p].base, &out[i].memory.pairs[p].base));
            assert_true(
                endpoint_equal(&in[i].memory.pairs[p].remote, &out[i].memory.pairs[p].remote));
        }
    }
}

static void the_file_is_closed_to_others(void **state)
{
    struct resume out;
    struct error err;
    struct stat about;
    char path[128];

    (void)state;
    fill(&out, 1, 1);
    assert_int_equal(resume_write(folder, &out, 1, &err), 0);
    snprintf(path, sizeof path, "%s/" RESUME_FILE, folder);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
}

static void peers_that_are_not_configured_and_bad_lines_are_passed_over(void **state)
{
    struct resume in;

    (void)state;
    write_text("rubbish\n"
               "{\"type\":\"resume\"}\n"
               "{\"type\":\"resume\",\"id\":\"PG1OTHER\",\"wg_public_key\":\"" KEY "\"}\n"
               "{\"type\":\"resume\",\"id\":\"PG1PEER1\",\"wg_public_key\":\"short\"}\n"
               "{\"type\":\"resume\",\"id\":\"PG1PEER1\",\"wg_public_key\":\"" KEY
               "\",\"base\":{\"address\":\"host.example\",\"port\":1}}\n"
               "{\"type\":\"resume\",\"id\":\"PG1PEER1\",\"wg_public_key\":\"" KEY "\"}\n"
               "{\"type\":\"resume\",\"id\":\"PG1PE");
    memset(&in, 0, sizeof in);
    snprintf(in.id, sizeof in.id, "PG1PEER1");
    resume_read(folder, &in, 1);
    assert_string_equal(in.memory.wg_public_key, KEY);
    assert_int_equal(in.memory.pair_count, 0);
}

static void more_pairs_than_are_kept_do_no_harm(void **state)
{
    struct resume in;
    char text[8192];
    size_t used = 0;

    (void)state;
    for (int i = 0; i < 20; i++)
        used += (size_t)snprintf(text + used, sizeof text - used,
                                 "{\"type\":\"resume\",\"id\":\"PG1PEER1\",\"wg_public_key\":\"" KEY
                                 "\",\"base\":{\"address\":\"192.0.2.1\",\"port\":%d},"
                                 "\"remote\":{\"address\":\"192.0.2.2\",\"port\":%d}}\n",
                                 i + 1, i + 1);
    write_text(text);
    memset(&in, 0, sizeof in);
    snprintf(in.id, sizeof in.id, "PG1PEER1");
    resume_read(folder, &in, 1);
    assert_int_equal(in.memory.pair_count, SESSION_PAIRS);
    assert_int_equal(in.memory.pairs[0].base.port, 1);
}

static void no_file_is_no_memory(void **state)
{
    struct resume in;

    (void)state;
    memset(&in, 0, sizeof in);
    snprintf(in.id, sizeof in.id, "PG1PEER1");
    resume_read(folder, &in, 1);
    resume_read("/nonexistent/folder", &in, 1);
    assert_string_equal(in.memory.wg_public_key, "");
}

static void a_folder_that_can_not_be_written_is_an_error(void **state)
{
    struct resume out;
    struct error err;

    (void)state;
    fill(&out, 1, 1);
    assert_true(resume_write("/proc/nothing", &out, 1, &err) < 0);
    assert_non_null(strstr(err.message, "/proc/nothing"));
}

static void sleep_is_told_from_a_busy_machine(void **state)
{
    struct clockwatch watch = {0};
    struct clockwatch_found found;

    (void)state;
    found = clockwatch_look(&watch, 100000, 40000, 1700000000000);
    assert_false(found.slept || found.set_back);
    found = clockwatch_look(&watch, 190000, 130000, 1700000090000);
    assert_false(found.slept || found.set_back);
    found = clockwatch_look(&watch, 192000 + 600000, 132000, 1700000092000 + 600000);
    assert_true(found.slept);
    assert_false(found.set_back);
    found = clockwatch_look(&watch, 194000 + 600000, 134000, 1700000094000 + 600000);
    assert_false(found.slept || found.set_back);
}

static void a_wall_clock_set_back_is_told_and_one_set_forward_is_not(void **state)
{
    struct clockwatch watch = {0};
    struct clockwatch_found found;

    (void)state;
    clockwatch_look(&watch, 1000, 1000, 1700000000000);
    found = clockwatch_look(&watch, 3000, 3000, 1700000002000 + 3600000);
    assert_false(found.set_back || found.slept);
    found = clockwatch_look(&watch, 5000, 5000, 1700000004000);
    assert_true(found.set_back);
    found = clockwatch_look(&watch, 7000, 7000, 1700000005990);
    assert_false(found.set_back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_written_is_read_in_the_same_order, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(the_file_is_closed_to_others, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(peers_that_are_not_configured_and_bad_lines_are_passed_over,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(more_pairs_than_are_kept_do_no_harm, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(no_file_is_no_memory, make_folder, remove_folder),
        cmocka_unit_test(a_folder_that_can_not_be_written_is_an_error),
        cmocka_unit_test(sleep_is_told_from_a_busy_machine),
        cmocka_unit_test(a_wall_clock_set_back_is_told_and_one_set_forward_is_not),
    };

    if (sodium_init() < 0)
        return 1;
    log_open("test_resume", false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
