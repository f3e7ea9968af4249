/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ice-agent/netcheck_report.h"

#include <stdlib.h>
#include <string.h>

#include "protocol/json.h"

#define US_PER_MS 1000.0

static const struct {
    int family;
    const char *name;
} families[] = {{AF_INET, "IPv4"}, {AF_INET6, "IPv6"}};

static const char *family_name(const struct endpoint *endpoint)
{
    return families[endpoint_family(endpoint) == AF_INET6].name;
}

static bool has_family(const struct netcheck_result *result, int family)
{
    for (size_t i = 0; i < result->place_count; i++)
        if (endpoint_family(&result->places[i].local) == family)
            return true;
    return false;
}

/* Whether servers were asked over the family, and whether one answered; AF_UNSPEC: over any. */
static enum netcheck_fact family_passes(const struct netcheck_result *result, int family)
{
    enum netcheck_fact passes = NETCHECK_UNKNOWN;

    for (size_t i = 0; i < result->place_count; i++) {
        const struct netcheck_place *place = &result->places[i];

        if (family != AF_UNSPEC && endpoint_family(&place->local) != family)
            continue;
        if (place->public.port != 0)
            return NETCHECK_YES;
        if (place->asked)
            passes = NETCHECK_NO;
    }
    return passes;
}

/* What the whole means, one sentence a family. */
static void summary_write(FILE *out, const struct netcheck_result *result)
{
    const char *between = "";

    if (result->place_count == 0)
        fputs("No interface that is up has a usable address.", out);
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        if (!has_family(result, families[i].family))
            continue;
        if (family_passes(result, families[i].family) == NETCHECK_UNKNOWN)
            fprintf(out, "%s%s: no server could be asked.", between, families[i].name);
        else
            fprintf(out, "%s%s: %s.", between, families[i].name,
                    behaviour_punch_sentence(netcheck_punch(result, families[i].family)));
        between = " ";
    }
}

static void row(FILE *out, const char *title, const char *text)
{
    fprintf(out, "  %-16s %s\n", title, text);
}

static const char *filtering_text(const struct netcheck_place *place)
{
    return place->filtering == BEHAVIOUR_UNKNOWN
               ? "unknown: no server answers from elsewhere (RFC 5780)"
               : behaviour_name(place->filtering);
}

static const char *mapping_text(const struct netcheck_place *place)
{
    if (place->nat == NETCHECK_NO)
        return "endpoint-independent (no NAT)";
    return place->mapping == BEHAVIOUR_UNKNOWN ? "unknown: that takes answers from two addresses"
                                               : behaviour_name(place->mapping);
}

static void place_write(FILE *out, const struct netcheck_place *place)
{
    static const char *const hairpin[] = {"unknown", "no", "yes"};
    char text[ENDPOINT_TEXT_SIZE];

    fprintf(out, "%s %s\n", place->interface[0] ? place->interface : "?", place->local.address);
    endpoint_format(&place->local, text);
    row(out, "local endpoint", text);
    if (place->public.port == 0) {
        row(out, "public endpoint",
            place->asked ? "no server answers: UDP is blocked" : "no server could be asked");
        return;
    }
    endpoint_format(&place->public, text);
    row(out, "public endpoint", text);
    row(out, "mapping", mapping_text(place));
    row(out, "filtering", filtering_text(place));
    row(out, "port", place->preserves == NETCHECK_YES ? "preserved" : "not preserved");
    if (place->nat == NETCHECK_YES)
        row(out, "hairpin", hairpin[place->hairpin]);
}

static void server_write(FILE *out, const struct netcheck_server *server, const char *name)
{
    char endpoint[ENDPOINT_TEXT_SIZE];

    if (server->endpoint.port == 0) {
        fprintf(out, "  %-32s has no address\n", name);
        return;
    }
    endpoint_format(&server->endpoint, endpoint);
    fprintf(out, "  %-32s %-26s", name, endpoint);
    if (server->answered)
        fprintf(out, " %7.1f ms%s\n", (double)server->round_trip / US_PER_MS,
                server->elsewhere ? "  RFC 5780" : "");
    else
        fputs(server->asked ? "  no answer\n" : "  not asked\n", out);
}

