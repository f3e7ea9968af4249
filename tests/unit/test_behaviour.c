/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "ice-agent/behaviour.h"

/* Two addresses with two ports each, as a server of RFC 5780 has, and a third address. */
#define ONE_PORT                                                                                   \
    {                                                                                              \
        .address = "203.0.113.11", .port = 3478                                                    \
    }
#define ONE_OTHER                                                                                  \
    {                                                                                              \
        .address = "203.0.113.11", .port = 3479                                                    \
    }
#define TWO_PORT                                                                                   \
    {                                                                                              \
        .address = "203.0.113.13", .port = 3478                                                    \
    }
#define TWO_OTHER                                                                                  \
    {                                                                                              \
        .address = "203.0.113.13", .port = 3479                                                    \
    }
#define THREE_PORT                                                                                 \
    {                                                                                              \
        .address = "203.0.113.12", .port = 3478                                                    \
    }
/* How they see us. */
#define MAPPED_A                                                                                   \
    {                                                                                              \
        .address = "203.0.113.101", .port = 40001                                                  \
    }
#define MAPPED_B                                                                                   \
    {                                                                                              \
        .address = "203.0.113.101", .port = 40002                                                  \
    }
#define MAPPED_C                                                                                   \
    {                                                                                              \
        .address = "203.0.113.101", .port = 40003                                                  \
    }
#define MAPPED_D                                                                                   \
    {                                                                                              \
        .address = "203.0.113.102", .port = 40001                                                  \
    }

static const struct endpoint local = {.address = "192.168.1.10", .port = 40001};

static void assert_mapping(const struct behaviour_view *views, size_t count, enum behaviour right)
{
    assert_string_equal(behaviour_name(behaviour_mapping(&local, views, count)),
                        behaviour_name(right));
}

#define ASSERT_MAPPING(right, ...)                                                                 \
    do {                                                                                           \
        const struct behaviour_view views[] = {__VA_ARGS__};                                       \
        assert_mapping(views, sizeof views / sizeof views[0], right);                              \
    } while (0)

static void servers_at_two_addresses_that_see_the_same_show_an_independent_mapping(void **state)
{
    (void)state;
    ASSERT_MAPPING(BEHAVIOUR_ENDPOINT_INDEPENDENT, {ONE_PORT, MAPPED_A}, {THREE_PORT, MAPPED_A});
    ASSERT_MAPPING(BEHAVIOUR_ENDPOINT_INDEPENDENT, {ONE_PORT, MAPPED_A}, {ONE_OTHER, MAPPED_A},
                   {TWO_PORT, MAPPED_A}, {TWO_OTHER, MAPPED_A});
}

static void a_server_s_two_ports_tell_by_what_a_mapping_depends(void **state)
{
    (void)state;
    ASSERT_MAPPING(BEHAVIOUR_ADDRESS_DEPENDENT, {ONE_PORT, MAPPED_A}, {ONE_OTHER, MAPPED_A},
                   {TWO_PORT, MAPPED_B}, {TWO_OTHER, MAPPED_B});
    ASSERT_MAPPING(BEHAVIOUR_ADDRESS_DEPENDENT, {TWO_PORT, MAPPED_B}, {ONE_PORT, MAPPED_A},
                   {ONE_OTHER, MAPPED_A});
    ASSERT_MAPPING(BEHAVIOUR_ADDRESS_AND_PORT_DEPENDENT, {ONE_PORT, MAPPED_A},
                   {ONE_OTHER, MAPPED_B}, {TWO_PORT, MAPPED_C});
    /* As when the port is taken towards one server alone. */
    ASSERT_MAPPING(BEHAVIOUR_ADDRESS_AND_PORT_DEPENDENT, {ONE_PORT, MAPPED_B},
                   {ONE_OTHER, MAPPED_A}, {TWO_PORT, MAPPED_A}, {THREE_PORT, MAPPED_A});
}

static void without_two_ports_of_an_address_a_mapping_depends_on_the_endpoint_somehow(void **state)
{
    (void)state;
    ASSERT_MAPPING(BEHAVIOUR_ENDPOINT_DEPENDENT, {ONE_PORT, MAPPED_A}, {THREE_PORT, MAPPED_B});
    /* A pool of public addresses from which each destination gets any. */
    ASSERT_MAPPING(BEHAVIOUR_ENDPOINT_DEPENDENT, {ONE_PORT, MAPPED_A}, {THREE_PORT, MAPPED_D});
}

