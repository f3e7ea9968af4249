/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/child.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "broker/backoff.h"
#include "broker/child_log.h"
#include "broker/handshake.h"
#include "broker/process.h"
#include "broker/program.h"
#include "broker/watch.h"
#include "protocol/await.h"
#include "protocol/line.h"
#include "protocol/log.h"
#include "protocol/outbox.h"

/* What a pipe and the line reader can hold of a helper that ended is read out in so many turns. */
#define CHILD_DRAIN_TURNS 32

enum child_state {
    STATE_WAITING, /* no process; the timer starts one */
    STATE_HELLO,   /* the timer is the hello's deadline */
    STATE_RUNNING, /* the timer is the ping's */
    STATE_KILLED,  /* for a fault; its end is awaited */
    STATE_STOPPING,
    STATE_DONE,
};

struct child {
    struct child_options options;
    char *name;
    char **argv;
    char path[PATH_MAX];
    enum child_state state;
    bool destroyed;

    struct process process;
    struct watch *ended, *in, *out;
    struct child_log *log;
    struct line_reader lines;
    struct outbox outbox;
    bool closing_in; /* its standard input is closed once the outbox is empty */
    bool greeted;
    int64_t protocol;
    bool ready;
    bool draining;
    uint64_t ready_at;

    enum child_stop_how how;
    bool pressed; /* CHILD_TERM_MS since child_stop() are over */
    bool refused;
    struct error why;
    struct backoff backoff;

    int64_t ping_ref;
    unsigned unanswered;
    uint64_t bad_at[CHILD_BAD_LINES];

    uint64_t window_at;
    size_t window_lines, window_bytes;

    uv_timer_t timer, resume;
    unsigned open_timers;
    struct child_counts counts;
};

static void child_ended(void *data);
static void child_on_timer(uv_timer_t *timer);
static void child_on_resume(uv_timer_t *timer);

static uint64_t child_now(const struct child *child)
{
    return uv_now(child->options.loop);
}

static uint64_t child_ms(const struct child *child, uint64_t ms)
{
    return child->options.hurry > 1 ? ms / child->options.hurry : ms;
}

static void child_set_timer(struct child *child, uint64_t ms)
{
    uv_timer_start(&child->timer, child_on_timer, child_ms(child, ms), 0);
}

/* ---- the process ---- */

/* What wg-setup started is to go on without it. */
static bool child_owns_group(const struct child *child)
{
    return child->options.role != ROLE_WG;
}

static void child_signal(struct child *child, int signal)
{
    if (child->options.launcher == NULL)
        process_signal(&child->process, signal, child_owns_group(child));
    else if (signal == SIGKILL && child->process.pid > 0)
        launcher_kill(child->options.launcher);
}

/* 1 with the status, 0, or -EPIPE without the launcher. */
static int child_reap(struct child *child, int *status)
{
    int result;

    if (child->options.launcher == NULL)
        return process_reap(&child->process, status, child_owns_group(child));
    result = launcher_reap(child->options.launcher, status);
    if (result != 0)
        child->process.pid = 0;
    return result;
}

static void child_close_in(struct child *child)
{
    watch_close(child->in, true);
    child->in = NULL;
    outbox_free(&child->outbox);
}

static void child_close_out(struct child *child)
{
    watch_close(child->out, true);
    child->out = NULL;
}

static void child_close_log(struct child *child)
{
    child_log_close(child->log);
    child->log = NULL;
}

/* Of this process nothing more is read or written; its end is still to come. */
static void child_kill(struct child *child)
{
    uv_timer_stop(&child->timer);
    uv_timer_stop(&child->resume);
    child_signal(child, SIGKILL);
    child_close_in(child);
    child_close_out(child);
}

static void child_fault(struct child *child, const struct error *why)
{
    if (child->state != STATE_HELLO && child->state != STATE_RUNNING)
        return;
    child->why = *why;
    child->state = STATE_KILLED;
    child_kill(child);
}

/* ---- to the helper ---- */

static void child_flush(struct child *child)
{
    if (child->in == NULL)
        return;
    if (outbox_flush(&child->outbox, watch_fd(child->in)) < 0)
        child_close_in(child);
    else if (!outbox_empty(&child->outbox))
        watch_for(child->in, UV_WRITABLE);
    else if (child->closing_in)
        child_close_in(child);
    else
        watch_pause(child->in);
}

static void child_writable(void *data)
{
    child_flush(data);
}

