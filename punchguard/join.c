/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "protocol/interface.h"
#include "protocol/invitation.h"
#include "punchguard/starting.h"

/* wg-setup gathers changes for 200 ms before it writes /etc/hosts. */
#define NAME_TRIES  20
#define NAME_TRY_MS 25

enum { OPTION_NAME = OPTION_OWN, OPTION_INBOUND, OPTION_TIMEOUT, OPTION_NO_WAIT };

static const struct option options[] = {
    {"name", required_argument, NULL, OPTION_NAME},
    {"inbound", required_argument, NULL, OPTION_INBOUND},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"no-wait", no_argument, NULL, OPTION_NO_WAIT},
    {NULL, 0, NULL, 0},
};

struct joining {
    const struct context *context;
    struct client *events, *client;
    char *name, *inbound;
    char peer[PEER_NAME_MAX + 1];
    char address[PREFIX_TEXT_SIZE]; /* to be pinged */
    char *answer;                   /* as an object */
    bool joined, connected;
    int64_t deadline;
    struct error err;
};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void progress(const struct joining *joining, const char *format, const char *what)
{
    if (joining->context->json)
        return;
    fprintf(stderr, format, what);
    fputc('\n', stderr);
}

static void on_answer(void *data, const struct message *m, const char *line)
{
    struct joining *joining = data;
    const struct strings *overlay = &m->control_joining.overlay;
    char *slash;

    if (m->type != MESSAGE_control_joining || joining->answer != NULL)
        return;
    snprintf(joining->peer, sizeof joining->peer, "%s", m->control_joining.peer);
    if (overlay->count > 0)
        snprintf(joining->address, sizeof joining->address, "%s",
                 overlay->items[overlay->count - 1]);
    slash = strchr(joining->address, '/');
    if (slash != NULL)
        *slash = '\0';
    joining->answer = snapshot_object(line);
}

/* Who has an invitation has all that is needed: a device that never ran a broker may join. */
static enum outcome have_broker(struct joining *joining)
{
    struct starting starting = {.context = joining->context,
                                .log = STARTING_LOG_DEFAULT,
                                .timeout_ms = joining->deadline - now_ms()};
    struct snapshot snapshot = {0};
    enum outcome outcome = client_connect(&joining->client, joining->context, &joining->err);

    if (outcome == OUTCOME_OK || joining->context->socket != NULL || geteuid() != 0)
        return outcome;
    outcome = starting_run(&starting, &snapshot);
    snapshot_clear(&snapshot);
    joining->client = starting.client;
    joining->err = starting.err;
    return outcome;
}

/* Events are asked for first, so that none is missed. */
static enum outcome ask(struct joining *joining, char *text)
{
    enum outcome outcome = have_broker(joining);
    struct message m;

    if (outcome == OUTCOME_OK)
        outcome = client_connect(&joining->events, joining->context, &joining->err);
    if (outcome == OUTCOME_OK) {
        message_init(&m, MESSAGE_control_events);
        outcome = client_call(joining->events, &m, NULL, NULL, &joining->err);
    }
    if (outcome == OUTCOME_OK) {
        message_init(&m, MESSAGE_control_join);
        m.control_join.text = text;
        m.control_join.peer = joining->name;
        m.control_join.inbound = joining->inbound;
        outcome = client_call(joining->client, &m, on_answer, joining, &joining->err);
    }
    return outcome;
}

static bool is_of(const struct joining *joining, const char *peer)
{
    return peer != NULL && strcmp(peer, joining->peer) == 0;
}

static void take_address(struct joining *joining, const struct strings *allowed)
{
    for (size_t i = 0; i < allowed->count; i++) {
        const char *slash = strchr(allowed->items[i], '/');
        size_t length = slash != NULL ? (size_t)(slash - allowed->items[i]) : 0;

        if (length > 0 && strcmp(slash, "/32") == 0 && length < sizeof joining->address) {
            memcpy(joining->address, allowed->items[i], length);
            joining->address[length] = '\0';
            return;
        }
    }
}

/* The tunnel of a peer that joins once more may stand already: then no handshake follows. */
static void look(struct joining *joining)
{
    struct snapshot snapshot;
    struct error err;

    if (snapshot_take(&snapshot, joining->client, joining->peer, &err) != OUTCOME_OK)
        return;
    if (snapshot.peer_count > 0) {
        const struct message_status_peer *peer = &snapshot.peers[0].status_peer;

        joining->connected |= strcmp(peer->state, "connected") == 0;
        take_address(joining, &peer->allowed_ips);
    }
    snapshot_clear(&snapshot);
}

static enum outcome take_pairing(struct joining *joining, const struct message_event_pairing *event)
{
    if (!is_of(joining, event->peer) || strcmp(event->state, "joining") == 0)
        return OUTCOME_OK;
    if (strcmp(event->state, "joined") == 0) {
        joining->joined = true;
        look(joining);
        if (!joining->connected)
            progress(joining, "%s has accepted this device; waiting for the tunnel", joining->peer);
        return OUTCOME_OK;
    }
    error_set(&joining->err, event->state, "%s",
              event->reason != NULL ? event->reason : event->state);
    return OUTCOME_FAILED;
}

static enum outcome take_event(struct joining *joining, const char *line)
{
    enum outcome outcome = OUTCOME_OK;
    struct message m;

    if (message_decode(line, strlen(line), ROLE_EVENT, FROM_HELPER, &m, NULL, NULL) < 0)
        return OUTCOME_OK;
    if (m.type == MESSAGE_event_pairing)
        outcome = take_pairing(joining, &m.event_pairing);
    else if (m.type == MESSAGE_event_handshake && is_of(joining, m.event_handshake.peer))
        joining->joined = joining->connected = true;
    message_clear(&m);
    return outcome;
}

