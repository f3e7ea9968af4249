/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "broker/broker.h"
#include "broker/config.h"
#include "broker/control_socket.h"
#include "broker/identity.h"
#include "broker/launcher.h"
#include "broker/privilege.h"
#include "broker/program.h"
#include "broker/showid.h"
#include "broker/state_dir.h"
#include "protocol/log.h"

static const char usage[] =
    "usage: punchguard-broker -c conf.json [--check | --show-id] [--user NAME] [--verbose]\n"
    "Joins this device to its peers by WireGuard tunnels through NATs.\n"
    "\n"
    "  -c, --config FILE   the configuration: punchguard.conf(5)\n"
    "      --check         read the configuration, say what is wrong with it, end\n"
    "      --show-id       print what the other device must know of this one, as JSON, end\n"
    "  -u, --user NAME     started as root, run as this user (default: punchguard)\n"
    "  -v, --verbose       log more\n"
    "      --describe      print the events that standard output carries, as JSON, end\n"
    "      --version, --help\n"
    "\n"
    "Standard output carries events as NDJSON, standard error the log. SIGTERM takes the tunnels\n"
    "down, SIGQUIT leaves them for the broker that comes next, SIGHUP has FILE read again.\n";

struct arguments {
    const char *config;
    const char *user;
    bool check, show_id, verbose;
};

enum { OPTION_CHECK = 256, OPTION_SHOW_ID, OPTION_VERSION, OPTION_HELP, OPTION_DESCRIBE };

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},       {"user", required_argument, NULL, 'u'},
    {"verbose", no_argument, NULL, 'v'},            {"check", no_argument, NULL, OPTION_CHECK},
    {"show-id", no_argument, NULL, OPTION_SHOW_ID}, {"version", no_argument, NULL, OPTION_VERSION},
    {"help", no_argument, NULL, OPTION_HELP},       {"describe", no_argument, NULL, OPTION_DESCRIBE},
    {NULL, 0, NULL, 0},
};

static void read_arguments(int argc, char **argv, struct arguments *arguments)
{
    int option;

    *arguments = (struct arguments){.user = PRIVILEGE_USER};
    while ((option = getopt_long(argc, argv, "c:u:vh", long_options, NULL)) != -1) {
        switch (option) {
        case 'c':
            arguments->config = optarg;
            break;
        case 'u':
            arguments->user = optarg;
            break;
        case 'v':
            arguments->verbose = true;
            break;
        case OPTION_CHECK:
            arguments->check = true;
            break;
        case OPTION_SHOW_ID:
            arguments->show_id = true;
            break;
        case OPTION_DESCRIBE:
            message_describe(stdout, ROLE_EVENT, FROM_HELPER);
            exit(fflush(stdout) == 0 ? 0 : 1);
        case OPTION_VERSION:
            printf("%s %s (protocol %d)\n", PACKAGE_NAME, PACKAGE_VERSION, PROTOCOL_VERSION);
            exit(0);
        case 'h':
        case OPTION_HELP:
            fputs(usage, stdout);
            exit(0);
        default:
            fputs(usage, stderr);
            exit(2);
        }
    }
    if (arguments->config == NULL || optind != argc) {
        fputs(usage, stderr);
        exit(2);
    }
}

static struct config *read_config(const char *path)
{
    static struct config_errors errors;
    struct config *config = config_load(path, &errors);

    if (config != NULL)
        return config;
    for (size_t i = 0; i < errors.count; i++)
        fprintf(stderr, "%s\n", errors.items[i].message);
    return NULL;
}

static int open_launcher(struct launcher **launcher, const struct arguments *arguments,
                         const char *config, struct error *err)
{
    char program[4096], option[] = "-c", user[] = "--user";
    char *argv[] = {program, option, (char *)(uintptr_t)config,
                    user,    (char *)(uintptr_t)arguments->user, NULL};
    int rc = program_find("punchguard-wg-setup", program, sizeof program, err);

    return rc < 0 ? rc : launcher_open(launcher, argv, config, err);
}

/* From root to user punchguard; wg-setup stays startable by the launcher. */
static int give_up_root(const struct arguments *arguments, const struct config *config,
                        struct launcher **launcher, struct error *err)
{
    struct privilege_user user;

    if (geteuid() != 0)
        return state_dir_make(config->state_dir, NULL, err);
    if (privilege_find_user(arguments->user, &user, err) < 0 ||
        state_dir_make(config->state_dir, &user, err) < 0)
        return -1;
    if (!arguments->show_id && control_socket_make_folder(config->control, user.uid, user.gid, err) < 0)
        log_warn("%s", err->message);
    if (!arguments->show_id && open_launcher(launcher, arguments, config->path, err) < 0)
        return -1;
    return privilege_become(&user, err);
}

static int fail(const struct error *err)
{
    log_error("%s", err->message);
    return 1;
}

/* Takes the configuration over. */
static int run(const struct arguments *arguments, struct config *config)
{
    struct broker broker = {.config = config};
    struct identity *identity = NULL;
    struct error err;
    int rc;

    if (give_up_root(arguments, config, &broker.launcher, &err) < 0) {
        config_destroy(config);
        return fail(&err);
    }
    broker.loop = uv_default_loop();
    identity = identity_load(config->state_dir, &err);
    if (identity == NULL) {
        launcher_close(broker.launcher);
        config_destroy(config);
        return fail(&err);
    }
    broker.identity = identity;
    if (arguments->show_id)
        rc = showid_run(broker.loop, config, identity);
    else
        rc = broker_run(&broker);
    launcher_close(broker.launcher);
    identity_destroy(identity);
    uv_loop_close(broker.loop);
    config_destroy(broker.config);
    return rc;
}

/* A standard descriptor that is closed would be taken by a socket or a secret's file. */
static bool open_standard_descriptors(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd < 3);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    struct config *config;

    if (!open_standard_descriptors())
        return 1;
    read_arguments(argc, argv, &arguments);
    log_open("punchguard-broker", arguments.verbose);
    umask(077);
    if (sodium_init() < 0) {
        log_error("libsodium: no random numbers from this system");
        return 1;
    }
    config = read_config(arguments.config);
    if (config == NULL)
        return 2;
    if (arguments.check) {
        fprintf(stderr, "%s: right\n", config->path);
        config_destroy(config);
        return 0;
    }
    return run(&arguments, config);
}
