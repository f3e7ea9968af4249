/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An archive becomes the state folder: all is written before anything is replaced.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocol/file.h"
#include "punchguard/archive.h"

/* That the broker gives its state folder when it is root's. */
#define STATE_MODE 01770

/* What is written before anything is replaced, as files named by numbers. */
#define STAGE ".import"

/* What would bring back the peers and paths from before, or still tells of them, with what
 * file_write() leaves where the power fails. */
static const char *const stale[] = {
    ARCHIVE_IDENTITY ".previous",
    ARCHIVE_PEERS ".previous",
    ARCHIVE_PEERS ".broken",
    ARCHIVE_PEERS,
    "resume",
    "." ARCHIVE_IDENTITY ".new",
    "." ARCHIVE_IDENTITY ".previous.new",
    "." ARCHIVE_PEERS ".new",
    "." ARCHIVE_PEERS ".previous.new",
};

static int check_identity(const struct archive *archive, int state, bool replace, struct error *err)
{
    const struct archive_file *own = archive_file_named(archive, ARCHIVE_IDENTITY);
    size_t length;
    void *data;
    bool same;
    int rc;

    if (replace)
        return 0;
    rc = file_read(state, ARCHIVE_IDENTITY, ARCHIVE_FILE_MAX, &data, &length, err);
    if (rc < 0)
        return rc == -ENOENT ? 0 : rc;
    same = length == own->length && memcmp(data, own->data, length) == 0;
    sodium_memzero(data, length);
    free(data);
    if (same)
        return 0;
    error_set(err, "exists",
              "another identity is here, and would be lost: 'punchguard export' keeps it, and "
              "--replace gives it up");
    return -EEXIST;
}

static int failed(struct error *err, const char *action, const char *name)
{
    int saved = errno;

    error_set(err, "file", "cannot %s %s: %s", action, name, strerror(saved));
    return -saved;
}

static bool is_empty(int folder)
{
    DIR *listing = fdopendir(dup(folder));
    const struct dirent *entry;
    bool empty = listing != NULL;

    while (empty && (entry = readdir(listing)) != NULL)
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    if (listing != NULL)
        closedir(listing);
    return empty;
}

/* Takes the descriptor over where it fails. The broker's user owns the folder that it was opened
 * in, and could have put another there: only one that is this user's and empty is given. */
static int give(int folder, const char *name, const uid_t *owner, const gid_t *group,
                struct error *err)
{
    struct stat about;

    if (fstat(folder, &about) == 0 && about.st_uid == geteuid() && is_empty(folder) &&
        fchown(folder, *owner, *group) == 0)
        return folder;
    error_set(err, "file", "cannot give the folder %s to the broker's user", name);
    close(folder);
    return -EPERM;
}

/* The folder that is missing is made. A descriptor, or -errno. */
static int open_in(int state, const char *name, const uid_t *owner, const gid_t *group,
                   struct error *err)
{
    bool made = mkdirat(state, name, 0700) == 0;
    int folder = openat(state, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (folder < 0)
        return failed(err, "open the folder", name);
    return made && owner != NULL ? give(folder, name, owner, group, err) : folder;
}

/* A transport's folder or the state folder; *name is the file's in it. */
static int open_folder_of(const struct archive_file *file, int state, const char **name,
                          const uid_t *owner, const gid_t *group, struct error *err)
{
    const char *slash = strchr(file->name, '/');
    char in[ARCHIVE_NAME_MAX + 1] = ".";

    *name = slash != NULL ? slash + 1 : file->name;
    if (slash != NULL)
        snprintf(in, sizeof in, "%.*s", (int)(slash - file->name), file->name);
    return open_in(state, in, owner, group, err);
}

static void stage_name(size_t number, char out[24])
{
    snprintf(out, 24, "%zu", number);
}

static int stage_all(const struct archive *archive, int state, int stage, const uid_t *owner,
                     const gid_t *group, struct error *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < archive->count; i++) {
        const struct archive_file *file = &archive->files[i];
        const char *name;
        char staged[24];
        int folder = open_folder_of(file, state, &name, owner, group, err);

        if (folder < 0)
            return folder;
        close(folder);
        stage_name(i, staged);
        rc = file_write_for(stage, staged, file->data, file->length, owner, group, err);
        if (rc < 0)
            error_prefix(err, "%s: ", file->name);
    }
    return rc;
}

static int move_file(const struct archive *archive, size_t number, int state, int stage,
                     struct error *err)
{
    const char *name;
    char staged[24];
    int folder = open_folder_of(&archive->files[number], state, &name, NULL, NULL, err), rc = 0;

    if (folder < 0)
        return folder;
    stage_name(number, staged);
    if (renameat(stage, staged, folder, name) < 0)
        rc = failed(err, "replace", archive->files[number].name);
    else
        fsync(folder);
    close(folder);
    return rc;
}

/* The identity last: until then the same command can be given again. */
static int move_all(const struct archive *archive, int state, int stage, struct error *err)
{
    size_t identity = (size_t)(archive_file_named(archive, ARCHIVE_IDENTITY) - archive->files);
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < archive->count; i++)
        if (i != identity)
            rc = move_file(archive, i, state, stage, err);
    return rc < 0 ? rc : move_file(archive, identity, state, stage, err);
}

