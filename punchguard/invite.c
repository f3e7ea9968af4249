/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "punchguard/client.h"
#include "punchguard/layout.h"
#include "punchguard/qr.h"
#include "punchguard/snapshot.h"

enum {
    OPTION_NAME = OPTION_OWN,
    OPTION_EXPIRES,
    OPTION_INBOUND,
    OPTION_QR,
    OPTION_LIST,
    OPTION_CANCEL
};

static const struct option options[] = {
    {"name", required_argument, NULL, OPTION_NAME},
    {"expires", required_argument, NULL, OPTION_EXPIRES},
    {"inbound", required_argument, NULL, OPTION_INBOUND},
    {"qr", no_argument, NULL, OPTION_QR},
    {"list", no_argument, NULL, OPTION_LIST},
    {"cancel", required_argument, NULL, OPTION_CANCEL},
    {NULL, 0, NULL, 0},
};

struct inviting {
    const struct context *context;
    char *name, *inbound, *cancel;
    int64_t lifetime;
    bool qr, list;
    struct table table;
    size_t count;
};

/* "90m", "24h", "7d"; seconds without a letter. */
static int64_t read_lifetime(const char *text)
{
    static const struct {
        char letter;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    char *end;
    long number = strtol(text, &end, 10);

    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (number > 0 && number < 1000000000 &&
            ((*end == units[i].letter && end[1] == '\0') || (i == 0 && *end == '\0')))
            return number * units[i].seconds;
    command_failf(OUTCOME_USAGE, "--expires: '%s' is no time such as 90m, 24h or 7d", text);
    exit(OUTCOME_USAGE);
}

static void format_time(int64_t seconds, char out[40])
{
    time_t time = (time_t)seconds;
    struct tm parts;

    out[0] = '\0';
    if (localtime_r(&time, &parts) != NULL)
        strftime(out, 40, "%Y-%m-%d %H:%M %Z", &parts);
}

static void print_json(struct inviting *inviting, const char *line)
{
    char *object = snapshot_object(line);

    if (inviting->list)
        printf("%s%s", inviting->count++ > 0 ? "," : "[", object != NULL ? object : "{}");
    else
        printf("%s\n", object != NULL ? object : "{}");
    free(object);
}

static void print_invitation(const struct inviting *inviting,
                             const struct message_control_invitation *made)
{
    char until[40];

    printf("%s\n", made->text);
    format_time(made->expires, until);
    fprintf(stderr, "Good for one device until %s; on that device: punchguard join PGI1-…\n",
            until);
    if ((inviting->qr || isatty(STDOUT_FILENO)) && qr_print(made->text, stdout) == -E2BIG)
        fprintf(stderr, "it is too long for a QR code\n");
    if (made->transports.count == 0)
        fprintf(stderr, "No transport with addresses is ready: it leads here only over those "
                        "without, such as the local network.\n");
}

static void add_row(struct inviting *inviting, const struct message_control_invitation *made)
{
    struct table_row *row = table_add(&inviting->table);
    char until[40];

    if (row == NULL)
        return;
    format_time(made->expires, until);
    snprintf(row->cells[0], TABLE_CELL, "%s", made->invitation);
    snprintf(row->cells[1], TABLE_CELL, "%s", made->state);
    snprintf(row->cells[2], TABLE_CELL, "%s", made->peer != NULL ? made->peer : "-");
    snprintf(row->cells[3], TABLE_CELL, "%s", until);
    table_cell(row->cells[4], made->inbound);
    inviting->count++;
}

static void on_answer(void *data, const struct message *m, const char *line)
{
    struct inviting *inviting = data;

    if (m->type != MESSAGE_control_invitation)
        return;
    if (inviting->context->json)
        print_json(inviting, line);
    else if (inviting->list)
        add_row(inviting, &m->control_invitation);
    else
        print_invitation(inviting, &m->control_invitation);
}

static void print_list(struct inviting *inviting)
{
    if (inviting->context->json)
        puts(inviting->count > 0 ? "]" : "[]");
    else if (inviting->count == 0)
        puts("no invitations");
    else
        table_print(&inviting->table, stdout, 0, 0, "\n");
}

static enum outcome call(struct inviting *inviting, struct client *client, struct error *err)
{
    enum outcome outcome;
    struct message m;

    if (inviting->cancel != NULL) {
        message_init(&m, MESSAGE_control_cancel);
        m.control_cancel.invitation = inviting->cancel;
    } else if (inviting->list) {
        message_init(&m, MESSAGE_control_invitations);
    } else {
        message_init(&m, MESSAGE_control_invite);
        m.control_invite.peer = inviting->name;
        m.control_invite.inbound = inviting->inbound;
        if (inviting->lifetime > 0)
            m.control_invite.lifetime = inviting->lifetime;
    }
    outcome = client_call(client, &m, on_answer, inviting, err);
    if (outcome == OUTCOME_OK && inviting->list)
        print_list(inviting);
    else if (outcome == OUTCOME_OK && inviting->cancel != NULL && inviting->context->json)
        puts("{}");
    return outcome;
}

/* --list and --cancel go with no other: it would be ignored. */
static void check_options(const struct inviting *inviting)
{
    const struct {
        const char *name;
        bool given;
    } all[] = {
        {"--list", inviting->list},
        {"--cancel", inviting->cancel != NULL},
        {"--name", inviting->name != NULL},
        {"--inbound", inviting->inbound != NULL},
        {"--expires", inviting->lifetime > 0},
        {"--qr", inviting->qr},
    };

    for (size_t alone = 0; alone < 2; alone++)
        for (size_t i = alone + 1; i < sizeof all / sizeof all[0]; i++) {
            if (!all[alone].given || !all[i].given)
                continue;
            command_failf(OUTCOME_USAGE, "%s and %s do not go together", all[alone].name,
                          all[i].name);
            exit(OUTCOME_USAGE);
        }
}

static void read_options(struct inviting *inviting, struct context *context, int argc, char **argv)
{
    int option;

    while ((option = command_option(context, argc, argv, "", options, 0, 0)) != -1) {
        if (option == OPTION_NAME)
            inviting->name = optarg;
        else if (option == OPTION_EXPIRES)
            inviting->lifetime = read_lifetime(optarg);
        else if (option == OPTION_INBOUND)
            inviting->inbound = command_inbound(optarg);
        else if (option == OPTION_CANCEL)
            inviting->cancel = optarg;
        inviting->qr |= option == OPTION_QR;
        inviting->list |= option == OPTION_LIST;
    }
    check_options(inviting);
}

static enum outcome run(struct context *context, int argc, char **argv)
{
    struct inviting inviting = {
        .context = context,
        .table = {.columns = {{"INVITATION", false, 0},
                              {"STATE", false, 0},
                              {"PEER", false, 0},
                              {"UNTIL", false, 0},
                              {"INBOUND", false, 0}},
                  .column_count = 5},
    };
    struct client *client;
    struct error err;
    enum outcome outcome;

    read_options(&inviting, context, argc, argv);
    outcome = client_connect(&client, context, &err);
    if (outcome == OUTCOME_OK)
        outcome = call(&inviting, client, &err);
    client_close(client);
    table_clear(&inviting.table);
    return outcome == OUTCOME_OK ? outcome : command_fail(outcome, &err);
}

const struct command command_invite = {
    .name = "invite",
    .arguments =
        "[--name NAME] [--inbound WHAT] [--expires TIME] [--qr] | --list | --cancel INVITATION",
    .summary = "Invite another device: print the one text that it needs to join",
    .help =
        "      --name NAME     what the other device is called here (its own name)\n"
        "      --inbound WHAT  what it may begin here: all, none, or a list such as tcp/22,icmp\n"
        "                      (all, or for a device that is a peer already what it was)\n"
        "      --expires TIME  90m, 24h (this is what it is else) or 7d\n"
        "      --qr            as a QR code too, also where this is no terminal\n"
        "      --list          the invitations of this device\n"
        "      --cancel INVITATION\n"
        "                      take back one of that list\n",
    .run = run,
};