static int child_queue(struct child *child, const struct message *message)
{
    struct error err;
    size_t length;
    char *line;
    int result;

    if (child->in == NULL)
        return -ENOTCONN;
    line = message_encode(message, &length, &err);
    if (line == NULL) {
        log_error("%s: a message to it could not be written: %s", child->name, err.message);
        return -EINVAL;
    }
    result = outbox_put(&child->outbox, line, length);
    free(line);
    if (result == 0)
        child_flush(child);
    return result;
}

int child_send(struct child *child, const struct message *message)
{
    struct error err;
    int result;

    if (child->state != STATE_RUNNING)
        return -ENOTCONN;
    result = child_queue(child, message);
    if (result == -ENOBUFS || result == -ENOMEM) {
        error_set(&err, "slow-reader", "it does not read: %d bytes wait for it", OUTBOX_MAX_BYTES);
        child_fault(child, &err);
    }
    return result;
}

static void child_send_error(struct child *child, const struct error *err, int64_t ref)
{
    struct message message;
    char code[sizeof err->code], text[sizeof err->message];

    memcpy(code, err->code, sizeof code);
    memcpy(text, err->message, sizeof text);
    message_init(&message, MESSAGE_error);
    message.error.code = code;
    message.error.message = text;
    message.error.ref = ref;
    child_queue(child, &message);
}

/* ---- from the helper ---- */

static void child_bad_line(struct child *child, const struct error *err, int64_t ref)
{
    uint64_t now = child_now(child), first = child->bad_at[1];
    struct error why;

    log_warn("%s: bad line %llu dropped: %s", child->name,
             (unsigned long long)++child->counts.bad_lines, err->message);
    memmove(child->bad_at, child->bad_at + 1, sizeof child->bad_at - sizeof *child->bad_at);
    child->bad_at[CHILD_BAD_LINES - 1] = now;
    if (first != 0 && now - first <= child_ms(child, CHILD_BAD_LINES_MS)) {
        error_set(&why, "bad-lines", "%d bad lines within %d s, the last one: %s", CHILD_BAD_LINES,
                  CHILD_BAD_LINES_MS / 1000, err->message);
        child_fault(child, &why);
        return;
    }
    child_send_error(child, err, ref);
}

static void child_refuse(struct child *child, const struct error *why)
{
    child_send_error(child, why, MESSAGE_ABSENT);
    child_stop(child, CHILD_EOF);
    child->refused = true;
    child->why = *why;
    log_error("%s: not used: %s", child->name, why->message);
}

static void child_hello(struct child *child, const struct message *message)
{
    struct error err;

    if (message->type != MESSAGE_hello) {
        error_set(&err, "hello-first", "'%s' came before hello, which has to be the first message",
                  message_type_name(message->type));
        child_bad_line(child, &err, MESSAGE_ABSENT);
        return;
    }
    child->greeted = true;
    switch (handshake_check(&message->hello, child->options.role, child->options.capabilities,
                            &child->options.protocols, &err)) {
    case HANDSHAKE_WRONG:
        child_fault(child, &err);
        break;
    case HANDSHAKE_REFUSED:
        child_refuse(child, &err);
        break;
    case HANDSHAKE_OK:
        child->state = STATE_RUNNING;
        child->protocol = message->hello.protocol_max == MESSAGE_ABSENT
                              ? MESSAGE_ABSENT
                              : handshake_protocol(&message->hello, &child->options.protocols);
        child_set_timer(child, CHILD_PING_MS);
        child->options.on_hello(child, child->options.data, message);
        break;
    }
}

static void child_answer_ping(struct child *child, int64_t ref)
{
    struct message pong;

    message_init(&pong, MESSAGE_pong);
    pong.pong.ref = ref;
    child_send(child, &pong);
}

static void child_take_pong(struct child *child, int64_t ref)
{
    if (child->unanswered == 0 || ref > child->ping_ref ||
        ref <= child->ping_ref - (int64_t)child->unanswered)
        return;
    child->unanswered = 0;
    if (child->state == STATE_RUNNING)
        child_set_timer(child, CHILD_PING_MS);
}

static void child_dispatch(struct child *child, const struct message *message)
{
    struct error err;

    switch (message->type) {
    case MESSAGE_NONE:
        break;
    case MESSAGE_hello:
        error_set(&err, "second-hello", "hello came a second time");
        child_bad_line(child, &err, MESSAGE_ABSENT);
        break;
    case MESSAGE_ping:
        child_answer_ping(child, message->ping.ref);
        break;
    case MESSAGE_pong:
        child_take_pong(child, message->pong.ref);
        break;
    case MESSAGE_signal_ready:
    case MESSAGE_ice_ready:
    case MESSAGE_wg_ready:
        if (!child->ready)
            child->ready_at = child_now(child);
        child->ready = true;
        child->options.on_message(child, child->options.data, message);
        break;
    default:
        child->options.on_message(child, child->options.data, message);
        break;
    }
}

