/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "punchguard/snapshot.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "protocol/json.h"

enum { PART_DEVICE, PART_TRANSPORTS, PART_PEERS, PARTS };

struct taking {
    struct snapshot *snapshot;
    struct {
        FILE *file;
        char *text;
        size_t size;
    } json[PARTS];
    bool failed;
};

char *snapshot_object(const char *line)
{
    struct json *document = json_parse(line, strlen(line), NULL);
    const char *comma = "", *key;
    char *text = NULL;
    struct json_at root, value;
    size_t size;
    FILE *out = document != NULL ? open_memstream(&text, &size) : NULL;

    if (out == NULL) {
        json_destroy(document);
        return NULL;
    }
    root = json_root(document);
    fputc('{', out);
    for (size_t i = 0; (key = json_key(&root, i)) != NULL; i++) {
        char *member;

        if (strcmp(key, "type") == 0 || strcmp(key, "ref") == 0 || !json_member(&root, key, &value))
            continue;
        member = json_text(&value);
        fprintf(out, "%s\"%s\":%s", comma, key, member != NULL ? member : "null");
        comma = ",";
        free(member);
    }
    fputc('}', out);
    json_destroy(document);
    return fclose(out) == 0 ? text : NULL;
}

static bool decode_again(const char *line, struct message *m)
{
    return message_decode(line, strlen(line), ROLE_CONTROL, FROM_HELPER, m, NULL, NULL) == 0;
}

static void add_json(FILE *out, const char *line, bool first)
{
    char *object = snapshot_object(line);

    fprintf(out, "%s%s", first ? "" : ",", object != NULL ? object : "{}");
    free(object);
}

static void add_message(struct taking *taking, struct message **list, size_t *count, FILE *json,
                        const char *line)
{
    struct message *grown = realloc(*list, (*count + 1) * sizeof **list);

    if (grown != NULL)
        *list = grown;
    if (grown == NULL || !decode_again(line, &grown[*count])) {
        taking->failed = true;
        return;
    }
    add_json(json, line, *count == 0);
    (*count)++;
}

static void on_answer(void *data, const struct message *m, const char *line)
{
    struct taking *taking = data;
    struct snapshot *s = taking->snapshot;

    if (m->type == MESSAGE_status_device && s->device.type == MESSAGE_NONE) {
        taking->failed |= !decode_again(line, &s->device);
        add_json(taking->json[PART_DEVICE].file, line, true);
    } else if (m->type == MESSAGE_status_transport) {
        add_message(taking, &s->transports, &s->transport_count, taking->json[PART_TRANSPORTS].file,
                    line);
    } else if (m->type == MESSAGE_status_peer) {
        add_message(taking, &s->peers, &s->peer_count, taking->json[PART_PEERS].file, line);
    }
}

static int64_t clock_ms(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* All parts, or none. */
static bool parts_open(struct taking *taking)
{
    bool all = true;

    for (size_t i = 0; i < PARTS; i++) {
        taking->json[i].file = open_memstream(&taking->json[i].text, &taking->json[i].size);
        all &= taking->json[i].file != NULL;
    }
    return all;
}

static void parts_close(struct taking *taking)
{
    for (size_t i = 0; i < PARTS; i++)
        if (taking->json[i].file != NULL && fclose(taking->json[i].file) != 0)
            taking->failed = true;
}

static enum outcome parts_join(struct taking *taking, struct error *err)
{
    if (taking->snapshot->device.type == MESSAGE_NONE) {
        error_set(err, "protocol", "the broker says nothing of its device");
        return OUTCOME_FAILED;
    }
    if (!taking->failed &&
        asprintf(&taking->snapshot->json, "{\"device\":%s,\"transports\":[%s],\"peers\":[%s]}",
                 taking->json[PART_DEVICE].text, taking->json[PART_TRANSPORTS].text,
                 taking->json[PART_PEERS].text) >= 0)
        return OUTCOME_OK;
    taking->snapshot->json = NULL;
    error_set(err, "no-memory", "out of memory");
    return OUTCOME_FAILED;
}

enum outcome snapshot_take(struct snapshot *snapshot, struct client *client, const char *peer,
                           struct error *err)
{
    struct taking taking = {.snapshot = snapshot};
    struct message request;
    enum outcome outcome = OUTCOME_FAILED;

    memset(snapshot, 0, sizeof *snapshot);
    error_set(err, "no-memory", "out of memory");
    if (parts_open(&taking)) {
        message_init(&request, MESSAGE_control_status);
        request.control_status.peer = (char *)(uintptr_t)peer;
        outcome = client_call(client, &request, on_answer, &taking, err);
    }
    parts_close(&taking);
    if (outcome == OUTCOME_OK)
        outcome = parts_join(&taking, err);
    for (size_t i = 0; i < PARTS; i++)
        free(taking.json[i].text);
    snapshot->taken_ms = clock_ms(CLOCK_MONOTONIC);
    snapshot->wall_s = clock_ms(CLOCK_REALTIME) / 1000;
    if (outcome != OUTCOME_OK)
        snapshot_clear(snapshot);
    return outcome;
}

void snapshot_clear(struct snapshot *snapshot)
{
    message_clear(&snapshot->device);
    for (size_t i = 0; i < snapshot->transport_count; i++)
        message_clear(&snapshot->transports[i]);
    for (size_t i = 0; i < snapshot->peer_count; i++)
        message_clear(&snapshot->peers[i]);
    free(snapshot->transports);
    free(snapshot->peers);
    free(snapshot->json);
    memset(snapshot, 0, sizeof *snapshot);
}
