/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wg-setup/redirect.h"

#include <errno.h>
#include <linux/netlink.h>
#include <nftables/libnftables.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol/interface.h"
#include "protocol/log.h"

#define NO_NETFILTER "this kernel has no netfilter netlink"

struct redirect {
    struct nft_ctx *nft; /* NULL where the kernel has no such netlink */
    char interface[INTERFACE_NAME_SIZE];
};

/* libnftables ends the process where it can't open its socket. */
static bool has_netfilter(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

struct redirect *redirect_new(const char *interface)
{
    struct redirect *redirect = calloc(1, sizeof *redirect);
    struct interface check;

    if (redirect == NULL || interface_set_name(&check, interface, NULL) < 0)
        goto fail;
    memcpy(redirect->interface, check.name, sizeof redirect->interface);
    if (!has_netfilter())
        return redirect;
    redirect->nft = nft_ctx_new(NFT_CTX_DEFAULT);
    if (redirect->nft == NULL)
        goto fail;
    nft_ctx_buffer_output(redirect->nft);
    nft_ctx_buffer_error(redirect->nft);
    return redirect;
fail:
    free(redirect);
    return NULL;
}

void redirect_destroy(struct redirect *redirect)
{
    if (redirect == NULL)
        return;
    if (redirect->nft != NULL)
        nft_ctx_free(redirect->nft);
    free(redirect);
}

static int fail(const struct redirect *redirect, const char *said, struct error *err)
{
    char first[300];

    snprintf(first, sizeof first, "%s", said && *said ? said : "no reason given");
    first[strcspn(first, "\n")] = '\0';
    error_set(err, "nftables",
              "table inet punchguard_%s: %s. A direct path needs nftables in the kernel (modules "
              "nf_tables and nft_fib_inet) and CAP_NET_ADMIN; without them a path can only be "
              "forwarded",
              redirect->interface, first);
    return -EIO;
}

/* The output, valid until the next call; NULL with `err` filled. */
static const char *run(struct redirect *redirect, const char *text, struct error *err)
{
    if (redirect->nft == NULL) {
        fail(redirect, NO_NETFILTER, err);
        return NULL;
    }
    if (nft_run_cmd_from_buffer(redirect->nft, text) == 0)
        return nft_ctx_get_output_buffer(redirect->nft);
    fail(redirect, nft_ctx_get_error_buffer(redirect->nft), err);
    return NULL;
}

/* The same with the table deleted first, whether or not it is there. */
static int apply_anew(struct redirect *redirect, const char *text, struct error *err)
{
    char *whole = NULL;
    size_t length;
    FILE *out = open_memstream(&whole, &length);
    int rc;

    if (out == NULL)
        return -ENOMEM;
    fprintf(out, "add table inet punchguard_%s\ndelete table inet punchguard_%s\n%s",
            redirect->interface, redirect->interface, text);
    fclose(out);
    rc = run(redirect, whole, err) ? 0 : -EIO;
    free(whole);
    if (rc == 0)
        log_warn("the nftables table punchguard_%s was not as we make it: it was made anew",
                 redirect->interface);
    return rc;
}

int redirect_apply(struct redirect *redirect, const struct redirect_rules *rules, struct error *err)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    int rc = 0;

    if (out == NULL)
        return -ENOMEM;
    redirect_write(out, rules);
    fclose(out);
    /* Sets and chains of our names but other types stand in the way. */
    if (run(redirect, text, NULL) == NULL)
        rc = apply_anew(redirect, text, err);
    free(text);
    return rc;
}

int redirect_remove(struct redirect *redirect, struct error *err)
{
    char text[128];

    snprintf(text, sizeof text, "add table inet punchguard_%s\ndelete table inet punchguard_%s\n",
             redirect->interface, redirect->interface);
    return run(redirect, text, err) ? 0 : -EIO;
}

bool redirect_stands(struct redirect *redirect)
{
    char text[64];

    snprintf(text, sizeof text, "list table inet punchguard_%s\n", redirect->interface);
    return run(redirect, text, NULL) != NULL;
}

/* One set or map. Not the whole table: libnftables complains on standard error of rules that JSON can't express. */
static int read_one(struct redirect *redirect, const char *kind, const char *name,
                    struct redirect_standing *standing, struct error *err)
{
    const char *json;
    char text[96];

    snprintf(text, sizeof text, "list %s inet punchguard_%s %s\n", kind, redirect->interface, name);
    nft_ctx_output_set_flags(redirect->nft, NFT_CTX_OUTPUT_JSON);
    json = run(redirect, text, err);
    nft_ctx_output_set_flags(redirect->nft, 0);
    return json ? redirect_parse(json, strlen(json), standing, err) : -ENOENT;
}

int redirect_read(struct redirect *redirect, struct redirect_standing *standing, struct error *err)
{
    static const char *const maps[] = {"pairs", "pairs6", "learned"};
    int rc;

    memset(standing, 0, sizeof *standing);
    if (redirect->nft == NULL) {
        fail(redirect, NO_NETFILTER, err);
        return -EIO;
    }
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
    run(redirect, text, NULL);
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
    if (redirect->nft == NULL || read_one(redirect, "map", "learned", &standing, NULL) < 0)
        return;
    for (size_t i = 0; i < standing.learned_count; i++)
        if (standing.learned[i].base.port == port)
            forget_one(redirect, &standing.learned[i].remote);
    redirect_standing_clear(&standing);
}
