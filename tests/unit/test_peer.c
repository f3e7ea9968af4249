/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wg-setup/peer.h"

static struct endpoint at(const char *address, uint16_t port)
{
    struct endpoint made = {.port = port};

    if (address[0] != '\0')
        assert_int_equal(endpoint_set(&made, address, port), 0);
    return made;
}

static struct peer *peer_at(const char *address, uint16_t port)
{
    struct device_status status = {.keepalive = 25};

    status.endpoint = at(address, port);
    return peer_from_status(&status);
}

static struct redirect_standing *standing_new(const uint16_t *ports, size_t port_count,
                                              const struct redirect_pair *pairs, size_t pair_count,
                                              const struct redirect_pair *learned,
                                              size_t learned_count)
{
    static struct redirect_standing made;

    redirect_standing_clear(&made);
    made.ports = calloc(port_count + 1, sizeof *ports);
    made.pairs = calloc(pair_count + 1, sizeof *pairs);
    made.learned = calloc(learned_count + 1, sizeof *learned);
    for (size_t i = 0; i < port_count; i++)
        made.ports[made.port_count++] = ports[i];
    for (size_t i = 0; i < pair_count; i++)
        made.pairs[made.pair_count++] = pairs[i];
    for (size_t i = 0; i < learned_count; i++)
        made.learned[made.learned_count++] = learned[i];
    return &made;
}

static void a_peer_takes_the_pair_that_its_endpoint_goes_by(void **state)
{
    const uint16_t ports[] = {41000, 42000};
    const struct redirect_pair pairs[] = {
        {.remote = at("203.0.113.5", 7), .base = at("10.0.0.1", 41000)},
        {.remote = at("203.0.113.6", 8), .base = at("10.0.0.1", 42000)},
    };
    struct redirect_standing *standing = standing_new(ports, 2, pairs, 2, NULL, 0);
    struct peer *peer = peer_at("203.0.113.6", 8);
    struct endpoint base = at("10.0.0.1", 42000), other = at("10.0.0.1", 41000), found;

    (void)state;
    peer_adopt(peer, standing);
    assert_int_equal(peer->pair_count, 1);
    assert_true(peer_port_has(peer, &base));
    assert_false(peer_port_has(peer, &other));
    assert_true(peer_base(peer, &peer->device.endpoint, NULL, &found));
    assert_true(endpoint_equal(&found, &base));
    assert_int_equal(standing->port_count, 1);
    assert_int_equal(standing->ports[0], 41000);
    assert_int_equal(standing->pair_count, 1);
    peer_destroy(peer);
    redirect_standing_clear(standing);
}

static void a_peer_that_moved_takes_the_pair_of_the_port_it_was_seen_on(void **state)
{
    const uint16_t ports[] = {41000};
    const struct redirect_pair pairs[] = {
        {.remote = at("203.0.113.5", 7), .base = at("10.0.0.1", 41000)}};
    const struct redirect_pair learned[] = {
        {.remote = at("203.0.113.5", 99), .base = at("", 41000)}};
    struct redirect_standing *standing = standing_new(ports, 1, pairs, 1, learned, 1);
    struct peer *peer = peer_at("203.0.113.5", 99);
    struct endpoint found;

    (void)state;
    peer_adopt(peer, standing);
    assert_int_equal(peer->pair_count, 1);
    assert_false(peer_base(peer, &peer->device.endpoint, NULL, &found));
    assert_true(peer_base(peer, &peer->device.endpoint, standing, &found));
    assert_string_equal(found.address, "10.0.0.1");
    peer_destroy(peer);
    redirect_standing_clear(standing);
}

static void a_port_adopted_without_address_is_closed_by_its_base(void **state)
{
    const uint16_t ports[] = {41000};
    const struct redirect_pair learned[] = {
        {.remote = at("203.0.113.5", 99), .base = at("", 41000)}};
    struct redirect_standing *standing = standing_new(ports, 1, NULL, 0, learned, 1);
    struct peer *peer = peer_at("203.0.113.5", 99);
    struct endpoint base = at("10.0.0.1", 41000), found;

    (void)state;
    peer_adopt(peer, standing);
    assert_false(peer_base(peer, &peer->device.endpoint, standing, &found));
    assert_true(peer_port_has(peer, &base));
    assert_true(peer_port_drop(peer, &base));
    assert_int_equal(peer->port_count, 0);
    peer_destroy(peer);
    redirect_standing_clear(standing);
}