static void child_take_line(struct child *child, const char *line, size_t length)
{
    struct message message;
    struct error err;
    int64_t ref;

    if (message_decode(line, length, child->options.role, FROM_HELPER, &message, &ref, &err) < 0) {
        child_bad_line(child, &err, ref);
        return;
    }
    if (child->greeted && !child->refused)
        child_dispatch(child, &message);
    else if (child->state == STATE_HELLO && message.type != MESSAGE_NONE)
        child_hello(child, &message);
    message_clear(&message);
}

static bool child_within_budget(struct child *child)
{
    uint64_t now = child_now(child);

    if (now - child->window_at >= CHILD_WINDOW_MS) {
        child->window_at = now;
        child->window_lines = child->window_bytes = 0;
    }
    return child->window_lines < CHILD_WINDOW_LINES && child->window_bytes < CHILD_WINDOW_BYTES;
}

static bool child_hears(struct child *child)
{
    return child->out != NULL && (child->draining || child_within_budget(child));
}

/* Hands on the lines that are there; true once more bytes are needed. */
static bool child_take_lines(struct child *child)
{
    struct error err;
    size_t length;
    char *line;

    while (child_hears(child)) {
        switch (line_next(&child->lines, &line, &length)) {
        case LINE_NONE:
            return true;
        case LINE_TOO_LONG:
            error_set(&err, "line-too-long", "a line is longer than %d bytes", LINE_MAX_BYTES);
            child->window_lines++;
            child_bad_line(child, &err, MESSAGE_ABSENT);
            break;
        case LINE_OK:
            child->window_lines++;
            child_take_line(child, line, length);
            break;
        }
    }
    return false;
}

/* One read's worth; false when there is nothing to read now. */
static bool child_read(struct child *child)
{
    size_t space;
    void *where;
    ssize_t n;

    if (!child_take_lines(child))
        return false;
    where = line_space(&child->lines, &space);
    n = read(watch_fd(child->out), where, space);
    if (n > 0) {
        line_filled(&child->lines, (size_t)n);
        child->window_bytes += (size_t)n;
        child_take_lines(child);
        return true;
    }
    /* At its end the process ends too, or no ping is answered. */
    if (n == 0 || (errno != EAGAIN && errno != EINTR))
        child_close_out(child);
    return false;
}

/* Watches for more, unless the owner or the budget says to wait. */
static void child_await_more(struct child *child)
{
    if (child->out == NULL)
        return;
    if (child_hears(child)) {
        watch_for(child->out, UV_READABLE);
        return;
    }
    watch_pause(child->out);
    uv_timer_start(&child->resume, child_on_resume,
                   child->window_at + CHILD_WINDOW_MS - child_now(child), 0);
}

static void child_readable(void *data)
{
    struct child *child = data;

    child_read(child);
    child_await_more(child);
}

static void child_on_resume(uv_timer_t *timer)
{
    child_readable(timer->data);
}

static void child_drain(struct child *child)
{
    child->draining = true;
    for (int i = 0; i < CHILD_DRAIN_TURNS && child->out != NULL && child_read(child); i++)
        ;
    child->draining = false;
}

/* ---- start, end and the timer ---- */

static void child_down(struct child *child)
{
    uint32_t random = 0, wait;

    if (child->ready && child_now(child) - child->ready_at >= child_ms(child, CHILD_STEADY_MS))
        backoff_reset(&child->backoff);
    child->ready = false;
    if (getrandom(&random, sizeof random, 0) < 0)
        random = (uint32_t)uv_hrtime();
    wait = backoff_next(&child->backoff, random);
    log_debug("%s: may start again in %u ms", child->name, wait);
    child->state = STATE_WAITING;
    child_set_timer(child, wait);
    child->options.on_down(child, child->options.data, &child->why);
}

static void child_done(struct child *child)
{
    uv_timer_stop(&child->timer);
    child->state = STATE_DONE;
    child->options.on_exit(child, child->options.data, child->refused ? &child->why : NULL);
}

static void child_free(struct child *child)
{
    for (size_t i = 0; child->argv != NULL && child->argv[i] != NULL; i++)
        free(child->argv[i]);
    free(child->argv);
    free(child->name);
    free(child);
}

static void child_freed(uv_handle_t *handle)
{
    struct child *child = handle->data;

    if (--child->open_timers == 0)
        child_free(child);
}

static void child_release(struct child *child)
{
    uv_close((uv_handle_t *)&child->timer, child_freed);
    uv_close((uv_handle_t *)&child->resume, child_freed);
}

