/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocol/file.h"
#include "protocol/identity_key.h"
#include "protocol/log.h"

#define PREVIOUS_FILE "identity.key.previous"
#define RENDEZVOUS    "PunchGuard rendezvous 1 "

/* Others than the owner may not read it, whoever made it so. */
static void tighten(int folder, const char *name)
{
    struct stat about;

    if (fstatat(folder, name, &about, AT_SYMLINK_NOFOLLOW) < 0 || (about.st_mode & 077) == 0)
        return;
    log_warn("%s could be read by others than its owner: its mode is set to 0600", name);
    if (fchmodat(folder, name, 0600, 0) < 0)
        log_warn("%s: cannot set its mode: %s", name, strerror(errno));
}

/* 0; -ENOENT; -EINVAL or -EFBIG when it is no key; -errno when it can't be read. */
static int key_read(int folder, const char *name, uint8_t secret[32], struct error *err)
{
    size_t length;
    void *text;
    int rc = file_read(folder, name, IDENTITY_TEXT_LENGTH, &text, &length, err);

    if (rc < 0)
        return rc;
    rc = identity_key_parse(text, length, secret);
    sodium_memzero(text, length);
    free(text);
    if (rc < 0)
        error_set(err, "bad-identity", "%s is torn or no identity key", name);
    else
        tighten(folder, name);
    return rc;
}

static int key_write(int folder, const char *name, const uint8_t secret[32], struct error *err)
{
    char text[IDENTITY_TEXT_LENGTH + 1];
    int rc;

    identity_key_format(secret, text);
    rc = file_write(folder, name, text, IDENTITY_TEXT_LENGTH, err);
    sodium_memzero(text, sizeof text);
    return rc;
}

/* The second copy is only ever needed when the first is lost: without it the start goes on. */
static void key_copy(int folder, const char *name, const uint8_t secret[32])
{
    struct error err;

    if (key_write(folder, name, secret, &err) < 0)
        log_warn("%s", err.message);
}

static int key_make(int folder, uint8_t secret[32], struct error *err)
{
    int rc;

    randombytes_buf(secret, 32);
    rc = key_write(folder, IDENTITY_FILE, secret, err);
    if (rc == 0)
        key_copy(folder, PREVIOUS_FILE, secret);
    return rc;
}

/* The first copy is not to be had, for the reason in `err`. */
static int key_recover(int folder, bool missing, uint8_t secret[32], struct error *err)
{
    struct error why;
    int rc = key_read(folder, PREVIOUS_FILE, secret, &why);

    if (rc == -ENOENT && missing)
        return key_make(folder, secret, err);
    if (rc < 0) {
        struct error first = *err;

        error_set(err, "bad-identity",
                  "%.150s, and %.150s: put a copy of " IDENTITY_FILE " there, or remove both to "
                  "become another device with a new id",
                  first.message, why.message);
        return rc;
    }
    log_warn("%s: its previous copy is used and put in its place", err->message);
    key_copy(folder, IDENTITY_FILE, secret);
    return 0;
}

static int key_load(int folder, uint8_t secret[32], struct error *err)
{
    uint8_t previous[32];
    int rc = key_read(folder, IDENTITY_FILE, secret, err);

    if (rc == -ENOENT || rc == -EINVAL || rc == -EFBIG)
        return key_recover(folder, rc == -ENOENT, secret, err);
    if (rc < 0)
        return rc;
    if (key_read(folder, PREVIOUS_FILE, previous, NULL) < 0 ||
        sodium_memcmp(previous, secret, sizeof previous) != 0)
        key_copy(folder, PREVIOUS_FILE, secret);
    sodium_memzero(previous, sizeof previous);
    return 0;
}

struct identity *identity_load(const char *state_dir, struct error *err)
{
    struct identity *identity = NULL;
    int folder = folder_open(state_dir, 0700, err);

    if (folder < 0)
        return NULL;
    identity = sodium_malloc(sizeof *identity);
    if (identity == NULL) {
        error_set(err, "no-memory", "out of memory");
        goto out;
    }
    if (key_load(folder, identity->secret, err) < 0) {
        error_prefix(err, "%s: ", state_dir);
        identity_destroy(identity);
        identity = NULL;
        goto out;
    }
    crypto_scalarmult_curve25519_base(identity->public, identity->secret);
out:
    close(folder);
    return identity;
}

void identity_destroy(struct identity *identity)
{
    sodium_free(identity);
}

int identity_rendezvous(const struct identity *identity, const uint8_t peer[32],
                        const char *transport, char out[65])
{
    uint8_t shared[32], hash[32];
    crypto_generichash_state state;

    if (crypto_scalarmult_curve25519(shared, identity->secret, peer) != 0)
        return -EINVAL;
    crypto_generichash_init(&state, shared, sizeof shared, sizeof hash);
    crypto_generichash_update(&state, (const uint8_t *)RENDEZVOUS, sizeof RENDEZVOUS - 1);
    crypto_generichash_update(&state, (const uint8_t *)transport, strlen(transport));
    crypto_generichash_final(&state, hash, sizeof hash);
    sodium_bin2hex(out, 65, hash, sizeof hash);
    sodium_memzero(shared, sizeof shared);
    sodium_memzero(&state, sizeof state);
    sodium_memzero(hash, sizeof hash);
    return 0;
}
