/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/event.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "broker/clock.h"
#include "protocol/log.h"
#include "protocol/outbox.h"

/* While more waits to be written, it is looked at so often, in ms. */
#define EVENT_FLUSH_MS 50

struct event_log {
    int fd;
    struct outbox out;
    uv_timer_t flush;
    unsigned long lost;
    bool broken;
    event_tell *tell;
    void *tell_data;
};

struct event_log *event_log_new(uv_loop_t *loop)
{
    struct event_log *events = calloc(1, sizeof *events);

    if (events == NULL)
        return NULL;
    events->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    dup2(STDERR_FILENO, STDOUT_FILENO);
    uv_timer_init(loop, &events->flush);
    events->flush.data = events;
    uv_unref((uv_handle_t *)&events->flush);
    return events;
}

void event_also(struct event_log *events, event_tell *tell, void *data)
{
    events->tell = tell;
    events->tell_data = data;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void event_log_destroy(struct event_log *events)
{
    if (events == NULL)
        return;
    outbox_flush(&events->out, events->fd);
    outbox_free(&events->out);
    close(events->fd);
    uv_close((uv_handle_t *)&events->flush, on_closed);
}

static void event_flush(struct event_log *events);

static void on_flush(uv_timer_t *timer)
{
    event_flush(timer->data);
}

static void event_flush(struct event_log *events)
{
    if (outbox_flush(&events->out, events->fd) < 0 && !events->broken) {
        events->broken = true;
        log_warn("nobody reads the events on standard output any more");
    }
    if (events->broken) {
        outbox_free(&events->out);
        return;
    }
    if (!outbox_empty(&events->out))
        uv_timer_start(&events->flush, on_flush, EVENT_FLUSH_MS, 0);
}

static void stamp(struct message *event, char time_text[40])
{
    const struct message_shape *shape = message_shape(event->type);
    struct timespec now;
    struct tm parts;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    strftime(time_text, 32, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(time_text + strlen(time_text), 8, ".%03dZ", (int)(now.tv_nsec / 1000000) % 1000);
    for (size_t i = 0; i < shape->field_count; i++) {
        void *field = (char *)event + shape->fields[i].offset;

        if (strcmp(shape->fields[i].name, "time") == 0)
            *(char **)field = time_text;
        else if (strcmp(shape->fields[i].name, "mono_ms") == 0)
            *(int64_t *)field = clock_monotonic_ms();
    }
}

void event_emit(struct event_log *events, struct message *event)
{
    char time_text[40];
    struct error err;
    size_t length;
    char *line;

    if (events->broken && events->tell == NULL)
        return;
    stamp(event, time_text);
    line = message_encode(event, &length, &err);
    if (line == NULL) {
        log_error("event %s: %s", message_type_name(event->type), err.message);
        return;
    }
    if (events->tell != NULL)
        events->tell(events->tell_data, event->type, line, length);
    if (!events->broken && outbox_put(&events->out, line, length) < 0 && events->lost++ == 0)
        log_warn("whoever reads the events does not keep up; events are lost");
    free(line);
    event_flush(events);
}

void event_emit_error(struct event_log *events, const char *peer, const char *code,
                      const char *message)
{
    struct message event;

    message_init(&event, MESSAGE_event_error);
    event.event_error.code = (char *)(uintptr_t)code;
    event.event_error.message = (char *)(uintptr_t)message;
    event.event_error.peer = (char *)(uintptr_t)peer;
    event_emit(events, &event);
}
