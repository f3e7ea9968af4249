/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "protocol/interface.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const backend_names[] = {
    [BACKEND_AUTO] = "auto", [BACKEND_KERNEL] = "kernel", [BACKEND_USERSPACE] = "userspace"};

static const char *const forward_names[] = {[FORWARD_NONE] = "none",
                                            [FORWARD_ROUTED] = "routed",
                                            [FORWARD_MASQUERADE] = "masquerade"};

void interface_init(struct interface *interface)
{
    memset(interface, 0, sizeof *interface);
    snprintf(interface->name, sizeof interface->name, "pg0");
    interface->mtu = INTERFACE_MTU_DEFAULT;
}

int interface_set_name(struct interface *interface, const char *text, struct error *err)
{
    static const char right[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    size_t length = strlen(text);

    if (length == 0 || length >= INTERFACE_NAME_SIZE || strspn(text, right) != length ||
        text[0] == '.' || text[0] == '-') {
        error_set(err, "bad-interface-name",
                  "'%.40s' is no interface name; 1 to 15 letters, digits, '_', '-' or '.' are right",
                  text);
        return -EINVAL;
    }
    memcpy(interface->name, text, length + 1);
    return 0;
}

int interface_add_address(struct interface *interface, const char *text, struct error *err)
{
    struct prefix prefix;

    if (interface->address_count == INTERFACE_ADDRESSES_MAX) {
        error_set(err, "too-many", "an interface has at most %d addresses", INTERFACE_ADDRESSES_MAX);
        return -EINVAL;
    }
    if (prefix_parse(&prefix, text, true, err) < 0)
        return -EINVAL;
    for (size_t i = 0; i < interface->address_count; i++) {
        if (prefix_equal(&interface->addresses[i], &prefix)) {
            error_set(err, "duplicate", "the address %s is there twice", text);
            return -EINVAL;
        }
    }
    interface->addresses[interface->address_count++] = prefix;
    return 0;
}

int interface_set_backend(struct interface *interface, const char *text, struct error *err)
{
    for (size_t i = 0; i < sizeof backend_names / sizeof backend_names[0]; i++) {
        if (strcmp(text, backend_names[i]) == 0) {
            interface->backend = (enum interface_backend)i;
            return 0;
        }
    }
    error_set(err, "bad-backend", "'%.40s' is no back end; auto, kernel or userspace is right",
              text);
    return -EINVAL;
}

int interface_set_forward(struct interface *interface, const char *text, struct error *err)
{
    for (size_t i = 0; i < sizeof forward_names / sizeof forward_names[0]; i++) {
        if (strcmp(text, forward_names[i]) == 0) {
            interface->forward = (enum interface_forward)i;
            return 0;
        }
    }
    error_set(err, "bad-forward",
              "'%.40s' is no way to forward; none, routed or masquerade is right", text);
    return -EINVAL;
}

const char *interface_backend_name(enum interface_backend backend)
{
    return backend_names[backend];
}

static int read_text(struct interface *interface, const struct json_at *at,
                     int (*set)(struct interface *, const char *, struct error *),
                     struct error *err)
{
    const char *text;
    struct error why;

    if (json_as_string(at, &text, err) < 0)
        return -EINVAL;
    if (set(interface, text, &why) < 0)
        return json_fail(at, err, why.code, "%s", why.message);
    return 0;
}

static int read_addresses(struct interface *interface, const struct json_at *at, struct error *err)
{
    size_t count;

    if (json_as_array(at, INTERFACE_ADDRESSES_MAX, &count, err) < 0)
        return -EINVAL;
    interface->address_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct json_at item = json_item(at, i);

        if (read_text(interface, &item, interface_add_address, err) < 0)
            return -EINVAL;
    }
    return 0;
}

int interface_read(struct interface *interface, const struct json_at *at, struct error *err)
{
    static const char *const known[] = {"name", "addresses", "mtu", "listen_port", "backend", "forward",
                                        NULL};
    struct json_at member;
    int64_t number;

    if (json_as_object(at, known, err) < 0)
        return -EINVAL;
    if (json_member(at, "name", &member) &&
        read_text(interface, &member, interface_set_name, err) < 0)
        return -EINVAL;
    if (json_member(at, "addresses", &member) && read_addresses(interface, &member, err) < 0)
        return -EINVAL;
    if (json_member(at, "mtu", &member)) {
        /* RFC 791 section 3.1 asks for 576; WireGuard's own header takes 80 of a jumbo frame. */
        if (json_as_integer(&member, 576, 8920, &number, err) < 0)
            return -EINVAL;
        interface->mtu = (int)number;
    }
    if (json_member(at, "listen_port", &member)) {
        if (json_as_integer(&member, 0, 65535, &number, err) < 0)
            return -EINVAL;
        interface->listen_port = (int)number;
    }
    if (json_member(at, "backend", &member) &&
        read_text(interface, &member, interface_set_backend, err) < 0)
        return -EINVAL;
    if (json_member(at, "forward", &member) &&
        read_text(interface, &member, interface_set_forward, err) < 0)
        return -EINVAL;
    return 0;
}

