/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "punchguard/client.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "protocol/line.h"
#include "punchguard/settings.h"

struct client {
    int fd;
    struct line_reader in;
    int64_t ref;
    bool changes;
    bool inbound; /* the broker knows that field */
};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static enum outcome connect_failed(const char *path, int saved, struct error *err)
{
    if (saved == ENOENT || saved == ECONNREFUSED) {
        error_set(err, "not-running", "no broker listens at %s; 'punchguard up' starts one", path);
        return OUTCOME_NOT_RUNNING;
    }
    if (saved == EACCES || saved == EPERM) {
        error_set(err, "not-permitted",
                  "%s: %s; root and the members of group punchguard may ask the broker", path,
                  strerror(saved));
        return OUTCOME_NOT_PERMITTED;
    }
    error_set(err, "failed", "%s: %s", path, strerror(saved));
    return OUTCOME_FAILED;
}

enum outcome client_line(struct client *client, int timeout_ms, char **line, struct error *err)
{
    int64_t deadline = now_ms() + timeout_ms;
    size_t length, space;

    for (;;) {
        enum line_result result = line_next(&client->in, line, &length);
        struct pollfd ready = {.fd = client->fd, .events = POLLIN};
        int64_t left = timeout_ms < 0 ? -1 : deadline - now_ms();
        void *to;
        ssize_t n;

        if (result == LINE_OK)
            return OUTCOME_OK;
        if (result == LINE_TOO_LONG)
            continue;
        *line = NULL;
        if (timeout_ms >= 0 && left < 0)
            left = 0;
        n = poll(&ready, 1, (int)left);
        if (n == 0 || (n < 0 && errno == EINTR))
            return OUTCOME_OK;
        to = line_space(&client->in, &space);
        n = read(client->fd, to, space);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n <= 0) {
            error_set(err, "not-running", "the broker ended the connection");
            return OUTCOME_NOT_RUNNING;
        }
        line_filled(&client->in, (size_t)n);
    }
}

/* What the broker said is wrong. */
static enum outcome error_outcome(const struct message_control_error *said, struct error *err)
{
    error_set(err, said->code, "%s", said->message);
    if (strcmp(said->code, "not-permitted") == 0)
        return OUTCOME_NOT_PERMITTED;
    if (strcmp(said->code, "no-such-peer") == 0)
        return OUTCOME_NO_SUCH_PEER;
    return OUTCOME_FAILED;
}

/* The next message within the time; *m is to be cleared. */
static enum outcome next_message(struct client *client, int64_t deadline, struct message *m,
                                 char **line, struct error *err)
{
    for (;;) {
        int64_t left = deadline - now_ms();
        enum outcome outcome = client_line(client, left > 0 ? (int)left : 0, line, err);

        if (outcome != OUTCOME_OK)
            return outcome;
        if (*line == NULL && left <= 0) {
            error_set(err, "timeout", "the broker does not answer");
            return OUTCOME_TIMEOUT;
        }
        if (*line != NULL &&
            message_decode(*line, strlen(*line), ROLE_CONTROL, FROM_HELPER, m, NULL, err) == 0)
            return OUTCOME_OK;
    }
}

static bool has_text(const struct strings *texts, const char *text)
{
    for (size_t i = 0; i < texts->count; i++)
        if (strcmp(texts->items[i], text) == 0)
            return true;
    return false;
}

static enum outcome read_greeting(struct client *client, struct error *err)
{
    enum outcome outcome;
    struct message m;
    char *line;

    outcome = next_message(client, now_ms() + CLIENT_ANSWER_MS, &m, &line, err);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (m.type == MESSAGE_control_error) {
        outcome = error_outcome(&m.control_error, err);
    } else if (m.type != MESSAGE_control_hello || m.control_hello.protocol != PROTOCOL_VERSION) {
        error_set(err, "protocol", "what listens there is no broker of protocol %d",
                  PROTOCOL_VERSION);
        outcome = OUTCOME_FAILED;
    } else {
        client->changes = m.control_hello.changes;
        client->inbound = has_text(&m.control_hello.capabilities, "inbound");
    }
    message_clear(&m);
    return outcome;
}

