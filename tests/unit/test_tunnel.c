/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The tunnel over a WireGuard, an nftables table and a host that are only remembered here.
 */
#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wg-setup/address.h"
#include "wg-setup/inbound.h"
#include "wg-setup/redirect.h"
#include "wg-setup/rules.h"
#include "wg-setup/ruleset.h"
#include "wg-setup/tunnel.h"

/* The world */

#define WORLD_MAX 8

static struct world {
    struct device_status peers[WORLD_MAX];
    size_t peer_count;
    bool stands; /* the interface */
    bool key_is_ours;
    unsigned link;
    char said[4000]; /* what the device was told of peers, and the routes */
    struct prefix routes[WORLD_MAX];
    size_t route_count;
    uint16_t ports[WORLD_MAX];
    struct redirect_pair pairs[WORLD_MAX], learned[WORLD_MAX];
    size_t port_count, pair_count, learned_count;
    bool table;
    unsigned applied;
    char addresses[WORLD_MAX][INET6_ADDRSTRLEN];
    size_t address_count;
    bool refuse;       /* nftables does */
    bool deaf;         /* WireGuard takes nothing */
    bool refuse_route; /* the next one */
    char inbound[200]; /* restricted prefixes */
    bool inbound_stands, inbound_gone;
    bool ruled[2], marks; /* networks: IPv4's, IPv6's rules, and the table of marks */
} world;

static struct key key;

static void say(const char *text)
{
    strncat(world.said, text, sizeof world.said - strlen(world.said) - 1);
}

static int device_create(const char *name, struct error *err)
{
    (void)name;
    (void)err;
    if (world.stands)
        return 1;
    world.stands = true;
    world.link++;
    return 0;
}

static int device_set(const char *name, const uint8_t secret[KEY_BYTES], uint16_t port,
                      struct error *err)
{
    (void)name;
    (void)secret;
    (void)port;
    (void)err;
    world.key_is_ours = true;
    return 0;
}

static int device_set_mark(const char *name, uint32_t mark, struct error *err)
{
    char text[32];

    (void)name;
    (void)err;
    snprintf(text, sizeof text, "mark=%#x ", (unsigned)mark);
    say(text);
    return 0;
}

static struct device_status *device_find(const uint8_t public[KEY_BYTES])
{
    for (size_t i = 0; i < world.peer_count; i++)
        if (memcmp(world.peers[i].public_key, public, KEY_BYTES) == 0)
            return &world.peers[i];
    assert_true(world.peer_count < WORLD_MAX);
    memset(&world.peers[world.peer_count], 0, sizeof world.peers[0]);
    memcpy(world.peers[world.peer_count].public_key, public, KEY_BYTES);
    say("new ");
    return &world.peers[world.peer_count++];
}

static int device_set_peer(const char *name, const struct device_peer *peer, struct error *err)
{
    struct device_status *status = device_find(peer->public_key);
    char text[32];

    (void)name;
    if (world.deaf) {
        error_set(err, "wireguard", "deaf");
        return -EIO;
    }
    if (peer->remove) {
        *status = world.peers[--world.peer_count];
        say("remove ");
        return 0;
    }
    if (peer->set_allowed) {
        memcpy(status->allowed, peer->allowed, peer->allowed_count * sizeof *peer->allowed);
        status->allowed_count = peer->allowed_count;
        say("allowed ");
    }
    if (peer->set_preshared) {
        memcpy(status->preshared_key, peer->preshared_key, KEY_BYTES);
        say("preshared ");
    }
    if (peer->set_endpoint) {
        status->endpoint = peer->endpoint;
        say("endpoint ");
    }
    if (peer->set_keepalive) {
        status->keepalive = peer->keepalive;
        snprintf(text, sizeof text, "keepalive=%u ", (unsigned)peer->keepalive);
        say(text);
    }
    return 0;
}

static int device_read(const char *name, struct device_about *about, device_peer_seen *seen,
                       void *data, struct error *err)
{
    (void)name;
    (void)err;
    if (about != NULL) {
        memset(about, 0, sizeof *about);
        if (world.key_is_ours)
            memcpy(about->public_key, key.public, KEY_BYTES);
        about->listen_port = 51820;
    }
    for (size_t i = 0; seen != NULL && i < world.peer_count; i++)
        seen(data, &world.peers[i]);
    return 0;
}

static int device_watch(const char *name)
{
    (void)name;
    return -1;
}

static int device_destroy(const char *name, struct error *err)
{
    (void)name;
    (void)err;
    world.stands = world.key_is_ours = false;
    world.peer_count = world.route_count = 0;
    return 0;
}

const struct device_ops device_kernel = {
    .name = "kernel",
    .create = device_create,
    .set = device_set,
    .set_mark = device_set_mark,
    .set_peer = device_set_peer,
    .read = device_read,
    .watch = device_watch,
    .destroy = device_destroy,
};
const struct device_ops device_userspace = {.name = "userspace"};

struct redirect {
    char unused;
};

struct redirect *redirect_new(const char *interface)
{
    (void)interface;
    return calloc(1, sizeof(struct redirect));
}

void redirect_destroy(struct redirect *redirect)
{
    free(redirect);
}

int redirect_apply(struct redirect *redirect, const struct redirect_rules *rules, struct error *err)
{
    (void)redirect;
    if (world.refuse) {
        error_set(err, "nftables", "refused");
        return -EIO;
    }
    assert_true(rules->port_count <= WORLD_MAX && rules->pair_count <= WORLD_MAX);
    memcpy(world.ports, rules->ports, rules->port_count * sizeof world.ports[0]);
    memcpy(world.pairs, rules->pairs, rules->pair_count * sizeof world.pairs[0]);
    world.port_count = rules->port_count;
    world.pair_count = rules->pair_count;
    world.table = true;
    world.applied++;
    return 0;
}

