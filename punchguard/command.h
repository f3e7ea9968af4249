/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The commands of punchguard(1): one file each, listed in main.c.
 */
#ifndef PUNCHGUARD_COMMAND_H
#define PUNCHGUARD_COMMAND_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>

#include "protocol/error.h"

/* Exit statuses, for scripts: punchguard(1). */
enum outcome {
    OUTCOME_OK,
    OUTCOME_FAILED,
    OUTCOME_USAGE,
    OUTCOME_NOT_RUNNING,
    OUTCOME_NOT_PERMITTED,
    OUTCOME_NO_SUCH_PEER,
    OUTCOME_TIMEOUT,
};

/* What every command is given. */
struct context {
    const char *config; /* as it was given, or NULL */
    const char *socket; /* the same */
    bool json;
    const struct command *command;
};

struct command {
    const char *name;
    const char *arguments; /* for the usage, after the name */
    const char *summary;
    const char *help; /* what the options mean, a line each; may be "" */
    /* Parses the rest of the command line with command_option(). */
    enum outcome (*run)(struct context *context, int argc, char **argv);
};

extern const struct command command_accept, command_doctor, command_down, command_events,
    command_export, command_id, command_import, command_introduce, command_invite, command_join,
    command_netcheck, command_peers, command_ping, command_reload, command_remove, command_rename,
    command_status, command_up;

/* Values of a command's own long options begin here. */
#define OPTION_OWN 300

/* getopt_long(3) over the command's own options (NULL where it has none) and those of every
 * command, which are dealt with here, as is a wrong one: it ends the program. -1 at the end; what
 * is left must be `least` to `most` words, the first at argv[optind]. */
int command_option(struct context *context, int argc, char **argv, const char *letters,
                   const struct option *own, int least, int most);

/* Whether who reads standard output has gone, as head(1) does who has enough: what is left for it
 * is thrown away then, and it is no failure. */
bool command_reader_gone(void);

/* Says on standard error, where that is a terminal, that so many STUN servers are asked, 0 for
 * those built in: it takes seconds. */
void command_asking(size_t servers);

/* Prints the usage, of the command or with NULL of all. */
void command_usage(const struct command *command, bool wrong);

/* Says on standard error what went wrong. Gives the outcome back. */
enum outcome command_fail(enum outcome outcome, const struct error *err);
enum outcome command_failf(enum outcome outcome, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What the option says that a device may begin here; a wrong text ends the program. Gives `text`
 * back. */
char *command_inbound(char *text);
/* A number of `min` to `max` that the command line gave for the option; a wrong one ends the
 * program. */
long command_number(const char *option, const char *text, long min, long max);

#endif
