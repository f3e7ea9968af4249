/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ice-agent/netcheck_report.h"

static char one[] = "stun.example", two[] = "203.0.113.12:3478", three[] = "no\"such.example";
static char *const servers[] = {one, two, three};

/* Behind a NAT over IPv4, behind a firewall over IPv6; the second server is silent. */
static const struct netcheck_result both = {
    .places = {{.interface = "eth0",
                .local = {"192.168.1.10", 40001},
                .public = {"203.0.113.101", 40001},
                .asked = true,
                .nat = NETCHECK_YES,
                .preserves = NETCHECK_YES,
                .hairpin = NETCHECK_NO,
                .mapping = BEHAVIOUR_ENDPOINT_INDEPENDENT,
                .filtering = BEHAVIOUR_ADDRESS_AND_PORT_DEPENDENT,
                .punch = BEHAVIOUR_PUNCH_ALL_BUT_SYMMETRIC},
               {.interface = "eth0",
                .local = {"2001:db8::10", 40002},
                .public = {"2001:db8::10", 40002},
                .asked = true,
                .nat = NETCHECK_NO,
                .preserves = NETCHECK_YES,
                .mapping = BEHAVIOUR_ENDPOINT_INDEPENDENT,
                .filtering = BEHAVIOUR_ENDPOINT_INDEPENDENT,
                .punch = BEHAVIOUR_PUNCH_ALL}},
    .place_count = 2,
    .servers = {{.name = 0,
                 .endpoint = {"203.0.113.11", 3478},
                 .asked = true,
                 .answered = true,
                 .elsewhere = true,
                 .round_trip = 12340},
                {.name = 1, .endpoint = {"203.0.113.12", 3478}, .asked = true},
                {.name = 2}},
    .server_count = 3,
};

/* No answer at all; IPv6 has no server. */
static const struct netcheck_result blocked = {
    .places = {{.interface = "eth0", .local = {"192.168.1.10", 40001}, .asked = true},
               {.interface = "eth0", .local = {"2001:db8::10", 40002}}},
    .place_count = 2,
};

static const struct netcheck_result nothing = {.place_count = 0};

/* Of one server, behind a NAT that gives every endpoint another port. */
static const struct netcheck_result little = {
    .places = {{.interface = "eth0",
                .local = {"192.168.1.10", 40001},
                .public = {"203.0.113.101", 40007},
                .asked = true,
                .nat = NETCHECK_YES,
                .preserves = NETCHECK_NO,
                .punch = BEHAVIOUR_PUNCH_UNKNOWN}},
    .place_count = 1,
};

typedef void (*report)(FILE *out, const struct netcheck_result *result, char *const *names);

static void assert_report(report write, const struct netcheck_result *result, const char *right)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    write(out, result, servers);
    fclose(out);
    assert_string_equal(text, right);
    free(text);
}

static void a_report_for_people_says_what_was_found_and_what_it_means(void **state)
{
    (void)state;
    assert_report(
        netcheck_report_text, &both,
        "eth0 192.168.1.10\n"
        "  local endpoint   192.168.1.10:40001\n"
        "  public endpoint  203.0.113.101:40001\n"
        "  mapping          endpoint-independent\n"
        "  filtering        address-and-port-dependent\n"
        "  port             preserved\n"
        "  hairpin          no\n"
        "eth0 2001:db8::10\n"
        "  local endpoint   [2001:db8::10]:40002\n"
        "  public endpoint  [2001:db8::10]:40002\n"
        "  mapping          endpoint-independent (no NAT)\n"
        "  filtering        endpoint-independent\n"
        "  port             preserved\n"
        "IPv6\n"
        "  address          yes\n"
        "  internet         reachable\n"
        "STUN servers\n"
        "  stun.example                     203.0.113.11:3478             12.3 ms  RFC 5780\n"
        "  203.0.113.12:3478                203.0.113.12:3478           no answer\n"
        "  no\"such.example                  has no address\n"
        "IPv4: can punch with everything but a symmetric NAT. "
        "IPv6: can punch with everything, a symmetric NAT too.\n");
}

