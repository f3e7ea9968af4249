/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ice-agent/candidate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ice-agent/addresses.h"

#define ICE_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
/* RFC 8839 section 5.4: the most of ufrag and pwd. */
#define ICE_TEXT_MAX 256
/* Fits an IPv6 address and a foundation; whatever is longer is wrong. */
#define PART_SIZE 64
/* RFC 8445 section 5.1.2: between 1 and 2^31 - 1. */
#define PRIORITY_MAX 2147483647u

bool candidate_is_ice_text(const char *text, size_t min)
{
    size_t length = strlen(text);

    return length >= min && length <= ICE_TEXT_MAX && strspn(text, ICE_CHARS) == length;
}

bool candidate_equal(const struct candidate *a, const struct candidate *b)
{
    return a->kind == b->kind && a->priority == b->priority &&
           strcmp(a->foundation, b->foundation) == 0 && endpoint_equal(&a->endpoint, &b->endpoint);
}

static int refuse(struct error *err, const char *what, const char *is, const char *right)
{
    error_set(err, "bad-candidate", "candidate: the %s '%s' is wrong; %s", what, is, right);
    return -EINVAL;
}

/* The text up to the next space, which is skipped; empty at the end, and where it is too long. */
static void part_take(const char **at, char part[PART_SIZE])
{
    size_t length = strcspn(*at, " ");

    part[0] = '\0';
    if (length < PART_SIZE) {
        memcpy(part, *at, length);
        part[length] = '\0';
    }
    *at += length;
    if (**at == ' ')
        (*at)++;
}

static int number_read(const char *text, size_t digits, unsigned long max, unsigned long *out)
{
    size_t length = strlen(text);

    if (length == 0 || length > digits || strspn(text, "0123456789") != length)
        return -EINVAL;
    *out = strtoul(text, NULL, 10);
    return *out >= 1 && *out <= max ? 0 : -EINVAL;
}

static int foundation_read(struct candidate *candidate, const char **at, struct error *err)
{
    static const char begin[] = "candidate:";
    char part[PART_SIZE];

    if (strncmp(*at, begin, sizeof begin - 1) != 0)
        return refuse(err, "beginning", "", "it must be 'candidate:', without 'a='");
    *at += sizeof begin - 1;
    part_take(at, part);
    if (!candidate_is_ice_text(part, 1) || strlen(part) > CANDIDATE_FOUNDATION_MAX)
        return refuse(err, "foundation", part, "1 to 32 letters, digits, '+' or '/' are right");
    strcpy(candidate->foundation, part);
    return 0;
}

static int transport_read(struct candidate *candidate, const char **at, struct error *err)
{
    char part[PART_SIZE];
    unsigned long number;

    part_take(at, part);
    if (number_read(part, 3, 256, &number) < 0 || number != 1)
        return refuse(err, "component", part, "there is only component 1");
    part_take(at, part);
    if (strcasecmp(part, "udp") != 0)
        return refuse(err, "transport", part, "only UDP is used");
    part_take(at, part);
    if (number_read(part, 10, PRIORITY_MAX, &number) < 0)
        return refuse(err, "priority", part, "1 to 2147483647 is right");
    candidate->priority = (uint32_t)number;
    return 0;
}

static int endpoint_read(struct candidate *candidate, const char **at, struct error *err)
{
    char address[PART_SIZE], port[PART_SIZE];
    unsigned long number;

    part_take(at, address);
    part_take(at, port);
    if (number_read(port, 5, 65535, &number) < 0)
        return refuse(err, "port", port, "1 to 65535 is right");
    if (endpoint_set(&candidate->endpoint, address, (uint16_t)number) < 0)
        return refuse(err, "address", address, "a numeric IP address is right, not a name");
    return 0;
}

static int kind_read(struct candidate *candidate, const char **at, struct error *err)
{
    static const char *const kinds[] = {[CANDIDATE_HOST] = "host",
                                        [CANDIDATE_SERVER_REFLEXIVE] = "srflx",
                                        [CANDIDATE_RELAYED] = "relay"};
    char part[PART_SIZE];

    part_take(at, part);
    if (strcmp(part, "typ") != 0)
        return refuse(err, "word", part, "'typ' must follow the port");
    part_take(at, part);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(part, kinds[i]) == 0) {
            candidate->kind = (enum candidate_kind)i;
            return 0;
        }
    }
    return refuse(err, "type", part, "host, srflx or relay is right");
}

int candidate_parse(struct candidate *candidate, const char *text, struct error *err)
{
    const char *at = text;

    memset(candidate, 0, sizeof *candidate);
    if (foundation_read(candidate, &at, err) < 0 || transport_read(candidate, &at, err) < 0 ||
        endpoint_read(candidate, &at, err) < 0 || kind_read(candidate, &at, err) < 0)
        return -EINVAL;
    return 0;
}

/* Why no other host has such an address, NULL where one may. IANA's special-purpose registries (RFC
 * 6890). */
static const char *address_problem(const struct prefix *address)
{
    static const struct {
        const char *prefix, *problem;
    } bad[] = {
        {"0.0.0.0/8", "is no host's address"},
        {"127.0.0.0/8", "is a loopback address"},
        {"224.0.0.0/4", "is a multicast address"},
        {"240.0.0.0/4", "is reserved or broadcast"},
        {"::/127", "is unspecified or loopback"},
        {"::ffff:0:0/96", "is an IPv4 address in IPv6's form; the plain form is right"},
        {"::/96", "is no host's address"},
        {"fe80::/10", "is link-local, which means nothing on another host"},
        {"fec0::/10", "is site-local, which RFC 3879 has withdrawn"},
        {"ff00::/8", "is a multicast address"},
        {ADDRESSES_OVERLAY, "is inside a tunnel"},
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct prefix prefix;

        if (prefix_parse(&prefix, bad[i].prefix, false, NULL) == 0 &&
            prefix_contains(&prefix, address))
            return bad[i].problem;
    }
    return NULL;
}

int candidate_check(const struct candidate *candidate, const struct prefix *exclude,
                    size_t exclude_count, struct error *err)
{
    const char *text = candidate->endpoint.address, *problem;
    struct prefix address;

    if (prefix_parse(&address, text, false, err) < 0)
        return -EINVAL;
    problem = address_problem(&address);
    for (size_t i = 0; problem == NULL && i < exclude_count; i++)
        if (prefix_contains(&exclude[i], &address))
            problem = "is inside our own tunnel";
    if (problem == NULL)
        return 0;
    error_set(err, "refused-candidate", "candidate: %s %s", text, problem);
    return -EINVAL;
}
