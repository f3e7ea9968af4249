/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/hook.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/child_log.h"
#include "broker/config_diff.h"
#include "broker/process.h"
#include "broker/program.h"
#include "broker/watch.h"
#include "protocol/log.h"
#include "protocol/outbox.h"

#define HOOK_NAME_SIZE 128

/* An event that waits for its hook. */
struct waiting {
    struct waiting *next;
    size_t length;
    char line[];
};

struct hook {
    struct hooks *hooks;
    const struct config_hook *config; /* NULL once retired */
    struct hook *next;
    char name[HOOK_NAME_SIZE];
    struct waiting *first, *last;
    size_t waiting;
    unsigned long lost; /* since the queue was empty */
    struct process process;
    struct watch *ended, *in;
    struct child_log *out, *log;
    struct outbox input;
    uv_timer_t timer; /* the time limit of one that runs; else the pause before the next */
    bool killed;
};

struct hooks {
    uv_loop_t *loop;
    struct hook *list;
    uv_timer_t end;
    bool ending, late;
    void (*on_ended)(void *data);
    void *data;
};

/* Nothing of the broker's own environment, which may hold a service manager's. */
static char *const environment[] = {
    (char *)(uintptr_t) "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    (char *)(uintptr_t) "LANG=C.UTF-8",
    NULL,
};

/* Waiting events */

static struct waiting *waiting_take(struct hook *hook)
{
    struct waiting *first = hook->first;

    if (first == NULL)
        return NULL;
    hook->first = first->next;
    hook->waiting--;
    if (hook->first == NULL)
        hook->last = NULL;
    return first;
}

static void waiting_drop(struct hook *hook)
{
    struct waiting *waiting;

    while ((waiting = waiting_take(hook)) != NULL)
        free(waiting);
}

static void waiting_put(struct hook *hook, const char *line, size_t length)
{
    struct waiting *waiting = malloc(sizeof *waiting + length);

    if (waiting == NULL)
        return;
    waiting->next = NULL;
    waiting->length = length;
    memcpy(waiting->line, line, length);
    if (hook->waiting == HOOK_WAITING_MAX) {
        free(waiting_take(hook));
        if (hook->lost++ == 0)
            log_warn("%s: it does not keep up; events are dropped, the oldest first", hook->name);
    }
    if (hook->last != NULL)
        hook->last->next = waiting;
    else
        hook->first = waiting;
    hook->last = waiting;
    hook->waiting++;
}

/* One process */

static void hook_next(struct hook *hook);

static void on_freed(uv_handle_t *handle)
{
    free(handle->data);
}

static void hook_unlist(struct hook *hook)
{
    struct hook **at = &hook->hooks->list;

    while (*at != hook)
        at = &(*at)->next;
    *at = hook->next;
}

static void hook_free(struct hook *hook)
{
    hook_unlist(hook);
    waiting_drop(hook);
    uv_close((uv_handle_t *)&hook->timer, on_freed);
}

static void hooks_check_end(struct hooks *hooks)
{
    if (!hooks->ending || hooks->on_ended == NULL)
        return;
    for (const struct hook *hook = hooks->list; hook != NULL; hook = hook->next)
        if (hook->process.pid != 0 || hook->waiting > 0)
            return;
    uv_timer_stop(&hooks->end);
    hooks->on_ended(hooks->data);
    hooks->on_ended = NULL;
}

static void hook_say_end(const struct hook *hook, int status)
{
    char text[80];

    process_describe(status, text, sizeof text);
    if (hook->killed)
        log_warn("%s: it did not end in time: killed", hook->name);
    else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        log_warn("%s: %s", hook->name, text);
    else
        log_debug("%s: %s", hook->name, text);
}

static void hook_close(struct hook *hook)
{
    watch_close(hook->ended, false);
    watch_close(hook->in, true);
    child_log_close(hook->out);
    child_log_close(hook->log);
    outbox_free(&hook->input);
    hook->ended = hook->in = NULL;
    hook->out = hook->log = NULL;
    uv_timer_stop(&hook->timer);
}

static void on_process_ended(void *data)
{
    struct hook *hook = data;
    struct hooks *hooks = hook->hooks;
    int status;

    if (process_reap(&hook->process, &status, true) == 0)
        return;
    hook_close(hook);
    hook_say_end(hook, status);
    if (hook->config == NULL)
        hook_free(hook);
    else
        hook_next(hook);
    hooks_check_end(hooks);
}

static void on_writable(void *data)
{
    struct hook *hook = data;

    if (outbox_flush(&hook->input, watch_fd(hook->in)) == 0 && !outbox_empty(&hook->input))
        return;
    watch_close(hook->in, true);
    hook->in = NULL;
}

static void hook_kill(struct hook *hook)
{
    hook->killed = true;
    process_signal(&hook->process, SIGKILL, true);
}

static void on_timeout(uv_timer_t *timer)
{
    hook_kill(timer->data);
}

static void on_pause_over(uv_timer_t *timer)
{
    struct hook *hook = timer->data;

    hook_next(hook);
    hooks_check_end(hook->hooks);
}

/* Takes *fd over. */
static struct child_log *open_log(struct hook *hook, int *fd)
{
    struct child_log *log = child_log_open(hook->hooks->loop, *fd, hook->name);

    *fd = -1;
    return log;
}

