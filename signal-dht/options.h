/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The `options` of a transport that runs signal-dht.
 */
#ifndef SIGNAL_DHT_OPTIONS_H
#define SIGNAL_DHT_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/error.h"

#define OPTIONS_BOOTSTRAP_MAX 16
/* OpenDHT's own (network_utils.h, DHT_DEFAULT_PORT). */
#define OPTIONS_BOOTSTRAP_PORT 4222

struct bootstrap {
    char host[256];
    uint16_t port;
};

struct options {
    struct bootstrap bootstrap[OPTIONS_BOOTSTRAP_MAX];
    size_t bootstrap_count;
    uint16_t port; /* 0: any */
};

/* `text` is a JSON object, or NULL for the defaults. 0, or -EINVAL with `err` telling the JSON path
 * below `options`. */
int options_read(struct options *options, const char *text, struct error *err);

#endif
