/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/interface.h"

static struct error err;

static int read_interface(struct interface *interface, const char *text)
{
    struct json *document = json_parse(text, strlen(text), &err);
    struct json_at root = json_root(document);
    int rc;

    assert_non_null(document);
    interface_init(interface);
    rc = interface_read(interface, &root, &err);
    json_destroy(document);
    return rc;
}

static int read_grant(struct grant *grant, const char *text)
{
    struct json *document = json_parse(text, strlen(text), &err);
    struct json_at root = json_root(document);
    int rc;

    assert_non_null(document);
    rc = grant_read(grant, &root, &err);
    json_destroy(document);
    return rc;
}

static void expect_error(const char *code, const char *text)
{
    assert_string_equal(err.code, code);
    if (strstr(err.message, text) == NULL)
        fail_msg("'%s' does not say '%s'", err.message, text);
}

static void everything_has_a_default(void **state)
{
    struct interface interface;

    (void)state;
    assert_int_equal(read_interface(&interface, "{}"), 0);
    assert_string_equal(interface.name, "pg0");
    assert_int_equal(interface.address_count, 0);
    assert_int_equal(interface.mtu, 1280);
    assert_int_equal(interface.listen_port, 0);
    assert_string_equal(interface_backend_name(interface.backend), "auto");
    assert_int_equal(interface.forward, FORWARD_NONE);
}

static void everything_can_be_set(void **state)
{
    struct interface interface;
    char text[PREFIX_TEXT_SIZE];

    (void)state;
    assert_int_equal(read_interface(&interface,
                                    "{\"name\":\"wg-home_1.x\",\"addresses\":[\"10.66.0.1/24\","
                                    "\"fd00::1/64\"],\"mtu\":1420,\"listen_port\":65535,"
                                    "\"backend\":\"userspace\",\"forward\":\"masquerade\"}"),
                     0);
    assert_string_equal(interface.name, "wg-home_1.x");
    assert_int_equal(interface.address_count, 2);
    prefix_format(&interface.addresses[1], text);
    assert_string_equal(text, "fd00::1/64");
    assert_int_equal(interface.mtu, 1420);
    assert_int_equal(interface.listen_port, 65535);
    assert_int_equal(interface.backend, BACKEND_USERSPACE);
    assert_int_equal(interface.forward, FORWARD_MASQUERADE);
}

static void what_is_wrong_is_told_with_its_path(void **state)
{
    static const struct {
        const char *text, *code, *says;
    } bad[] = {
        {"[]", "wrong-type", "$: an object"},
        {"{\"nmae\":\"x\"}", "unknown-key", "did you mean 'name'?"},
        {"{\"name\":\"\"}", "bad-interface-name", "$.name: "},
        {"{\"name\":\"sixteen-letters-\"}", "bad-interface-name", "1 to 15 letters"},
        {"{\"name\":\"../x\"}", "bad-interface-name", "$.name: "},
        {"{\"name\":\"a b\"}", "bad-interface-name", "$.name: "},
        {"{\"name\":\"-x\"}", "bad-interface-name", "$.name: "},
        {"{\"name\":\"\xc3\xa9\"}", "bad-interface-name", "$.name: '\xc3\xa9'"},
        {"{\"name\":7}", "wrong-type", "$.name: a string"},
        {"{\"addresses\":\"10.0.0.1/8\"}", "wrong-type", "$.addresses: an array"},
        {"{\"addresses\":[\"10.0.0.1/8\",\"x\"]}", "bad-prefix", "$.addresses[1]: 'x'"},
        {"{\"addresses\":[\"10.0.0.1/8\",\"10.0.0.1/8\"]}", "duplicate", "$.addresses[1]: "},
        {"{\"mtu\":575}", "out-of-range", "$.mtu: 575 is not between 576 and 8920"},
        {"{\"mtu\":8921}", "out-of-range", "$.mtu: "},
        {"{\"listen_port\":65536}", "out-of-range", "$.listen_port: "},
        {"{\"listen_port\":-1}", "out-of-range", "$.listen_port: "},
        {"{\"forward\":true}", "wrong-type", "$.forward: "},
        {"{\"forward\":\"nat\"}", "bad-forward", "$.forward: 'nat' is no way to forward; none, routed or"},
        {"{\"backend\":\"kernal\"}", "bad-backend", "auto, kernel or userspace"},
    };
    struct interface interface;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(read_interface(&interface, bad[i].text), -EINVAL);
        expect_error(bad[i].code, bad[i].says);
    }
}

static void addresses_are_bounded(void **state)
{
    struct interface interface;
    char text[40];

    (void)state;
    interface_init(&interface);
    for (int i = 0; i < INTERFACE_ADDRESSES_MAX; i++) {
        snprintf(text, sizeof text, "10.0.0.%d/8", i);
        assert_int_equal(interface_add_address(&interface, text, &err), 0);
    }
    assert_int_equal(interface_add_address(&interface, "10.0.1.0/8", &err), -EINVAL);
    expect_error("too-many", "at most 16");
}

#define ID "PG1AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQTCQKRMFYYDENBWHA5DYPQNTDNSA"