/* False where there is no memory to watch it: then it is gone. */
static bool hook_attach(struct hook *hook, const struct waiting *event)
{
    uv_loop_t *loop = hook->hooks->loop;
    int status;

    hook->ended = watch_open(loop, hook->process.pidfd, on_process_ended, hook);
    hook->in = watch_open(loop, hook->process.in, on_writable, hook);
    if (hook->in != NULL)
        hook->process.in = -1;
    if (hook->ended == NULL || hook->in == NULL ||
        outbox_put(&hook->input, event->line, event->length) < 0) {
        process_signal(&hook->process, SIGKILL, true);
        waitpid(hook->process.pid, &status, 0);
        hook_close(hook);
        process_close(&hook->process);
        return false;
    }
    hook->out = open_log(hook, &hook->process.out);
    hook->log = open_log(hook, &hook->process.log);
    watch_for(hook->ended, UV_READABLE);
    watch_for(hook->in, UV_WRITABLE);
    return true;
}

static bool hook_start(struct hook *hook, const struct waiting *event)
{
    char path[4096];
    struct error err;

    hook->killed = false;
    if (program_find(hook->config->command[0], path, sizeof path, &err) < 0 ||
        process_start(&hook->process, path, hook->config->command, environment, true, &err) < 0) {
        log_warn("%s: %s", hook->name, err.message);
        return false;
    }
    if (!hook_attach(hook, event)) {
        log_warn("%s: there is no memory or descriptor to run it", hook->name);
        return false;
    }
    uv_update_time(hook->hooks->loop);
    uv_timer_start(&hook->timer, on_timeout, (uint64_t)hook->config->timeout * 1000, 0);
    return true;
}

/* What waits first, if nothing runs. */
static void hook_next(struct hook *hook)
{
    struct waiting *event;

    if (hook->config == NULL || hook->process.pid != 0 ||
        uv_is_active((uv_handle_t *)&hook->timer) || (event = waiting_take(hook)) == NULL)
        return;
    if (hook->first == NULL && hook->lost > 0) {
        log_warn("%s: %lu events were dropped", hook->name, hook->lost);
        hook->lost = 0;
    }
    if (!hook_start(hook, event) && !hook->hooks->late)
        uv_timer_start(&hook->timer, on_pause_over, HOOK_PAUSE_MS, 0);
    free(event);
}

/* All of them */

static void on_end_over(uv_timer_t *timer)
{
    struct hooks *hooks = timer->data;

    hooks->late = true;
    for (struct hook *hook = hooks->list; hook != NULL; hook = hook->next) {
        if (hook->waiting > 0)
            log_warn("%s: %zu events were dropped, for the broker ends", hook->name, hook->waiting);
        waiting_drop(hook);
        if (hook->process.pid != 0)
            hook_kill(hook);
        else
            uv_timer_stop(&hook->timer);
    }
    hooks_check_end(hooks);
}

struct hooks *hooks_new(uv_loop_t *loop)
{
    struct hooks *hooks = calloc(1, sizeof *hooks);

    if (hooks == NULL)
        return NULL;
    hooks->loop = loop;
    uv_timer_init(loop, &hooks->end);
    hooks->end.data = hooks;
    return hooks;
}

static struct hook *hook_new(struct hooks *hooks, const struct config_hook *config)
{
    struct hook *hook = calloc(1, sizeof *hook);

    if (hook == NULL)
        return NULL;
    hook->hooks = hooks;
    hook->config = config;
    hook->process = (struct process)PROCESS_NONE;
    snprintf(hook->name, sizeof hook->name, "hook %.100s", config->command[0]);
    uv_timer_init(hooks->loop, &hook->timer);
    hook->timer.data = hook;
    hook->next = hooks->list;
    hooks->list = hook;
    return hook;
}

static void hook_retire(struct hook *hook)
{
    waiting_drop(hook);
    hook->config = NULL;
    if (hook->process.pid == 0)
        hook_free(hook);
}

/* The place of `config` in the list, of those that no hook has yet; `count` where there is none. */
static size_t place_of(const struct config_hook *config, const struct config_hook *list,
                       size_t count, const bool *taken)
{
    size_t i = 0;

    while (i < count && (taken[i] || !config_hook_same(config, &list[i])))
        i++;
    return i;
}

void hooks_set(struct hooks *hooks, const struct config_hook *list, size_t count)
{
    bool taken[CONFIG_HOOKS_MAX] = {false};
    struct hook *next;

    for (struct hook *hook = hooks->list; hook != NULL; hook = next) {
        size_t place = count;

        next = hook->next;
        if (hook->config == NULL)
            continue;
        place = place_of(hook->config, list, count, taken);
        if (place == count) {
            hook_retire(hook);
        } else {
            hook->config = &list[place];
            taken[place] = true;
        }
    }
    for (size_t i = 0; i < count; i++)
        if (!taken[i] && hook_new(hooks, &list[i]) == NULL)
            log_warn("hook %.100s: out of memory; it is not run", list[i].command[0]);
}

void hooks_event(struct hooks *hooks, enum message_type type, const char *line, size_t length)
{
    uint32_t bit = config_hook_event(type);

    if (bit == 0 || hooks->ending)
        return;
    for (struct hook *hook = hooks->list; hook != NULL; hook = hook->next) {
        if (hook->config == NULL || (hook->config->events & bit) == 0)
            continue;
        waiting_put(hook, line, length);
        hook_next(hook);
    }
}

bool hooks_end(struct hooks *hooks, int ms, void (*on_ended)(void *data), void *data)
{
    bool busy = false;

    hooks->ending = true;
    for (const struct hook *hook = hooks->list; hook != NULL; hook = hook->next)
        busy = busy || hook->process.pid != 0 || hook->waiting > 0;
    if (!busy)
        return false;
    hooks->on_ended = on_ended;
    hooks->data = data;
    uv_timer_start(&hooks->end, on_end_over, (uint64_t)ms, 0);
    return true;
}

void hooks_destroy(struct hooks *hooks)
{
    if (hooks == NULL)
        return;
    while (hooks->list != NULL)
        hook_free(hooks->list);
    uv_close((uv_handle_t *)&hooks->end, on_freed);
}
