/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The messages of punchguard-protocol(7) as structs, and the codec. All of it comes from messages.def.
 */
#ifndef PROTOCOL_MESSAGE_H
#define PROTOCOL_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "protocol/endpoint.h"
#include "protocol/error.h"

/* The lowest and the highest protocol that this release speaks. */
#define PROTOCOL_VERSION_MIN 1
#define PROTOCOL_VERSION     1

/* Protocols from min to max, both included. */
struct protocol_range {
    int64_t min, max;
};

/* Longest `data` of send and receive, and of a request, in bytes. */
#define MESSAGE_DATA_MAX    16384
#define MESSAGE_REQUEST_MAX 900
/* Value of an INTEGER that is not there. */
#define MESSAGE_ABSENT      INT64_MIN

enum role {
    ROLE_SIGNAL = 1,
    ROLE_ICE = 2,
    ROLE_WG = 4,
    ROLE_HELPERS = 7,
    ROLE_PEER = 8,  /* between brokers; both directions are FROM_HELPER */
    ROLE_EVENT = 16, /* what the broker says on its standard output */
    ROLE_STATE = 32, /* lines of the broker's files */
    ROLE_CONTROL = 64, /* the broker's control socket; TO_HELPER is to the broker */
};

enum direction { TO_HELPER = 1, FROM_HELPER = 2 };

struct strings {
    char **items;
    size_t count;
};

enum message_type {
    MESSAGE_NONE, /* a type that is not known here: to be ignored */
#define MESSAGE(roles, directions, name, type) MESSAGE_##name,
#define STRING(name, field, need, min, max)
#define CHOICE(name, field, need, words)
#define HEX(name, field, need, bytes)
#define KEY(name, field, need)
#define INTEGER(name, field, need, min, max)
#define BOOLEAN(name, field, need)
#define ENDPOINT(name, field, need)
#define STRINGS(name, field, need, count, max)
#define DOCUMENT(name, field, need, kind)
#define END(name)
#include "protocol/messages.def"
#include "protocol/messages.undef"
    MESSAGE_COUNT
};

#define MESSAGE(roles, directions, name, type)                                                     \
    struct message_##name {                                                                        \
        char present;
#define STRING(name, field, need, min, max)    char *field;
#define CHOICE(name, field, need, words)       char *field;
#define HEX(name, field, need, bytes)          char *field;
#define KEY(name, field, need)                 char *field;
#define INTEGER(name, field, need, min, max)   int64_t field;
#define BOOLEAN(name, field, need)             bool field;
#define ENDPOINT(name, field, need)            struct endpoint field;
#define STRINGS(name, field, need, count, max) struct strings field;
#define DOCUMENT(name, field, need, kind)      char *field;
#define END(name)                                                                                  \
    }                                                                                              \
    ;
#include "protocol/messages.def"
#include "protocol/messages.undef"

/* `present` in each struct has no meaning: ISO C knows no empty struct. */
struct message {
    enum message_type type;
    union {
#define MESSAGE(roles, directions, name, type) struct message_##name name;
#define STRING(name, field, need, min, max)
#define CHOICE(name, field, need, words)
#define HEX(name, field, need, bytes)
#define KEY(name, field, need)
#define INTEGER(name, field, need, min, max)
#define BOOLEAN(name, field, need)
#define ENDPOINT(name, field, need)
#define STRINGS(name, field, need, count, max)
#define DOCUMENT(name, field, need, kind)
#define END(name)
#include "protocol/messages.def"
#include "protocol/messages.undef"
    };
};

/* Sets the type and each field to "absent". What is put into string fields afterwards belongs to whoever
 * put it there: such a message is encoded, not cleared. */
void message_init(struct message *message, enum message_type type);

/* Reads one line (without newline) of the role and direction. 0 with *message to be given to
 * message_clear(), its type MESSAGE_NONE for an unknown type; or -EINVAL with `err` naming the field, and
 * *ref (where not NULL) the line's ref, if it had one that could be sent back, else MESSAGE_ABSENT. */
int message_decode(const char *text, size_t length, enum role role, enum direction direction,
                   struct message *message, int64_t *ref, struct error *err);

/* Frees what message_decode() allocated. */
void message_clear(struct message *message);

/* One line with its newline, for the caller to free; NULL with `err` filled if a field is missing, too
 * long or otherwise not as declared, or the line would have more than LINE_MAX_BYTES. */
char *message_encode(const struct message *message, size_t *length, struct error *err);

/* "peer-add". */
const char *message_type_name(enum message_type type);

/* Writes the table as one JSON array: what --describe prints. Roles and directions outside the masks
 * are left out. */
void message_describe(FILE *out, unsigned roles, unsigned directions);

/* For tests that walk all messages. */
enum field_kind {
    FIELD_STRING,
    FIELD_CHOICE,
    FIELD_HEX,
    FIELD_KEY,
    FIELD_INTEGER,
    FIELD_BOOLEAN,
    FIELD_ENDPOINT,
    FIELD_STRINGS,
    FIELD_DOCUMENT,
};

struct message_field {
    const char *name;
    enum field_kind kind;
    bool required;
    size_t offset; /* in struct message */
    int64_t min, max;
    const char *words;
};

struct message_shape {
    const char *type;
    unsigned roles, directions;
    const struct message_field *fields;
    size_t field_count;
};

const struct message_shape *message_shape(enum message_type type);

#endif
