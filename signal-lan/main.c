/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * punchguard-signal-lan: a signalling transport on the local link.
 */
#include "protocol/signalling.h"
#include "signal-lan/sandbox.h"
#include "signal-lan/transport.h"

_Static_assert(TRANSPORT_FDS <= SIGNALLING_FDS, "all that it waits for has room");

static const char usage[] =
    "usage: punchguard-signal-lan\n"
    "Carries messages between devices on one link, found by multicast. Speaks\n"
    "punchguard-protocol(7), role signal, on standard input and output.\n"
    "\n"
    "  --describe   print the messages of this role as JSON, end\n"
    "  --version, --help\n";

static void *lan_open(const struct message_signal_configure *configure,
                      struct signalling *signalling, struct error *err)
{
    const struct transport_events events = {.presence = signalling_presence,
                                            .sent = signalling_sent,
                                            .receive = signalling_receive,
                                            .data = signalling};
    static struct options options;

    if (options_read(&options, configure->options, err) < 0) {
        error_prefix(err, "options ");
        return NULL;
    }
    return transport_new(&options, !configure->offline, &events, err);
}

static bool lan_close(void *transport)
{
    transport_destroy(transport);
    return true;
}

static int lan_peer_add(void *transport, const struct message_peer_add *peer, struct error *err)
{
    return transport_peer_add(transport, peer->peer, peer->rendezvous, err);
}

static int lan_peer_remove(void *transport, const char *peer, struct error *err)
{
    return transport_peer_remove(transport, peer, err);
}

static int lan_send(void *transport, int64_t ref, const char *peer, const char *text,
                    struct error *err)
{
    return transport_send(transport, ref, peer, text, err);
}

static void lan_network_changed(void *transport)
{
    transport_network_changed(transport);
}

/* What is received and can't be handed on stays with the kernel, which drops what does not fit; the
 * peers send it again. */
static int lan_wait(void *transport, bool congested, struct pollfd fds[SIGNALLING_FDS])
{
    int ms = transport_wait(transport, fds);

    for (size_t i = 0; congested && i < TRANSPORT_FDS; i++)
        fds[i].fd = -1;
    return ms;
}

static void lan_work(void *transport, const struct pollfd fds[SIGNALLING_FDS])
{
    transport_iterate(transport, fds);
}

static const struct signalling_transport lan = {.name = "signal-lan",
                                                .usage = usage,
                                                .sandbox = sandbox_enter,
                                                .open = lan_open,
                                                .close = lan_close,
                                                .peer_add = lan_peer_add,
                                                .peer_remove = lan_peer_remove,
                                                .send = lan_send,
                                                .network_changed = lan_network_changed,
                                                .wait = lan_wait,
                                                .work = lan_work};

int main(int argc, char **argv)
{
    return signalling_main(argc, argv, &lan);
}