static void a_grant_is_read(void **state)
{
    struct grant grant;

    (void)state;
    assert_int_equal(read_grant(&grant, "{\"name\":\"home-1\",\"id\":\"" ID "\",\"allowed_ips\":["
                                        "\"10.66.0.2/32\",\"fd00::/64\"],\"other\":1}"),
                     0);
    assert_string_equal(grant.peer, "home-1");
    assert_int_equal(grant.key[31], 31);
    assert_int_equal(grant.allowed_count, 2);
    grant_clear(&grant);
    grant_clear(NULL);
}

static void a_wrong_grant_is_told_with_its_path(void **state)
{
    static const struct {
        const char *text, *code, *says;
    } bad[] = {
        {"7", "wrong-type", "$: an object"},
        {"{\"id\":\"" ID "\"}", "missing-field", "'name'"},
        {"{\"name\":\"a\"}", "missing-field", "'id'"},
        {"{\"name\":\"a/b\",\"id\":\"" ID "\"}", "bad-peer-name", "$.name: 'a/b'"},
        {"{\"name\":\"\",\"id\":\"" ID "\"}", "bad-peer-name", "$.name: "},
        {"{\"name\":\"a\",\"id\":\"PG1X\"}", "bad-id", "$.id: "},
        {"{\"name\":\"a\",\"id\":\"" ID "\",\"allowed_ips\":7}", "wrong-type", "$.allowed_ips: "},
        {"{\"name\":\"a\",\"id\":\"" ID "\",\"allowed_ips\":[\"10.0.0.1/8\"]}", "bad-prefix",
         "$.allowed_ips[0]: "},
        {"{\"name\":\"a\",\"id\":\"" ID "\",\"allowed_ips\":[\"::/0\",7]}", "wrong-type",
         "$.allowed_ips[1]: "},
    };
    struct grant grant;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(read_grant(&grant, bad[i].text), -EINVAL);
        expect_error(bad[i].code, bad[i].says);
        assert_null(grant.allowed);
    }
}

static bool allows(const struct grant *grant, const char *text)
{
    struct prefix prefix;

    assert_int_equal(prefix_parse(&prefix, text, false, NULL), 0);
    return grant_allows(grant, &prefix);
}

static void a_grant_lets_everything_in_unless_it_says_otherwise(void **state)
{
    struct grant grant;

    (void)state;
    assert_int_equal(read_grant(&grant, "{\"name\":\"a\",\"id\":\"" ID "\"}"), 0);
    assert_int_equal(grant.inbound.kind, INBOUND_ALL);
    assert_int_equal(
        read_grant(&grant, "{\"name\":\"a\",\"id\":\"" ID "\",\"inbound\":[\"tcp/22\"]}"), 0);
    assert_int_equal(grant.inbound.kind, INBOUND_LIST);
    assert_int_equal(
        read_grant(&grant, "{\"name\":\"a\",\"id\":\"" ID "\",\"inbound\":\"nine\"}"), -EINVAL);
    expect_error("bad-inbound", "$.inbound: 'nine'");
}

static void nothing_wider_than_the_grant_is_allowed(void **state)
{
    struct grant grant;

    (void)state;
    assert_int_equal(read_grant(&grant, "{\"name\":\"a\",\"id\":\"" ID "\",\"allowed_ips\":["
                                        "\"10.66.0.0/24\",\"10.66.2.0/24\"]}"),
                     0);
    assert_true(allows(&grant, "10.66.0.0/24"));
    assert_true(allows(&grant, "10.66.0.9"));
    assert_false(allows(&grant, "10.66.0.0/23"));
    assert_false(allows(&grant, "10.66.1.0/24"));
    assert_false(allows(&grant, "0.0.0.0/0"));
    assert_false(allows(&grant, "::/0"));
    grant_clear(&grant);
}

static void its_own_overlay_addresses_are_always_a_peers(void **state)
{
    struct grant grant;

    (void)state;
    assert_int_equal(read_grant(&grant, "{\"name\":\"a\",\"id\":\"" ID "\"}"), 0);
    assert_true(allows(&grant, "fd50:4755:4152:4400:acc9:e35c:7f0b:a950"));
    assert_true(allows(&grant, "100.81.69.202"));
    assert_false(allows(&grant, "fd50:4755:4152:4400:acc9:e35c:7f0b:a951"));
    assert_false(allows(&grant, "fd50:4755:4152:4400:acc9:e35c:7f0b:a950/127"));
    assert_false(allows(&grant, "100.81.69.202/31"));
    assert_false(allows(&grant, "100.81.69.203"));
    grant_clear(&grant);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_has_a_default),
        cmocka_unit_test(everything_can_be_set),
        cmocka_unit_test(what_is_wrong_is_told_with_its_path),
        cmocka_unit_test(addresses_are_bounded),
        cmocka_unit_test(a_grant_is_read),
        cmocka_unit_test(a_wrong_grant_is_told_with_its_path),
        cmocka_unit_test(a_grant_lets_everything_in_unless_it_says_otherwise),
        cmocka_unit_test(nothing_wider_than_the_grant_is_allowed),
        cmocka_unit_test(its_own_overlay_addresses_are_always_a_peers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
