/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wg-setup/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocol/file.h"
#include "protocol/log.h"

#define BOOT_ID       "kernel/random/boot_id"
#define BOOT_ID_SIZE  40
#define FILE_SIZE_MAX 16384

struct entry {
    char name[SYSCTL_NAME_MAX + 1];
    char before[SYSCTL_VALUE_MAX];
};

struct sysctls {
    int proc, folder;
    char boot_id[BOOT_ID_SIZE];
    struct entry entries[SYSCTL_MAX];
    size_t count;
};

/* The kernel */

static int read_line(int proc, const char *name, char *out, size_t size)
{
    int fd = openat(proc, name, O_RDONLY | O_CLOEXEC);
    ssize_t length;
    int rc;

    if (fd < 0)
        return -errno;
    length = read(fd, out, size - 1);
    rc = length < 0 ? -errno : 0;
    close(fd);
    if (rc < 0)
        return rc;
    out[length] = '\0';
    out[strcspn(out, "\n")] = '\0';
    return 0;
}

static int write_value(int proc, const char *name, const char *value)
{
    int fd = openat(proc, name, O_WRONLY | O_CLOEXEC | O_TRUNC);
    ssize_t length;
    int rc;

    if (fd < 0)
        return -errno;
    length = write(fd, value, strlen(value));
    rc = length < 0 ? -errno : 0;
    close(fd);
    return rc;
}

static int fail(struct error *err, int rc, const char *name, const char *what)
{
    error_set(err, "sysctl", "cannot %s the kernel's setting %s: %s%s", what, name, strerror(-rc),
              rc == -EROFS ? "; in a unit, ReadWritePaths=/proc/sys/net lets it be changed" : "");
    return rc;
}

/* The file: the boot's id, then a line "NAME VALUE" each. */

static bool take_entry(struct sysctls *sysctls, const char *line)
{
    struct entry *entry = &sysctls->entries[sysctls->count];
    const char *space = strchr(line, ' ');
    size_t length = space ? (size_t)(space - line) : 0;

    if (length == 0 || length > SYSCTL_NAME_MAX || strlen(space + 1) >= SYSCTL_VALUE_MAX ||
        strncmp(line, "net/", 4) != 0 || strstr(line, "..") != NULL || sysctls->count == SYSCTL_MAX)
        return false;
    memcpy(entry->name, line, length);
    entry->name[length] = '\0';
    snprintf(entry->before, sizeof entry->before, "%s", space + 1);
    sysctls->count++;
    return true;
}

static void take_file(struct sysctls *sysctls, char *text)
{
    char *save = NULL, *line = strtok_r(text, "\n", &save);

    if (line == NULL || strcmp(line, sysctls->boot_id) != 0)
        return;
    while ((line = strtok_r(NULL, "\n", &save)) != NULL)
        if (!take_entry(sysctls, line))
            log_warn("%s: '%.100s' is no setting with its value: ignored", SYSCTL_FILE, line);
}

/* Others may write into the folder. `fd` may be negative: not even readable. */
static bool is_ours(int fd)
{
    struct stat about;

    if (fd >= 0 && fstat(fd, &about) == 0 && about.st_uid == geteuid())
        return true;
    log_warn("%s belongs to another user, so it is not ours: ignored", SYSCTL_FILE);
    return false;
}

