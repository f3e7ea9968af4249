/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Strangers' friend requests, given to a real Tox instance's callback: the network would take hours
 * to bring so many.
 */
#include <fcntl.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <tox/tox.h>

#include "protocol/error.h"
#include "signal-tox/transport.h"

#define REQUESTS 10000
/* Bytes; what the C library itself may take for later. */
#define GROWTH_MAX 65536

static tox_friend_request_cb *callback;

/* Instead of toxcore's: who calls back is then this test. */
void tox_callback_friend_request(Tox *tox, tox_friend_request_cb *function)
{
    (void)tox;
    callback = function;
}

static unsigned handed_on;

static void on_request(void *data, const char *key, const char *text)
{
    (void)data;
    assert_int_equal(strlen(key), 2 * TOX_PUBLIC_KEY_SIZE);
    assert_true(strlen(text) <= TRANSPORT_REQUEST_MAX);
    handed_on++;
}

static void on_other(void *data, int64_t ref)
{
    (void)data;
    (void)ref;
    fail();
}

static void on_presence(void *data, const char *peer, bool online, const char *via)
{
    (void)data;
    (void)peer;
    (void)online;
    (void)via;
    fail();
}

static void on_receive(void *data, const char *peer, const char *text)
{
    (void)data;
    (void)peer;
    (void)text;
    fail();
}

static off_t save_size(const char *folder)
{
    char path[128];
    struct stat status;

    snprintf(path, sizeof path, "%s/tox.save", folder);
    assert_int_equal(stat(path, &status), 0);
    return status.st_size;
}

static void requests_send(struct transport *transport)
{
    uint8_t key[TOX_PUBLIC_KEY_SIZE] = {0}, text[TOX_MAX_FRIEND_REQUEST_LENGTH];

    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < REQUESTS; i++) {
        memcpy(key, &i, sizeof i);
        callback(NULL, key, text, i % (sizeof text + 1), transport);
    }
}

static void ten_thousand_requests_of_strangers_have_no_effect(void **state)
{
    const struct transport_events events = {
        .presence = on_presence, .sent = on_other, .receive = on_receive, .request = on_request};
    char folder[] = "/tmp/test_tox_requests-XXXXXX", command[64];
    struct options options = {0}; /* no UDP and no node, so nothing is sent */
    struct transport *transport;
    struct error err;
    size_t before;
    off_t size;
    int fd;

    (void)state;
    assert_non_null(mkdtemp(folder));
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    transport = transport_new(fd, &options, true, &events, &err);
    assert_non_null(transport);
    assert_non_null(callback);
    size = save_size(folder);
    requests_send(transport);
    before = mallinfo2().uordblks;
    requests_send(transport);
    assert_true(mallinfo2().uordblks <= before + GROWTH_MAX);
    /* A minute may have ended meanwhile. */
    assert_in_range(handed_on, 1, 2 * TRANSPORT_REQUESTS_A_MINUTE);
    assert_int_equal(save_size(folder), size);
    transport_destroy(transport);
    assert_int_equal(save_size(folder), size);
    close(fd);
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_thousand_requests_of_strangers_have_no_effect),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
