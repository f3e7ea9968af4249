/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/broker.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "broker/clock.h"
#include "broker/control.h"
#include "broker/pairing_broker.h"
#include "broker/reload.h"
#include "broker/report.h"
#include "broker/resume.h"
#include "protocol/log.h"

/* The word of our going is given so long to leave before the transports end, in ms. */
#define GOODBYE_MS 150
/* What is to be kept is written so long after the first change, in ms: a mesh that comes up is one
 * write. */
#define KEEP_MS 200
/* A folder that could not be written to is tried again after this, in ms. */
#define KEEP_AGAIN_MS 30000

static const int ending_signals[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP};

void broker_helper_event(struct broker *broker, const char *helper, bool up,
                         const struct error *why)
{
    struct message event;

    message_init(&event, MESSAGE_event_helper);
    event.event_helper.helper = (char *)(uintptr_t)helper;
    event.event_helper.state = up ? "up" : "down";
    if (why != NULL && why->message[0] != '\0')
        event.event_helper.reason = (char *)(uintptr_t)why->message;
    event_emit(broker->events, &event);
    if (!up && why != NULL)
        log_warn("%s: %s", helper, why->message);
    if (broker->wg.ready && !broker->stopping)
        notify_ready(broker->notify);
    notify_status(broker->notify, "%s is %s", helper, event.event_helper.state);
}

/* A place for what is kept of each peer. NULL without memory. */
static struct resume *resume_places(const struct config *config)
{
    struct resume *kept = calloc(config->peer_count + 1, sizeof *kept);

    for (size_t i = 0; kept != NULL && i < config->peer_count; i++)
        snprintf(kept[i].id, sizeof kept[i].id, "%s", config->peers[i].id);
    return kept;
}

struct resume *broker_kept(const struct config *config)
{
    struct resume *kept = resume_places(config);

    if (kept != NULL)
        resume_read(config->state_dir, kept, config->peer_count);
    return kept;
}

static void on_keep(uv_timer_t *timer)
{
    struct broker *broker = timer->data;
    struct resume *kept = resume_places(broker->config);
    struct error err;

    for (size_t i = 0; kept != NULL && i < broker->peer_count; i++)
        kept[i].memory = *session_memory(broker->peers[i]->session);
    if (kept == NULL)
        error_set(&err, "no-memory", "out of memory");
    if (kept == NULL ||
        resume_write(broker->config->state_dir, kept, broker->peer_count, &err) < 0) {
        log_warn("the paths that work can't be kept for the next start: %s", err.message);
        uv_timer_start(timer, on_keep, KEEP_AGAIN_MS, 0);
    }
    free(kept);
}

void broker_keep(struct broker *broker)
{
    if (!uv_is_active((uv_handle_t *)&broker->keep))
        uv_timer_start(&broker->keep, on_keep, KEEP_MS, 0);
}

static void all_peers(struct broker *broker, enum session_event_type type)
{
    for (size_t i = 0; i < broker->peer_count; i++)
        peer_handle(broker->peers[i], type, 0, NULL);
}

void broker_network_changed(struct broker *broker, enum session_event_type how)
{
    for (size_t i = 0; i < broker->transport_count; i++)
        transport_network_changed(broker->transports[i]);
    all_peers(broker, how);
}

static void on_clocks(uv_timer_t *timer)
{
    struct broker *broker = timer->data;
    struct clockwatch_found found = clockwatch_look(&broker->clockwatch, clock_boot_ms(),
                                                    clock_monotonic_ms(), clock_wall_ms());

    if (found.set_back) {
        log_info("the clock was set back: peers are told, for WireGuard refuses what is older");
        all_peers(broker, SESSION_CLOCK_BACK);
    }
    if (found.slept) {
        log_info("the machine slept: looking for paths anew");
        broker_network_changed(broker, SESSION_AWAKE);
    }
}

static void stop_transports(struct broker *broker)
{
    for (size_t i = 0; i < broker->transport_count; i++)
        transport_stop(broker->transports[i], broker->how);
}

static void broker_close(struct broker *broker)
{
    event_also(broker->events, NULL, NULL);
    control_close(broker->control);
    broker->control = NULL;
    for (size_t i = 0; i < sizeof broker->signals / sizeof broker->signals[0]; i++)
        uv_close((uv_handle_t *)&broker->signals[i], NULL);
    uv_close((uv_handle_t *)&broker->goodbye, NULL);
    uv_close((uv_handle_t *)&broker->clocks, NULL);
    uv_close((uv_handle_t *)&broker->keep, NULL);
    uv_close((uv_handle_t *)&broker->end, NULL);
    pairing_broker_close(broker);
}

void broker_child_gone(struct broker *broker)
{
    broker->children--;
    if (broker->stopping && broker->children == 0)
        broker_close(broker);
}

static void on_end(uv_timer_t *timer)
{
    broker_close(timer->data);
}

static void on_goodbye(uv_timer_t *timer)
{
    stop_transports(timer->data);
}

static void on_hooks_ended(void *data)
{
    broker_child_gone(data);
}

void broker_stop(struct broker *broker, enum child_stop_how how)
{
    if (broker->stopping)
        return;
    notify_stopping(broker->notify);
    broker->how = how;
    for (size_t i = 0; how == CHILD_SHUTDOWN && i < broker->peer_count; i++) {
        peer_goodbye(broker->peers[i]);
        peer_down(broker->peers[i], "this device takes its tunnels down");
    }
    broker->stopping = true;
    if (hooks_end(broker->hooks, HOOK_END_MS, on_hooks_ended, broker))
        broker->children++;
    if (uv_is_active((uv_handle_t *)&broker->keep))
        on_keep(&broker->keep);
    for (struct agent *agent = broker->agents; agent != NULL; agent = agent->next)
        agent_stop(agent, how);
    wireguard_stop(broker, how);
    for (size_t i = 0; i < broker->peer_count; i++)
        peer_stop(broker->peers[i]);
    uv_timer_start(&broker->goodbye, on_goodbye, how == CHILD_SHUTDOWN ? GOODBYE_MS : 0, 0);
    if (broker->children == 0)
        uv_timer_start(&broker->end, on_end, 0, 0);
}

