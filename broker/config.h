/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * conf.json, read and checked: punchguard.conf(5). It is root's and never written by us.
 */
#ifndef BROKER_CONFIG_H
#define BROKER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "protocol/interface.h"
#include "protocol/message.h"

#define CONFIG_BYTES_MAX      (1024 * 1024)
#define CONFIG_TRANSPORTS_MAX 8
#define CONFIG_PEERS_MAX      1024
#define CONFIG_STUN_MAX       32
#define CONFIG_HOOKS_MAX      8

struct config_transport {
    char *name;     /* "tox" */
    char **command; /* argv, NULL-terminated */
    char *options;  /* a JSON object as text, or NULL: the plugin's business */
};

struct config_peer {
    struct grant grant; /* name, public identity key, allowed_ips with their default filled in */
    char id[ID_TEXT_LENGTH + 1];
    char **addresses; /* one for each transport, in their order; NULL where there is none */
    bool learned;     /* not in the file: config_learned.h */
};

/* A learned peer goes without an overlay address: config_learned.h. */
struct config_collision {
    char peer[PEER_NAME_MAX + 1];
    struct error why; /* which one, who has it, what helps */
};

/* What is done with the devices that peers introduce. */
enum config_introductions { INTRODUCTIONS_ASK, INTRODUCTIONS_ACCEPT, INTRODUCTIONS_IGNORE };

struct config_hook {
    uint32_t events; /* bits of config_hook_event() */
    char **command;  /* argv, NULL-terminated */
    int timeout;     /* s */
};

struct config {
    char *path;      /* of the file, absolute */
    char *name;      /* of this device; default: the host's name */
    char *state_dir; /* default /var/lib/punchguard */
    char *control;   /* default /run/punchguard/INTERFACE.sock */
    bool names;      /* wg-setup's business: whether peers have names in /etc/hosts; default true */
    struct interface interface;
    enum config_introductions introductions; /* default: ask */
    struct config_transport *transports;     /* default: those that are installed */
    size_t transport_count;
    char **stun; /* "host:port"; NULL where the key is absent: ice-agent's own defaults */
    size_t stun_count;
    char *turn; /* a JSON array as text, checked, or NULL */
    struct config_hook *hooks;
    size_t hook_count;
    struct config_peer *peers;
    size_t peer_count;
    struct config_collision *collisions;
    size_t collision_count;
};

/* How many wrong places are told before the rest is left unread. */
#define CONFIG_ERRORS_MAX 20

struct config_errors {
    size_t count;
    struct error items[CONFIG_ERRORS_MAX]; /* messages begin with the file, then the JSON path */
};

/* Reads the file. NULL with at least one error where anything is wrong. */
struct config *config_load(const char *path, struct config_errors *errors);
/* The same of a file that somebody else has opened; `path` is where it is, as `config->path` had
 * it. The descriptor stays the caller's. */
struct config *config_load_open(const char *path, int fd, struct config_errors *errors);
void config_destroy(struct config *config);

/* Whether the transport is Tox by the plugin that comes with PunchGuard, whose addresses we know.
 */
bool config_transport_is_tox(const struct config_transport *transport);

/* The bit of an event that a hook can be run on, 0 for another message. */
uint32_t config_hook_event(enum message_type type);

#endif