int redirect_remove(struct redirect *redirect, struct error *err)
{
    (void)redirect;
    (void)err;
    world.table = false;
    world.port_count = world.pair_count = world.learned_count = 0;
    return 0;
}

bool redirect_stands(struct redirect *redirect)
{
    (void)redirect;
    return world.table;
}

int redirect_read(struct redirect *redirect, struct redirect_standing *standing, struct error *err)
{
    (void)redirect;
    (void)err;
    memset(standing, 0, sizeof *standing);
    if (!world.table)
        return -ENOENT;
    standing->ports = calloc(WORLD_MAX, sizeof world.ports[0]);
    standing->pairs = calloc(WORLD_MAX, sizeof world.pairs[0]);
    standing->learned = calloc(WORLD_MAX, sizeof world.learned[0]);
    memcpy(standing->ports, world.ports, sizeof world.ports);
    memcpy(standing->pairs, world.pairs, sizeof world.pairs);
    memcpy(standing->learned, world.learned, sizeof world.learned);
    standing->port_count = world.port_count;
    standing->pair_count = world.pair_count;
    standing->learned_count = world.learned_count;
    return 0;
}

void redirect_forget(struct redirect *redirect, const struct endpoint *remote, uint16_t port)
{
    (void)redirect;
    for (size_t i = world.learned_count; i-- > 0;)
        if (remote ? endpoint_equal(&world.learned[i].remote, remote)
                   : world.learned[i].base.port == port)
            world.learned[i] = world.learned[--world.learned_count];
}

struct inbound_table {
    char unused;
};

struct inbound_table *inbound_new(const char *interface)
{
    (void)interface;
    return calloc(1, sizeof(struct inbound_table));
}

void inbound_destroy(struct inbound_table *table)
{
    free(table);
}

/* Says so where anybody is restricted, or was. */
int inbound_apply(struct inbound_table *table, struct inbound_claim *claims, size_t count,
                  struct error *error)
{
    char text[PREFIX_TEXT_SIZE], wanted[sizeof world.inbound] = "";

    (void)table;
    inbound_sort(claims, count);
    for (size_t i = 0; i < count; i++) {
        if (!inbound_restricts(claims[i].grant) ||
            (i > 0 && prefix_equal(&claims[i - 1].prefix, &claims[i].prefix)))
            continue;
        prefix_format(&claims[i].prefix, text);
        snprintf(wanted + strlen(wanted), sizeof wanted - strlen(wanted), "%s ", text);
    }
    if (world.refuse && wanted[0] != '\0') {
        error_set(error, "nftables", "refused");
        return -EIO;
    }
    if (strcmp(wanted, world.inbound) != 0) {
        say("inbound ");
        memcpy(world.inbound, wanted, sizeof wanted);
    }
    world.inbound_stands = wanted[0] != '\0';
    return 0;
}

int inbound_check(struct inbound_table *table, struct error *error)
{
    (void)table;
    if (!world.inbound_gone)
        return 0;
    if (world.refuse) {
        error_set(error, "nftables", "refused");
        return -EIO;
    }
    world.inbound_gone = false;
    return 1;
}

int inbound_remove(struct inbound_table *table, struct error *error)
{
    (void)table;
    (void)error;
    world.inbound_stands = false;
    return 0;
}

int address_link_up(const char *interface, int mtu, struct error *err)
{
    (void)interface;
    (void)mtu;
    (void)err;
    return 0;
}

int address_add(const char *interface, const struct prefix *address, struct error *err)
{
    (void)interface;
    (void)address;
    (void)err;
    return 0;
}

int address_keep(const char *interface, const struct prefix *addresses, size_t count,
                 struct error *error)
{
    (void)interface;
    (void)addresses;
    (void)count;
    (void)error;
    return 0;
}

int rules_put(const struct rules *rules, int family, struct error *error)
{
    (void)error;
    assert_int_equal(rules->user, 64711);
    say(family == AF_INET ? "rules " : "rules6 ");
    world.ruled[family != AF_INET] = true;
    return 0;
}

int rules_remove(const struct rules *rules, int family, struct error *error)
{
    (void)rules;
    (void)error;
    if (world.ruled[family != AF_INET])
        say(family == AF_INET ? "unrules " : "unrules6 ");
    world.ruled[family != AF_INET] = false;
    return 0;
}

struct ruleset {
    char unused;
};

struct ruleset *ruleset_new(void)
{
    return calloc(1, sizeof(struct ruleset));
}

void ruleset_destroy(struct ruleset *ruleset)
{
    free(ruleset);
}

int ruleset_put(struct ruleset *ruleset, const char *table, const char *text, struct error *error)
{
    (void)ruleset;
    (void)error;
    assert_string_equal(table, "punchguard-routes_pg0");
    assert_non_null(strstr(text, table));
    world.marks = true;
    return 0;
}

bool ruleset_stands(struct ruleset *ruleset, const char *table)
{
    (void)ruleset;
    (void)table;
    return world.marks;
}

int ruleset_remove(struct ruleset *ruleset, const char *table, struct error *error)
{
    (void)ruleset;
    (void)table;
    (void)error;
    world.marks = false;
    return 0;
}

int address_route(const char *interface, const struct prefix *to, uint32_t table, bool add,
                  struct error *err)
{
    assert_int_equal(table == 254, to->length == (to->family == AF_INET ? 32 : 128));
    (void)interface;
    for (size_t i = 0; i < world.route_count; i++) {
        if (!prefix_equal(&world.routes[i], to))
            continue;
        if (!add) {
            world.routes[i] = world.routes[--world.route_count];
            say("unroute ");
        }
        return 0;
    }
    if (add && world.refuse_route) {
        world.refuse_route = false;
        error_set(err, "route", "refused");
        return -EIO;
    }
    if (add) {
        world.routes[world.route_count++] = *to;
        say("route ");
    }
    return 0;
}

