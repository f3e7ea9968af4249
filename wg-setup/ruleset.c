/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wg-setup/ruleset.h"

#include <errno.h>
#include <linux/netlink.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct ruleset {
    struct nft_ctx *nft; /* NULL where the kernel has no such netlink */
};

/* libnftables ends the process where it can't open its socket. */
static bool has_netfilter(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

struct ruleset *ruleset_new(void)
{
    struct ruleset *ruleset = calloc(1, sizeof *ruleset);

    if (ruleset == NULL || !has_netfilter())
        return ruleset;
    ruleset->nft = nft_ctx_new(NFT_CTX_DEFAULT);
    if (ruleset->nft == NULL) {
        free(ruleset);
        return NULL;
    }
    nft_ctx_buffer_output(ruleset->nft);
    nft_ctx_buffer_error(ruleset->nft);
    return ruleset;
}

void ruleset_destroy(struct ruleset *ruleset)
{
    if (ruleset == NULL)
        return;
    if (ruleset->nft != NULL)
        nft_ctx_free(ruleset->nft);
    free(ruleset);
}

static const char *fail(const char *said, struct error *err)
{
    char first[300];

    snprintf(first, sizeof first, "%s", said && *said ? said : "no reason given");
    first[strcspn(first, "\n")] = '\0';
    error_set(err, "nftables", "%s", first);
    return NULL;
}

const char *ruleset_run(struct ruleset *ruleset, const char *text, struct error *err)
{
    if (ruleset->nft == NULL)
        return fail("this kernel has no netfilter netlink", err);
    if (nft_run_cmd_from_buffer(ruleset->nft, text) == 0)
        return nft_ctx_get_output_buffer(ruleset->nft);
    return fail(nft_ctx_get_error_buffer(ruleset->nft), err);
}

const char *ruleset_run_json(struct ruleset *ruleset, const char *text, struct error *err)
{
    const char *json;

    if (ruleset->nft == NULL)
        return ruleset_run(ruleset, text, err);
    nft_ctx_output_set_flags(ruleset->nft, NFT_CTX_OUTPUT_JSON);
    json = ruleset_run(ruleset, text, err);
    nft_ctx_output_set_flags(ruleset->nft, 0);
    return json;
}

static int put_anew(struct ruleset *ruleset, const char *table, const char *text, struct error *err)
{
    char *whole = NULL;
    size_t length;
    FILE *out = open_memstream(&whole, &length);
    int rc;

    if (out == NULL) {
        error_set(err, "no-memory", "out of memory");
        return -ENOMEM;
    }
    fprintf(out, "add table inet %s\ndelete table inet %s\n%s", table, table, text);
    fclose(out);
    rc = ruleset_run(ruleset, whole, err) ? 1 : -EIO;
    free(whole);
    return rc;
}

int ruleset_put(struct ruleset *ruleset, const char *table, const char *text, struct error *err)
{
    return ruleset_run(ruleset, text, NULL) ? 0 : put_anew(ruleset, table, text, err);
}

bool ruleset_stands(struct ruleset *ruleset, const char *table)
{
    char text[128];

    snprintf(text, sizeof text, "list table inet %s\n", table);
    return ruleset_run(ruleset, text, NULL) != NULL;
}

int ruleset_remove(struct ruleset *ruleset, const char *table, struct error *err)
{
    char text[192];

    snprintf(text, sizeof text, "add table inet %s\ndelete table inet %s\n", table, table);
    return ruleset_run(ruleset, text, err) ? 0 : -EIO;
}
