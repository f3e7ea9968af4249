/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * export and import: the identity, for a backup or another machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "protocol/file.h"
#include "protocol/json.h"
#include "punchguard/archive.h"
#include "punchguard/client.h"
#include "punchguard/settings.h"

/* The user that the broker becomes when root starts it. */
#define BROKER_USER "punchguard"

enum { OPTION_REPLACE = OPTION_OWN };

static const struct option import_options[] = {
    {"replace", no_argument, NULL, OPTION_REPLACE},
    {NULL, 0, NULL, 0},
};

static const char one_only[] = "of two devices that run with one identity neither works reliably";

static enum outcome outcome_of(int rc)
{
    if (rc == 0)
        return OUTCOME_OK;
    return rc == -EACCES || rc == -EPERM ? OUTCOME_NOT_PERMITTED : OUTCOME_FAILED;
}

static int failed(struct error *err, const char *action, const char *what, int rc)
{
    error_set(err, "file", "cannot %s %s: %s", action, what, strerror(-rc));
    return rc;
}

/* A file of which only a part could be written is no backup, and a secret: it goes. */
static int write_file(const struct archive *archive, const char *path, struct error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), rc;
    FILE *out;

    if (fd < 0)
        return failed(err, "make", path, -errno);
    out = fdopen(fd, "w");
    if (out == NULL) {
        rc = -errno;
        close(fd);
    } else {
        rc = archive_write(archive, out);
        if (rc == 0 && fsync(fd) < 0)
            rc = -errno;
        if (fclose(out) != 0 && rc == 0)
            rc = -errno;
    }
    if (rc == 0)
        return 0;
    unlink(path);
    return failed(err, "write", path, rc);
}

static int write_out(const struct archive *archive, const char *path, struct error *err)
{
    int rc;

    if (path != NULL)
        return write_file(archive, path, err);
    rc = archive_write(archive, stdout);
    return rc < 0 ? failed(err, "write to", "standard output", rc) : 0;
}

/* `path` may be NULL. */
static void print_json(const char *id, const char *path)
{
    char *quoted = path != NULL ? json_quote(path) : NULL;

    printf("{\"id\":\"%s\"", id);
    if (quoted != NULL)
        printf(",\"file\":%s", quoted);
    puts("}");
    free(quoted);
}

static enum outcome run_export(struct context *context, int argc, char **argv)
{
    static struct archive archive;
    char id[ID_TEXT_LENGTH + 1];
    struct settings settings;
    struct error err;
    enum outcome outcome;
    const char *path;
    int rc;

    command_option(context, argc, argv, "", NULL, 0, 1);
    path = optind < argc && strcmp(argv[optind], "-") != 0 ? argv[optind] : NULL;
    if (path == NULL && isatty(STDOUT_FILENO))
        return command_failf(OUTCOME_USAGE, "the identity is a secret: name a file for it");
    outcome = settings_read(context, false, &settings, &err);
    if (outcome != OUTCOME_OK)
        return command_fail(outcome, &err);
    rc = archive_gather(&archive, settings.state_dir, &err);
    if (rc == 0)
        rc = archive_id(&archive, id, &err);
    if (rc == 0)
        rc = write_out(&archive, path, &err);
    archive_clear(&archive);
    if (rc < 0)
        return command_fail(outcome_of(rc), &err);
    if (context->json && path != NULL)
        print_json(id, path);
    fprintf(stderr, "Whoever has this can be this device; %s.\n", one_only);
    return OUTCOME_OK;
}

static enum outcome check_stopped(const struct settings *settings, struct error *err)
{
    struct client *client;
    enum outcome outcome = client_open(&client, settings->socket, err);

    client_close(client);
    if (outcome == OUTCOME_NOT_RUNNING)
        return OUTCOME_OK;
    if (outcome != OUTCOME_OK)
        return outcome;
    error_set(err, "running", "a broker runs here: 'punchguard down' first");
    return OUTCOME_FAILED;
}

static int read_archive(struct archive *archive, const char *path, char id[ID_TEXT_LENGTH + 1],
                        struct error *err)
{
    size_t length;
    void *text;
    int rc = file_read(AT_FDCWD, path, ARCHIVE_TEXT_MAX, &text, &length, err);

    if (rc < 0)
        return rc;
    rc = archive_parse(archive, text, length, err);
    sodium_memzero(text, length);
    free(text);
    if (rc == 0)
        rc = archive_id(archive, id, err);
    if (rc < 0)
        error_prefix(err, "%.200s: ", path);
    return rc;
}

/* Root's broker becomes another user, whose the files have to be. */
static int restore(const struct archive *archive, const struct settings *settings, bool replace,
                   struct error *err)
{
    const struct passwd *user = geteuid() == 0 ? getpwnam(BROKER_USER) : NULL;

    return archive_restore(archive, settings->state_dir, replace,
                           user != NULL ? &user->pw_uid : NULL, user != NULL ? &user->pw_gid : NULL,
                           err);
}

static enum outcome run_import(struct context *context, int argc, char **argv)
{
    static struct archive archive;
    char id[ID_TEXT_LENGTH + 1];
    struct settings settings;
    struct error err;
    enum outcome outcome;
    bool replace = false;
    int rc;

    while (command_option(context, argc, argv, "", import_options, 1, 1) != -1)
        replace = true;
    outcome = settings_read(context, false, &settings, &err);
    if (outcome == OUTCOME_OK)
        outcome = check_stopped(&settings, &err);
    if (outcome != OUTCOME_OK)
        return command_fail(outcome, &err);
    rc = read_archive(&archive, argv[optind], id, &err);
    if (rc == 0)
        rc = restore(&archive, &settings, replace, &err);
    archive_clear(&archive);
    if (rc < 0)
        return command_fail(outcome_of(rc), &err);
    if (context->json)
        print_json(id, NULL);
    fprintf(stderr, "This is that device now. End the other one: %s.\n", one_only);
    return OUTCOME_OK;
}

const struct command command_export = {
    .name = "export",
    .arguments = "[FILE]",
    .summary = "Write the identity of this device to a file, which is a secret",
    .help = "",
    .run = run_export,
};

const struct command command_import = {
    .name = "import",
    .arguments = "[--replace] FILE",
    .summary = "Become the device that the file is the identity of",
    .help = "      --replace  the identity that is here is lost\n",
    .run = run_import,
};
