/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * punchguard-signal-dht: a signalling transport over OpenDHT.
 */
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <unistd.h>

#include "protocol/helper.h"
#include "protocol/log.h"
#include "signal-dht/sandbox.h"
#include "signal-dht/transport.h"

static const char usage[] =
    "usage: punchguard-signal-dht\n"
    "Carries messages between devices over the OpenDHT network. Speaks punchguard-protocol(7),\n"
    "role signal, on standard input and output.\n"
    "\n"
    "  --describe   print the messages of this role as JSON, end\n"
    "  --version, --help\n";

struct program {
    struct helper *helper;
    struct transport *transport;
    bool failed;
};

static volatile sig_atomic_t terminated;

static void on_signal(int signal)
{
    (void)signal;
    terminated = 1;
}

static char *text(const char *constant)
{
    return (char *)(uintptr_t)constant;
}

static void on_presence(void *data, const char *peer, bool online, const char *via)
{
    struct message m;

    message_init(&m, MESSAGE_presence);
    m.presence.peer = text(peer);
    m.presence.online = online;
    m.presence.via = text(via);
    helper_send(((struct program *)data)->helper, &m);
}

static void on_sent(void *data, int64_t ref)
{
    struct message m;

    message_init(&m, MESSAGE_sent);
    m.sent.ref = ref;
    helper_send(((struct program *)data)->helper, &m);
}

static void on_receive(void *data, const char *peer, const char *received)
{
    struct message m;

    message_init(&m, MESSAGE_receive);
    m.receive.peer = text(peer);
    m.receive.data = text(received);
    helper_send(((struct program *)data)->helper, &m);
}

/* The network knows a device by its rendezvous alone: there is no address to give. */
static void say_ready(struct program *program)
{
    struct message m;

    message_init(&m, MESSAGE_signal_ready);
    m.signal_ready.address = text("");
    helper_send(program->helper, &m);
}

static void fail(struct program *program, const struct error *err)
{
    log_error("%s", err->message);
    helper_error(program->helper, MESSAGE_ABSENT, true, err);
    program->failed = true;
}

static void configure(struct program *program, const struct message_signal_configure *m)
{
    struct transport_events events = {
        .presence = on_presence, .sent = on_sent, .receive = on_receive, .data = program};
    static struct options options;
    struct error err;

    if (program->transport != NULL) {
        error_set(&err, "configured", "configure came before; a new process takes a new one");
        helper_error(program->helper, MESSAGE_ABSENT, false, &err);
        return;
    }
    if (options_read(&options, m->options, &err) < 0) {
        error_prefix(&err, "options ");
        fail(program, &err);
        return;
    }
    program->transport = transport_new(&options, !m->offline, &events, &err);
    if (program->transport == NULL)
        fail(program, &err);
    else
        say_ready(program);
}

static int refuse_request(struct error *err)
{
    error_set(err, "unsupported",
              "request: this transport has no addresses, so a stranger can't be asked; Tox can");
    return -1;
}

static void on_message(void *data, const struct message *m)
{
    struct program *program = data;
    struct transport *transport = program->transport;
    struct error err;
    int64_t ref = MESSAGE_ABSENT;
    int rc = 0;

    if (m->type == MESSAGE_signal_configure) {
        configure(program, &m->signal_configure);
        return;
    }
    if (transport == NULL) {
        error_set(&err, "not-configured", "%s: configure must come first",
                  message_type_name(m->type));
        helper_error(program->helper, ref, false, &err);
        return;
    }
    switch (m->type) {
    case MESSAGE_peer_add:
        rc = transport_peer_add(transport, m->peer_add.peer, m->peer_add.rendezvous, &err);
        break;
    case MESSAGE_signal_peer_remove:
        rc = transport_peer_remove(transport, m->signal_peer_remove.peer, &err);
        break;
    case MESSAGE_signal_network_changed:
        transport_reconnect(transport);
        break;
    case MESSAGE_send:
        ref = m->send.ref;
        rc = transport_send(transport, ref, m->send.peer, m->send.data, &err);
        break;
    case MESSAGE_request:
        ref = m->request.ref;
        rc = refuse_request(&err);
        break;
    default:
        break;
    }
    if (rc < 0)
        helper_error(program->helper, ref, false, &err);
}

/* SIGTERM and SIGINT come while ppoll() waits and at no other time, so that none slips in before
 * it, and to no thread of OpenDHT's. */
static void signals_take(sigset_t *waiting)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t both;

    sigemptyset(&both);
    sigaddset(&both, SIGTERM);
    sigaddset(&both, SIGINT);
    sigprocmask(SIG_BLOCK, &both, waiting);
    sigdelset(waiting, SIGTERM);
    sigdelset(waiting, SIGINT);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
}

static void run(struct program *program, const sigset_t *waiting)
{
    while (!terminated && !program->failed && helper_end(program->helper) == HELPER_OPEN) {
        bool congested = helper_congested(program->helper);
        int ms = program->transport && !congested ? transport_iterate(program->transport) : -1;
        struct timespec wait = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
        struct pollfd fds[3] = {
            {.fd = congested ? -1 : helper_fd_in(program->helper), .events = POLLIN},
            {.fd = helper_wants_write(program->helper) ? helper_fd_out(program->helper) : -1,
             .events = POLLOUT},
            {.fd = program->transport && !congested ? transport_fd(program->transport) : -1,
             .events = POLLIN},
        };

        if (ppoll(fds, 3, ms < 0 ? NULL : &wait, waiting) <= 0)
            continue;
        if (fds[0].revents != 0)
            helper_read(program->helper);
        if (fds[1].revents != 0)
            helper_flush(program->helper);
    }
}

int main(int argc, char **argv)
{
    struct program program = {0};
    struct helper_options options = {
        .role = ROLE_SIGNAL, .name = "signal-dht", .on_message = on_message, .data = &program};
    struct error err;
    sigset_t waiting;
    bool ended;

    helper_common_options(argc, argv, usage, ROLE_SIGNAL);
    log_open("punchguard-signal-dht", false);
    if (argc > 1) {
        log_error("'%s': there is no such option; --help lists them", argv[1]);
        return 2;
    }
    if (sodium_init() < 0)
        return 1;
    signals_take(&waiting);
    program.helper = helper_new(&options, &err);
    if (program.helper == NULL || sandbox_enter(&err) < 0) {
        log_error("%s", err.message);
        helper_destroy(program.helper);
        return 1;
    }
    run(&program, &waiting);
    ended = transport_destroy(program.transport);
    helper_drain(program.helper, 500);
    program.failed |= helper_end(program.helper) == HELPER_BROKEN;
    helper_destroy(program.helper);
    if (!ended)
        _exit(program.failed ? 1 : 0);
    return program.failed ? 1 : 0;
}