unsigned address_link_index(const char *interface)
{
    (void)interface;
    return world.stands ? world.link : 0;
}

int address_set_read(struct address_set *set, const char *interface)
{
    (void)interface;
    set->items = calloc(WORLD_MAX, sizeof *set->items);
    memcpy(set->items, world.addresses, sizeof world.addresses);
    set->count = world.address_count;
    return 0;
}

bool address_set_has(const struct address_set *set, const char *address)
{
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->items[i], address) == 0)
            return true;
    return false;
}

void address_set_clear(struct address_set *set)
{
    free(set->items);
}

int address_link_kind(const char *interface, char out[32])
{
    (void)interface;
    out[0] = '\0';
    return 0;
}

int address_link_add(const char *interface, const char *kind, struct error *err)
{
    (void)interface;
    (void)kind;
    (void)err;
    return 0;
}

int address_link_delete(const char *interface, struct error *err)
{
    (void)interface;
    (void)err;
    return 0;
}

/* What a broker does */

#define KEY_B "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define KEY_C "AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static struct error err;

static struct endpoint at(const char *address, uint16_t port)
{
    struct endpoint made;

    assert_int_equal(endpoint_set(&made, address, port), 0);
    return made;
}

static struct tunnel *open_at(int64_t now)
{
    struct interface interface;
    struct tunnel *t;

    interface_init(&interface);
    interface.backend = BACKEND_KERNEL;
    t = tunnel_open(&interface, &key, now, &err);
    if (t == NULL)
        fail_msg("%s", err.message);
    world.said[0] = '\0';
    return t;
}

static const char *said_inbound; /* `inbound` of what is set next; NULL: none */

static int set(struct tunnel *t, const char *name, const char *public, const char *allowed,
               int64_t keepalive)
{
    char *items[] = {(char *)(uintptr_t)allowed};
    struct message_peer_set m = {.peer = (char *)(uintptr_t)name,
                                 .wg_public_key = (char *)(uintptr_t) public,
                                 .allowed_ips = {.items = items, .count = 1},
                                 .keepalive = keepalive,
                                 .inbound = (char *)(uintptr_t)said_inbound};

    said_inbound = NULL;
    return tunnel_peer_set(t, &m, &err);
}

static int path(struct tunnel *t, const char *name, const char *kind, struct endpoint remote,
                struct endpoint base)
{
    struct message_path_set m = {.peer = (char *)(uintptr_t)name,
                                 .kind = (char *)(uintptr_t)kind,
                                 .remote = remote,
                                 .base = base};

    return tunnel_path_set(t, &m, &err);
}

/* bob, and his direct path 192.0.2.1:7 by 10.0.0.1:41000. */
static struct tunnel *joined(void)
{
    struct tunnel *t = open_at(0);
    struct endpoint base = at("10.0.0.1", 41000);

    assert_int_equal(set(t, "bob", KEY_B, "10.66.0.2/32", 25), 0);
    assert_int_equal(tunnel_port_open(t, "bob", &base, &err), 0);
    assert_int_equal(path(t, "bob", "direct", at("192.0.2.1", 7), base), 0);
    /* Made anew with its endpoint: a packet before may have begun a handshake that went nowhere. */
    assert_string_equal(world.said, "new allowed route remove new allowed endpoint keepalive=25 ");
    world.said[0] = '\0';
    world.peers[0].latest_handshake = 1;
    return t;
}

static int setup(void **state)
{
    (void)state;
    memset(&world, 0, sizeof world);
    snprintf(world.addresses[0], sizeof world.addresses[0], "10.0.0.1");
    world.address_count = 1;
    return 0;
}

struct told {
    struct endpoint endpoint, base;
    unsigned times;
};

static void on_status(void *data, const char *peer, const struct device_status *status,
                      const struct endpoint *base)
{
    struct told *told = data;

    assert_string_equal(peer, "bob");
    told->endpoint = status->endpoint;
    told->base = *base;
    told->times++;
}

static struct told status(struct tunnel *t)
{
    struct told told = {.times = 0};

    assert_int_equal(tunnel_status(t, on_status, &told, &err), 0);
    return told;
}

/* Tests */

static void a_standing_peer_is_taken_over_untouched(void **state)
{
    struct tunnel *t = joined();
    struct endpoint base = at("10.0.0.1", 41000);
    struct told told;

    (void)state;
    tunnel_destroy(t);
    t = open_at(1000);
    assert_int_equal(status(t).times, 0);
    assert_int_equal(set(t, "bob", KEY_B, "10.66.0.2/32", 25), 0);
    told = status(t);
    assert_int_equal(told.times, 1);
    assert_true(endpoint_equal(&told.base, &base));
    assert_int_equal(tunnel_port_open(t, "bob", &base, &err), 0);
    assert_int_equal(path(t, "bob", "direct", at("192.0.2.1", 7), base), 0);
    assert_string_equal(world.said, "");
    assert_int_equal(world.pair_count, 1);
    assert_int_equal(tunnel_port_close(t, "bob", &base, &err), 0);
    assert_int_equal(world.port_count, 0);
    assert_int_equal(world.pair_count, 0);
    tunnel_destroy(t);
}

static void only_what_differs_is_set(void **state)
{
    struct tunnel *t = joined();

    (void)state;
    tunnel_destroy(t);
    t = open_at(0);
    assert_int_equal(set(t, "bob", KEY_B, "10.66.0.2/32", 20), 0);
    assert_string_equal(world.said, "keepalive=20 ");
    world.said[0] = '\0';
    assert_int_equal(set(t, "bob", KEY_B, "10.66.0.3/32", 20), 0);
    assert_string_equal(world.said, "allowed unroute route ");
    tunnel_destroy(t);
}

