/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wg-setup/key.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocol/file.h"
#include "protocol/log.h"

int key_from_text(const char *text, uint8_t out[KEY_BYTES])
{
    size_t length;

    if (strlen(text) != KEY_TEXT_LENGTH ||
        sodium_base642bin(out, KEY_BYTES, text, KEY_TEXT_LENGTH, NULL, &length, NULL,
                          sodium_base64_VARIANT_ORIGINAL) < 0 ||
        length != KEY_BYTES)
        return -EINVAL;
    return 0;
}

void key_to_text(const uint8_t key[KEY_BYTES], char out[KEY_TEXT_LENGTH + 1])
{
    sodium_bin2base64(out, KEY_TEXT_LENGTH + 1, key, KEY_BYTES, sodium_base64_VARIANT_ORIGINAL);
}

void key_wipe(struct key *key)
{
    sodium_memzero(key, sizeof *key);
}

static int write_key(int folder, const char *name, const uint8_t secret[KEY_BYTES],
                     struct error *err)
{
    char text[KEY_TEXT_LENGTH + 2];
    int rc;

    key_to_text(secret, text);
    text[KEY_TEXT_LENGTH] = '\n';
    rc = file_write(folder, name, text, KEY_TEXT_LENGTH + 1, err);
    sodium_memzero(text, sizeof text);
    return rc;
}

static int make_key(int folder, uint8_t secret[KEY_BYTES], struct error *err)
{
    randombytes_buf(secret, KEY_BYTES);
    /* RFC 7748 section 5: what every X25519 implementation does to a scalar; wg(8) keeps it so too.
     */
    secret[0] &= 248;
    secret[31] = (uint8_t)((secret[31] & 127) | 64);
    return write_key(folder, KEY_FILE, secret, err);
}

/* Somebody else's file could hold a key that they know. */
static int check_owner(int fd, const char *name, struct error *err)
{
    struct stat about;

    if (fstat(fd, &about) < 0)
        return -errno;
    if (about.st_uid == geteuid() && (about.st_mode & 077) == 0)
        return 0;
    error_set(err, "bad-key-file",
              "%s belongs to user %u with mode %04o; user %u's with mode 0600 is right", name,
              (unsigned)about.st_uid, (unsigned)about.st_mode & 07777, (unsigned)geteuid());
    return -EPERM;
}

/* The owner is that of the very file that is read: who has the folder may exchange names at any
 * time. */
static int read_text(int folder, const char *name, void **data, size_t *length, struct error *err)
{
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), rc;

    if (fd < 0) {
        rc = -errno;
        error_set(err, "bad-key-file", "%s: %s", name,
                  rc == -ELOOP ? "a symbolic link; the file itself is right" : strerror(-rc));
        return rc;
    }
    rc = check_owner(fd, name, err);
    if (rc == 0)
        rc = file_read_open(fd, name, 256, data, length, err);
    close(fd);
    return rc;
}

/* -EINVAL where it holds no key. */
static int read_key(int folder, const char *name, uint8_t secret[KEY_BYTES], struct error *err)
{
    void *data;
    size_t length;
    char *text;
    int rc = read_text(folder, name, &data, &length, err);

    if (rc < 0)
        return rc == -EFBIG ? -EINVAL : rc;
    text = data;
    text[strcspn(text, "\r\n")] = '\0';
    rc = key_from_text(text, secret);
    sodium_memzero(data, length);
    free(data);
    if (rc < 0)
        error_set(
            err, "bad-key-file",
            "%s holds no WireGuard key (44 characters of base64); put back a copy, or remove it "
            "and " KEY_PREVIOUS_FILE " to get a new key, which every peer will learn",
            name);
    return rc;
}

/* The copy's absence or trouble costs nothing while the key itself is good. */
static void keep_copy(int folder, const uint8_t secret[KEY_BYTES])
{
    uint8_t copy[KEY_BYTES];
    struct error err;
    bool same = read_key(folder, KEY_PREVIOUS_FILE, copy, NULL) == 0 &&
                sodium_memcmp(copy, secret, KEY_BYTES) == 0;

    sodium_memzero(copy, sizeof copy);
    if (!same && write_key(folder, KEY_PREVIOUS_FILE, secret, &err) < 0)
        log_warn("no copy of the WireGuard key is kept: %s", err.message);
}

/* `err` and `rc` tell what is wrong with the key. */
static int use_copy(int folder, uint8_t secret[KEY_BYTES], int rc, struct error *err)
{
    struct error why;
    int copy = read_key(folder, KEY_PREVIOUS_FILE, secret, &why);

    if (copy == -ENOENT && rc == -ENOENT)
        return make_key(folder, secret, err);
    if (copy < 0) {
        if (rc == -ENOENT)
            *err = why;
        return rc == -ENOENT ? copy : rc;
    }
    log_warn("%s: its copy is used and put in its place", err->message);
    if (write_key(folder, KEY_FILE, secret, &why) < 0)
        log_warn("%s", why.message);
    return 0;
}

int key_load(const char *state_dir, struct key *key, struct error *err)
{
    struct error why;
    int folder = folder_open(state_dir, 0700, &why), rc = folder;

    if (folder >= 0) {
        rc = read_key(folder, KEY_FILE, key->secret, &why);
        if (rc == -ENOENT || rc == -EINVAL)
            rc = use_copy(folder, key->secret, rc, &why);
        if (rc == 0)
            keep_copy(folder, key->secret);
        close(folder);
    }
    if (rc == 0) {
        crypto_scalarmult_curve25519_base(key->public, key->secret);
        return 0;
    }
    sodium_memzero(key, sizeof *key);
    error_set(err, why.code, "%s: %s", state_dir, why.message);
    return rc;
}
