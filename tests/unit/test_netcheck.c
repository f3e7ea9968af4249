/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whole checks against servers that are sockets of this very test, which play the NAT on the way as
 * well; the time is the test's own.
 */
#include <arpa/inet.h>
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

#include "ice-agent/netcheck.h"
#include "ice-agent/stun.h"
#include "ice-agent/trial.h"

#define START INT64_C(5000000000)

/* The endpoints of the server follow each other: by address, then by port. */
#define CORNERS      4
#define CLIENTS      8
#define SERVER_ONE   "127.0.0.1"
#define SERVER_OTHER "127.0.0.2"
/* Where the NAT's public endpoints are, and nobody listens. */
#define PUBLIC "127.0.0.3"

static const struct endpoint local = {.address = "127.0.0.1"};

/* The NAT: what a mapping and the filter look at. */
enum looks_at { NOTHING, ADDRESS, ENDPOINT };

static struct {
    int corners[CORNERS];
    uint16_t ports[2];
    char text[ENDPOINT_TEXT_SIZE];
    uint16_t clients[CLIENTS]; /* by port */
    bool sent[CLIENTS][CORNERS];
    bool has_nat;
    enum looks_at mapping, filter;
    bool is_dead[CORNERS]; /* does not answer when it is asked itself */
    bool is_single;        /* no other address and port */
    bool stays;            /* announces them, but answers where it was asked */
    bool is_deaf;          /* announces them, but does not answer from elsewhere */
    unsigned lost, counts; /* of each `lost` requests one is heard; 0: all are */
} world;

static int corner_bind(const char *address, uint16_t port)
{
    struct endpoint endpoint;
    struct sockaddr_storage at;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    endpoint_set(&endpoint, address, port);
    endpoint_to_sockaddr(&endpoint, &at);
    if (bind(fd, (struct sockaddr *)&at, sizeof(struct sockaddr_in)) == 0)
        return fd;
    close(fd);
    return -1;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_in at;
    socklen_t length = sizeof at;

    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &length), 0);
    return ntohs(at.sin_port);
}

/* Two ports that are free at both addresses; others than ours may be in the way of a few. */
static int world_set_up(void **state)
{
    (void)state;
    memset(&world, 0, sizeof world);
    for (int i = 0; i < 2; i++) {
        for (int tries = 0; tries < 20 && world.corners[2 + i] <= 0; tries++) {
            int fd = corner_bind(SERVER_ONE, 0);

            world.corners[i] = fd;
            world.ports[i] = port_of(fd);
            world.corners[2 + i] = corner_bind(SERVER_OTHER, world.ports[i]);
            if (world.corners[2 + i] < 0)
                close(fd);
        }
        assert_true(world.corners[2 + i] > 0);
    }
    snprintf(world.text, sizeof world.text, SERVER_ONE ":%u", (unsigned)world.ports[0]);
    return 0;
}

static int world_tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < CORNERS; i++)
        close(world.corners[i]);
    return 0;
}

static int client_number(uint16_t port)
{
    for (int i = 0; i < CLIENTS; i++) {
        if (world.clients[i] == 0)
            world.clients[i] = port;
        if (world.clients[i] == port)
            return i;
    }
    fail_msg("more than %d sockets", CLIENTS);
    return -1;
}

/* The port that the NAT has given a client towards a corner. */
static uint16_t mapped_port(int client, int corner)
{
    int by = world.mapping == NOTHING ? 0 : world.mapping == ADDRESS ? corner / 2 : corner;

    return (uint16_t)(world.clients[client] ^ (0x0101 * by));
}

/* Whether the filter lets the answer of `from` in that is sent to the mapping towards `asked`. */
static bool is_let_in(int client, int asked, int from)
{
    for (int to = 0; to < CORNERS; to++) {
        if (!world.sent[client][to] || mapped_port(client, to) != mapped_port(client, asked))
            continue;
        if (world.filter == NOTHING || to == from ||
            (world.filter == ADDRESS && to / 2 == from / 2))
            return true;
    }
    return false;
}

static size_t attribute_put(uint8_t *packet, size_t at, unsigned type, const char *address,
                            uint16_t port)
{
    uint8_t *out = packet + at;
    uint16_t network = htons(port);

    memset(out, 0, 12);
    out[0] = (uint8_t)(type >> 8);
    out[1] = (uint8_t)type;
    out[3] = 8;
    out[5] = 1;
    memcpy(out + 6, &network, 2);
    inet_pton(AF_INET, address, out + 8);
    return at + 12;
}