static void a_peer_without_a_pair_takes_nothing(void **state)
{
    const uint16_t ports[] = {41000};
    struct redirect_standing *standing = standing_new(ports, 1, NULL, 0, NULL, 0);
    struct peer *peer = peer_at("127.0.0.1", 5);

    (void)state;
    peer_adopt(peer, standing);
    assert_int_equal(peer->port_count + peer->pair_count, 0);
    assert_int_equal(standing->port_count, 1);
    peer_destroy(peer);
    redirect_standing_clear(standing);
}

static void a_closed_port_takes_its_pairs_with_it(void **state)
{
    struct peer *peer = peer_new("bob");
    struct endpoint first = at("10.0.0.1", 1), second = at("10.0.0.1", 2),
                    remote = at("192.0.2.1", 9), other = at("192.0.2.1", 10);

    (void)state;
    assert_int_equal(peer_port_add(peer, &first), 0);
    assert_int_equal(peer_port_add(peer, &second), 0);
    peer_pair_add(peer, &remote, &first);
    peer_pair_add(peer, &other, &second);
    assert_true(peer_port_drop(peer, &first));
    assert_false(peer_port_drop(peer, &first));
    assert_null(peer_pair(peer, &remote));
    assert_non_null(peer_pair(peer, &other));
    assert_true(peer_port_number(peer, 2));
    assert_false(peer_port_number(peer, 1));
    peer_destroy(peer);
}

static void the_oldest_pair_makes_room(void **state)
{
    struct peer *peer = peer_new("bob");
    struct endpoint base = at("10.0.0.1", 1), oldest = at("192.0.2.1", 100);

    (void)state;
    for (uint16_t i = 0; i <= PEER_PORTS_MAX; i++) {
        struct endpoint remote = at("192.0.2.1", (uint16_t)(100 + i));

        peer_pair_add(peer, &remote, &base);
        peer_pair_add(peer, &remote, &base);
    }
    assert_int_equal(peer->pair_count, PEER_PORTS_MAX);
    assert_null(peer_pair(peer, &oldest));
    peer_destroy(peer);
}

static void ports_are_bounded(void **state)
{
    struct peer *peer = peer_new("bob");
    struct endpoint base = at("10.0.0.1", 1);

    (void)state;
    for (uint16_t i = 0; i < PEER_PORTS_MAX; i++) {
        base.port = (uint16_t)(i + 1);
        assert_int_equal(peer_port_add(peer, &base), 0);
    }
    assert_int_equal(peer_port_add(peer, &base), -ENOBUFS);
    peer_destroy(peer);
    peer_destroy(NULL);
}

static void allowed_ips_are_the_same_in_any_order(void **state)
{
    struct prefix one[2], two[2];
    struct device_peer a = {.allowed = one, .allowed_count = 2},
                       b = {.allowed = two, .allowed_count = 2};

    (void)state;
    prefix_parse(&one[0], "10.0.0.0/8", false, NULL);
    prefix_parse(&one[1], "fd00::/8", false, NULL);
    two[0] = one[1];
    two[1] = one[0];
    assert_true(device_peer_same_allowed(&a, &b));
    two[1].length = 9;
    assert_false(device_peer_same_allowed(&a, &b));
    b.allowed_count = 1;
    assert_false(device_peer_same_allowed(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_peer_takes_the_pair_that_its_endpoint_goes_by),
        cmocka_unit_test(a_peer_that_moved_takes_the_pair_of_the_port_it_was_seen_on),
        cmocka_unit_test(a_port_adopted_without_address_is_closed_by_its_base),
        cmocka_unit_test(a_peer_without_a_pair_takes_nothing),
        cmocka_unit_test(a_closed_port_takes_its_pairs_with_it),
        cmocka_unit_test(the_oldest_pair_makes_room),
        cmocka_unit_test(ports_are_bounded),
        cmocka_unit_test(allowed_ips_are_the_same_in_any_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
