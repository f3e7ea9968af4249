/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "signal-tox/sockets.h"

/* Two ends of a connection over loopback; the far one is kept out of the way, as if another process
 * had it. */
struct connection {
    int near, far, epoll;
};

static struct connection connection_new(int type)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    struct connection c = {.epoll = sockets_open()};
    int listener = socket(AF_INET, type | SOCK_CLOEXEC, 0);

    assert_true(c.epoll >= 0 && listener >= 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, length), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    if (type == SOCK_STREAM)
        assert_int_equal(listen(listener, 1), 0);
    c.near = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(c.near, (struct sockaddr *)&address, length), 0);
    c.far = type == SOCK_STREAM ? accept(listener, NULL, NULL) : dup(listener);
    assert_true(c.far >= 0);
    close(listener);
    return c;
}

static void connection_close(struct connection *c)
{
    close(c->near);
    close(c->far);
    close(c->epoll);
}

static bool readable(int fd, int ms)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};

    return poll(&ready, 1, ms) == 1;
}

static void closing_a_found_connection_resets_it(void **state)
{
    struct connection c = connection_new(SOCK_STREAM);
    char byte;

    (void)state;
    sockets_find(c.epoll);
    close(c.near);
    assert_int_equal(read(c.far, &byte, 1), -1);
    assert_int_equal(errno, ECONNRESET);
    close(c.far);
    close(c.epoll);
}

static void one_arrival_wakes_once(void **state)
{
    struct connection c = connection_new(SOCK_STREAM);

    (void)state;
    sockets_find(c.epoll);
    sockets_arrived(c.epoll);
    assert_false(readable(c.epoll, 0));
    assert_int_equal(write(c.far, "ab", 2), 2);
    assert_true(readable(c.epoll, 1000));
    assert_true(sockets_arrived(c.epoll));
    /* Unread still, as toxcore leaves half a packet. */
    assert_false(readable(c.epoll, 0));
    sockets_find(c.epoll);
    assert_false(readable(c.epoll, 0));
    assert_int_equal(write(c.far, "c", 1), 1);
    assert_true(readable(c.epoll, 1000));
    connection_close(&c);
}

static void datagrams_wake_too_and_pipes_do_not(void **state)
{
    struct connection c = connection_new(SOCK_DGRAM);
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    sockets_find(c.epoll);
    sockets_arrived(c.epoll);
    assert_false(sockets_arrived(c.epoll));
    assert_int_equal(write(c.near, "x", 1), 1);
    assert_true(readable(c.epoll, 1000));
    close(ends[0]);
    close(ends[1]);
    connection_close(&c);
}

/* More arrivals than are taken at a time. */
static void any_number_of_arrivals_is_taken_at_once(void **state)
{
    enum { COUNT = 40 };
    struct connection all[COUNT];
    int epoll = sockets_open();

    (void)state;
    for (int i = 0; i < COUNT; i++)
        all[i] = connection_new(SOCK_DGRAM);
    sockets_find(epoll);
    sockets_arrived(epoll);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(write(all[i].near, "x", 1), 1);
    assert_true(sockets_arrived(epoll));
    assert_false(readable(epoll, 0));
    for (int i = 0; i < COUNT; i++)
        connection_close(&all[i]);
    close(epoll);
}

/* Loopback acknowledges at once, unless the far end takes no more. */
static void unacknowledged_bytes_are_seen(void **state)
{
    struct connection c = connection_new(SOCK_STREAM);
    static char bytes[65536];

    (void)state;
    assert_true(sockets_flushed());
    while (send(c.near, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        continue;
    assert_false(sockets_flushed());
    connection_close(&c);
    assert_true(sockets_flushed());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closing_a_found_connection_resets_it),
        cmocka_unit_test(one_arrival_wakes_once),
        cmocka_unit_test(datagrams_wake_too_and_pipes_do_not),
        cmocka_unit_test(any_number_of_arrivals_is_taken_at_once),
        cmocka_unit_test(unacknowledged_bytes_are_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
