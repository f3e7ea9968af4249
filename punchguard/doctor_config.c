/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "punchguard/capture.h"
#include "punchguard/doctor.h"
#include "punchguard/service.h"

#define CONFIG    "configuration"
#define STATE     "state folder"
#define STATE_DIR "/var/lib/punchguard"
#define CHECK_MS  10000
/* Less than this and nothing can be written soon, in bytes. */
#define STATE_SPACE_MIN (1024 * 1024)

/* The configuration */

/* Of the broker's lines: "punchguard-broker: warning: …", or what is wrong. */
static void take_line(struct doctor *doctor, const char *line, bool wrong)
{
    const char *warning = strstr(line, "warning: ");

    if (warning != NULL)
        findings_add(&doctor->findings, LEVEL_WARN, CONFIG, NULL, "%s",
                     warning + strlen("warning: "));
    else if (wrong)
        findings_add(&doctor->findings, LEVEL_FAIL, CONFIG, "see punchguard.conf(5)", "%s", line);
}

static void take_check(struct doctor *doctor, struct capture *capture)
{
    char *rest = capture->err, *line;

    while ((line = strsep(&rest, "\n")) != NULL)
        if (line[0] != '\0')
            take_line(doctor, line, capture->status == 2);
    if (capture->status == 0)
        findings_add(&doctor->findings, LEVEL_OK, CONFIG, NULL, "%s is right",
                     doctor->settings.config);
    else if (capture->status != 2)
        findings_add(&doctor->findings, LEVEL_FAIL, CONFIG, "install it beside punchguard",
                     "punchguard-broker could not be run to check it");
}

void doctor_look_at_config(struct doctor *doctor)
{
    char program[PATH_MAX];
    char *argv[] = {program, (char *)(uintptr_t) "-c", doctor->settings.config,
                    (char *)(uintptr_t) "--check", NULL};
    struct capture capture;

    if (!doctor->settings.there) {
        bool missing = access(doctor->settings.config, F_OK) < 0 && errno == ENOENT;

        findings_add(&doctor->findings, missing ? LEVEL_WARN : LEVEL_SKIP, CONFIG,
                     missing ? "punchguard up makes one" : "ask as root",
                     missing ? "there is no %s" : "%s can't be read by this user",
                     doctor->settings.config);
        return;
    }
    service_program("punchguard-broker", program, sizeof program);
    if (capture_run(&capture, argv, "", CHECK_MS) < 0)
        return;
    take_check(doctor, &capture);
    capture_clear(&capture);
}

/* The state folder */

static void state_path(const struct doctor *doctor, char path[PATH_MAX])
{
    const char *text = STATE_DIR;
    struct json_at root, at;

    if (doctor_setting(doctor, "state_dir", &root, &at))
        json_as_string(&at, &text, NULL);
    snprintf(path, PATH_MAX, "%s", text);
}

/* True where something was wrong. */
static bool look_at_key(struct doctor *doctor, const char *folder, const char *name)
{
    char path[PATH_MAX + 32], remedy[PATH_MAX + 128];
    struct stat about;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (lstat(path, &about) < 0 || (about.st_mode & 077) == 0)
        return false;
    snprintf(remedy, sizeof remedy, "chmod 600 %s, and think of who may have read it", path);
    findings_add(&doctor->findings, LEVEL_FAIL, STATE, remedy,
                 "%s can be read or written by others (mode %o)", path,
                 (unsigned)about.st_mode & 07777);
    return true;
}

static bool look_at_space(struct doctor *doctor, const char *path)
{
    struct statvfs space;

    if (statvfs(path, &space) < 0)
        return false;
    if (space.f_flag & ST_RDONLY)
        findings_add(&doctor->findings, LEVEL_FAIL, STATE, "mount it for writing",
                     "%s is on a read-only file system", path);
    else if ((uint64_t)space.f_bavail * space.f_frsize < STATE_SPACE_MIN)
        findings_add(&doctor->findings, LEVEL_FAIL, STATE, "make room there",
                     "the file system of %s is full", path);
    else
        return false;
    return true;
}

/* Root's group may, for wg-setup is in it. */
static bool look_at_mode(struct doctor *doctor, const char *path, const struct stat *about)
{
    char remedy[PATH_MAX + 64];

    if ((about->st_mode & 07) == 0 && ((about->st_mode & 070) == 0 || about->st_gid == 0))
        return false;
    snprintf(remedy, sizeof remedy, "chmod o= %s, and chgrp root where root starts the broker",
             path);
    findings_add(&doctor->findings, LEVEL_FAIL, STATE, remedy,
                 "%s is open to others than the broker (mode %o)", path,
                 (unsigned)about->st_mode & 07777);
    return true;
}

void doctor_look_at_state(struct doctor *doctor)
{
    char path[PATH_MAX];
    struct stat about;
    bool wrong;

    state_path(doctor, path);
    if (stat(path, &about) < 0) {
        findings_add(&doctor->findings, errno == ENOENT ? LEVEL_OK : LEVEL_SKIP, STATE, NULL,
                     errno == ENOENT ? "%s will be made by the first start" : "%s can't be seen",
                     path);
        return;
    }
    wrong = look_at_mode(doctor, path, &about);
    wrong = look_at_space(doctor, path) || wrong;
    wrong = look_at_key(doctor, path, "identity.key") || wrong;
    wrong = look_at_key(doctor, path, "wg.key") || wrong;
    if (!wrong)
        findings_add(&doctor->findings, LEVEL_OK, STATE, NULL, "%s is the broker's alone", path);
}