static enum outcome await_tunnel(struct joining *joining)
{
    enum outcome outcome = OUTCOME_OK;

    while (outcome == OUTCOME_OK && !joining->connected) {
        int64_t left = joining->deadline - now_ms();
        char *line;

        if (left <= 0)
            return OUTCOME_TIMEOUT;
        outcome = client_line(joining->events, (int)left, &line, &joining->err);
        if (outcome == OUTCOME_OK && line != NULL)
            outcome = take_event(joining, line);
    }
    return outcome;
}

static void print_json(const struct joining *joining)
{
    const char *state = joining->connected ? "connected" : joining->joined ? "joined" : "joining";
    size_t length = joining->answer != NULL ? strlen(joining->answer) : 0;

    if (length > 1)
        printf("%.*s,\"state\":\"%s\"}\n", (int)(length - 1), joining->answer, state);
}

/* gethostent(3) asks no server. */
static const char *name_of(const struct in_addr *address)
{
    const struct hostent *entry;

    sethostent(0);
    while ((entry = gethostent()) != NULL)
        if (entry->h_addrtype == AF_INET &&
            memcmp(entry->h_addr_list[0], address, sizeof *address) == 0)
            return entry->h_name;
    return NULL;
}

/* What /etc/hosts calls the new peer, which wg-setup writes there a moment later; its address where
 * there is no name in time. */
static const char *called(const struct joining *joining)
{
    struct in_addr address;
    const char *name = NULL;

    if (inet_pton(AF_INET, joining->address, &address) != 1)
        return joining->address;
    for (int tries = 0; name == NULL && tries < NAME_TRIES; tries++) {
        poll(NULL, 0, tries > 0 ? NAME_TRY_MS : 0);
        name = name_of(&address);
    }
    return name != NULL ? name : joining->address;
}

static void print_done(const struct joining *joining)
{
    if (joining->context->json)
        print_json(joining);
    else if (joining->connected)
        printf("%s is a peer now: ping %s\n", joining->peer, called(joining));
    else
        printf("this device asks %s until it is answered; 'punchguard status' says how it stands\n",
               joining->peer);
}

static enum outcome join(struct joining *joining, char *text, bool wait)
{
    struct invitation invitation;
    enum outcome outcome;

    /* A mistyped group is told also where no broker runs. */
    if (invitation_decode(text, &invitation, &joining->err) < 0)
        return OUTCOME_USAGE;
    outcome = ask(joining, text);
    if (outcome != OUTCOME_OK)
        return outcome;
    progress(joining, "asking %s", joining->peer);
    if (wait)
        outcome = await_tunnel(joining);
    if (outcome == OUTCOME_OK || outcome == OUTCOME_TIMEOUT)
        print_done(joining);
    if (outcome == OUTCOME_TIMEOUT)
        error_set(&joining->err, "timeout", "%s",
                  joining->joined
                      ? "no tunnel yet"
                      : "no answer yet: the other device may be off or out of reach, or this is no "
                        "invitation that it has now (a wrong secret is never answered); there, "
                        "'punchguard invite --list' shows those that are open");
    return outcome;
}

/* A text with blanks in it may come as several words, or on standard input, where others do not
 * see it. */
static char *gather_text(int argc, char **argv)
{
    static char text[16384];
    size_t used = 0;

    if (argc == 1 && strcmp(argv[0], "-") == 0) {
        used = fread(text, 1, sizeof text - 1, stdin);
        text[used] = '\0';
        return text;
    }
    for (int i = 0; i < argc && used < sizeof text; i++)
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "%s%s", i > 0 ? " " : "", argv[i]);
    return text;
}

static enum outcome run(struct context *context, int argc, char **argv)
{
    struct joining joining = {.context = context};
    enum outcome outcome;
    bool wait = true;
    long timeout = 60;
    int option;

    while ((option = command_option(context, argc, argv, "", options, 1, 1000)) != -1) {
        if (option == OPTION_NAME)
            joining.name = optarg;
        else if (option == OPTION_INBOUND)
            joining.inbound = command_inbound(optarg);
        else if (option == OPTION_TIMEOUT)
            timeout = command_number("--timeout", optarg, 1, 86400);
        else
            wait = false;
    }
    joining.deadline = now_ms() + timeout * 1000;
    outcome = join(&joining, gather_text(argc - optind, argv + optind), wait);
    client_close(joining.events);
    client_close(joining.client);
    free(joining.answer);
    return outcome == OUTCOME_OK ? outcome : command_fail(outcome, &joining.err);
}

const struct command command_join = {
    .name = "join",
    .arguments = "[--name NAME] [--inbound WHAT] [--timeout S] [--no-wait] INVITATION | -",
    .summary = "Join the device that made the invitation: each is the other's peer then",
    .help = "      --name NAME  what that device is called here (its own name)\n"
            "      --inbound WHAT\n"
            "                   what it may begin here: all, none, or a list such as tcp/22,icmp\n"
            "                   (all, or for a device that is a peer already what it was)\n"
            "      --timeout S  how long to wait for the tunnel, in seconds (60); the broker goes\n"
            "                   on asking afterwards, until the invitation expires\n"
            "      --no-wait    do not wait at all\n"
            "  Where no broker runs, one is started as by 'up'.\n"
            "  With '-' the invitation is read from standard input.\n",
    .run = run,
};
