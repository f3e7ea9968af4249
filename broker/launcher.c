/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "broker/privilege.h"
#include "broker/process.h"
#include "protocol/await.h"
#include "protocol/log.h"

/* What wg-setup needs before it gives up the rest, and what starting and killing it takes. */
static const int launcher_capabilities[] = {
    CAP_NET_ADMIN,        /* interfaces, routes, nftables */
    CAP_NET_BIND_SERVICE, /* userspace WireGuard on a port below 1024 */
    CAP_DAC_OVERRIDE, /* its key file in the folder of user punchguard, a conf.json of any owner */
    CAP_SETPCAP,      /* taking capabilities out of the bounding set */
};

/* A fork and an exec on a busy machine, in ms. */
#define LAUNCHER_ANSWER_MS 5000

/* WORD_CONFIG on a socket of its own: its answer must not queue up behind an EVENT_EXITED. */
enum launcher_word { WORD_START = 1, WORD_KILL, WORD_CONFIG };

enum launcher_event { EVENT_OPEN = 1, EVENT_STARTED, EVENT_FAILED, EVENT_EXITED, EVENT_CONFIG };

struct launcher_answer {
    int32_t event;
    int32_t value; /* EVENT_STARTED: pid; EVENT_FAILED: errno; EVENT_EXITED: wait status */
};

struct launcher {
    pid_t pid;
    int fd, config_fd;
};

/* The descriptors that go along with an answer, at most two. */
union launcher_ends {
    char space[CMSG_SPACE(2 * sizeof(int))];
    struct cmsghdr align;
};

/* ---- the privileged process ---- */

struct launcher_state {
    int fd, config_fd;
    char *const *argv;
    const char *config;
    struct process process;
};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* With the first `count` of `ends`. That the broker is gone shows at the next poll. */
static void launcher_answer(int fd, enum launcher_event event, int value, const int *ends,
                            size_t count)
{
    struct launcher_answer answer = {.event = (int32_t)event, .value = value};
    struct iovec part = {.iov_base = &answer, .iov_len = sizeof answer};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    union launcher_ends control;
    struct cmsghdr *head;

    if (count > 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.space;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(head), ends, count * sizeof(int));
    }
    while (sendmsg(fd, &message, MSG_NOSIGNAL) < 0 && errno == EINTR)
        ;
}

static void launcher_do_start(struct launcher_state *state)
{
    struct process *process = &state->process;
    struct error err;
    int result = -EBUSY;

    if (process->pid == 0)
        result = process_start(process, state->argv[0], state->argv, NULL, false, &err);
    if (result < 0) {
        launcher_answer(state->fd, EVENT_FAILED, -result, NULL, 0);
        return;
    }
    launcher_answer(state->fd, EVENT_STARTED, (int)process->pid, (int[]){process->in, process->out},
                    2);
    /* Held here too, the pipe would never show EOF. */
    close(process->in);
    close(process->out);
    process->in = process->out = -1;
}

/* A descriptor of a regular file, or -errno. */
static int config_open(const char *path)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat about;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &about) == 0 && S_ISREG(about.st_mode))
        return fd;
    close(fd);
    return -EINVAL;
}

static void launcher_do_config(struct launcher_state *state)
{
    int fd = config_open(state->config);

    if (fd < 0) {
        launcher_answer(state->config_fd, EVENT_FAILED, -fd, NULL, 0);
        return;
    }
    launcher_answer(state->config_fd, EVENT_CONFIG, 0, &fd, 1);
    close(fd);
}

/* The next word of that socket, 0 for none that makes sense. False once the broker is gone. */
static bool launcher_hear(int fd, unsigned char *word)
{
    ssize_t n = recv(fd, word, sizeof *word, 0);

    if (n == 1)
        return true;
    *word = 0;
    return n < 0 && (errno == EINTR || errno == EAGAIN);
}

static bool launcher_obey(struct launcher_state *state)
{
    unsigned char word;

    if (!launcher_hear(state->fd, &word))
        return false;
    if (word == WORD_START)
        launcher_do_start(state);
    else if (word == WORD_KILL)
        process_signal(&state->process, SIGKILL, false);
    return true;
}

static bool launcher_obey_config(struct launcher_state *state)
{
    unsigned char word;

    if (!launcher_hear(state->config_fd, &word))
        return false;
    if (word == WORD_CONFIG)
        launcher_do_config(state);
    return true;
}