static void stage_clear(int state, int stage)
{
    char staged[24], temporary[32];

    for (size_t i = 0; i < ARCHIVE_FILES_MAX; i++) {
        stage_name(i, staged);
        unlinkat(stage, staged, 0);
        snprintf(temporary, sizeof temporary, ".%s.new", staged);
        unlinkat(stage, temporary, 0);
    }
    close(stage);
    unlinkat(state, STAGE, AT_REMOVEDIR);
}

/* What an import that was cut short left, or somebody put there. */
static int stage_remove(int state, struct error *err)
{
    int stage = openat(state, STAGE, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (stage >= 0)
        stage_clear(state, stage);
    else if (errno != ENOENT)
        unlinkat(state, STAGE, 0);
    if (unlinkat(state, STAGE, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return failed(err, "remove", STAGE);
    return 0;
}

/* This user's own and new: the broker's could rename what it likes in one of its own. */
static int stage_open(int state, struct error *err)
{
    int rc = stage_remove(state, err), stage;
    struct stat about;

    if (rc < 0)
        return rc;
    if (mkdirat(state, STAGE, 0700) < 0)
        return failed(err, "make the folder", STAGE);
    stage = open_in(state, STAGE, NULL, NULL, err);
    if (stage < 0 || (fstat(stage, &about) == 0 && about.st_uid == geteuid()))
        return stage;
    error_set(err, "file", "the folder " STAGE " was replaced by another user's");
    close(stage);
    return -EPERM;
}

static int remove_stale(const struct archive *archive, int state, struct error *err)
{
    for (size_t i = 0; i < sizeof stale / sizeof stale[0]; i++)
        if (archive_file_named(archive, stale[i]) == NULL && unlinkat(state, stale[i], 0) < 0 &&
            errno != ENOENT)
            return failed(err, "remove", stale[i]);
    fsync(state);
    return 0;
}

/* What archive_gather() would find and the archive does not have. */
static int remove_others_in(const struct archive *archive, int state, const char *in,
                            struct error *err)
{
    int folder = openat(state, in, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), rc = 0;
    DIR *listing = folder >= 0 ? fdopendir(folder) : NULL;
    char full[ARCHIVE_NAME_MAX + 1];
    const struct dirent *entry;
    struct stat about;

    if (listing == NULL)
        return failed(err, "read the folder", in);
    while (rc == 0 && (entry = readdir(listing)) != NULL)
        if ((size_t)snprintf(full, sizeof full, "%s/%s", in, entry->d_name) < sizeof full &&
            archive_is_name(full) && archive_file_named(archive, full) == NULL &&
            fstatat(folder, entry->d_name, &about, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(about.st_mode) && unlinkat(folder, entry->d_name, 0) < 0)
            rc = failed(err, "remove", full);
    fsync(folder);
    closedir(listing);
    return rc;
}

static int remove_others(const struct archive *archive, int state, struct error *err)
{
    DIR *listing = fdopendir(dup(state));
    const struct dirent *entry;
    struct stat about;
    int rc = 0;

    if (listing == NULL)
        return failed(err, "read the folder", ".");
    rewinddir(listing);
    while (rc == 0 && (entry = readdir(listing)) != NULL)
        if (archive_is_part(entry->d_name, strlen(entry->d_name)) &&
            fstatat(state, entry->d_name, &about, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISDIR(about.st_mode))
            rc = remove_others_in(archive, state, entry->d_name, err);
    closedir(listing);
    return rc;
}

/* In that order a new identity never has the peers and paths of the old one. */
static int put_in_place(const struct archive *archive, int state, bool replace, const uid_t *owner,
                        const gid_t *group, struct error *err)
{
    int stage = stage_open(state, err), rc;

    if (stage < 0)
        return stage;
    rc = stage_all(archive, state, stage, owner, group, err);
    if (rc == 0)
        rc = remove_stale(archive, state, err);
    if (rc == 0 && replace)
        rc = remove_others(archive, state, err);
    if (rc == 0)
        rc = move_all(archive, state, stage, err);
    stage_clear(state, stage);
    return rc;
}

/* One that is new, or root's and empty, is given to the broker's user and root's group, as the
 * broker does it: with something of root's in it that would not take it. */
static int open_state(const char *path, const uid_t *owner, struct error *err)
{
    int state = folder_open(path, 0700, err);
    struct stat about;

    if (state < 0 || owner == NULL)
        return state;
    if (fstat(state, &about) == 0 &&
        (about.st_uid != geteuid() || !is_empty(state) ||
         (fchmod(state, STATE_MODE) == 0 && fchown(state, *owner, 0) == 0)))
        return state;
    error_set(err, "file", "cannot give the folder to the broker's user: %s", strerror(errno));
    close(state);
    return -EPERM;
}

int archive_restore(const struct archive *archive, const char *state_dir, bool replace,
                    const uid_t *owner, const gid_t *group, struct error *err)
{
    int state = open_state(state_dir, owner, err), rc;

    if (state < 0)
        return state;
    rc = check_identity(archive, state, replace, err);
    if (rc == 0)
        rc = put_in_place(archive, state, replace, owner, group, err);
    if (rc < 0)
        error_prefix(err, "%.200s: ", state_dir);
    close(state);
    return rc;
}