static void what_nobody_asks_for_goes_after_its_time(void **state)
{
    struct tunnel *t = joined();

    (void)state;
    tunnel_destroy(t);
    t = open_at(1000);
    assert_int_equal(tunnel_timeout(t, 1000), TUNNEL_ADOPTION_MS);
    tunnel_tick(t, 1000 + TUNNEL_ADOPTION_MS - 1);
    assert_int_equal(world.peer_count, 1);
    tunnel_tick(t, 1000 + TUNNEL_ADOPTION_MS);
    assert_int_equal(world.peer_count, 0);
    assert_int_equal(world.port_count + world.pair_count, 0);
    assert_int_equal(world.route_count, 0);
    assert_int_equal(tunnel_timeout(t, 2000), -1);
    tunnel_destroy(t);
}

static void a_peer_set_in_time_stays(void **state)
{
    struct tunnel *t = joined();

    (void)state;
    world.ports[world.port_count++] = 49000;
    tunnel_destroy(t);
    t = open_at(0);
    assert_int_equal(world.port_count, 2);
    assert_int_equal(set(t, "bob", KEY_B, "10.66.0.2/32", 25), 0);
    tunnel_tick(t, TUNNEL_ADOPTION_MS);
    assert_int_equal(world.peer_count, 1);
    assert_int_equal(world.pair_count, 1);
    assert_int_equal(world.port_count, 1);
    assert_int_equal(world.ports[0], 41000);
    tunnel_destroy(t);
}

static bool refuse_all(const void *data, const struct prefix *allowed, size_t count)
{
    (void)data;
    (void)allowed;
    assert_int_equal(count, 1);
    return false;
}

static void a_standing_peer_without_grant_goes_at_once(void **state)
{
    struct tunnel *t = joined();

    (void)state;
    tunnel_destroy(t);
    t = open_at(0);
    tunnel_adopted_check(t, refuse_all, NULL);
    assert_int_equal(world.peer_count, 0);
    assert_int_equal(world.pair_count, 0);
    tunnel_destroy(t);
}

/* bob is granted all but 10.66.9.0/24; carol nothing. */
static bool grant_bob(const void *data, const char *peer, const struct prefix *prefix)
{
    struct prefix refused;

    (void)data;
    assert_int_equal(prefix_parse(&refused, "10.66.9.0/24", false, NULL), 0);
    return strcmp(peer, "bob") == 0 && (prefix == NULL || !prefix_equal(prefix, &refused));
}

static void what_is_not_granted_any_more_is_taken_and_the_rest_goes_on(void **state)
{
    struct tunnel *t = joined();
    char two[] = "10.66.0.2/32", more[] = "10.66.9.0/24", bob[] = "bob", key_of_bob[] = KEY_B;
    char *items[] = {two, more};
    struct message_peer_set m = {.peer = bob,
                                 .wg_public_key = key_of_bob,
                                 .allowed_ips = {.items = items, .count = 2},
                                 .keepalive = 25};

    (void)state;
    assert_int_equal(set(t, "carol", KEY_C, "10.66.0.3/32", 25), 0);
    assert_int_equal(tunnel_peer_set(t, &m, &err), 0);
    world.said[0] = '\0';
    tunnel_granted_check(t, grant_bob, NULL);
    assert_string_equal(world.said, "remove unroute allowed unroute ");
    assert_int_equal(world.peer_count, 1);
    assert_int_equal(world.peers[0].allowed_count, 1);
    assert_int_equal(world.pair_count, 1);
    world.said[0] = '\0';
    tunnel_granted_check(t, grant_bob, NULL);
    assert_string_equal(world.said, "");
    tunnel_destroy(t);
}

static void a_table_without_its_interface_is_removed(void **state)
{
    struct tunnel *t = joined();

    (void)state;
    tunnel_destroy(t);
    device_destroy("pg0", NULL);
    t = open_at(0);
    assert_false(world.table);
    tunnel_destroy(t);
}

static void an_interface_with_another_key_is_left_alone(void **state)
{
    struct interface interface;

    (void)state;
    world.stands = true;
    interface_init(&interface);
    interface.backend = BACKEND_KERNEL;
    assert_null(tunnel_open(&interface, &key, 0, &err));
    assert_string_equal(err.code, "interface-taken");
    assert_true(world.stands);
}

static void nobody_takes_anothers_key(void **state)
{
    struct tunnel *t = joined();
    char ours[KEY_TEXT_LENGTH + 1];

    (void)state;
    assert_int_equal(set(t, "mallory", KEY_B, "10.66.0.9/32", 25), -EEXIST);
    assert_string_equal(err.code, "key-taken");
    key_to_text(key.public, ours);
    assert_int_equal(set(t, "mallory", ours, "10.66.0.9/32", 25), -EINVAL);
    assert_string_equal(world.said, "");
    tunnel_destroy(t);
}

static void a_new_key_keeps_the_path(void **state)
{
    struct tunnel *t = joined();

    (void)state;
    assert_int_equal(set(t, "bob", KEY_C, "10.66.0.2/32", 25), 0);
    assert_string_equal(world.said, "remove new allowed remove new allowed endpoint keepalive=25 ");
    assert_int_equal(world.peer_count, 1);
    assert_string_equal(world.peers[0].endpoint.address, "192.0.2.1");
    assert_int_equal(world.pair_count, 1);
    tunnel_destroy(t);
}

static void a_route_that_another_peer_needs_stays(void **state)
{
    struct tunnel *t = open_at(0);

    (void)state;
    assert_int_equal(set(t, "bob", KEY_B, "10.66.0.0/24", 25), 0);
    assert_int_equal(set(t, "carol", KEY_C, "10.66.0.0/24", 25), 0);
    assert_int_equal(tunnel_peer_remove(t, "bob", &err), 0);
    assert_int_equal(world.route_count, 1);
    assert_int_equal(tunnel_peer_remove(t, "carol", &err), 0);
    assert_int_equal(world.route_count, 0);
    assert_int_equal(tunnel_peer_remove(t, "carol", &err), -ENOENT);
    tunnel_destroy(t);
}

