/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "protocol/json.h"
#include "punchguard/client.h"
#include "punchguard/layout.h"

/* One event: "12:00:00.123 path peer=home kind=direct". */
static void print_event(const char *line)
{
    struct json *document = json_parse(line, strlen(line), NULL);
    const char *key, *time = "", *type = "";
    struct json_at root, at;

    if (document == NULL)
        return;
    root = json_root(document);
    if (json_member(&root, "time", &at))
        json_as_string(&at, &time, NULL);
    if (json_member(&root, "type", &at))
        json_as_string(&at, &type, NULL);
    layout_print(stdout, time, 0);
    printf("  %-9s", type);
    for (size_t i = 0; (key = json_key(&root, i)) != NULL; i++) {
        char *text;

        if (strcmp(key, "time") == 0 || strcmp(key, "type") == 0 || strcmp(key, "mono_ms") == 0 ||
            !json_member(&root, key, &at))
            continue;
        text = json_text(&at);
        putchar(' ');
        layout_print(stdout, key, 0);
        putchar('=');
        layout_print(stdout, text != NULL ? text : "", 0);
        free(text);
    }
    putchar('\n');
    json_destroy(document);
}

/* What has no time is no event: the broker's last word to this client. */
static enum outcome not_an_event(const char *line, struct error *err)
{
    struct message m;

    if (message_decode(line, strlen(line), ROLE_CONTROL, FROM_HELPER, &m, NULL, NULL) < 0)
        return OUTCOME_OK;
    if (m.type != MESSAGE_control_error) {
        message_clear(&m);
        return OUTCOME_OK;
    }
    error_set(err, m.control_error.code, "%s", m.control_error.message);
    message_clear(&m);
    return OUTCOME_FAILED;
}

/* Of whatever type: later brokers know more of them. */
static bool is_event(const char *line)
{
    struct json *document = json_parse(line, strlen(line), NULL);
    struct json_at root, time;
    bool has_time;

    if (document == NULL)
        return false;
    root = json_root(document);
    has_time = json_as_object(&root, NULL, NULL) == 0 && json_member(&root, "time", &time);
    json_destroy(document);
    return has_time;
}

static enum outcome print_events(struct client *client, const struct context *context,
                                 struct error *err)
{
    enum outcome outcome = OUTCOME_OK;

    while (outcome == OUTCOME_OK) {
        char *line;

        outcome = client_line(client, -1, &line, err);
        if (outcome != OUTCOME_OK || line == NULL)
            continue;
        if (!is_event(line))
            outcome = not_an_event(line, err);
        else if (context->json)
            puts(line);
        else
            print_event(line);
        if (command_reader_gone() || ferror(stdout))
            return OUTCOME_OK; /* or main() says what failed */
    }
    return outcome;
}

static enum outcome run(struct context *context, int argc, char **argv)
{
    struct client *client;
    struct message m;
    struct error err;
    enum outcome outcome;

    command_option(context, argc, argv, "", NULL, 0, 0);
    outcome = client_connect(&client, context, &err);
    if (outcome == OUTCOME_OK) {
        message_init(&m, MESSAGE_control_events);
        outcome = client_call(client, &m, NULL, NULL, &err);
    }
    if (outcome == OUTCOME_OK)
        outcome = print_events(client, context, &err);
    client_close(client);
    return outcome == OUTCOME_OK ? outcome : command_fail(outcome, &err);
}

const struct command command_events = {
    .name = "events",
    .arguments = "",
    .summary = "Print events as they come: paths, presence, handshakes, helpers, errors",
    .help = "",
    .run = run,
};
