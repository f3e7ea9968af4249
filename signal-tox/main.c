/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * punchguard-signal-tox: a signalling transport over Tox.
 */
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "protocol/file.h"
#include "protocol/helper.h"
#include "protocol/log.h"
#include "signal-tox/options.h"
#include "signal-tox/sandbox.h"
#include "signal-tox/transport.h"

static const char usage[] =
    "usage: punchguard-signal-tox [--nodes]\n"
    "Carries messages between devices over the Tox network. Speaks punchguard-protocol(7),\n"
    "role signal, on standard input and output.\n"
    "\n"
    "  --nodes      print the public nodes that are used without `bootstrap`, as it has them, end\n"
    "  --describe   print the messages of this role as JSON, end\n"
    "  --version, --help\n";

struct program {
    struct helper *helper;
    struct transport *transport;
    int folder;
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

static void on_request(void *data, const char *address, const char *received)
{
    struct message m;

    message_init(&m, MESSAGE_requested);
    m.requested.address = text(address);
    m.requested.data = text(received);
    helper_send(((struct program *)data)->helper, &m);
}

static void say_ready(struct program *program)
{
    char address[TRANSPORT_ADDRESS_DIGITS + 1];
    struct message m;

    transport_address(program->transport, address);
    message_init(&m, MESSAGE_signal_ready);
    m.signal_ready.address = address;
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
    struct transport_events events = {.presence = on_presence,
                                      .sent = on_sent,
                                      .receive = on_receive,
                                      .request = on_request,
                                      .data = program};
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
    program->folder = folder_open(m->state_dir, 0700, &err);
    if (program->folder >= 0 && sandbox_folder(program->folder, &err) == 0)
        program->transport = transport_new(program->folder, &options, !m->offline, &events, &err);
    if (program->transport == NULL)
        fail(program, &err);
    else
        say_ready(program);
}

static int peer_add(struct program *program, const struct message_peer_add *m, struct error *err)
{
    if (m->address != NULL)
        return transport_peer_add(program->transport, m->peer, m->address, err);
    error_set(err, "missing-field", "peer-add: Tox needs the 'address' of peer '%s', 76 hex digits",
              m->peer);
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
        rc = peer_add(program, &m->peer_add, &err);
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
        rc = transport_request(transport, m->request.address, m->request.data, &err);
        break;
    default:
        break;
    }
    if (rc < 0)
        helper_error(program->helper, ref, false, &err);
}

/* SIGTERM and SIGINT come while ppoll() waits and at no other time, so that none slips in before
 * it. */
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
        int ms = program->transport ? transport_iterate(program->transport) : -1;
        struct timespec wait = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
        bool congested = helper_congested(program->helper);
        struct pollfd fds[3] = {
            {.fd = congested ? -1 : helper_fd_in(program->helper), .events = POLLIN},
            {.fd = helper_wants_write(program->helper) ? helper_fd_out(program->helper) : -1,
             .events = POLLOUT},
            {.fd = program->transport ? transport_fd(program->transport) : -1, .events = POLLIN},
        };

        if (ppoll(fds, 3, ms < 0 ? NULL : &wait, waiting) <= 0)
            continue;
        if (fds[0].revents != 0)
            helper_read(program->helper);
        if (fds[1].revents != 0)
            helper_flush(program->helper);
    }
}

/* The exit status. */
static int print_nodes(void)
{
    static struct options options;
    struct error err;

    if (options_read(&options, NULL, &err) < 0)
        return 1;
    putchar('[');
    for (size_t i = 0; i < options.node_count; i++) {
        const struct node *node = &options.nodes[i];
        char key[2 * sizeof node->public_key + 1];

        hex_write(node->public_key, sizeof node->public_key, key);
        printf("%s{\"address\":\"%s\",\"udp_port\":%d,\"tcp_ports\":[", i > 0 ? "," : "",
               node->address, node->udp_port);
        for (size_t k = 0; k < node->tcp_port_count; k++)
            printf("%s%d", k > 0 ? "," : "", node->tcp_ports[k]);
        printf("],\"public_key\":\"%s\"}", key);
    }
    puts("]");
    return fflush(stdout) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    static const char *const capabilities[] = {"request", NULL};
    struct program program = {.folder = -1};
    struct helper_options options = {.role = ROLE_SIGNAL,
                                     .name = "signal-tox",
                                     .capabilities = capabilities,
                                     .on_message = on_message,
                                     .data = &program};
    struct error err;
    sigset_t waiting;

    helper_common_options(argc, argv, usage, ROLE_SIGNAL);
    log_open("punchguard-signal-tox", false);
    if (argc == 2 && strcmp(argv[1], "--nodes") == 0)
        return print_nodes();
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
    transport_destroy(program.transport);
    helper_drain(program.helper, 500);
    program.failed |= helper_end(program.helper) == HELPER_BROKEN;
    helper_destroy(program.helper);
    if (program.folder >= 0)
        close(program.folder);
    return program.failed ? 1 : 0;
}
