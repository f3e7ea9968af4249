/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "signal-dht/link.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "signal-dht/value.h"

/* Instances that a peer has left behind. */
#define RETIRED_MAX 32
/* Calls remembered as answered, and answers at most in ANSWERS_MS: a peer that has started often in
 * ten minutes left as many calls. */
#define CALLERS_MAX 16
#define ANSWERS_MAX 16
#define ANSWERS_MS  2000
/* An acknowledgement waits so long for company, and a repeated one for so long after the last. */
#define ACK_MS       10
#define ACK_AGAIN_MS 500
/* A message goes again after the first of these, doubling up to the second. */
#define AGAIN_MIN_MS 2000
#define AGAIN_MAX_MS 16000
/* Message bytes under way at a time. */
#define FLIGHT_BYTES_MAX 65536
/* From so many bytes on they go in few large values rather than in single datagrams. */
#define BACKLOG_BYTES 2000
/* Where the DHT takes no more at present. */
#define BUSY_MS 50

#define NEVER INT64_MAX

/* Calls while the peer is away; a value lives in the DHT for ten minutes. */
static const int64_t calls_ms[] = {1000, 4000, 15000, 60000, 240000};

struct waiting {
    int64_t ref, posted, due;
    unsigned tries;
    uint64_t number;
    char *text;
    size_t length;
};

struct caller {
    uint64_t instance, counter;
    bool answered;
};

/* An instance that another one has followed, and the last we heard of it. */
struct retired {
    uint64_t instance, counter;
};

struct link {
    struct link_events events;
    uint64_t self, peer; /* instances; peer 0: not known */
    struct retired retired[RETIRED_MAX];
    size_t retired_count;
    uint64_t counter, heard_counter;
    int64_t heard, asked; /* asked: since when a message is unanswered, NEVER for none */
    bool online;
    int64_t beat_at, beaten;
    size_t calls;
    int64_t ack_at, acked;
    struct caller callers[CALLERS_MAX];
    size_t caller_next;
    int64_t answers_since;
    unsigned answers;
    struct waiting waiting[LINK_WAITING_MAX];
    size_t waiting_count, waiting_bytes;
    uint64_t next_number;
    uint64_t settled, mask; /* of the peer's messages */
};

static uint64_t instance_new(void)
{
    uint64_t instance;

    do
        randombytes_buf(&instance, sizeof instance);
    while (instance == 0);
    return instance;
}

struct link *link_new(const struct link_events *events, int64_t now)
{
    struct link *l = calloc(1, sizeof *l);

    if (l == NULL)
        return NULL;
    l->events = *events;
    l->self = instance_new();
    l->next_number = 1;
    l->asked = l->ack_at = NEVER;
    l->beat_at = now;
    l->beaten = l->acked = l->answers_since = now - ANSWERS_MS;
    return l;
}

void link_destroy(struct link *l)
{
    if (l == NULL)
        return;
    for (size_t i = 0; i < l->waiting_count; i++)
        free(l->waiting[i].text);
    free(l);
}

/* Presence */

static void set_online(struct link *l, bool online)
{
    if (l->online == online)
        return;
    l->online = online;
    l->events.presence(l->events.data, online);
}

static void everything_again(struct link *l, int64_t now)
{
    for (size_t i = 0; i < l->waiting_count; i++) {
        l->waiting[i].tries = 0;
        l->waiting[i].due = now;
    }
    l->asked = NEVER;
}

void link_renew(struct link *l, int64_t now)
{
    l->calls = 0;
    l->beat_at = now;
    everything_again(l, now);
}

static void absent(struct link *l, int64_t now)
{
    set_online(l, false);
    link_renew(l, now);
}

static struct retired *retired_find(struct link *l, uint64_t instance)
{
    for (size_t i = 0; i < l->retired_count; i++)
        if (l->retired[i].instance == instance)
            return &l->retired[i];
    return NULL;
}

/* Where there is no room to remember one more, a new instance of ours makes all of them past. */
static void retire_peer(struct link *l)
{
    struct retired *known = retired_find(l, l->peer);

    if (l->peer == 0)
        return;
    if (known == NULL && l->retired_count == RETIRED_MAX) {
        l->self = instance_new();
        l->retired_count = 0;
    } else {
        known = known != NULL ? known : &l->retired[l->retired_count++];
        *known = (struct retired){l->peer, l->heard_counter};
    }
    l->peer = 0;
}