static void one_address_does_not_tell_a_mapping(void **state)
{
    (void)state;
    assert_mapping(NULL, 0, BEHAVIOUR_UNKNOWN);
    ASSERT_MAPPING(BEHAVIOUR_UNKNOWN, {ONE_PORT, MAPPED_A});
    ASSERT_MAPPING(BEHAVIOUR_UNKNOWN, {ONE_PORT, MAPPED_A}, {ONE_OTHER, MAPPED_A});
    ASSERT_MAPPING(BEHAVIOUR_UNKNOWN, {ONE_PORT, MAPPED_A}, {ONE_PORT, MAPPED_B});
    ASSERT_MAPPING(BEHAVIOUR_ADDRESS_AND_PORT_DEPENDENT, {ONE_PORT, MAPPED_A},
                   {ONE_OTHER, MAPPED_B});
}

static void without_a_nat_one_answer_is_enough(void **state)
{
    (void)state;
    ASSERT_MAPPING(BEHAVIOUR_ENDPOINT_INDEPENDENT,
                   {ONE_PORT, {.address = "192.168.1.10", .port = 40001}});
    ASSERT_MAPPING(BEHAVIOUR_UNKNOWN, {ONE_PORT, {.address = "192.168.1.10", .port = 40002}});
}

#define ANSWERED                                                                                   \
    {                                                                                              \
        .unasked = BEHAVIOUR_ANSWERED, .proven = true, .alive = true                               \
    }
#define FILTERED                                                                                   \
    {                                                                                              \
        .unasked = BEHAVIOUR_NO_ANSWER, .proven = true, .alive = true                              \
    }
#define ALIVE                                                                                      \
    {                                                                                              \
        .unasked = BEHAVIOUR_NO_ANSWER, .proven = false, .alive = true                             \
    }
#define DEAD                                                                                       \
    {                                                                                              \
        .unasked = BEHAVIOUR_NO_ANSWER, .proven = false, .alive = false                            \
    }
#define NOT_ASKED                                                                                  \
    {                                                                                              \
        .unasked = BEHAVIOUR_NOT_ASKED, .proven = false, .alive = true                             \
    }

static void assert_filtering(enum behaviour mapping, struct behaviour_trial trial,
                             enum behaviour right)
{
    assert_string_equal(behaviour_name(behaviour_filtering(mapping, &trial, 1)),
                        behaviour_name(right));
}

static void what_comes_in_unasked_tells_the_filter(void **state)
{
    (void)state;
    assert_filtering(BEHAVIOUR_ENDPOINT_INDEPENDENT, (struct behaviour_trial){ANSWERED, ANSWERED},
                     BEHAVIOUR_ENDPOINT_INDEPENDENT);
    assert_filtering(BEHAVIOUR_ENDPOINT_INDEPENDENT, (struct behaviour_trial){ANSWERED, DEAD},
                     BEHAVIOUR_ENDPOINT_INDEPENDENT);
    assert_filtering(BEHAVIOUR_ENDPOINT_INDEPENDENT, (struct behaviour_trial){FILTERED, ANSWERED},
                     BEHAVIOUR_ADDRESS_DEPENDENT);
    assert_filtering(BEHAVIOUR_ENDPOINT_INDEPENDENT, (struct behaviour_trial){FILTERED, FILTERED},
                     BEHAVIOUR_ADDRESS_AND_PORT_DEPENDENT);
}

/* Else a server that does not do what it announces would look like a filter. */
static void silence_counts_only_where_the_server_can_be_heard(void **state)
{
    (void)state;
    assert_filtering(BEHAVIOUR_ENDPOINT_INDEPENDENT, (struct behaviour_trial){DEAD, DEAD},
                     BEHAVIOUR_UNKNOWN);
    assert_filtering(BEHAVIOUR_ENDPOINT_INDEPENDENT, (struct behaviour_trial){ALIVE, ALIVE},
                     BEHAVIOUR_UNKNOWN);
    assert_filtering(BEHAVIOUR_ENDPOINT_INDEPENDENT, (struct behaviour_trial){ALIVE, ANSWERED},
                     BEHAVIOUR_UNKNOWN);
    assert_filtering(BEHAVIOUR_ENDPOINT_INDEPENDENT, (struct behaviour_trial){FILTERED, ALIVE},
                     BEHAVIOUR_UNKNOWN);
    assert_filtering(BEHAVIOUR_ENDPOINT_INDEPENDENT, (struct behaviour_trial){NOT_ASKED, NOT_ASKED},
                     BEHAVIOUR_UNKNOWN);
    assert_filtering(BEHAVIOUR_UNKNOWN, (struct behaviour_trial){ALIVE, ALIVE}, BEHAVIOUR_UNKNOWN);
}

