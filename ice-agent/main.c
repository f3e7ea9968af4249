/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * punchguard-ice-agent: one ICE session with one peer, spoken to over pipes; or, by --netcheck, a
 * look at what is in its way.
 */
#include <config.h>

#include <glib-unix.h>
#include <malloc.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "ice-agent/agent.h"
#include "ice-agent/footprint.h"
#include "ice-agent/netcheck_run.h"
#include "ice-agent/sandbox.h"
#include "ice-agent/settings.h"
#include "protocol/helper.h"
#include "protocol/log.h"

/* For the last words: exit is due within 2 s. */
#define DRAIN_MS 500
/* Of those 2 s, for a STUN server to answer in. */
#define LAST_CANDIDATES_MS 1200
/* After so long an agent has connected, or waits. */
#define SETTLED_S 5

struct program {
    struct helper *helper;
    struct settings settings;
    struct agent *agent; /* NULL until configured */
    int signals;
    guint reading, writing; /* GLib source ids, 0: none */
    bool told_to_end;       /* by a signal */
};

static void on_send(void *data, const struct message *message)
{
    struct program *program = data;

    helper_send(program->helper, message);
}

static gboolean on_settled(gpointer data)
{
    (void)data;
    footprint_trim();
    return G_SOURCE_REMOVE;
}

static void on_fail(void *data, const struct error *err)
{
    struct program *program = data;

    log_warn("%s", err->message);
    helper_error(program->helper, MESSAGE_ABSENT, false, err);
}

/* `ready` first, then what the agent has to say. */
static void agent_begin(struct program *program)
{
    struct agent_events events = {.send = on_send, .fail = on_fail, .data = program};
    struct message ready;
    struct error err;

    if (program->settings.turn_count > 0)
        log_warn("%zu TURN servers: not used yet", program->settings.turn_count);
    program->agent = agent_new(&program->settings, &events, &err);
    if (program->agent == NULL) {
        helper_error(program->helper, MESSAGE_ABSENT, true, &err);
        return;
    }
    message_init(&ready, MESSAGE_ice_ready);
    helper_send(program->helper, &ready);
    agent_start(program->agent);
    g_timeout_add_seconds(SETTLED_S, on_settled, NULL);
}

static void configure(struct program *program, const struct message *message)
{
    struct error err;

    if (program->agent != NULL) {
        error_set(&err, "configured-already",
                  "configure: came before, or the command line has options; one agent is one "
                  "session");
        on_fail(program, &err);
        return;
    }
    if (settings_from_message(&program->settings, &message->ice_configure, &err) < 0)
        on_fail(program, &err);
    else
        agent_begin(program);
}

static void on_message(void *data, const struct message *message)
{
    struct program *program = data;
    struct error err;

    if (message->type == MESSAGE_ice_configure) {
        configure(program, message);
    } else if (program->agent != NULL) {
        agent_take(program->agent, message);
    } else {
        error_set(&err, "not-configured", "%s: came before configure",
                  message_type_name(message->type));
        on_fail(program, &err);
    }
}

static gboolean on_readable(gint fd, GIOCondition condition, gpointer data)
{
    struct program *program = data;

    (void)fd;
    (void)condition;
    helper_read(program->helper);
    return G_SOURCE_CONTINUE;
}

static gboolean on_writable(gint fd, GIOCondition condition, gpointer data)
{
    struct program *program = data;

    (void)fd;
    (void)condition;
    helper_flush(program->helper);
    return G_SOURCE_CONTINUE;
}

static gboolean on_signal(gint fd, GIOCondition condition, gpointer data)
{
    struct program *program = data;

    (void)fd;
    (void)condition;
    program->told_to_end = true;
    return G_SOURCE_REMOVE;
}

static void watch(guint *source, bool wanted, int fd, GIOCondition condition,
                  GUnixFDSourceFunc call, struct program *program)
{
    if (wanted && *source == 0)
        *source = g_unix_fd_add(fd, condition, call, program);
    else if (!wanted)
        g_clear_handle_id(source, g_source_remove);
}

