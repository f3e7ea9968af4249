/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "punchguard/service.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "punchguard/capture.h"

#define UNIT   "punchguard.service"
#define ASK_MS 5000

void service_program(const char *name, char *path, size_t size)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash;

    snprintf(path, size, "%s", name);
    if (n <= 0)
        return;
    self[n] = '\0';
    slash = strrchr(self, '/');
    if (slash == NULL ||
        (size_t)snprintf(path, size, "%.*s/%s", (int)(slash - self), self, name) >= size ||
        access(path, X_OK) < 0)
        snprintf(path, size, "%s", name);
}

/* In the child: never comes back. */
static void become(char *const argv[], bool quiet)
{
    int null = open("/dev/null", O_RDWR);

    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
    }
    if (null >= 0 && quiet)
        dup2(null, STDERR_FILENO);
    execvp(argv[0], argv);
    _exit(127);
}

int service_run(char *const argv[], bool quiet)
{
    pid_t pid;
    int status;

    fflush(NULL);
    pid = fork();
    if (pid == 0)
        become(argv, quiet);
    if (pid < 0)
        return -1;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) && WEXITSTATUS(status) != 127 ? WEXITSTATUS(status) : -1;
}

static int systemctl(const char *verb, const char *option)
{
    char *argv[] = {(char *)(uintptr_t) "systemctl", (char *)(uintptr_t)verb,
                    (char *)(uintptr_t)option, (char *)(uintptr_t)UNIT, NULL};

    return service_run(argv, strcmp(verb, "start") != 0);
}

/* Symbolic links are followed in both. */
static bool is_default(const char *config)
{
    char *real = realpath(CONFIG_DEFAULT, NULL);
    bool same = strcmp(config, real != NULL ? real : CONFIG_DEFAULT) == 0;

    free(real);
    return same;
}

bool service_is_there(const struct settings *settings)
{
    /* sd_booted(3) */
    if (access("/run/systemd/system", F_OK) < 0 || settings->elsewhere ||
        !is_default(settings->config))
        return false;
    return systemctl("cat", "--no-pager") == 0;
}

static enum outcome service_ask(const char *verb, struct error *err)
{
    /* --no-block: progress is shown meanwhile. */
    int status = systemctl(verb, strcmp(verb, "start") == 0 ? "--no-block" : "--quiet");

    if (status == 0)
        return OUTCOME_OK;
    error_set(err, "service", "'systemctl %s %s' failed; 'systemctl status %s' says more", verb,
              UNIT, UNIT);
    /* systemctl(1): 4 is "insufficient privileges". */
    return geteuid() != 0 ? OUTCOME_NOT_PERMITTED : OUTCOME_FAILED;
}

enum outcome service_start(struct error *err)
{
    return service_ask("start", err);
}

enum outcome service_stop(struct error *err)
{
    return service_ask("stop", err);
}

/* The value of NAME in lines NAME=VALUE, cut to `size`. */
static void take_property(const char *lines, const char *name, char *value, size_t size)
{
    size_t length = strlen(name);

    for (const char *at = lines; *at != '\0'; at += strcspn(at, "\n"), at += *at == '\n')
        if (strncmp(at, name, length) == 0 && at[length] == '=')
            snprintf(value, size, "%.*s", (int)strcspn(at + length + 1, "\n"), at + length + 1);
}

/* The socket's listener is the broker itself, which is the unit's main process. */
static bool is_main_process(int socket)
{
    char *argv[] = {(char *)(uintptr_t) "systemctl", (char *)(uintptr_t) "show",
                    (char *)(uintptr_t) "--property=MainPID", (char *)(uintptr_t)UNIT, NULL};
    struct ucred peer;
    socklen_t size = sizeof peer;
    struct capture capture;
    char pid[32] = "";

    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 ||
        capture_run(&capture, argv, "", ASK_MS) < 0)
        return false;
    take_property(capture.out, "MainPID", pid, sizeof pid);
    capture_clear(&capture);
    return peer.pid > 0 && strtol(pid, NULL, 10) == peer.pid;
}

bool service_is_active(const struct settings *settings, int socket)
{
    return service_is_there(settings) && systemctl("is-active", "--quiet") == 0 &&
           (!settings->uncertain || is_main_process(socket));
}

bool service_has_failed(struct error *err)
{
    char *argv[] = {(char *)(uintptr_t) "systemctl", (char *)(uintptr_t) "show",
                    (char *)(uintptr_t) "--property=ActiveState,SubState,Result,ExecMainStatus",
                    (char *)(uintptr_t)UNIT, NULL};
    char active[32] = "", sub[32] = "", result[32] = "", status[32] = "";
    struct capture capture;
    bool failed;

    if (capture_run(&capture, argv, "", ASK_MS) < 0)
        return false;
    take_property(capture.out, "ActiveState", active, sizeof active);
    take_property(capture.out, "SubState", sub, sizeof sub);
    take_property(capture.out, "Result", result, sizeof result);
    take_property(capture.out, "ExecMainStatus", status, sizeof status);
    capture_clear(&capture);
    /* is-failed would miss the unit of ours: it is started again for ever. */
    failed = strcmp(active, "failed") == 0 || strncmp(sub, "auto-restart", 12) == 0;
    if (failed)
        error_set(err, "broker-ended",
                  "the broker that " UNIT " started has ended (%s, %s); " SERVICE_LOG " says why",
                  result, status);
    return failed;
}

pid_t service_spawn(const struct settings *settings, const char *log, struct error *err)
{
    char program[PATH_MAX];
    char *argv[] = {program, (char *)(uintptr_t) "-c", (char *)(uintptr_t)settings->config, NULL};
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0640);
    pid_t pid;

    if (fd < 0) {
        error_set(err, "log", "cannot write the log %s: %s; --log names another file", log,
                  strerror(errno));
        return -1;
    }
    service_program("punchguard-broker", program, sizeof program);
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        setsid();
        dup2(fd, STDERR_FILENO);
        become(argv, false);
    }
    if (pid < 0)
        error_set(err, "fork", "cannot start a process: %s", strerror(errno));
    close(fd);
    return pid;
}