enum outcome client_open(struct client **out, const char *path, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct client *client = calloc(1, sizeof *client);
    enum outcome outcome = OUTCOME_FAILED;

    *out = NULL;
    error_set(err, "no-memory", "out of memory");
    if (client == NULL || line_reader_init(&client->in) < 0)
        goto bad;
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0 ||
        connect(client->fd, (const struct sockaddr *)&address, sizeof address) < 0)
        outcome = connect_failed(path, errno, err);
    else
        outcome = read_greeting(client, err);
    if (outcome == OUTCOME_OK) {
        *out = client;
        return OUTCOME_OK;
    }
    if (client->fd >= 0)
        close(client->fd);
bad:
    if (client != NULL)
        line_reader_free(&client->in);
    free(client);
    return outcome;
}

enum outcome client_connect(struct client **client, const struct context *context,
                            struct error *err)
{
    struct settings settings;
    enum outcome outcome = settings_read(context, false, &settings, err);

    *client = NULL;
    return outcome == OUTCOME_OK ? client_open(client, settings.socket, err) : outcome;
}

void client_close(struct client *client)
{
    if (client == NULL)
        return;
    close(client->fd);
    line_reader_free(&client->in);
    free(client);
}

bool client_may_change(const struct client *client)
{
    return client->changes;
}

int client_fd(const struct client *client)
{
    return client->fd;
}

/* NULL where the message has no such field. */
static void *field_of(struct message *m, const char *name)
{
    const struct message_shape *shape = message_shape(m->type);

    for (size_t i = 0; shape != NULL && i < shape->field_count; i++)
        if (strcmp(shape->fields[i].name, name) == 0)
            return (char *)m + shape->fields[i].offset;
    return NULL;
}

static int64_t *ref_of(struct message *m)
{
    return field_of(m, "ref");
}

/* One that passes over `inbound`, as it does over every field that it does not know, would let the
 * other device begin everything. */
static enum outcome check_known(const struct client *client, struct message *request,
                                struct error *err)
{
    char *const *inbound = field_of(request, "inbound");

    if (client->inbound || inbound == NULL || *inbound == NULL)
        return OUTCOME_OK;
    error_set(err, "too-old",
              "the broker that runs is older than this command and does not know --inbound: start "
              "it again, and its tunnels stay: punchguard down --keep, punchguard up");
    return OUTCOME_FAILED;
}

static enum outcome send_request(struct client *client, struct message *request, struct error *err)
{
    size_t length, done = 0;
    char *line;

    if (check_known(client, request, err) != OUTCOME_OK)
        return OUTCOME_FAILED;
    *ref_of(request) = ++client->ref;
    line = message_encode(request, &length, err);
    while (line != NULL && done < length) {
        ssize_t n = send(client->fd, line + done, length - done, MSG_NOSIGNAL);

        if (n < 0 && errno != EINTR)
            break;
        done += n > 0 ? (size_t)n : 0;
    }
    free(line);
    if (line == NULL)
        return OUTCOME_FAILED;
    if (done == length)
        return OUTCOME_OK;
    error_set(err, "not-running", "the broker ended the connection");
    return OUTCOME_NOT_RUNNING;
}

enum outcome client_call(struct client *client, struct message *request,
                         void (*each)(void *data, const struct message *m, const char *line),
                         void *data, struct error *err)
{
    int64_t deadline = now_ms() + CLIENT_ANSWER_MS;
    enum outcome outcome = send_request(client, request, err);
    bool over = false;

    while (outcome == OUTCOME_OK && !over) {
        struct message m;
        int64_t *ref;
        char *line;

        outcome = next_message(client, deadline, &m, &line, err);
        if (outcome != OUTCOME_OK)
            break;
        ref = ref_of(&m);
        over = ref != NULL && *ref == client->ref &&
               (m.type == MESSAGE_control_done || m.type == MESSAGE_control_error);
        over = over || (m.type == MESSAGE_control_error && *ref == MESSAGE_ABSENT);
        if (m.type == MESSAGE_control_error && over)
            outcome = error_outcome(&m.control_error, err);
        else if (!over && ref != NULL && *ref == client->ref && each != NULL)
            each(data, &m, line);
        message_clear(&m);
    }
    return outcome;
}