/* A reader that does not keep up stops our reading, so that what we say about it stays bounded. */
static void run(struct program *program)
{
    struct helper *helper = program->helper;

    while (helper_end(helper) == HELPER_OPEN && !program->told_to_end) {
        watch(&program->reading, !helper_congested(helper), helper_fd_in(helper),
              G_IO_IN | G_IO_HUP, on_readable, program);
        watch(&program->writing, helper_wants_write(helper), helper_fd_out(helper),
              G_IO_OUT | G_IO_ERR, on_writable, program);
        g_main_context_iteration(NULL, TRUE);
    }
}

static gboolean on_late(gpointer data)
{
    *(bool *)data = true;
    return G_SOURCE_REMOVE;
}

/* So that an agent whose input is /dev/null tells what a STUN server sees of this host. */
static void gather_on(struct program *program)
{
    guint timer;
    bool late = false;

    if (helper_end(program->helper) != HELPER_EOF || program->agent == NULL)
        return;
    watch(&program->reading, false, -1, 0, NULL, program);
    timer = g_timeout_add(LAST_CANDIDATES_MS, on_late, &late);
    while (!late && !agent_gathered(program->agent) && !program->told_to_end &&
           helper_end(program->helper) == HELPER_EOF)
        g_main_context_iteration(NULL, TRUE);
    if (!late)
        g_source_remove(timer);
}

/* By descriptor, for GLib's own way starts a thread. */
static int signals_open(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void on_glib_log(const gchar *domain, GLogLevelFlags level, const gchar *text, gpointer data)
{
    (void)data;
    if (level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL))
        log_error("%s: %s", domain ? domain : "glib", text);
    else
        log_debug("%s: %s", domain ? domain : "glib", text);
}

static int program_start(struct program *program, bool configured, struct error *err)
{
    struct helper_options options = {
        .role = ROLE_ICE, .name = "ice-agent", .on_message = on_message, .data = program};

    program->signals = signals_open();
    if (program->signals < 0) {
        error_set(err, "no-signalfd", "cannot watch for signals");
        return -1;
    }
    g_unix_fd_add(program->signals, G_IO_IN, on_signal, program);
    program->helper = helper_new(&options, err);
    if (program->helper == NULL || sandbox_enter(err) < 0)
        return -1;
    if (configured)
        agent_begin(program);
    return 0;
}

static int netcheck(const struct settings *settings)
{
    struct error err;
    int rc = netcheck_run(settings, &err);

    if (rc >= 0)
        return rc;
    log_error("%s", err.message);
    return 1;
}

int main(int argc, char **argv)
{
    struct program program = {.signals = -1};
    struct error err;
    int configured, status = 1;

    helper_common_options(argc, argv, settings_usage, ROLE_ICE);
    /* One heap for all threads: each further one of glibc's costs 130 KiB. */
    mallopt(M_ARENA_MAX, 1);
    log_open("punchguard-ice-agent", false);
    g_log_set_default_handler(on_glib_log, NULL);
    if (sodium_init() < 0) {
        log_error("libsodium does not start");
        return 1;
    }
    configured = settings_from_arguments(&program.settings, argc, argv, &err);
    log_open("punchguard-ice-agent", program.settings.verbose);
    if (configured > 0 && program.settings.netcheck) {
        status = netcheck(&program.settings);
        goto out;
    }
    if (configured < 0 || program_start(&program, configured > 0, &err) < 0) {
        log_error("%s", err.message);
        status = configured < 0 ? 2 : 1;
        goto out;
    }
    run(&program);
    gather_on(&program);
    agent_destroy(program.agent);
    helper_drain(program.helper, DRAIN_MS);
    status = helper_end(program.helper) == HELPER_BROKEN ? 1 : 0;
out:
    helper_destroy(program.helper);
    settings_clear(&program.settings);
    return status;
}
