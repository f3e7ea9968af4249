/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the programs of all signalling transports have in common: from main() to the messages of
 * role signal. A program brings a table of what its transport does.
 */
#ifndef PROTOCOL_SIGNALLING_H
#define PROTOCOL_SIGNALLING_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "protocol/error.h"
#include "protocol/message.h"

/* Descriptors that a transport may wait for. */
#define SIGNALLING_FDS 8

struct signalling;

/* Functions return 0, or -errno with `err` filled, where nothing else is said. `transport` is what
 * `open` gave. */
struct signalling_transport {
    const char *name;                /* "signal-tox" */
    const char *usage;               /* the whole help text */
    const char *const *capabilities; /* as in struct helper_options */
    /* Shuts the program in, before it reads its first byte. */
    int (*sandbox)(struct error *err);
    /* By `configure`. What happens is told with the functions below. NULL with `err` filled. */
    void *(*open)(const struct message_signal_configure *configure, struct signalling *signalling,
                  struct error *err);
    /* Says goodbye. False: threads are left, so the process must end by _exit(). */
    bool (*close)(void *transport);
    /* Our own address for `ready`, the transport's; NULL: there are none. */
    const char *(*address)(void *transport);
    int (*peer_add)(void *transport, const struct message_peer_add *peer, struct error *err);
    int (*peer_remove)(void *transport, const char *peer, struct error *err);
    int (*send)(void *transport, int64_t ref, const char *peer, const char *text,
                struct error *err);
    /* NULL where a stranger can't be asked. */
    int (*request)(void *transport, const char *address, const char *text, struct error *err);
    void (*network_changed)(void *transport);
    /* Before the program waits: sets the descriptors to wait for (others stay -1) and gives the ms
     * after which it wants to be called again, -1 for never. `congested`: the broker does not keep
     * up, so nothing more should be received. */
    int (*wait)(void *transport, bool congested, struct pollfd fds[SIGNALLING_FDS]);
    /* After each wait, with what showed. NULL: `wait` does all. */
    void (*work)(void *transport, const struct pollfd fds[SIGNALLING_FDS]);
};

/* All of main(): its exit status. */
int signalling_main(int argc, char **argv, const struct signalling_transport *transport);

/* Tell the broker; `signalling` is what `open` got. */
void signalling_presence(void *signalling, const char *peer, bool online, const char *via);
void signalling_sent(void *signalling, int64_t ref);
void signalling_receive(void *signalling, const char *peer, const char *text);
/* A stranger's request. */
void signalling_requested(void *signalling, const char *address, const char *text);

#endif
