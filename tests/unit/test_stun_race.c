/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Races between STUN servers that are sockets of this very test; the time is the test's own.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ice-agent/stun.h"
#include "ice-agent/stun_race.h"

#define START 5000000
/* sendto() refuses it at once, as it does where there is no route. */
#define UNREACHABLE "255.255.255.255:9"

struct server {
    int fd;
    struct endpoint at;
    char text[ENDPOINT_TEXT_SIZE];
    uint8_t request[STUN_HEADER_BYTES];
    struct sockaddr_storage client;
    socklen_t client_length;
};

static int server_open(struct server *server, const char *address)
{
    struct sockaddr_storage at;
    socklen_t length = sizeof at;

    assert_int_equal(endpoint_set(&server->at, address, 0), 0);
    endpoint_to_sockaddr(&server->at, &at);
    server->fd = socket(at.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (bind(server->fd, (struct sockaddr *)&at, length) < 0) {
        close(server->fd);
        return -errno;
    }
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&at, &length), 0);
    endpoint_from_sockaddr(&server->at, (struct sockaddr *)&at);
    endpoint_format(&server->at, server->text);
    return 0;
}

/* A request came, or comes within a second. */
static void server_take(struct server *server)
{
    struct pollfd ready = {.fd = server->fd, .events = POLLIN};

    assert_int_equal(poll(&ready, 1, 1000), 1);
    server->client_length = sizeof server->client;
    assert_int_equal(recvfrom(server->fd, server->request, sizeof server->request, 0,
                              (struct sockaddr *)&server->client, &server->client_length),
                     STUN_HEADER_BYTES);
}

static unsigned server_count(struct server *server)
{
    unsigned count = 0;

    while (recv(server->fd, server->request, sizeof server->request, MSG_DONTWAIT) >= 0)
        count++;
    return count;
}

/* An answer to what `to` was asked, sent by `from`, of that type. */
static void answer_send(const struct server *from, const struct server *to, uint8_t type,
                        size_t length)
{
    uint8_t packet[STUN_HEADER_BYTES];

    memcpy(packet, to->request, sizeof packet);
    packet[0] = 1;
    packet[1] = type;
    assert_int_equal(sendto(from->fd, packet, length, 0, (const struct sockaddr *)&to->client,
                            to->client_length),
                     length);
}

static void server_answer(const struct server *server)
{
    answer_send(server, server, 0x01, STUN_HEADER_BYTES);
}

/* Asks from these. */
static const struct endpoint locals[] = {{.address = "127.0.0.1"}, {.address = "::1"}};

static struct stun_race *race_new(char *one, char *two, char *three)
{
    char *servers[] = {one, two, three};
    struct error err;
    size_t count = three ? 3 : two ? 2 : 1;
    struct stun_race *race = stun_race_new(servers, count, locals, 2, START, &err);

    assert_non_null(race);
    return race;
}

/* Waits for something to read, then advances. */
static enum stun_race_result race_read(struct stun_race *race, int64_t now, struct endpoint *winner)
{
    struct pollfd ready = {.fd = stun_race_fd(race), .events = POLLIN};

    assert_int_equal(poll(&ready, 1, 1000), 1);
    return stun_race_advance(race, now, winner);
}

static void the_first_to_answer_wins(void **state)
{
    struct server a, b, c;
    struct endpoint winner;
    struct stun_race *race;

    (void)state;
    server_open(&a, "127.0.0.1");
    server_open(&b, "127.0.0.1");
    server_open(&c, "127.0.0.1");
    race = race_new(a.text, b.text, c.text);
    assert_int_equal(stun_race_advance(race, START, &winner), STUN_RACE_RUNNING);
    server_take(&a);
    server_take(&b);
    server_take(&c);
    server_answer(&b);
    assert_int_equal(race_read(race, START + 20, &winner), STUN_RACE_WON);
    assert_true(endpoint_equal(&winner, &b.at));
    stun_race_destroy(race);
    close(a.fd);
    close(b.fd);
    close(c.fd);
}