static void a_new_base_makes_wireguard_send(void **state)
{
    struct tunnel *t = joined();

    (void)state;
    world.learned[world.learned_count++] =
        (struct redirect_pair){.remote = at("192.0.2.1", 7), .base = {.port = 41000}};
    assert_int_equal(path(t, "bob", "direct", at("192.0.2.1", 7), at("10.0.0.1", 42000)), 0);
    assert_string_equal(world.said, "endpoint keepalive=0 keepalive=25 ");
    assert_int_equal(world.pair_count, 1);
    assert_int_equal(world.pairs[0].base.port, 42000);
    assert_int_equal(world.learned_count, 0);
    tunnel_destroy(t);
}

/* A peer that was answered has keys of what would be forgotten. */
static void only_a_peer_that_nothing_came_from_is_made_anew_for_its_path(void **state)
{
    struct tunnel *t = joined();

    (void)state;
    world.peers[0].latest_handshake = 0;
    world.peers[0].rx_bytes = 148;
    assert_int_equal(path(t, "bob", "direct", at("192.0.2.1", 8), at("10.0.0.1", 41000)), 0);
    assert_string_equal(world.said, "endpoint keepalive=0 keepalive=25 ");
    world.said[0] = '\0';
    world.peers[0].rx_bytes = 0;
    assert_int_equal(path(t, "bob", "direct", at("192.0.2.1", 9), at("10.0.0.1", 41000)), 0);
    assert_string_equal(world.said, "remove new allowed endpoint keepalive=25 ");
    tunnel_destroy(t);
}

/* Not its routes: what goes by them would leave the host as it is meanwhile. */
static void a_peer_that_is_set_anew_is_forgotten_by_wireguard_alone(void **state)
{
    char *items[] = {(char *)(uintptr_t) "10.66.0.2/32"};
    struct message_peer_set m = {.peer = (char *)(uintptr_t) "bob",
                                 .wg_public_key = (char *)(uintptr_t)KEY_B,
                                 .allowed_ips = {.items = items, .count = 1},
                                 .keepalive = 20,
                                 .anew = true};
    struct tunnel *t = joined();

    (void)state;
    assert_int_equal(tunnel_peer_set(t, &m, &err), 0);
    assert_string_equal(world.said, "remove new allowed ");
    assert_int_equal(world.port_count, 1);
    world.said[0] = '\0';
    assert_int_equal(path(t, "bob", "direct", at("192.0.2.1", 7), at("10.0.0.1", 41000)), 0);
    assert_string_equal(world.said, "remove new allowed endpoint keepalive=20 ");
    tunnel_destroy(t);
}

/* The peer begins: to forget it while it does would undo its handshake. */
static void a_path_without_keepalive_is_set_and_nothing_else(void **state)
{
    struct tunnel *t = open_at(0);
    struct endpoint base = at("10.0.0.1", 41000);

    (void)state;
    assert_int_equal(set(t, "bob", KEY_B, "10.66.0.2/32", 0), 0);
    assert_int_equal(tunnel_port_open(t, "bob", &base, &err), 0);
    assert_int_equal(path(t, "bob", "direct", at("192.0.2.1", 7), base), 0);
    assert_string_equal(world.said, "new allowed route endpoint keepalive=0 ");
    tunnel_destroy(t);
}

static void a_path_is_checked(void **state)
{
    struct tunnel *t = joined();
    struct endpoint none = {.port = 0}, remote = at("192.0.2.1", 8), base = at("10.0.0.1", 41000);

    (void)state;
    assert_int_equal(path(t, "bob", "direct", remote, none), -EINVAL);
    assert_int_equal(path(t, "bob", "direct", none, base), -EINVAL);
    assert_int_equal(path(t, "bob", "direct", at("2001:db8::1", 8), base), -EINVAL);
    assert_int_equal(path(t, "bob", "forwarded", remote, none), -EINVAL);
    assert_int_equal(path(t, "carol", "direct", remote, base), -ENOENT);
    assert_string_equal(world.said, "");
    assert_int_equal(path(t, "bob", "forwarded", at("127.0.0.1", 8), none), 0);
    assert_int_equal(status(t).base.port, 0);
    tunnel_destroy(t);
}

static void a_refusal_of_nftables_leaves_no_port_open(void **state)
{
    struct tunnel *t = joined();
    struct endpoint base = at("10.0.0.1", 42000);

    (void)state;
    world.refuse = true;
    assert_int_equal(tunnel_port_open(t, "bob", &base, &err), -EIO);
    world.refuse = false;
    assert_int_equal(tunnel_tables_check(t, &err), 0);
    world.table = false;
    assert_int_equal(tunnel_tables_check(t, &err), 1);
    assert_int_equal(world.port_count, 1);
    assert_int_equal(world.ports[0], 41000);
    tunnel_destroy(t);
}

static void a_base_that_goes_leaves_its_port(void **state)
{
    struct tunnel *t = joined();

    (void)state;
    assert_int_equal(tunnel_addresses_check(t, &err), 0);
    world.address_count = 0;
    assert_int_equal(tunnel_addresses_check(t, &err), 1);
    assert_true(world.pairs[0].away);
    assert_int_equal(world.pairs[0].base.port, 41000);
    assert_string_equal(world.said, "endpoint keepalive=0 keepalive=25 ");
    world.said[0] = '\0';
    tunnel_settled(t);
    assert_string_equal(world.said, "endpoint keepalive=0 keepalive=25 ");
    world.said[0] = '\0';
    tunnel_settled(t);
    assert_string_equal(world.said, "");
    world.address_count = 1;
    assert_int_equal(tunnel_addresses_check(t, &err), 1);
    assert_false(world.pairs[0].away);
    tunnel_destroy(t);
}

