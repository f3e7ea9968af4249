/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A public node of a private Tox network, for the lab: takes part in the DHT and relays over TCP.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tox/tox.h>

#define ITERATE_MS_MAX 50

static const char usage[] = "usage: tox-node PORT [ADDRESS PORT PUBLIC-KEY]\n"
                            "PORT is that of the DHT (UDP) and of the relay (TCP); then a node to\n"
                            "bootstrap from. Prints the node's own public key.\n";

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
    (void)number;
    ended = 1;
}

/* 0 where it is no port. */
static uint16_t port_parse(const char *text)
{
    char *end;
    long port = strtol(text, &end, 10);

    return *text == '\0' || *end != '\0' || port < 1 || port > UINT16_MAX ? 0 : (uint16_t)port;
}

static Tox *node_new(uint16_t port)
{
    struct Tox_Options *options = tox_options_new(NULL);
    Tox *tox;

    if (options == NULL)
        return NULL;
    tox_options_set_ipv6_enabled(options, true);
    tox_options_set_local_discovery_enabled(options, false);
    tox_options_set_start_port(options, port);
    tox_options_set_end_port(options, port);
    tox_options_set_tcp_port(options, port);
    tox = tox_new(options, NULL);
    tox_options_free(options);
    return tox;
}

static int node_bootstrap(Tox *tox, const char *address, const char *port_text,
                          const char *key_text)
{
    uint8_t key[TOX_PUBLIC_KEY_SIZE];
    uint16_t port = port_parse(port_text);
    size_t length;

    if (port == 0 ||
        sodium_hex2bin(key, sizeof key, key_text, strlen(key_text), NULL, &length, NULL) != 0 ||
        length != sizeof key)
        return -EINVAL;
    return tox_bootstrap(tox, address, port, key, NULL) ? 0 : -EINVAL;
}

/* Others bootstrap with the DHT's key, which is not the key that friends know. */
static void key_print(const Tox *tox)
{
    uint8_t key[TOX_PUBLIC_KEY_SIZE];
    char text[TOX_PUBLIC_KEY_SIZE * 2 + 1];

    tox_self_get_dht_id(tox, key);
    puts(sodium_bin2hex(text, sizeof text, key, sizeof key));
    fflush(stdout);
}

static void node_run(Tox *tox)
{
    while (!ended) {
        uint32_t wait = tox_iteration_interval(tox);

        poll(NULL, 0, wait < ITERATE_MS_MAX ? (int)wait : ITERATE_MS_MAX);
        tox_iterate(tox, NULL);
    }
}

int main(int argc, char **argv)
{
    uint16_t port = argc == 2 || argc == 5 ? port_parse(argv[1]) : 0;
    Tox *tox;

    if (port == 0) {
        fputs(usage, stderr);
        return 2;
    }
    tox = node_new(port);
    if (tox == NULL) {
        fprintf(stderr, "tox-node: can't start on port %u: is it taken?\n", port);
        return 1;
    }
    if (argc == 5 && node_bootstrap(tox, argv[2], argv[3], argv[4]) < 0) {
        fputs(usage, stderr);
        tox_kill(tox);
        return 2;
    }
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    key_print(tox);
    node_run(tox);
    tox_kill(tox);
    return 0;
}