static void launcher_serve(struct launcher_state *state)
{
    int status;

    for (;;) {
        struct pollfd polls[] = {{.fd = state->fd, .events = POLLIN},
                                 {.fd = state->process.pidfd, .events = POLLIN},
                                 {.fd = state->config_fd, .events = POLLIN}};

        if (poll(polls, 3, -1) < 0)
            continue;
        if (polls[1].revents != 0 && process_reap(&state->process, &status, false))
            launcher_answer(state->fd, EVENT_EXITED, status, NULL, 0);
        if (polls[0].revents != 0 && !launcher_obey(state))
            return;
        if (polls[2].revents != 0 && !launcher_obey_config(state))
            return;
    }
}

/* The broker is gone, so wg-setup's standard input is at its end. */
static void launcher_await_end(struct launcher_state *state)
{
    int64_t deadline = now_ms() + LAUNCHER_EOF_MS, left;
    int status;

    while (state->process.pid > 0 && !process_reap(&state->process, &status, false)) {
        left = deadline - now_ms();
        if (left <= 0) {
            log_warn("wg-setup did not exit within %d ms of EOF: killed", LAUNCHER_EOF_MS);
            process_signal(&state->process, SIGKILL, false);
            left = -1;
        }
        await_fd(state->process.pidfd, POLLIN, (int)left);
    }
}

/* Keeps the sockets, standard error, and /dev/null for the other two. The sockets end up as
 * descriptors 3 and 4. */
static int launcher_keep_descriptors(struct launcher_state *state, struct error *err)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    /* Above what is about to be overwritten. */
    int fd = fcntl(state->fd, F_DUPFD_CLOEXEC, 5);
    int config_fd = fcntl(state->config_fd, F_DUPFD_CLOEXEC, 5);

    if (null < 0 || fd < 0 || config_fd < 0 || dup2(null, STDIN_FILENO) < 0 ||
        dup2(null, STDOUT_FILENO) < 0 || dup3(fd, 3, O_CLOEXEC) < 0 ||
        dup3(config_fd, 4, O_CLOEXEC) < 0) {
        error_set(err, "launcher", "cannot set the launcher's descriptors up: %s", strerror(errno));
        return -errno;
    }
    state->fd = 3;
    state->config_fd = 4;
    close_range(5, ~0U, 0);
    return 0;
}

static int launcher_prepare(struct launcher_state *state, struct error *err)
{
    static const int ignored[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE};
    size_t count = sizeof launcher_capabilities / sizeof *launcher_capabilities;

    setsid();
    prctl(PR_SET_NAME, "pg-launcher");
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        signal(ignored[i], SIG_IGN);
    if (launcher_keep_descriptors(state, err) < 0)
        return -EBADF;
    return privilege_keep(launcher_capabilities, count, err) < 0 ? -EPERM : 0;
}

static _Noreturn void launcher_main(struct launcher_state state)
{
    struct error err;

    if (launcher_prepare(&state, &err) < 0) {
        log_error("%s", err.message);
        _exit(1);
    }
    launcher_answer(state.fd, EVENT_OPEN, 0, NULL, 0);
    launcher_serve(&state);
    launcher_await_end(&state);
    _exit(0);
}

/* ---- the broker's side ---- */

/* `ends` are -1 where none came. 1; 0 if nothing came within `wait_ms`; -EPIPE. */
static int launcher_receive(int fd, int wait_ms, struct launcher_answer *answer, int ends[2])
{
    struct iovec part = {.iov_base = answer, .iov_len = sizeof *answer};
    union launcher_ends control;
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.space,
                             .msg_controllen = sizeof control.space};
    const struct cmsghdr *head;
    ssize_t n;

    ends[0] = ends[1] = -1;
    if (wait_ms > 0)
        await_fd(fd, POLLIN, wait_ms);
    do
        n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return 0;
    if (n != (ssize_t)sizeof *answer)
        return -EPIPE;
    head = CMSG_FIRSTHDR(&message);
    if (head != NULL && head->cmsg_type == SCM_RIGHTS && head->cmsg_len <= CMSG_LEN(sizeof(int[2])))
        memcpy(ends, CMSG_DATA(head), head->cmsg_len - CMSG_LEN(0));
    return 1;
}

static int launcher_say(int fd, enum launcher_word word)
{
    unsigned char byte = (unsigned char)word;

    return send(fd, &byte, sizeof byte, MSG_NOSIGNAL) < 0 ? -EPIPE : 0;
}

