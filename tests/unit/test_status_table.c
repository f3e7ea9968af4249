/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <ctype.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "punchguard/status_table.h"

/* A broker that says what it is told to, to one client. */
struct speaker {
    char path[64];
    int listener;
    const char *answers; /* after the greeting and one request */
    pthread_t thread;
};

#define HELLO "{\"type\":\"hello\",\"protocol\":1,\"version\":\"1\",\"changes\":false}\n"
#define DEVICE                                                                                     \
    "{\"type\":\"status-device\",\"ref\":1,\"id\":\"PG1\",\"name\":\"laptop\",\"ready\":true,"     \
    "\"interface\":\"pg0\",\"overlay\":[\"10.66.0.1/24\"],\"listen_port\":51820,"                  \
    "\"backend\":\"kernel\",\"uptime_ms\":61000,\"pid\":7,\"version\":\"1\"}\n"
#define TRANSPORT                                                                                  \
    "{\"type\":\"status-transport\",\"ref\":1,\"transport\":\"tox\",\"state\":\"down\","           \
    "\"reason\":\"it ended\"}\n"
#define CONNECTED(rx)                                                                              \
    "{\"type\":\"status-peer\",\"ref\":1,\"peer\":\"home\",\"id\":\"PG1\",\"state\":\"connected\"" \
    ",\"path\":\"direct\",\"endpoint\":{\"address\":\"203.0.113.5\",\"port\":41234},"              \
    "\"rtt_ms\":12,\"latest_handshake\":1000,\"rx_bytes\":" rx ",\"tx_bytes\":2048,"               \
    "\"online\":[\"tox\"],\"allowed_ips\":[]}\n"
#define RETRYING                                                                                   \
    "{\"type\":\"status-peer\",\"ref\":1,\"peer\":\"nas\",\"id\":\"PG1\",\"state\":\"retrying\","  \
    "\"path\":\"none\",\"reason\":\"no pair of addresses works\",\"retry_ms\":4100,"               \
    "\"rx_bytes\":0,\"tx_bytes\":0,\"online\":[],\"allowed_ips\":[]}\n"
#define DONE "{\"type\":\"done\",\"ref\":1}\n"

static void *speak(void *data)
{
    struct speaker *s = data;
    int fd = accept(s->listener, NULL, NULL);
    char request[256];

    if (fd < 0)
        return NULL;
    if (write(fd, HELLO, strlen(HELLO)) > 0 && read(fd, request, sizeof request) > 0)
        for (size_t sent = 0; sent < strlen(s->answers);) {
            ssize_t n = write(fd, s->answers + sent, strlen(s->answers) - sent);

            if (n <= 0)
                break;
            sent += (size_t)n;
        }
    close(fd);
    return NULL;
}

static void speaker_begin(struct speaker *s, const char *answers)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    s->answers = answers;
    snprintf(s->path, sizeof s->path, "/tmp/test-status-%d", (int)getpid());
    strcpy(address.sun_path, s->path);
    unlink(s->path);
    s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->listener, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(s->listener, 1), 0);
    assert_int_equal(pthread_create(&s->thread, NULL, speak, s), 0);
}

static void speaker_end(struct speaker *s)
{
    pthread_join(s->thread, NULL);
    close(s->listener);
    unlink(s->path);
}

static enum outcome take(struct snapshot *snapshot, const char *answers, struct error *err)
{
    struct speaker speaker;
    struct client *client;
    enum outcome outcome;

    speaker_begin(&speaker, answers);
    outcome = client_open(&client, speaker.path, err);
    if (outcome == OUTCOME_OK)
        outcome = snapshot_take(snapshot, client, NULL, err);
    client_close(client);
    speaker_end(&speaker);
    return outcome;
}

static struct snapshot taken(const char *answers)
{
    struct snapshot snapshot;
    struct error err;

    if (take(&snapshot, answers, &err) != OUTCOME_OK)
        fail_msg("%s", err.message);
    snapshot.wall_s = 1005;
    return snapshot;
}

static char *printed(const struct snapshot *snapshot, const struct snapshot *before, size_t width)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    status_print(snapshot, before, out, width, 0, "\n");
    fclose(out);
    return text;
}