void netcheck_report_text(FILE *out, const struct netcheck_result *result, char *const *servers)
{
    static const char *const reachable[] = {"unknown: no server could be asked", "not reachable",
                                            "reachable"};

    for (size_t i = 0; i < result->place_count; i++)
        place_write(out, &result->places[i]);
    fprintf(out, "IPv6\n");
    row(out, "address", has_family(result, AF_INET6) ? "yes" : "no");
    if (has_family(result, AF_INET6))
        row(out, "internet", reachable[family_passes(result, AF_INET6)]);
    fprintf(out, "STUN servers\n");
    for (size_t i = 0; i < result->server_count; i++)
        server_write(out, &result->servers[i], servers[result->servers[i].name]);
    summary_write(out, result);
    fputc('\n', out);
}

static const char *fact_json(enum netcheck_fact fact)
{
    static const char *const words[] = {"null", "false", "true"};

    return words[fact];
}

static void text_json(FILE *out, const char *key, const char *text)
{
    char *quoted = json_quote(text);

    fprintf(out, "\"%s\":%s", key, quoted ? quoted : "null");
    free(quoted);
}

static void endpoint_json(FILE *out, const char *key, const struct endpoint *endpoint)
{
    if (endpoint->port != 0)
        fprintf(out, "\"%s\":{\"address\":\"%s\",\"port\":%u}", key, endpoint->address,
                (unsigned)endpoint->port);
    else
        fprintf(out, "\"%s\":null", key);
}

static void place_json(FILE *out, const struct netcheck_place *place)
{
    fputc('{', out);
    text_json(out, "interface", place->interface);
    fprintf(out, ",\"family\":\"%s\",", family_name(&place->local));
    endpoint_json(out, "local", &place->local);
    fputc(',', out);
    endpoint_json(out, "public", &place->public);
    fprintf(out, ",\"nat\":%s", fact_json(place->nat));
    fprintf(out, ",\"mapping\":\"%s\"", behaviour_name(place->mapping));
    fprintf(out, ",\"filtering\":\"%s\"", behaviour_name(place->filtering));
    fprintf(out, ",\"port_preserved\":%s", fact_json(place->preserves));
    fprintf(out, ",\"hairpin\":%s", fact_json(place->hairpin));
    fprintf(out, ",\"punch\":\"%s\"}", behaviour_punch_name(place->punch));
}

static void server_json(FILE *out, const struct netcheck_server *server, const char *name)
{
    fputc('{', out);
    text_json(out, "server", name);
    fputc(',', out);
    endpoint_json(out, "endpoint", &server->endpoint);
    fprintf(out, ",\"asked\":%s", server->asked ? "true" : "false");
    if (server->answered)
        fprintf(out, ",\"rtt_ms\":%.1f", (double)server->round_trip / US_PER_MS);
    else
        fputs(",\"rtt_ms\":null", out);
    fprintf(out, ",\"rfc5780\":%s}", server->elsewhere ? "true" : "false");
}

static void summary_json(FILE *out, const struct netcheck_result *result)
{
    char *text = NULL;
    size_t size;
    FILE *memory = open_memstream(&text, &size);

    if (memory != NULL) {
        summary_write(memory, result);
        fclose(memory);
    }
    text_json(out, "summary", text ? text : "");
    free(text);
}

void netcheck_report_json(FILE *out, const struct netcheck_result *result, char *const *servers)
{
    static const char *const udp[] = {"unknown", "blocked", "passes"};
    enum behaviour_punch punch = netcheck_punch(result, AF_UNSPEC);

    fprintf(out, "{\"can_punch\":%s,\"punch\":\"%s\",",
            punch > BEHAVIOUR_PUNCH_NOBODY ? "true" : "false", behaviour_punch_name(punch));
    summary_json(out, result);
    fprintf(out, ",\"udp\":\"%s\",\"ipv6\":{\"address\":%s,\"reachable\":%s},\"addresses\":[",
            udp[family_passes(result, AF_UNSPEC)], has_family(result, AF_INET6) ? "true" : "false",
            fact_json(family_passes(result, AF_INET6)));
    for (size_t i = 0; i < result->place_count; i++) {
        fputs(i > 0 ? "," : "", out);
        place_json(out, &result->places[i]);
    }
    fputs("],\"servers\":[", out);
    for (size_t i = 0; i < result->server_count; i++) {
        fputs(i > 0 ? "," : "", out);
        server_json(out, &result->servers[i], servers[result->servers[i].name]);
    }
    fputs("]}\n", out);
}
