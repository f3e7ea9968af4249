/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/control_client.h"
#include "broker/control_socket.h"
#include "broker/watch.h"
#include "protocol/log.h"

struct control {
    struct control_options options;
    char *path;
    struct control_socket socket;
    struct watch *watch;
    uv_timer_t timer;
    struct control_client *clients;
    size_t count;
    unsigned busy; /* functions at work: no client is freed under them */
    bool refreshing;
};

static int64_t control_now(struct control *control)
{
    return (int64_t)uv_now(control->options.loop);
}

static int64_t shortened(const struct control *control, int64_t ms)
{
    return control->options.hurry > 1 ? ms / control->options.hurry : ms;
}

/* What a request asks for */

static void client_fail(struct control_client *client, int64_t ref, const struct error *err)
{
    control_client_error(client, ref, err, control_now(client->control));
}

static void client_say(void *to, struct message *message)
{
    struct control_client *client = to;

    control_client_say(client, message, control_now(client->control));
}

static void client_done(struct control_client *client, int64_t ref)
{
    struct message m;

    message_init(&m, MESSAGE_control_done);
    m.control_done.ref = ref;
    client_say(client, &m);
}

static void answer(struct control_client *client, int64_t ref, int rc, const struct error *err)
{
    if (rc < 0)
        client_fail(client, ref, err);
    else
        client_done(client, ref);
}

static void status_now(struct control_client *client, int64_t ref, const char *peer)
{
    const struct control_options *options = &client->control->options;
    struct error err;
    int rc = options->broker->status(options->data, ref, peer[0] != '\0' ? peer : NULL, client_say,
                                     client, &err);

    answer(client, ref, rc, &err);
}

/* Waits for numbers, together with all who ask meanwhile. */
static void on_status(struct control_client *client, const struct message *m)
{
    struct control *control = client->control;
    struct control_waiting *waiting;
    const char *peer = m->control_status.peer != NULL ? m->control_status.peer : "";

    if (!control->refreshing)
        control->refreshing = control->options.broker->refresh(control->options.data);
    if (!control->refreshing) {
        status_now(client, m->control_status.ref, peer);
        return;
    }
    waiting = &client->waiting[client->waiting_count++];
    waiting->ref = m->control_status.ref;
    waiting->until = control_now(control) + shortened(control, CONTROL_WAIT_MS);
    strcpy(waiting->peer, peer);
}

static void on_id(struct control_client *client, const struct message *m)
{
    const struct control_options *options = &client->control->options;
    struct error err;
    int rc = options->broker->identity(options->data, m->control_id.ref, client_say, client, &err);

    answer(client, m->control_id.ref, rc, &err);
}

static void on_events(struct control_client *client, const struct message *m)
{
    client->events = true;
    client_done(client, m->control_events.ref);
}

static void on_reload(struct control_client *client, const struct message *m)
{
    const struct control_options *options = &client->control->options;
    int64_t ref = m->control_reload.ref;
    struct error err;
    int rc = options->broker->reload(options->data, ref, client_say, client, &err);

    answer(client, ref, rc, &err);
}

static int64_t pair_ref(const struct message *m);

static void on_pair(struct control_client *client, const struct message *m)
{
    const struct control_options *options = &client->control->options;
    struct error err;
    int rc = options->broker->pair(options->data, m, client_say, client, &err);

    answer(client, pair_ref(m), rc, &err);
}

static void on_stop(struct control_client *client, const struct message *m)
{
    const struct control_options *options = &client->control->options;

    client_done(client, m->control_stop.ref);
    control_client_flush(client);
    options->broker->stop(options->data, m->control_stop.keep);
}

static const struct control_request {
    enum message_type type;
    bool changes; /* not for everybody */
    size_t ref;   /* where it is in struct message */
    void (*handle)(struct control_client *client, const struct message *m);
} requests[] = {
    {MESSAGE_control_status, false, offsetof(struct message, control_status.ref), on_status},
    {MESSAGE_control_id, false, offsetof(struct message, control_id.ref), on_id},
    {MESSAGE_control_events, false, offsetof(struct message, control_events.ref), on_events},
    {MESSAGE_control_reload, true, offsetof(struct message, control_reload.ref), on_reload},
    {MESSAGE_control_invite, true, offsetof(struct message, control_invite.ref), on_pair},
    {MESSAGE_control_invitations, false, offsetof(struct message, control_invitations.ref), on_pair},
    {MESSAGE_control_cancel, true, offsetof(struct message, control_cancel.ref), on_pair},
    {MESSAGE_control_join, true, offsetof(struct message, control_join.ref), on_pair},
    {MESSAGE_control_rename, true, offsetof(struct message, control_rename.ref), on_pair},
    {MESSAGE_control_remove, true, offsetof(struct message, control_remove.ref), on_pair},
    {MESSAGE_control_introduce, true, offsetof(struct message, control_introduce.ref), on_pair},
    {MESSAGE_control_introductions, false, offsetof(struct message, control_introductions.ref),
     on_pair},
    {MESSAGE_control_accept, true, offsetof(struct message, control_accept.ref), on_pair},
    {MESSAGE_control_stop, true, offsetof(struct message, control_stop.ref), on_stop},
};

