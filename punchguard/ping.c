/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "punchguard/client.h"
#include "punchguard/echo.h"
#include "punchguard/snapshot.h"
#include "punchguard/status_table.h"

#define COUNT_DEFAULT   4
#define TIMEOUT_DEFAULT 60
/* From one request to the next, and what an answer may take, in ms. */
#define INTERVAL_MS 1000
/* While a path is awaited. */
#define INTERVAL_URGENT_MS 250

enum { OPTION_UNTIL_DIRECT = OPTION_OWN, OPTION_TIMEOUT };

static const struct option options[] = {
    {"count", required_argument, NULL, 'c'},
    {"until-direct", no_argument, NULL, OPTION_UNTIL_DIRECT},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {NULL, 0, NULL, 0},
};

struct pinging {
    const struct context *context;
    const char *peer;
    bool until_direct;
    long count, timeout_s; /* count 0: without end */
    struct client *client;
    struct echo echo;
    char address[64];
    uint16_t sequence;
    unsigned long sent, received;
    char said[720]; /* why there is no path, as it was said last */
    struct error err;
};

static volatile sig_atomic_t over;

static void on_end(int signal)
{
    (void)signal;
    over = 1;
}

static double now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1000 + (double)now.tv_nsec / 1e6;
}

static bool has_family(const struct strings *prefixes, int family)
{
    struct prefix prefix;

    for (size_t i = 0; i < prefixes->count; i++)
        if (prefix_parse(&prefix, prefixes->items[i], true, NULL) == 0 && prefix.family == family)
            return true;
    return false;
}

/* The first address that is the peer's alone, of a family that we have an address of too. */
static bool host_address(const struct strings *prefixes, const struct strings *ours, char out[64])
{
    for (size_t i = 0; i < prefixes->count; i++) {
        struct prefix prefix;
        char text[PREFIX_TEXT_SIZE];

        if (prefix_parse(&prefix, prefixes->items[i], false, NULL) < 0 ||
            prefix.length != (prefix.family == AF_INET ? 32 : 128) ||
            !has_family(ours, prefix.family))
            continue;
        prefix_format(&prefix, text);
        snprintf(out, 64, "%.*s", (int)strcspn(text, "/"), text);
        return true;
    }
    return false;
}

static enum outcome open_echo(struct pinging *p, const struct snapshot *snapshot)
{
    const struct message_status_peer *peer = &snapshot->peers[0].status_peer;
    int rc;

    if (p->address[0] != '\0')
        return OUTCOME_OK;
    if (!host_address(&peer->allowed_ips, &snapshot->device.status_device.overlay, p->address)) {
        error_set(&p->err, "no-address",
                  "the peer '%s' has no address of its own that this device could reach: ping a "
                  "host of its networks",
                  p->peer);
        return OUTCOME_FAILED;
    }
    rc = echo_open(&p->echo, p->address, &p->err);
    if (rc == 0)
        return OUTCOME_OK;
    return rc == -EPERM ? OUTCOME_NOT_PERMITTED : OUTCOME_FAILED;
}

/* The round trip in ms, or -1. */
static double ask_once(struct pinging *p, int wait_ms)
{
    double sent_at = now_ms(), left;

    p->sent++;
    if (echo_send(&p->echo, ++p->sequence) < 0)
        return -1;
    while ((left = sent_at + wait_ms - now_ms()) > 0 && !over) {
        struct pollfd ready = {.fd = p->echo.fd, .events = POLLIN};

        if (poll(&ready, 1, (int)left + 1) <= 0)
            continue;
        if (echo_receive(&p->echo) != p->sequence)
            continue;
        p->received++;
        return now_ms() - sent_at;
    }
    return -1;
}

static void say_json(const struct pinging *p, const struct message_status_peer *peer, double rtt)
{
    char endpoint[ENDPOINT_TEXT_SIZE];

    printf("{\"peer\":\"%s\",\"address\":\"%s\",\"sequence\":%u,\"path\":\"%s\",\"state\":\"%s\"",
           p->peer, p->address, p->sequence, peer->path, peer->state);
    if (peer->endpoint.address[0] != '\0') {
        endpoint_format(&peer->endpoint, endpoint);
        printf(",\"endpoint\":\"%s\"", endpoint);
    }
    if (rtt >= 0)
        printf(",\"rtt_ms\":%.3f", rtt);
    puts("}");
}

static void say_reply(const struct pinging *p, const struct message_status_peer *peer, double rtt)
{
    char endpoint[ENDPOINT_TEXT_SIZE] = "";

    if (peer->endpoint.address[0] != '\0')
        endpoint_format(&peer->endpoint, endpoint);
    printf("%s (%s): %.2f ms, %s path%s%s\n", p->peer, p->address, rtt, peer->path,
           endpoint[0] != '\0' ? " by " : "", endpoint);
}

