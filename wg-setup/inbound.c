/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wg-setup/inbound.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/log.h"
#include "wg-setup/ruleset.h"

struct inbound_table {
    struct ruleset *ruleset;
    char interface[INTERFACE_NAME_SIZE];
    char name[INTERFACE_NAME_SIZE + 32];
    char *text;    /* of what was put last, NULL where nothing should stand */
    bool is_known; /* whether what stands is what `text` says, but for what others do */
};

struct inbound_table *inbound_new(const char *interface)
{
    struct inbound_table *table = calloc(1, sizeof *table);
    struct interface check;

    if (table == NULL || interface_set_name(&check, interface, NULL) < 0)
        goto fail;
    memcpy(table->interface, check.name, sizeof table->interface);
    snprintf(table->name, sizeof table->name, "punchguard-inbound_%s", check.name);
    table->ruleset = ruleset_new();
    if (table->ruleset != NULL)
        return table;
fail:
    free(table);
    return NULL;
}

void inbound_destroy(struct inbound_table *table)
{
    if (table == NULL)
        return;
    ruleset_destroy(table->ruleset);
    free(table->text);
    free(table);
}

static int explain(const struct inbound_table *table, int rc, struct error *err)
{
    struct error said = *err;

    error_set(
        err, "nftables",
        "table inet %s: %.300s. Without nftables (kernel modules nf_tables and nft_ct) what a "
        "peer may begin can't be enforced, and only peers with \"inbound\": \"all\" are "
        "possible",
        table->name, said.message);
    return rc;
}

static bool restricts_any(const struct inbound_claim *claims, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (inbound_restricts(claims[i].grant))
            return true;
    return false;
}

static char *rules_text(const struct inbound_table *table, const struct inbound_claim *claims,
                        size_t count, char *const *stale, size_t stale_count)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    if (out == NULL)
        return NULL;
    inbound_write(out, table->interface, claims, count, stale, stale_count);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

static bool is_wanted(const char *chain, const struct inbound_claim *claims, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (inbound_restricts(claims[i].grant) &&
            strcmp(chain + strlen("from_"), claims[i].grant->peer) == 0)
            return true;
    return false;
}

/* Moves those that stand but are not wanted to the front; how many. */
static size_t pick_stale(char **chains, const struct inbound_claim *claims, size_t count)
{
    size_t stale = 0;

    for (size_t i = 0; chains[i] != NULL; i++) {
        char *chain = chains[i];

        if (is_wanted(chain, claims, count))
            continue;
        chains[i] = chains[stale];
        chains[stale++] = chain;
    }
    return stale;
}

static int put_text(struct inbound_table *table, const char *text, struct error *err)
{
    int rc = ruleset_put(table->ruleset, table->name, text, err);

    if (rc == 1)
        log_warn("the nftables table %s was not as we make it: it was made anew", table->name);
    return rc < 0 ? explain(table, rc, err) : 0;
}

/* The same without chains of peers that went, which only clutter: a failure to list them is none.
 */
static int put_clean(struct inbound_table *table, const struct inbound_claim *claims, size_t count,
                     const char *text, struct error *err)
{
    const char *json = ruleset_run_json(table->ruleset, "list chains inet\n", NULL);
    char **chains = json ? inbound_chains_parse(json, strlen(json), table->interface, NULL) : NULL;
    size_t stale = chains ? pick_stale(chains, claims, count) : 0;
    char *clean = stale > 0 ? rules_text(table, claims, count, chains, stale) : NULL;
    int rc = put_text(table, clean ? clean : text, err);

    free(clean);
    inbound_chains_free(chains);
    return rc;
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

int inbound_apply(struct inbound_table *table, struct inbound_claim *claims, size_t count,
                  struct error *err)
{
    char *text = NULL;
    int rc = 0;

    inbound_sort(claims, count);
    if (restricts_any(claims, count)) {
        text = rules_text(table, claims, count, NULL, 0);
        if (text == NULL) {
            error_set(err, "no-memory", "out of memory");
            return -ENOMEM;
        }
    }
    if (!table->is_known || !same_text(text, table->text)) {
        if (text != NULL)
            rc = put_clean(table, claims, count, text, err);
        else if (ruleset_stands(table->ruleset, table->name))
            rc = inbound_remove(table, err);
    }
    if (rc < 0) {
        free(text);
        return rc;
    }
    free(table->text);
    table->text = text;
    table->is_known = true;
    return 0;
}

int inbound_check(struct inbound_table *table, struct error *err)
{
    int rc;

    if (table->text == NULL || ruleset_stands(table->ruleset, table->name))
        return 0;
    rc = put_text(table, table->text, err);
    return rc < 0 ? rc : 1;
}

int inbound_remove(struct inbound_table *table, struct error *err)
{
    int rc;

    if (table->is_known && table->text == NULL)
        return 0;
    rc = ruleset_remove(table->ruleset, table->name, err);
    return rc < 0 ? explain(table, rc, err) : 0;
}
