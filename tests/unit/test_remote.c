/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ice-agent/remote.h"

#define PWD "0123456789012345678901"

static int set_up(void **state)
{
    static struct remote remote;

    remote_init(&remote, NULL, 0);
    *state = &remote;
    return 0;
}

/* Different for each `n`. */
static const char *candidate_text(unsigned n)
{
    static char text[128];

    snprintf(text, sizeof text, "candidate:1 1 UDP 5 203.0.113.7 %u typ host", 1000 + n);
    return text;
}

static int add(struct remote *remote, const char *ufrag, unsigned n, struct error *err)
{
    struct candidate candidate;

    return remote_add(remote, ufrag, candidate_text(n), &candidate, err);
}

static unsigned take_all(struct remote *remote)
{
    struct candidate candidate;
    struct error err;
    unsigned count = 0;
    int rc;

    while ((rc = remote_take_waiting(remote, &candidate, &err)) != 0)
        count += rc > 0;
    return count;
}

static void a_description_is_new_once(void **state)
{
    struct remote *remote = *state;

    assert_int_equal(remote_describe(remote, "ufr1", PWD, NULL), 1);
    assert_int_equal(remote_describe(remote, "ufr1", PWD, NULL), 0);
    assert_int_equal(remote_describe(remote, "ufr2", PWD, NULL), 1);
}

static void another_password_needs_another_ufrag(void **state)
{
    struct remote *remote = *state;
    struct error err;

    assert_int_equal(remote_describe(remote, "ufr1", PWD, NULL), 1);
    assert_int_equal(remote_describe(remote, "ufr1", PWD "x", &err), -EINVAL);
    assert_non_null(strstr(err.message, "ufrag"));
    assert_string_equal(remote->pwd, PWD);
}

static void the_description_before_is_no_restart_when_it_comes_late(void **state)
{
    struct remote *remote = *state;

    assert_int_equal(remote_describe(remote, "ufr1", PWD, NULL), 1);
    assert_int_equal(remote_describe(remote, "ufr2", PWD, NULL), 1);
    assert_int_equal(remote_describe(remote, "ufr1", PWD, NULL), 0);
    assert_string_equal(remote->ufrag, "ufr2");
}

static void looking_at_a_description_changes_nothing(void **state)
{
    struct remote *remote = *state;

    assert_int_equal(remote_look(remote, "ufr1", PWD, NULL), 1);
    assert_int_equal(remote_look(remote, "ufr1", "short", NULL), -EINVAL);
    assert_string_equal(remote->ufrag, "");
    assert_int_equal(remote_describe(remote, "ufr1", PWD, NULL), 1);
    assert_int_equal(remote_look(remote, "ufr1", PWD, NULL), 0);
}

static void a_bad_description_changes_nothing(void **state)
{
    static const struct {
        const char *ufrag, *pwd, *field;
    } bad[] = {{"abc", PWD, "'ufrag'"},
               {"ab cd", PWD, "'ufrag'"},
               {"", PWD, "'ufrag'"},
               {"abcd", "012345678901234567890", "'pwd'"},
               {"abcd", "0123456789012345678901\n", "'pwd'"}};
    struct remote *remote = *state;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct error err;

        assert_int_equal(remote_describe(remote, bad[i].ufrag, bad[i].pwd, &err), -EINVAL);
        assert_non_null(strstr(err.message, bad[i].field));
        assert_string_equal(remote->ufrag, "");
    }
}

static void a_description_takes_20_candidates(void **state)
{
    struct remote *remote = *state;
    struct error err;

    assert_int_equal(remote_describe(remote, "ufr1", PWD, NULL), 1);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(add(remote, "ufr1", i, &err), 1);
    assert_int_equal(add(remote, "ufr1", 20, &err), -EINVAL);
    assert_string_equal(err.code, "too-many-candidates");
    assert_int_equal(add(remote, "ufr1", 7, &err), 0);
    assert_int_equal(remote_describe(remote, "ufr2", PWD, NULL), 1);
    assert_int_equal(add(remote, "ufr2", 20, &err), 1);
}

static void a_refused_candidate_takes_no_place(void **state)
{
    struct remote *remote = *state;
    struct candidate candidate;

    assert_int_equal(remote_describe(remote, "ufr1", PWD, NULL), 1);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(remote_add(remote, "ufr1", "candidate:1 1 UDP 5 127.0.0.1 9 typ host",
                                    &candidate, NULL),
                         -EINVAL);
    assert_int_equal(remote->count, 0);
}

static void a_double_has_no_effect(void **state)
{
    struct remote *remote = *state;

    assert_int_equal(remote_describe(remote, "ufr1", PWD, NULL), 1);
    assert_int_equal(add(remote, "ufr1", 1, NULL), 1);
    assert_int_equal(add(remote, "ufr1", 1, NULL), 0);
    assert_int_equal(remote->count, 1);
}

