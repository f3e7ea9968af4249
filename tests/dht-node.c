/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A node of an OpenDHT network for the lab, and a stranger on it:
 *
 *     dht-node PORT [HOST PORT]…      its own UDP port, 0 for any; nodes to enter the network by
 *
 * It prints "ready" with its port and reads commands, of which each is answered by "done":
 *     put KEY COUNT SIZE      puts so many values of random bytes at the key, 40 hex digits
 *     again KEY               puts each value that is at the key once more
 * It runs until it is killed.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <opendht/opendht_c.h>

enum { FLIGHT_MAX = 50, VALUES_MAX = 4096 };

/* What OpenDHT's threads tell ours. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned flying;
static dht_value *found[VALUES_MAX];
static size_t found_count;

static void on_done(bool ok, void *data)
{
    (void)ok;
    (void)data;
    pthread_mutex_lock(&mutex);
    flying--;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

static bool on_value(const dht_value *value, void *data)
{
    (void)data;
    pthread_mutex_lock(&mutex);
    if (found_count < VALUES_MAX)
        found[found_count++] = dht_value_ref(value);
    pthread_mutex_unlock(&mutex);
    return true;
}

static void await_flying(unsigned most)
{
    pthread_mutex_lock(&mutex);
    while (flying > most)
        pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
}

static void begin(void)
{
    await_flying(FLIGHT_MAX);
    pthread_mutex_lock(&mutex);
    flying++;
    pthread_mutex_unlock(&mutex);
}

static void put(dht_runner *runner, const dht_infohash *key, const uint8_t *data, size_t size)
{
    dht_value *value = dht_value_new(data, size);

    begin();
    dht_runner_put(runner, key, value, on_done, NULL, false);
    dht_value_unref(value);
}

static void put_noise(dht_runner *runner, const dht_infohash *key, unsigned count, size_t size)
{
    static uint8_t noise[65536];

    for (; count > 0 && size <= sizeof noise; count--) {
        for (size_t at = 0; at < size; at += 256)
            if (getrandom(noise + at, size - at < 256 ? size - at : 256, 0) < 0)
                exit(1);
        put(runner, key, noise, size);
    }
}

static void put_again(dht_runner *runner, const dht_infohash *key)
{
    begin();
    dht_runner_get(runner, key, on_value, on_done, NULL);
    await_flying(0);
    while (found_count > 0) {
        dht_value *value = found[--found_count];
        dht_data_view view = dht_value_get_data(value);

        put(runner, key, view.data, view.size);
        dht_value_unref(value);
    }
}

static void obey(dht_runner *runner, const char *line)
{
    char key_text[41];
    dht_infohash key;
    unsigned count;
    size_t size;

    if (sscanf(line, "%*s %40s", key_text) == 1)
        dht_infohash_from_hex(&key, key_text);
    if (sscanf(line, "put %*s %u %zu", &count, &size) == 2)
        put_noise(runner, &key, count, size);
    else if (strncmp(line, "again ", 6) == 0)
        put_again(runner, &key);
    await_flying(0);
    puts("done");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    dht_runner *runner = dht_runner_new();
    dht_runner_config config;
    char line[256];

    if (argc < 2 || argc % 2 != 0)
        return 2;
    dht_runner_config_default(&config);
    if (dht_runner_run_config(runner, (in_port_t)atoi(argv[1]), &config) != 0)
        return 1;
    for (int i = 2; i < argc; i += 2)
        dht_runner_bootstrap(runner, argv[i], argv[i + 1]);
    printf("ready %u\n", dht_runner_get_bound_port(runner, AF_INET));
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL)
        obey(runner, line);
    for (;;)
        pause();
}
