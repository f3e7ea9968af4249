/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "punchguard/watching.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "punchguard/client.h"
#include "punchguard/snapshot.h"
#include "punchguard/status_table.h"

/* Events come in bursts; this is let pass before they are looked at, in ms. */
#define SETTLE_MS 100
/* Alternate screen and no cursor; and back. */
#define SCREEN_ON  "\033[?1049h\033[?25l"
#define SCREEN_OFF "\033[?25h\033[?1049l"

struct watching {
    const struct context *context;
    const char *peer; /* NULL: all */
    int interval_ms;
    bool screen;           /* standard output is a terminal */
    struct termios before; /* of standard input, while `keys` */
    bool keys;
    struct client *events, *client;
    struct snapshot last; /* what rates are told from */
    struct error err;
};

static volatile sig_atomic_t over;

static void on_end(int signal)
{
    (void)signal;
    over = 1;
}

static void on_resize(int signal)
{
    (void)signal;
}

/* Without SA_RESTART: poll() is to end. */
static void catch_signals(void)
{
    struct sigaction end = {.sa_handler = on_end}, resize = {.sa_handler = on_resize};

    sigaction(SIGINT, &end, NULL);
    sigaction(SIGTERM, &end, NULL);
    sigaction(SIGHUP, &end, NULL);
    sigaction(SIGWINCH, &resize, NULL);
}

static struct winsize terminal_size(FILE *out)
{
    struct winsize size = {0};

    if (ioctl(fileno(out), TIOCGWINSZ, &size) < 0)
        memset(&size, 0, sizeof size);
    return size;
}

size_t watching_width(FILE *out)
{
    return isatty(fileno(out)) ? terminal_size(out).ws_col : 0;
}

static void screen_on(struct watching *w)
{
    struct termios raw;

    w->screen = isatty(STDOUT_FILENO) && !w->context->json;
    if (!w->screen)
        return;
    w->keys = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &w->before) == 0;
    if (w->keys) {
        raw = w->before;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    fputs(SCREEN_ON, stdout);
}

static void screen_off(struct watching *w)
{
    if (w->keys)
        tcsetattr(STDIN_FILENO, TCSANOW, &w->before);
    if (w->screen)
        fputs(SCREEN_OFF, stdout);
    fflush(stdout);
}

static void forget_broker(struct watching *w)
{
    client_close(w->events);
    client_close(w->client);
    w->events = w->client = NULL;
}

static enum outcome ensure_connected(struct watching *w)
{
    struct message m;
    enum outcome outcome;

    if (w->client != NULL)
        return OUTCOME_OK;
    outcome = client_connect(&w->client, w->context, &w->err);
    if (outcome == OUTCOME_OK)
        outcome = client_connect(&w->events, w->context, &w->err);
    if (outcome == OUTCOME_OK) {
        message_init(&m, MESSAGE_control_events);
        outcome = client_call(w->events, &m, NULL, NULL, &w->err);
    }
    return outcome;
}

static void draw(struct watching *w, const struct snapshot *snapshot)
{
    struct winsize size = w->screen ? terminal_size(stdout) : (struct winsize){0};

    if (w->context->json) {
        printf("%s\n", snapshot->json);
    } else if (!w->screen) {
        status_print(snapshot, w->last.json != NULL ? &w->last : snapshot, stdout, 0, 0, "\n");
        putchar('\n');
    } else {
        fputs("\033[H", stdout);
        status_print(snapshot, w->last.json != NULL ? &w->last : snapshot, stdout, size.ws_col,
                     size.ws_row > 1 ? size.ws_row - 1u : 0, "\033[K\n");
        fputs("\033[J", stdout);
    }
    if (command_reader_gone())
        over = 1;
}

/* Rates are told over the interval, also where events make it draw more often. */
static void keep_last(struct watching *w, struct snapshot *snapshot)
{
    if (w->last.json != NULL && snapshot->taken_ms - w->last.taken_ms < w->interval_ms / 2) {
        snapshot_clear(snapshot);
        return;
    }
    snapshot_clear(&w->last);
    w->last = *snapshot;
}

static enum outcome look(struct watching *w)
{
    struct snapshot snapshot = {0};
    enum outcome outcome = ensure_connected(w);

    if (outcome == OUTCOME_OK)
        outcome = snapshot_take(&snapshot, w->client, w->peer, &w->err);
    if (outcome == OUTCOME_OK) {
        draw(w, &snapshot);
        keep_last(w, &snapshot);
        return OUTCOME_OK;
    }
    forget_broker(w);
    if (outcome != OUTCOME_NOT_RUNNING || !w->screen)
        return outcome;
    printf("\033[H%s\033[K\n\033[J", w->err.message);
    fflush(stdout);
    return OUTCOME_OK;
}

static void read_key(void)
{
    char key;

    if (read(STDIN_FILENO, &key, 1) == 1 && (key == 'q' || key == 'Q'))
        over = 1;
}

/* Takes what waits; whether the stream goes on. */
static void drain_events(struct watching *w)
{
    char *line;

    do {
        if (client_line(w->events, 0, &line, &w->err) != OUTCOME_OK) {
            forget_broker(w);
            return;
        }
    } while (line != NULL);
}

/* Until it is time to look again. */
static void wait_for_change(struct watching *w)
{
    struct pollfd ready[] = {
        {.fd = w->keys ? STDIN_FILENO : -1, .events = POLLIN},
        {.fd = w->events != NULL ? client_fd(w->events) : -1, .events = POLLIN},
    };

    if (poll(ready, 2, w->interval_ms) <= 0)
        return;
    if (ready[0].revents != 0)
        read_key();
    if (ready[1].revents == 0 || over)
        return;
    poll(NULL, 0, SETTLE_MS);
    drain_events(w);
}

enum outcome watching_run(const struct context *context, const char *peer, int interval)
{
    struct watching w = {.context = context, .peer = peer, .interval_ms = interval * 1000};
    enum outcome outcome = OUTCOME_OK;

    catch_signals();
    screen_on(&w);
    while (outcome == OUTCOME_OK && !over && !ferror(stdout)) {
        outcome = look(&w);
        if (outcome == OUTCOME_OK)
            wait_for_change(&w);
    }
    screen_off(&w);
    forget_broker(&w);
    snapshot_clear(&w.last);
    return outcome != OUTCOME_OK ? command_fail(outcome, &w.err) : OUTCOME_OK;
}
