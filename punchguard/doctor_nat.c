/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "punchguard/capture.h"
#include "punchguard/doctor.h"
#include "punchguard/service.h"

#define NETCHECK_MS 20000 /* it says that it takes 6 s at most, on a machine that is not busy */
#define SERVERS_MAX 32    /* what punchguard-ice-agent(8) takes */

static bool is_null(const struct json_at *at)
{
    char *text = json_text(at);
    bool null = text == NULL || strcmp(text, "null") == 0;

    free(text);
    return null;
}

struct servers {
    size_t count, answered, nameless;
    FILE *names; /* of those that have no address */
};

static void take_server(struct servers *servers, const struct json_at *server)
{
    const char *name = "";
    struct json_at at;

    if (json_as_object(server, NULL, NULL) < 0)
        return;
    if (json_member(server, "server", &at))
        json_as_string(&at, &name, NULL);
    if (json_member(server, "endpoint", &at) && is_null(&at))
        fprintf(servers->names, "%s%s", servers->nameless++ > 0 ? ", " : "", name);
    else if (json_member(server, "rtt_ms", &at) && !is_null(&at))
        servers->answered++;
}

static void tell_servers(struct doctor *doctor, const struct servers *servers, const char *names)
{
    size_t asked = servers->count - servers->nameless;

    if (servers->nameless > 0)
        findings_add(&doctor->findings, asked == 0 ? LEVEL_FAIL : LEVEL_WARN, "DNS",
                     asked == 0 ? "look at /etc/resolv.conf"
                                : "name other servers in $.ice.stun, or look at /etc/resolv.conf",
                     "no address is found for %s of the STUN servers: %s",
                     asked == 0 ? "any" : "some", names);
    if (servers->answered > 0)
        findings_add(&doctor->findings, LEVEL_OK, "STUN", NULL, "%zu of %zu addresses answer",
                     servers->answered, asked);
}

static void take_servers(struct doctor *doctor, const struct json_at *list)
{
    struct servers servers = {.count = 0};
    char *names = NULL;
    size_t size;

    if (json_as_array(list, SIZE_MAX, &servers.count, NULL) < 0 ||
        (servers.names = open_memstream(&names, &size)) == NULL)
        return;
    for (size_t i = 0; i < servers.count; i++) {
        struct json_at server = json_item(list, i);

        take_server(&servers, &server);
    }
    if (fclose(servers.names) == 0)
        tell_servers(doctor, &servers, names);
    free(names);
}

static void take_punch(struct doctor *doctor, const struct json_at *found)
{
    const char *udp = "", *punch = "", *summary = "";
    enum level level = LEVEL_OK;
    const char *remedy = NULL;
    struct json_at at;

    if (json_member(found, "udp", &at))
        json_as_string(&at, &udp, NULL);
    if (json_member(found, "punch", &at))
        json_as_string(&at, &punch, NULL);
    if (json_member(found, "summary", &at))
        json_as_string(&at, &summary, NULL);
    if (strcmp(udp, "blocked") == 0) {
        level = LEVEL_FAIL;
        remedy = "let UDP out, and answers in, on this host and its router";
    } else if (strcmp(punch, "only-open") == 0) {
        level = LEVEL_WARN;
        remedy = "a router whose NAT is not symmetric, or IPv6";
    } else if (strcmp(udp, "passes") != 0) {
        level = LEVEL_WARN;
    }
    findings_add(&doctor->findings, level, "NAT", remedy, "%s", summary);
}

static void take_netcheck(struct doctor *doctor, const struct json_at *found)
{
    struct json_at servers;

    if (json_as_object(found, NULL, NULL) < 0)
        return;
    if (json_member(found, "servers", &servers))
        take_servers(doctor, &servers);
    take_punch(doctor, found);
}

static size_t add_servers(const struct doctor *doctor, char **argv, size_t used)
{
    struct json_at root, ice, stun;
    size_t count;

    if (!doctor_setting(doctor, "ice", &root, &ice) || json_as_object(&ice, NULL, NULL) < 0 ||
        !json_member(&ice, "stun", &stun) || json_as_array(&stun, SERVERS_MAX, &count, NULL) < 0)
        return used;
    for (size_t i = 0; i < count; i++) {
        struct json_at item = json_item(&stun, i);
        const char *text;

        if (json_as_string(&item, &text, NULL) < 0)
            continue;
        argv[used++] = (char *)(uintptr_t) "--stun";
        argv[used++] = (char *)(uintptr_t)text;
    }
    return used;
}

void doctor_look_at_nat(struct doctor *doctor)
{
    char program[PATH_MAX];
    char *argv[3 + 2 * SERVERS_MAX + 1] = {program, (char *)(uintptr_t) "--netcheck",
                                           (char *)(uintptr_t) "--json"};
    struct capture capture;
    struct json *document;
    struct json_at root;

    command_asking((add_servers(doctor, argv, 3) - 3) / 2);
    service_program("punchguard-ice-agent", program, sizeof program);
    if (capture_run(&capture, argv, "", NETCHECK_MS) < 0)
        return;
    document = json_parse(capture.out, strlen(capture.out), NULL);
    if (document != NULL) {
        root = json_root(document);
        take_netcheck(doctor, &root);
    } else {
        findings_add(&doctor->findings, LEVEL_FAIL, "NAT", "punchguard netcheck says more",
                     "punchguard-ice-agent could not look at it");
    }
    json_destroy(document);
    capture_clear(&capture);
}
