/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * wireguard-go, or what else speaks its protocol, as a process of its own that outlives us.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "protocol/await.h"
#include "protocol/log.h"
#include "wg-setup/address.h"
#include "wg-setup/uapi.h"

/* Where wireguard-go and wg(8) expect the sockets. */
#define SOCKET_FOLDER "/var/run/wireguard"
#define PROGRAM       "wireguard-go"
/* Exit statuses of its start, as a shell's. */
#define NOT_FOUND 127
#define NOT_RUN   126
/* wireguard-go is up, or gone, within this, in ms. */
#define PATIENCE_MS 5000
/* The link of one that has ended is gone within this, in ms. */
#define LINK_GONE_MS 500
/* An answer with so many bytes holds far more peers than we allow. */
#define ANSWER_MAX (8 * 1024 * 1024)

static int fail(struct error *err, const char *what, const char *name)
{
    int saved = errno;

    error_set(err, "userspace", "%s of interface %s: %s", what, name, strerror(saved));
    return -saved;
}

static void socket_path(const char *name, struct sockaddr_un *address)
{
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    snprintf(address->sun_path, sizeof address->sun_path, SOCKET_FOLDER "/%s.sock", name);
}

static int dial(const char *name)
{
    struct sockaddr_un address;
    struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), saved;

    if (fd < 0)
        return -errno;
    socket_path(name, &address);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        saved = errno;
        close(fd);
        return -saved;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return fd;
}

static int send_all(int fd, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t n = send(fd, text, length, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        text += n;
        length -= (size_t)n;
    }
    return 0;
}

/* Reads up to the empty line that ends an answer. */
static char *read_answer(int fd)
{
    size_t size = 4096, used = 0;
    char *text = malloc(size);

    while (text != NULL) {
        ssize_t n = read(fd, text + used, size - used - 1);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        used += (size_t)n;
        text[used] = '\0';
        if (used >= 2 && strcmp(text + used - 2, "\n\n") == 0)
            return text;
        if (used + 1 == size) {
            char *larger = size < ANSWER_MAX ? realloc(text, size *= 2) : NULL;

            if (larger == NULL)
                break;
            text = larger;
        }
    }
    free(text);
    errno = ETIMEDOUT;
    return NULL;
}

/* One operation; the answer is the caller's to free, NULL with errno set. */
static char *ask(const char *name, const char *text, size_t length)
{
    int fd = dial(name), rc;
    char *answer = NULL;

    if (fd < 0) {
        errno = -fd;
        return NULL;
    }
    rc = send_all(fd, text, length);
    if (rc < 0)
        errno = -rc;
    else
        answer = read_answer(fd);
    rc = errno;
    close(fd);
    errno = rc;
    return answer;
}

static int ask_set(const char *name, char *text, size_t length, struct error *err)
{
    char *answer = ask(name, text, length);
    int rc;

    sodium_memzero(text, length);
    free(text);
    if (answer == NULL)
        return fail(err, "userspace WireGuard does not answer", name);
    rc = uapi_read(answer, NULL, NULL, NULL);
    free(answer);
    errno = -rc;
    return rc < 0 ? fail(err, "userspace WireGuard refuses the setting", name) : 0;
}

static int userspace_set(const char *name, const uint8_t secret[KEY_BYTES], uint16_t port,
                         struct error *err)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    if (out == NULL)
        return fail(err, "out of memory for the key", name);
    uapi_write_device(out, secret, port);
    fclose(out);
    return ask_set(name, text, length, err);
}

static int userspace_set_mark(const char *name, uint32_t mark, struct error *err)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    if (out == NULL)
        return fail(err, "out of memory for the mark", name);
    uapi_write_mark(out, mark);
    fclose(out);
    return ask_set(name, text, length, err);
}

static int userspace_set_peer(const char *name, const struct device_peer *peer, struct error *err)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    if (out == NULL)
        return fail(err, "out of memory for a peer", name);
    uapi_write_peer(out, peer);
    fclose(out);
    return ask_set(name, text, length, err);
}

static int userspace_read(const char *name, struct device_about *about, device_peer_seen *seen,
                          void *data, struct error *err)
{
    static const char get[] = "get=1\n\n";
    char *answer = ask(name, get, sizeof get - 1);
    int rc;

    if (answer == NULL)
        return fail(err, "userspace WireGuard does not answer", name);
    rc = uapi_read(answer, about, seen, data);
    sodium_memzero(answer, strlen(answer));
    free(answer);
    errno = -rc;
    return rc < 0 ? fail(err, "userspace WireGuard's state can't be read", name) : 0;
}

static bool is_ours(pid_t pid)
{
    char path[40], name[32] = "";
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    file = fopen(path, "re");
    if (file == NULL)
        return false;
    if (fgets(name, sizeof name, file) == NULL)
        name[0] = '\0';
    fclose(file);
    return strncmp(name, PROGRAM, strlen(PROGRAM)) == 0;
}

