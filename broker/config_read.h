/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The parts of config.c: each reads one section into the configuration and notes what is wrong in
 * it.
 */
#ifndef BROKER_CONFIG_READ_H
#define BROKER_CONFIG_READ_H

#include "broker/config.h"
#include "protocol/json.h"

struct config_reader {
    struct config *config;
    struct config_errors *errors;
    bool transports_wrong; /* so their names can't be asked for */
};

/* Notes an error, with the file's path in front. Always -EINVAL. */
int config_note(struct config_reader *reader, const struct error *err);
/* The same for a place of the document. */
int config_fail(struct config_reader *reader, const struct json_at *at, const char *code,
                const char *format, ...) __attribute__((format(printf, 4, 5)));
/* A string of `min` to `max` bytes without control characters, copied; else noted. 0, -EINVAL or
 * -ENOMEM. */
int config_string(struct config_reader *reader, const struct json_at *at, size_t min, size_t max,
                  char **out);
/* Without memory: noted. Always -ENOMEM. */
int config_no_memory(struct config_reader *reader);

/* Each: 0, or -errno when something was noted. `at` is the section. */
int config_read_signalling(struct config_reader *reader, const struct json_at *at);
/* Where the section is absent. */
int config_default_signalling(struct config_reader *reader, const struct json_at *root);
int config_read_ice(struct config_reader *reader, const struct json_at *at);
int config_read_hooks(struct config_reader *reader, const struct json_at *at);
/* The member `command` of an object: an argv whose program is there. `example` is one. */
int config_read_command(struct config_reader *reader, const struct json_at *object,
                        const char *example, char ***command);
/* After the signalling and the interface. */
int config_read_peers(struct config_reader *reader, const struct json_at *at);
#endif
