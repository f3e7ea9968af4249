/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "signal-tox/options.h"

#define KEY    "7E5668E0EE09E19F320AD47902419331FFEE147BB3606769CFBE921A2A2FD34C"
#define NODE   "{\"bootstrap\":[{\"address\":\"192.0.2.1\",\"udp_port\":1,\"public_key\":\"" KEY "\"}"
#define ONE(x) "{\"bootstrap\":[{\"public_key\":\"" KEY "\"," x "}]}"

static struct options options;

static void defaults_are_udp_ipv6_no_lan_and_the_public_nodes(void **state)
{
    struct error err;

    (void)state;
    assert_int_equal(options_read(&options, NULL, &err), 0);
    assert_true(options.udp);
    assert_true(options.ipv6);
    assert_false(options.lan_discovery);
    assert_in_range(options.node_count, 20, NODES_MAX);
    assert_int_equal(options_read(&options, "{}", &err), 0);
    assert_in_range(options.node_count, 20, NODES_MAX);
}

static void check_node(const struct node *node, const json_t *json, const char *address)
{
    const json_t *ports = json_object_get(json, "tcp_ports");
    char key[65];

    assert_string_equal(node->address, address);
    assert_int_equal(node->udp_port, json_integer_value(json_object_get(json, "udp_port")));
    assert_int_equal(node->tcp_port_count, json_array_size(ports));
    for (size_t i = 0; i < node->tcp_port_count; i++)
        assert_int_equal(node->tcp_ports[i], json_integer_value(json_array_get(ports, i)));
    hex_write(node->public_key, sizeof node->public_key, key);
    assert_string_equal(key, json_string_value(json_object_get(json, "public_key")));
}

static void the_compiled_in_nodes_are_those_of_nodes_json(void **state)
{
    const char *source = getenv("srcdir");
    char path[4096];
    json_t *file, *json;
    struct error err;
    size_t index, at = 0;

    (void)state;
    snprintf(path, sizeof path, "%s/signal-tox/nodes.json", source ? source : ".");
    file = json_load_file(path, 0, NULL);
    assert_non_null(file);
    assert_int_equal(options_read(&options, NULL, &err), 0);
    json_array_foreach(json_object_get(file, "nodes"), index, json)
    {
        const char *ipv4 = json_string_value(json_object_get(json, "ipv4"));
        const char *ipv6 = json_string_value(json_object_get(json, "ipv6"));

        if (ipv4 != NULL)
            check_node(&options.nodes[at++], json, ipv4);
        if (ipv6 != NULL)
            check_node(&options.nodes[at++], json, ipv6);
    }
    assert_int_equal(options.node_count, at);
    json_decref(file);
}

static void given_nodes_replace_the_compiled_in_ones(void **state)
{
    struct error err;

    (void)state;
    assert_int_equal(
        options_read(&options,
                     "{\"udp\":false,\"ipv6\":false,\"lan_discovery\":true,"
                     "\"bootstrap\":[{\"address\":\"2001:db8::1\",\"tcp_ports\":[3389,443],"
                     "\"public_key\":\"" KEY "\"}]}",
                     &err),
        0);
    assert_false(options.udp);
    assert_false(options.ipv6);
    assert_true(options.lan_discovery);
    assert_int_equal(options.node_count, 1);
    assert_string_equal(options.nodes[0].address, "2001:db8::1");
    assert_int_equal(options.nodes[0].udp_port, 0);
    assert_int_equal(options.nodes[0].tcp_port_count, 2);
    assert_int_equal(options.nodes[0].tcp_ports[1], 443);
    assert_int_equal(options.nodes[0].public_key[0], 0x7E);
    assert_int_equal(options_read(&options, "{\"bootstrap\":[]}", &err), 0);
    assert_int_equal(options.node_count, 0);
}