static void dead_and_unreachable_servers_hold_nobody_up(void **state)
{
    char unreachable[] = UNREACHABLE;
    struct server dead, alive;
    struct endpoint winner;
    struct stun_race *race;

    (void)state;
    server_open(&dead, "127.0.0.1");
    server_open(&alive, "127.0.0.1");
    race = race_new(dead.text, unreachable, alive.text);
    assert_int_equal(stun_race_advance(race, START, &winner), STUN_RACE_RUNNING);
    server_take(&alive);
    server_answer(&alive);
    assert_int_equal(race_read(race, START, &winner), STUN_RACE_WON);
    assert_true(endpoint_equal(&winner, &alive.at));
    stun_race_destroy(race);
    close(dead.fd);
    close(alive.fd);
}

static void a_request_that_was_lost_is_sent_again(void **state)
{
    struct server server;
    struct endpoint winner;
    struct stun_race *race;

    (void)state;
    server_open(&server, "127.0.0.1");
    race = race_new(server.text, NULL, NULL);
    stun_race_advance(race, START, &winner);
    assert_int_equal(server_count(&server), 1);
    assert_int_equal(stun_race_deadline(race), START + 100);
    stun_race_advance(race, START + 99, &winner);
    assert_int_equal(server_count(&server), 0);
    stun_race_advance(race, START + 100, &winner);
    server_take(&server);
    server_answer(&server);
    assert_int_equal(race_read(race, START + 120, &winner), STUN_RACE_WON);
    stun_race_destroy(race);
    close(server.fd);
}

static void a_dead_server_is_asked_five_times_and_lost_after_3_s(void **state)
{
    struct server server;
    struct endpoint winner;
    struct stun_race *race;
    int64_t now = START;

    (void)state;
    server_open(&server, "127.0.0.1");
    race = race_new(server.text, NULL, NULL);
    while (stun_race_advance(race, now, &winner) == STUN_RACE_RUNNING) {
        assert_true(stun_race_deadline(race) > now);
        now = stun_race_deadline(race);
    }
    assert_int_equal(server_count(&server), 5);
    assert_int_equal(now - START, 3000);
    stun_race_destroy(race);
    close(server.fd);
}

static void without_a_route_to_any_server_it_is_lost_at_once(void **state)
{
    char unreachable[] = UNREACHABLE;
    struct stun_race *race = race_new(unreachable, NULL, NULL);
    struct endpoint winner;

    (void)state;
    assert_int_equal(stun_race_advance(race, START, &winner), STUN_RACE_LOST);
    stun_race_destroy(race);
}

static void forged_broken_and_refusing_answers_are_ignored(void **state)
{
    struct server server, other;
    struct endpoint winner;
    struct stun_race *race;

    (void)state;
    server_open(&server, "127.0.0.1");
    server_open(&other, "127.0.0.1");
    race = race_new(server.text, NULL, NULL);
    stun_race_advance(race, START, &winner);
    server_take(&server);
    /* from another source */
    answer_send(&other, &server, 0x01, STUN_HEADER_BYTES);
    /* an error response; a short one; a request */
    answer_send(&server, &server, 0x11, STUN_HEADER_BYTES);
    answer_send(&server, &server, 0x01, STUN_HEADER_BYTES - 1);
    answer_send(&server, &server, 0x00, STUN_HEADER_BYTES);
    answer_send(&server, &server, 0x01, 0);
    /* another transaction */
    server.request[STUN_HEADER_BYTES - 1] ^= 1;
    server_answer(&server);
    server.request[STUN_HEADER_BYTES - 1] ^= 1;
    assert_int_equal(race_read(race, START + 10, &winner), STUN_RACE_RUNNING);
    assert_int_equal(stun_race_advance(race, START + 20, &winner), STUN_RACE_RUNNING);
    server_answer(&server);
    assert_int_equal(race_read(race, START + 30, &winner), STUN_RACE_WON);
    stun_race_destroy(race);
    close(server.fd);
    close(other.fd);
}