static void a_peer_that_moved_is_followed_when_a_base_goes(void **state)
{
    struct tunnel *t = joined();

    (void)state;
    world.peers[0].endpoint = at("192.0.2.9", 9);
    world.address_count = 0;
    assert_int_equal(tunnel_addresses_check(t, &err), 1);
    assert_string_equal(world.peers[0].endpoint.address, "192.0.2.9");
    tunnel_destroy(t);
}

static void a_deleted_interface_is_made_and_filled_again(void **state)
{
    struct tunnel *t = joined();

    (void)state;
    assert_int_equal(tunnel_link_check(t, &err), 0);
    device_destroy("pg0", NULL);
    assert_int_equal(tunnel_link_check(t, &err), 1);
    assert_int_equal(world.peer_count, 1);
    assert_int_equal(world.peers[0].allowed_count, 1);
    assert_int_equal(world.peers[0].keepalive, 25);
    assert_string_equal(world.peers[0].endpoint.address, "192.0.2.1");
    assert_int_equal(world.route_count, 1);
    assert_int_equal(tunnel_link_check(t, &err), 0);
    tunnel_destroy(t);
}

static const struct grant closed = {.peer = "bob", .inbound = {.kind = INBOUND_NONE}};

/* bob, set or adopted, may begin nothing. */
static const struct grant *close_bob(const void *grants, const char *peer,
                                     const struct prefix *allowed)
{
    static const uint8_t his[4] = {10, 66, 0, 2};

    assert_null(grants);
    return strcmp(peer, "bob") == 0 || (peer[0] == '\0' && memcmp(allowed->address, his, 4) == 0)
               ? &closed
               : NULL;
}

static const struct grant *open_all(const void *grants, const char *peer,
                                    const struct prefix *allowed)
{
    (void)grants;
    (void)peer;
    (void)allowed;
    return NULL;
}

static void what_a_peer_may_begin_is_ruled_before_wireguard_has_it(void **state)
{
    struct tunnel *t = open_at(0);

    (void)state;
    tunnel_inbound_set(t, close_bob, NULL);
    assert_string_equal(world.said, "");
    assert_int_equal(set(t, "carol", KEY_C, "10.66.0.3/32", 25), 0);
    assert_string_equal(world.said, "new allowed route ");
    world.said[0] = '\0';
    assert_int_equal(set(t, "bob", KEY_B, "10.66.0.2/32", 25), 0);
    assert_string_equal(world.said, "inbound new allowed route ");
    world.said[0] = '\0';
    /* Both addresses until WireGuard has let the first one go. */
    assert_int_equal(set(t, "bob", KEY_B, "10.66.0.9/32", 25), 0);
    assert_string_equal(world.said, "inbound allowed unroute route inbound ");
    assert_string_equal(world.inbound, "10.66.0.9/32 ");
    world.said[0] = '\0';
    assert_int_equal(tunnel_peer_remove(t, "bob", &err), 0);
    assert_string_equal(world.said, "remove unroute inbound ");
    assert_string_equal(world.inbound, "");
    tunnel_destroy(t);
}

static void what_the_broker_says_rules_before_wireguard_has_it(void **state)
{
    struct tunnel *t = open_at(0);

    (void)state;
    tunnel_inbound_set(t, open_all, NULL);
    said_inbound = "tcp/22";
    assert_int_equal(set(t, "bob", KEY_B, "10.66.0.2/32", 25), 0);
    assert_string_equal(world.said, "inbound new allowed route ");
    assert_string_equal(world.inbound, "10.66.0.2/32 ");
    said_inbound = "tcp/0";
    assert_int_equal(set(t, "bob", KEY_B, "10.66.0.2/32", 25), -EINVAL);
    assert_non_null(strstr(err.message, "peer-set: inbound: 'tcp/0' is neither all, none nor"));
    assert_string_equal(world.inbound, "10.66.0.2/32 ");
    said_inbound = "none";
    assert_int_equal(set(t, "carol", "no key", "10.66.0.3/32", 25), -EINVAL);
    assert_string_equal(world.inbound, "10.66.0.2/32 ");
    said_inbound = "all";
    assert_int_equal(set(t, "bob", KEY_B, "10.66.0.2/32", 25), 0);
    assert_string_equal(world.inbound, "");
    tunnel_destroy(t);
}

static void what_the_broker_says_widens_nothing(void **state)
{
    struct tunnel *t = open_at(0);

    (void)state;
    tunnel_inbound_set(t, close_bob, NULL);
    said_inbound = "all";
    assert_int_equal(set(t, "bob", KEY_B, "10.66.0.2/32", 25), 0);
    assert_string_equal(world.inbound, "10.66.0.2/32 ");
    tunnel_destroy(t);
}

/* An earlier word stays where a later one could not be carried out. */
static void what_is_refused_leaves_what_was_said(void **state)
{
    struct tunnel *t = open_at(0);

    (void)state;
    tunnel_inbound_set(t, open_all, NULL);
    said_inbound = "none";
    assert_int_equal(set(t, "bob", KEY_B, "10.66.0.2/32", 25), 0);
    said_inbound = "none";
    assert_int_equal(set(t, "carol", KEY_C, "10.66.0.3/32", 25), 0);
    world.refuse = true;
    said_inbound = "all";
    assert_int_equal(set(t, "bob", KEY_B, "10.66.0.2/32", 25), -EIO);
    world.refuse = false;
    assert_int_equal(set(t, "carol", KEY_C, "10.66.0.3/32", 25), 0);
    assert_string_equal(world.inbound, "10.66.0.2/32 ");
    tunnel_destroy(t);
}

static void a_changed_grant_rules_at_once(void **state)
{
    struct tunnel *t = joined();

    (void)state;
    tunnel_inbound_set(t, open_all, NULL);
    assert_string_equal(world.said, "");
    tunnel_inbound_set(t, close_bob, NULL);
    assert_string_equal(world.said, "inbound ");
    assert_string_equal(world.inbound, "10.66.0.2/32 ");
    tunnel_inbound_set(t, open_all, NULL);
    assert_string_equal(world.inbound, "");
    assert_int_equal(world.pair_count, 1);
    tunnel_destroy(t);
}

