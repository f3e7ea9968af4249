/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wg-setup/forward.h"

#include <errno.h>
#include <linux/ipv6_route.h>
#include <linux/route.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/log.h"
#include "wg-setup/rules.h"
#include "wg-setup/ruleset.h"

#define FORWARD4 "net/ipv4/ip_forward"
#define FORWARD6 "net/ipv6/conf/all/forwarding"

struct forward {
    struct ruleset *ruleset;
    struct sysctls *sysctls;
    enum interface_forward mode;
    char interface[INTERFACE_NAME_SIZE];
    char table[INTERFACE_NAME_SIZE + 32];
};

struct forward *forward_new(const char *interface, struct sysctls *sysctls)
{
    struct forward *forward = calloc(1, sizeof *forward);

    if (forward == NULL)
        return NULL;
    forward->sysctls = sysctls;
    snprintf(forward->interface, sizeof forward->interface, "%s", interface);
    snprintf(forward->table, sizeof forward->table, "punchguard-forward_%s", interface);
    forward->ruleset = ruleset_new();
    if (forward->ruleset != NULL)
        return forward;
    free(forward);
    return NULL;
}

void forward_destroy(struct forward *forward)
{
    if (forward == NULL)
        return;
    ruleset_destroy(forward->ruleset);
    free(forward);
}

void forward_write(FILE *out, const char *interface)
{
    fprintf(out,
            "add table inet punchguard-forward_%s\n"
            "add chain inet punchguard-forward_%s postrouting { type nat hook postrouting priority "
            "srcnat; policy accept; }\n"
            "flush chain inet punchguard-forward_%s postrouting\n"
            "add rule inet punchguard-forward_%s postrouting iifname \"%s\" oifname != \"%s\" "
            "masquerade\n",
            interface, interface, interface, interface, interface, interface);
}

static int put_table(struct forward *forward, struct error *err)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    struct error why;
    int rc;

    if (out == NULL) {
        error_set(err, "no-memory", "out of memory");
        return -ENOMEM;
    }
    forward_write(out, forward->interface);
    fclose(out);
    rc = ruleset_put(forward->ruleset, forward->table, text, &why);
    free(text);
    if (rc < 0)
        error_set(err, "nftables",
                  "table inet %s: %.300s. \"forward\": \"masquerade\" needs nftables in the kernel "
                  "(modules nf_tables, nft_chain_nat and nft_masq); \"routed\" goes without",
                  forward->table, why.message);
    return rc < 0 ? rc : 0;
}

/* Fields of net/ipv6/route.c: destination, its length, source, its length, gateway, metric,
 * references, use, flags, interface. */
bool forward_is_announced(const char *line, char interface[INTERFACE_NAME_SIZE])
{
    unsigned long length, flags;

    return sscanf(line, "%*s %lx %*s %*s %*s %*s %*s %*s %lx %15s", &length, &flags, interface) ==
               3 &&
           length == 0 && (flags & (RTF_DEFAULT | RTF_ADDRCONF)) == (RTF_DEFAULT | RTF_ADDRCONF);
}

int forward_keep_announced(struct sysctls *sysctls, FILE *routes, struct error *err)
{
    char line[512], interface[INTERFACE_NAME_SIZE], name[64], now[SYSCTL_VALUE_MAX];
    int rc = 0;

    while (rc == 0 && fgets(line, sizeof line, routes) != NULL) {
        if (!forward_is_announced(line, interface))
            continue;
        snprintf(name, sizeof name, "net/ipv6/conf/%s/accept_ra", interface);
        /* 2 may be by another one of us, which would take it along when it ends. */
        if (sysctls_get(sysctls, name, now) && (strcmp(now, "1") == 0 || strcmp(now, "2") == 0))
            rc = sysctls_set(sysctls, name, "2", err);
    }
    return rc;
}

static int keep_announced(struct forward *forward, struct error *err)
{
    FILE *routes = fopen("/proc/net/ipv6_route", "re");
    int rc;

    if (routes == NULL)
        return 0;
    rc = forward_keep_announced(forward->sysctls, routes, err);
    fclose(routes);
    return rc;
}

static int forward_begin(struct forward *forward, struct error *err)
{
    char now[SYSCTL_VALUE_MAX];
    int rc = 0;

    if (sysctls_get(forward->sysctls, FORWARD4, now))
        rc = sysctls_set(forward->sysctls, FORWARD4, "1", err);
    if (rc < 0 || !sysctls_get(forward->sysctls, FORWARD6, now))
        return rc;
    rc = keep_announced(forward, err);
    return rc < 0 ? rc : sysctls_set(forward->sysctls, FORWARD6, "1", err);
}

int forward_apply(struct forward *forward, enum interface_forward mode, struct error *err)
{
    int rc = 0;

    forward->mode = mode;
    if (mode == FORWARD_MASQUERADE)
        rc = put_table(forward, err);
    else if (ruleset_stands(forward->ruleset, forward->table))
        rc = ruleset_remove(forward->ruleset, forward->table, err);
    if (rc == 0)
        rc = mode == FORWARD_NONE ? sysctls_restore_all(forward->sysctls, RULES_SETTING, err)
                                  : forward_begin(forward, err);
    if (rc < 0)
        forward_undo(forward);
    return rc;
}

int forward_check(struct forward *forward, struct error *err)
{
    int rc;

    if (forward->mode != FORWARD_MASQUERADE || ruleset_stands(forward->ruleset, forward->table))
        return 0;
    rc = put_table(forward, err);
    return rc < 0 ? rc : 1;
}

void forward_undo(struct forward *forward)
{
    struct error err;

    if (forward->mode == FORWARD_MASQUERADE &&
        ruleset_remove(forward->ruleset, forward->table, &err) < 0)
        log_error("%s", err.message);
    if (sysctls_restore_all(forward->sysctls, RULES_SETTING, &err) < 0)
        log_error("%s", err.message);
    forward->mode = FORWARD_NONE;
}