static int launcher_await_open(struct launcher *launcher, struct error *err)
{
    struct launcher_answer answer;
    int ends[2];

    if (launcher_receive(launcher->fd, LAUNCHER_ANSWER_MS, &answer, ends) == 1 &&
        answer.event == EVENT_OPEN)
        return 0;
    error_set(err, "launcher", "the privileged launcher could not start: its reason is in the log");
    return -EPIPE;
}

/* The broker's ends stay in *launcher, the others come in *state. 0, or -errno and nothing open. */
static int launcher_pair(struct launcher *launcher, struct launcher_state *state)
{
    int pair[2], config_pair[2], result;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, config_pair) < 0) {
        result = -errno;
        close(pair[0]);
        close(pair[1]);
        return result;
    }
    launcher->fd = pair[0];
    launcher->config_fd = config_pair[0];
    state->fd = pair[1];
    state->config_fd = config_pair[1];
    return 0;
}

int launcher_open(struct launcher **out, char *const argv[], const char *config, struct error *err)
{
    struct launcher_state state = {.argv = argv, .config = config, .process = PROCESS_NONE};
    struct launcher *launcher = malloc(sizeof *launcher);
    int result = launcher == NULL ? -ENOMEM : launcher_pair(launcher, &state);

    *out = NULL;
    if (result < 0) {
        error_set(err, "launcher", "cannot make the launcher: %s", strerror(-result));
        free(launcher);
        return result;
    }
    launcher->pid = fork();
    if (launcher->pid == 0)
        launcher_main(state);
    result = launcher->pid < 0 ? -errno : 0;
    close(state.fd);
    close(state.config_fd);
    if (result < 0)
        error_set(err, "launcher", "cannot fork the launcher: %s", strerror(-result));
    else
        result = launcher_await_open(launcher, err);
    if (result < 0) {
        launcher_close(launcher);
        return result;
    }
    *out = launcher;
    return 0;
}

/* An answer that came later would be taken for another one, so the connection ends here. */
static int launcher_lost(struct launcher *launcher, struct error *err)
{
    shutdown(launcher->fd, SHUT_RDWR);
    error_set(err, "launcher-gone",
              "the privileged launcher is gone: wg-setup cannot be started until the broker is");
    return -EPIPE;
}

int launcher_start(struct launcher *launcher, struct launcher_start *start, struct error *err)
{
    struct launcher_answer answer;
    int ends[2];

    if (launcher_say(launcher->fd, WORD_START) < 0 ||
        launcher_receive(launcher->fd, LAUNCHER_ANSWER_MS, &answer, ends) != 1)
        return launcher_lost(launcher, err);
    if (answer.event != EVENT_STARTED) {
        int result = answer.event == EVENT_FAILED ? -answer.value : -EPROTO;

        error_set(err, "start-failed", "the launcher cannot start wg-setup: %s", strerror(-result));
        return result;
    }
    *start = (struct launcher_start){.pid = answer.value, .in = ends[0], .out = ends[1]};
    return 0;
}

int launcher_open_config(struct launcher *launcher, struct error *err)
{
    struct launcher_answer answer;
    int ends[2];

    if (launcher_say(launcher->config_fd, WORD_CONFIG) < 0 ||
        launcher_receive(launcher->config_fd, LAUNCHER_ANSWER_MS, &answer, ends) != 1) {
        shutdown(launcher->config_fd, SHUT_RDWR);
        error_set(err, "launcher-gone",
                  "the privileged launcher, which alone may read it, is gone: the broker has to be "
                  "started again");
        return -EPIPE;
    }
    if (answer.event == EVENT_CONFIG && ends[0] >= 0)
        return ends[0];
    if (answer.event != EVENT_FAILED)
        answer.value = EPROTO;
    error_set(err, "no-file", "cannot open the configuration: %s%s", strerror(answer.value),
              answer.value == ELOOP || answer.value == EINVAL ? "; a regular file is right" : "");
    return -answer.value;
}

void launcher_kill(struct launcher *launcher)
{
    launcher_say(launcher->fd, WORD_KILL);
}

int launcher_fd(const struct launcher *launcher)
{
    return launcher->fd;
}

int launcher_reap(struct launcher *launcher, int *status)
{
    struct launcher_answer answer;
    int ends[2], result = launcher_receive(launcher->fd, 0, &answer, ends);

    if (result == 1 && answer.event == EVENT_EXITED)
        *status = answer.value;
    return result;
}

void launcher_close(struct launcher *launcher)
{
    if (launcher == NULL)
        return;
    close(launcher->fd);
    close(launcher->config_fd);
    while (launcher->pid > 0 && waitpid(launcher->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    free(launcher);
}
