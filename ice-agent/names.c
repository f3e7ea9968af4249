/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ice-agent/names.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* getaddrinfo() of glibc needs about 100 KiB. */
#define THREAD_STACK_BYTES (256 * 1024)

struct name {
    char host[256];
    uint16_t port;
    unsigned tag;
    int out;
};

/* What a thread writes; an empty endpoint ends a name. */
struct record {
    struct endpoint endpoint;
    unsigned tag;
};

static void record_write(const struct name *name, const struct endpoint *endpoint)
{
    struct record record = {.endpoint = *endpoint, .tag = name->tag};

    /* Below PIPE_BUF, so whole or not at all; without a reader there is nobody to tell. */
    if (write(name->out, &record, sizeof record) < 0)
        return;
}

static void *name_resolve(void *data)
{
    static const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_ADDRCONFIG};
    struct name *name = data;
    struct addrinfo *list = NULL;
    struct endpoint endpoint;
    sigset_t all;

    /* Signals are the caller's; and whoever has heard enough may have closed the pipe (SIGPIPE). */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    if (getaddrinfo(name->host, NULL, &hints, &list) != 0)
        list = NULL;
    for (const struct addrinfo *at = list; at != NULL; at = at->ai_next) {
        if (endpoint_from_sockaddr(&endpoint, at->ai_addr) < 0)
            continue;
        endpoint.port = name->port;
        record_write(name, &endpoint);
    }
    if (list != NULL)
        freeaddrinfo(list);
    memset(&endpoint, 0, sizeof endpoint);
    record_write(name, &endpoint);
    close(name->out);
    free(name);
    return NULL;
}

static int thread_start(struct name *name)
{
    pthread_attr_t attributes;
    pthread_t thread;
    int rc;

    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
    rc = pthread_create(&thread, &attributes, name_resolve, name);
    pthread_attr_destroy(&attributes);
    return -rc;
}

int names_open(struct names *names)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    *names = (struct names){.in = ends[0], .out = ends[1]};
    return 0;
}

void names_close(struct names *names)
{
    close(names->in);
    close(names->out);
}

int names_resolve(struct names *names, const char *host, uint16_t port, unsigned tag,
                  struct error *err)
{
    struct name *name = calloc(1, sizeof *name);
    int rc = -ENOMEM;

    if (name != NULL) {
        snprintf(name->host, sizeof name->host, "%s", host);
        name->port = port;
        name->tag = tag;
        name->out = fcntl(names->out, F_DUPFD_CLOEXEC, 3);
        rc = name->out < 0 ? -errno : thread_start(name);
    }
    if (rc == 0) {
        names->unresolved++;
        return 0;
    }
    error_set(err, "no-resolver", "cannot resolve '%s': %s", host, strerror(-rc));
    if (name != NULL && name->out >= 0)
        close(name->out);
    free(name);
    return rc;
}

int names_fd(const struct names *names)
{
    return names->in;
}

bool names_next(struct names *names, struct endpoint *endpoint, unsigned *tag)
{
    struct record record;

    while (read(names->in, &record, sizeof record) == (ssize_t)sizeof record) {
        *endpoint = record.endpoint;
        *tag = record.tag;
        if (record.endpoint.address[0] != '\0')
            return true;
        names->unresolved--;
    }
    return false;
}
