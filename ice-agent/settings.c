/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ice-agent/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ice-agent/stun.h"
#include "ice-agent/turn.h"
#include "protocol/file.h"

const char settings_usage[] =
    "usage: punchguard-ice-agent [--controlling | --controlled] [option...]\n"
    "       punchguard-ice-agent --netcheck [--json] [option...]\n"
    "Makes a direct UDP path to one peer, through NATs, by ICE. Speaks one JSON object a line on\n"
    "standard input and output: punchguard-ice-agent(8). With options given it starts without\n"
    "`configure`, so that two agents can be joined by plain pipes.\n"
    "  --controlling            this side decides which pair is used\n"
    "  --controlled             the other side does\n"
    "  --stun HOST[:PORT]       a STUN server in place of those built in; several are right\n"
    "  --no-stun                no STUN server\n"
    "  --local-address ADDRESS  gather here, not on all interfaces; several are right\n"
    "  --exclude PREFIX         never a candidate, of either side; several are right\n"
    "  --turn FILE              TURN servers as a JSON array; checked, not used yet\n"
    "  --port N                 local UDP port\n"
    "  --wg-port N              WireGuard's port, which --port must differ from\n"
    "  --verbose                log what libnice does\n"
    "  --netcheck               no session: say what the NAT and the firewall on the way do, and\n"
    "                           with whom this host can punch, then end; takes --stun,\n"
    "                           --local-address, --exclude and --port, too\n"
    "  --json                   say that as a JSON object\n"
    "  --help, --version, --describe\n";

static const char *const default_stun[] = {
#include "ice-agent/stun_servers.inc"
};

#define DEFAULT_STUN_COUNT (sizeof default_stun / sizeof default_stun[0])

static int stun_add(struct settings *settings, const char *text, struct error *err)
{
    char host[256];
    uint16_t port;

    if (endpoint_split(text, STUN_PORT, host, &port, err) < 0) {
        error_prefix(err, "configure: stun: ");
        return -EINVAL;
    }
    if (settings->stun_count == STUN_RACE_SERVERS) {
        error_set(err, "too-many", "configure: stun: at most %d servers are right",
                  STUN_RACE_SERVERS);
        return -EINVAL;
    }
    settings->stun[settings->stun_count] = strdup(text);
    if (settings->stun[settings->stun_count] == NULL) {
        error_set(err, "no-memory", "out of memory");
        return -ENOMEM;
    }
    settings->stun_count++;
    return 0;
}

static int stun_take(struct settings *settings, const struct strings *list, struct error *err)
{
    bool absent = list->items == NULL;
    size_t count = absent ? DEFAULT_STUN_COUNT : list->count;

    for (size_t i = 0; i < count; i++) {
        int rc = stun_add(settings, absent ? default_stun[i] : list->items[i], err);

        if (rc < 0)
            return rc;
    }
    return 0;
}

static int local_take(struct settings *settings, const struct strings *list, struct error *err)
{
    if (list->count > ADDRESSES_MAX) {
        error_set(err, "too-many", "configure: local_addresses: at most %d are right",
                  ADDRESSES_MAX);
        return -EINVAL;
    }
    for (size_t i = 0; i < list->count; i++) {
        if (endpoint_set(&settings->local[i], list->items[i], 0) < 0) {
            error_set(err, "bad-value",
                      "configure: local_addresses: '%.60s' is no numeric IP address",
                      list->items[i]);
            return -EINVAL;
        }
    }
    settings->local_count = list->count;
    return 0;
}

/* With host bits, for that is how an interface's own address is written. */
static int exclude_take(struct settings *settings, const struct strings *list, struct error *err)
{
    for (size_t i = 0; i < list->count && i < SETTINGS_EXCLUDE_MAX; i++) {
        if (prefix_parse(&settings->exclude[i], list->items[i], true, err) < 0) {
            error_prefix(err, "configure: exclude: ");
            return -EINVAL;
        }
        settings->exclude_count++;
    }
    return 0;
}

int settings_from_message(struct settings *settings, const struct message_ice_configure *message,
                          struct error *err)
{
    int rc = 0;

    memset(settings, 0, sizeof *settings);
    settings->controlling = message->controlling;
    if (message->port != MESSAGE_ABSENT)
        settings->port = (uint16_t)message->port;
    if (settings->port != 0 && message->port == message->wg_port) {
        error_set(err, "bad-value",
                  "configure: port: %u is WireGuard's (wg_port); another, or 0 for any, is right",
                  (unsigned)settings->port);
        rc = -EINVAL;
    }
    if (rc == 0 && message->turn != NULL)
        rc = turn_check(message->turn, &settings->turn_count, err);
    if (rc == 0)
        rc = stun_take(settings, &message->stun, err);
    if (rc == 0)
        rc = local_take(settings, &message->local_addresses, err);
    if (rc == 0)
        rc = exclude_take(settings, &message->exclude, err);
    if (rc < 0)
        settings_clear(settings);
    return rc;
}

void settings_clear(struct settings *settings)
{
    while (settings->stun_count > 0)
        free(settings->stun[--settings->stun_count]);
    memset(settings, 0, sizeof *settings);
}

/* The command line as the message that it stands for; texts stay argv's, `turn` is owned. */
struct arguments {
    struct message_ice_configure configure;
    char *stun[STUN_RACE_SERVERS], *local[ADDRESSES_MAX], *exclude[SETTINGS_EXCLUDE_MAX];
    bool has_role, has_option, verbose;
    bool netcheck, json;
};

