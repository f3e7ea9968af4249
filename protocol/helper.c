/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <config.h>

#include "protocol/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "protocol/line.h"
#include "protocol/log.h"
#include "protocol/outbox.h"

struct helper {
    struct helper_options options;
    int fd_in, fd_out;
    struct line_reader lines;
    struct outbox out;
    enum helper_end end;
    int64_t protocol;
};

/* Above 2, so that a later open() can't land on a standard descriptor. */
static int move_away(int fd, int replacement)
{
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, 3);

    if (moved < 0 || replacement < 0 || dup2(replacement, fd) < 0) {
        if (moved >= 0)
            close(moved);
        return -errno;
    }
    return moved;
}

static int no_descriptors(struct error *err)
{
    error_set(err, "no-descriptors",
              "standard input, output and error must be open, and /dev/null must be there: %s",
              strerror(errno));
    return -EBADF;
}

static int take_descriptors(struct helper *helper, struct error *err)
{
    int null;

    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            return no_descriptors(err);
    null = open("/dev/null", O_RDWR | O_CLOEXEC);

    helper->fd_in = move_away(STDIN_FILENO, null);
    helper->fd_out = move_away(STDOUT_FILENO, STDERR_FILENO);
    if (null >= 0)
        close(null);
    return helper->fd_in < 0 || helper->fd_out < 0 ? no_descriptors(err) : 0;
}

static const char *role_name(enum role role)
{
    return role == ROLE_SIGNAL ? "signal" : role == ROLE_ICE ? "ice" : "wg";
}

static void send_hello(struct helper *helper)
{
    const char *const *capabilities = helper->options.capabilities;
    struct message hello;

    message_init(&hello, MESSAGE_hello);
    hello.hello.protocol = helper->options.protocols.min;
    if (helper->options.protocols.max > helper->options.protocols.min)
        hello.hello.protocol_max = helper->options.protocols.max;
    hello.hello.role = (char *)(uintptr_t)role_name(helper->options.role);
    hello.hello.name = (char *)(uintptr_t)helper->options.name;
    hello.hello.version = (char *)(uintptr_t)PACKAGE_VERSION;
    hello.hello.capabilities.items = (char **)(uintptr_t)capabilities;
    while (capabilities != NULL && capabilities[hello.hello.capabilities.count] != NULL)
        hello.hello.capabilities.count++;
    helper_send(helper, &hello);
}

struct helper *helper_new(const struct helper_options *options, struct error *err)
{
    struct helper *helper = calloc(1, sizeof *helper);

    if (helper == NULL || line_reader_init(&helper->lines) < 0) {
        error_set(err, "no-memory", "out of memory");
        free(helper);
        return NULL;
    }
    helper->options = *options;
    if (options->protocols.max == 0)
        helper->options.protocols = (struct protocol_range){PROTOCOL_VERSION_MIN, PROTOCOL_VERSION};
    helper->protocol = helper->options.protocols.min;
    helper->fd_in = helper->fd_out = -1;
    if (take_descriptors(helper, err) < 0) {
        helper_destroy(helper);
        return NULL;
    }
    signal(SIGPIPE, SIG_IGN);
    send_hello(helper);
    return helper;
}

void helper_destroy(struct helper *helper)
{
    if (helper == NULL)
        return;
    if (helper->fd_in >= 0)
        close(helper->fd_in);
    if (helper->fd_out >= 0)
        close(helper->fd_out);
    line_reader_free(&helper->lines);
    outbox_free(&helper->out);
    free(helper);
}

int helper_fd_in(const struct helper *helper)
{
    return helper->fd_in;
}

int helper_fd_out(const struct helper *helper)
{
    return helper->fd_out;
}

bool helper_wants_write(const struct helper *helper)
{
    return !outbox_empty(&helper->out);
}

bool helper_congested(const struct helper *helper)
{
    return outbox_high(&helper->out);
}

int64_t helper_protocol(const struct helper *helper)
{
    return helper->protocol;
}

enum helper_end helper_end(const struct helper *helper)
{
    return helper->end;
}

static void helper_break(struct helper *helper, const char *why)
{
    if (helper->end != HELPER_OPEN)
        return;
    log_error("standard output: %s; a broker or another reader is expected there", why);
    helper->end = HELPER_BROKEN;
}

/* What nobody reads is dropped. */
static void helper_write(struct helper *helper)
{
    int rc = outbox_flush(&helper->out, helper->fd_out);

    if (rc == 0)
        return;
    helper_break(helper, strerror(-rc));
    outbox_free(&helper->out);
}

void helper_send(struct helper *helper, const struct message *message)
{
    struct error err;
    size_t length;
    char *line;

    if (helper->end == HELPER_BROKEN)
        return;
    line = message_encode(message, &length, &err);
    if (line == NULL) {
        log_error("cannot send %s: %s", message_type_name(message->type), err.message);
        return;
    }
    if (outbox_put(&helper->out, line, length) < 0)
        helper_break(helper, "the reader does not keep up");
    else
        helper_write(helper);
    free(line);
}