static int load(struct sysctls *sysctls, struct error *err)
{
    int fd = openat(sysctls->folder, SYSCTL_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    void *text = NULL;
    size_t length;
    int rc = 0;

    if (fd < 0 && errno == ENOENT)
        return 0;
    if (is_ours(fd))
        rc = file_read_open(fd, SYSCTL_FILE, FILE_SIZE_MAX, &text, &length, err);
    if (rc == 0 && text != NULL)
        take_file(sysctls, text);
    free(text);
    if (fd >= 0)
        close(fd);
    return rc;
}

static int save(const struct sysctls *sysctls, struct error *err)
{
    char *text = NULL;
    size_t length;
    FILE *out;
    int rc;

    if (sysctls->count == 0)
        return unlinkat(sysctls->folder, SYSCTL_FILE, 0) < 0 && errno != ENOENT
                   ? fail(err, -errno, SYSCTL_FILE, "forget")
                   : 0;
    out = open_memstream(&text, &length);
    if (out == NULL)
        return fail(err, -ENOMEM, SYSCTL_FILE, "keep");
    fprintf(out, "%s\n", sysctls->boot_id);
    for (size_t i = 0; i < sysctls->count; i++)
        fprintf(out, "%s %s\n", sysctls->entries[i].name, sysctls->entries[i].before);
    fclose(out);
    rc = file_write(sysctls->folder, SYSCTL_FILE, text, length, err);
    free(text);
    return rc;
}

static int open_both(struct sysctls *sysctls, const char *proc, const char *folder,
                     struct error *err)
{
    sysctls->folder = folder_open(folder, 0700, err);
    if (sysctls->folder < 0)
        return sysctls->folder;
    sysctls->proc = open(proc, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (sysctls->proc < 0)
        return fail(err, -errno, proc, "read");
    if (read_line(sysctls->proc, BOOT_ID, sysctls->boot_id, sizeof sysctls->boot_id) < 0)
        snprintf(sysctls->boot_id, sizeof sysctls->boot_id, "-");
    return load(sysctls, err);
}

struct sysctls *sysctls_new(const char *proc, const char *folder, struct error *err)
{
    struct sysctls *sysctls = calloc(1, sizeof *sysctls);

    if (sysctls == NULL) {
        error_set(err, "no-memory", "out of memory");
        return NULL;
    }
    sysctls->proc = sysctls->folder = -1;
    if (open_both(sysctls, proc, folder, err) == 0)
        return sysctls;
    sysctls_destroy(sysctls);
    return NULL;
}

void sysctls_destroy(struct sysctls *sysctls)
{
    if (sysctls == NULL)
        return;
    if (sysctls->proc >= 0)
        close(sysctls->proc);
    if (sysctls->folder >= 0)
        close(sysctls->folder);
    free(sysctls);
}

/* Setting */

static struct entry *find(struct sysctls *sysctls, const char *name)
{
    for (size_t i = 0; i < sysctls->count; i++)
        if (strcmp(sysctls->entries[i].name, name) == 0)
            return &sysctls->entries[i];
    return NULL;
}

bool sysctls_get(const struct sysctls *sysctls, const char *name, char value[SYSCTL_VALUE_MAX])
{
    return read_line(sysctls->proc, name, value, SYSCTL_VALUE_MAX) == 0;
}

/* Before the setting is changed, so that there is no moment at which nobody knows what it was. */
static int keep(struct sysctls *sysctls, const char *name, const char *before, struct error *err)
{
    struct entry *entry = &sysctls->entries[sysctls->count];
    int rc;

    if (sysctls->count == SYSCTL_MAX || strlen(name) > SYSCTL_NAME_MAX)
        return fail(err, -ENOBUFS, name, "keep");
    snprintf(entry->name, sizeof entry->name, "%s", name);
    snprintf(entry->before, sizeof entry->before, "%s", before);
    sysctls->count++;
    rc = save(sysctls, err);
    if (rc < 0)
        sysctls->count--;
    return rc;
}

static int forget(struct sysctls *sysctls, struct entry *entry, struct error *err)
{
    size_t index = (size_t)(entry - sysctls->entries);

    sysctls->count--;
    memmove(entry, entry + 1, (sysctls->count - index) * sizeof *entry);
    return save(sysctls, err);
}

int sysctls_set(struct sysctls *sysctls, const char *name, const char *value, struct error *err)
{
    char before[SYSCTL_VALUE_MAX];
    struct entry *kept = find(sysctls, name);
    int rc = read_line(sysctls->proc, name, before, sizeof before);

    if (rc < 0)
        return fail(err, rc, name, "read");
    if (strcmp(before, value) == 0)
        return 0;
    if (kept == NULL) {
        rc = keep(sysctls, name, before, err);
        if (rc < 0)
            return rc;
    }
    rc = write_value(sysctls->proc, name, value);
    if (rc == 0)
        return 0;
    if (kept == NULL)
        forget(sysctls, find(sysctls, name), NULL);
    return fail(err, rc, name, "change");
}

int sysctls_restore(struct sysctls *sysctls, const char *name, struct error *err)
{
    struct entry *kept = find(sysctls, name);
    int rc = kept ? write_value(sysctls->proc, name, kept->before) : 0;

    if (rc < 0 && rc != -ENOENT)
        return fail(err, rc, name, "put back");
    return kept ? forget(sysctls, kept, err) : 0;
}

int sysctls_restore_all(struct sysctls *sysctls, const char *but, struct error *err)
{
    struct error later;
    int first = 0;

    for (size_t i = sysctls->count; i-- > 0;) {
        char name[SYSCTL_NAME_MAX + 1];
        int rc;

        memcpy(name, sysctls->entries[i].name, sizeof name);
        rc = but && strcmp(name, but) == 0 ? 0
                                           : sysctls_restore(sysctls, name, first ? &later : err);
        first = first ? first : rc;
    }
    return first;
}