static void answer(const uint8_t *request, int client, int asked, int from,
                   const struct sockaddr_in *to)
{
    uint8_t packet[128] = {1, 1};
    size_t length = STUN_HEADER_BYTES;
    uint16_t port = world.has_nat ? mapped_port(client, asked) : world.clients[client];

    length = attribute_put(packet, length, 0x0001, world.has_nat ? PUBLIC : SERVER_ONE, port);
    if (!world.is_single)
        length = attribute_put(packet, length, 0x802c, SERVER_OTHER, world.ports[1]);
    packet[3] = (uint8_t)(length - STUN_HEADER_BYTES);
    memcpy(packet + 4, request + 4, STUN_TRANSACTION_BYTES);
    if (is_let_in(client, asked, from))
        sendto(world.corners[from], packet, length, 0, (const struct sockaddr *)to, sizeof *to);
}

/* True: a request was there. */
static bool corner_serve(int asked)
{
    uint8_t request[64];
    struct sockaddr_in client;
    socklen_t size = sizeof client;
    ssize_t length = recvfrom(world.corners[asked], request, sizeof request, 0,
                              (struct sockaddr *)&client, &size);
    int number, from = asked;

    if (length < 0)
        return false;
    if (world.lost > 0 && ++world.counts % world.lost != 0)
        return true;
    number = client_number(ntohs(client.sin_port));
    world.sent[number][asked] = true;
    if (world.is_dead[asked])
        return true;
    if (length > STUN_HEADER_BYTES && !world.stays) {
        if (world.is_deaf)
            return true;
        from ^=
            (request[27] & STUN_CHANGE_ADDRESS ? 2 : 0) | (request[27] & STUN_CHANGE_PORT ? 1 : 0);
    }
    answer(request, number, asked, from, &client);
    return true;
}

/* Whether anything is on its way still. */
static bool world_moves(const struct netcheck *check)
{
    struct pollfd fds[CORNERS + 1] = {{.fd = netcheck_fd(check), .events = POLLIN}};

    for (int i = 0; i < CORNERS; i++)
        fds[i + 1] = (struct pollfd){.fd = world.corners[i], .events = POLLIN};
    return poll(fds, CORNERS + 1, 1) > 0;
}

/* How long it took, in ms. */
static int64_t check_run(struct netcheck *check)
{
    int64_t now = START;

    while (!netcheck_advance(check, now)) {
        for (int i = 0; i < CORNERS; i++)
            while (corner_serve(i))
                ;
        if (!world_moves(check)) {
            assert_true(netcheck_deadline(check) >= now);
            now = netcheck_deadline(check);
        }
    }
    return (now - START) / 1000;
}

static int64_t check(char *one, char *two, struct netcheck_result *result)
{
    char *servers[] = {one, two};
    struct error err;
    struct netcheck *check = netcheck_new(servers, two != NULL ? 2 : 1, &local, 1, 0, START, &err);
    int64_t took;

    assert_non_null(check);
    took = check_run(check);
    netcheck_tell(check, result);
    netcheck_destroy(check);
    return took;
}

static void assert_place(const struct netcheck_place *place, enum behaviour mapping,
                         enum behaviour filtering)
{
    assert_string_equal(behaviour_name(place->mapping), behaviour_name(mapping));
    assert_string_equal(behaviour_name(place->filtering), behaviour_name(filtering));
}

static void each_nat_is_told_for_what_it_is(void **state)
{
    static const enum behaviour words[] = {BEHAVIOUR_ENDPOINT_INDEPENDENT,
                                           BEHAVIOUR_ADDRESS_DEPENDENT,
                                           BEHAVIOUR_ADDRESS_AND_PORT_DEPENDENT};

    for (int mapping = NOTHING; mapping <= ENDPOINT; mapping++)
        for (int filter = NOTHING; filter <= ENDPOINT; filter++) {
            struct netcheck_result result;

            world_set_up(state);
            world.has_nat = true;
            world.mapping = mapping;
            world.filter = filter;
            assert_true(check(world.text, NULL, &result) <= 2500);
            assert_int_equal(result.place_count, 1);
            assert_place(&result.places[0], words[mapping], words[filter]);
            assert_int_equal(result.places[0].nat, NETCHECK_YES);
            assert_int_equal(result.places[0].preserves,
                             mapping == NOTHING ? NETCHECK_YES : NETCHECK_NO);
            world_tear_down(state);
        }
}

static void without_a_nat_and_a_filter_it_is_over_at_once(void **state)
{
    struct netcheck_result result;

    (void)state;
    assert_true(check(world.text, NULL, &result) < 100);
    assert_place(&result.places[0], BEHAVIOUR_ENDPOINT_INDEPENDENT, BEHAVIOUR_ENDPOINT_INDEPENDENT);
    assert_int_equal(result.places[0].nat, NETCHECK_NO);
    assert_int_equal(result.places[0].hairpin, NETCHECK_UNKNOWN);
    assert_string_equal(result.places[0].interface, "lo");
    assert_int_equal(netcheck_punch(&result, AF_INET), BEHAVIOUR_PUNCH_ALL);
    assert_int_equal(netcheck_punch(&result, AF_INET6), BEHAVIOUR_PUNCH_NOBODY);
}