void helper_error(struct helper *helper, int64_t ref, bool fatal, const struct error *err)
{
    struct message message;

    message_init(&message, MESSAGE_error);
    message.error.code = (char *)(uintptr_t)err->code;
    message.error.message = (char *)(uintptr_t)err->message;
    message.error.ref = ref < 0 ? MESSAGE_ABSENT : ref;
    message.error.fatal = fatal;
    helper_send(helper, &message);
}

/* MESSAGE_ABSENT in what is no `configure` either. */
static int64_t protocol_chosen(const struct message *message)
{
    switch (message->type) {
    case MESSAGE_signal_configure:
        return message->signal_configure.protocol;
    case MESSAGE_ice_configure:
        return message->ice_configure.protocol;
    case MESSAGE_wg_configure:
        return message->wg_configure.protocol;
    default:
        return MESSAGE_ABSENT;
    }
}

/* False where it is none of those offered. */
static bool helper_agree(struct helper *helper, const struct message *message)
{
    const struct protocol_range *ours = &helper->options.protocols;
    int64_t chosen = protocol_chosen(message);
    struct error err;

    if (chosen == MESSAGE_ABSENT)
        return true;
    if (chosen >= ours->min && chosen <= ours->max) {
        helper->protocol = chosen;
        return true;
    }
    error_set(&err, "protocol-version",
              "configure: the protocol %" PRId64 " was not offered: %" PRId64 " to %" PRId64
              " are possible",
              chosen, ours->min, ours->max);
    helper_error(helper, MESSAGE_ABSENT, false, &err);
    return false;
}

static void helper_message(struct helper *helper, const struct message *message)
{
    struct message pong;

    if (!helper_agree(helper, message))
        return;

    switch (message->type) {
    case MESSAGE_NONE:
    case MESSAGE_pong:
        break;
    case MESSAGE_ping:
        message_init(&pong, MESSAGE_pong);
        pong.pong.ref = message->ping.ref;
        helper_send(helper, &pong);
        break;
    case MESSAGE_shutdown:
        helper->end = HELPER_SHUTDOWN;
        break;
    default:
        helper->options.on_message(helper->options.data, message);
        break;
    }
}

static void helper_line(struct helper *helper, const char *line, size_t length)
{
    struct message message;
    struct error err;
    int64_t ref;

    if (length == 0)
        return;
    if (message_decode(line, length, helper->options.role, TO_HELPER, &message, &ref, &err) < 0) {
        helper_error(helper, ref, false, &err);
        return;
    }
    helper_message(helper, &message);
    message_clear(&message);
}

static void helper_lines(struct helper *helper)
{
    struct error err;
    size_t length;
    char *line;

    while (helper->end == HELPER_OPEN && !helper_congested(helper)) {
        switch (line_next(&helper->lines, &line, &length)) {
        case LINE_NONE:
            return;
        case LINE_TOO_LONG:
            error_set(&err, "line-too-long", "a line has more than %d bytes", LINE_MAX_BYTES);
            helper_error(helper, MESSAGE_ABSENT, false, &err);
            break;
        case LINE_OK:
            helper_line(helper, line, length);
            break;
        }
    }
}

enum helper_end helper_flush(struct helper *helper)
{
    helper_write(helper);
    helper_lines(helper);
    return helper->end;
}

enum helper_end helper_read(struct helper *helper)
{
    size_t space;
    void *buffer;
    ssize_t n;

    if (helper->end != HELPER_OPEN || helper_congested(helper))
        return helper->end;
    buffer = line_space(&helper->lines, &space);
    n = read(helper->fd_in, buffer, space);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return helper->end;
    if (n <= 0)
        return helper->end = HELPER_EOF;
    line_filled(&helper->lines, (size_t)n);
    helper_lines(helper);
    return helper->end;
}

void helper_drain(struct helper *helper, int timeout_ms)
{
    struct timespec now;
    int64_t deadline;

    clock_gettime(CLOCK_MONOTONIC, &now);
    deadline = now.tv_sec * 1000 + now.tv_nsec / 1000000 + timeout_ms;
    while (helper->end != HELPER_BROKEN && helper_wants_write(helper)) {
        struct pollfd ready = {.fd = helper->fd_out, .events = POLLOUT};
        int64_t left;

        clock_gettime(CLOCK_MONOTONIC, &now);
        left = deadline - (now.tv_sec * 1000 + now.tv_nsec / 1000000);
        if (left <= 0)
            return;
        if (poll(&ready, 1, (int)left) > 0)
            helper_write(helper);
    }
}

void helper_common_options(int argc, char **argv, const char *usage, enum role role)
{
    if (argc != 2)
        return;
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        fputs(usage, stdout);
    else if (strcmp(argv[1], "--version") == 0)
        printf("%s %s (protocol %d)\n", PACKAGE_NAME, PACKAGE_VERSION, PROTOCOL_VERSION);
    else if (strcmp(argv[1], "--describe") == 0)
        message_describe(stdout, (unsigned)role, TO_HELPER | FROM_HELPER);
    else
        return;
    exit(fflush(stdout) == 0 ? 0 : 1);
}
