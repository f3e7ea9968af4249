/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a process can't do any more, and what it still can. Each in a child, for there is no way
 * out.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <netdb.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ice-agent/sandbox.h"

/* Whether it gives true, inside. */
static bool inside(bool (*call)(void))
{
    pid_t child = fork();
    int status;

    if (child == 0)
        _exit(sandbox_enter(NULL) == 0 && call() ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool opens(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static bool opens_some_file(void)
{
    return opens("/etc/passwd", O_RDONLY) || opens("/proc/self/maps", O_RDONLY) ||
           opens(".", O_RDONLY | O_DIRECTORY);
}

static bool writes_a_file(void)
{
    return opens("/tmp/written-inside", O_WRONLY | O_CREAT) || opens("/dev/null", O_WRONLY) ||
           mkdir("/tmp/made-inside", 0700) == 0 || unlink("/tmp/no-such") == 0 || errno == ENOENT;
}

static bool starts_a_process(void)
{
    pid_t child = fork();

    if (child == 0)
        _exit(0);
    return child > 0;
}

static bool starts_a_program(void)
{
    execl("/bin/true", "true", NULL);
    return false;
}

static pid_t other;

static bool signals_another_process(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    return kill(other, 0) == 0 || syscall(SYS_tgkill, other, other, 0) == 0 ||
           fcntl(fd, F_SETOWN, other) == 0 || fcntl(fd, F_SETSIG, SIGKILL) == 0;
}

static bool signals_itself(void)
{
    return syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), 0) == 0;
}

static bool makes_other_sockets(void)
{
    return socket(AF_UNIX, SOCK_STREAM, 0) >= 0 || socket(AF_PACKET, SOCK_RAW, 0) >= 0 ||
           socket(AF_VSOCK, SOCK_STREAM, 0) >= 0 || socket(AF_INET, SOCK_RAW, IPPROTO_UDP) >= 0;
}

static bool becomes_somebody(void)
{
    return setuid(0) == 0 || syscall(SYS_unshare, 0) == 0 ||
           syscall(SYS_ptrace, 0L, 0L, 0L, 0L) == 0;
}

static void *thread_run(void *data)
{
    return data;
}

static bool starts_a_thread(void)
{
    pthread_t thread;
    void *result = NULL;

    return pthread_create(&thread, NULL, thread_run, &result) == 0 &&
           pthread_join(thread, &result) == 0 && result == &result;
}

static bool makes_internet_sockets(void)
{
    return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) >= 0 &&
           (socket(AF_INET6, SOCK_DGRAM, 0) >= 0 || errno == EAFNOSUPPORT) &&
           socket(AF_NETLINK, SOCK_RAW, 0) >= 0;
}

static bool seeds_random_numbers(void)
{
    return opens("/dev/urandom", O_RDONLY);
}

static bool resolves_a_name(void)
{
    struct addrinfo *list;

    return getaddrinfo("localhost", NULL, NULL, &list) == 0;
}

/* Sanitizers need what the sandbox forbids, so there is no more than the first layer then. */
static void skip_where_sanitized(void)
{
#ifdef PG_SANITIZED
    skip();
#endif
}

static void nothing_can_be_started_or_changed(void **state)
{
    (void)state;
    skip_where_sanitized();
    assert_false(inside(starts_a_process));
    assert_false(inside(starts_a_program));
    assert_false(inside(writes_a_file));
    assert_false(inside(makes_other_sockets));
    assert_false(inside(becomes_somebody));
}

static void no_other_process_can_be_signalled(void **state)
{
    (void)state;
    skip_where_sanitized();
    other = getpid();
    assert_false(inside(signals_another_process));
    assert_true(inside(signals_itself));
}

static void no_file_can_be_read_but_those_for_names(void **state)
{
    (void)state;
    skip_where_sanitized();
    if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) < 1)
        skip();
    assert_false(inside(opens_some_file));
}

static void what_ice_needs_works(void **state)
{
    (void)state;
    assert_true(inside(starts_a_thread));
    assert_true(inside(makes_internet_sockets));
    assert_true(inside(seeds_random_numbers));
    assert_true(inside(resolves_a_name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_can_be_started_or_changed),
        cmocka_unit_test(no_other_process_can_be_signalled),
        cmocka_unit_test(no_file_can_be_read_but_those_for_names),
        cmocka_unit_test(what_ice_needs_works),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
