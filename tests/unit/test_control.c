/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/control.h"
#include "broker/control_socket.h"
#include "protocol/line.h"
#include "protocol/log.h"
#include "protocol/outbox.h"
#include "tests/unit/walk.h"

/* Turns of the loop that are enough for what is due at once. */
#define TURNS 50
/* An answer is awaited for so long, in ms. */
#define WAIT_MS 3000
#define HURRY   10

static uid_t connecting_uid;

int __real_getsockopt(int fd, int level, int name, void *value, socklen_t *size);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size);

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
    int rc = __real_getsockopt(fd, level, name, value, size);

    if (level == SOL_SOCKET && name == SO_PEERCRED)
        ((struct ucred *)value)->uid = connecting_uid;
    return rc;
}

/* A broker of its own making, and the control socket that asks it. */
struct served {
    uv_loop_t loop;
    struct control *control;
    char folder[64], path[96];
    bool refreshes; /* numbers take their time */
    unsigned refreshed, reloads, stops, asked;
    size_t peers;
    bool kept, reload_fails;
    bool paired[MESSAGE_COUNT]; /* requests about pairing that came through */
};

static bool fake_refresh(void *data)
{
    struct served *s = data;

    s->refreshed++;
    return s->refreshes;
}

static void say_peer(int64_t ref, size_t number, control_say *say, void *client)
{
    static char *none[1];
    char name[32];
    struct message m;

    snprintf(name, sizeof name, "peer%zu", number);
    message_init(&m, MESSAGE_status_peer);
    m.status_peer.ref = ref;
    m.status_peer.peer = name;
    m.status_peer.id = "PG1";
    m.status_peer.state = "offline";
    m.status_peer.path = "none";
    m.status_peer.rx_bytes = m.status_peer.tx_bytes = 0;
    m.status_peer.online.items = m.status_peer.allowed_ips.items = none;
    say(client, &m);
}

static int fake_status(const void *data, int64_t ref, const char *peer, control_say *say,
                       void *client, struct error *err)
{
    struct served *s = (struct served *)(uintptr_t)data;

    s->asked++;
    if (peer != NULL && strcmp(peer, "peer0") != 0) {
        error_set(err, "no-such-peer", "there is no peer '%s'", peer);
        return -ENOENT;
    }
    for (size_t i = 0; i < s->peers; i++)
        say_peer(ref, i, say, client);
    return 0;
}

static int fake_identity(const void *data, int64_t ref, control_say *say, void *client,
                         struct error *err)
{
    static char *overlay[] = {"fd50::1/128"};
    struct message m;

    (void)data;
    (void)err;
    message_init(&m, MESSAGE_control_identity);
    m.control_identity.ref = ref;
    m.control_identity.id = "PG1";
    m.control_identity.addresses = "{\"tox\":\"AB\"}";
    m.control_identity.overlay = (struct strings){overlay, 1};
    say(client, &m);
    return 0;
}

static int fake_reload(void *data, int64_t ref, control_say *say, void *client, struct error *err)
{
    static char *changed[] = {"$.peers: 'nas' is new"};
    struct served *s = data;
    struct message m;

    s->reloads++;
    if (s->reload_fails) {
        error_set(err, "bad-config", "conf.json: $.peers is wrong");
        return -EINVAL;
    }
    message_init(&m, MESSAGE_control_reloaded);
    m.control_reloaded.ref = ref;
    m.control_reloaded.changed = (struct strings){changed, 1};
    say(client, &m);
    return 0;
}

static int fake_pair(void *data, const struct message *request, control_say *say, void *client,
                     struct error *err)
{
    struct served *s = data;

    (void)say;
    (void)client;
    (void)err;
    s->paired[request->type] = true;
    return 0;
}

static void fake_stop(void *data, bool keep)
{
    struct served *s = data;

    s->stops++;
    s->kept = keep;
}

static const struct control_broker fake_broker = {
    .refresh = fake_refresh,
    .status = fake_status,
    .identity = fake_identity,
    .reload = fake_reload,
    .pair = fake_pair,
    .stop = fake_stop,
};

