/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wg-setup/redirect.h"

#include <errno.h>
#include <nftables/libnftables.h>
#include <stdlib.h>
#include <string.h>

struct redirect {
    struct nft_ctx *nft;
    char interface[16];
};

struct redirect *redirect_new(const char *interface)
{
    struct redirect *redirect = calloc(1, sizeof *redirect);

    if (redirect == NULL)
        return NULL;
    snprintf(redirect->interface, sizeof redirect->interface, "%s", interface);
    redirect->nft = nft_ctx_new(NFT_CTX_DEFAULT);
    if (redirect->nft == NULL) {
        free(redirect);
        return NULL;
    }
    nft_ctx_buffer_output(redirect->nft);
    nft_ctx_buffer_error(redirect->nft);
    return redirect;
}

void redirect_destroy(struct redirect *redirect)
{
    if (redirect == NULL)
        return;
    nft_ctx_free(redirect->nft);
    free(redirect);
}

/* A map from the remote's address and port to a value of the base. */
static void write_map(FILE *out, const struct redirect_rules *rules, const char *name, int family,
                      bool address)
{
    const char *key = family == AF_INET ? "ipv4_addr" : "ipv6_addr", *comma = "elements = { ";

    fprintf(out, " map %s { type %s . inet_service : %s; ", name, key,
            address ? key : "inet_service");
    for (size_t i = 0; i < rules->pair_count; i++) {
        const struct redirect_pair *pair = &rules->pairs[i];

        if (endpoint_family(&pair->remote) != family)
            continue;
        fprintf(out, "%s%s . %u : ", comma, pair->remote.address, (unsigned)pair->remote.port);
        if (address)
            fputs(pair->base.address, out);
        else
            fprintf(out, "%u", (unsigned)pair->base.port);
        comma = ", ";
    }
    fputs(*comma == ',' ? " }; }\n" : "}\n", out);
}

static void write_ports(FILE *out, const struct redirect_rules *rules)
{
    fputs(" set ice { type inet_service; ", out);
    for (size_t i = 0; i < rules->port_count; i++)
        fprintf(out, "%s%u", i ? ", " : "elements = { ", (unsigned)rules->ports[i]);
    fputs(rules->port_count ? " }; }\n" : "}\n", out);
}

/* WireGuard's four message types, little-endian with three zero bytes behind: no STUN message begins so, for its
 * length and magic cookie stand elsewhere (RFC 8489 section 5), nor does a probe. */
#define IS_WIREGUARD                                                                               \
    "udp dport @ice @th,64,32 { 0x01000000, 0x02000000, 0x03000000, 0x04000000 }"

static void write_chains(FILE *out, const struct redirect_rules *rules)
{
    unsigned port = rules->listen_port;

    fprintf(out,
            " chain ingress { type filter hook prerouting priority %d; policy accept;\n"
            "  iifname != \"%s\" fib daddr type local meta nfproto ipv4 " IS_WIREGUARD
            " update @learned { ip saddr . udp sport : udp dport }\n"
            "  iifname != \"%s\" fib daddr type local " IS_WIREGUARD " udp dport set %u\n"
            " }\n",
            REDIRECT_INGRESS_PRIORITY, rules->interface, rules->interface, port);
    fprintf(out,
            " chain egress { type route hook output priority %d; policy accept;\n"
            "  udp sport %u ip saddr set ip daddr . udp dport map @source\n"
            "  udp sport %u ip6 saddr set ip6 daddr . udp dport map @source6\n"
            "  udp sport %u udp sport set ip daddr . udp dport map @egress\n"
            "  udp sport %u udp sport set ip6 daddr . udp dport map @egress6\n"
            "  udp sport %u udp sport set ip daddr . udp dport map @learned\n"
            " }\n",
            REDIRECT_EGRESS_PRIORITY, port, port, port, port, port);
}

void redirect_write(FILE *out, const struct redirect_rules *rules)
{
    /* Added so that it can be deleted whether or not it is there; all in one transaction. */
    fprintf(out, "add table inet punchguard_%s\ndelete table inet punchguard_%s\n",
            rules->interface, rules->interface);
    fprintf(out, "table inet punchguard_%s {\n", rules->interface);
    write_ports(out, rules);
    fprintf(out,
            " map learned { type ipv4_addr . inet_service : inet_service; flags dynamic,timeout; "
            "timeout %ds; size %d; }\n",
            REDIRECT_LEARNED_S, REDIRECT_LEARNED_MAX);
    write_map(out, rules, "source", AF_INET, true);
    write_map(out, rules, "egress", AF_INET, false);
    write_map(out, rules, "source6", AF_INET6, true);
    write_map(out, rules, "egress6", AF_INET6, false);
    write_chains(out, rules);
    fputs("}\n", out);
}

static int run(struct redirect *redirect, const char *text, struct error *err)
{
    const char *said;
    char first[300];

    if (nft_run_cmd_from_buffer(redirect->nft, text) == 0) {
        nft_ctx_get_output_buffer(redirect->nft);
        return 0;
    }
    said = nft_ctx_get_error_buffer(redirect->nft);
    snprintf(first, sizeof first, "%s", said ? said : "no reason given");
    first[strcspn(first, "\n")] = '\0';
    error_set(err, "nftables", "table inet punchguard_%s: %s", redirect->interface, first);
    return -EIO;
}

int redirect_apply(struct redirect *redirect, const struct redirect_rules *rules,
                   struct error *err)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    int rc;

    if (out == NULL)
        return -ENOMEM;
    redirect_write(out, rules);
    fclose(out);
    rc = run(redirect, text, err);
    free(text);
    return rc;
}

int redirect_remove(struct redirect *redirect, struct error *err)
{
    char text[128];

    snprintf(text, sizeof text,
             "add table inet punchguard_%s\ndelete table inet punchguard_%s\n",
             redirect->interface, redirect->interface);
    return run(redirect, text, err);
}

bool redirect_stands(struct redirect *redirect)
{
    char text[64];

    snprintf(text, sizeof text, "list table inet punchguard_%s\n", redirect->interface);
    return run(redirect, text, NULL) == 0;
}
