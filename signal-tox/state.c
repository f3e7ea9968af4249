/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "signal-tox/state.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/file.h"
#include "protocol/log.h"

/* A file is the magic, 32 bytes of BLAKE2b of the data, and the data. */
static const char magic[8] = "PGTOX1\n";
#define HASH_BYTES 32
#define HEAD_BYTES (sizeof magic + HASH_BYTES)

static void wipe(void *data, size_t length)
{
    if (data != NULL)
        sodium_memzero(data, length);
    free(data);
}

static int load_one(int folder, const char *name, uint8_t **data, size_t *length, struct error *err)
{
    uint8_t hash[HASH_BYTES], *bytes;
    void *file;
    size_t size;
    int rc = file_read(folder, name, STATE_MAX + HEAD_BYTES, &file, &size, err);

    if (rc < 0)
        return rc;
    bytes = file;
    if (size > HEAD_BYTES)
        crypto_generichash(hash, sizeof hash, bytes + HEAD_BYTES, size - HEAD_BYTES, NULL, 0);
    if (size <= HEAD_BYTES || memcmp(bytes, magic, sizeof magic) != 0 ||
        memcmp(bytes + sizeof magic, hash, sizeof hash) != 0) {
        wipe(file, size);
        error_set(err, "torn-state", "%s is torn or not ours: its checksum does not fit", name);
        return -EBADMSG;
    }
    *length = size - HEAD_BYTES;
    *data = malloc(*length);
    if (*data != NULL)
        memcpy(*data, bytes + HEAD_BYTES, *length);
    else
        error_set(err, "no-memory", "out of memory");
    wipe(file, size);
    return *data != NULL ? 0 : -ENOMEM;
}

int state_load(int folder, uint8_t **data, size_t *length, struct error *err)
{
    struct error first, second;
    int rc_first, rc_second;

    *data = NULL;
    rc_first = load_one(folder, STATE_FILE, data, length, &first);
    if (rc_first == 0)
        return 0;
    rc_second = load_one(folder, STATE_PREVIOUS, data, length, &second);
    if (rc_second == 0) {
        log_warn("%s; the previous copy is used", first.message);
        return 1;
    }
    if (rc_first == -ENOENT && rc_second == -ENOENT)
        return 0;
    error_set(
        err, "torn-state",
        "%s, and %s: the identity in them can't be read, and no new one is made in its place; "
        "put back a copy of %s, or remove both files to become another device",
        first.message, second.message, STATE_FILE);
    return -EBADMSG;
}

/* The good file becomes the previous copy; a bad one must not push a good copy out. */
static int keep_previous(int folder, struct error *err)
{
    uint8_t *data;
    void *file;
    size_t length, size;
    struct error ignored;
    int rc;

    if (load_one(folder, STATE_FILE, &data, &length, &ignored) < 0)
        return 0;
    wipe(data, length);
    rc = file_read(folder, STATE_FILE, STATE_MAX + HEAD_BYTES, &file, &size, err);
    if (rc < 0)
        return rc;
    rc = file_write(folder, STATE_PREVIOUS, file, size, err);
    wipe(file, size);
    return rc;
}

int state_save(int folder, const uint8_t *data, size_t length, struct error *err)
{
    uint8_t *file = malloc(HEAD_BYTES + length);
    int rc;

    if (file == NULL) {
        error_set(err, "no-memory", "out of memory");
        return -ENOMEM;
    }
    memcpy(file, magic, sizeof magic);
    crypto_generichash(file + sizeof magic, HASH_BYTES, data, length, NULL, 0);
    memcpy(file + HEAD_BYTES, data, length);
    rc = keep_previous(folder, err);
    if (rc == 0)
        rc = file_write(folder, STATE_FILE, file, HEAD_BYTES + length, err);
    wipe(file, HEAD_BYTES + length);
    return rc;
}