static void begin(struct served *s)
{
    struct control_options options;
    struct error err;

    memset(s, 0, sizeof *s);
    connecting_uid = geteuid();
    strcpy(s->folder, "/tmp/test-control-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    snprintf(s->path, sizeof s->path, "%s/pg0.sock", s->folder);
    assert_int_equal(uv_loop_init(&s->loop), 0);
    options = (struct control_options){.loop = &s->loop,
                                       .path = s->path,
                                       .version = "1.2",
                                       .broker = &fake_broker,
                                       .data = s,
                                       .hurry = HURRY};
    if (control_open(&s->control, &options, &err) < 0)
        fail_msg("%s", err.message);
}

static void end(struct served *s)
{
    control_close(s->control);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&s->loop), 0);
    assert_int_equal(access(s->path, F_OK), -1);
    assert_int_equal(rmdir(s->folder), 0);
}

static void turn(struct served *s)
{
    for (int i = 0; i < TURNS; i++)
        uv_run(&s->loop, UV_RUN_NOWAIT);
}

/* The client's end */

struct asking {
    int fd;
    struct line_reader in;
    bool ended;
};

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void ask_begin(struct asking *a, struct served *s)
{
    memset(a, 0, sizeof *a);
    a->fd = connect_to(s->path);
    assert_int_equal(line_reader_init(&a->in), 0);
    turn(s);
}

static void ask_end(struct asking *a, struct served *s)
{
    close(a->fd);
    line_reader_free(&a->in);
    turn(s);
}

static void ask(struct asking *a, const char *line)
{
    assert_int_equal(send(a->fd, line, strlen(line), MSG_NOSIGNAL), strlen(line));
}

/* The next line, or NULL where none comes within the time or the stream ended. */
static char *next_line(struct asking *a, struct served *s, uint64_t wait_ms)
{
    uint64_t begun = uv_hrtime();
    size_t length, space;
    char *line;

    for (;;) {
        void *to;
        ssize_t n;

        if (line_next(&a->in, &line, &length) == LINE_OK)
            return line;
        uv_run(&s->loop, UV_RUN_NOWAIT);
        to = line_space(&a->in, &space);
        n = read(a->fd, to, space);
        a->ended = n == 0 || (n < 0 && errno == ECONNRESET);
        if (n > 0)
            line_filled(&a->in, (size_t)n);
        else if (a->ended || uv_hrtime() - begun > wait_ms * 1000000)
            return NULL;
    }
}

static void expect(struct asking *a, struct served *s, const char *part)
{
    char *line = next_line(a, s, WAIT_MS);

    if (line == NULL || strstr(line, part) == NULL)
        fail_msg("%s, not %s", line ? line : "nothing", part);
}

static void expect_nothing(struct asking *a, struct served *s)
{
    char *line = next_line(a, s, 20);

    if (line != NULL || a->ended)
        fail_msg("%s, not silence", line ? line : "the end");
}

/* The tests */

static void a_client_is_greeted_and_told_what_it_may(void **state)
{
    struct served s;
    struct asking owner, root, other;

    (void)state;
    begin(&s);
    ask_begin(&owner, &s);
    expect(&owner, &s,
           "{\"type\":\"hello\",\"protocol\":1,\"version\":\"1.2\",\"changes\":true,"
           "\"capabilities\":[\"inbound\"]}");
    connecting_uid = 0;
    ask_begin(&root, &s);
    expect(&root, &s, "\"changes\":true");
    connecting_uid = geteuid() + 4711;
    ask_begin(&other, &s);
    expect(&other, &s, "\"changes\":false");
    ask_end(&owner, &s);
    ask_end(&root, &s);
    ask_end(&other, &s);
    end(&s);
}