static void behind_a_symmetric_nat_it_is_enough_that_the_server_lives(void **state)
{
    (void)state;
    for (int mapping = BEHAVIOUR_ADDRESS_DEPENDENT; mapping <= BEHAVIOUR_ENDPOINT_DEPENDENT;
         mapping++) {
        assert_filtering(mapping, (struct behaviour_trial){ALIVE, ALIVE},
                         BEHAVIOUR_ADDRESS_AND_PORT_DEPENDENT);
        assert_filtering(mapping, (struct behaviour_trial){ALIVE, ANSWERED},
                         BEHAVIOUR_ADDRESS_DEPENDENT);
        assert_filtering(mapping, (struct behaviour_trial){DEAD, ALIVE}, BEHAVIOUR_UNKNOWN);
        assert_filtering(mapping, (struct behaviour_trial){ALIVE, DEAD}, BEHAVIOUR_UNKNOWN);
    }
}

static void of_several_servers_the_one_that_was_let_in_counts(void **state)
{
    static const struct behaviour_trial trials[] = {
        {NOT_ASKED, NOT_ASKED}, {FILTERED, FILTERED}, {FILTERED, ANSWERED}, {ANSWERED, ANSWERED}};

    (void)state;
    assert_int_equal(behaviour_filtering(BEHAVIOUR_ENDPOINT_INDEPENDENT, trials, 0),
                     BEHAVIOUR_UNKNOWN);
    assert_int_equal(behaviour_filtering(BEHAVIOUR_ENDPOINT_INDEPENDENT, trials, 2),
                     BEHAVIOUR_ADDRESS_AND_PORT_DEPENDENT);
    assert_int_equal(behaviour_filtering(BEHAVIOUR_ENDPOINT_INDEPENDENT, trials, 3),
                     BEHAVIOUR_ADDRESS_DEPENDENT);
    assert_int_equal(behaviour_filtering(BEHAVIOUR_ENDPOINT_INDEPENDENT, trials, 4),
                     BEHAVIOUR_ENDPOINT_INDEPENDENT);
}

static void mapping_and_filtering_tell_with_whom_punching_works(void **state)
{
    enum { U, I, A, P, E }; /* in the order of enum behaviour */
    static const char *const right[5][5] = {
        [U] = {"unknown", "unknown", "unknown", "unknown", "unknown"},
        [I] = {"all-but-symmetric", "all", "all", "all-but-symmetric", "all-but-symmetric"},
        [A] = {"only-open", "only-open", "only-open", "only-open", "only-open"},
        [P] = {"only-open", "only-open", "only-open", "only-open", "only-open"},
        [E] = {"only-open", "only-open", "only-open", "only-open", "only-open"},
    };

    (void)state;
    for (int mapping = 0; mapping < 5; mapping++)
        for (int filtering = 0; filtering < 5; filtering++)
            assert_string_equal(behaviour_punch_name(behaviour_punch(mapping, filtering)),
                                right[mapping][filtering]);
}

static void each_outcome_has_a_word_and_a_sentence_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i <= BEHAVIOUR_PUNCH_ALL; i++)
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(behaviour_punch_name(i), behaviour_punch_name(j));
            assert_string_not_equal(behaviour_punch_sentence(i), behaviour_punch_sentence(j));
        }
    assert_non_null(strstr(behaviour_punch_sentence(BEHAVIOUR_PUNCH_NOBODY), "forwarded"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(servers_at_two_addresses_that_see_the_same_show_an_independent_mapping),
        cmocka_unit_test(a_server_s_two_ports_tell_by_what_a_mapping_depends),
        cmocka_unit_test(without_two_ports_of_an_address_a_mapping_depends_on_the_endpoint_somehow),
        cmocka_unit_test(one_address_does_not_tell_a_mapping),
        cmocka_unit_test(without_a_nat_one_answer_is_enough),
        cmocka_unit_test(what_comes_in_unasked_tells_the_filter),
        cmocka_unit_test(silence_counts_only_where_the_server_can_be_heard),
        cmocka_unit_test(behind_a_symmetric_nat_it_is_enough_that_the_server_lives),
        cmocka_unit_test(of_several_servers_the_one_that_was_let_in_counts),
        cmocka_unit_test(mapping_and_filtering_tell_with_whom_punching_works),
        cmocka_unit_test(each_outcome_has_a_word_and_a_sentence_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
