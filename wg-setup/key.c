/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wg-setup/key.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocol/file.h"

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

static int make_key(int folder, struct key *key, struct error *err)
{
    char text[KEY_TEXT_LENGTH + 2];
    int rc;

    randombytes_buf(key->secret, sizeof key->secret);
    /* RFC 7748 section 5: what every X25519 implementation does to a scalar; wg(8) keeps it so too. */
    key->secret[0] &= 248;
    key->secret[31] = (uint8_t)((key->secret[31] & 127) | 64);
    key_to_text(key->secret, text);
    text[KEY_TEXT_LENGTH] = '\n';
    rc = file_write(folder, KEY_FILE, text, KEY_TEXT_LENGTH + 1, err);
    sodium_memzero(text, sizeof text);
    return rc;
}

/* Somebody else's file could be exchanged for one whose key they know. */
static int check_owner(int folder, struct error *err)
{
    struct stat about;

    if (fstatat(folder, KEY_FILE, &about, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    if (about.st_uid == geteuid() && (about.st_mode & 077) == 0)
        return 0;
    error_set(err, "bad-key-file",
              "%s belongs to user %u with mode %04o; user %u's with mode 0600 is right", KEY_FILE,
              (unsigned)about.st_uid, (unsigned)about.st_mode & 07777, (unsigned)geteuid());
    return -EPERM;
}

static int read_key(int folder, struct key *key, struct error *err)
{
    void *data;
    size_t length;
    char *text;
    int rc = file_read(folder, KEY_FILE, 256, &data, &length, err);

    if (rc < 0)
        return rc;
    text = data;
    text[strcspn(text, "\r\n")] = '\0';
    rc = key_from_text(text, key->secret);
    sodium_memzero(data, length);
    free(data);
    if (rc < 0)
        error_set(err, "bad-key-file",
                  "%s holds no WireGuard key (44 characters of base64); put back a copy, or remove it "
                  "to get a new key, which every peer will learn",
                  KEY_FILE);
    return rc;
}

int key_load(const char *state_dir, struct key *key, struct error *err)
{
    int folder = folder_open(state_dir, 0700, err), rc;

    if (folder < 0)
        return folder;
    rc = check_owner(folder, err);
    if (rc == 0) {
        rc = read_key(folder, key, err);
        if (rc == -ENOENT)
            rc = make_key(folder, key, err);
    }
    close(folder);
    if (rc == 0)
        crypto_scalarmult_curve25519_base(key->public, key->secret);
    else
        error_prefix(err, "%s: ", state_dir);
    return rc;
}
