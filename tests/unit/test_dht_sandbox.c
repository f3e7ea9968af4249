/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * In a process of its own: a sandbox is never left.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "signal-dht/sandbox.h"

/* What the child found wrong: a line number, 0 for nothing. */
#define NEED(condition)                                                                            \
    if (!(condition))                                                                              \
    return __LINE__

static void in_child(int (*body)(void))
{
    int ends[2], found = -1, status;
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    pid = fork();
    if (pid == 0) {
        found = body();
        _exit(write(ends[1], &found, sizeof found) != sizeof found);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &found, sizeof found), sizeof found);
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (found != 0)
        fail_msg("%s:%d does not hold in the sandbox", __FILE__, found);
}

static void *thread_body(void *data)
{
    return data;
}

static int denied(void)
{
    char *const argv[] = {(char[]){"/bin/true"}, NULL};
    struct error err;

    NEED(sandbox_enter(&err) == 0);
    NEED(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 0);
    NEED(execv(argv[0], argv) < 0 && errno == ENOSYS);
    NEED(syscall(SYS_clone, 17, 0, 0, 0, 0) < 0 && errno == ENOSYS);
    NEED(socket(AF_UNIX, SOCK_STREAM, 0) < 0 && errno == ENOSYS);
    NEED(open("made", O_WRONLY | O_CREAT, 0600) < 0);
    NEED(setuid(0) < 0 && errno == ENOSYS);
    NEED(syscall(SYS_ptrace, 0, 0, 0, 0) < 0 && errno == ENOSYS);
    return 0;
}

static int allowed(void)
{
    struct addrinfo *found = NULL;
    struct error err;
    pthread_t thread;

    NEED(sandbox_enter(&err) == 0);
    NEED(socket(AF_INET, SOCK_DGRAM, 0) >= 0);
    NEED(socket(AF_INET6, SOCK_DGRAM, 0) >= 0 || errno == EAFNOSUPPORT);
    NEED(pthread_create(&thread, NULL, thread_body, NULL) == 0);
    NEED(pthread_join(thread, NULL) == 0);
    NEED(getaddrinfo("localhost", "4222", NULL, &found) == 0);
    freeaddrinfo(found);
    return 0;
}

static int files(void)
{
    struct error err;

    NEED(sandbox_enter(&err) == 0);
    NEED(open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES);
    NEED(open("/proc/self/maps", O_RDONLY) < 0 && errno == EACCES);
    return 0;
}

static void no_program_file_or_local_socket_can_be_made(void **state)
{
    (void)state;
    in_child(denied);
}

static void threads_sockets_and_host_names_work(void **state)
{
    (void)state;
    in_child(allowed);
}

static void only_the_resolver_s_files_can_be_read(void **state)
{
    (void)state;
    if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1 /* LANDLOCK_CREATE_RULESET_VERSION */) < 1)
        skip();
    in_child(files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_program_file_or_local_socket_can_be_made),
        cmocka_unit_test(threads_sockets_and_host_names_work),
        cmocka_unit_test(only_the_resolver_s_files_can_be_read),
    };

#ifdef PG_SANITIZED
    puts("sanitizers need what the sandbox denies");
    return 77;
#endif
    return cmocka_run_group_tests(tests, NULL, NULL);
}