static void the_status_is_a_table_and_says_why_there_is_no_path(void **state)
{
    struct snapshot s = taken(DEVICE TRANSPORT CONNECTED("260") RETRYING DONE);
    char *text = printed(&s, NULL, 0);

    (void)state;
    assert_string_equal(
        text, "laptop  pg0  10.66.0.1/24  up 1 min\n"
              "wireguard  ready: kernel, port 51820\n"
              "tox        down: it ended\n"
              "\n"
              "PEER  PATH    STATE      ENDPOINT             RTT  HANDSHAKE  RECEIVED     SENT\n"
              "home  direct  connected  203.0.113.5:41234  12 ms        5 s     260 B  2.0 KiB\n"
              "nas   none    retrying   -                      -          -       0 B      0 B\n"
              "  no pair of addresses works; tried again in 5 s\n");
    free(text);
    snapshot_clear(&s);
}

static void what_a_peer_goes_without_is_said_below_it(void **state)
{
    char answers[4096] = DEVICE CONNECTED("260") RETRYING DONE, *text, *at = answers;
    struct snapshot s;

    (void)state;
    while ((at = strstr(at, "\"type\":\"status-peer\",")) != NULL) {
        static const char note[] = "\"note\":\"without 100.64.0.9\",";

        memmove(at + sizeof note - 1, at, strlen(at) + 1);
        memcpy(at, note, sizeof note - 1);
        at += sizeof note;
        at = strstr(at, "status-peer");
    }
    s = taken(answers);
    text = printed(&s, NULL, 0);
    assert_non_null(strstr(text, "2.0 KiB\n  without 100.64.0.9\n"));
    assert_non_null(strstr(text, "tried again in 5 s; without 100.64.0.9\n"));
    free(text);
    snapshot_clear(&s);
}

static void an_old_handshake_is_marked(void **state)
{
    struct snapshot s = taken(DEVICE CONNECTED("0") DONE);
    char *text;

    (void)state;
    s.wall_s = 1000 + 600;
    text = printed(&s, NULL, 0);
    assert_non_null(strstr(text, "10 min (old)"));
    free(text);
    snapshot_clear(&s);
}

static void a_later_status_tells_rates(void **state)
{
    struct snapshot before = taken(DEVICE CONNECTED("1024") DONE);
    struct snapshot now = taken(DEVICE CONNECTED("11264") RETRYING DONE);
    char *text;

    (void)state;
    before.taken_ms = 5000;
    now.taken_ms = 7000;
    text = printed(&now, &before, 0);
    assert_non_null(strstr(text, "5.0 KiB/s  0 B/s\n"));
    free(text);
    snapshot_clear(&before);
    snapshot_clear(&now);
}

static void json_has_all_without_the_answers_frame(void **state)
{
    struct snapshot s = taken(DEVICE TRANSPORT CONNECTED("1") RETRYING DONE);

    (void)state;
    assert_int_equal(strncmp(s.json, "{\"device\":{\"id\":\"PG1\",\"name\":\"laptop\",", 37), 0);
    assert_non_null(strstr(s.json, "\"transports\":[{\"transport\":\"tox\""));
    assert_non_null(strstr(s.json, "},{\"peer\":\"nas\""));
    assert_null(strstr(s.json, "\"ref\""));
    assert_null(strstr(s.json, "\"type\""));
    snapshot_clear(&s);
}

static void a_broker_that_says_too_little_is_told(void **state)
{
    struct snapshot s;
    struct error err;

    (void)state;
    assert_int_equal(take(&s, DONE, &err), OUTCOME_FAILED);
    assert_int_equal(take(&s, DEVICE, &err), OUTCOME_NOT_RUNNING);
    assert_int_equal(take(&s,
                          "{\"type\":\"error\",\"code\":\"no-such-peer\",\"message\":\"x\","
                          "\"ref\":1}\n",
                          &err),
                     OUTCOME_NO_SUCH_PEER);
    assert_int_equal(
        take(&s, "{\"type\":\"error\",\"code\":\"too-slow\",\"message\":\"why\"}\n", &err),
        OUTCOME_FAILED);
    assert_string_equal(err.message, "why");
}

