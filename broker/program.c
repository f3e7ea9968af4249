/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/program.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool program_usable(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && S_ISREG(info.st_mode) && access(path, X_OK) == 0;
}

static bool program_join(const char *folder, size_t length, const char *name, char *path,
                         size_t size)
{
    int n = snprintf(path, size, "%.*s/%s", (int)length, folder, name);

    return n > 0 && (size_t)n < size && program_usable(path);
}

/* After an upgrade /proc/self/exe reads "… (deleted)": the folder in front of it is still right. */
static bool program_beside(const char *name, char *path, size_t size)
{
    char own[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", own, sizeof own - 1);
    char *slash;

    if (n <= 0)
        return false;
    own[n] = '\0';
    slash = strrchr(own, '/');
    return slash != NULL && program_join(own, (size_t)(slash - own), name, path, size);
}

/* Relative and empty parts of PATH are passed over: what runs must not hang on the current folder.
 */
static bool program_in_path(const char *name, char *path, size_t size)
{
    const char *part = getenv("PATH");

    while (part != NULL && *part != '\0') {
        size_t length = strcspn(part, ":");

        if (*part == '/' && program_join(part, length, name, path, size))
            return true;
        part += length + (part[length] == ':');
    }
    return false;
}

int program_find(const char *name, char *path, size_t size, struct error *err)
{
    if (name[0] == '\0') {
        error_set(err, "program-missing", "the command is empty: give the name of a program");
        return -ENOENT;
    }
    if (strchr(name, '/') == NULL) {
        if (program_beside(name, path, size) || program_in_path(name, path, size))
            return 0;
        error_set(err, "program-missing",
                  "program '%s' is neither beside the broker's own program nor in PATH", name);
        return -ENOENT;
    }
    if (strlen(name) >= size) {
        error_set(err, "program-missing", "the path of program '%.80s…' is too long", name);
        return -ENAMETOOLONG;
    }
    strcpy(path, name);
    if (program_usable(path))
        return 0;
    error_set(err, "program-missing", "'%s' is not a program that can be run", name);
    return -ENOENT;
}
