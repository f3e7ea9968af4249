/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One node of the DHT: the only user of opendht_c.h. OpenDHT works in threads of its own; what it
 * has to say waits in a bounded queue for the one thread that calls here. There is one node in a
 * process.
 */
#ifndef SIGNAL_DHT_NODE_H
#define SIGNAL_DHT_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/error.h"
#include "signal-dht/options.h"
#include "signal-dht/seal.h"

/* Values that wait to be taken, of all places and of one; more are dropped. */
#define NODE_QUEUE_MAX       256
#define NODE_QUEUE_PLACE_MAX 96
/* Of longer values only the size is told: none of ours is. */
#define NODE_VALUE_MAX 20000
/* Puts that OpenDHT has not finished: then more have to wait. */
#define NODE_PUTS_MAX 64

/* Nodes that are ending while another runs. */
#define NODE_ENDING_MAX 4

struct node_value {
    uint64_t listener;
    uint8_t *data; /* for the caller to free */
    size_t length; /* of the data */
    size_t size;   /* of the value */
};

/* A descriptor that is readable when there is something to take or the state has changed. Call it
 * first, once: -errno on failure. */
int node_open(void);

/* Where none runs and node_may_start(). 0, or -errno with `err` filled. Whether anybody is there
 * turns out later. */
int node_start(const struct options *options, struct error *err);
/* Ends it, if one runs, in the background: that may wait for a name server. */
void node_stop(void);
bool node_runs(void);
/* A fixed port is free again only when the last node has ended. */
bool node_may_start(const struct options *options);
/* Whether nothing of any node is left. */
bool node_ended(void);

/* Clears the readiness of the descriptor. */
void node_arrived(void);
/* The next value; false when there is none. */
bool node_take(struct node_value *value);
/* Whether a put has succeeded since the last call: somebody of the network took it. */
bool node_answered(void);
/* Puts not finished. */
unsigned node_putting(void);

/* From now on values at the place come as `listener`, a number of the caller's choice from 1; those
 * there already come first. For node_unlisten(); NULL without memory. Ends with the node. */
void *node_listen(const uint8_t place[SEAL_PLACE_BYTES], uint64_t listener);
/* `handle` is no more. `running`: the node that it is of still runs. */
void node_unlisten(const uint8_t place[SEAL_PLACE_BYTES], void *handle, bool running);
/* 0, or -EAGAIN while NODE_PUTS_MAX are under way or there is no node. */
int node_put(const uint8_t place[SEAL_PLACE_BYTES], const uint8_t *data, size_t length);

#endif