/* Who runs the interface: who listens on its socket. One that put itself into the background is not found so: there it
 * was its parent that called listen(), and somebody else may have that number now. */
static pid_t owner(const char *name)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    int fd = dial(name);
    pid_t pid = -1;

    if (fd < 0)
        return -1;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && is_ours(peer.pid))
        pid = peer.pid;
    close(fd);
    return pid;
}

static int userspace_watch(const char *name)
{
    pid_t pid = owner(name);

    return pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
}

static void pause_ms(long ms)
{
    struct timespec wait = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&wait, NULL);
}

/* In the foreground, so that it is the one that listens on its socket; but with a session of its own, to outlive us. */
static _Noreturn void run_program(const char *name)
{
    int null = open("/dev/null", O_RDWR);

    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    setsid();
    /* Its warning that the kernel's WireGuard is better goes to where nobody reads it: ours said so. */
    dup2(null, STDERR_FILENO);
    /* libnftables' socket is not close-on-exec. */
    syscall(SYS_close_range, 3u, ~0u, 0u);
    execlp(PROGRAM, PROGRAM, "-f", name, (char *)NULL);
    _exit(errno == ENOENT ? NOT_FOUND : NOT_RUN);
}

/* Whether it answers. False with *status where it has ended. */
static bool await_answer(const char *name, pid_t pid, int *status)
{
    for (int waited = 0; waited < PATIENCE_MS; waited += 5) {
        int fd = dial(name);

        if (fd >= 0) {
            close(fd);
            return true;
        }
        if (waitpid(pid, status, WNOHANG) == pid)
            return false;
        pause_ms(5);
    }
    kill(pid, SIGKILL);
    waitpid(pid, status, 0);
    return false;
}

static int start(const char *name, struct error *err)
{
    int status = 0;
    pid_t pid;

    /* Those that ended before. */
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    pid = fork();
    if (pid < 0)
        return fail(err, "cannot fork for wireguard-go", name);
    if (pid == 0)
        run_program(name);
    if (await_answer(name, pid, &status))
        return 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_FOUND) {
        error_set(err, "no-wireguard",
                  "this kernel has no WireGuard and wireguard-go is not in PATH; the module "
                  "'wireguard' or the package wireguard-go is needed");
        return -EOPNOTSUPP;
    }
    error_set(err, "userspace",
              "wireguard-go did not bring up interface %s (status %d); /dev/net/tun and "
              "CAP_NET_ADMIN are needed",
              name, status);
    return -EIO;
}

/* The kernel takes a link away a little after the process that ran it. Whether it is gone. */
static bool await_link_gone(const char *name, int ms)
{
    for (int waited = 0; address_link_index(name) != 0; waited += 5) {
        if (waited >= ms)
            return false;
        pause_ms(5);
    }
    return true;
}

static bool is_taken(const char *name)
{
    char kind[32];

    if (address_link_kind(name, kind) < 0)
        return false;
    return strcmp(kind, "tun") != 0 || !await_link_gone(name, LINK_GONE_MS);
}

static int userspace_create(const char *name, struct error *err)
{
    struct sockaddr_un address;
    int fd = dial(name);

    if (fd >= 0) {
        close(fd);
        return 1;
    }
    if (is_taken(name)) {
        error_set(err, "interface-taken",
                  "the interface name %s is taken by something that is not ours; another "
                  "interface.name is right",
                  name);
        return -EEXIST;
    }
    /* One that was killed leaves its socket, and the next would not start. */
    socket_path(name, &address);
    if (unlink(address.sun_path) == 0)
        log_info("removed the stale socket %s", address.sun_path);
    return start(name, err);
}

/* Until it has ended: on its way out it would still remove the socket of the next one. */
static void await_end(pid_t pid)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);

    if (fd < 0)
        return;
    if (!await_fd(fd, POLLIN, 1500) && kill(pid, SIGKILL) == 0)
        await_fd(fd, POLLIN, PATIENCE_MS);
    close(fd);
}

static int userspace_destroy(const char *name, struct error *err)
{
    struct sockaddr_un address;
    pid_t pid = owner(name);

    if (pid > 0 && kill(pid, SIGTERM) < 0 && errno != ESRCH)
        return fail(err, "cannot end the userspace WireGuard", name);
    if (pid > 0)
        await_end(pid);
    /* One whose process is not known ends when its socket goes. */
    socket_path(name, &address);
    unlink(address.sun_path);
    await_link_gone(name, LINK_GONE_MS);
    return 0;
}

const struct device_ops device_userspace = {
    .name = "userspace",
    .create = userspace_create,
    .set = userspace_set,
    .set_mark = userspace_set_mark,
    .set_peer = userspace_set_peer,
    .read = userspace_read,
    .watch = userspace_watch,
    .destroy = userspace_destroy,
};
