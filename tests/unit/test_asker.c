/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Questions to STUN servers that are sockets of this very test; the time is the test's own.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ice-agent/asker.h"

#define START     INT64_C(5000000000)
#define MS        1000
#define MAPPED_AT (STUN_HEADER_BYTES + 4)

struct server {
    int fd;
    struct endpoint at;
    uint8_t request[STUN_REQUEST_MAX];
    ssize_t length;
    struct sockaddr_storage client;
    socklen_t client_length;
};

static void server_open(struct server *server)
{
    struct sockaddr_storage at;
    socklen_t length = sizeof at;

    endpoint_set(&server->at, "127.0.0.1", 0);
    endpoint_to_sockaddr(&server->at, &at);
    server->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->fd, (struct sockaddr *)&at, sizeof(struct sockaddr_in)), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&at, &length), 0);
    endpoint_from_sockaddr(&server->at, (struct sockaddr *)&at);
}

/* A request came, or comes within a second. */
static void server_take(struct server *server)
{
    struct pollfd ready = {.fd = server->fd, .events = POLLIN};

    assert_int_equal(poll(&ready, 1, 1000), 1);
    server->client_length = sizeof server->client;
    server->length = recvfrom(server->fd, server->request, sizeof server->request, 0,
                              (struct sockaddr *)&server->client, &server->client_length);
    assert_true(server->length >= STUN_HEADER_BYTES);
}

static unsigned server_count(const struct server *server)
{
    uint8_t packet[64];
    unsigned count = 0;

    while (recv(server->fd, packet, sizeof packet, MSG_DONTWAIT) >= 0)
        count++;
    return count;
}

/* `from` answers what `asked` was asked: success, or an error response without attributes. */
static void answer(const struct server *from, const struct server *asked, uint8_t type)
{
    uint8_t packet[STUN_HEADER_BYTES + 12] = {1, type};
    size_t length = type == 0x01 ? sizeof packet : STUN_HEADER_BYTES;

    packet[3] = (uint8_t)(length - STUN_HEADER_BYTES);
    memcpy(packet + 4, asked->request + 4, STUN_TRANSACTION_BYTES);
    memcpy(packet + STUN_HEADER_BYTES, "\x00\x01\x00\x08", 4);
    memcpy(packet + MAPPED_AT, "\x00\x01\x9C\x41\xCB\x00\x71\x07", 8);
    assert_int_equal(sendto(from->fd, packet, length, 0, (const struct sockaddr *)&asked->client,
                            asked->client_length),
                     length);
}

/* With one socket, number 0. */
static struct asker *asker_open_one(struct endpoint *local)
{
    struct asker *asker = asker_new();

    assert_non_null(asker);
    endpoint_set(local, "127.0.0.1", 0);
    assert_int_equal(asker_open(asker, local), 0);
    assert_int_not_equal(local->port, 0);
    return asker;
}

static int ask(struct asker *asker, const struct server *to, const struct server *from,
               unsigned change)
{
    const struct asker_question question = {
        .hears = -1, .to = to->at, .from = from->at, .change = change};

    return asker_ask(asker, &question, START);
}

/* Waits for something to read, then advances. */
static void asker_read(struct asker *asker, int64_t now)
{
    struct pollfd ready = {.fd = asker_fd(asker), .events = POLLIN};

    assert_int_equal(poll(&ready, 1, 1000), 1);
    asker_advance(asker, now);
}

static void an_answer_is_told_once_with_its_round_trip(void **state)
{
    struct server server;
    struct endpoint local;
    struct asker *asker = asker_open_one(&local);
    int number;

    (void)state;
    server_open(&server);
    number = ask(asker, &server, &server, 0);
    assert_int_equal(asker_deadline(asker), START);
    asker_advance(asker, START);
    assert_int_equal(asker_next_answered(asker), -1);
    server_take(&server);
    answer(&server, &server, 0x01);
    asker_read(asker, START + 20 * MS);
    assert_int_equal(asker_next_answered(asker), number);
    assert_int_equal(asker_next_answered(asker), -1);
    assert_int_equal(asker_question(asker, number)->state, ASKER_ANSWERED);
    assert_int_equal(asker_question(asker, number)->round_trip, 20 * MS);
    assert_int_equal(asker_question(asker, number)->response.mapped.port, 40001);
    assert_true(asker_deadline(asker) == INT64_MAX);
    asker_destroy(asker);
    close(server.fd);
}