static void accept_peer(struct link *l, const struct value *value, int64_t now)
{
    l->peer = value->from;
    l->heard_counter = 0;
    l->settled = value->base - 1;
    l->mask = 0;
    everything_again(l, now);
    l->ack_at = now;
}

/* One that comes back with something that it has not said before was not gone: what made us think
 * so was late. */
static bool is_past(struct link *l, const struct value *value)
{
    const struct retired *known = retired_find(l, value->from);

    return value->from != l->peer && known != NULL && value->counter <= known->counter;
}

static void silence(struct link *l, int64_t now)
{
    int64_t unanswered = l->asked > l->heard ? l->asked : l->heard;

    if (!l->online)
        return;
    if (now - l->heard > LINK_SILENCE_MS ||
        (l->asked != NEVER && now - unanswered > LINK_UNANSWERED_MS))
        absent(l, now);
}

/* Messages that leave */

static void waiting_remove(struct link *l, size_t index)
{
    free(l->waiting[index].text);
    l->waiting_bytes -= l->waiting[index].length;
    l->waiting_count--;
    memmove(&l->waiting[index], &l->waiting[index + 1],
            (l->waiting_count - index) * sizeof l->waiting[0]);
}

static void drop_aged(struct link *l, int64_t now)
{
    while (l->waiting_count > 0 && now - l->waiting[0].posted > LINK_AGE_MS)
        waiting_remove(l, 0);
    if (l->waiting_count == 0)
        l->asked = NEVER;
}

int link_post(struct link *l, int64_t ref, const char *text, int64_t now)
{
    size_t length = strlen(text);
    struct waiting *w;

    if (length == 0 || length > VALUE_DATA_MAX)
        return -EMSGSIZE;
    drop_aged(l, now);
    if (l->waiting_count == LINK_WAITING_MAX || length > LINK_WAITING_BYTES_MAX - l->waiting_bytes)
        return -ENOBUFS;
    w = &l->waiting[l->waiting_count];
    *w = (struct waiting){.ref = ref,
                          .posted = now,
                          .due = now,
                          .number = l->next_number,
                          .text = strdup(text),
                          .length = length};
    if (w->text == NULL)
        return -ENOMEM;
    l->next_number++;
    l->waiting_count++;
    l->waiting_bytes += length;
    return 0;
}

static uint64_t base(const struct link *l)
{
    return l->waiting_count > 0 ? l->waiting[0].number : l->next_number;
}

static bool in_window(const struct link *l, const struct waiting *w)
{
    return w->number - base(l) < VALUE_WINDOW;
}

static bool has_come(uint64_t number, uint64_t settled, uint64_t mask)
{
    if (number <= settled)
        return true;
    number -= settled + 1;
    return number < 64 && (mask >> number & 1) != 0;
}

static void take_acks(struct link *l, const struct value *value)
{
    for (size_t i = 0; i < l->waiting_count;) {
        int64_t ref = l->waiting[i].ref;

        if (l->waiting[i].tries == 0 ||
            !has_come(l->waiting[i].number, value->settled, value->mask)) {
            i++;
            continue;
        }
        waiting_remove(l, i);
        l->asked = NEVER;
        l->events.delivered(l->events.data, ref);
    }
}

/* Messages that come */

static void mask_settle(struct link *l)
{
    for (; l->mask & 1; l->mask >>= 1)
        l->settled++;
}

static void take_base(struct link *l, uint64_t sender_base)
{
    uint64_t given_up;

    if (sender_base <= l->settled + 1)
        return;
    given_up = sender_base - 1 - l->settled;
    l->mask = given_up < 64 ? l->mask >> given_up : 0;
    l->settled += given_up;
    mask_settle(l);
}

static void take_message(struct link *l, const struct value_message *message)
{
    char text[VALUE_DATA_MAX + 1];

    if (message->number - l->settled > 64)
        return;
    l->mask |= (uint64_t)1 << (message->number - l->settled - 1);
    mask_settle(l);
    if (memchr(message->text, '\0', message->length) != NULL)
        return;
    memcpy(text, message->text, message->length);
    text[message->length] = '\0';
    l->events.received(l->events.data, text);
}