/* The same reason is said once. */
static void say_silence(struct pinging *p, const struct message_status_peer *peer)
{
    char why[640], words[64], text[sizeof p->said];

    status_words(peer->state, words, sizeof words);
    status_reason(peer, why, sizeof why);
    why[strcspn(why, ";")] = '\0';
    if (strcmp(peer->path, "none") == 0)
        snprintf(text, sizeof text, "%s%s%s", words, why[0] != '\0' ? ": " : "", why);
    else
        snprintf(text, sizeof text, "no answer over the %s path", peer->path);
    if (strcmp(text, p->said) != 0 || strcmp(peer->path, "none") != 0)
        printf("%s (%s): %s\n", p->peer, p->address, text);
    snprintf(p->said, sizeof p->said, "%s", text);
}

static void say(struct pinging *p, const struct message_status_peer *peer, double rtt)
{
    if (p->context->json)
        say_json(p, peer, rtt);
    else if (rtt >= 0)
        say_reply(p, peer, rtt);
    else
        say_silence(p, peer);
    fflush(stdout);
}

/* One round: what the path is, and what an echo takes over it. *direct: an answer came over a
 * direct one. */
static enum outcome round_once(struct pinging *p, int wait_ms, bool *direct)
{
    struct snapshot snapshot;
    enum outcome outcome = snapshot_take(&snapshot, p->client, p->peer, &p->err);
    const struct message_status_peer *peer;
    double rtt;

    *direct = false;
    if (outcome != OUTCOME_OK)
        return outcome;
    if (snapshot.peer_count != 1) {
        error_set(&p->err, "no-such-peer", "the broker says nothing of the peer '%s'", p->peer);
        snapshot_clear(&snapshot);
        return OUTCOME_NO_SUCH_PEER;
    }
    peer = &snapshot.peers[0].status_peer;
    outcome = open_echo(p, &snapshot);
    if (outcome == OUTCOME_OK) {
        rtt = ask_once(p, wait_ms);
        if (!over || rtt >= 0)
            say(p, peer, rtt);
        *direct = rtt >= 0 && strcmp(peer->path, "direct") == 0;
    }
    snapshot_clear(&snapshot);
    return outcome;
}

static bool is_enough(const struct pinging *p, bool direct)
{
    if (over || (p->until_direct && direct))
        return true;
    return p->count > 0 && p->sent >= (unsigned long)p->count;
}

static enum outcome rounds(struct pinging *p)
{
    int interval = p->until_direct ? INTERVAL_URGENT_MS : INTERVAL_MS;
    double deadline = now_ms() + (double)p->timeout_s * 1000;
    bool direct = false;

    for (;;) {
        double begun = now_ms(), left;
        enum outcome outcome = round_once(p, interval, &direct);

        if (outcome != OUTCOME_OK)
            return outcome;
        if (is_enough(p, direct))
            break;
        if (p->timeout_s > 0 && now_ms() > deadline) {
            error_set(&p->err, "timeout", "no answer over a direct path within %ld s",
                      p->timeout_s);
            return OUTCOME_TIMEOUT;
        }
        left = begun + interval - now_ms();
        if (left > 0)
            poll(NULL, 0, (int)left);
    }
    if (p->until_direct ? direct : p->received > 0)
        return OUTCOME_OK;
    error_set(&p->err, "no-answer", "%lu of %lu were answered%s", p->received, p->sent,
              p->until_direct ? ", none over a direct path" : "");
    return OUTCOME_FAILED;
}

static void parse(struct context *context, int argc, char **argv, struct pinging *p)
{
    int option;
    bool counted = false, timed = false;

    while ((option = command_option(context, argc, argv, "c:", options, 1, 1)) != -1) {
        if (option == 'c') {
            p->count = command_number("-c", optarg, 0, 1000000);
            counted = true;
        } else if (option == OPTION_TIMEOUT) {
            p->timeout_s = command_number("--timeout", optarg, 1, 86400);
            timed = true;
        } else {
            p->until_direct = true;
        }
    }
    p->peer = argv[optind];
    if (p->until_direct && !counted)
        p->count = 0;
    if (p->until_direct && !counted && !timed)
        p->timeout_s = TIMEOUT_DEFAULT;
}

static enum outcome run(struct context *context, int argc, char **argv)
{
    struct pinging p = {.context = context, .count = COUNT_DEFAULT, .echo = {.fd = -1}};
    struct sigaction end = {.sa_handler = on_end};
    enum outcome outcome;

    parse(context, argc, argv, &p);
    sigaction(SIGINT, &end, NULL);
    sigaction(SIGTERM, &end, NULL);
    outcome = client_connect(&p.client, context, &p.err);
    if (outcome == OUTCOME_OK)
        outcome = rounds(&p);
    echo_close(&p.echo);
    client_close(p.client);
    return outcome == OUTCOME_OK ? outcome : command_fail(outcome, &p.err);
}

const struct command command_ping = {
    .name = "ping",
    .arguments = "[-c N] [--until-direct] [--timeout S] PEER",
    .summary = "Say over which path the peer answers, and how soon",
    .help = "  -c, --count N        so many times (4; 0: without end)\n"
            "      --until-direct   until an answer came over a direct path\n"
            "      --timeout S      give up after so many seconds (with --until-direct: 60)\n",
    .run = run,
};
