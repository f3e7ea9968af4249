/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "punchguard/archive.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocol/file.h"
#include "protocol/identity_key.h"
#include "protocol/json.h"

#define TYPE    "punchguard-identity"
#define VERSION 1

void archive_clear(struct archive *archive)
{
    for (size_t i = 0; i < archive->count; i++) {
        sodium_memzero(archive->files[i].data, archive->files[i].length);
        free(archive->files[i].data);
    }
    memset(archive, 0, sizeof *archive);
}

const struct archive_file *archive_file_named(const struct archive *archive, const char *name)
{
    for (size_t i = 0; i < archive->count; i++)
        if (strcmp(archive->files[i].name, name) == 0)
            return &archive->files[i];
    return NULL;
}

bool archive_is_part(const char *part, size_t length)
{
    static const char right[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";

    return length > 0 && part[0] != '.' && strspn(part, right) >= length;
}

bool archive_is_name(const char *name)
{
    const char *slash = strchr(name, '/');

    if (strlen(name) > ARCHIVE_NAME_MAX)
        return false;
    if (slash == NULL)
        return strcmp(name, ARCHIVE_IDENTITY) == 0 || strcmp(name, ARCHIVE_PEERS) == 0;
    return archive_is_part(name, (size_t)(slash - name)) &&
           archive_is_part(slash + 1, strlen(slash + 1));
}

/* Takes the data over. */
static int add(struct archive *archive, const char *name, void *data, size_t length,
               struct error *err)
{
    struct archive_file *file = &archive->files[archive->count];

    if (archive->count == ARCHIVE_FILES_MAX) {
        sodium_memzero(data, length);
        free(data);
        error_set(err, "too-many", "there are more than %d files", ARCHIVE_FILES_MAX);
        return -EFBIG;
    }
    strcpy(file->name, name);
    file->data = data;
    file->length = length;
    archive->count++;
    return 0;
}

int archive_id(const struct archive *archive, char id[ID_TEXT_LENGTH + 1], struct error *err)
{
    const struct archive_file *file = archive_file_named(archive, ARCHIVE_IDENTITY);
    uint8_t secret[IDENTITY_SECRET_BYTES], public[ID_KEY_BYTES];

    if (file == NULL || identity_key_parse(file->data, file->length, secret) < 0) {
        error_set(err, "bad-identity", ARCHIVE_IDENTITY " is torn or no identity key");
        return -EINVAL;
    }
    crypto_scalarmult_curve25519_base(public, secret);
    sodium_memzero(secret, sizeof secret);
    id_encode(public, id);
    return 0;
}

/* Gathering */

static int gather_file(struct archive *archive, int folder, const char *in, const char *name,
                       struct error *err)
{
    char full[ARCHIVE_NAME_MAX + 1];
    size_t length;
    void *data;
    int rc;

    if ((size_t)snprintf(full, sizeof full, "%s%s%s", in, in[0] != '\0' ? "/" : "", name) >=
            sizeof full ||
        !archive_is_name(full))
        return 0;
    rc = file_read(folder, name, ARCHIVE_FILE_MAX, &data, &length, err);
    return rc < 0 ? rc : add(archive, full, data, length, err);
}

/* What transports keep: regular files of the folder. */
static int gather_folder(struct archive *archive, int state, const char *name, struct error *err)
{
    int folder = openat(state, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *listing = folder >= 0 ? fdopendir(folder) : NULL;
    const struct dirent *entry;
    struct stat about;
    int rc = 0;

    if (listing == NULL) {
        error_set(err, "file", "cannot read the folder %s: %s", name, strerror(errno));
        return -errno;
    }
    while (rc == 0 && (entry = readdir(listing)) != NULL)
        if (fstatat(folder, entry->d_name, &about, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(about.st_mode))
            rc = gather_file(archive, folder, name, entry->d_name, err);
    closedir(listing);
    return rc;
}

static int gather_folders(struct archive *archive, int state, const char *path, struct error *err)
{
    DIR *listing = opendir(path);
    const struct dirent *entry;
    struct stat about;
    int rc = 0;

    if (listing == NULL) {
        error_set(err, "file", "cannot read the folder: %s", strerror(errno));
        return -errno;
    }
    while (rc == 0 && (entry = readdir(listing)) != NULL)
        if (archive_is_part(entry->d_name, strlen(entry->d_name)) &&
            fstatat(state, entry->d_name, &about, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISDIR(about.st_mode))
            rc = gather_folder(archive, state, entry->d_name, err);
    closedir(listing);
    return rc;
}

int archive_gather(struct archive *archive, const char *state_dir, struct error *err)
{
    int state = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

    memset(archive, 0, sizeof *archive);
    if (state < 0) {
        error_set(err, "file", "cannot open the state folder %s: %s", state_dir, strerror(errno));
        return -errno;
    }
    rc = gather_file(archive, state, "", ARCHIVE_IDENTITY, err);
    if (rc == 0)
        rc = gather_file(archive, state, "", ARCHIVE_PEERS, err);
    if (rc == 0 || (rc == -ENOENT && archive->count == 1))
        rc = gather_folders(archive, state, state_dir, err);
    if (rc < 0)
        error_prefix(err, "%.200s: ", state_dir);
    close(state);
    return rc;
}

/* Text */

static int write_file(FILE *out, const struct archive_file *file, const char *separator)
{
    size_t size = sodium_base64_encoded_len(file->length, sodium_base64_VARIANT_ORIGINAL);
    char *text = malloc(size);

    if (text == NULL)
        return -ENOMEM;
    sodium_bin2base64(text, size, file->data, file->length, sodium_base64_VARIANT_ORIGINAL);
    fprintf(out, "%s\n  \"%s\": \"%s\"", separator, file->name, text);
    sodium_memzero(text, size);
    free(text);
    return 0;
}

int archive_write(const struct archive *archive, FILE *out)
{
    int rc = 0;

    errno = 0;
    fprintf(out, "{\"type\": \"" TYPE "\", \"version\": %d, \"files\": {", VERSION);
    for (size_t i = 0; rc == 0 && i < archive->count; i++)
        rc = write_file(out, &archive->files[i], i > 0 ? "," : "");
    fputs("}}\n", out);
    if (rc == 0 && fflush(out) == 0 && !ferror(out))
        return 0;
    return errno != 0 ? -errno : -EIO;
}

static int parse_file(struct archive *archive, const struct json_at *at, struct error *err)
{
    const char *text;
    size_t length, size;
    void *data;

    if (!archive_is_name(at->key))
        return json_fail(at, err, "bad-name", "no file of an identity has that name");
    if (json_as_string(at, &text, err) < 0)
        return -EINVAL;
    size = strlen(text) / 4 * 3 + 3;
    if (size > ARCHIVE_FILE_MAX + 3)
        return json_fail(at, err, "too-long", "at most %d bytes are right", ARCHIVE_FILE_MAX);
    data = malloc(size);
    if (data == NULL) {
        error_set(err, "no-memory", "out of memory");
        return -ENOMEM;
    }
    if (sodium_base642bin(data, size, text, strlen(text), NULL, &length, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0) {
        free(data);
        return json_fail(at, err, "bad-value", "this is not base64");
    }
    return add(archive, at->key, data, length, err);
}

static int parse_head(const struct json_at *root, struct json_at *files, struct error *err)
{
    static const char *const known[] = {"type", "version", "files", NULL};
    struct json_at at;
    const char *type;
    int64_t version;

    if (json_as_object(root, known, err) < 0 || json_require(root, "type", &at, err) < 0 ||
        json_as_string(&at, &type, err) < 0)
        return -EINVAL;
    if (strcmp(type, TYPE) != 0)
        return json_fail(&at, err, "bad-value", "'%.40s' is not '" TYPE "'", type);
    if (json_require(root, "version", &at, err) < 0 ||
        json_as_integer(&at, VERSION, VERSION, &version, err) < 0 ||
        json_require(root, "files", files, err) < 0)
        return -EINVAL;
    return json_as_object(files, NULL, err);
}

int archive_parse(struct archive *archive, const char *text, size_t length, struct error *err)
{
    struct json *document = json_parse(text, length, err);
    struct json_at root, files, at;
    const char *name;
    int rc = -EINVAL;

    memset(archive, 0, sizeof *archive);
    if (document == NULL)
        return rc;
    root = json_root(document);
    rc = parse_head(&root, &files, err);
    for (size_t i = 0; rc == 0 && (name = json_key(&files, i)) != NULL; i++) {
        json_member(&files, name, &at);
        rc = parse_file(archive, &at, err);
    }
    if (rc == 0 && archive_file_named(archive, ARCHIVE_IDENTITY) == NULL) {
        error_set(err, "missing-field", "$.files: there is no " ARCHIVE_IDENTITY " in it");
        rc = -EINVAL;
    }
    json_destroy(document);
    return rc;
}
