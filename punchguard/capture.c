/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "punchguard/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct stream {
    int fd; /* read end; -1 at its end */
    int theirs;
    FILE *file;
    size_t size, taken;
};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A file in memory, so that nobody has to write while it is read. */
static int input_open(const char *input)
{
    int fd = memfd_create("input", MFD_CLOEXEC);

    if (fd < 0)
        return -errno;
    if (write(fd, input, strlen(input)) == (ssize_t)strlen(input) && lseek(fd, 0, SEEK_SET) == 0)
        return fd;
    close(fd);
    return -EIO;
}

static int stream_open(struct stream *stream, char **text)
{
    int ends[2];

    *stream = (struct stream){.fd = -1, .theirs = -1};
    *text = NULL;
    stream->file = open_memstream(text, &stream->size);
    if (stream->file == NULL || pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    stream->fd = ends[0];
    stream->theirs = ends[1];
    return 0;
}

static void close_if_open(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void stream_close(struct stream *stream)
{
    close_if_open(&stream->fd);
    close_if_open(&stream->theirs);
    if (stream->file != NULL)
        fclose(stream->file);
    stream->file = NULL;
}

static void stream_read(struct stream *stream)
{
    char bytes[16384];
    ssize_t n = read(stream->fd, bytes, sizeof bytes);

    if (n <= 0) {
        if (n == 0 || errno != EINTR)
            close_if_open(&stream->fd);
        return;
    }
    if (stream->taken + (size_t)n <= CAPTURE_MAX)
        fwrite(bytes, 1, (size_t)n, stream->file);
    stream->taken += (size_t)n;
}

/* Until both are at their end. False where the time is over. */
static bool streams_read(struct stream *out, struct stream *err, int timeout_ms)
{
    int64_t until = now_ms() + timeout_ms;

    while (out->fd >= 0 || err->fd >= 0) {
        struct pollfd fds[] = {{.fd = out->fd, .events = POLLIN},
                               {.fd = err->fd, .events = POLLIN}};
        int64_t left = until - now_ms();

        if (left <= 0)
            return false;
        if (poll(fds, 2, (int)left) <= 0)
            continue;
        if (fds[0].revents != 0)
            stream_read(out);
        if (fds[1].revents != 0)
            stream_read(err);
    }
    return true;
}

static _Noreturn void become(char *const argv[], int in, const struct stream *out,
                             const struct stream *err)
{
    setpgid(0, 0);
    signal(SIGPIPE, SIG_DFL);
    dup2(in, STDIN_FILENO);
    dup2(out->theirs, STDOUT_FILENO);
    dup2(err->theirs, STDERR_FILENO);
    execvp(argv[0], argv);
    _exit(127);
}

/* Its exit status, or -1. */
static int await(pid_t pid, bool in_time)
{
    int status;

    if (!in_time)
        kill(-pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return in_time && WIFEXITED(status) && WEXITSTATUS(status) != 127 ? WEXITSTATUS(status) : -1;
}

int capture_run(struct capture *capture, char *const argv[], const char *input, int timeout_ms)
{
    struct stream out, err;
    int in = input_open(input), rc = in < 0 ? in : 0;
    pid_t pid = -1;

    if (stream_open(&out, &capture->out) < 0 || stream_open(&err, &capture->err) < 0)
        rc = -errno;
    capture->status = -1;
    fflush(NULL);
    if (rc == 0 && (pid = fork()) < 0)
        rc = -errno;
    if (rc == 0 && pid == 0)
        become(argv, in, &out, &err);
    close_if_open(&out.theirs);
    close_if_open(&err.theirs);
    close_if_open(&in);
    if (rc == 0) {
        setpgid(pid, pid);
        capture->status = await(pid, streams_read(&out, &err, timeout_ms));
    }
    stream_close(&out);
    stream_close(&err);
    if (rc == 0 && (capture->out == NULL || capture->err == NULL))
        rc = -ENOMEM;
    if (rc < 0)
        capture_clear(capture);
    return rc;
}

void capture_clear(struct capture *capture)
{
    free(capture->out);
    free(capture->err);
    capture->out = capture->err = NULL;
}