static void child_note_end(struct child *child, int result, int status)
{
    char text[80];

    if (child->state == STATE_KILLED)
        return;
    if (result < 0) {
        error_set(&child->why, "launcher-gone",
                  "the privileged launcher is gone and took it along: the broker has to be started "
                  "again");
        return;
    }
    process_describe(status, text, sizeof text);
    error_set(&child->why, "exited", "it ended with %s", text);
}

static void child_ended(void *data)
{
    struct child *child = data;
    int status = 0, result = child_reap(child, &status);

    if (result == 0)
        return;
    uv_timer_stop(&child->timer);
    uv_timer_stop(&child->resume);
    watch_close(child->ended, child->options.launcher == NULL);
    child->ended = NULL;
    child_drain(child);
    child_close_in(child);
    child_close_out(child);
    child_close_log(child);
    line_reader_free(&child->lines);
    if (child->destroyed) {
        child_release(child);
    } else if (child->state == STATE_STOPPING) {
        child_done(child);
    } else {
        child_note_end(child, result, status);
        child_down(child);
    }
}

static int child_spawn(struct child *child, int *ended_fd, struct error *err)
{
    struct launcher_start start;
    int result;

    if (child->options.launcher == NULL) {
        result = process_start(&child->process, child->path, child->argv, NULL, true, err);
        *ended_fd = child->process.pidfd;
        child->process.pidfd = -1;
        return result;
    }
    result = launcher_start(child->options.launcher, &start, err);
    if (result < 0)
        return result;
    child->process = (struct process){
        .pid = start.pid, .pidfd = -1, .in = start.in, .out = start.out, .log = -1};
    *ended_fd = launcher_fd(child->options.launcher);
    return 0;
}

/* Without an event for its end the process must not be left running. */
static void child_abandon(struct child *child, int ended_fd)
{
    int status;

    child_signal(child, SIGKILL);
    await_fd(ended_fd, POLLIN, 1000);
    child_reap(child, &status);
    process_close(&child->process);
    if (child->options.launcher == NULL)
        close(ended_fd);
}

/* Takes *fd over. */
static struct watch *child_watch(struct child *child, int *fd, void (*on_ready)(void *data))
{
    struct watch *watch = watch_open(child->options.loop, *fd, on_ready, child);

    if (watch == NULL)
        close(*fd);
    *fd = -1;
    return watch;
}

static int child_attach(struct child *child, int ended_fd)
{
    child->ended = watch_open(child->options.loop, ended_fd, child_ended, child);
    if (child->ended == NULL) {
        child_abandon(child, ended_fd);
        return -ENOMEM;
    }
    watch_for(child->ended, UV_READABLE);
    child->in = child_watch(child, &child->process.in, child_writable);
    child->out = child_watch(child, &child->process.out, child_readable);
    if (child->process.log >= 0)
        child->log = child_log_open(child->options.loop, child->process.log, child->name);
    child->process.log = -1;
    if (child->out != NULL)
        watch_for(child->out, UV_READABLE);
    return 0;
}

static void child_reset(struct child *child)
{
    child->closing_in = child->greeted = child->ready = child->pressed = false;
    child->unanswered = 0;
    child->window_at = 0;
    memset(child->bad_at, 0, sizeof child->bad_at);
    child->counts.starts++;
}

static int child_launch(struct child *child, struct error *err)
{
    int ended_fd, result = line_reader_init(&child->lines);

    if (result < 0) {
        error_set(err, "out-of-memory", "there is no memory to start it");
        return result;
    }
    result = child_spawn(child, &ended_fd, err);
    if (result == 0 && (result = child_attach(child, ended_fd)) < 0)
        error_set(err, "out-of-memory", "there is no memory or descriptor to watch it");
    if (result < 0)
        line_reader_free(&child->lines);
    return result;
}

static void child_begin(struct child *child)
{
    child_reset(child);
    if (child_launch(child, &child->why) < 0) {
        child_down(child);
        return;
    }
    child->state = STATE_HELLO;
    child_set_timer(child, CHILD_HELLO_MS);
}

/* What came while the broker itself stood still counts before its timers do. */
static void child_miss_hello(struct child *child)
{
    struct error err;

    child_readable(child);
    if (child->state != STATE_HELLO)
        return;
    error_set(&err, "no-hello", "it said no hello within %d s", CHILD_HELLO_MS / 1000);
    child_fault(child, &err);
}

static void child_send_ping(struct child *child)
{
    struct message ping;

    child->unanswered++;
    message_init(&ping, MESSAGE_ping);
    ping.ping.ref = ++child->ping_ref;
    child_set_timer(child, CHILD_MISS_MS);
    child_send(child, &ping);
}