static int64_t pair_ref(const struct message *m)
{
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++)
        if (requests[i].type == m->type)
            return *(const int64_t *)(const void *)((const char *)m + requests[i].ref);
    return MESSAGE_ABSENT;
}

static void refuse(struct control_client *client, const struct control_request *request,
                   const struct message *m)
{
    struct error err;

    error_set(&err, "not-permitted",
              "'%s' changes something: only root and the user that the broker runs as may do that",
              message_type_name(request->type));
    client_fail(client, *(const int64_t *)((const char *)m + request->ref), &err);
}

static void handle_message(struct control_client *client, const struct message *m, int64_t ref)
{
    struct error err;

    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        if (requests[i].type != m->type)
            continue;
        if (requests[i].changes && !client->changes)
            refuse(client, &requests[i], m);
        else
            requests[i].handle(client, m);
        return;
    }
    error_set(
        &err, "unknown-request",
        "this broker knows no request of that type; those of punchguard-control(7) are right");
    client_fail(client, ref, &err);
}

static void handle_line(struct control_client *client, const char *line, size_t length)
{
    struct message m;
    struct error err;
    int64_t ref;

    if (length == 0)
        return;
    if (message_decode(line, length, ROLE_CONTROL, TO_HELPER, &m, &ref, &err) < 0) {
        client_fail(client, ref, &err);
        return;
    }
    handle_message(client, &m, ref);
    message_clear(&m);
}

/* Clients come and go */

static void clients_sweep(struct control *control)
{
    struct control_client **at = &control->clients, *client;

    while ((client = *at) != NULL) {
        if (!client->gone) {
            at = &client->next;
            continue;
        }
        *at = client->next;
        control->count--;
        control_client_free(client);
    }
}

static void on_timer(uv_timer_t *timer);

/* For whoever waits for the time. */
static void control_arm(struct control *control)
{
    int64_t at = INT64_MAX, now = control_now(control);

    for (struct control_client *client = control->clients; client != NULL; client = client->next) {
        if (client->wake_at != 0 && client->wake_at < at)
            at = client->wake_at;
        for (size_t i = 0; i < client->waiting_count; i++)
            if (client->waiting[i].until < at)
                at = client->waiting[i].until;
    }
    if (at == INT64_MAX)
        uv_timer_stop(&control->timer);
    else
        uv_timer_start(&control->timer, on_timer, at > now ? (uint64_t)(at - now) : 0, 0);
}

static void control_enter(struct control *control)
{
    control->busy++;
}

static void control_leave(struct control *control)
{
    if (--control->busy > 0)
        return;
    clients_sweep(control);
    control_arm(control);
}

static void client_lines(struct control_client *client)
{
    enum line_result result;
    struct error err;
    size_t length;
    char *line;

    while ((result = control_client_line(client, control_now(client->control), &line, &length)) !=
           LINE_NONE) {
        if (result == LINE_OK) {
            handle_line(client, line, length);
            continue;
        }
        error_set(&err, "line-too-long", "a line has more than %d bytes", LINE_MAX_BYTES);
        client_fail(client, MESSAGE_ABSENT, &err);
    }
}

/* What was held back by a full outbox comes after what emptied it. */
static void client_work(struct control_client *client)
{
    bool held;

    do {
        client_lines(client);
        held = outbox_high(&client->out);
        control_client_flush(client);
    } while (held && !outbox_high(&client->out) && !client->gone);
}

static void on_client(void *data)
{
    struct control_client *client = data;
    struct control *control = client->control;

    control_enter(control);
    control_client_read(client);
    client_work(client);
    control_leave(control);
}