static void each_request_is_answered_with_its_ref(void **state)
{
    struct served s;
    struct asking a;

    (void)state;
    begin(&s);
    s.peers = 2;
    ask_begin(&a, &s);
    expect(&a, &s, "hello");
    ask(&a, "{\"type\":\"status\",\"ref\":7}\n{\"type\":\"id\",\"ref\":8}\n");
    expect(&a, &s, "{\"type\":\"status-peer\",\"ref\":7,\"peer\":\"peer0\"");
    expect(&a, &s, "{\"type\":\"status-peer\",\"ref\":7,\"peer\":\"peer1\"");
    expect(&a, &s, "{\"type\":\"done\",\"ref\":7}");
    expect(&a, &s, "{\"type\":\"identity\",\"ref\":8,");
    expect(&a, &s, "{\"type\":\"done\",\"ref\":8}");
    ask(&a, "{\"type\":\"status\",\"ref\":9,\"peer\":\"nobody\"}\n");
    expect(&a, &s, "{\"type\":\"error\",\"code\":\"no-such-peer\"");
    ask_end(&a, &s);
    end(&s);
}

static void nobody_is_asked_for_numbers_until_a_client_asks(void **state)
{
    struct served s;
    struct asking a;

    (void)state;
    begin(&s);
    ask_begin(&a, &s);
    expect(&a, &s, "hello");
    turn(&s);
    assert_int_equal(s.refreshed, 0);
    ask(&a, "{\"type\":\"status\",\"ref\":1}\n");
    expect(&a, &s, "done");
    assert_int_equal(s.refreshed, 1);
    ask_end(&a, &s);
    end(&s);
}

static void clients_wait_together_for_fresh_numbers(void **state)
{
    struct served s;
    struct asking a, b;

    (void)state;
    begin(&s);
    s.refreshes = true;
    ask_begin(&a, &s);
    ask_begin(&b, &s);
    expect(&a, &s, "hello");
    expect(&b, &s, "hello");
    ask(&a, "{\"type\":\"status\",\"ref\":1}\n");
    ask(&b, "{\"type\":\"status\",\"ref\":2}\n");
    turn(&s);
    assert_int_equal(s.asked, 0);
    assert_int_equal(s.refreshed, 1);
    control_refreshed(s.control);
    expect(&a, &s, "{\"type\":\"done\",\"ref\":1}");
    expect(&b, &s, "{\"type\":\"done\",\"ref\":2}");
    ask_end(&a, &s);
    ask_end(&b, &s);
    end(&s);
}

static void old_numbers_are_told_where_fresh_ones_do_not_come(void **state)
{
    struct served s;
    struct asking a;
    uint64_t begun;

    (void)state;
    begin(&s);
    s.refreshes = true;
    ask_begin(&a, &s);
    expect(&a, &s, "hello");
    begun = uv_hrtime();
    ask(&a, "{\"type\":\"status\",\"ref\":1}\n");
    expect(&a, &s, "done");
    assert_in_range((uv_hrtime() - begun) / 1000000, CONTROL_WAIT_MS / HURRY / 2, CONTROL_WAIT_MS);
    ask_end(&a, &s);
    end(&s);
}

static void a_bad_line_is_told_and_the_stream_goes_on(void **state)
{
    static char endless[LINE_MAX_BYTES + 100];
    struct served s;
    struct asking a;

    (void)state;
    begin(&s);
    ask_begin(&a, &s);
    expect(&a, &s, "hello");
    ask(&a, "garbage\n");
    expect(&a, &s, "\"code\":\"bad-json\"");
    ask(&a, "{\"type\":\"status\",\"ref\":1,\"ref\":2}\n");
    expect(&a, &s, "\"code\":\"duplicate-key\"");
    ask(&a, "{\"type\":\"status\"}\n");
    expect(&a, &s, "the field 'ref' is missing");
    ask(&a, "{\"type\":\"stop\",\"ref\":5,\"keep\":1}\n");
    expect(&a, &s, "the field 'keep' must be true or false\",\"ref\":5}");
    ask(&a, "{\"type\":\"dance\",\"ref\":6}\n");
    expect(&a, &s, "\"code\":\"unknown-request\"");
    memset(endless, 'x', sizeof endless);
    for (size_t sent = 0; sent < sizeof endless; turn(&s)) {
        ssize_t n = send(a.fd, endless + sent, sizeof endless - sent, MSG_NOSIGNAL);

        sent += n > 0 ? (size_t)n : 0;
    }
    ask(&a, "\n");
    expect(&a, &s, "\"code\":\"line-too-long\"");
    ask(&a, "\n{\"type\":\"status\",\"ref\":7}\n");
    expect(&a, &s, "{\"type\":\"done\",\"ref\":7}");
    assert_int_equal(s.stops, 0);
    ask_end(&a, &s);
    end(&s);
}

