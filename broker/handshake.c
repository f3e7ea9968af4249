/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/handshake.h"

#include <inttypes.h>
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

enum handshake_result handshake_check(const struct message_hello *hello, enum role role,
                                      const char *const *known, struct error *err)
{
    const char *role_name = handshake_role_name(role);

    if (hello->protocol != PROTOCOL_VERSION) {
        error_set(err, "protocol-version",
                  "'%s' %s speaks protocol %" PRId64 ", this broker speaks %d: install both of the "
                  "same release",
                  hello->name, hello->version, hello->protocol, PROTOCOL_VERSION);
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
