/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "signal-dht/node.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <opendht/opendht_c.h>

_Static_assert(SEAL_PLACE_BYTES == HASH_LEN, "a place is a key of OpenDHT");

/* What OpenDHT's threads and ours share. It lives as long as the process: callbacks may still come
 * while a node is ending. */
static struct {
    pthread_mutex_t mutex;
    struct node_value queue[NODE_QUEUE_MAX];
    size_t first, count;
    uintptr_t life; /* of the node; callbacks of an earlier one do not count */
    unsigned putting;
    bool answered;
    unsigned ending; /* nodes */
} shared = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* Ours alone. */
static dht_runner *runner;
static int wake = -1;

static void lock(void)
{
    pthread_mutex_lock(&shared.mutex);
}

static void unlock(void)
{
    pthread_mutex_unlock(&shared.mutex);
}

static void ring(void)
{
    static const uint64_t one = 1;

    while (write(wake, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

int node_open(void)
{
    wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return wake < 0 ? -errno : wake;
}

/* In OpenDHT's threads */

static bool has_room(uint64_t listener)
{
    size_t same = 0;

    for (size_t i = 0; i < shared.count; i++)
        same += shared.queue[(shared.first + i) % NODE_QUEUE_MAX].listener == listener;
    return shared.count < NODE_QUEUE_MAX && same < NODE_QUEUE_PLACE_MAX;
}

static void queue_value(uint64_t listener, dht_data_view view)
{
    size_t length = view.size <= NODE_VALUE_MAX ? view.size : 0;
    struct node_value *value;
    uint8_t *copy;

    if (!has_room(listener) || (copy = malloc(length + 1)) == NULL)
        return;
    if (length > 0)
        memcpy(copy, view.data, length);
    value = &shared.queue[(shared.first + shared.count++) % NODE_QUEUE_MAX];
    *value = (struct node_value){listener, copy, length, view.size};
}

static bool on_value(const dht_value *value, bool expired, void *data)
{
    if (expired)
        return true;
    lock();
    queue_value((uintptr_t)data, dht_value_get_data(value));
    unlock();
    ring();
    return true;
}

static void on_put(bool ok, void *data)
{
    lock();
    if ((uintptr_t)data == shared.life) {
        shared.putting--;
        shared.answered |= ok;
    }
    unlock();
    ring();
}

static void *end(void *ending)
{
    dht_runner_delete(ending);
    malloc_trim(0);
    lock();
    shared.ending--;
    unlock();
    ring();
    return NULL;
}

/* In ours */

static void bootstrap(const struct options *options)
{
    char port[8];

    for (size_t i = 0; i < options->bootstrap_count; i++) {
        snprintf(port, sizeof port, "%u", options->bootstrap[i].port);
        dht_runner_bootstrap(runner, options->bootstrap[i].host, port);
    }
}

int node_start(const struct options *options, struct error *err)
{
    dht_runner_config config;
    int rc;

    dht_runner_config_default(&config);
    runner = dht_runner_new();
    rc = dht_runner_run_config(runner, options->port, &config);
    if (rc != 0) {
        dht_runner_delete(runner);
        runner = NULL;
        error_set(err, "socket",
                  options->port != 0 ? "cannot open UDP port %u, $.port: it is in use, or may not "
                                       "be used; 0 takes any free one"
                                     : "cannot open a UDP socket on port %u: no network is there",
                  options->port);
        return -rc;
    }
    lock();
    shared.life++;
    shared.putting = 0;
    shared.answered = false;
    unlock();
    bootstrap(options);
    return 0;
}

void node_stop(void)
{
    pthread_t thread;

    if (runner == NULL)
        return;
    lock();
    shared.ending++;
    unlock();
    if (pthread_create(&thread, NULL, end, runner) == 0)
        pthread_detach(thread);
    else
        end(runner);
    runner = NULL;
}

bool node_runs(void)
{
    return runner != NULL;
}

static unsigned count_ending(void)
{
    unsigned ending;

    lock();
    ending = shared.ending;
    unlock();
    return ending;
}

bool node_may_start(const struct options *options)
{
    return count_ending() < (options->port != 0 ? 1 : NODE_ENDING_MAX);
}

bool node_ended(void)
{
    return runner == NULL && count_ending() == 0;
}

void node_arrived(void)
{
    uint64_t count;

    while (read(wake, &count, sizeof count) < 0 && errno == EINTR)
        ;
}

bool node_take(struct node_value *value)
{
    bool any;

    lock();
    any = shared.count > 0;
    if (any) {
        *value = shared.queue[shared.first];
        shared.first = (shared.first + 1) % NODE_QUEUE_MAX;
        shared.count--;
    }
    unlock();
    return any;
}

bool node_answered(void)
{
    bool answered;

    lock();
    answered = shared.answered;
    shared.answered = false;
    unlock();
    return answered;
}

unsigned node_putting(void)
{
    unsigned putting;

    lock();
    putting = shared.putting;
    unlock();
    return putting;
}

static dht_infohash key_of(const uint8_t place[SEAL_PLACE_BYTES])
{
    dht_infohash key;

    memcpy(key.d, place, sizeof key.d);
    return key;
}

void *node_listen(const uint8_t place[SEAL_PLACE_BYTES], uint64_t listener)
{
    dht_infohash key = key_of(place);

    return dht_runner_listen(runner, &key, on_value, NULL, (void *)(uintptr_t)listener);
}

void node_unlisten(const uint8_t place[SEAL_PLACE_BYTES], void *handle, bool running)
{
    dht_infohash key = key_of(place);

    if (handle == NULL)
        return;
    if (running)
        dht_runner_cancel_listen(runner, &key, handle);
    dht_op_token_delete(handle);
}

static bool put_begin(uintptr_t *life)
{
    bool room;

    lock();
    room = shared.putting < NODE_PUTS_MAX;
    shared.putting += room;
    *life = shared.life;
    unlock();
    return room;
}

int node_put(const uint8_t place[SEAL_PLACE_BYTES], const uint8_t *data, size_t length)
{
    dht_infohash key = key_of(place);
    dht_value *value;
    uintptr_t life;

    if (runner == NULL || !put_begin(&life))
        return -EAGAIN;
    value = dht_value_new(data, length);
    dht_runner_put(runner, &key, value, on_put, (void *)life, false);
    dht_value_unref(value);
    return 0;
}
