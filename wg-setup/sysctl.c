/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wg-setup/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocol/file.h"
#include "protocol/log.h"

#define BOOT_ID       "kernel/random/boot_id"
#define BOOT_ID_SIZE  40
#define FILE_SIZE_MAX 16384
#define WHO_SIZE      40
/* What sscanf(3) takes of a line; the sizes below. */
#define LINE_FORMAT "%80s %23s %39s %c"

struct entry {
    char name[SYSCTL_NAME_MAX + 1];
    char before[SYSCTL_VALUE_MAX];
    char who[WHO_SIZE]; /* device and inode of its state_dir */
};

struct sysctls {
    int proc, folder;
    bool shared; /* the folder: it is root's alone, so nobody else can hold its lock */
    char file[sizeof SYSCTL_FILE + 24], boot_id[BOOT_ID_SIZE], who[WHO_SIZE];
    struct entry entries[SYSCTL_MAX]; /* as read when the folder was locked last */
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

/* The file: the boot's id, then a line "NAME VALUE WHO" each; one that is not shared may go without
 * WHO. */

static bool take_entry(struct sysctls *sysctls, const char *line)
{
    struct entry entry;
    char more;
    int fields = sscanf(line, LINE_FORMAT, entry.name, entry.before, entry.who, &more);

    if (fields == 2 && !sysctls->shared) {
        memcpy(entry.who, sysctls->who, sizeof entry.who);
        fields = 3;
    }
    if (sysctls->count == SYSCTL_MAX || fields != 3 || strncmp(entry.name, "net/", 4) != 0 ||
        strstr(entry.name, "..") != NULL)
        return false;
    sysctls->entries[sysctls->count++] = entry;
    return true;
}

static void take_file(struct sysctls *sysctls, char *text)
{
    char *save = NULL, *line = strtok_r(text, "\n", &save);

    if (line == NULL || strcmp(line, sysctls->boot_id) != 0)
        return;
    while ((line = strtok_r(NULL, "\n", &save)) != NULL)
        if (!take_entry(sysctls, line))
            log_warn("%s: '%.100s' is no setting with its value: ignored", sysctls->file, line);
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
    int fd = openat(sysctls->folder, sysctls->file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    void *text = NULL;
    size_t length;
    int rc = 0;

    sysctls->count = 0;
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (is_ours(fd))
        rc = file_read_open(fd, sysctls->file, FILE_SIZE_MAX, &text, &length, err);
    if (rc == 0 && text != NULL)
        take_file(sysctls, text);
    free(text);
    if (fd >= 0)
        close(fd);
    return rc;
}

/* For no longer than it takes to change a setting. */
static int lock(struct sysctls *sysctls, struct error *err)
{
    int rc;

    do
        rc = sysctls->shared && flock(sysctls->folder, LOCK_EX) < 0 ? -errno : 0;
    while (rc == -EINTR);
    if (rc < 0)
        return fail(err, rc, sysctls->file, "lock");
    rc = load(sysctls, err);
    if (rc < 0)
        flock(sysctls->folder, LOCK_UN);
    return rc;
}

/* Hands `rc` on. */
static int unlock(const struct sysctls *sysctls, int rc)
{
    flock(sysctls->folder, LOCK_UN);
    return rc;
}

static int save(const struct sysctls *sysctls, struct error *err)
{
    char *text = NULL;
    size_t length;
    FILE *out;
    int rc;

    if (sysctls->count == 0)
        return unlinkat(sysctls->folder, sysctls->file, 0) < 0 && errno != ENOENT
                   ? fail(err, -errno, sysctls->file, "forget")
                   : 0;
    out = open_memstream(&text, &length);
    if (out == NULL)
        return fail(err, -ENOMEM, sysctls->file, "keep");
    fprintf(out, "%s\n", sysctls->boot_id);
    for (size_t i = 0; i < sysctls->count; i++)
        fprintf(out, "%s %s %s\n", sysctls->entries[i].name, sysctls->entries[i].before,
                sysctls->entries[i].who);
    fclose(out);
    rc = file_write(sysctls->folder, sysctls->file, text, length, err);
    free(text);
    return rc;
}

/* Ours, or else one of somebody else's. */
static struct entry *find(struct sysctls *sysctls, const char *name, bool ours)
{
    for (size_t i = 0; i < sysctls->count; i++) {
        struct entry *entry = &sysctls->entries[i];

        if (strcmp(entry->name, name) == 0 && (strcmp(entry->who, sysctls->who) == 0) == ours)
            return entry;
    }
    return NULL;
}

/* Unlike the namespace's inode number, its cookie is never another one's until the next boot. */
static bool network_cookie(uint64_t *cookie)
{
    socklen_t length = sizeof *cookie;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool told = fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, cookie, &length) == 0;

    if (fd >= 0)
        close(fd);
    return told;
}

static void merge(struct sysctls *sysctls, const struct entry *entries, size_t count)
{
    for (size_t i = 0; i < count && sysctls->count < SYSCTL_MAX; i++)
        if (strcmp(entries[i].who, sysctls->who) == 0 &&
            find(sysctls, entries[i].name, true) == NULL)
            sysctls->entries[sysctls->count++] = entries[i];
}

/* Shares what was kept in the state folder when it could not be. */
static void take_over(struct sysctls *sysctls, int state, const struct entry *entries, size_t count)
{
    struct error err;
    int rc = lock(sysctls, &err);

    if (rc == 0) {
        merge(sysctls, entries, count);
        rc = unlock(sysctls, save(sysctls, &err));
    }
    if (rc < 0)
        log_warn("settings that were kept before can't be shared: %s", err.message);
    else if (unlinkat(state, SYSCTL_FILE, 0) < 0)
        log_warn("settings that were kept before can't be forgotten: %s", strerror(errno));
}

/* Takes the place of the state folder's descriptor. */
static void switch_to(struct sysctls *sysctls, int fd, uint64_t cookie)
{
    struct entry entries[SYSCTL_MAX];
    struct error err;
    int state = sysctls->folder;
    size_t count;

    if (load(sysctls, &err) < 0)
        log_warn("%s", err.message);
    count = sysctls->count;
    memcpy(entries, sysctls->entries, count * sizeof entries[0]);
    sysctls->folder = fd;
    sysctls->shared = true;
    snprintf(sysctls->file, sizeof sysctls->file, SYSCTL_FILE "-%" PRIu64, cookie);
    if (count > 0)
        take_over(sysctls, state, entries, count);
    close(state);
}

static void share(struct sysctls *sysctls, const char *shared)
{
    struct error err = {.message = "the kernel tells no network namespaces apart"};
    uint64_t cookie;
    int fd = network_cookie(&cookie) ? folder_open(shared, 0700, &err) : -ENOTSUP;

    if (fd >= 0 && faccessat(fd, ".", W_OK, AT_EACCESS) == 0) {
        switch_to(sysctls, fd, cookie);
        return;
    }
    log_info("settings of the kernel are not shared with other interfaces: %s",
             fd < 0 ? err.message : strerror(errno));
    if (fd >= 0)
        close(fd);
}

static int open_folder(struct sysctls *sysctls, const char *shared, const char *state_dir,
                       struct error *err)
{
    struct stat about;

