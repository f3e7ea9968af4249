/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ice-agent/turn.h"

#include <errno.h>
#include <string.h>

#include "ice-agent/stun.h"
#include "protocol/endpoint.h"
#include "protocol/json.h"

/* RFC 8489 section 14.3: USERNAME has fewer than 509 bytes. */
#define TURN_TEXT_MAX 508

static int check_server(const struct json_at *at, struct error *err)
{
    struct json_at member;
    const char *text;
    char host[256];
    uint16_t port;
    struct error why;

    if (json_require(at, "server", &member, err) < 0 || json_as_string(&member, &text, err) < 0)
        return -EINVAL;
    if (endpoint_split(text, STUN_PORT, host, &port, &why) < 0)
        return json_fail(&member, err, why.code, "%s", why.message);
    return 0;
}

static int check_text(const struct json_at *at, const char *key, struct error *err)
{
    struct json_at member;
    const char *text;

    if (json_require(at, key, &member, err) < 0 || json_as_string(&member, &text, err) < 0)
        return -EINVAL;
    if (text[0] == '\0' || strlen(text) > TURN_TEXT_MAX)
        return json_fail(&member, err, "bad-value", "the length must be 1 to %d bytes",
                         TURN_TEXT_MAX);
    return 0;
}

static int check_transport(const struct json_at *at, struct error *err)
{
    struct json_at member;
    const char *text;

    if (!json_member(at, "transport", &member))
        return 0;
    if (json_as_string(&member, &text, err) < 0)
        return -EINVAL;
    if (strcmp(text, "udp") == 0 || strcmp(text, "tcp") == 0 || strcmp(text, "tls") == 0)
        return 0;
    return json_fail(&member, err, "bad-value", "'%.40s' is none of udp, tcp, tls", text);
}

static int check_list(const struct json_at *at, size_t *count, struct error *err)
{
    static const char *const known[] = {"server", "username", "password", "transport", NULL};

    if (json_as_array(at, TURN_SERVERS, count, err) < 0)
        return -EINVAL;
    for (size_t i = 0; i < *count; i++) {
        struct json_at item = json_item(at, i);

        if (json_as_object(&item, known, err) < 0 || check_server(&item, err) < 0 ||
            check_text(&item, "username", err) < 0 || check_text(&item, "password", err) < 0 ||
            check_transport(&item, err) < 0)
            return -EINVAL;
    }
    return 0;
}

int turn_check(const char *text, size_t *count, struct error *err)
{
    struct json *document = json_parse(text, strlen(text), err);
    struct json_at root;
    int rc = -EINVAL;

    if (document != NULL) {
        root = json_root(document);
        rc = check_list(&root, count, err);
    }
    json_destroy(document);
    if (rc < 0)
        error_prefix(err, "turn: ");
    return rc;
}
