/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A helper that misbehaves on order: what the broker's supervision is tried on.
 *
 *     bad-helper HOW [FILE]
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A grandchild that has left the process group ends by itself, in s. */
#define GRANDCHILD_S 5

static bool stubborn;
static int witness = -1;

static void say(const char *line)
{
    size_t length = strlen(line);

    while (length > 0) {
        ssize_t n = write(STDOUT_FILENO, line, length);

        if (n < 0 && errno != EINTR)
            _exit(3);
        if (n > 0) {
            line += n;
            length -= (size_t)n;
        }
    }
}

/* It speaks protocol `protocol` to `protocol_max`. */
static void hello_range(int protocol, int protocol_max)
{
    char line[256];

    snprintf(line, sizeof line,
             "{\"type\":\"hello\",\"protocol\":%d,\"protocol_max\":%d,\"role\":\"signal\","
             "\"name\":\"bad-helper\",\"version\":\"1\",\"capabilities\":[]}\n",
             protocol, protocol_max);
    say(line);
}

static void hello(int protocol, const char *role, const char *capability)
{
    char line[256];

    snprintf(line, sizeof line,
             "{\"type\":\"hello\",\"protocol\":%d,\"role\":\"%s\",\"name\":\"bad-helper\","
             "\"version\":\"1\",\"capabilities\":[%s]}\n",
             protocol, role, capability);
    say(line);
}

static void ready(void)
{
    say("{\"type\":\"ready\",\"address\":\"here\"}\n");
}

static void take(const char *line)
{
    const char *ref = strstr(line, "\"ref\":");
    char pong[64];

    if (strstr(line, "\"shutdown\"") != NULL && !stubborn)
        exit(0);
    if (strstr(line, "\"ping\"") == NULL || ref == NULL)
        return;
    snprintf(pong, sizeof pong, "{\"type\":\"pong\",\"ref\":%ld}\n", strtol(ref + 6, NULL, 10));
    say(pong);
}

/* Takes the lines that come within `wait_ms`. */
static void listen_for(int wait_ms)
{
    static char buffer[256 * 1024];
    static size_t used;
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    char *newline;
    ssize_t n;

    if (poll(&input, 1, wait_ms) <= 0)
        return;
    n = read(STDIN_FILENO, buffer + used, sizeof buffer - used - 1);
    if (n <= 0 && !stubborn)
        exit(0);
    if (n <= 0) {
        pause();
        return;
    }
    used += (size_t)n;
    buffer[used] = '\0';
    while ((newline = strchr(buffer, '\n')) != NULL) {
        *newline = '\0';
        take(buffer);
        used -= (size_t)(newline + 1 - buffer);
        memmove(buffer, newline + 1, used + 1);
    }
}

static _Noreturn void serve(void)
{
    for (;;)
        listen_for(-1);
}

static _Noreturn void speak_2(bool alone)
{
    if (alone)
        hello(2, "signal", "");
    else
        hello_range(1, 2);
    ready();
    serve();
}

static _Noreturn void freeze(void)
{
    for (;;)
        pause();
}

static void nested(void)
{
    static char line[60001];

    memset(line, '[', sizeof line - 1);
    line[sizeof line - 2] = '\n';
    say(line);
}

static void on_term(int number)
{
    (void)number;
    if (write(witness, "T", 1) < 0)
        _exit(4);
}

static void be_stubborn(const char *file)
{
    stubborn = true;
    witness = open(file, O_WRONLY | O_CREAT | O_APPEND, 0600);
    signal(SIGTERM, on_term);
    hello(1, "signal", "");
    serve();
}

static void leave_grandchild(bool in_group)
{
    hello(1, "signal", "");
    if (fork() == 0) {
        if (!in_group)
            setsid();
        alarm(GRANDCHILD_S);
        freeze();
    }
    exit(0);
}

static void endless_line(void)
{
    static char part[4097];

    memset(part, 'x', sizeof part - 1);
    hello(1, "signal", "");
    for (;;) {
        say(part);
        listen_for(0);
    }
}

static void flood(const char *line)
{
    hello(1, "signal", "");
    ready();
    for (;;) {
        say(line);
        listen_for(0);
    }
}

static void chatter(void)
{
    static const char text[] = "\033[2Jnonsense\a \302\2332J\n";
    struct pollfd log = {.fd = STDERR_FILENO, .events = POLLOUT};

    hello(1, "signal", "");
    ready();
    for (;;) {
        if (poll(&log, 1, 10) > 0 && write(STDERR_FILENO, text, sizeof text - 1) < 0 &&
            errno != EAGAIN)
            exit(5);
        listen_for(0);
    }
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "good", *file = argc > 2 ? argv[2] : "/dev/null";

    signal(SIGPIPE, SIG_IGN);
    if (strcmp(how, "crash") == 0)
        return 1;
    if (strcmp(how, "silent") == 0)
        freeze();
    if (strcmp(how, "2-only") == 0 || strcmp(how, "1-to-2") == 0)
        speak_2(strcmp(how, "2-only") == 0);
    if (strcmp(how, "wrong-role") == 0)
        hello(1, "ice", "");
    if (strcmp(how, "insists") == 0)
        hello(1, "signal", "\"tame\",\"*future\"");
    if (strcmp(how, "stubborn") == 0)
        be_stubborn(file);
    if (strcmp(how, "grandchild") == 0 || strcmp(how, "grandchild-apart") == 0)
        leave_grandchild(strcmp(how, "grandchild") == 0);
    if (strcmp(how, "endless-line") == 0)
        endless_line();
    if (strcmp(how, "flood") == 0)
        flood("{\"type\":\"presence\",\"peer\":\"home\",\"online\":true}\n");
    if (strcmp(how, "ping-flood") == 0)
        flood("{\"type\":\"ping\",\"ref\":1}\n");
    if (strcmp(how, "chatter") == 0)
        chatter();
    if (strcmp(how, "early") == 0)
        ready();
    hello(1, "signal", "");
    if (strcmp(how, "deaf") == 0)
        freeze();
    if (strcmp(how, "closes-out") == 0) {
        close(STDOUT_FILENO);
        freeze();
    }
    if (strcmp(how, "garbage") == 0 || strcmp(how, "two-bad-lines") == 0)
        say("garbage\n\xff\xfe{}\n");
    if (strcmp(how, "garbage") == 0)
        nested();
    ready();
    serve();
}
