/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wg-setup/uapi.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static void write_key(FILE *out, const char *name, const uint8_t key[KEY_BYTES])
{
    char hex[2 * KEY_BYTES + 1];

    sodium_bin2hex(hex, sizeof hex, key, KEY_BYTES);
    fprintf(out, "%s=%s\n", name, hex);
    sodium_memzero(hex, sizeof hex);
}

void uapi_write_device(FILE *out, const uint8_t secret[KEY_BYTES], uint16_t port)
{
    fputs("set=1\n", out);
    write_key(out, "private_key", secret);
    if (port != 0)
        fprintf(out, "listen_port=%u\n", (unsigned)port);
    fputc('\n', out);
}

void uapi_write_mark(FILE *out, uint32_t mark)
{
    fprintf(out, "set=1\nfwmark=%u\n\n", (unsigned)mark);
}

static void write_allowed(FILE *out, const struct device_peer *peer)
{
    char text[PREFIX_TEXT_SIZE];

    fputs("replace_allowed_ips=true\n", out);
    for (size_t i = 0; i < peer->allowed_count; i++) {
        prefix_format(&peer->allowed[i], text);
        fprintf(out, "allowed_ip=%s\n", text);
    }
}

void uapi_write_peer(FILE *out, const struct device_peer *peer)
{
    char text[ENDPOINT_TEXT_SIZE];

    fputs("set=1\n", out);
    write_key(out, "public_key", peer->public_key);
    if (peer->remove) {
        fputs("remove=true\n\n", out);
        return;
    }
    if (peer->set_preshared)
        write_key(out, "preshared_key", peer->preshared_key);
    if (peer->set_endpoint) {
        endpoint_format(&peer->endpoint, text);
        fprintf(out, "endpoint=%s\n", text);
    }
    if (peer->set_keepalive)
        fprintf(out, "persistent_keepalive_interval=%u\n", (unsigned)peer->keepalive);
    if (peer->set_allowed)
        write_allowed(out, peer);
    fputc('\n', out);
}

static int read_key(const char *hex, uint8_t out[KEY_BYTES])
{
    size_t length;

    return sodium_hex2bin(out, KEY_BYTES, hex, strlen(hex), NULL, &length, NULL) == 0 &&
                   length == KEY_BYTES
               ? 0
               : -EBADMSG;
}

/* A decimal number from 0 to max. */
static int read_number(const char *value, int64_t max, int64_t *out)
{
    char *end;
    long long number;

    errno = 0;
    number = strtoll(value, &end, 10);
    if (*value < '0' || *value > '9' || *end != '\0' || errno != 0 || number > max)
        return -EBADMSG;
    *out = number;
    return 0;
}

static int read_short(const char *value, uint16_t *out)
{
    int64_t number;

    if (read_number(value, UINT16_MAX, &number) < 0)
        return -EBADMSG;
    *out = (uint16_t)number;
    return 0;
}

/* The specification has a positive one; wireguard-go writes it negative. */
static int read_errno(const char *value)
{
    int64_t number;

    return read_number(value + (*value == '-'), 4095, &number) < 0 ? -EBADMSG : -(int)number;
}

static int read_device(const char *key, const char *value, struct device_about *about)
{
    uint8_t secret[KEY_BYTES];

    if (strcmp(key, "listen_port") == 0)
        return read_short(value, &about->listen_port);
    if (strcmp(key, "private_key") == 0) {
        if (read_key(value, secret) < 0)
            return -EBADMSG;
        crypto_scalarmult_curve25519_base(about->public_key, secret);
        sodium_memzero(secret, sizeof secret);
    }
    return 0;
}

static int read_allowed(const char *value, struct device_status *peer)
{
    size_t i = peer->allowed_count++;

    return i < PEER_ALLOWED_MAX && prefix_parse(&peer->allowed[i], value, false, NULL) < 0
               ? -EBADMSG
               : 0;
}

static int read_endpoint(const char *value, struct endpoint *endpoint)
{
    char host[256];
    uint16_t port;

    return endpoint_split(value, 0, host, &port, NULL) < 0 || endpoint_set(endpoint, host, port) < 0
               ? -EBADMSG
               : 0;
}

static int read_peer(const char *key, const char *value, struct device_status *peer)
{
    if (strcmp(key, "endpoint") == 0)
        return read_endpoint(value, &peer->endpoint);
    if (strcmp(key, "allowed_ip") == 0)
        return read_allowed(value, peer);
    if (strcmp(key, "preshared_key") == 0)
        return read_key(value, peer->preshared_key);
    if (strcmp(key, "persistent_keepalive_interval") == 0)
        return read_short(value, &peer->keepalive);
    if (strcmp(key, "last_handshake_time_sec") == 0)
        return read_number(value, INT64_MAX, &peer->latest_handshake);
    if (strcmp(key, "rx_bytes") == 0)
        return read_number(value, INT64_MAX, &peer->rx_bytes);
    if (strcmp(key, "tx_bytes") == 0)
        return read_number(value, INT64_MAX, &peer->tx_bytes);
    return 0;
}

static int take(const char *key, const char *value, struct device_about *about,
                struct device_status *peer, bool *in_peer, device_peer_seen *seen, void *data)
{
    if (strcmp(key, "public_key") == 0) {
        if (*in_peer && seen != NULL)
            seen(data, peer);
        memset(peer, 0, sizeof *peer);
        *in_peer = true;
        return read_key(value, peer->public_key);
    }
    if (strcmp(key, "errno") == 0)
        return read_errno(value);
    return *in_peer ? read_peer(key, value, peer) : read_device(key, value, about);
}

int uapi_read(char *text, struct device_about *about, device_peer_seen *seen, void *data)
{
    struct device_about unwanted = {.listen_port = 0};
    struct device_status peer;
    bool in_peer = false;
    char *save = NULL;
    int rc = 0;

    if (about == NULL)
        about = &unwanted;
    memset(about, 0, sizeof *about);
    if (strstr(text, "errno=") == NULL)
        return -EBADMSG;
    for (char *line = strtok_r(text, "\n", &save); line != NULL && rc == 0;
         line = strtok_r(NULL, "\n", &save)) {
        char *equals = strchr(line, '=');

        if (equals == NULL)
            return -EBADMSG;
        *equals = '\0';
        rc = take(line, equals + 1, about, &peer, &in_peer, seen, data);
    }
    if (rc == 0 && in_peer && seen != NULL)
        seen(data, &peer);
    return rc;
}