/* Whether any was new. */
static bool take_messages(struct link *l, struct value *value, int64_t now)
{
    struct value_message message;
    bool any = false, new = false;

    take_base(l, value->base);
    while (value_next(value, &message)) {
        any = true;
        if (has_come(message.number, l->settled, l->mask))
            continue;
        take_message(l, &message);
        new = true;
    }
    if (new && l->ack_at > now + ACK_MS)
        l->ack_at = now + ACK_MS;
    else if (any && l->ack_at == NEVER)
        l->ack_at = l->acked + ACK_AGAIN_MS > now ? l->acked + ACK_AGAIN_MS : now + ACK_MS;
    return new;
}

/* Values */

static enum link_use take_bye(struct link *l, const struct value *value, int64_t now)
{
    if (value->from != l->peer)
        return LINK_STALE;
    l->heard_counter = value->counter;
    retire_peer(l);
    absent(l, now);
    l->beat_at = now + calls_ms[0];
    return LINK_NEWS;
}

/* A value that names our present instance. */
static enum link_use take_ours(struct link *l, struct value *value, int64_t now)
{
    bool fresh;

    if (is_past(l, value))
        return LINK_STALE;
    if (value->bye)
        return take_bye(l, value, now);
    if (l->peer != value->from) {
        uint64_t self = l->self;

        set_online(l, false);
        retire_peer(l);
        if (l->self != self) {
            absent(l, now);
            return LINK_STALE;
        }
        accept_peer(l, value, now);
    }
    fresh = value->counter > l->heard_counter;
    if (fresh) {
        l->heard_counter = value->counter;
        l->heard = now;
        set_online(l, true);
    }
    take_acks(l, value);
    return take_messages(l, value, now) || fresh ? LINK_NEWS : LINK_STALE;
}

static struct caller *caller_find(struct link *l, uint64_t instance)
{
    for (size_t i = 0; i < CALLERS_MAX; i++)
        if (l->callers[i].instance == instance)
            return &l->callers[i];
    return NULL;
}

/* A value for nobody in particular, or for an earlier life of ours: its sender may not know us. */
static enum link_use take_call(struct link *l, const struct value *value)
{
    struct caller *caller = caller_find(l, value->from);

    if (is_past(l, value) || value->bye)
        return LINK_STALE;
    if (caller == NULL) {
        caller = &l->callers[l->caller_next];
        l->caller_next = (l->caller_next + 1) % CALLERS_MAX;
        *caller = (struct caller){.instance = value->from};
    }
    if (value->counter <= caller->counter)
        return LINK_STALE;
    caller->counter = value->counter;
    caller->answered = false;
    return LINK_NEWS;
}

enum link_use link_value(struct link *l, const uint8_t *bytes, size_t length, int64_t now)
{
    struct value value;

    if (value_read(&value, bytes, length) < 0)
        return LINK_STALE;
    if (value.from == l->self)
        return LINK_OWN;
    return value.to == l->self ? take_ours(l, &value, now) : take_call(l, &value);
}

/* What is put */

static struct value head_to(struct link *l, uint64_t to)
{
    struct value value = {.from = l->self, .to = to, .counter = ++l->counter, .base = base(l)};

    if (to != 0 && to == l->peer) {
        value.settled = l->settled;
        value.mask = l->mask;
    }
    return value;
}

static int put(struct link *l, uint8_t *bytes, size_t length)
{
    return l->events.put(l->events.data, bytes, value_pad(bytes, length));
}

static int put_head(struct link *l, uint64_t to, bool bye)
{
    uint8_t bytes[VALUE_MAX];
    struct value value = head_to(l, to);

    value.bye = bye;
    return put(l, bytes, value_write(&value, bytes));
}

/* We were heard by the peer, or will be. */
static void said(struct link *l, int64_t now)
{
    l->ack_at = NEVER;
    l->acked = l->beaten = now;
    if (l->online) {
        l->beat_at = now + LINK_BEAT_MS;
        return;
    }
    l->beat_at = now + calls_ms[l->calls];
    if (l->calls + 1 < sizeof calls_ms / sizeof calls_ms[0])
        l->calls++;
}

static void sent_again_at(struct waiting *w, int64_t now)
{
    int64_t wait = (int64_t)AGAIN_MIN_MS << (w->tries < 4 ? w->tries : 4);

    w->due = now + (wait < AGAIN_MAX_MS ? wait : AGAIN_MAX_MS);
    w->tries++;
}

struct load {
    size_t due, flying;
};

static struct load load_count(const struct link *l, int64_t now)
{
    struct load load = {0, 0};

