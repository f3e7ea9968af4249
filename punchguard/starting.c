/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "punchguard/starting.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "punchguard/service.h"

/* A socket that is not there yet is looked for so often, and a status asked for, in ms. */
#define TRY_MS  50
#define LOOK_MS 500

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Each new word once, on standard error. */
static void progress(struct starting *s, const char *text)
{
    if (strcmp(s->said, text) == 0)
        return;
    snprintf(s->said, sizeof s->said, "%s", text);
    fprintf(stderr, "%s\n", text);
}

static enum outcome config_failed(struct starting *s, const char *action, int problem)
{
    error_set(&s->err, "config", "cannot %s %s: %s", action, s->settings.config, strerror(problem));
    return problem == EACCES || problem == EPERM ? OUTCOME_NOT_PERMITTED : OUTCOME_FAILED;
}

/* Takes the descriptor over. False with errno set. */
static bool fill(int fd, const char *text, size_t length)
{
    ssize_t written = write(fd, text, length);
    int problem = written < 0 ? errno : ENOSPC;

    if (close(fd) < 0 && written == (ssize_t)length)
        return false;
    errno = problem;
    return written == (ssize_t)length;
}

static enum outcome make_config(struct starting *s)
{
    static const char text[] = "{ \"peers\": [] }\n";
    char folder[sizeof s->settings.config];
    char *slash;
    int fd;

    snprintf(folder, sizeof folder, "%s", s->settings.config);
    slash = strrchr(folder, '/');
    if (slash != NULL && slash != folder) {
        *slash = '\0';
        mkdir(folder, 0755);
    }
    fd = open(s->settings.config, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return config_failed(s, "make", errno);
    if (!fill(fd, text, sizeof text - 1)) {
        enum outcome outcome = config_failed(s, "make", errno);

        unlink(s->settings.config);
        return outcome;
    }
    fprintf(stderr, "made %s\n", s->settings.config);
    return OUTCOME_OK;
}

/* The broker's own words go to standard error. */
static enum outcome check_config(struct starting *s)
{
    char program[PATH_MAX];
    char *argv[] = {program, (char *)(uintptr_t) "-c", s->settings.config,
                    (char *)(uintptr_t) "--check", NULL};
    int status;

    service_program("punchguard-broker", program, sizeof program);
    status = service_run(argv, true);
    if (status == 0)
        return OUTCOME_OK;
    if (status > 0)
        service_run(argv, false);
    error_set(&s->err, "config",
              status < 0 ? "cannot run %s" : "%s refuses the configuration: see above", program);
    return status == 2 ? OUTCOME_USAGE : OUTCOME_FAILED;
}

static enum outcome start(struct starting *s)
{
    enum outcome outcome = OUTCOME_OK;

    if (geteuid() != 0)
        fprintf(stderr, "not started as root: the broker may lack what it needs\n");
    if (s->settings.problem == -ENOENT)
        outcome = make_config(s);
    else if (s->settings.problem < 0)
        outcome = config_failed(s, "read", -s->settings.problem);
    if (outcome == OUTCOME_OK)
        outcome = check_config(s);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (service_is_there(&s->settings)) {
        progress(s, "starting punchguard.service");
        s->service = true;
        s->look_at = now_ms() + LOOK_MS;
        return service_start(&s->err);
    }
    s->broker = service_spawn(&s->settings, s->log, &s->err);
    if (s->broker < 0)
        return OUTCOME_FAILED;
    fprintf(stderr, "starting punchguard-broker, its log is %s\n", s->log);
    return OUTCOME_OK;
}

/* Right after the start the unit may still be what it was before. */
static bool service_has_ended(struct starting *s)
{
    if (now_ms() < s->look_at)
        return false;
    s->look_at = now_ms() + LOOK_MS;
    return service_has_failed(&s->err);
}

/* Ended already, and why. */
static bool has_ended(struct starting *s)
{
    int status;

    if (s->service)
        return service_has_ended(s);
    if (s->broker <= 0 || waitpid(s->broker, &status, WNOHANG) != s->broker)
        return false;
    s->broker = 0;
    error_set(&s->err, "broker-ended", "the broker ended at once (%s %d): see %s",
              WIFEXITED(status) ? "exit status" : "signal",
              WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), s->log);
    return true;
}

static enum outcome await_socket(struct starting *s)
{
    for (;;) {
        enum outcome outcome = client_open(&s->client, s->settings.socket, &s->err);

        if (outcome != OUTCOME_NOT_RUNNING)
            return outcome;
        if (has_ended(s))
            return OUTCOME_FAILED;
        if (now_ms() > s->deadline) {
            error_set(&s->err, "timeout", "the broker does not answer at %s; %s says more",
                      s->settings.socket, s->service ? SERVICE_LOG : s->log);
            return OUTCOME_TIMEOUT;
        }
        poll(NULL, 0, TRY_MS);
    }
}

/* Says how far it is; whether it is done. */
static bool say_state(struct starting *s, const struct snapshot *snapshot)
{
    const struct message_status_device *device = &snapshot->device.status_device;
    const char *why = "";
    char text[sizeof s->said];
    bool any = false;

    if (!device->ready) {
        progress(s, "waiting for the tunnel's interface");
        return false;
    }
    for (size_t i = 0; i < snapshot->transport_count; i++) {
        const struct message_status_transport *t = &snapshot->transports[i].status_transport;

        any |= strcmp(t->state, "ready") == 0;
        why = t->reason != NULL ? t->reason : why;
    }
    if (any)
        return true;
    snprintf(text, sizeof text, "%s stands (%s); waiting for a signalling transport%s%s",
             device->interface, device->backend, why[0] != '\0' ? ": " : "", why);
    progress(s, text);
    return false;
}

static enum outcome await_ready(struct starting *s, struct snapshot *snapshot)
{
    for (;;) {
        enum outcome outcome = snapshot_take(snapshot, s->client, NULL, &s->err);

        if (outcome == OUTCOME_NOT_RUNNING)
            has_ended(s);
        if (outcome != OUTCOME_OK)
            return outcome == OUTCOME_NOT_RUNNING ? OUTCOME_FAILED : outcome;
        if (say_state(s, snapshot))
            return OUTCOME_OK;
        snapshot_clear(snapshot);
        if (now_ms() > s->deadline) {
            error_set(&s->err, "timeout", "not ready yet; 'punchguard status' says how it stands");
            return OUTCOME_TIMEOUT;
        }
        poll(NULL, 0, LOOK_MS);
    }
}

enum outcome starting_run(struct starting *s, struct snapshot *snapshot)
{
    enum outcome outcome = settings_read(s->context, true, &s->settings, &s->err);

    s->deadline = now_ms() + s->timeout_ms;
    if (outcome != OUTCOME_OK)
        return outcome;
    outcome = client_open(&s->client, s->settings.socket, &s->err);
    if (outcome == OUTCOME_NOT_RUNNING)
        outcome = start(s);
    else if (outcome == OUTCOME_OK)
        progress(s, "the broker runs already");
    if (outcome == OUTCOME_OK && s->client == NULL)
        outcome = await_socket(s);
    return outcome == OUTCOME_OK ? await_ready(s, snapshot) : outcome;
}
