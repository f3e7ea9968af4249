/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "punchguard/status_table.h"

static void begin(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# HELP punchguard_%s %s\n# TYPE punchguard_%s %s\n", name, help, name, type);
}

/* A label's value: backslash, quote and line feed are escaped. */
static void label(FILE *out, const char *value)
{
    for (; *value != '\0'; value++) {
        if (*value == '\\' || *value == '"')
            fputc('\\', out);
        if (*value == '\n')
            fputs("\\n", out);
        else
            fputc(*value, out);
    }
}

static void labelled(FILE *out, const char *name, const char *key, const char *value, double number)
{
    fprintf(out, "punchguard_%s{%s=\"", name, key);
    label(out, value);
    fprintf(out, "\"} %.16g\n", number);
}

static void device_metrics(const struct message_status_device *device, FILE *out)
{
    begin(out, "info", "gauge", "The device and its broker.");
    fputs("punchguard_info{version=\"", out);
    label(out, device->version);
    fputs("\",name=\"", out);
    label(out, device->name);
    fputs("\",interface=\"", out);
    label(out, device->interface);
    fprintf(out, "\",backend=\"%s\"} 1\n", device->backend != NULL ? device->backend : "");
    begin(out, "uptime_seconds", "gauge", "Since the start of the broker.");
    fprintf(out, "punchguard_uptime_seconds %.3f\n", (double)device->uptime_ms / 1000);
    begin(out, "wireguard_ready", "gauge", "Whether the tunnel's interface stands.");
    fprintf(out, "punchguard_wireguard_ready %d\n", device->ready);
}

static void transport_metrics(const struct snapshot *s, FILE *out)
{
    begin(out, "transport_ready", "gauge", "Whether the signalling transport is ready.");
    for (size_t i = 0; i < s->transport_count; i++) {
        const struct message_status_transport *t = &s->transports[i].status_transport;

        labelled(out, "transport_ready", "transport", t->transport, strcmp(t->state, "ready") == 0);
    }
}

static double peer_online(const struct message_status_peer *peer)
{
    return peer->online.count > 0;
}

static double peer_handshake(const struct message_status_peer *peer)
{
    return peer->latest_handshake == MESSAGE_ABSENT ? 0 : (double)peer->latest_handshake;
}

static double peer_rtt(const struct message_status_peer *peer)
{
    return (double)peer->rtt_ms / 1000;
}

static double peer_received(const struct message_status_peer *peer)
{
    return (double)peer->rx_bytes;
}

static double peer_sent(const struct message_status_peer *peer)
{
    return (double)peer->tx_bytes;
}

static void path_metrics(const struct snapshot *s, FILE *out)
{
    static const char *const kinds[] = {"direct", "forwarded", "none"};

    begin(out, "peer_path", "gauge", "1 for the kind of path that the peer's datagrams travel by.");
    for (size_t i = 0; i < s->peer_count; i++) {
        for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
            fputs("punchguard_peer_path{peer=\"", out);
            label(out, s->peers[i].status_peer.peer);
            fprintf(out, "\",path=\"%s\"} %d\n", kinds[k],
                    strcmp(s->peers[i].status_peer.path, kinds[k]) == 0);
        }
    }
}

static const struct {
    const char *name, *type, *help;
    double (*value)(const struct message_status_peer *peer);
} peer_metrics[] = {
    {"peer_online", "gauge", "Whether a transport reaches the peer.", peer_online},
    {"peer_rtt_seconds", "gauge", "Round trip over the path, as it was when it was found.",
     peer_rtt},
    {"peer_latest_handshake_seconds", "gauge",
     "WireGuard's latest handshake, in seconds since 1970; 0 without one.", peer_handshake},
    {"peer_receive_bytes_total", "counter", "Received through the tunnel.", peer_received},
    {"peer_transmit_bytes_total", "counter", "Sent through the tunnel.", peer_sent},
};

void metrics_print(const struct snapshot *s, FILE *out)
{
    begin(out, "up", "gauge", "Whether the broker answers.");
    fprintf(out, "punchguard_up %d\n", s != NULL);
    if (s == NULL)
        return;
    device_metrics(&s->device.status_device, out);
    transport_metrics(s, out);
    path_metrics(s, out);
    for (size_t m = 0; m < sizeof peer_metrics / sizeof peer_metrics[0]; m++) {
        begin(out, peer_metrics[m].name, peer_metrics[m].type, peer_metrics[m].help);
        for (size_t i = 0; i < s->peer_count; i++) {
            const struct message_status_peer *peer = &s->peers[i].status_peer;

            if (peer_metrics[m].value != peer_rtt || peer->rtt_ms != MESSAGE_ABSENT)
                labelled(out, peer_metrics[m].name, "peer", peer->peer,
                         peer_metrics[m].value(peer));
        }
    }
}