static int usage_error(struct error *err, const char *text)
{
    error_set(err, "usage", "%s; --help tells the options", text);
    return -EINVAL;
}

static int list_add(struct strings *list, char **items, size_t max, const char *option,
                    struct error *err)
{
    list->items = items;
    if (list->count == max) {
        error_set(err, "too-many", "%s is there more than %zu times", option, max);
        return -EINVAL;
    }
    items[list->count++] = optarg;
    return 0;
}

static int port_take(int64_t *port, struct error *err)
{
    char *end;
    long value = strtol(optarg, &end, 10);

    if (*optarg < '0' || *optarg > '9' || *end != '\0' || value > 65535)
        return usage_error(err, "a port is a number from 0 to 65535");
    *port = value;
    return 0;
}

/* Read from a file because a command line is everybody's to read, and TURN has passwords. */
static int turn_read(struct arguments *arguments, struct error *err)
{
    void *data;
    size_t length;
    int rc = file_read(AT_FDCWD, optarg, 64 * 1024, &data, &length, err);

    if (rc < 0)
        return rc;
    free(arguments->configure.turn);
    arguments->configure.turn = data;
    return 0;
}

static int role_take(struct arguments *arguments, bool controlling, struct error *err)
{
    if (arguments->has_role && arguments->configure.controlling != controlling)
        return usage_error(err, "an agent is either --controlling or --controlled");
    arguments->has_role = true;
    arguments->configure.controlling = controlling;
    return 0;
}

static int argument_take(struct arguments *arguments, int option, struct error *err)
{
    struct message_ice_configure *configure = &arguments->configure;

    arguments->has_option |= option != 'v';
    switch (option) {
    case 'c':
    case 'd':
        return role_take(arguments, option == 'c', err);
    case 's':
        return list_add(&configure->stun, arguments->stun, STUN_RACE_SERVERS, "--stun", err);
    case 'n':
        configure->stun.items = arguments->stun;
        return 0;
    case 'l':
        return list_add(&configure->local_addresses, arguments->local, ADDRESSES_MAX,
                        "--local-address", err);
    case 'x':
        return list_add(&configure->exclude, arguments->exclude, SETTINGS_EXCLUDE_MAX, "--exclude",
                        err);
    case 't':
        return turn_read(arguments, err);
    case 'p':
        return port_take(&configure->port, err);
    case 'w':
        return port_take(&configure->wg_port, err);
    case 'v':
        arguments->verbose = true;
        return 0;
    case 'k':
        arguments->netcheck = true;
        return 0;
    case 'j':
        arguments->json = true;
        return 0;
    default:
        return usage_error(err, "there is an unknown option, or one without its value");
    }
}

static int netcheck_check(const struct arguments *arguments, struct error *err)
{
    const struct message_ice_configure *configure = &arguments->configure;

    if (!arguments->netcheck)
        return arguments->json ? usage_error(err, "--json goes with --netcheck") : 0;
    if (arguments->has_role || configure->turn != NULL || configure->wg_port != MESSAGE_ABSENT)
        return usage_error(err, "--netcheck is no session: --controlling, --controlled, --turn and "
                                "--wg-port do not go with it");
    if (configure->stun.items != NULL && configure->stun.count == 0)
        return usage_error(err, "--netcheck asks STUN servers: --no-stun does not go with it");
    return 0;
}

static int arguments_read(struct arguments *arguments, int argc, char **argv, struct error *err)
{
    static const struct option options[] = {
        {"controlling", no_argument, NULL, 'c'},
        {"controlled", no_argument, NULL, 'd'},
        {"stun", required_argument, NULL, 's'},
        {"no-stun", no_argument, NULL, 'n'},
        {"local-address", required_argument, NULL, 'l'},
        {"exclude", required_argument, NULL, 'x'},
        {"turn", required_argument, NULL, 't'},
        {"port", required_argument, NULL, 'p'},
        {"wg-port", required_argument, NULL, 'w'},
        {"verbose", no_argument, NULL, 'v'},
        {"netcheck", no_argument, NULL, 'k'},
        {"json", no_argument, NULL, 'j'},
        {NULL, 0, NULL, 0},
    };
    int option;

    optind = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        int rc = argument_take(arguments, option, err);

        if (rc < 0)
            return rc;
    }
    if (optind != argc)
        return usage_error(err, "there is an argument that is no option");
    if (netcheck_check(arguments, err) < 0)
        return -EINVAL;
    if (arguments->has_option && !arguments->has_role && !arguments->netcheck)
        return usage_error(err, "--controlling or --controlled is missing");
    return arguments->has_option ? 1 : 0;
}

int settings_from_arguments(struct settings *settings, int argc, char **argv, struct error *err)
{
    struct arguments arguments = {0};
    int rc;

    memset(settings, 0, sizeof *settings);
    arguments.configure.port = arguments.configure.wg_port = MESSAGE_ABSENT;
    rc = arguments_read(&arguments, argc, argv, err);
    if (rc == 1 && settings_from_message(settings, &arguments.configure, err) < 0)
        rc = -EINVAL;
    settings->verbose = arguments.verbose;
    settings->netcheck = arguments.netcheck;
    settings->json = arguments.json;
    free(arguments.configure.turn);
    return rc;
}