static void candidates_may_come_before_their_description(void **state)
{
    struct remote *remote = *state;

    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(add(remote, "ufr1", i, NULL), 0);
    assert_int_equal(add(remote, "ufr1", 1, NULL), 0);
    assert_int_equal(add(remote, "else", 9, NULL), 0);
    assert_int_equal(take_all(remote), 0);
    assert_int_equal(remote_describe(remote, "ufr1", PWD, NULL), 1);
    assert_int_equal(take_all(remote), 3);
    assert_int_equal(take_all(remote), 0);
}

static void what_waits_is_checked_like_all_else(void **state)
{
    struct remote *remote = *state;
    struct candidate candidate;
    struct error err;

    assert_int_equal(
        remote_add(remote, "ufr1", "candidate:1 1 UDP 5 127.0.0.1 9 typ host", &candidate, NULL),
        0);
    assert_int_equal(add(remote, "ufr1", 0, NULL), 0);
    assert_int_equal(remote_describe(remote, "ufr1", PWD, NULL), 1);
    assert_int_equal(remote_take_waiting(remote, &candidate, &err), -EINVAL);
    assert_string_equal(err.code, "refused-candidate");
    assert_int_equal(remote_take_waiting(remote, &candidate, &err), 1);
    assert_int_equal(remote_take_waiting(remote, &candidate, &err), 0);
}

static void of_those_that_wait_the_oldest_gives_way(void **state)
{
    struct remote *remote = *state;

    assert_int_equal(add(remote, "old1", 0, NULL), 0);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(add(remote, "new1", i, NULL), 0);
    assert_int_equal(remote->waiting_count, 20);
    assert_int_equal(remote_describe(remote, "old1", PWD, NULL), 1);
    assert_int_equal(take_all(remote), 0);
    assert_int_equal(remote_describe(remote, "new1", PWD, NULL), 1);
    assert_int_equal(take_all(remote), 20);
}

static void a_candidate_of_more_than_512_bytes_does_not_wait(void **state)
{
    struct remote *remote = *state;
    struct candidate candidate;
    char text[514];

    snprintf(text, sizeof text, "candidate:1 1 UDP 5 203.0.113.7 9 typ host %0470d", 1);
    assert_int_equal(strlen(text), 513);
    assert_int_equal(remote_add(remote, "ufr1", text, &candidate, NULL), -EINVAL);
    text[512] = '\0';
    assert_int_equal(remote_add(remote, "ufr1", text, &candidate, NULL), 0);
    assert_int_equal(remote->waiting_count, 1);
}

static void a_candidate_of_another_ufrag_is_not_used(void **state)
{
    struct remote *remote = *state;

    assert_int_equal(remote_describe(remote, "ufr1", PWD, NULL), 1);
    assert_int_equal(add(remote, "ufr0", 0, NULL), 0);
    assert_int_equal(remote->count, 0);
    assert_int_equal(take_all(remote), 0);
}

static void done_counts_for_its_own_description_only(void **state)
{
    struct remote *remote = *state;

    remote_done(remote, "");
    assert_false(remote_is_done(remote));
    remote_done(remote, "ufr1");
    assert_false(remote_is_done(remote));
    assert_int_equal(remote_describe(remote, "ufr1", PWD, NULL), 1);
    assert_true(remote_is_done(remote));
    assert_int_equal(remote_describe(remote, "ufr2", PWD, NULL), 1);
    assert_false(remote_is_done(remote));
}

static void clearing_wipes_the_password(void **state)
{
    static const struct remote empty;
    struct remote *remote = *state;

    assert_int_equal(remote_describe(remote, "ufr1", PWD, NULL), 1);
    remote_clear(remote);
    assert_memory_equal(remote, &empty, sizeof empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_description_is_new_once, set_up),
        cmocka_unit_test_setup(another_password_needs_another_ufrag, set_up),
        cmocka_unit_test_setup(the_description_before_is_no_restart_when_it_comes_late, set_up),
        cmocka_unit_test_setup(looking_at_a_description_changes_nothing, set_up),
        cmocka_unit_test_setup(a_bad_description_changes_nothing, set_up),
        cmocka_unit_test_setup(a_description_takes_20_candidates, set_up),
        cmocka_unit_test_setup(a_refused_candidate_takes_no_place, set_up),
        cmocka_unit_test_setup(a_double_has_no_effect, set_up),
        cmocka_unit_test_setup(candidates_may_come_before_their_description, set_up),
        cmocka_unit_test_setup(what_waits_is_checked_like_all_else, set_up),
        cmocka_unit_test_setup(of_those_that_wait_the_oldest_gives_way, set_up),
        cmocka_unit_test_setup(a_candidate_of_more_than_512_bytes_does_not_wait, set_up),
        cmocka_unit_test_setup(a_candidate_of_another_ufrag_is_not_used, set_up),
        cmocka_unit_test_setup(done_counts_for_its_own_description_only, set_up),
        cmocka_unit_test_setup(clearing_wipes_the_password, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