static void only_root_and_the_owner_change_something(void **state)
{
    struct served s;
    struct asking other, owner;

    (void)state;
    begin(&s);
    connecting_uid = geteuid() + 4711;
    ask_begin(&other, &s);
    expect(&other, &s, "hello");
    ask(&other, "{\"type\":\"stop\",\"ref\":1}\n{\"type\":\"reload\",\"ref\":2}\n"
                "{\"type\":\"status\",\"ref\":3}\n");
    expect(&other, &s, "\"code\":\"not-permitted\"");
    expect(&other, &s, "\"ref\":2}");
    expect(&other, &s, "{\"type\":\"done\",\"ref\":3}");
    assert_int_equal(s.stops + s.reloads, 0);
    connecting_uid = geteuid();
    ask_begin(&owner, &s);
    expect(&owner, &s, "hello");
    ask(&owner, "{\"type\":\"reload\",\"ref\":1}\n{\"type\":\"stop\",\"ref\":2,\"keep\":true}\n");
    expect(&owner, &s, "{\"type\":\"reloaded\",\"ref\":1");
    expect(&owner, &s, "{\"type\":\"done\",\"ref\":1}");
    expect(&owner, &s, "{\"type\":\"done\",\"ref\":2}");
    turn(&s);
    assert_int_equal(s.reloads, 1);
    assert_int_equal(s.stops, 1);
    assert_true(s.kept);
    ask_end(&other, &s);
    ask_end(&owner, &s);
    end(&s);
}

/* Each is thought of here before anybody in the group may send it. */
static bool only_reads(enum message_type type)
{
    return type == MESSAGE_control_status || type == MESSAGE_control_id ||
           type == MESSAGE_control_events || type == MESSAGE_control_invitations ||
           type == MESSAGE_control_introductions;
}

static void ask_and_expect(struct asking *a, struct served *s, const struct walk_message *message,
                           int ref, const char *answer)
{
    json_t *object = walk_object(message, false, false);
    char *text, *line, want[64];

    json_object_set_new(object, "ref", json_integer(ref));
    text = json_dumps(object, JSON_COMPACT);
    ask(a, text);
    ask(a, "\n");
    snprintf(want, sizeof want, "\"ref\":%d}", ref);
    do
        line = next_line(a, s, WAIT_MS);
    while (line != NULL && strstr(line, "\"done\"") == NULL && strstr(line, "\"error\"") == NULL);
    if (line == NULL || strstr(line, want) == NULL || strstr(line, answer) == NULL)
        fail_msg("%s: %s, not %s", text, line != NULL ? line : "nothing", answer);
    free(text);
    json_decref(object);
}

static void who_may_only_ask_gets_through_with_what_only_reads(void **state)
{
    struct served s;
    struct asking other, owner;

    (void)state;
    begin(&s);
    connecting_uid = geteuid() + 4711;
    ask_begin(&other, &s);
    connecting_uid = geteuid();
    ask_begin(&owner, &s);
    expect(&other, &s, "\"changes\":false");
    expect(&owner, &s, "\"changes\":true");
    for (size_t i = 0; i < walk_count; i++) {
        const struct walk_message *message = &walk_messages[i];
        const char *denied = "\"code\":\"not-permitted\"", *done = "{\"type\":\"done\"";

        if ((message->roles & ROLE_CONTROL) == 0 || (message->directions & TO_HELPER) == 0)
            continue;
        ask_and_expect(&other, &s, message, (int)i, only_reads(message->id) ? done : denied);
        assert_int_equal(s.stops + s.reloads, 0);
        if (!only_reads(message->id))
            assert_false(s.paired[message->id]);
        ask_and_expect(&owner, &s, message, (int)i, done);
        s.stops = s.reloads = 0;
    }
    ask_end(&other, &s);
    ask_end(&owner, &s);
    end(&s);
}