int peer_name_check(const char *text, struct error *err)
{
    static const char right[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";

    if (text[0] != '\0' && strlen(text) <= PEER_NAME_MAX && strspn(text, right) == strlen(text))
        return 0;
    error_set(err, "bad-peer-name",
              "'%.80s' is no peer's name; 1 to %d letters, digits, '_', '-' or '.' are right", text,
              PEER_NAME_MAX);
    return -EINVAL;
}

static int grant_read_name(struct grant *grant, const struct json_at *at, struct error *err)
{
    struct json_at member;
    struct error why;
    const char *text;

    if (json_require(at, "name", &member, err) < 0 || json_as_string(&member, &text, err) < 0)
        return -EINVAL;
    if (peer_name_check(text, &why) < 0)
        return json_fail(&member, err, why.code, "%s", why.message);
    snprintf(grant->peer, sizeof grant->peer, "%s", text);
    return 0;
}

static int grant_read_id(struct grant *grant, const struct json_at *at, struct error *err)
{
    struct json_at member;
    struct error why;
    const char *text;

    if (json_require(at, "id", &member, err) < 0 || json_as_string(&member, &text, err) < 0)
        return -EINVAL;
    if (id_decode(text, grant->key, &why) < 0)
        return json_fail(&member, err, why.code, "%s", why.message);
    return 0;
}

static int grant_read_allowed(struct grant *grant, const struct json_at *at, struct error *err)
{
    struct error why;
    size_t count;

    if (json_as_array(at, PEER_ALLOWED_MAX, &count, err) < 0)
        return -EINVAL;
    grant->allowed = calloc(count + 1, sizeof *grant->allowed);
    if (grant->allowed == NULL) {
        error_set(err, "no-memory", "out of memory");
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        struct json_at item = json_item(at, i);
        const char *text;

        if (json_as_string(&item, &text, err) < 0)
            return -EINVAL;
        if (prefix_parse(&grant->allowed[i], text, false, &why) < 0)
            return json_fail(&item, err, why.code, "%s", why.message);
        grant->allowed_count++;
    }
    return 0;
}

int grant_read(struct grant *grant, const struct json_at *at, struct error *err)
{
    struct json_at member;
    int rc;

    memset(grant, 0, sizeof *grant);
    rc = json_as_object(at, NULL, err);
    if (rc == 0)
        rc = grant_read_name(grant, at, err);
    if (rc == 0)
        rc = grant_read_id(grant, at, err);
    if (rc == 0 && json_member(at, "allowed_ips", &member))
        rc = grant_read_allowed(grant, &member, err);
    if (rc == 0 && json_member(at, "inbound", &member))
        rc = inbound_read(&grant->inbound, &member, err);
    if (rc < 0)
        grant_clear(grant);
    return rc;
}

void grant_clear(struct grant *grant)
{
    if (grant == NULL)
        return;
    free(grant->allowed);
    memset(grant, 0, sizeof *grant);
}

bool grant_allows(const struct grant *grant, const struct prefix *prefix)
{
    struct prefix ipv6, ipv4;

    for (size_t i = 0; i < grant->allowed_count; i++)
        if (prefix_contains(&grant->allowed[i], prefix))
            return true;
    id_overlay(grant->key, &ipv6, &ipv4);
    return prefix_equal(&ipv6, prefix) || prefix_equal(&ipv4, prefix);
}

bool grant_reserves(const struct grant *grant, const struct prefix *overlay)
{
    struct prefix ipv6, ipv4;

    for (size_t i = 0; i < grant->allowed_count; i++)
        if (id_is_overlay(&grant->allowed[i]) && prefix_contains(&grant->allowed[i], overlay))
            return true;
    if (grant->allowed_count > 0)
        return false;
    id_overlay(grant->key, &ipv6, &ipv4);
    return prefix_equal(&ipv6, overlay) || prefix_equal(&ipv4, overlay);
}