static void a_server_named_twice_is_asked_once(void **state)
{
    struct server server;
    struct endpoint winner;
    struct stun_race *race;

    (void)state;
    server_open(&server, "127.0.0.1");
    race = race_new(server.text, server.text, server.text);
    stun_race_advance(race, START, &winner);
    assert_int_equal(server_count(&server), 1);
    stun_race_destroy(race);
    close(server.fd);
}

/* The first may be preferred and lead nowhere. */
static void each_local_address_asks_and_one_answer_is_enough(void **state)
{
    static const struct endpoint many[] = {
        {.address = "127.0.0.2"}, {.address = "192.0.2.254"}, {.address = "127.0.0.3"}};
    struct server server;
    char *servers[] = {server.text};
    struct endpoint winner, client;
    struct stun_race *race;
    struct error err;

    (void)state;
    server_open(&server, "127.0.0.1");
    race = stun_race_new(servers, 1, many, 3, START, &err);
    assert_non_null(race);
    stun_race_advance(race, START, &winner);
    server_take(&server);
    server_take(&server);
    endpoint_from_sockaddr(&client, (struct sockaddr *)&server.client);
    assert_string_equal(client.address, "127.0.0.3");
    server_answer(&server);
    assert_int_equal(race_read(race, START + 10, &winner), STUN_RACE_WON);
    assert_true(endpoint_equal(&winner, &server.at));
    stun_race_destroy(race);
    close(server.fd);
}

/* Else whoever polls it would spin. */
static void while_nothing_comes_there_is_nothing_to_read(void **state)
{
    struct server server;
    struct endpoint winner;
    struct stun_race *race;
    struct pollfd ready;

    (void)state;
    server_open(&server, "127.0.0.1");
    race = race_new(server.text, NULL, NULL);
    assert_int_equal(stun_race_advance(race, START, &winner), STUN_RACE_RUNNING);
    ready = (struct pollfd){.fd = stun_race_fd(race), .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 0), 0);
    stun_race_destroy(race);
    close(server.fd);
}

/* Waits until it is, or the race has something to read. */
static bool server_is_asked(const struct server *server, const struct stun_race *race)
{
    struct pollfd ready[] = {{.fd = server->fd, .events = POLLIN},
                             {.fd = stun_race_fd(race), .events = POLLIN}};

    assert_true(poll(ready, 2, 1000) > 0);
    return ready[0].revents != 0;
}

static void a_name_is_resolved(void **state)
{
    struct server server;
    struct endpoint winner;
    struct stun_race *race;
    enum stun_race_result result;
    char name[32];

    (void)state;
    server_open(&server, "127.0.0.1");
    snprintf(name, sizeof name, "localhost:%u", (unsigned)server.at.port);
    race = race_new(name, NULL, NULL);
    assert_int_equal(stun_race_advance(race, START, &winner), STUN_RACE_RUNNING);
    while (!server_is_asked(&server, race))
        assert_int_equal(stun_race_advance(race, START, &winner), STUN_RACE_RUNNING);
    server_take(&server);
    server_answer(&server);
    /* The end of the name is something to read, too. */
    while ((result = race_read(race, START, &winner)) == STUN_RACE_RUNNING)
        ;
    assert_int_equal(result, STUN_RACE_WON);
    assert_true(endpoint_equal(&winner, &server.at));
    stun_race_destroy(race);
    close(server.fd);
}

static void a_name_that_does_not_resolve_is_not_waited_for(void **state)
{
    char name[] = "stun.invalid";
    struct stun_race *race = race_new(name, NULL, NULL);
    struct endpoint winner;

    (void)state;
    assert_int_equal(stun_race_advance(race, START + STUN_RACE_END_MS, &winner), STUN_RACE_LOST);
    stun_race_destroy(race);
}

/* -EADDRNOTAVAIL where the host has no IPv6. */
static int pair_open(struct server *ipv4, struct server *ipv6)
{
    if (server_open(ipv6, "::1") < 0)
        return -EADDRNOTAVAIL;
    return server_open(ipv4, "127.0.0.1");
}