static void what_is_lost_is_sent_again(void **state)
{
    struct netcheck_result result;

    (void)state;
    world.has_nat = true;
    world.filter = ENDPOINT;
    world.lost = 3;
    assert_true(check(world.text, NULL, &result) <= 6000);
    assert_place(&result.places[0], BEHAVIOUR_ENDPOINT_INDEPENDENT,
                 BEHAVIOUR_ADDRESS_AND_PORT_DEPENDENT);
}

/* Of one endpoint, with a NAT: neither mapping nor filter can be told. */
static void one_plain_server_tells_only_that_udp_passes(void **state)
{
    struct netcheck_result result;

    (void)state;
    world.has_nat = world.is_single = true;
    check(world.text, NULL, &result);
    assert_place(&result.places[0], BEHAVIOUR_UNKNOWN, BEHAVIOUR_UNKNOWN);
    assert_int_equal(result.places[0].punch, BEHAVIOUR_PUNCH_UNKNOWN);
    assert_true(result.servers[0].answered);
    assert_false(result.servers[0].elsewhere);
}

static void two_plain_servers_tell_the_mapping(void **state)
{
    struct netcheck_result result;
    char second[ENDPOINT_TEXT_SIZE];

    (void)state;
    world.has_nat = world.is_single = true;
    snprintf(second, sizeof second, SERVER_OTHER ":%u", (unsigned)world.ports[0]);
    check(world.text, second, &result);
    assert_place(&result.places[0], BEHAVIOUR_ENDPOINT_INDEPENDENT, BEHAVIOUR_UNKNOWN);
}

static void a_server_that_does_not_answer_from_elsewhere_is_no_filter(void **state)
{
    struct netcheck_result result;

    (void)state;
    world.has_nat = world.is_deaf = true;
    check(world.text, NULL, &result);
    assert_place(&result.places[0], BEHAVIOUR_ENDPOINT_INDEPENDENT, BEHAVIOUR_UNKNOWN);
    assert_true(result.servers[0].elsewhere);
}

static void nor_is_one_that_answers_where_it_was_asked(void **state)
{
    struct netcheck_result result;

    (void)state;
    world.has_nat = world.stays = true;
    check(world.text, NULL, &result);
    assert_place(&result.places[0], BEHAVIOUR_ENDPOINT_INDEPENDENT, BEHAVIOUR_UNKNOWN);
}

/* Behind a symmetric NAT that an endpoint lives is all there is to go by. */
static void an_endpoint_of_the_server_that_is_dead_is_no_filter(void **state)
{
    struct netcheck_result result;

    (void)state;
    for (int corner = 0; corner < CORNERS; corner++) {
        world_set_up(state);
        world.has_nat = true;
        world.mapping = world.filter = ENDPOINT;
        world.is_dead[corner] = corner != 0;
        check(world.text, NULL, &result);
        /* That the other address lives at the port that was asked first is of no interest. */
        assert_place(&result.places[0], BEHAVIOUR_ADDRESS_AND_PORT_DEPENDENT,
                     corner == 0 || corner == 2 ? BEHAVIOUR_ADDRESS_AND_PORT_DEPENDENT
                                                : BEHAVIOUR_UNKNOWN);
        world_tear_down(state);
    }
}