/* Each names where it is wrong and holds a word of what would be right. */
static void what_is_wrong_is_told_with_its_path(void **state)
{
    static const struct {
        const char *text, *path, *word;
    } wrong[] = {
        {"[]", "$", "object"},
        {"{\"udp\":1}", "$.udp", "true"},
        {"{\"udpp\":true}", "$", "udpp"},
        {"{\"lan_discovery\":\"yes\"}", "$.lan_discovery", "true"},
        {"{\"bootstrap\":{}}", "$.bootstrap", "array"},
        {"{\"bootstrap\":[7]}", "$.bootstrap[0]", "object"},
        {NODE ",{}]}", "$.bootstrap[1]", "address"},
        {ONE("\"address\":\"tox.example.org\",\"udp_port\":1"), "$.bootstrap[0].address",
         "numeric"},
        {ONE("\"address\":\"192.0.2.1\""), "$.bootstrap[0]", "udp_port"},
        {ONE("\"address\":\"192.0.2.1\",\"udp_port\":0"), "$.bootstrap[0].udp_port", "65535"},
        {ONE("\"address\":\"192.0.2.1\",\"udp_port\":65536"), "$.bootstrap[0].udp_port", "65535"},
        {ONE("\"address\":\"192.0.2.1\",\"tcp_ports\":[1,\"x\"]"), "$.bootstrap[0].tcp_ports[1]",
         "integer"},
        {ONE("\"address\":\"192.0.2.1\",\"tcp_ports\":[1,2,3,4,5]"), "$.bootstrap[0].tcp_ports",
         "4"},
        {"{\"bootstrap\":[{\"address\":\"192.0.2.1\",\"udp_port\":1}]}", "$.bootstrap[0]",
         "public_key"},
        {"{\"bootstrap\":[{\"address\":\"192.0.2.1\",\"udp_port\":1,\"public_key\":\"7E56\"}]}",
         "$.bootstrap[0].public_key", "64 hex"},
        {"{\"bootstrap\":[{\"address\":\"192.0.2.1\",\"udp_port\":1,\"public_key\":\"zz" KEY
         "\"}]}",
         "$.bootstrap[0].public_key", "64 hex"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct error err = {0};

        assert_int_equal(options_read(&options, wrong[i].text, &err), -EINVAL);
        if (strncmp(err.message, wrong[i].path, strlen(wrong[i].path)) != 0 ||
            strstr(err.message, wrong[i].word) == NULL)
            fail_msg("%s: got \"%s\", not %s with \"%s\"", wrong[i].text, err.message,
                     wrong[i].path, wrong[i].word);
    }
}

static void more_nodes_than_64_are_refused(void **state)
{
    static char text[64 * 1024];
    struct error err;
    size_t at = 0;

    (void)state;
    at += (size_t)sprintf(text, "{\"bootstrap\":[");
    for (int i = 0; i < NODES_MAX; i++)
        at += (size_t)sprintf(
            text + at, "%s{\"address\":\"192.0.2.%d\",\"udp_port\":1,\"public_key\":\"" KEY "\"}",
            i ? "," : "", i);
    sprintf(text + at, "]}");
    assert_int_equal(options_read(&options, text, &err), 0);
    assert_int_equal(options.node_count, NODES_MAX);
    sprintf(text + at, ",7]}");
    assert_int_equal(options_read(&options, text, &err), -EINVAL);
}

static void hex_is_read_only_where_all_of_it_is_right(void **state)
{
    uint8_t bytes[2];
    char text[5];

    (void)state;
    assert_int_equal(hex_read("aB09", bytes, 2), 0);
    hex_write(bytes, 2, text);
    assert_string_equal(text, "AB09");
    assert_int_equal(hex_read("aB0", bytes, 2), -EINVAL);
    assert_int_equal(hex_read("aB091", bytes, 2), -EINVAL);
    assert_int_equal(hex_read("aB0g", bytes, 2), -EINVAL);
    assert_int_equal(hex_read("@B09", bytes, 2), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_udp_ipv6_no_lan_and_the_public_nodes),
        cmocka_unit_test(the_compiled_in_nodes_are_those_of_nodes_json),
        cmocka_unit_test(given_nodes_replace_the_compiled_in_ones),
        cmocka_unit_test(what_is_wrong_is_told_with_its_path),
        cmocka_unit_test(more_nodes_than_64_are_refused),
        cmocka_unit_test(hex_is_read_only_where_all_of_it_is_right),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