static void child_check_ping(struct child *child)
{
    unsigned unanswered = child->unanswered;
    struct error err;

    child_readable(child);
    if (child->state != STATE_RUNNING || child->unanswered < unanswered)
        return;
    if (unanswered < 2) {
        child_send_ping(child);
        return;
    }
    error_set(&err, "no-answer", "it answered no ping for %d s",
              (CHILD_PING_MS + 2 * CHILD_MISS_MS) / 1000);
    child_fault(child, &err);
}

/* After child_stop(): first EOF even for one that does not read, then force. */
static void child_press(struct child *child)
{
    if (child->process.pid == 0) {
        child_done(child);
        return;
    }
    if (child->pressed) {
        log_warn("%s: did not end within %d ms: killed", child->name, CHILD_KILL_MS);
        child_signal(child, SIGKILL);
        return;
    }
    child->pressed = true;
    child_close_in(child);
    if (child->how == CHILD_SHUTDOWN)
        child_signal(child, SIGTERM);
    child_set_timer(child, CHILD_KILL_MS - CHILD_TERM_MS);
}

static void child_on_timer(uv_timer_t *timer)
{
    struct child *child = timer->data;

    switch (child->state) {
    case STATE_WAITING:
        child_begin(child);
        break;
    case STATE_HELLO:
        child_miss_hello(child);
        break;
    case STATE_RUNNING:
        child_check_ping(child);
        break;
    case STATE_STOPPING:
        child_press(child);
        break;
    case STATE_KILLED:
    case STATE_DONE:
        break;
    }
}

static int child_copy_argv(struct child *child, char *const argv[])
{
    size_t count = 0;

    while (argv[count] != NULL)
        count++;
    child->argv = calloc(count + 1, sizeof *child->argv);
    if (child->argv == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        if ((child->argv[i] = strdup(argv[i])) == NULL)
            return -ENOMEM;
    return 0;
}

static int child_copy_options(struct child *child, const struct child_options *options,
                              struct error *err)
{
    int result = 0;

    child->options = *options;
    if (options->protocols.max == 0)
        child->options.protocols = (struct protocol_range){PROTOCOL_VERSION_MIN, PROTOCOL_VERSION};
    child->process = (struct process)PROCESS_NONE;
    child->name = strdup(options->name);
    if (child->name == NULL)
        result = -ENOMEM;
    if (result == 0 && options->launcher == NULL)
        result = child_copy_argv(child, options->argv);
    if (result < 0)
        error_set(err, "out-of-memory", "there is no memory for helper '%s'", options->name);
    else if (options->launcher == NULL)
        result = program_find(options->argv[0], child->path, sizeof child->path, err);
    return result;
}

int child_start(struct child **out, const struct child_options *options, struct error *err)
{
    struct child *child = calloc(1, sizeof *child);
    int result;

    *out = NULL;
    if (child == NULL) {
        error_set(err, "out-of-memory", "there is no memory for helper '%s'", options->name);
        return -ENOMEM;
    }
    result = child_copy_options(child, options, err);
    if (result < 0) {
        child_free(child);
        return result;
    }
    signal(SIGPIPE, SIG_IGN);
    uv_timer_init(options->loop, &child->timer);
    uv_timer_init(options->loop, &child->resume);
    child->timer.data = child->resume.data = child;
    child->open_timers = 2;
    child_set_timer(child, 0);
    *out = child;
    return 0;
}

void child_stop(struct child *child, enum child_stop_how how)
{
    enum child_state before = child->state;
    struct message shutdown;

    if (before == STATE_STOPPING || before == STATE_DONE)
        return;
    child->state = STATE_STOPPING;
    child->how = how;
    if (child->process.pid == 0) {
        child_set_timer(child, 0);
        return;
    }
    if (before == STATE_KILLED)
        return;
    child_set_timer(child, CHILD_TERM_MS);
    message_init(&shutdown, MESSAGE_shutdown);
    if (how == CHILD_SHUTDOWN)
        child_queue(child, &shutdown);
    child->closing_in = true;
    child_flush(child);
}

void child_destroy(struct child *child)
{
    if (child == NULL || child->destroyed)
        return;
    child->destroyed = true;
    child_kill(child);
    /* What follows the drain in child_ended(), or the process's end, releases the rest. */
    if (child->ended == NULL && !child->draining)
        child_release(child);
}

int64_t child_protocol(const struct child *child)
{
    return child->protocol;
}

pid_t child_pid(const struct child *child)
{
    return child->process.pid;
}

struct child_counts child_counts(const struct child *child)
{
    return child->counts;
}
