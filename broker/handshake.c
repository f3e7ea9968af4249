/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/handshake.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *handshake_role_name(enum role role)
{
    switch (role) {
    case ROLE_SIGNAL:
        return "signal";
    case ROLE_ICE:
        return "ice";
    case ROLE_WG:
        return "wg";
    default:
        return "none";
    }
}

static bool handshake_knows(const char *const *known, const char *capability)
{
    for (size_t i = 0; known != NULL && known[i] != NULL; i++)
        if (strcmp(known[i], capability) == 0)
            return true;
    return false;
}

static struct protocol_range handshake_theirs(const struct message_hello *hello)
{
    bool one = hello->protocol_max == MESSAGE_ABSENT;

    return (struct protocol_range){hello->protocol, one ? hello->protocol : hello->protocol_max};
}

int64_t handshake_protocol(const struct message_hello *hello, const struct protocol_range *ours)
{
    struct protocol_range theirs = handshake_theirs(hello);
    int64_t highest = theirs.max < ours->max ? theirs.max : ours->max;

    return highest >= theirs.min && highest >= ours->min ? highest : 0;
}

/* "2" or "1 to 2". */
static const char *range_format(const struct protocol_range *range, char *text, size_t size)
{
    if (range->min == range->max)
        snprintf(text, size, "%" PRId64, range->min);
    else
        snprintf(text, size, "%" PRId64 " to %" PRId64, range->min, range->max);
    return text;
}

static void no_common_protocol(const struct message_hello *hello, const struct protocol_range *ours,
                               struct error *err)
{
    struct protocol_range theirs = handshake_theirs(hello);
    char text[2][48];

    error_set(err, "protocol-version",
              "'%s' %s speaks protocol %s, this broker speaks %s: %s is older, install both of the "
              "same release",
              hello->name, hello->version, range_format(&theirs, text[0], sizeof text[0]),
              range_format(ours, text[1], sizeof text[1]),
              theirs.max < ours->min ? "the helper" : "the broker");
}

enum handshake_result handshake_check(const struct message_hello *hello, enum role role,
                                      const char *const *known, const struct protocol_range *ours,
                                      struct error *err)
{
    const char *role_name = handshake_role_name(role);

    if (handshake_protocol(hello, ours) == 0) {
        no_common_protocol(hello, ours, err);
        return HANDSHAKE_WRONG;
    }
    if (strcmp(hello->role, role_name) != 0) {
        error_set(err, "wrong-role", "'%s' has the role '%s', but is configured where '%s' is due",
                  hello->name, hello->role, role_name);
        return HANDSHAKE_WRONG;
    }
    for (size_t i = 0; i < hello->capabilities.count; i++) {
        const char *capability = hello->capabilities.items[i];

        if (capability[0] == '*' && !handshake_knows(known, capability)) {
            error_set(err, "unknown-capability",
                      "'%s' %s insists on the capability '%s', which this broker lacks",
                      hello->name, hello->version, capability);
            return HANDSHAKE_REFUSED;
        }
    }
    return HANDSHAKE_OK;
}
