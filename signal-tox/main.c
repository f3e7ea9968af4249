/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * punchguard-signal-tox: a signalling transport over Tox.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "protocol/file.h"
#include "protocol/signalling.h"
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
    struct transport *transport;
    int folder;
    char address[TRANSPORT_ADDRESS_DIGITS + 1];
};

static void *tox_open(const struct message_signal_configure *configure,
                      struct signalling *signalling, struct error *err)
{
    const struct transport_events events = {.presence = signalling_presence,
                                            .sent = signalling_sent,
                                            .receive = signalling_receive,
                                            .request = signalling_requested,
                                            .data = signalling};
    static struct program program;
    static struct options options;

    if (options_read(&options, configure->options, err) < 0) {
        error_prefix(err, "options ");
        return NULL;
    }
    program.folder = folder_open(configure->state_dir, 0700, err);
    if (program.folder < 0)
        return NULL;
    if (sandbox_folder(program.folder, err) == 0)
        program.transport =
            transport_new(program.folder, &options, !configure->offline, &events, err);
    if (program.transport != NULL)
        return &program;
    close(program.folder);
    return NULL;
}

static bool tox_close(void *data)
{
    struct program *program = data;

    transport_destroy(program->transport);
    close(program->folder);
    return true;
}

static const char *tox_address(void *data)
{
    struct program *program = data;

    transport_address(program->transport, program->address);
    return program->address;
}

static int tox_peer_add(void *data, const struct message_peer_add *peer, struct error *err)
{
    struct program *program = data;

    if (peer->address != NULL)
        return transport_peer_add(program->transport, peer->peer, peer->address, err);
    error_set(err, "missing-field", "peer-add: Tox needs the 'address' of peer '%s', 76 hex digits",
              peer->peer);
    return -EINVAL;
}

static int tox_peer_remove(void *data, const char *peer, struct error *err)
{
    return transport_peer_remove(((struct program *)data)->transport, peer, err);
}

static int tox_send(void *data, int64_t ref, const char *peer, const char *text, struct error *err)
{
    return transport_send(((struct program *)data)->transport, ref, peer, text, err);
}

static int tox_request(void *data, const char *address, const char *text, struct error *err)
{
    return transport_request(((struct program *)data)->transport, address, text, err);
}

static void tox_network_changed(void *data)
{
    transport_reconnect(((struct program *)data)->transport);
}

/* Tox has no way to be held back. */
static int tox_wait(void *data, bool congested, struct pollfd fds[SIGNALLING_FDS])
{
    struct program *program = data;
    int ms = transport_iterate(program->transport);

    (void)congested;
    fds[0].fd = transport_fd(program->transport);
    return ms;
}

static const char *const capabilities[] = {"request", NULL};

static const struct signalling_transport tox = {.name = "signal-tox",
                                                .usage = usage,
                                                .capabilities = capabilities,
                                                .sandbox = sandbox_enter,
                                                .open = tox_open,
                                                .close = tox_close,
                                                .address = tox_address,
                                                .peer_add = tox_peer_add,
                                                .peer_remove = tox_peer_remove,
                                                .send = tox_send,
                                                .request = tox_request,
                                                .network_changed = tox_network_changed,
                                                .wait = tox_wait};

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
    if (argc == 2 && strcmp(argv[1], "--nodes") == 0)
        return print_nodes();
    return signalling_main(argc, argv, &tox);
}
