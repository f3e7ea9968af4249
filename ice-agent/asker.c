/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ice-agent/asker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Datagrams that one call reads from a socket: a flood must not hold up the clock. */
#define READ_MAX 256

struct entry {
    struct asker_question question;
    uint8_t transaction[STUN_TRANSACTION_BYTES]; /* the last byte is the number of the try */
    int64_t sent[ASKER_TRIES];
    unsigned tries;
    int64_t due; /* of the next try, or, after the last one, the end of hope */
    bool told;
};

struct asker {
    int epoll;
    int sockets[ASKER_SOCKETS];
    int socket_count;
    struct entry entries[ASKER_QUESTIONS];
    int count;
};

struct asker *asker_new(void)
{
    struct asker *asker = calloc(1, sizeof *asker);

    if (asker == NULL)
        return NULL;
    asker->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (asker->epoll >= 0)
        return asker;
    free(asker);
    return NULL;
}

void asker_destroy(struct asker *asker)
{
    if (asker == NULL)
        return;
    for (int i = 0; i < asker->socket_count; i++)
        close(asker->sockets[i]);
    close(asker->epoll);
    free(asker);
}

static int socket_bind(int fd, struct endpoint *local)
{
    struct sockaddr_storage address;
    socklen_t length = (socklen_t)endpoint_to_sockaddr(local, &address);

    if (bind(fd, (struct sockaddr *)&address, length) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) < 0)
        return -errno;
    return endpoint_from_sockaddr(local, (struct sockaddr *)&address);
}

int asker_open(struct asker *asker, struct endpoint *local)
{
    struct epoll_event event = {.events = EPOLLIN};
    int fd, rc;

    if (asker->socket_count == ASKER_SOCKETS)
        return -ENOSPC;
    fd = socket(endpoint_family(local), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    rc = socket_bind(fd, local);
    if (rc == 0 && epoll_ctl(asker->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        rc = -errno;
    if (rc < 0) {
        close(fd);
        return rc;
    }
    asker->sockets[asker->socket_count] = fd;
    return asker->socket_count++;
}

int asker_ask(struct asker *asker, const struct asker_question *question, int64_t now)
{
    struct entry *entry = &asker->entries[asker->count];

    if (asker->count == ASKER_QUESTIONS)
        return -ENOSPC;
    entry->question = *question;
    entry->question.state = ASKER_PENDING;
    entry->due = now;
    stun_make_transaction(entry->transaction);
    return asker->count++;
}

int asker_count(const struct asker *asker)
{
    return asker->count;
}

const struct asker_question *asker_question(const struct asker *asker, int number)
{
    return &asker->entries[number].question;
}

int asker_fd(const struct asker *asker)
{
    return asker->epoll;
}

int64_t asker_deadline(const struct asker *asker)
{
    int64_t deadline = INT64_MAX;

    for (int i = 0; i < asker->count; i++)
        if (asker->entries[i].question.state == ASKER_PENDING && asker->entries[i].due < deadline)
            deadline = asker->entries[i].due;
    return deadline;
}

/* -1 where there is no way to send it; what was too much at once, or what the host's own firewall
 * took, counts as lost on the way. */
static int entry_send(const struct asker *asker, struct entry *entry)
{
    uint8_t packet[STUN_REQUEST_MAX];
    struct sockaddr_storage to;
    socklen_t size = (socklen_t)endpoint_to_sockaddr(&entry->question.to, &to);
    size_t length;

    entry->transaction[STUN_TRANSACTION_BYTES - 1] = (uint8_t)entry->tries;
    length = stun_make_change_request(packet, entry->transaction, entry->question.change);
    if (sendto(asker->sockets[entry->question.socket], packet, length, 0, (struct sockaddr *)&to,
               size) < 0 &&
        errno != EAGAIN && errno != ENOBUFS && errno != EPERM)
        return -1;
    return 0;
}

static void entry_try(const struct asker *asker, struct entry *entry, int64_t now)
{
    if (entry->tries == ASKER_TRIES) {
        entry->question.state = ASKER_SILENT;
        return;
    }
    if (entry_send(asker, entry) < 0) {
        entry->question.state = ASKER_NO_ROUTE;
        return;
    }
    entry->sent[entry->tries] = now;
    entry->due = now + ((int64_t)ASKER_FIRST_US << entry->tries);
    entry->tries++;
    if (entry->tries == ASKER_TRIES)
        entry->due = now + ASKER_LAST_US;
}

/* Which of its tries a message belongs to, or -1; its transaction is left as that try's. */
static int entry_match(struct entry *entry, const uint8_t *packet, size_t length)
{
    const uint8_t *transaction = packet + STUN_HEADER_BYTES - STUN_TRANSACTION_BYTES;
    uint8_t number;

    if (length < STUN_HEADER_BYTES || entry->question.state != ASKER_PENDING ||
        memcmp(transaction, entry->transaction, STUN_TRANSACTION_BYTES - 1) != 0)
        return -1;
    number = transaction[STUN_TRANSACTION_BYTES - 1];
    if (number >= entry->tries)
        return -1;
    entry->transaction[STUN_TRANSACTION_BYTES - 1] = number;
    return number;
}

/* A request to change that was answered from where it was sent to was not understood. */
static enum asker_state answer_judge(const struct asker_question *question,
                                     const struct endpoint *source)
{
    bool asked_itself = endpoint_equal(source, &question->to);

    if (endpoint_equal(source, &question->from))
        return question->response.refused ? ASKER_REFUSED : ASKER_ANSWERED;
    return asked_itself && question->change != 0 ? ASKER_REFUSED : ASKER_PENDING;
}

static void entry_take(struct entry *entry, int socket, const struct endpoint *source,
                       const uint8_t *packet, size_t length, int64_t now)
{
    struct asker_question *question = &entry->question;
    int try = entry_match(entry, packet, length);

    if (try < 0)
        return;
    if (question->hears >= 0) {
        if (question->hears == socket)
            question->state = ASKER_ANSWERED;
    } else if (question->socket == socket &&
               stun_read_response(&question->response, packet, length, entry->transaction) == 0) {
        question->state = answer_judge(question, source);
    }
    question->round_trip = now - entry->sent[try];
}

static void socket_read(struct asker *asker, int socket, int64_t now)
{
    struct sockaddr_storage from;
    socklen_t size = sizeof from;
    struct endpoint source;
    uint8_t packet[1500];

    for (int n = 0; n < READ_MAX; n++) {
        ssize_t length = recvfrom(asker->sockets[socket], packet, sizeof packet, 0,
                                  (struct sockaddr *)&from, &size);

        if (length < 0)
            return;
        size = sizeof from;
        if (endpoint_from_sockaddr(&source, (struct sockaddr *)&from) < 0)
            continue;
        for (int i = 0; i < asker->count; i++)
            entry_take(&asker->entries[i], socket, &source, packet, (size_t)length, now);
    }
}

void asker_advance(struct asker *asker, int64_t now)
{
    for (int i = 0; i < asker->socket_count; i++)
        socket_read(asker, i, now);
    for (int i = 0; i < asker->count; i++)
        if (asker->entries[i].question.state == ASKER_PENDING && asker->entries[i].due <= now)
            entry_try(asker, &asker->entries[i], now);
}

int asker_next_answered(struct asker *asker)
{
    for (int i = 0; i < asker->count; i++) {
        struct entry *entry = &asker->entries[i];

        if (entry->question.state == ASKER_ANSWERED && !entry->told) {
            entry->told = true;
            return i;
        }
    }
    return -1;
}
