/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "punchguard/status_table.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "punchguard/layout.h"

/* WireGuard makes a new session every 120 s where there is traffic, and one is void after 180 s:
 * its protocol's section 6.1, REKEY_AFTER_TIME and REJECT_AFTER_TIME. */
#define HANDSHAKE_OLD_S 180

enum {
    COLUMN_PEER,
    COLUMN_PATH,
    COLUMN_STATE,
    COLUMN_ENDPOINT,
    COLUMN_RTT,
    COLUMN_HANDSHAKE,
    COLUMN_RX,
    COLUMN_TX,
    COLUMN_RX_RATE,
    COLUMN_TX_RATE,
};

static const struct table_column columns[] = {
    [COLUMN_PEER] = {"PEER", false, 0},   [COLUMN_PATH] = {"PATH", false, 0},
    [COLUMN_STATE] = {"STATE", false, 2}, [COLUMN_ENDPOINT] = {"ENDPOINT", false, 3},
    [COLUMN_RTT] = {"RTT", true, 4},      [COLUMN_HANDSHAKE] = {"HANDSHAKE", true, 5},
    [COLUMN_RX] = {"RECEIVED", true, 6},  [COLUMN_TX] = {"SENT", true, 6},
    [COLUMN_RX_RATE] = {"IN", true, 1},   [COLUMN_TX_RATE] = {"OUT", true, 1},
};

void status_words(const char *state, char *out, size_t size)
{
    snprintf(out, size, "%s", state);
    for (char *at = out; *at != '\0'; at++)
        if (*at == '-')
            *at = ' ';
}

static const char *state_reason(const char *state)
{
    static const struct {
        const char *state, *reason;
    } reasons[] = {
        {"waiting-for-wireguard", "the tunnel's interface is not ready yet"},
        {"waiting-for-signalling", "no transport is ready yet"},
        {"joining", "asked by an invitation, and has not answered yet"},
        {"offline", "no transport reaches the peer"},
        {"greeting", "the peer has not proven yet who it is"},
        {"resuming", "the pair of addresses that worked last is tried again"},
        {"confirming", "WireGuard's handshake over the new path is awaited"},
        {"lost", "the path does not answer any more"},
    };

    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (strcmp(reasons[i].state, state) == 0)
            return reasons[i].reason;
    return "";
}

void status_reason(const struct message_status_peer *peer, char *out, size_t size)
{
    const char *why = peer->reason != NULL ? peer->reason : state_reason(peer->state);
    size_t used;

    out[0] = '\0';
    if (strcmp(peer->path, "direct") == 0)
        return;
    used = (size_t)snprintf(out, size, "%s", why);
    if (peer->retry_ms != MESSAGE_ABSENT && used < size)
        snprintf(out + used, size - used, "%stried again in %" PRId64 " s", used > 0 ? "; " : "",
                 (peer->retry_ms + 999) / 1000);
}

static const struct message_status_peer *peer_before(const struct snapshot *before,
                                                     const char *name)
{
    for (size_t i = 0; before != NULL && i < before->peer_count; i++)
        if (strcmp(before->peers[i].status_peer.peer, name) == 0)
            return &before->peers[i].status_peer;
    return NULL;
}

static void fill_rates(struct table_row *row, const struct message_status_peer *peer,
                       const struct message_status_peer *then, int64_t ms)
{
    layout_rate(then != NULL ? peer->rx_bytes - then->rx_bytes : 0, ms, row->cells[COLUMN_RX_RATE]);
    layout_rate(then != NULL ? peer->tx_bytes - then->tx_bytes : 0, ms, row->cells[COLUMN_TX_RATE]);
}

static void fill_handshake(const struct message_status_peer *peer, int64_t now,
                           char out[TABLE_CELL])
{
    char age[LAYOUT_TEXT];

    if (peer->latest_handshake == MESSAGE_ABSENT) {
        snprintf(out, TABLE_CELL, "-");
        return;
    }
    layout_age(now - peer->latest_handshake, age);
    snprintf(out, TABLE_CELL, "%s%s", age,
             now - peer->latest_handshake > HANDSHAKE_OLD_S ? " (old)" : "");
}

