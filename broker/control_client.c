/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/control_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "protocol/log.h"

struct control_client *control_client_new(struct control *control, uv_loop_t *loop, int fd,
                                          void (*on_ready)(void *client))
{
    struct control_client *client = calloc(1, sizeof *client);

    if (client != NULL && line_reader_init(&client->in) == 0)
        client->watch = watch_open(loop, fd, on_ready, client);
    if (client == NULL || client->watch == NULL) {
        if (client != NULL)
            line_reader_free(&client->in);
        free(client);
        close(fd);
        return NULL;
    }
    client->control = control;
    client->linger_ms = CONTROL_LINGER_MS;
    client->bucket = bucket_full(CONTROL_BURST, CONTROL_INTERVAL_MS);
    return client;
}

void control_client_free(struct control_client *client)
{
    if (client == NULL)
        return;
    watch_close(client->watch, true);
    line_reader_free(&client->in);
    outbox_free(&client->out);
    free(client);
}

/* The line that is under way is kept whole; those behind it are given up. */
static void cut_after_line(struct outbox *box)
{
    char *begin = box->buffer + box->begin;
    char *end = outbox_empty(box) ? NULL : memchr(begin, '\n', box->end - box->begin);

    if (end != NULL)
        box->end = box->begin + (size_t)(end - begin) + 1;
}

static char *error_line(int64_t ref, const struct error *err, size_t *length)
{
    struct message m;

    message_init(&m, MESSAGE_control_error);
    m.control_error.code = (char *)(uintptr_t)err->code;
    m.control_error.message = (char *)(uintptr_t)err->message;
    m.control_error.ref = ref;
    return message_encode(&m, length, NULL);
}

static void client_drop(struct control_client *client, const char *code, const char *why,
                        int64_t now)
{
    struct error err;
    size_t length;
    char *line;

    error_set(&err, code, "%s", why);
    cut_after_line(&client->out);
    line = error_line(MESSAGE_ABSENT, &err, &length);
    if (line == NULL || outbox_put(&client->out, line, length) < 0)
        client->gone = true;
    free(line);
    client->dropped = true;
    client->events = false;
    client->waiting_count = 0;
    client->wake_at = now + client->linger_ms;
    log_info("control: a client was dropped: %s", why);
}

void control_client_put(struct control_client *client, const char *text, size_t length, int64_t now)
{
    if (client->gone || client->dropped)
        return;
    if (outbox_put(&client->out, text, length) < 0)
        client_drop(client, "too-slow", "it does not read what it asked for", now);
}

void control_client_say(struct control_client *client, struct message *message, int64_t now)
{
    struct error err;
    size_t length;
    char *line = message_encode(message, &length, &err);

    if (line == NULL) {
        log_error("control: %s", err.message);
        return;
    }
    control_client_put(client, line, length, now);
    free(line);
}

void control_client_error(struct control_client *client, int64_t ref, const struct error *err,
                          int64_t now)
{
    size_t length;
    char *line = error_line(ref, err, &length);

    if (line != NULL)
        control_client_put(client, line, length, now);
    free(line);
}

static bool wants_input(const struct control_client *client)
{
    return !client->ended && !client->dropped && client->wake_at == 0 &&
           client->waiting_count < CONTROL_WAITING && !outbox_high(&client->out);
}

void control_client_read(struct control_client *client)
{
    size_t space;
    void *to;
    ssize_t n;

    if (!wants_input(client))
        return;
    to = line_space(&client->in, &space);
    if (space == 0)
        return;
    n = read(watch_fd(client->watch), to, space);
    if (n > 0)
        line_filled(&client->in, (size_t)n);
    else if (n == 0)
        client->ended = true;
    else if (errno != EAGAIN && errno != EINTR)
        client->gone = true;
}

enum line_result control_client_line(struct control_client *client, int64_t now, char **line,
                                     size_t *length)
{
    enum line_result result;

    if (client->gone || client->dropped || client->wake_at != 0 || outbox_high(&client->out) ||
        client->waiting_count == CONTROL_WAITING)
        return LINE_NONE;
    result = line_next(&client->in, line, length);
    if (result != LINE_NONE && !bucket_take(&client->bucket, now))
        client->wake_at = now + CONTROL_INTERVAL_MS;
    return result;
}

static bool has_said_all(const struct control_client *client)
{
    if (!outbox_empty(&client->out))
        return false;
    return client->dropped ||
           (client->ended && !client->events && client->waiting_count == 0 && client->wake_at == 0);
}

void control_client_flush(struct control_client *client)
{
    int wanted = 0;

    if (outbox_flush(&client->out, watch_fd(client->watch)) < 0)
        client->gone = true;
    client->gone |= has_said_all(client);
    if (client->gone) {
        watch_pause(client->watch);
        return;
    }
    if (wants_input(client))
        wanted |= UV_READABLE;
    if (!outbox_empty(&client->out))
        wanted |= UV_WRITABLE;
    if (wanted != 0)
        watch_for(client->watch, wanted);
    else
        watch_pause(client->watch);
}