/* Answers to others' requests and what a newer broker says are passed over. */
static void what_is_not_known_is_passed_over(void **state)
{
    struct snapshot s =
        taken("{\"type\":\"news\",\"ref\":1}\nnoise\n{\"type\":\"done\",\"ref\":9}\n" DEVICE
              "{\"type\":\"status-peer\",\"ref\":9,\"peer\":\"x\",\"id\":\"PG1\","
              "\"state\":\"lost\",\"path\":\"none\",\"rx_bytes\":0,\"tx_bytes\":0,"
              "\"online\":[],\"allowed_ips\":[]}\n" DONE);

    (void)state;
    assert_int_equal(s.peer_count, 0);
    snapshot_clear(&s);
}

static void nobody_listening_is_told_apart_from_nobody_answering(void **state)
{
    struct client *client;
    struct error err;

    (void)state;
    assert_int_equal(client_open(&client, "/nonexistent/x.sock", &err), OUTCOME_NOT_RUNNING);
    assert_non_null(strstr(err.message, "/nonexistent/x.sock"));
    assert_null(client);
    client_close(NULL);
}

/* The text format of node_exporter's textfile collector: HELP and TYPE once before a metric's
 * values. */
static void check_exposition(char *text)
{
    char current[128] = "", seen[8192] = "";

    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        char name[128], kind[32];
        size_t length;

        if (sscanf(line, "# TYPE %100s %30s", name, kind) == 2) {
            assert_true(strcmp(kind, "gauge") == 0 || strcmp(kind, "counter") == 0);
            assert_null(strstr(seen, name));
            strcat(strcat(seen, name), " ");
            strcpy(current, name);
            continue;
        }
        if (line[0] == '#')
            continue;
        length = strcspn(line, "{ ");
        assert_int_equal(length, strlen(current));
        assert_int_equal(strncmp(line, current, length), 0);
        assert_true(isdigit((unsigned char)strrchr(line, ' ')[1]));
    }
}

static char *metrics(const struct snapshot *snapshot)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    metrics_print(snapshot, out);
    fclose(out);
    return text;
}

static void metrics_are_what_the_textfile_collector_reads(void **state)
{
    struct snapshot s = taken(DEVICE TRANSPORT CONNECTED("9007199254740991") RETRYING DONE);
    char *text = metrics(&s);

    (void)state;
    assert_non_null(strstr(text, "\npunchguard_up 1\n"));
    assert_non_null(strstr(text, "\npunchguard_peer_path{peer=\"home\",path=\"direct\"} 1\n"));
    assert_non_null(strstr(text, "\npunchguard_peer_path{peer=\"nas\",path=\"none\"} 1\n"));
    assert_non_null(strstr(text, "\npunchguard_peer_rtt_seconds{peer=\"home\"} 0.012\n"));
    assert_null(strstr(text, "punchguard_peer_rtt_seconds{peer=\"nas\"}"));
    assert_non_null(
        strstr(text, "\npunchguard_peer_receive_bytes_total{peer=\"home\"} 9007199254740991\n"));
    assert_non_null(strstr(text, "\npunchguard_transport_ready{transport=\"tox\"} 0\n"));
    check_exposition(text);
    free(text);
    snapshot_clear(&s);
}

static void labels_are_escaped(void **state)
{
    struct snapshot s = taken(DEVICE DONE);
    char *text;

    (void)state;
    free(s.device.status_device.name);
    s.device.status_device.name = strdup("a\"b\\c\nd");
    text = metrics(&s);
    assert_non_null(strstr(text, "name=\"a\\\"b\\\\c\\nd\""));
    free(text);
    snapshot_clear(&s);
}

static void without_a_broker_there_is_one_metric(void **state)
{
    char *text = metrics(NULL);

    (void)state;
    assert_non_null(strstr(text, "\npunchguard_up 0\n"));
    assert_null(strstr(text, "punchguard_info"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_status_is_a_table_and_says_why_there_is_no_path),
        cmocka_unit_test(what_a_peer_goes_without_is_said_below_it),
        cmocka_unit_test(an_old_handshake_is_marked),
        cmocka_unit_test(a_later_status_tells_rates),
        cmocka_unit_test(json_has_all_without_the_answers_frame),
        cmocka_unit_test(a_broker_that_says_too_little_is_told),
        cmocka_unit_test(what_is_not_known_is_passed_over),
        cmocka_unit_test(nobody_listening_is_told_apart_from_nobody_answering),
        cmocka_unit_test(metrics_are_what_the_textfile_collector_reads),
        cmocka_unit_test(labels_are_escaped),
        cmocka_unit_test(without_a_broker_there_is_one_metric),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