static void an_adopted_peer_stays_ruled(void **state)
{
    struct tunnel *t = joined();

    (void)state;
    tunnel_inbound_set(t, close_bob, NULL);
    tunnel_destroy(t);
    t = open_at(0);
    assert_string_equal(world.inbound, "10.66.0.2/32 ");
    tunnel_inbound_set(t, close_bob, NULL);
    assert_int_equal(set(t, "bob", KEY_B, "10.66.0.2/32", 25), 0);
    assert_string_equal(world.said, "");
    tunnel_undo(t);
    assert_false(world.inbound_stands);
    tunnel_destroy(t);
}

/* What stood before is closed until it is set, and what is set is as the broker says. */
static const struct grant *close_nameless(const void *grants, const char *peer,
                                          const struct prefix *allowed)
{
    (void)grants;
    (void)allowed;
    return peer[0] == '\0' ? &closed : NULL;
}

static void an_adopted_peer_that_can_not_be_set_stays_ruled(void **state)
{
    (void)state;
    for (int deaf = 0; deaf < 2; deaf++) {
        struct tunnel *t;

        setup(NULL);
        t = joined();
        tunnel_destroy(t);
        t = open_at(0);
        tunnel_inbound_set(t, close_nameless, NULL);
        world.refuse = !deaf;
        world.deaf = deaf;
        said_inbound = "none";
        assert_int_equal(set(t, "bob", KEY_B, "10.66.0.2/32", 20), -EIO);
        assert_string_equal(world.inbound, "10.66.0.2/32 ");
        world.refuse = world.deaf = false;
        assert_int_equal(set(t, "carol", KEY_C, "10.66.0.3/32", 25), 0);
        assert_string_equal(world.inbound, "10.66.0.2/32 ");
        tunnel_tick(t, TUNNEL_ADOPTION_MS);
        assert_int_equal(world.peer_count, 1);
        assert_int_equal(world.peers[0].public_key[0], 2);
        tunnel_destroy(t);
    }
}

static void wireguard_keeps_nothing_that_has_no_route(void **state)
{
    struct tunnel *t = open_at(0);

    (void)state;
    tunnel_inbound_set(t, open_all, NULL);
    world.refuse_route = true;
    said_inbound = "none";
    assert_int_equal(set(t, "bob", KEY_B, "10.66.0.2/32", 25), -EIO);
    assert_int_equal(world.peer_count + world.route_count, 0);
    said_inbound = "none";
    assert_int_equal(set(t, "bob", KEY_B, "10.66.0.2/32", 25), 0);
    world.refuse_route = true;
    said_inbound = "none";
    assert_int_equal(set(t, "bob", KEY_B, "10.66.0.9/32", 25), -EIO);
    assert_string_equal(world.inbound, "10.66.0.2/32 ");
    assert_int_equal(world.peers[0].allowed_count, 1);
    assert_int_equal(world.peers[0].allowed[0].address[3], 2);
    assert_int_equal(world.route_count, 1);
    assert_int_equal(world.routes[0].address[3], 2);
    tunnel_destroy(t);
}

static void nobody_comes_in_where_nothing_can_be_ruled(void **state)
{
    struct tunnel *t = joined();

    (void)state;
    assert_int_equal(set(t, "carol", KEY_C, "10.66.0.3/32", 25), 0);
    world.refuse = true;
    tunnel_inbound_set(t, close_bob, NULL);
    assert_int_equal(world.peer_count, 1);
    assert_int_equal(world.peers[0].public_key[0], 2);
    assert_int_equal(set(t, "bob", KEY_B, "10.66.0.2/32", 25), -EIO);
    assert_string_equal(err.message, "refused");
    assert_int_equal(world.peer_count, 1);
    assert_int_equal(set(t, "carol", KEY_C, "10.66.0.4/32", 25), 0);
    tunnel_destroy(t);
}

static void a_peer_goes_whose_rules_are_gone_for_good(void **state)
{
    struct tunnel *t = joined();

    (void)state;
    tunnel_inbound_set(t, close_bob, NULL);
    world.inbound_gone = true;
    assert_int_equal(tunnel_tables_check(t, &err), 1);
    assert_int_equal(world.peer_count, 1);
    world.inbound_gone = world.refuse = true;
    assert_int_equal(tunnel_tables_check(t, &err), -EIO);
    assert_int_equal(world.peer_count, 0);
    tunnel_destroy(t);
}

static void a_network_has_rules_before_its_route(void **state)
{
    struct tunnel *t = open_at(0);

    (void)state;
    tunnel_routing_set(t, 64711, NULL);
    assert_int_equal(set(t, "carol", KEY_C, "10.66.0.3/32", 25), 0);
    assert_string_equal(world.said, "new allowed route ");
    world.said[0] = '\0';
    assert_int_equal(set(t, "bob", KEY_B, "0.0.0.0/0", 25), 0);
    assert_string_equal(world.said, "new allowed mark=0x5047 rules route ");
    assert_true(world.marks);
    world.said[0] = '\0';
    assert_int_equal(set(t, "carol", KEY_C, "fd00::/8", 25), 0);
    assert_string_equal(world.said, "allowed unroute rules6 route ");
    world.said[0] = '\0';
    assert_int_equal(set(t, "bob", KEY_B, "10.66.0.2/32", 25), 0);
    assert_string_equal(world.said, "allowed unroute route unrules ");
    assert_true(world.marks);
    world.said[0] = '\0';
    assert_int_equal(tunnel_peer_remove(t, "carol", &err), 0);
    assert_string_equal(world.said, "remove unroute unrules6 mark=0 ");
    assert_false(world.marks);
    tunnel_destroy(t);
}