static void a_reload_says_what_changed_or_why_it_failed(void **state)
{
    struct served s;
    struct asking a;

    (void)state;
    begin(&s);
    ask_begin(&a, &s);
    expect(&a, &s, "hello");
    ask(&a, "{\"type\":\"reload\",\"ref\":1}\n");
    expect(&a, &s, "{\"type\":\"reloaded\",\"ref\":1,\"changed\":[\"$.peers: 'nas' is new\"]}");
    expect(&a, &s, "{\"type\":\"done\",\"ref\":1}");
    s.reload_fails = true;
    ask(&a, "{\"type\":\"reload\",\"ref\":2}\n");
    expect(&a, &s, "$.peers is wrong\",\"ref\":2}");
    ask_end(&a, &s);
    end(&s);
}

static void events_go_to_those_who_asked(void **state)
{
    static const char event[] = "{\"type\":\"path\",\"time\":\"t\"}\n";
    struct served s;
    struct asking a, b;

    (void)state;
    begin(&s);
    ask_begin(&a, &s);
    ask_begin(&b, &s);
    expect(&a, &s, "hello");
    expect(&b, &s, "hello");
    ask(&a, "{\"type\":\"events\",\"ref\":1}\n");
    expect(&a, &s, "done");
    control_event(s.control, event, strlen(event));
    expect(&a, &s, "\"path\"");
    expect_nothing(&b, &s);
    control_event(NULL, event, strlen(event));
    ask_end(&a, &s);
    control_event(s.control, event, strlen(event));
    ask_end(&b, &s);
    end(&s);
}

static void flood_of_events(struct served *s, size_t bytes)
{
    static char event[4096];

    memset(event, 'x', sizeof event - 1);
    memcpy(event, "{\"time\":\"", 9);
    memcpy(event + sizeof event - 3, "\"}\n", 3);
    for (size_t sent = 0; sent < bytes; sent += sizeof event)
        control_event(s->control, event, sizeof event);
}

/* Who waits for the reader waits for ever: it is this process. */
static void a_client_that_does_not_read_is_dropped_with_the_reason(void **state)
{
    struct served s;
    struct asking slow, other;
    char *line, *last = NULL;
    char kept[1024] = "";
    size_t lines = 0;

    (void)state;
    begin(&s);
    ask_begin(&slow, &s);
    ask_begin(&other, &s);
    expect(&slow, &s, "hello");
    expect(&other, &s, "hello");
    ask(&slow, "{\"type\":\"events\",\"ref\":1}\n");
    expect(&slow, &s, "done");
    flood_of_events(&s, 3 * OUTBOX_MAX_BYTES);
    ask(&other, "{\"type\":\"status\",\"ref\":2}\n");
    expect(&other, &s, "{\"type\":\"done\",\"ref\":2}");
    while ((line = next_line(&slow, &s, 200)) != NULL) {
        lines++;
        assert_true(line[0] == '{' && line[strlen(line) - 1] == '}');
        snprintf(kept, sizeof kept, "%s", line);
        last = kept;
    }
    assert_true(slow.ended);
    assert_true(lines > 1 && lines < 1000);
    assert_non_null(strstr(last, "\"code\":\"too-slow\""));
    ask_end(&slow, &s);
    ask_end(&other, &s);
    end(&s);
}

static void a_dropped_client_that_never_reads_is_gone_after_a_while(void **state)
{
    struct served s;
    struct asking slow;
    uint64_t begun;
    char byte;

    (void)state;
    begin(&s);
    ask_begin(&slow, &s);
    ask(&slow, "{\"type\":\"events\",\"ref\":1}\n");
    turn(&s);
    flood_of_events(&s, 3 * OUTBOX_MAX_BYTES);
    begun = uv_hrtime();
    while (send(slow.fd, "\n", 1, MSG_NOSIGNAL) == 1 || errno == EAGAIN) {
        uv_run(&s.loop, UV_RUN_NOWAIT);
        assert_true(uv_hrtime() - begun < UINT64_C(1000000) * CONTROL_LINGER_MS);
    }
    assert_true(read(slow.fd, &byte, 1) >= 0 || errno == ECONNRESET);
    ask_end(&slow, &s);
    end(&s);
}

