/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where the rules stand, and the marks that go with them as nftables' text: pure.
 */
#include <string.h>

#include "wg-setup/rules.h"

/* Far behind what others use by number (5210-5270 and the like), before main (32766). So many
 * interfaces find a place. */
#define PRIORITY_FIRST 29000u
#define PLACES         400u
#define PLACE_SIZE     8u
#define TABLE_FIRST    0x50470000u

static uint32_t place_of(const char *interface)
{
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (; *interface != '\0'; interface++)
        hash = (hash ^ (uint8_t)*interface) * 16777619u;
    return hash % PLACES;
}

void rules_init(struct rules *rules, const char *interface, int64_t user)
{
    uint32_t place = place_of(interface);

    memset(rules, 0, sizeof *rules);
    snprintf(rules->interface, sizeof rules->interface, "%s", interface);
    rules->table = TABLE_FIRST + place;
    rules->priority = PRIORITY_FIRST + PLACE_SIZE * place;
    rules->user = user;
}

static void write_chain(FILE *out, const char *interface, const char *chain, const char *hook)
{
    fprintf(out,
            "add chain inet punchguard-routes_%s %s { type %s priority mangle; policy accept; }\n"
            "flush chain inet punchguard-routes_%s %s\n",
            interface, chain, hook, interface, chain);
}

static void write_incoming(FILE *out, const char *interface)
{
    write_chain(out, interface, "prerouting", "filter hook prerouting");
    fprintf(out,
            "add rule inet punchguard-routes_%s prerouting iifname != \"lo\" iifname != \"%s\" ct "
            "direction original ct mark 0 fib daddr type local ct mark set %#x\n"
            "add rule inet punchguard-routes_%s prerouting iifname != \"%s\" ct mark %#x meta mark "
            "set %#x\n",
            interface, interface, RULES_MARK, interface, interface, RULES_MARK, RULES_MARK);
}

static void write_outgoing(FILE *out, const char *interface, int64_t user)
{
    write_chain(out, interface, "output", "route hook output");
    fprintf(out,
            "add rule inet punchguard-routes_%s output meta mark %#x ct mark 0 ct mark set %#x\n",
            interface, RULES_MARK, RULES_MARK);
    if (user >= 0)
        fprintf(out,
                "add rule inet punchguard-routes_%s output meta skuid %lld ct mark 0 ct mark set "
                "%#x\n",
                interface, (long long)user, RULES_MARK);
    fprintf(out,
            "add rule inet punchguard-routes_%s output ct mark %#x meta mark 0 meta mark set %#x\n",
            interface, RULES_MARK, RULES_MARK);
}

/* Marks of others are left alone. */
void rules_write(FILE *out, const struct rules *rules)
{
    fprintf(out, "add table inet punchguard-routes_%s\n", rules->interface);
    write_incoming(out, rules->interface);
    write_outgoing(out, rules->interface, rules->user);
}