/* The interface's own network leads to it already. */
static void a_network_of_the_interface_needs_no_rules(void **state)
{
    struct interface interface;
    struct tunnel *t;

    (void)state;
    interface_init(&interface);
    assert_int_equal(interface_add_address(&interface, "10.66.0.1/16", &err), 0);
    t = tunnel_open(&interface, &key, 0, &err);
    assert_non_null(t);
    tunnel_routing_set(t, 64711, NULL);
    assert_int_equal(set(t, "bob", KEY_B, "10.66.2.0/24", 25), 0);
    assert_string_equal(world.said, "new allowed ");
    tunnel_destroy(t);
}

static void rules_for_networks_are_taken_over_and_put_back(void **state)
{
    struct tunnel *t = open_at(0);

    (void)state;
    tunnel_routing_set(t, 64711, NULL);
    assert_int_equal(set(t, "bob", KEY_B, "0.0.0.0/0", 25), 0);
    tunnel_destroy(t);
    t = open_at(0);
    tunnel_routing_set(t, 64711, NULL);
    assert_string_equal(world.said, "mark=0x5047 rules ");
    world.said[0] = '\0';
    world.ruled[0] = world.marks = false;
    assert_int_equal(tunnel_rules_check(t, &err), 0);
    assert_int_equal(tunnel_tables_check(t, &err), 1);
    assert_true(world.ruled[0] && world.marks);
    world.said[0] = '\0';
    device_destroy("pg0", NULL);
    assert_int_equal(tunnel_link_check(t, &err), 1);
    assert_string_equal(world.said, "mark=0x5047 new allowed preshared route ");
    world.said[0] = '\0';
    tunnel_undo(t);
    assert_string_equal(world.said, "unrules ");
    assert_false(world.ruled[0] || world.marks);
    tunnel_destroy(t);
}

static void rules_that_a_crash_left_go_where_nobody_needs_them(void **state)
{
    struct tunnel *t = joined();

    (void)state;
    world.ruled[0] = world.ruled[1] = world.marks = true;
    tunnel_routing_set(t, 64711, NULL);
    assert_string_equal(world.said, "unrules unrules6 ");
    assert_false(world.marks);
    tunnel_destroy(t);
}

static void undoing_leaves_nothing(void **state)
{
    struct tunnel *t = joined();

    (void)state;
    tunnel_undo(t);
    assert_false(world.stands);
    assert_false(world.table);
    tunnel_destroy(t);
    tunnel_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_standing_peer_is_taken_over_untouched, setup),
        cmocka_unit_test_setup(only_what_differs_is_set, setup),
        cmocka_unit_test_setup(what_nobody_asks_for_goes_after_its_time, setup),
        cmocka_unit_test_setup(a_peer_set_in_time_stays, setup),
        cmocka_unit_test_setup(a_standing_peer_without_grant_goes_at_once, setup),
        cmocka_unit_test_setup(what_is_not_granted_any_more_is_taken_and_the_rest_goes_on, setup),
        cmocka_unit_test_setup(a_table_without_its_interface_is_removed, setup),
        cmocka_unit_test_setup(an_interface_with_another_key_is_left_alone, setup),
        cmocka_unit_test_setup(nobody_takes_anothers_key, setup),
        cmocka_unit_test_setup(a_new_key_keeps_the_path, setup),
        cmocka_unit_test_setup(a_route_that_another_peer_needs_stays, setup),
        cmocka_unit_test_setup(a_new_base_makes_wireguard_send, setup),
        cmocka_unit_test_setup(only_a_peer_that_nothing_came_from_is_made_anew_for_its_path, setup),
        cmocka_unit_test_setup(a_peer_that_is_set_anew_is_forgotten_by_wireguard_alone, setup),
        cmocka_unit_test_setup(a_path_without_keepalive_is_set_and_nothing_else, setup),
        cmocka_unit_test_setup(a_path_is_checked, setup),
        cmocka_unit_test_setup(a_refusal_of_nftables_leaves_no_port_open, setup),
        cmocka_unit_test_setup(a_base_that_goes_leaves_its_port, setup),
        cmocka_unit_test_setup(a_peer_that_moved_is_followed_when_a_base_goes, setup),
        cmocka_unit_test_setup(a_deleted_interface_is_made_and_filled_again, setup),
        cmocka_unit_test_setup(what_a_peer_may_begin_is_ruled_before_wireguard_has_it, setup),
        cmocka_unit_test_setup(what_the_broker_says_rules_before_wireguard_has_it, setup),
        cmocka_unit_test_setup(what_the_broker_says_widens_nothing, setup),
        cmocka_unit_test_setup(what_is_refused_leaves_what_was_said, setup),
        cmocka_unit_test_setup(a_changed_grant_rules_at_once, setup),
        cmocka_unit_test_setup(an_adopted_peer_stays_ruled, setup),
        cmocka_unit_test_setup(an_adopted_peer_that_can_not_be_set_stays_ruled, setup),
        cmocka_unit_test_setup(wireguard_keeps_nothing_that_has_no_route, setup),
        cmocka_unit_test_setup(nobody_comes_in_where_nothing_can_be_ruled, setup),
        cmocka_unit_test_setup(a_peer_goes_whose_rules_are_gone_for_good, setup),
        cmocka_unit_test_setup(a_network_has_rules_before_its_route, setup),
        cmocka_unit_test_setup(a_network_of_the_interface_needs_no_rules, setup),
        cmocka_unit_test_setup(rules_for_networks_are_taken_over_and_put_back, setup),
        cmocka_unit_test_setup(rules_that_a_crash_left_go_where_nobody_needs_them, setup),
        cmocka_unit_test_setup(undoing_leaves_nothing, setup),
    };

    randombytes_buf(key.secret, sizeof key.secret);
    crypto_scalarmult_curve25519_base(key.public, key.secret);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