/* Its own requests do not cost it the connection. */
static void a_client_that_asks_much_and_reads_late_gets_it_all(void **state)
{
    struct served s;
    struct asking a;
    char line[64];
    size_t done = 0;

    (void)state;
    begin(&s);
    s.peers = 400;
    ask_begin(&a, &s);
    expect(&a, &s, "hello");
    for (int i = 1; i <= 40; i++) {
        snprintf(line, sizeof line, "{\"type\":\"status\",\"ref\":%d}\n", i);
        ask(&a, line);
    }
    turn(&s);
    assert_true(s.asked < 40); /* the rest is not even read */
    while (done < 40) {
        char *said = next_line(&a, &s, WAIT_MS);

        assert_non_null(said);
        done += strstr(said, "\"done\"") != NULL;
        assert_null(strstr(said, "\"error\""));
    }
    assert_int_equal(s.asked, 40);
    ask_end(&a, &s);
    end(&s);
}

static void a_client_that_asks_without_end_is_slowed_down(void **state)
{
    struct served s;
    struct asking a;
    uint64_t begun;

    (void)state;
    begin(&s);
    ask_begin(&a, &s);
    begun = uv_hrtime();
    while (uv_hrtime() - begun < UINT64_C(200000000)) {
        send(a.fd, "{\"type\":\"status\",\"ref\":1}\n", 26, MSG_NOSIGNAL);
        uv_run(&s.loop, UV_RUN_NOWAIT);
        read(a.fd, (char[4096]){0}, 4096);
    }
    assert_in_range(s.asked, CONTROL_BURST, CONTROL_BURST + 2 * 200 / CONTROL_INTERVAL_MS + 2);
    ask_end(&a, &s);
    end(&s);
}

/* As a shell does: printf … | socat - UNIX:… */
static void a_client_that_closes_its_side_is_answered_first(void **state)
{
    struct served s;
    struct asking a;

    (void)state;
    begin(&s);
    s.refreshes = true;
    ask_begin(&a, &s);
    expect(&a, &s, "hello");
    ask(&a, "{\"type\":\"status\",\"ref\":1}\n");
    shutdown(a.fd, SHUT_WR);
    turn(&s);
    control_refreshed(s.control);
    expect(&a, &s, "done");
    assert_null(next_line(&a, &s, WAIT_MS));
    assert_true(a.ended);
    ask_end(&a, &s);
    end(&s);
}

static void readers_leave_room_for_who_may_change(void **state)
{
    struct asking clients[CONTROL_CLIENTS + 1];
    const size_t readers = CONTROL_CLIENTS - CONTROL_CLIENTS_KEPT;
    struct served s;

    (void)state;
    begin(&s);
    connecting_uid = geteuid() + 4711;
    for (size_t i = 0; i <= readers; i++) {
        ask_begin(&clients[i], &s);
        expect(&clients[i], &s, i < readers ? "hello" : "too-many-clients");
    }
    assert_null(next_line(&clients[readers], &s, WAIT_MS));
    assert_true(clients[readers].ended);
    connecting_uid = geteuid();
    ask_begin(&clients[readers + 1], &s);
    expect(&clients[readers + 1], &s, "hello");
    for (size_t i = 0; i <= readers + 1; i++)
        ask_end(&clients[i], &s);
    ask_begin(&clients[0], &s);
    expect(&clients[0], &s, "hello");
    ask_end(&clients[0], &s);
    end(&s);
}

static void the_socket_is_for_its_owner_and_group(void **state)
{
    struct served s;
    struct stat about;

    (void)state;
    begin(&s);
    assert_int_equal(stat(s.path, &about), 0);
    assert_int_equal(about.st_mode & 07777, 0660);
    end(&s);
}

static void a_socket_that_was_left_is_replaced_and_a_live_one_is_not(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct control_socket first, second;
    char folder[] = "/tmp/test-control-XXXXXX", path[64];
    struct error err;
    int left;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/x.sock", folder);
    strcpy(address.sun_path, path);
    left = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(left, (const struct sockaddr *)&address, sizeof address), 0);
    close(left);
    assert_int_equal(control_socket_open(&first, path, &err), 0);
    assert_int_equal(control_socket_open(&second, path, &err), -EADDRINUSE);
    assert_string_equal(err.code, "control-in-use");
    assert_non_null(strstr(err.message, path));
    control_socket_close(&second, path);
    close(connect_to(path)); /* the first still listens */
    control_socket_close(&first, path);
    assert_int_equal(access(path, F_OK), -1);
    rmdir(folder);
}

