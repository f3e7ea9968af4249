/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * rename, remove, introduce and accept: one request each.
 */
#include <stdio.h>
#include <stdlib.h>

#include "punchguard/client.h"
#include "punchguard/snapshot.h"

enum { OPTION_INBOUND = OPTION_OWN };

static const struct option accept_options[] = {
    {"inbound", required_argument, NULL, OPTION_INBOUND},
    {NULL, 0, NULL, 0},
};

struct listing {
    const struct context *context;
    size_t count;
};

static void on_introduction(void *data, const struct message *m, const char *line)
{
    const struct message_control_introduction *told = &m->control_introduction;
    struct listing *listing = data;
    char *object;

    if (m->type != MESSAGE_control_introduction)
        return;
    if (listing->context->json) {
        object = snapshot_object(line);
        printf("%s%s", listing->count > 0 ? "," : "", object != NULL ? object : "{}");
        free(object);
    } else {
        printf("%s  %s  introduced by %s\n", told->peer, told->id, told->by);
    }
    listing->count++;
}

static enum outcome call(const struct context *context, struct message *request,
                         struct listing *listing)
{
    enum outcome outcome =
        client_ask(context, request, listing != NULL ? on_introduction : NULL, listing);

    if (outcome == OUTCOME_OK && context->json && listing == NULL)
        puts("{}");
    return outcome;
}

static enum outcome run_rename(struct context *context, int argc, char **argv)
{
    struct message m;

    command_option(context, argc, argv, "", NULL, 2, 2);
    message_init(&m, MESSAGE_control_rename);
    m.control_rename.peer = argv[optind];
    m.control_rename.name = argv[optind + 1];
    return call(context, &m, NULL);
}

static enum outcome run_remove(struct context *context, int argc, char **argv)
{
    struct message m;

    command_option(context, argc, argv, "", NULL, 1, 1);
    message_init(&m, MESSAGE_control_remove);
    m.control_remove.peer = argv[optind];
    return call(context, &m, NULL);
}

static enum outcome run_introduce(struct context *context, int argc, char **argv)
{
    struct message m;

    command_option(context, argc, argv, "", NULL, 2, 2);
    message_init(&m, MESSAGE_control_introduce);
    m.control_introduce.peer = argv[optind];
    m.control_introduce.other = argv[optind + 1];
    return call(context, &m, NULL);
}

static enum outcome list(const struct context *context)
{
    struct listing listing = {.context = context};
    enum outcome outcome;
    struct message m;

    message_init(&m, MESSAGE_control_introductions);
    if (context->json)
        putchar('[');
    outcome = call(context, &m, &listing);
    if (context->json)
        puts("]");
    else if (outcome == OUTCOME_OK && listing.count == 0)
        puts("nobody waits to be accepted");
    return outcome;
}

static enum outcome run_accept(struct context *context, int argc, char **argv)
{
    char *inbound = NULL;
    struct message m;

    while (command_option(context, argc, argv, "", accept_options, 0, 1) != -1)
        inbound = command_inbound(optarg);
    if (optind == argc && inbound != NULL)
        return command_failf(OUTCOME_USAGE, "--inbound: of which device? A name of the list that "
                                            "'punchguard accept' prints is right");
    if (optind == argc)
        return list(context);
    message_init(&m, MESSAGE_control_accept);
    m.control_accept.inbound = inbound;
    m.control_accept.peer = argv[optind];
    return call(context, &m, NULL);
}

const struct command command_introduce = {
    .name = "introduce",
    .arguments = "PEER PEER",
    .summary = "Tell two peers of each other; each asks its person whether it accepts",
    .help = "",
    .run = run_introduce,
};

const struct command command_accept = {
    .name = "accept",
    .arguments = "[[--inbound WHAT] PEER]",
    .summary = "Take a device as a peer that another peer introduced; list those that wait",
    .help =
        "      --inbound WHAT\n"
        "               what it may begin here: all (this is what it is else), none, or a list\n"
        "               such as tcp/22,icmp\n",
    .run = run_accept,
};

const struct command command_rename = {
    .name = "rename",
    .arguments = "PEER NAME",
    .summary = "Call a peer that joined by another name; its tunnel is made anew",
    .help = "",
    .run = run_rename,
};

const struct command command_remove = {
    .name = "remove",
    .arguments = "PEER",
    .summary = "Forget a peer that joined, and its keys; its tunnel ends at once",
    .help = "",
    .run = run_remove,
};
