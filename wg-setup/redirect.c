/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wg-setup/redirect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/interface.h"
#include "protocol/log.h"
#include "wg-setup/ruleset.h"

struct redirect {
    struct ruleset *ruleset;
    char interface[INTERFACE_NAME_SIZE];
    char table[INTERFACE_NAME_SIZE + 16];
};

struct redirect *redirect_new(const char *interface)
{
    struct redirect *redirect = calloc(1, sizeof *redirect);
    struct interface check;

    if (redirect == NULL || interface_set_name(&check, interface, NULL) < 0)
        goto fail;
    memcpy(redirect->interface, check.name, sizeof redirect->interface);
    snprintf(redirect->table, sizeof redirect->table, "punchguard_%s", check.name);
    redirect->ruleset = ruleset_new();
    if (redirect->ruleset != NULL)
        return redirect;
fail:
    free(redirect);
    return NULL;
}

void redirect_destroy(struct redirect *redirect)
{
    if (redirect == NULL)
        return;
    ruleset_destroy(redirect->ruleset);
    free(redirect);
}

static void explain(const struct redirect *redirect, struct error *err)
{
    struct error said;

    if (err == NULL)
        return;
    said = *err;
    error_set(err, "nftables",
              "table inet %s: %.300s. A direct path needs nftables in the kernel (modules "
              "nf_tables and nft_fib_inet) and CAP_NET_ADMIN; without them a path can only be "
              "forwarded",
              redirect->table, said.message);
}

int redirect_apply(struct redirect *redirect, const struct redirect_rules *rules, struct error *err)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    int rc;

    if (out == NULL)
        return -ENOMEM;
    redirect_write(out, rules);
    fclose(out);
    rc = ruleset_put(redirect->ruleset, redirect->table, text, err);
    free(text);
    if (rc == 1)
        log_warn("the nftables table %s was not as we make it: it was made anew", redirect->table);
    if (rc == -EIO)
        explain(redirect, err);
    return rc < 0 ? rc : 0;
}

int redirect_remove(struct redirect *redirect, struct error *err)
{
    int rc = ruleset_remove(redirect->ruleset, redirect->table, err);

    if (rc < 0)
        explain(redirect, err);
    return rc;
}

bool redirect_stands(struct redirect *redirect)
{
    return ruleset_stands(redirect->ruleset, redirect->table);
}

/* One set or map. Not the whole table: libnftables complains on standard error of rules that JSON can't express. */
static int read_one(struct redirect *redirect, const char *kind, const char *name,
                    struct redirect_standing *standing, struct error *err)
{
    const char *json;
    char text[96];

    snprintf(text, sizeof text, "list %s inet punchguard_%s %s\n", kind, redirect->interface, name);
    json = ruleset_run_json(redirect->ruleset, text, err);
    if (json == NULL)
        explain(redirect, err);
    return json ? redirect_parse(json, strlen(json), standing, err) : -ENOENT;
}

int redirect_read(struct redirect *redirect, struct redirect_standing *standing, struct error *err)
{
    static const char *const maps[] = {"pairs", "pairs6", "learned"};
    int rc;

    memset(standing, 0, sizeof *standing);
    rc = read_one(redirect, "set", "ice", standing, err);
    for (size_t i = 0; rc == 0 && i < sizeof maps / sizeof maps[0]; i++)
        rc = read_one(redirect, "map", maps[i], standing, err);
    if (rc < 0)
        redirect_standing_clear(standing);
    return rc;
}

/* One element a transaction: each may have expired meanwhile, which would undo the rest. */
static void forget_one(struct redirect *redirect, const struct endpoint *remote)
{
    char text[160];

    snprintf(text, sizeof text, "delete element inet punchguard_%s learned { %s . %u }\n",
             redirect->interface, remote->address, (unsigned)remote->port);
    ruleset_run(redirect->ruleset, text, NULL);
}

void redirect_forget(struct redirect *redirect, const struct endpoint *remote, uint16_t port)
{
    struct redirect_standing standing;

    if (remote != NULL) {
        if (endpoint_family(remote) == AF_INET)
            forget_one(redirect, remote);
        return;
    }
    memset(&standing, 0, sizeof standing);
    if (read_one(redirect, "map", "learned", &standing, NULL) < 0)
        return;
    for (size_t i = 0; i < standing.learned_count; i++)
        if (standing.learned[i].base.port == port)
            forget_one(redirect, &standing.learned[i].remote);
    redirect_standing_clear(&standing);
}