/* It is not to make us send wherever it likes. */
static void an_other_address_that_is_no_neighbour_of_the_server_s_is_not_believed(void **state)
{
    static const struct {
        const char *server, *other;
        bool possible;
    } cases[] = {
        {"203.0.113.1", "203.0.113.2", true},      {"203.0.113.1", "203.0.113.1", false},
        {"203.0.113.1", "127.0.0.1", false},       {"203.0.113.1", "192.168.1.1", false},
        {"203.0.113.1", "100.64.0.1", false},      {"203.0.113.1", "224.0.0.1", false},
        {"203.0.113.1", "255.255.255.255", false}, {"203.0.113.1", "2001:db8::1", false},
        {"203.0.113.1", "0.0.0.0", false},         {"192.168.1.1", "192.168.1.2", true},
        {"2001:db8::1", "2001:db8::2", true},      {"2001:db8::1", "fe80::1", false},
        {"2001:db8::1", "fd00::1", false},         {"127.0.0.1", "127.0.0.2", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct stun_response response = {.refused = false};
        struct endpoint server;

        endpoint_set(&server, cases[i].server, 3478);
        endpoint_set(&response.other, cases[i].other, 3479);
        if (trial_is_possible(&server, &response) != cases[i].possible)
            fail_msg("%s with %s", cases[i].server, cases[i].other);
        response.other.port = 3478;
        assert_false(trial_is_possible(&server, &response));
        response.other.port = 3479;
        endpoint_set(&response.origin, "203.0.113.77", 3478); /* behind something */
        assert_false(trial_is_possible(&server, &response));
    }
}

static void dead_servers_and_names_do_not_hold_it_up_for_long(void **state)
{
    char name[] = "stun.invalid";
    struct netcheck_result result;

    (void)state;
    world.lost = 1000000;
    assert_int_equal(check(world.text, name, &result), 2500);
    assert_false(result.places[0].public.port != 0);
    assert_true(result.places[0].asked);
    assert_int_equal(result.places[0].punch, BEHAVIOUR_PUNCH_NOBODY);
    assert_int_equal(result.server_count, 2);
    assert_false(result.servers[0].answered);
    assert_int_equal(result.servers[1].name, 1);
    assert_int_equal(result.servers[1].endpoint.port, 0);
}

static void without_addresses_there_is_nothing_to_do(void **state)
{
    char *servers[] = {world.text};
    struct netcheck_result result;
    struct error err;
    struct netcheck *check = netcheck_new(servers, 1, NULL, 0, 0, START, &err);

    (void)state;
    assert_non_null(check);
    assert_true(netcheck_advance(check, START));
    netcheck_tell(check, &result);
    assert_int_equal(result.place_count, 0);
    assert_false(result.servers[0].asked);
    assert_int_equal(netcheck_punch(&result, AF_UNSPEC), BEHAVIOUR_PUNCH_NOBODY);
    netcheck_destroy(check);
    netcheck_destroy(NULL);
}

static void a_port_that_is_taken_is_named(void **state)
{
    char *servers[] = {world.text}, port[8];
    struct error err;

    (void)state;
    assert_null(netcheck_new(servers, 1, &local, 1, world.ports[0], START, &err));
    snprintf(port, sizeof port, "%u", (unsigned)world.ports[0]);
    assert_non_null(strstr(err.message, port));
    assert_non_null(strstr(err.message, local.address));
}

static void the_port_that_was_asked_for_is_asked_from(void **state)
{
    char *servers[] = {world.text};
    struct netcheck_result result;
    struct netcheck *check;
    struct error err;
    int fd = corner_bind(local.address, 0);
    uint16_t port = port_of(fd);

    (void)state;
    close(fd);
    check = netcheck_new(servers, 1, &local, 1, port, START, &err);
    assert_non_null(check);
    check_run(check);
    netcheck_tell(check, &result);
    assert_int_equal(result.places[0].local.port, port);
    assert_int_equal(result.places[0].public.port, port);
    netcheck_destroy(check);
}

static void an_address_that_is_gone_leaves_the_others(void **state)
{
    static const struct endpoint locals[] = {{.address = "192.0.2.254"}, {.address = "127.0.0.1"}};
    char *servers[] = {world.text};
    struct netcheck_result result;
    struct error err;
    struct netcheck *check = netcheck_new(servers, 1, locals, 2, 0, START, &err);

    (void)state;
    assert_non_null(check);
    check_run(check);
    netcheck_tell(check, &result);
    assert_int_equal(result.place_count, 2);
    assert_false(result.places[0].asked);
    assert_int_equal(result.places[0].public.port, 0);
    assert_int_equal(result.places[1].punch, BEHAVIOUR_PUNCH_ALL);
    netcheck_destroy(check);
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_nat_is_told_for_what_it_is),
        IN_WORLD(without_a_nat_and_a_filter_it_is_over_at_once),
        IN_WORLD(what_is_lost_is_sent_again),
        IN_WORLD(one_plain_server_tells_only_that_udp_passes),
        IN_WORLD(two_plain_servers_tell_the_mapping),
        IN_WORLD(a_server_that_does_not_answer_from_elsewhere_is_no_filter),
        IN_WORLD(nor_is_one_that_answers_where_it_was_asked),
        cmocka_unit_test(an_endpoint_of_the_server_that_is_dead_is_no_filter),
        cmocka_unit_test(an_other_address_that_is_no_neighbour_of_the_server_s_is_not_believed),
        IN_WORLD(dead_servers_and_names_do_not_hold_it_up_for_long),
        IN_WORLD(without_addresses_there_is_nothing_to_do),
        IN_WORLD(a_port_that_is_taken_is_named),
        IN_WORLD(the_port_that_was_asked_for_is_asked_from),
        IN_WORLD(an_address_that_is_gone_leaves_the_others),
    };

    if (sodium_init() < 0)
        return 99;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
