/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * punchguard-signal-dht: a signalling transport over OpenDHT.
 */
#include "protocol/signalling.h"
#include "signal-dht/sandbox.h"
#include "signal-dht/transport.h"

static const char usage[] =
    "usage: punchguard-signal-dht\n"
    "Carries messages between devices over the OpenDHT network. Speaks punchguard-protocol(7),\n"
    "role signal, on standard input and output.\n"
    "\n"
    "  --describe   print the messages of this role as JSON, end\n"
    "  --version, --help\n";

static void *dht_open(const struct message_signal_configure *configure,
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

static bool dht_close(void *transport)
{
    return transport_destroy(transport);
}

static int dht_peer_add(void *transport, const struct message_peer_add *peer, struct error *err)
{
    return transport_peer_add(transport, peer->peer, peer->rendezvous, err);
}

static int dht_peer_remove(void *transport, const char *peer, struct error *err)
{
    return transport_peer_remove(transport, peer, err);
}

static int dht_send(void *transport, int64_t ref, const char *peer, const char *text,
                    struct error *err)
{
    return transport_send(transport, ref, peer, text, err);
}

static void dht_network_changed(void *transport)
{
    transport_reconnect(transport);
}

static int dht_wait(void *transport, bool congested, struct pollfd fds[SIGNALLING_FDS])
{
    if (congested)
        return -1;
    fds[0].fd = transport_fd(transport);
    return transport_iterate(transport);
}

static const struct signalling_transport dht = {.name = "signal-dht",
                                                .usage = usage,
                                                .sandbox = sandbox_enter,
                                                .open = dht_open,
                                                .close = dht_close,
                                                .peer_add = dht_peer_add,
                                                .peer_remove = dht_peer_remove,
                                                .send = dht_send,
                                                .network_changed = dht_network_changed,
                                                .wait = dht_wait};

int main(int argc, char **argv)
{
    return signalling_main(argc, argv, &dht);
}
