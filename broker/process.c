/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READ_END, WRITE_END };

struct pipes {
    int in[2], out[2], log[2], failure[2];
};

static void fd_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void pipe_close(int ends[2])
{
    fd_close(&ends[READ_END]);
    fd_close(&ends[WRITE_END]);
}

static void pipes_close(struct pipes *pipes)
{
    pipe_close(pipes->in);
    pipe_close(pipes->out);
    pipe_close(pipes->log);
    pipe_close(pipes->failure);
}

static int pipes_open(struct pipes *pipes, bool own_log)
{
    memset(pipes, 0xff, sizeof *pipes);
    if (pipe2(pipes->in, O_CLOEXEC) < 0 || pipe2(pipes->out, O_CLOEXEC) < 0 ||
        pipe2(pipes->failure, O_CLOEXEC) < 0)
        return -errno;
    if (own_log && pipe2(pipes->log, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    /* The flag belongs to the open file description, so the helper's ends keep blocking. */
    if (fcntl(pipes->in[WRITE_END], F_SETFL, O_NONBLOCK) < 0 ||
        fcntl(pipes->out[READ_END], F_SETFL, O_NONBLOCK) < 0)
        return -errno;
    return 0;
}

static void signals_default(void)
{
    sigset_t none;

    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Between fork and exec: only async-signal-safe calls. Returns only to fail. */
static void process_exec(const struct pipes *pipes, pid_t parent, const char *path,
                         char *const argv[], char *const env[])
{
    setsid();
    signals_default();
    if (dup2(pipes->in[READ_END], STDIN_FILENO) < 0 ||
        dup2(pipes->out[WRITE_END], STDOUT_FILENO) < 0)
        return;
    if (pipes->log[WRITE_END] >= 0 && dup2(pipes->log[WRITE_END], STDERR_FILENO) < 0)
        return;
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return;
    /* The parent may have ended before the line above. */
    if (getppid() != parent)
        _exit(1);
    execve(path, argv, env);
}

static _Noreturn void process_child(const struct pipes *pipes, pid_t parent, const char *path,
                                    char *const argv[], char *const env[])
{
    process_exec(pipes, parent, path, argv, env);
    /* A short write here leaves the parent with what it takes for success, and then an exit. */
    _exit(write(pipes->failure[WRITE_END], &errno, sizeof errno) < 0 ? 126 : 127);
}

/* 0 once the program runs, else -errno of what failed before. */
static int process_await_exec(struct pipes *pipes)
{
    int failure = 0;
    ssize_t n;

    fd_close(&pipes->failure[WRITE_END]);
    do
        n = read(pipes->failure[READ_END], &failure, sizeof failure);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof failure ? -failure : 0;
}

static int process_adopt(struct process *process, struct pipes *pipes, pid_t pid)
{
    int result = process_await_exec(pipes);

    if (result == 0) {
        process->pidfd = pidfd_open(pid, 0);
        result = process->pidfd < 0 ? -errno : 0;
    }
    if (result < 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        return result;
    }
    process->pid = pid;
    process->in = pipes->in[WRITE_END];
    process->out = pipes->out[READ_END];
    process->log = pipes->log[READ_END];
    pipes->in[WRITE_END] = pipes->out[READ_END] = pipes->log[READ_END] = -1;
    return 0;
}

int process_start(struct process *process, const char *path, char *const argv[], char *const env[],
                  bool own_log, struct error *err)
{
    pid_t parent = getpid(), pid;
    struct pipes pipes;
    int result;

    *process = (struct process)PROCESS_NONE;
    result = pipes_open(&pipes, own_log);
    if (result < 0)
        goto out;
    pid = fork();
    if (pid == 0)
        process_child(&pipes, parent, path, argv, env != NULL ? env : environ);
    result = pid < 0 ? -errno : process_adopt(process, &pipes, pid);
out:
    pipes_close(&pipes);
    if (result < 0)
        error_set(err, "start-failed", "cannot start '%s': %s", path, strerror(-result));
    return result;
}

void process_signal(const struct process *process, int signal, bool group)
{
    if (process->pid > 0)
        kill(group ? -process->pid : process->pid, signal);
}

int process_reap(struct process *process, int *status, bool group)
{
    siginfo_t info = {0};
    int result;

    if (process->pid <= 0)
        return 0;
    result = waitid(P_PID, (id_t)process->pid, &info, WEXITED | WNOHANG | WNOWAIT);
    if (result < 0 && errno != ECHILD)
        return 0;
    if (result == 0 && info.si_pid == 0)
        return 0;
    /* While it is not yet waited for, its group's number cannot be anybody else's. */
    if (group && result == 0)
        kill(-process->pid, SIGKILL);
    /* ECHILD where SIGCHLD is ignored: the kernel has thrown the status away. */
    if (waitpid(process->pid, status, 0) < 0)
        *status = 0;
    process_close(process);
    return 1;
}

void process_describe(int status, char *text, size_t size)
{
    if (WIFSIGNALED(status))
        snprintf(text, size, "signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(text, size, "exit status %d", WEXITSTATUS(status));
}

void process_close(struct process *process)
{
    fd_close(&process->pidfd);
    fd_close(&process->in);
    fd_close(&process->out);
    fd_close(&process->log);
    process->pid = 0;
}