    sysctls->folder = folder_open(state_dir, 0700, err);
    if (sysctls->folder < 0)
        return sysctls->folder;
    if (fstat(sysctls->folder, &about) < 0)
        return fail(err, -errno, state_dir, "keep");
    snprintf(sysctls->who, sizeof sysctls->who, "%jx:%ju", (uintmax_t)about.st_dev,
             (uintmax_t)about.st_ino);
    snprintf(sysctls->file, sizeof sysctls->file, "%s", SYSCTL_FILE);
    share(sysctls, shared);
    return 0;
}

static int open_both(struct sysctls *sysctls, const char *proc, const char *shared,
                     const char *state_dir, struct error *err)
{
    sysctls->proc = open(proc, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (sysctls->proc < 0)
        return fail(err, -errno, proc, "read");
    if (read_line(sysctls->proc, BOOT_ID, sysctls->boot_id, sizeof sysctls->boot_id) < 0)
        snprintf(sysctls->boot_id, sizeof sysctls->boot_id, "-");
    return open_folder(sysctls, shared, state_dir, err);
}

struct sysctls *sysctls_new(const char *proc, const char *shared, const char *state_dir,
                            struct error *err)
{
    struct sysctls *sysctls = calloc(1, sizeof *sysctls);

    if (sysctls == NULL) {
        error_set(err, "no-memory", "out of memory");
        return NULL;
    }
    sysctls->proc = sysctls->folder = -1;
    if (open_both(sysctls, proc, shared, state_dir, err) == 0)
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
    snprintf(entry->who, sizeof entry->who, "%s", sysctls->who);
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

/* What another one of us found is what is put back, by whoever is the last. */
static int change(struct sysctls *sysctls, const char *name, const char *value, struct error *err)
{
    const struct entry *kept = find(sysctls, name, true), *other = find(sysctls, name, false);
    char now[SYSCTL_VALUE_MAX], before[SYSCTL_VALUE_MAX];
    int rc = read_line(sysctls->proc, name, now, sizeof now);

    if (rc < 0)
        return fail(err, rc, name, "read");
    if (strcmp(now, value) == 0 && (kept != NULL || other == NULL))
        return 0;
    if (kept == NULL) {
        snprintf(before, sizeof before, "%s", other != NULL ? other->before : now);
        rc = keep(sysctls, name, before, err);
        if (rc < 0)
            return rc;
    }
    rc = write_value(sysctls->proc, name, value);
    if (rc == 0)
        return 0;
    if (kept == NULL)
        forget(sysctls, find(sysctls, name, true), NULL);
    return fail(err, rc, name, "change");
}

int sysctls_set(struct sysctls *sysctls, const char *name, const char *value, struct error *err)
{
    int rc = lock(sysctls, err);

    return rc < 0 ? rc : unlock(sysctls, change(sysctls, name, value, err));
}

static int put_back(struct sysctls *sysctls, struct entry *kept, struct error *err)
{
    bool last = find(sysctls, kept->name, false) == NULL;
    int rc = last ? write_value(sysctls->proc, kept->name, kept->before) : 0;

    if (rc < 0 && rc != -ENOENT)
        return fail(err, rc, kept->name, "put back");
    return forget(sysctls, kept, err);
}

int sysctls_restore(struct sysctls *sysctls, const char *name, struct error *err)
{
    int rc = lock(sysctls, err);
    struct entry *kept;

    if (rc < 0)
        return rc;
    kept = find(sysctls, name, true);
    return unlock(sysctls, kept != NULL ? put_back(sysctls, kept, err) : 0);
}

int sysctls_restore_all(struct sysctls *sysctls, const char *but, struct error *err)
{
    int first = lock(sysctls, err);
    struct error later;

    if (first < 0)
        return first;
    for (size_t i = sysctls->count; i-- > 0;) {
        struct entry *entry = &sysctls->entries[i];
        int rc;

        if (strcmp(entry->who, sysctls->who) != 0 || (but && strcmp(entry->name, but) == 0))
            continue;
        rc = put_back(sysctls, entry, first ? &later : err);
        first = first ? first : rc;
    }
    return unlock(sysctls, first);
}
