/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <config.h>

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "protocol/inbound.h"
#include "protocol/log.h"
#include "protocol/message.h"
#include "punchguard/command.h"
#include "punchguard/settings.h"

static const struct command *const commands[] = {
    &command_up,     &command_down,     &command_status, &command_id,     &command_invite,
    &command_join,   &command_peers,    &command_rename, &command_remove, &command_introduce,
    &command_accept, &command_export,   &command_import, &command_ping,   &command_events,
    &command_reload, &command_netcheck, &command_doctor,
};

#define COMMANDS (sizeof commands / sizeof commands[0])

/* Past every letter. */
enum { OPTION_SOCKET = 256, OPTION_JSON, OPTION_VERSION, OPTION_DESCRIBE };

static const struct option common_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"socket", required_argument, NULL, OPTION_SOCKET},
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"describe", no_argument, NULL, OPTION_DESCRIBE},
};

#define COMMON_OPTIONS  (sizeof common_options / sizeof common_options[0])
#define OWN_OPTIONS_MAX 16

void command_usage(const struct command *command, bool wrong)
{
    FILE *out = wrong ? stderr : stdout;

    if (command != NULL) {
        fprintf(out, "usage: punchguard %s%s%s\n%s.\n%s%s", command->name,
                command->arguments[0] ? " " : "", command->arguments, command->summary,
                command->help[0] ? "\n" : "", command->help);
    } else {
        fputs("usage: punchguard [-c FILE] [--socket PATH] [--json] COMMAND …\n"
              "WireGuard tunnels through NATs: start, watch and change them.\n\n",
              out);
        for (size_t i = 0; i < COMMANDS; i++)
            fprintf(out, "  %-9s  %s\n", commands[i]->name, commands[i]->summary);
    }
    fputs("\nOptions of every command:\n"
          "  -c, --config FILE  the broker's configuration, which names its control socket\n"
          "                     (" CONFIG_DEFAULT ")\n"
          "      --socket PATH  the control socket itself\n"
          "      --json         print JSON\n"
          "  -h, --help\n",
          out);
}

static void wrong_usage(const struct command *command)
{
    command_usage(command, true);
    exit(OUTCOME_USAGE);
}

static void take_common(struct context *context, int option)
{
    switch (option) {
    case 'c':
        context->config = optarg;
        break;
    case OPTION_SOCKET:
        context->socket = optarg;
        break;
    case OPTION_JSON:
        context->json = true;
        break;
    case 'h':
        command_usage(context->command, false);
        exit(OUTCOME_OK);
    case OPTION_VERSION:
        printf("%s %s (protocol %d)\n", PACKAGE_NAME, PACKAGE_VERSION, PROTOCOL_VERSION);
        exit(OUTCOME_OK);
    case OPTION_DESCRIBE:
        message_describe(stdout, ROLE_CONTROL, TO_HELPER | FROM_HELPER);
        exit(OUTCOME_OK);
    default:
        wrong_usage(context->command);
    }
}

/* A command's own letter goes before the common one. */
static int next_option(struct context *context, int argc, char **argv, const char *letters,
                       const struct option *own)
{
    struct option all[OWN_OPTIONS_MAX + COMMON_OPTIONS + 1] = {{0}};
    char short_options[64];
    size_t count = 0;
    int option;

    while (own != NULL && own[count].name != NULL && count < OWN_OPTIONS_MAX) {
        all[count] = own[count];
        count++;
    }
    memcpy(all + count, common_options, sizeof common_options);
    snprintf(short_options, sizeof short_options, "%s%s%s", letters,
             strchr(letters, 'c') != NULL ? "" : "c:", strchr(letters, 'h') != NULL ? "" : "h");
    option = getopt_long(argc, argv, short_options, all, NULL);
    if (option == -1 || option >= OPTION_OWN ||
        (option != '?' && option < OPTION_SOCKET && strchr(letters, option)))
        return option;
    take_common(context, option);
    return 0;
}

int command_option(struct context *context, int argc, char **argv, const char *letters,
                   const struct option *own, int least, int most)
{
    int option;

    while ((option = next_option(context, argc, argv, letters, own)) == 0)
        ;
    if (option == -1 && (argc - optind < least || argc - optind > most))
        wrong_usage(context->command);
    return option;
}

enum outcome command_fail(enum outcome outcome, const struct error *err)
{
    return command_failf(outcome, "%s", err->message);
}

enum outcome command_failf(enum outcome outcome, const char *format, ...)
{
    va_list args;

    fputs("punchguard: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return outcome;
}

void command_asking(size_t servers)
{
    if (!isatty(STDERR_FILENO))
        return;
    if (servers == 0)
        fputs("asking the built-in STUN servers\n", stderr);
    else
        fprintf(stderr, "asking %zu STUN server%s\n", servers, servers == 1 ? "" : "s");
}

bool command_reader_gone(void)
{
    if (fflush(stdout) == 0 || errno != EPIPE)
        return false;
    __fpurge(stdout);
    clearerr(stdout);
    return true;
}

long command_number(const char *option, const char *text, long min, long max)
{
    char *end;
    long value;

    errno = 0;
    value = strtol(text, &end, 10);
    if (errno == 0 && end != text && *end == '\0' && value >= min && value <= max)
        return value;
    command_failf(OUTCOME_USAGE, "%s: '%s' is no number from %ld to %ld", option, text, min, max);
    exit(OUTCOME_USAGE);
}

char *command_inbound(char *text)
{
    struct inbound inbound;
    struct error err;

    if (inbound_parse(&inbound, text, &err) == 0)
        return text;
    command_failf(OUTCOME_USAGE, "--inbound: %s", err.message);
    exit(OUTCOME_USAGE);
}

static const struct command *command_named(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    command_failf(OUTCOME_USAGE, "there is no command '%s'", name);
    wrong_usage(NULL);
    return NULL;
}

int main(int argc, char **argv)
{
    struct context context = {0};
    enum outcome outcome;

    log_open("punchguard", false);
    signal(SIGPIPE, SIG_IGN);
    if (sodium_init() < 0)
        return command_failf(OUTCOME_FAILED, "no random numbers from this system");
    while (next_option(&context, argc, argv, "+", NULL) == 0)
        ;
    if (optind == argc)
        wrong_usage(NULL);
    context.command = command_named(argv[optind]);
    argc -= optind;
    argv += optind;
    optind = 0; /* getopt_long(3): begins anew */
    outcome = context.command->run(&context, argc, argv);
    if ((fflush(stdout) != 0 || ferror(stdout)) && outcome == OUTCOME_OK)
        return command_failf(OUTCOME_FAILED, "standard output: %s", strerror(errno));
    return (int)outcome;
}