static void a_question_without_an_answer_goes_out_five_times_in_two_and_a_half_seconds(void **state)
{
    static const int64_t right[] = {0, 100, 300, 700, 1500, 2500};
    struct server server;
    struct endpoint local;
    struct asker *asker = asker_open_one(&local);
    int number;

    (void)state;
    server_open(&server);
    number = ask(asker, &server, &server, 0);
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        assert_int_equal(asker_deadline(asker), START + right[i] * MS);
        assert_int_equal(asker_question(asker, number)->state, ASKER_PENDING);
        asker_advance(asker, asker_deadline(asker));
    }
    assert_int_equal(asker_question(asker, number)->state, ASKER_SILENT);
    assert_int_equal(server_count(&server), 5);
    asker_destroy(asker);
    close(server.fd);
}

/* Each try has a transaction of its own, so a slow server's round trip is not that of the last. */
static void a_late_answer_counts_from_when_it_was_asked_for(void **state)
{
    struct server server;
    struct endpoint local;
    struct asker *asker = asker_open_one(&local);
    int number;

    (void)state;
    server_open(&server);
    number = ask(asker, &server, &server, 0);
    asker_advance(asker, START);
    server_take(&server);
    asker_advance(asker, START + 100 * MS);
    answer(&server, &server, 0x01);
    asker_read(asker, START + 150 * MS);
    assert_int_equal(asker_question(asker, number)->state, ASKER_ANSWERED);
    assert_int_equal(asker_question(asker, number)->round_trip, 150 * MS);
    asker_destroy(asker);
    close(server.fd);
}

static void forged_and_broken_answers_are_ignored(void **state)
{
    struct server server, other;
    struct endpoint local;
    struct asker *asker = asker_open_one(&local);
    int number;

    (void)state;
    server_open(&server);
    server_open(&other);
    number = ask(asker, &server, &server, 0);
    asker_advance(asker, START);
    server_take(&server);
    answer(&other, &server, 0x01); /* from another source */
    answer(&server, &server, 0x00);
    assert_true(
        sendto(server.fd, "x", 1, 0, (struct sockaddr *)&server.client, server.client_length) == 1);
    server.request[STUN_HEADER_BYTES - 1] += 1; /* a try that has not been made */
    answer(&server, &server, 0x01);
    server.request[STUN_HEADER_BYTES - 1] -= 1;
    server.request[8] ^= 1; /* another transaction */
    answer(&server, &server, 0x01);
    server.request[8] ^= 1;
    asker_read(asker, START);
    assert_int_equal(asker_question(asker, number)->state, ASKER_PENDING);
    answer(&server, &server, 0x01);
    asker_read(asker, START);
    assert_int_equal(asker_question(asker, number)->state, ASKER_ANSWERED);
    asker_destroy(asker);
    close(server.fd);
    close(other.fd);
}

static void an_answer_from_elsewhere_is_one_where_it_was_asked_for(void **state)
{
    struct server server, other;
    struct endpoint local;
    struct asker *asker = asker_open_one(&local);
    int number;

    (void)state;
    server_open(&server);
    server_open(&other);
    number = ask(asker, &server, &other, STUN_CHANGE_PORT);
    asker_advance(asker, START);
    server_take(&server);
    assert_int_equal(server.length, STUN_REQUEST_MAX);
    answer(&other, &server, 0x01);
    asker_read(asker, START);
    assert_int_equal(asker_question(asker, number)->state, ASKER_ANSWERED);
    asker_destroy(asker);
    close(server.fd);
    close(other.fd);
}

static void a_server_that_answers_by_itself_or_with_an_error_refuses(void **state)
{
    (void)state;
    for (uint8_t type = 0x01; type <= 0x11; type += 0x10) {
        struct server server, other;
        struct endpoint local;
        struct asker *asker = asker_open_one(&local);
        int number;

        server_open(&server);
        server_open(&other);
        number = ask(asker, &server, &other, STUN_CHANGE_PORT);
        asker_advance(asker, START);
        server_take(&server);
        answer(&server, &server, type);
        asker_read(asker, START);
        assert_int_equal(asker_question(asker, number)->state, ASKER_REFUSED);
        assert_int_equal(asker_next_answered(asker), -1);
        asker_destroy(asker);
        close(server.fd);
        close(other.fd);
    }
}