void broker_give_up(struct broker *broker)
{
    broker->exit_code = 1;
    broker_stop(broker, CHILD_EOF);
}

static void on_hangup(struct broker *broker)
{
    struct reload_result result;

    if (broker->stopping)
        return;
    log_info("SIGHUP: reading the configuration again");
    broker_reload(broker, &result);
    reload_result_clear(&result);
}

static void on_signal(uv_signal_t *handle, int signal)
{
    struct broker *broker = handle->data;

    if (signal == SIGHUP) {
        on_hangup(broker);
        return;
    }
    log_info("%s: ending, %s", strsignal(signal),
             signal == SIGQUIT ? "tunnels stay" : "tunnels are taken down");
    broker_stop(broker, signal == SIGQUIT ? CHILD_EOF : CHILD_SHUTDOWN);
}

static void start_timers(struct broker *broker)
{
    uv_timer_init(broker->loop, &broker->goodbye);
    uv_timer_init(broker->loop, &broker->clocks);
    uv_timer_init(broker->loop, &broker->keep);
    uv_timer_init(broker->loop, &broker->end);
    broker->goodbye.data = broker->clocks.data = broker->keep.data = broker->end.data = broker;
    uv_timer_start(&broker->clocks, on_clocks, 0, CLOCKWATCH_MS);
}

static void watch_signals(struct broker *broker)
{
    for (size_t i = 0; i < sizeof ending_signals / sizeof ending_signals[0]; i++) {
        uv_signal_init(broker->loop, &broker->signals[i]);
        broker->signals[i].data = broker;
        uv_signal_start(&broker->signals[i], on_signal, ending_signals[i]);
    }
    signal(SIGPIPE, SIG_IGN);
}

/* A transport whose program is missing is told; the others go on. */
static size_t start_transports(struct broker *broker)
{
    size_t started = 0;

    for (size_t i = 0; i < broker->transport_count; i++) {
        struct transport *transport = broker->transports[i];
        struct error err;

        if (transport_start(transport, &err) == 0)
            started++;
        else
            transport_down(transport, &err);
    }
    return started;
}

static int make_transports(struct broker *broker, struct error *err)
{
    uint32_t slots = 0;

    while (broker->transport_count < broker->config->transport_count) {
        size_t i = broker->transport_count;

        broker->transports[i] = transport_new(broker, &broker->config->transports[i], i, slots);
        if (broker->transports[i] == NULL) {
            error_set(err, "no-memory", "out of memory");
            return -1;
        }
        slots |= 1u << broker->transports[i]->slot;
        broker->transport_count++;
    }
    return 0;
}

static int make_peers(struct broker *broker, struct error *err)
{
    const struct config *config = broker->config;
    struct resume *kept = broker_kept(config);

    if (kept == NULL)
        error_set(err, "no-memory", "out of memory");
    while (kept != NULL && broker->peer_count < config->peer_count) {
        size_t i = broker->peer_count;

        broker->peers[i] = peer_new(broker, &config->peers[i], i, &kept[i].memory, err);
        if (broker->peers[i] == NULL)
            break;
        broker->peer_count++;
    }
    free(kept);
    return broker->peer_count == config->peer_count && kept != NULL ? 0 : -1;
}

static int broker_start(struct broker *broker, struct error *err)
{
    broker->peers = calloc(broker->config->peer_count + 1, sizeof *broker->peers);
    broker->transports = calloc(broker->config->transport_count + 1, sizeof *broker->transports);
    if (broker->peers == NULL || broker->transports == NULL) {
        error_set(err, "no-memory", "out of memory");
        return -1;
    }
    if (report_open(broker, err) < 0)
        return -1;
    if (pairing_broker_open(broker, err) < 0)
        return -1;
    if (make_peers(broker, err) < 0 || make_transports(broker, err) < 0)
        return -1;
    if (wireguard_start(broker, err) < 0)
        return -1;
    if (start_transports(broker) == 0) {
        error_set(err, "no-transport", "no signalling transport could be started");
        return -1;
    }
    return 0;
}

int broker_run(struct broker *broker)
{
    struct error err;

    broker->events = event_log_new(broker->loop);
    if (broker->events == NULL)
        return 1;
    broker->hooks = hooks_new(broker->loop);
    if (broker->hooks == NULL)
        return 1;
    hooks_set(broker->hooks, broker->config->hooks, broker->config->hook_count);
    broker->notify = notify_open(broker->loop);
    broker->started_at = clock_boot_ms();
    start_timers(broker);
    watch_signals(broker);
    if (broker_start(broker, &err) < 0) {
        log_error("%s", err.message);
        event_emit_error(broker->events, NULL, err.code, err.message);
        broker->exit_code = 1;
        broker_stop(broker, CHILD_SHUTDOWN);
    }
    uv_run(broker->loop, UV_RUN_DEFAULT);
    pairing_broker_free(broker);
    for (size_t i = 0; i < broker->peer_count; i++)
        peer_free(broker->peers[i]);
    for (size_t i = 0; i < broker->transport_count; i++)
        transport_free(broker->transports[i]);
    event_log_destroy(broker->events);
    hooks_destroy(broker->hooks);
    notify_close(broker->notify);
    uv_run(broker->loop, UV_RUN_DEFAULT);
    free(broker->peers);
    free(broker->transports);
    return broker->exit_code;
}