    for (size_t i = 0; i < l->waiting_count && in_window(l, &l->waiting[i]); i++) {
        if (l->waiting[i].due <= now)
            load.due += l->waiting[i].length;
        else if (l->waiting[i].tries > 0)
            load.flying += l->waiting[i].length;
    }
    return load;
}

/* Appends what is due and has room, and marks it in `chosen`; the new length. */
static size_t fill(struct link *l, const struct value *value, uint8_t *bytes, size_t length,
                   size_t room, bool chosen[VALUE_WINDOW], int64_t now)
{
    bool any = false;

    for (size_t i = 0; i < l->waiting_count && in_window(l, &l->waiting[i]); i++) {
        const struct waiting *w = &l->waiting[i];
        struct value_message message = {w->number, w->text, w->length};

        chosen[i] =
            w->due <= now && length + VALUE_MESSAGE_HEAD + w->length <= (any ? room : VALUE_MAX);
        if (!chosen[i])
            continue;
        length = value_append(bytes, length, value, &message);
        any = true;
    }
    return length;
}

/* One value with messages. 1, 0 where none is due, or -EAGAIN. */
static int put_messages(struct link *l, int64_t now)
{
    uint8_t bytes[VALUE_MAX];
    bool chosen[VALUE_WINDOW] = {false};
    struct load load = load_count(l, now);
    struct value value;
    size_t length;

    if (l->peer == 0 || load.due == 0 || load.flying >= FLIGHT_BYTES_MAX)
        return 0;
    value = head_to(l, l->peer);
    length = value_write(&value, bytes);
    length = fill(l, &value, bytes, length, load.due > BACKLOG_BYTES ? VALUE_MAX : VALUE_SMALL,
                  chosen, now);
    if (put(l, bytes, length) < 0)
        return -EAGAIN;
    for (size_t i = 0; i < VALUE_WINDOW; i++)
        if (chosen[i])
            sent_again_at(&l->waiting[i], now);
    if (l->asked == NEVER)
        l->asked = now;
    said(l, now);
    return 1;
}

static bool may_answer(struct link *l, int64_t now)
{
    if (now - l->answers_since >= ANSWERS_MS) {
        l->answers_since = now;
        l->answers = 0;
    }
    return l->answers < ANSWERS_MAX;
}

/* To who called. */
static int put_answers(struct link *l, int64_t now)
{
    for (size_t i = 0; i < CALLERS_MAX; i++) {
        struct caller *caller = &l->callers[i];

        if (caller->instance == 0 || caller->answered || !may_answer(l, now))
            continue;
        if (put_head(l, caller->instance, false) < 0)
            return -EAGAIN;
        caller->answered = true;
        l->answers++;
        if (caller->instance == l->peer)
            said(l, now);
    }
    return 0;
}

static int put_all(struct link *l, int64_t now)
{
    int rc = put_answers(l, now);

    while (rc == 0 && (rc = put_messages(l, now)) == 1)
        rc = 0;
    if (rc == 0 && (now >= l->ack_at || now >= l->beat_at)) {
        rc = put_head(l, l->peer, false);
        if (rc == 0)
            said(l, now);
    }
    return rc;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t next(const struct link *l, int64_t now)
{
    int64_t at = sooner(l->beat_at, l->ack_at);

    if (l->online)
        at = sooner(at, l->heard + LINK_SILENCE_MS + 1);
    if (l->online && l->asked != NEVER)
        at = sooner(at, (l->asked > l->heard ? l->asked : l->heard) + LINK_UNANSWERED_MS + 1);
    for (size_t i = 0; i < l->waiting_count && in_window(l, &l->waiting[i]); i++)
        at = sooner(at, l->peer != 0 && l->waiting[i].due > now
                            ? l->waiting[i].due
                            : l->waiting[i].posted + LINK_AGE_MS + 1);
    for (size_t i = 0; i < CALLERS_MAX; i++)
        if (l->callers[i].instance != 0 && !l->callers[i].answered)
            at = sooner(at, l->answers_since + ANSWERS_MS);
    return at;
}

int64_t link_poll(struct link *l, int64_t now)
{
    drop_aged(l, now);
    silence(l, now);
    if (put_all(l, now) < 0)
        return now + BUSY_MS;
    return next(l, now);
}

void link_leave(struct link *l)
{
    if (l->peer != 0)
        put_head(l, l->peer, true);
}