static void an_ipv6_answer_waits_300_ms_for_one_over_ipv4(void **state)
{
    struct server ipv4, ipv6;
    struct endpoint winner;
    struct stun_race *race;

    (void)state;
    if (pair_open(&ipv4, &ipv6) < 0)
        skip();
    race = race_new(ipv6.text, ipv4.text, NULL);
    stun_race_advance(race, START, &winner);
    server_take(&ipv6);
    server_take(&ipv4);
    server_answer(&ipv6);
    assert_int_equal(race_read(race, START + 10, &winner), STUN_RACE_RUNNING);
    assert_true(stun_race_deadline(race) <= START + 310);
    assert_int_equal(stun_race_advance(race, START + 309, &winner), STUN_RACE_RUNNING);
    server_answer(&ipv4);
    assert_int_equal(race_read(race, START + 309, &winner), STUN_RACE_WON);
    assert_true(endpoint_equal(&winner, &ipv4.at));
    stun_race_destroy(race);
    close(ipv4.fd);
    close(ipv6.fd);
}

static void no_longer_than_that(void **state)
{
    struct server ipv4, ipv6;
    struct endpoint winner;
    struct stun_race *race;

    (void)state;
    if (pair_open(&ipv4, &ipv6) < 0)
        skip();
    race = race_new(ipv6.text, ipv4.text, NULL);
    stun_race_advance(race, START, &winner);
    server_take(&ipv6);
    server_answer(&ipv6);
    assert_int_equal(race_read(race, START + 10, &winner), STUN_RACE_RUNNING);
    assert_int_equal(stun_race_advance(race, START + 310, &winner), STUN_RACE_WON);
    assert_true(endpoint_equal(&winner, &ipv6.at));
    stun_race_destroy(race);
    close(ipv4.fd);
    close(ipv6.fd);
}

static void with_ipv6_alone_it_does_not_wait(void **state)
{
    char unreachable[] = UNREACHABLE;
    struct server ipv4, ipv6;
    struct endpoint winner;
    struct stun_race *race;

    (void)state;
    if (pair_open(&ipv4, &ipv6) < 0)
        skip();
    race = race_new(ipv6.text, unreachable, NULL);
    stun_race_advance(race, START, &winner);
    server_take(&ipv6);
    server_answer(&ipv6);
    assert_int_equal(race_read(race, START + 10, &winner), STUN_RACE_WON);
    stun_race_destroy(race);
    close(ipv4.fd);
    close(ipv6.fd);
}

static void a_bad_server_is_named(void **state)
{
    char bad[] = "203.0.113.1:99999", *servers[] = {bad};
    struct error err;

    (void)state;
    assert_null(stun_race_new(servers, 1, locals, 2, START, &err));
    assert_non_null(strstr(err.message, bad));
    stun_race_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_to_answer_wins),
        cmocka_unit_test(dead_and_unreachable_servers_hold_nobody_up),
        cmocka_unit_test(a_request_that_was_lost_is_sent_again),
        cmocka_unit_test(a_dead_server_is_asked_five_times_and_lost_after_3_s),
        cmocka_unit_test(without_a_route_to_any_server_it_is_lost_at_once),
        cmocka_unit_test(forged_broken_and_refusing_answers_are_ignored),
        cmocka_unit_test(a_server_named_twice_is_asked_once),
        cmocka_unit_test(each_local_address_asks_and_one_answer_is_enough),
        cmocka_unit_test(while_nothing_comes_there_is_nothing_to_read),
        cmocka_unit_test(a_name_is_resolved),
        cmocka_unit_test(a_name_that_does_not_resolve_is_not_waited_for),
        cmocka_unit_test(an_ipv6_answer_waits_300_ms_for_one_over_ipv4),
        cmocka_unit_test(no_longer_than_that),
        cmocka_unit_test(with_ipv6_alone_it_does_not_wait),
        cmocka_unit_test(a_bad_server_is_named),
    };

    if (sodium_init() < 0)
        return 99;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
