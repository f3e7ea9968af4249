/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "protocol/log.h"

/* A manager that does not read holds the broker up no longer than this, in µs. */
#define NOTIFY_WAIT_US 200000

struct notify {
    int fd;
    bool ready;
    uv_timer_t alive;
};

/* A path, or with `@` first a name in the abstract name space, which no NUL ends. */
static socklen_t notify_address(const char *name, struct sockaddr_un *address)
{
    size_t length = strlen(name);

    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    if ((name[0] != '/' && name[0] != '@') || length < 2 || length >= sizeof address->sun_path)
        return 0;
    memcpy(address->sun_path, name, length);
    if (name[0] == '@')
        address->sun_path[0] = '\0';
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (name[0] == '/'));
}

/* A descriptor, or -errno. */
static int notify_connect(const char *name)
{
    const struct timeval wait = {.tv_usec = NOTIFY_WAIT_US};
    struct sockaddr_un address;
    socklen_t length = notify_address(name, &address);
    int fd, result;

    if (length == 0)
        return -EINVAL;
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    if (connect(fd, (const struct sockaddr *)&address, length) == 0)
        return fd;
    result = -errno;
    close(fd);
    return result;
}

/* In ms; 0 where no sign of life is wanted of this process. */
static uint64_t watchdog_ms(void)
{
    const char *interval = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

    if (interval == NULL || (pid != NULL && strtoll(pid, NULL, 10) != (long long)getpid()))
        return 0;
    return strtoull(interval, NULL, 10) / 1000;
}

static bool notify_send(const struct notify *notify, const char *text)
{
    ssize_t n;

    do
        n = send(notify->fd, text, strlen(text), MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        log_debug("the service manager could not be told: %s", strerror(errno));
    return n >= 0;
}

static void notify_alive(uv_timer_t *timer)
{
    notify_send(timer->data, "WATCHDOG=1");
}

struct notify *notify_open(uv_loop_t *loop)
{
    const char *name = getenv("NOTIFY_SOCKET");
    struct notify *notify = NULL;
    uint64_t watchdog = watchdog_ms();
    int fd = name != NULL ? notify_connect(name) : -ENOENT;

    if (name != NULL && fd < 0)
        log_warn("NOTIFY_SOCKET '%s' cannot be told of the start: %s", name, strerror(-fd));
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    if (fd < 0)
        return NULL;
    notify = calloc(1, sizeof *notify);
    if (notify == NULL) {
        close(fd);
        return NULL;
    }
    notify->fd = fd;
    uv_timer_init(loop, &notify->alive);
    notify->alive.data = notify;
    uv_unref((uv_handle_t *)&notify->alive);
    if (watchdog > 1)
        uv_timer_start(&notify->alive, notify_alive, 0, watchdog / 2);
    return notify;
}

void notify_ready(struct notify *notify)
{
    if (notify != NULL && !notify->ready)
        notify->ready = notify_send(notify, "READY=1");
}

void notify_status(struct notify *notify, const char *format, ...)
{
    char text[256] = "STATUS=";
    va_list args;

    if (notify == NULL)
        return;
    va_start(args, format);
    vsnprintf(text + strlen("STATUS="), sizeof text - strlen("STATUS="), format, args);
    va_end(args);
    for (char *c = text; *c != '\0'; c++)
        if (*c == '\n')
            *c = ' ';
    notify_send(notify, text);
}

void notify_stopping(struct notify *notify)
{
    if (notify != NULL)
        notify_send(notify, "STOPPING=1");
}

static void notify_free(uv_handle_t *handle)
{
    free(handle->data);
}

void notify_close(struct notify *notify)
{
    if (notify == NULL)
        return;
    close(notify->fd);
    uv_close((uv_handle_t *)&notify->alive, notify_free);
}
