/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What makes a device itself, in one text: identity key, learned peers, and what transports keep.
 * One JSON object {"type": "punchguard-identity", "version": 1, "files": {NAME: base64}}, where a
 * name is that of a file of the state folder, or FOLDER/NAME.
 */
#ifndef PUNCHGUARD_ARCHIVE_H
#define PUNCHGUARD_ARCHIVE_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "protocol/id.h"

#define ARCHIVE_FILES_MAX 256
#define ARCHIVE_FILE_MAX  (1024 * 1024) /* bytes */
#define ARCHIVE_NAME_MAX  128
#define ARCHIVE_TEXT_MAX  (8 * 1024 * 1024)

#define ARCHIVE_IDENTITY "identity.key"
#define ARCHIVE_PEERS    "peers.json"

struct archive_file {
    char name[ARCHIVE_NAME_MAX + 1];
    void *data; /* secret */
    size_t length;
};

struct archive {
    struct archive_file files[ARCHIVE_FILES_MAX];
    size_t count;
};

/* Reads the state folder. 0, or -errno with `err` filled; to be cleared in any case. */
int archive_gather(struct archive *archive, const char *state_dir, struct error *err);
/* 0, or -errno. */
int archive_write(const struct archive *archive, FILE *out);
/* Reads such a text; what is wrong with it is told. To be cleared in any case. */
int archive_parse(struct archive *archive, const char *text, size_t length, struct error *err);
/* Writes the files, for that owner where it is not NULL, and so a folder that is missing. Another
 * identity that is there is an error, -EEXIST, or lost with `replace`, with all that transports
 * kept for it. 0, or -errno with `err` filled: where not all can be written nothing is replaced, and
 * what fails later leaves the old identity, or none, perhaps without what was kept for it; the same
 * call can be made again. */
int archive_restore(const struct archive *archive, const char *state_dir, bool replace,
                    const uid_t *owner, const gid_t *group, struct error *err);
/* The id of the device that it makes. 0, or -EINVAL with `err` filled where its key is torn. */
int archive_id(const struct archive *archive, char id[ID_TEXT_LENGTH + 1], struct error *err);
/* NULL where it is not in it. */
const struct archive_file *archive_file_named(const struct archive *archive, const char *name);
/* Whether a file may have that name in an archive; one part of such a path, that leads nowhere
 * else. */
bool archive_is_name(const char *name);
bool archive_is_part(const char *part, size_t length);
/* Wipes it. */
void archive_clear(struct archive *archive);

#endif