static void fill_note(struct table_row *row, const struct message_status_peer *peer)
{
    size_t used;

    status_reason(peer, row->note, sizeof row->note);
    used = strlen(row->note);
    if (peer->note != NULL)
        snprintf(row->note + used, sizeof row->note - used, "%s%s", used > 0 ? "; " : "",
                 peer->note);
}

static void fill_row(struct table_row *row, const struct message_status_peer *peer, int64_t now)
{
    snprintf(row->cells[COLUMN_PEER], TABLE_CELL, "%s", peer->peer);
    snprintf(row->cells[COLUMN_PATH], TABLE_CELL, "%s", peer->path);
    status_words(peer->state, row->cells[COLUMN_STATE], TABLE_CELL);
    if (peer->endpoint.address[0] != '\0')
        endpoint_format(&peer->endpoint, row->cells[COLUMN_ENDPOINT]);
    else
        strcpy(row->cells[COLUMN_ENDPOINT], "-");
    if (peer->rtt_ms != MESSAGE_ABSENT)
        snprintf(row->cells[COLUMN_RTT], TABLE_CELL, "%" PRId64 " ms", peer->rtt_ms);
    else
        strcpy(row->cells[COLUMN_RTT], "-");
    fill_handshake(peer, now, row->cells[COLUMN_HANDSHAKE]);
    layout_bytes(peer->rx_bytes, row->cells[COLUMN_RX]);
    layout_bytes(peer->tx_bytes, row->cells[COLUMN_TX]);
    fill_note(row, peer);
}

/* One line of the head, cut to the width. */
static void print_head(FILE *out, size_t width, const char *end, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void print_head(FILE *out, size_t width, const char *end, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    layout_print(out, text, width);
    fputs(end, out);
}

static size_t print_device(const struct message_status_device *device, FILE *out, size_t width,
                           const char *end)
{
    char age[LAYOUT_TEXT], overlay[512] = "";

    for (size_t i = 0; i < device->overlay.count; i++)
        snprintf(overlay + strlen(overlay), sizeof overlay - strlen(overlay), "%s%s",
                 i > 0 ? ", " : "", device->overlay.items[i]);
    layout_age(device->uptime_ms / 1000, age);
    print_head(out, width, end, "%s  %s  %s  up %s", device->name, device->interface, overlay, age);
    if (device->ready)
        print_head(out, width, end, "wireguard  ready: %s, port %" PRId64, device->backend,
                   device->listen_port);
    else
        print_head(out, width, end, "wireguard  not ready");
    return 2;
}

static size_t print_transports(const struct snapshot *s, FILE *out, size_t width, const char *end)
{
    for (size_t i = 0; i < s->transport_count; i++) {
        const struct message_status_transport *t = &s->transports[i].status_transport;

        print_head(out, width, end, "%-9s  %s%s%s", t->transport, t->state,
                   t->reason != NULL ? ": " : "", t->reason != NULL ? t->reason : "");
    }
    return s->transport_count;
}

void status_print(const struct snapshot *s, const struct snapshot *before, FILE *out, size_t width,
                  size_t height, const char *end)
{
    struct table table = {.column_count = before != NULL ? COLUMN_TX_RATE + 1 : COLUMN_RX_RATE};
    size_t used = 1;

    memcpy(table.columns, columns, sizeof columns);
    used += print_device(&s->device.status_device, out, width, end);
    used += print_transports(s, out, width, end);
    fputs(end, out);
    for (size_t i = 0; i < s->peer_count; i++) {
        const struct message_status_peer *peer = &s->peers[i].status_peer;
        struct table_row *row = table_add(&table);

        if (row == NULL)
            break;
        fill_row(row, peer, s->wall_s);
        if (before != NULL)
            fill_rates(row, peer, peer_before(before, peer->peer), s->taken_ms - before->taken_ms);
    }
    if (s->peer_count == 0)
        fprintf(out, "no peers%s", end);
    else
        table_print(&table, out, width, height > used ? height - used : height > 0, end);
    table_clear(&table);
}