static void a_report_for_programs_is_one_object_on_one_line(void **state)
{
    (void)state;
    assert_report(
        netcheck_report_json, &both,
        "{\"can_punch\":true,\"punch\":\"all\",\"summary\":\"IPv4: can punch with everything but a "
        "symmetric NAT. IPv6: can punch with everything, a symmetric NAT too.\",\"udp\":\"passes\","
        "\"ipv6\":{\"address\":true,\"reachable\":true},\"addresses\":["
        "{\"interface\":\"eth0\",\"family\":\"IPv4\",\"local\":{\"address\":\"192.168.1.10\","
        "\"port\":40001},\"public\":{\"address\":\"203.0.113.101\",\"port\":40001},\"nat\":true,"
        "\"mapping\":\"endpoint-independent\",\"filtering\":\"address-and-port-dependent\","
        "\"port_preserved\":true,\"hairpin\":false,\"punch\":\"all-but-symmetric\"},"
        "{\"interface\":\"eth0\",\"family\":\"IPv6\",\"local\":{\"address\":\"2001:db8::10\","
        "\"port\":40002},\"public\":{\"address\":\"2001:db8::10\",\"port\":40002},\"nat\":false,"
        "\"mapping\":\"endpoint-independent\",\"filtering\":\"endpoint-independent\","
        "\"port_preserved\":true,\"hairpin\":null,\"punch\":\"all\"}],\"servers\":["
        "{\"server\":\"stun.example\",\"endpoint\":{\"address\":\"203.0.113.11\",\"port\":3478},"
        "\"asked\":true,\"rtt_ms\":12.3,\"rfc5780\":true},"
        "{\"server\":\"203.0.113.12:3478\",\"endpoint\":{\"address\":\"203.0.113.12\","
        "\"port\":3478},\"asked\":true,\"rtt_ms\":null,\"rfc5780\":false},"
        "{\"server\":\"no\\\"such.example\",\"endpoint\":null,\"asked\":false,\"rtt_ms\":null,"
        "\"rfc5780\":false}]}\n");
}

static void without_an_answer_udp_is_blocked(void **state)
{
    (void)state;
    assert_report(netcheck_report_text, &blocked,
                  "eth0 192.168.1.10\n"
                  "  local endpoint   192.168.1.10:40001\n"
                  "  public endpoint  no server answers: UDP is blocked\n"
                  "eth0 2001:db8::10\n"
                  "  local endpoint   [2001:db8::10]:40002\n"
                  "  public endpoint  no server could be asked\n"
                  "IPv6\n"
                  "  address          yes\n"
                  "  internet         unknown: no server could be asked\n"
                  "STUN servers\n"
                  "IPv4: no UDP: only forwarded paths. IPv6: no server could be asked.\n");
    assert_report(
        netcheck_report_json, &blocked,
        "{\"can_punch\":false,\"punch\":\"nobody\",\"summary\":\"IPv4: no UDP: only forwarded "
        "paths. IPv6: no server could be asked.\",\"udp\":\"blocked\",\"ipv6\":{\"address\":true,"
        "\"reachable\":null},\"addresses\":["
        "{\"interface\":\"eth0\",\"family\":\"IPv4\",\"local\":{\"address\":\"192.168.1.10\","
        "\"port\":40001},\"public\":null,\"nat\":null,\"mapping\":\"unknown\",\"filtering\":"
        "\"unknown\",\"port_preserved\":null,\"hairpin\":null,\"punch\":\"nobody\"},"
        "{\"interface\":\"eth0\",\"family\":\"IPv6\",\"local\":{\"address\":\"2001:db8::10\","
        "\"port\":40002},\"public\":null,\"nat\":null,\"mapping\":\"unknown\",\"filtering\":"
        "\"unknown\",\"port_preserved\":null,\"hairpin\":null,\"punch\":\"nobody\"}],"
        "\"servers\":[]}\n");
}

static void without_an_address_that_is_what_it_says(void **state)
{
    (void)state;
    assert_report(netcheck_report_text, &nothing,
                  "IPv6\n"
                  "  address          no\n"
                  "STUN servers\n"
                  "No interface that is up has a usable address.\n");
    assert_report(netcheck_report_json, &nothing,
                  "{\"can_punch\":false,\"punch\":\"nobody\",\"summary\":\"No interface that is up "
                  "has a usable address.\",\"udp\":\"unknown\",\"ipv6\":{\"address\":false,"
                  "\"reachable\":null},\"addresses\":[],\"servers\":[]}\n");
}

static void what_is_not_known_says_what_it_takes(void **state)
{
    (void)state;
    assert_report(netcheck_report_text, &little,
                  "eth0 192.168.1.10\n"
                  "  local endpoint   192.168.1.10:40001\n"
                  "  public endpoint  203.0.113.101:40007\n"
                  "  mapping          unknown: that takes answers from two addresses\n"
                  "  filtering        unknown: no server answers from elsewhere (RFC 5780)\n"
                  "  port             not preserved\n"
                  "  hairpin          unknown\n"
                  "IPv6\n"
                  "  address          no\n"
                  "STUN servers\n"
                  "IPv4: UDP passes, but one server's answer does not tell the mapping; name "
                  "servers at two addresses.\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_for_people_says_what_was_found_and_what_it_means),
        cmocka_unit_test(a_report_for_programs_is_one_object_on_one_line),
        cmocka_unit_test(without_an_answer_udp_is_blocked),
        cmocka_unit_test(without_an_address_that_is_what_it_says),
        cmocka_unit_test(what_is_not_known_says_what_it_takes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
