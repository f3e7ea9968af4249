/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "signal-dht/options.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "protocol/endpoint.h"
#include "protocol/json.h"

/* Savoir-faire Linux's, which Jami uses too: whoever knows one node of the network comes to know
 * others. */
static const struct bootstrap public_node = {"bootstrap.jami.net", OPTIONS_BOOTSTRAP_PORT};

/* A name of RFC 1123 section 2.1, or an address. */
static bool is_host(const char *host)
{
    struct endpoint endpoint;

    if (endpoint_set(&endpoint, host, 0) == 0)
        return true;
    if (!isalnum((unsigned char)host[0]))
        return false;
    for (; *host != '\0'; host++)
        if (!isalnum((unsigned char)*host) && strchr("-._", *host) == NULL)
            return false;
    return true;
}

static int read_node(struct bootstrap *node, const struct json_at *at, struct error *err)
{
    struct error why;
    const char *text;

    if (json_as_string(at, &text, err) < 0)
        return -EINVAL;
    if (endpoint_split(text, OPTIONS_BOOTSTRAP_PORT, node->host, &node->port, &why) < 0)
        return json_fail(at, err, "bad-bootstrap", "%s", why.message);
    if (!is_host(node->host))
        return json_fail(at, err, "bad-bootstrap",
                         "'%.80s' is neither an IP address nor a host's name; right is "
                         "\"host:port\", such as \"%s:%d\" or \"[2001:db8::1]:%d\"",
                         node->host, public_node.host, OPTIONS_BOOTSTRAP_PORT,
                         OPTIONS_BOOTSTRAP_PORT);
    return 0;
}

static int read_bootstrap(struct options *options, const struct json_at *at, struct error *err)
{
    size_t count;

    if (json_as_array(at, OPTIONS_BOOTSTRAP_MAX, &count, err) < 0)
        return -EINVAL;
    for (size_t i = 0; i < count; i++) {
        struct json_at item = json_item(at, i);

        if (read_node(&options->bootstrap[i], &item, err) < 0)
            return -EINVAL;
    }
    options->bootstrap_count = count;
    return 0;
}

static int read_all(struct options *options, const struct json_at *at, struct error *err)
{
    static const char *const known[] = {"bootstrap", "port", NULL};
    struct json_at member;
    int64_t port;

    if (json_as_object(at, known, err) < 0)
        return -EINVAL;
    if (json_member(at, "port", &member)) {
        if (json_as_integer(&member, 0, 65535, &port, err) < 0)
            return -EINVAL;
        options->port = (uint16_t)port;
    }
    return json_member(at, "bootstrap", &member) ? read_bootstrap(options, &member, err) : 0;
}

int options_read(struct options *options, const char *text, struct error *err)
{
    struct json *document;
    struct json_at root;
    int rc;

    memset(options, 0, sizeof *options);
    options->bootstrap[0] = public_node;
    options->bootstrap_count = 1;
    if (text == NULL)
        return 0;
    document = json_parse(text, strlen(text), err);
    if (document == NULL)
        return -EINVAL;
    root = json_root(document);
    rc = read_all(options, &root, err);
    json_destroy(document);
    return rc;
}
