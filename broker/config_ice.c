/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/config_read.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* RFC 8489 section 18.6, for UDP and TCP. */
#define STUN_PORT 3478
#define TURN_MAX  8
/* RFC 8489 section 14.3: fewer than 509 bytes. */
#define USERNAME_BYTES_MAX 508
#define PASSWORD_BYTES_MAX 512

/* RFC 1123 section 2.1, and '_', which some networks use. */
static bool is_host_name(const char *host)
{
    static const char right[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

    if (strlen(host) > 253)
        return false;
    for (;;) {
        size_t length = strspn(host, right);

        if (length < 1 || length > 63 || host[0] == '-' || host[length - 1] == '-')
            return false;
        host += length;
        if (*host == '\0')
            return true;
        if (*host++ != '.')
            return false;
    }
}

static bool is_host(const char *host)
{
    unsigned char bytes[16];

    if (strchr(host, ':') != NULL)
        return inet_pton(AF_INET6, host, bytes) == 1;
    if (strspn(host, "0123456789.") == strlen(host))
        return inet_pton(AF_INET, host, bytes) == 1;
    return is_host_name(host);
}

static int check_server(struct config_reader *reader, const struct json_at *at, char **out)
{
    char host[256];
    uint16_t port;
    struct error err;
    int rc = config_string(reader, at, 1, 300, out);

    if (rc < 0)
        return rc;
    if (endpoint_split(*out, STUN_PORT, host, &port, &err) < 0)
        return config_fail(reader, at, err.code, "%s", err.message);
    if (!is_host(host))
        return config_fail(reader, at, "bad-endpoint",
                           "'%.100s' is neither an IP address nor a host's name", host);
    return 0;
}

static int read_stun(struct config_reader *reader, const struct json_at *at)
{
    struct config *config = reader->config;
    struct error err;
    size_t count;
    int rc = 0;

    if (json_as_array(at, CONFIG_STUN_MAX, &count, &err) < 0)
        return config_note(reader, &err);
    config->stun = calloc(count + 1, sizeof *config->stun);
    if (config->stun == NULL)
        return config_no_memory(reader);
    config->stun_count = count;
    for (size_t i = 0; i < count; i++) {
        struct json_at item = json_item(at, i);

        if (check_server(reader, &item, &config->stun[i]) < 0)
            rc = -EINVAL;
    }
    return rc;
}

static int check_member(struct config_reader *reader, const struct json_at *turn, const char *key,
                        size_t max)
{
    struct json_at at;
    struct error err;
    char *text = NULL;
    int rc;

    if (json_require(turn, key, &at, &err) < 0)
        return config_note(reader, &err);
    rc = max == 0 ? check_server(reader, &at, &text) : config_string(reader, &at, 1, max, &text);
    free(text);
    return rc;
}

static int check_turn_transport(struct config_reader *reader, const struct json_at *turn)
{
    struct json_at at;
    struct error err;
    const char *text;

    if (!json_member(turn, "transport", &at))
        return 0;
    if (json_as_string(&at, &text, &err) < 0)
        return config_note(reader, &err);
    if (strcmp(text, "udp") != 0 && strcmp(text, "tcp") != 0 && strcmp(text, "tls") != 0)
        return config_fail(reader, &at, "bad-choice", "'%.40s' is not one of udp, tcp, tls", text);
    return 0;
}

static int check_turn(struct config_reader *reader, const struct json_at *at)
{
    static const char *const known[] = {"server", "username", "password", "transport", NULL};
    struct error err;
    int rc;

    if (json_as_object(at, known, &err) < 0)
        return config_note(reader, &err);
    rc = check_member(reader, at, "server", 0);
    rc |= check_member(reader, at, "username", USERNAME_BYTES_MAX);
    rc |= check_member(reader, at, "password", PASSWORD_BYTES_MAX);
    rc |= check_turn_transport(reader, at);
    return rc != 0 ? -EINVAL : 0;
}

static int read_turn(struct config_reader *reader, const struct json_at *at)
{
    struct error err;
    size_t count;
    int rc = 0;

    if (json_as_array(at, TURN_MAX, &count, &err) < 0)
        return config_note(reader, &err);
    for (size_t i = 0; i < count; i++) {
        struct json_at item = json_item(at, i);

        if (check_turn(reader, &item) < 0)
            rc = -EINVAL;
    }
    if (rc < 0 || count == 0)
        return rc;
    reader->config->turn = json_text(at);
    return reader->config->turn != NULL ? 0 : config_no_memory(reader);
}

int config_read_ice(struct config_reader *reader, const struct json_at *at)
{
    static const char *const known[] = {"stun", "turn", NULL};
    struct json_at member;
    struct error err;
    int rc = 0;

    if (json_as_object(at, known, &err) < 0)
        return config_note(reader, &err);
    if (json_member(at, "stun", &member))
        rc |= read_stun(reader, &member);
    if (json_member(at, "turn", &member))
        rc |= read_turn(reader, &member);
    return rc != 0 ? -EINVAL : 0;
}
