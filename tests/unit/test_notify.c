/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/notify.h"
#include "protocol/log.h"

/* The service manager's end, and a loop. */
struct managed {
    uv_loop_t loop;
    int manager;
    char path[64];
};

static void begin(struct managed *m, bool abstract)
{
    const struct timeval wait = {.tv_sec = 2};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length;
    int written = snprintf(m->path, sizeof m->path, "%stest-notify-%d", abstract ? "@" : "/tmp/",
                           (int)getpid());

    assert_true(written > 0);
    memcpy(address.sun_path, m->path, sizeof m->path);
    if (abstract)
        address.sun_path[0] = '\0';
    length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)written + !abstract);
    m->manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(m->manager, (const struct sockaddr *)&address, length), 0);
    setsockopt(m->manager, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    setenv("NOTIFY_SOCKET", m->path, 1);
    assert_int_equal(uv_loop_init(&m->loop), 0);
}

static void end(struct managed *m, struct notify *notify)
{
    notify_close(notify);
    uv_run(&m->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&m->loop), 0);
    close(m->manager);
    if (m->path[0] == '/')
        unlink(m->path);
}

static void assert_told(const struct managed *m, const char *expected)
{
    char text[512];
    ssize_t n = recv(m->manager, text, sizeof text - 1, 0);

    assert_true(n > 0);
    text[n] = '\0';
    assert_string_equal(text, expected);
}

static void assert_told_nothing(const struct managed *m)
{
    char text[512];

    assert_int_equal(recv(m->manager, text, sizeof text, MSG_DONTWAIT), -1);
}

static void tell_all(bool abstract)
{
    struct managed m;
    struct notify *notify;

    begin(&m, abstract);
    notify = notify_open(&m.loop);
    assert_non_null(notify);
    assert_told_nothing(&m);
    notify_status(notify, "pg0 of %d\npeers", 3);
    assert_told(&m, "STATUS=pg0 of 3 peers");
    notify_ready(notify);
    assert_told(&m, "READY=1");
    notify_ready(notify);
    assert_told_nothing(&m);
    notify_stopping(notify);
    assert_told(&m, "STOPPING=1");
    end(&m, notify);
}

static void the_manager_is_told_at_a_path(void **state)
{
    (void)state;
    tell_all(false);
}

static void the_manager_is_told_at_an_abstract_name(void **state)
{
    (void)state;
    tell_all(true);
}

static void who_is_started_later_inherits_nothing_of_it(void **state)
{
    struct managed m;
    struct notify *notify;

    (void)state;
    setenv("WATCHDOG_USEC", "1000000", 1);
    setenv("WATCHDOG_PID", "1", 1);
    begin(&m, false);
    notify = notify_open(&m.loop);
    assert_null(getenv("NOTIFY_SOCKET"));
    assert_null(getenv("WATCHDOG_USEC"));
    assert_null(getenv("WATCHDOG_PID"));
    end(&m, notify);
}

static void on_timeout(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

static void run_for(struct managed *m, uint64_t ms)
{
    uv_timer_t timer;

    uv_update_time(&m->loop);
    uv_timer_init(&m->loop, &timer);
    uv_timer_start(&timer, on_timeout, ms, 0);
    uv_run(&m->loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&m->loop, UV_RUN_NOWAIT);
}

static void a_sign_of_life_comes_while_the_loop_turns(void **state)
{
    struct managed m;
    struct notify *notify;
    uint64_t begun;
    unsigned most;
    char pid[16];

    (void)state;
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("WATCHDOG_USEC", "40000", 1);
    setenv("WATCHDOG_PID", pid, 1);
    begin(&m, false);
    notify = notify_open(&m.loop);
    usleep(60000);
    assert_told_nothing(&m);
    begun = uv_hrtime();
    run_for(&m, 150);
    most = (unsigned)((uv_hrtime() - begun) / 20000000) + 1;
    for (int i = 0; i < 3; i++)
        assert_told(&m, "WATCHDOG=1");
    for (unsigned i = 3; i < most && recv(m.manager, pid, sizeof pid, MSG_DONTWAIT) > 0; i++)
        ;
    assert_told_nothing(&m);
    end(&m, notify);
}

static void another_process_gives_the_sign_of_life(void **state)
{
    struct managed m;
    struct notify *notify;

    (void)state;
    setenv("WATCHDOG_USEC", "10000", 1);
    setenv("WATCHDOG_PID", "1", 1);
    begin(&m, false);
    notify = notify_open(&m.loop);
    run_for(&m, 30);
    assert_told_nothing(&m);
    end(&m, notify);
}

static void without_a_manager_nothing_happens(void **state)
{
    static const char *const names[] = {NULL,           "",        "@", "/nonexistent/notify",
                                        "vsock:2:1234", "relative"};
    char long_name[200];
    uv_loop_t loop;

    (void)state;
    uv_loop_init(&loop);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        unsetenv("NOTIFY_SOCKET");
        if (names[i] != NULL)
            setenv("NOTIFY_SOCKET", names[i], 1);
        assert_null(notify_open(&loop));
    }
    memset(long_name, '/', sizeof long_name);
    long_name[sizeof long_name - 1] = '\0';
    setenv("NOTIFY_SOCKET", long_name, 1);
    assert_null(notify_open(&loop));
    notify_ready(NULL);
    notify_status(NULL, "x");
    notify_stopping(NULL);
    notify_close(NULL);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void a_manager_that_does_not_read_holds_nobody(void **state)
{
    struct managed m;
    struct notify *notify;
    uint64_t begun = uv_hrtime();

    (void)state;
    begin(&m, false);
    notify = notify_open(&m.loop);
    /* /proc/sys/net/unix/max_dgram_qlen is 10 to 512: the last of these waits its time out. */
    for (int i = 0; i < 2000 && uv_hrtime() - begun < 150000000; i++)
        notify_status(notify, "line %d", i);
    assert_true(uv_hrtime() - begun < 1000000000);
    end(&m, notify);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_manager_is_told_at_a_path),
        cmocka_unit_test(the_manager_is_told_at_an_abstract_name),
        cmocka_unit_test(who_is_started_later_inherits_nothing_of_it),
        cmocka_unit_test(a_sign_of_life_comes_while_the_loop_turns),
        cmocka_unit_test(another_process_gives_the_sign_of_life),
        cmocka_unit_test(without_a_manager_nothing_happens),
        cmocka_unit_test(a_manager_that_does_not_read_holds_nobody),
    };

    log_open("test_notify", false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