static void where_there_is_no_route_it_is_not_waited_for(void **state)
{
    struct server nowhere = {.at = {.address = "255.255.255.255", .port = 9}};
    struct endpoint local;
    struct asker *asker = asker_open_one(&local);
    int number = ask(asker, &nowhere, &nowhere, 0);

    (void)state;
    asker_advance(asker, START);
    assert_int_equal(asker_question(asker, number)->state, ASKER_NO_ROUTE);
    assert_true(asker_deadline(asker) == INT64_MAX);
    asker_destroy(asker);
}

static void questions_of_one_socket_are_kept_apart(void **state)
{
    struct server one, two;
    struct endpoint local;
    struct asker *asker = asker_open_one(&local);
    int first, second;

    (void)state;
    server_open(&one);
    server_open(&two);
    first = ask(asker, &one, &one, 0);
    second = ask(asker, &two, &two, 0);
    asker_advance(asker, START);
    server_take(&two);
    answer(&two, &two, 0x01);
    asker_read(asker, START);
    assert_int_equal(asker_question(asker, first)->state, ASKER_PENDING);
    assert_int_equal(asker_next_answered(asker), second);
    asker_destroy(asker);
    close(one.fd);
    close(two.fd);
}

static void a_datagram_to_ourselves_is_heard_by_the_other_socket(void **state)
{
    struct endpoint local, other;
    struct asker *asker = asker_open_one(&local);
    struct asker_question question = {.socket = 0, .hears = 1};
    int number;

    (void)state;
    endpoint_set(&other, "127.0.0.1", 0);
    assert_int_equal(asker_open(asker, &other), 1);
    question.to = other;
    number = asker_ask(asker, &question, START);
    asker_advance(asker, START);
    asker_read(asker, START + MS);
    assert_int_equal(asker_question(asker, number)->state, ASKER_ANSWERED);
    assert_int_equal(asker_next_answered(asker), number);
    asker_destroy(asker);
}

static void sockets_and_questions_are_bounded(void **state)
{
    struct server server;
    struct endpoint local;
    struct asker *asker = asker_open_one(&local);

    (void)state;
    server_open(&server);
    for (int i = 1; i < ASKER_SOCKETS; i++) {
        local.port = 0;
        assert_int_equal(asker_open(asker, &local), i);
    }
    local.port = 0;
    assert_int_equal(asker_open(asker, &local), -ENOSPC);
    for (int i = 0; i < ASKER_QUESTIONS; i++)
        assert_int_equal(ask(asker, &server, &server, 0), i);
    assert_int_equal(ask(asker, &server, &server, 0), -ENOSPC);
    assert_int_equal(asker_count(asker), ASKER_QUESTIONS);
    asker_destroy(asker);
    close(server.fd);
}

static void an_address_that_is_not_ours_is_named_by_its_error(void **state)
{
    struct endpoint local = {.address = "192.0.2.254"};
    struct asker *asker = asker_new();

    (void)state;
    assert_int_equal(asker_open(asker, &local), -EADDRNOTAVAIL);
    asker_destroy(asker);
    asker_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_told_once_with_its_round_trip),
        cmocka_unit_test(
            a_question_without_an_answer_goes_out_five_times_in_two_and_a_half_seconds),
        cmocka_unit_test(a_late_answer_counts_from_when_it_was_asked_for),
        cmocka_unit_test(forged_and_broken_answers_are_ignored),
        cmocka_unit_test(an_answer_from_elsewhere_is_one_where_it_was_asked_for),
        cmocka_unit_test(a_server_that_answers_by_itself_or_with_an_error_refuses),
        cmocka_unit_test(where_there_is_no_route_it_is_not_waited_for),
        cmocka_unit_test(questions_of_one_socket_are_kept_apart),
        cmocka_unit_test(a_datagram_to_ourselves_is_heard_by_the_other_socket),
        cmocka_unit_test(sockets_and_questions_are_bounded),
        cmocka_unit_test(an_address_that_is_not_ours_is_named_by_its_error),
    };

    if (sodium_init() < 0)
        return 99;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
