/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "protocol/outbox.h"

static uint32_t random_state = 1;

static uint32_t random_below(uint32_t bound)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state % bound;
}

static void bytes_come_out_as_they_went_in(void **state)
{
    struct outbox box = {0};
    unsigned char next_in = 0, next_out = 0, data[9000];
    int ends[2];

    (void)state;
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    for (int step = 0; step < 3000; step++) {
        size_t length = random_below(200) == 0 ? 9000 : random_below(300);
        ssize_t n = 0;

        for (size_t i = 0; i < length; i++)
            data[i] = next_in++;
        assert_int_equal(outbox_put(&box, data, length), 0);
        assert_int_equal(outbox_flush(&box, ends[1]), 0);
        if (random_below(4) == 0 || !outbox_empty(&box))
            n = read(ends[0], data, 1 + random_below(9000));
        for (ssize_t i = 0; i < n; i++)
            assert_int_equal(data[i], next_out++);
    }
    close(ends[0]);
    close(ends[1]);
    outbox_free(&box);
}

static void a_full_pipe_does_not_block(void **state)
{
    static const char data[70000];
    struct outbox box = {0};
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(outbox_put(&box, data, sizeof data), 0);
    assert_int_equal(outbox_put(&box, data, sizeof data), 0);
    assert_int_equal(outbox_flush(&box, ends[1]), 0);
    assert_int_equal(outbox_flush(&box, ends[1]), 0);
    assert_false(outbox_empty(&box));
    close(ends[0]);
    close(ends[1]);
    outbox_free(&box);
}

static void a_full_socket_does_not_block(void **state)
{
    static const char data[1000000];
    struct outbox box = {0};
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_int_equal(outbox_put(&box, data, sizeof data), 0);
    assert_int_equal(outbox_flush(&box, ends[1]), 0);
    assert_false(outbox_empty(&box));
    close(ends[0]);
    close(ends[1]);
    outbox_free(&box);
}

static void above_the_cap_nothing_of_a_line_is_taken(void **state)
{
    static const char data[1000];
    struct outbox box = {0};
    size_t taken = 0;

    (void)state;
    while (outbox_put(&box, data, sizeof data) == 0)
        taken += sizeof data;
    assert_int_equal(taken, OUTBOX_MAX_BYTES / 1000 * 1000);
    assert_int_equal(outbox_put(&box, data, sizeof data), -ENOBUFS);
    assert_int_equal(box.end - box.begin, taken);
    assert_int_equal(outbox_put(&box, data, SIZE_MAX), -ENOBUFS);
    assert_int_equal(outbox_put(&box, data, OUTBOX_MAX_BYTES - taken), 0);
    assert_int_equal(outbox_put(&box, data, 1), -ENOBUFS);
    assert_true(box.size <= OUTBOX_MAX_BYTES);
    outbox_free(&box);
}

static void it_says_when_it_is_time_to_pause(void **state)
{
    static char data[OUTBOX_HIGH_BYTES];
    struct outbox box = {0};

    (void)state;
    assert_int_equal(outbox_put(&box, data, sizeof data), 0);
    assert_false(outbox_high(&box));
    assert_int_equal(outbox_put(&box, data, 1), 0);
    assert_true(outbox_high(&box));
    outbox_free(&box);
}

static void the_memory_of_a_burst_is_given_back(void **state)
{
    static const char data[30000];
    struct outbox box = {0};
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(outbox_put(&box, data, sizeof data), 0);
    assert_int_equal(outbox_flush(&box, ends[1]), 0);
    assert_true(outbox_empty(&box));
    assert_int_equal(box.size, 0);
    close(ends[0]);
    close(ends[1]);
    outbox_free(&box);
}

static void nobody_reading_is_an_error(void **state)
{
    struct outbox box = {0};
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    assert_int_equal(outbox_put(&box, "x", 1), 0);
    assert_int_equal(outbox_flush(&box, ends[1]), -EPIPE);
    close(ends[1]);
    outbox_free(&box);
}

static void nothing_is_no_trouble(void **state)
{
    struct outbox box = {0};

    (void)state;
    assert_true(outbox_empty(&box));
    assert_int_equal(outbox_put(&box, "", 0), 0);
    assert_true(outbox_empty(&box));
    assert_int_equal(outbox_flush(&box, -1), 0);
    outbox_free(&box);
    outbox_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_out_as_they_went_in),
        cmocka_unit_test(a_full_pipe_does_not_block),
        cmocka_unit_test(a_full_socket_does_not_block),
        cmocka_unit_test(above_the_cap_nothing_of_a_line_is_taken),
        cmocka_unit_test(it_says_when_it_is_time_to_pause),
        cmocka_unit_test(the_memory_of_a_burst_is_given_back),
        cmocka_unit_test(nobody_reading_is_an_error),
        cmocka_unit_test(nothing_is_no_trouble),
    };

    signal(SIGPIPE, SIG_IGN);
    alarm(20);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
