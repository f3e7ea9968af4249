/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/child_log.h"

#include <stdlib.h>
#include <unistd.h>

#include "broker/watch.h"
#include "protocol/log.h"

struct child_log {
    const char *name;
    struct watch *watch;
    uv_timer_t timer;
    uint64_t second;
    unsigned lines, left_out;
    size_t used;
    char line[CHILD_LOG_LINE_BYTES];
};

static void child_log_admit(struct child_log *log)
{
    uint64_t second = uv_now(log->timer.loop) / 1000;

    if (second != log->second) {
        if (log->left_out > 0)
            log_warn("%s: %u lines of its log left out", log->name, log->left_out);
        log->second = second;
        log->lines = log->left_out = 0;
    }
    if (log->lines++ < CHILD_LOG_LINES_PER_SECOND)
        log_info("%s: %.*s", log->name, (int)log->used, log->line);
    else
        log->left_out++;
}

static void child_log_take(struct child_log *log, char c)
{
    if (c != '\n') {
        if (log->used < sizeof log->line)
            log->line[log->used++] = c;
        return;
    }
    if (log->used > 0)
        child_log_admit(log);
    log->used = 0;
}

static ssize_t child_log_read(struct child_log *log)
{
    char bytes[CHILD_LOG_READ_BYTES];
    ssize_t n = read(watch_fd(log->watch), bytes, sizeof bytes);

    for (ssize_t i = 0; i < n; i++)
        child_log_take(log, bytes[i]);
    return n;
}

static void child_log_resume(uv_timer_t *timer)
{
    struct child_log *log = timer->data;

    watch_for(log->watch, UV_READABLE);
}

/* At the end of file there is nothing more to watch for. */
static void child_log_ready(void *data)
{
    struct child_log *log = data;

    watch_pause(log->watch);
    if (child_log_read(log) != 0)
        uv_timer_start(&log->timer, child_log_resume, CHILD_LOG_PAUSE_MS, 0);
}

struct child_log *child_log_open(uv_loop_t *loop, int fd, const char *name)
{
    struct child_log *log = calloc(1, sizeof *log);

    if (log == NULL || (log->watch = watch_open(loop, fd, child_log_ready, log)) == NULL) {
        free(log);
        close(fd);
        return NULL;
    }
    log->name = name;
    uv_timer_init(loop, &log->timer);
    log->timer.data = log;
    watch_for(log->watch, UV_READABLE);
    return log;
}

static void child_log_free(uv_handle_t *handle)
{
    free(handle->data);
}

void child_log_close(struct child_log *log)
{
    if (log == NULL)
        return;
    for (int i = 0; i < CHILD_LOG_LINES_PER_SECOND && child_log_read(log) > 0; i++)
        ;
    child_log_take(log, '\n');
    if (log->left_out > 0)
        log_warn("%s: %u lines of its log left out", log->name, log->left_out);
    watch_close(log->watch, true);
    uv_close((uv_handle_t *)&log->timer, child_log_free);
}