static void what_is_no_socket_is_left_alone(void **state)
{
    char folder[] = "/tmp/test-control-XXXXXX", path[64];
    struct control_socket made;
    struct error err;
    FILE *file;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/x.sock", folder);
    file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(control_socket_open(&made, path, &err), -EEXIST);
    assert_int_equal(access(path, F_OK), 0);
    unlink(path);
    rmdir(folder);
}

/* A broker that ends late does not take its successor's socket away. */
static void another_ones_socket_is_not_removed(void **state)
{
    char folder[] = "/tmp/test-control-XXXXXX", path[64];
    struct control_socket old, new;
    struct error err;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/x.sock", folder);
    assert_int_equal(control_socket_open(&old, path, &err), 0);
    unlink(path);
    assert_int_equal(control_socket_open(&new, path, &err), 0);
    control_socket_close(&old, path);
    assert_int_equal(access(path, F_OK), 0);
    control_socket_close(&new, path);
    rmdir(folder);
}

static void a_folder_is_made_and_given_to_the_user(void **state)
{
    char folder[] = "/tmp/test-control-XXXXXX", path[128], inner[64];
    struct stat about;
    struct error err;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(inner, sizeof inner, "%s/inner", folder);
    snprintf(path, sizeof path, "%s/x.sock", inner);
    if (geteuid() == 0) {
        assert_int_equal(control_socket_make_folder(path, 4711, 4712, &err), 0);
        assert_int_equal(stat(inner, &about), 0);
        assert_int_equal(about.st_uid, 4711);
        assert_int_equal(about.st_gid, 4712);
        assert_int_equal(about.st_mode & 07777, 0755);
        /* One that is there is somebody's already. */
        assert_int_equal(control_socket_make_folder(path, 1, 1, &err), 0);
        assert_int_equal(stat(inner, &about), 0);
        assert_int_equal(about.st_uid, 4711);
        rmdir(inner);
    }
    snprintf(path, sizeof path, "%s/missing/too/x.sock", folder);
    assert_true(control_socket_make_folder(path, geteuid(), getegid(), &err) < 0);
    assert_non_null(strstr(err.message, "$.control"));
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_is_greeted_and_told_what_it_may),
        cmocka_unit_test(each_request_is_answered_with_its_ref),
        cmocka_unit_test(nobody_is_asked_for_numbers_until_a_client_asks),
        cmocka_unit_test(clients_wait_together_for_fresh_numbers),
        cmocka_unit_test(old_numbers_are_told_where_fresh_ones_do_not_come),
        cmocka_unit_test(a_bad_line_is_told_and_the_stream_goes_on),
        cmocka_unit_test(only_root_and_the_owner_change_something),
        cmocka_unit_test(who_may_only_ask_gets_through_with_what_only_reads),
        cmocka_unit_test(a_reload_says_what_changed_or_why_it_failed),
        cmocka_unit_test(events_go_to_those_who_asked),
        cmocka_unit_test(a_client_that_does_not_read_is_dropped_with_the_reason),
        cmocka_unit_test(a_dropped_client_that_never_reads_is_gone_after_a_while),
        cmocka_unit_test(a_client_that_asks_much_and_reads_late_gets_it_all),
        cmocka_unit_test(a_client_that_asks_without_end_is_slowed_down),
        cmocka_unit_test(a_client_that_closes_its_side_is_answered_first),
        cmocka_unit_test(readers_leave_room_for_who_may_change),
        cmocka_unit_test(the_socket_is_for_its_owner_and_group),
        cmocka_unit_test(a_socket_that_was_left_is_replaced_and_a_live_one_is_not),
        cmocka_unit_test(what_is_no_socket_is_left_alone),
        cmocka_unit_test(another_ones_socket_is_not_removed),
        cmocka_unit_test(a_folder_is_made_and_given_to_the_user),
    };

    signal(SIGPIPE, SIG_IGN);
    log_open("test_control", false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