/* false where this is one too many. */
static bool may_enter(const struct control *control, bool changes)
{
    return control->count < CONTROL_CLIENTS - (changes ? 0 : CONTROL_CLIENTS_KEPT);
}

static void client_greet(struct control_client *client)
{
    static char *capabilities[] = {(char *)(uintptr_t) "inbound"};
    struct message m;

    message_init(&m, MESSAGE_control_hello);
    m.control_hello.protocol = PROTOCOL_VERSION;
    m.control_hello.version = (char *)(uintptr_t)client->control->options.version;
    m.control_hello.changes = client->changes;
    m.control_hello.capabilities = (struct strings){.items = capabilities, .count = 1};
    client_say(client, &m);
}

static void client_add(struct control *control, int fd, bool changes)
{
    struct control_client *client =
        control_client_new(control, control->options.loop, fd, on_client);
    struct error err;

    if (client == NULL)
        return;
    client->changes = changes;
    client->linger_ms = shortened(control, CONTROL_LINGER_MS);
    if (may_enter(control, changes)) {
        client_greet(client);
    } else {
        error_set(&err, "too-many-clients", "%zu clients are connected: try again later",
                  control->count);
        client_fail(client, MESSAGE_ABSENT, &err);
        client->dropped = true;
    }
    client->next = control->clients;
    control->clients = client;
    control->count++;
    control_client_flush(client);
}

static bool may_change(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return false;
    return peer.uid == 0 || peer.uid == geteuid();
}

static void on_connection(void *data)
{
    struct control *control = data;
    int fd = accept4(control->socket.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0)
        return;
    control_enter(control);
    client_add(control, fd, may_change(fd));
    control_leave(control);
}

/* What is due */

static void waiting_answer(struct control_client *client, int64_t due)
{
    size_t left = 0;

    for (size_t i = 0; i < client->waiting_count; i++) {
        const struct control_waiting *waiting = &client->waiting[i];

        if (waiting->until <= due)
            status_now(client, waiting->ref, waiting->peer);
        else
            client->waiting[left++] = *waiting;
    }
    client->waiting_count = client->dropped ? 0 : left;
}

static void clients_due(struct control *control, int64_t due)
{
    int64_t now = control_now(control);

    control_enter(control);
    for (struct control_client *client = control->clients; client != NULL; client = client->next) {
        waiting_answer(client, due);
        if (client->wake_at != 0 && client->wake_at <= now) {
            client->gone |= client->dropped;
            client->wake_at = 0;
        }
        client_work(client);
    }
    control_leave(control);
}

static void on_timer(uv_timer_t *timer)
{
    struct control *control = timer->data;

    control->refreshing = false;
    clients_due(control, control_now(control));
}

void control_refreshed(struct control *control)
{
    if (control == NULL || !control->refreshing)
        return;
    control->refreshing = false;
    clients_due(control, INT64_MAX);
}

void control_event(struct control *control, const char *line, size_t length)
{
    if (control == NULL)
        return;
    control_enter(control);
    for (struct control_client *client = control->clients; client != NULL; client = client->next) {
        if (!client->events)
            continue;
        control_client_put(client, line, length, control_now(control));
        control_client_flush(client);
    }
    control_leave(control);
}

int control_open(struct control **out, const struct control_options *options, struct error *err)
{
    struct control *control = calloc(1, sizeof *control);
    int rc = -ENOMEM;

    *out = NULL;
    error_set(err, "no-memory", "out of memory");
    if (control == NULL)
        return -ENOMEM;
    control->options = *options;
    control->socket.fd = -1;
    control->path = strdup(options->path);
    if (control->path == NULL)
        goto bad;
    rc = control_socket_open(&control->socket, control->path, err);
    if (rc < 0)
        goto bad;
    rc = -ENOMEM;
    control->watch = watch_open(options->loop, control->socket.fd, on_connection, control);
    if (control->watch == NULL)
        goto bad;
    watch_for(control->watch, UV_READABLE);
    uv_timer_init(options->loop, &control->timer);
    control->timer.data = control;
    *out = control;
    return 0;
bad:
    control_socket_close(&control->socket, control->path);
    free(control->path);
    free(control);
    return rc;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void control_close(struct control *control)
{
    if (control == NULL)
        return;
    for (struct control_client *client = control->clients; client != NULL; client = client->next)
        client->gone = true;
    clients_sweep(control);
    watch_close(control->watch, false);
    control_socket_close(&control->socket, control->path);
    free(control->path);
    uv_close((uv_handle_t *)&control->timer, on_closed);
}
