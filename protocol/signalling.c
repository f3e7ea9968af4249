/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "protocol/signalling.h"

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

#include "protocol/helper.h"
#include "protocol/log.h"

/* For the last words, in ms. */
#define DRAIN_MS 500

struct signalling {
    const struct signalling_transport *ops;
    struct helper *helper;
    void *transport; /* NULL before `configure` */
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

/* What the transport tells */

void signalling_presence(void *signalling, const char *peer, bool online, const char *via)
{
    struct message m;

    message_init(&m, MESSAGE_presence);
    m.presence.peer = text(peer);
    m.presence.online = online;
    m.presence.via = text(via);
    helper_send(((struct signalling *)signalling)->helper, &m);
}

void signalling_sent(void *signalling, int64_t ref)
{
    struct message m;

    message_init(&m, MESSAGE_sent);
    m.sent.ref = ref;
    helper_send(((struct signalling *)signalling)->helper, &m);
}

void signalling_receive(void *signalling, const char *peer, const char *received)
{
    struct message m;

    message_init(&m, MESSAGE_receive);
    m.receive.peer = text(peer);
    m.receive.data = text(received);
    helper_send(((struct signalling *)signalling)->helper, &m);
}

void signalling_requested(void *signalling, const char *address, const char *received)
{
    struct message m;

    message_init(&m, MESSAGE_requested);
    m.requested.address = text(address);
    m.requested.data = text(received);
    helper_send(((struct signalling *)signalling)->helper, &m);
}

/* What the broker says */

static void say_ready(struct signalling *s)
{
    struct message m;

    message_init(&m, MESSAGE_signal_ready);
    m.signal_ready.address = text(s->ops->address != NULL ? s->ops->address(s->transport) : "");
    helper_send(s->helper, &m);
}

static void configure(struct signalling *s, const struct message_signal_configure *m)
{
    struct error err;

    if (s->transport != NULL) {
        error_set(&err, "configured", "configure came before; a new process takes a new one");
        helper_error(s->helper, MESSAGE_ABSENT, false, &err);
        return;
    }
    s->transport = s->ops->open(m, s, &err);
    if (s->transport != NULL) {
        say_ready(s);
        return;
    }
    log_error("%s", err.message);
    helper_error(s->helper, MESSAGE_ABSENT, true, &err);
    s->failed = true;
}

static int not_there(const struct message *m, struct error *err)
{
    error_set(err, "not-supported", "%s: this transport can't, as the hello's capabilities say",
              message_type_name(m->type));
    return -ENOTSUP;
}

static int carry_out(struct signalling *s, const struct message *m, int64_t *ref, struct error *err)
{
    const struct signalling_transport *ops = s->ops;

    switch (m->type) {
    case MESSAGE_peer_add:
        return ops->peer_add(s->transport, &m->peer_add, err);
    case MESSAGE_signal_peer_remove:
        return ops->peer_remove(s->transport, m->signal_peer_remove.peer, err);
    case MESSAGE_signal_network_changed:
        ops->network_changed(s->transport);
        return 0;
    case MESSAGE_send:
        *ref = m->send.ref;
        return ops->send(s->transport, *ref, m->send.peer, m->send.data, err);
    case MESSAGE_request:
        *ref = m->request.ref;
        return ops->request == NULL
                   ? not_there(m, err)
                   : ops->request(s->transport, m->request.address, m->request.data, err);
    case MESSAGE_datagrams_open:
        *ref = m->datagrams_open.ref;
        return not_there(m, err);
    default:
        return 0;
    }
}

static void on_message(void *data, const struct message *m)
{
    struct signalling *s = data;
    struct error err;
    int64_t ref = MESSAGE_ABSENT;
    int rc;

    if (m->type == MESSAGE_signal_configure) {
        configure(s, &m->signal_configure);
        return;
    }
    if (s->transport == NULL) {
        error_set(&err, "not-configured", "%s: configure must come first",
                  message_type_name(m->type));
        rc = -EINVAL;
    } else {
        rc = carry_out(s, m, &ref, &err);
    }
    if (rc < 0)
        helper_error(s->helper, ref, false, &err);
}

/* The program */

/* SIGTERM and SIGINT come while ppoll() waits and at no other time, so that none slips in before
 * it, and to no thread of a library's. */
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

static void turn(struct signalling *s, const sigset_t *waiting)
{
    struct pollfd fds[2 + SIGNALLING_FDS];
    struct timespec wait;
    bool congested = helper_congested(s->helper);
    int ms = -1;

    for (size_t i = 0; i < 2 + SIGNALLING_FDS; i++)
        fds[i] = (struct pollfd){.fd = -1, .events = POLLIN};
    if (s->transport != NULL)
        ms = s->ops->wait(s->transport, congested, fds + 2);
    if (!congested)
        fds[0].fd = helper_fd_in(s->helper);
    if (helper_wants_write(s->helper))
        fds[1] = (struct pollfd){.fd = helper_fd_out(s->helper), .events = POLLOUT};
    wait = (struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    if (ppoll(fds, 2 + SIGNALLING_FDS, ms < 0 ? NULL : &wait, waiting) < 0)
        return;
    if (fds[0].revents != 0)
        helper_read(s->helper);
    if (fds[1].revents != 0)
        helper_flush(s->helper);
    if (s->transport != NULL && s->ops->work != NULL)
        s->ops->work(s->transport, fds + 2);
}

static int run(struct signalling *s, const sigset_t *waiting)
{
    bool ended = true;

    while (!terminated && !s->failed && helper_end(s->helper) == HELPER_OPEN)
        turn(s, waiting);
    if (s->transport != NULL)
        ended = s->ops->close(s->transport);
    helper_drain(s->helper, DRAIN_MS);
    s->failed |= helper_end(s->helper) == HELPER_BROKEN;
    helper_destroy(s->helper);
    if (!ended)
        _exit(s->failed ? 1 : 0);
    return s->failed ? 1 : 0;
}

int signalling_main(int argc, char **argv, const struct signalling_transport *transport)
{
    struct signalling s = {.ops = transport};
    struct helper_options options = {.role = ROLE_SIGNAL,
                                     .name = transport->name,
                                     .capabilities = transport->capabilities,
                                     .on_message = on_message,
                                     .data = &s};
    static char program[64];
    struct error err;
    sigset_t waiting;

    helper_common_options(argc, argv, transport->usage, ROLE_SIGNAL);
    snprintf(program, sizeof program, "punchguard-%s", transport->name);
    log_open(program, false);
    if (argc > 1) {
        log_error("'%s': there is no such option; --help lists them", argv[1]);
        return 2;
    }
    if (sodium_init() < 0)
        return 1;
    signals_take(&waiting);
    s.helper = helper_new(&options, &err);
    if (s.helper == NULL || transport->sandbox(&err) < 0) {
        log_error("%s", err.message);
        helper_destroy(s.helper);
        return 1;
    }
    return run(&s, &waiting);
}
