/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/showid.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "broker/child.h"
#include "protocol/json.h"
#include "protocol/log.h"

#define SHOWID_WAIT_MS 10000

struct asked {
    struct showid *showid;
    const struct config_transport *config;
    struct child *child;
    char *address;
};

struct showid {
    uv_loop_t *loop;
    const struct config *config;
    struct asked *asked;
    uv_timer_t timer;
    size_t running;
};

static void on_hello(struct child *child, void *data, const struct message *message)
{
    struct asked *asked = data;
    char folder[4096];
    struct message m;

    (void)message;
    snprintf(folder, sizeof folder, "%s/%s", asked->showid->config->state_dir,
             asked->config->name);
    if (mkdir(folder, 0700) < 0 && errno != EEXIST)
        log_error("%s: cannot make the folder: %s", folder, strerror(errno));
    message_init(&m, MESSAGE_signal_configure);
    m.signal_configure.protocol = child_protocol(child);
    m.signal_configure.state_dir = folder;
    m.signal_configure.options = asked->config->options;
    m.signal_configure.offline = true;
    child_send(child, &m);
}

static void on_message(struct child *child, void *data, const struct message *m)
{
    struct asked *asked = data;

    if (m->type == MESSAGE_error)
        log_error("%s: %s (%s)", asked->config->name, m->error.message, m->error.code);
    if (m->type == MESSAGE_signal_ready && asked->address == NULL)
        asked->address = strdup(m->signal_ready.address);
    if (m->type == MESSAGE_signal_ready || (m->type == MESSAGE_error && m->error.fatal))
        child_stop(child, CHILD_SHUTDOWN);
}

static void on_exit_told(struct child *child, void *data, const struct error *why)
{
    struct asked *asked = data;

    if (why != NULL)
        log_error("%s: %s", asked->config->name, why->message);
    asked->child = NULL;
    child_destroy(child);
    if (--asked->showid->running == 0)
        uv_close((uv_handle_t *)&asked->showid->timer, NULL);
}

static void on_down(struct child *child, void *data, const struct error *why)
{
    struct asked *asked = data;

    log_error("%s: %s", asked->config->name, why->message);
    child_stop(child, CHILD_SHUTDOWN);
}

static void on_timeout(uv_timer_t *timer)
{
    struct showid *showid = timer->data;

    for (size_t i = 0; i < showid->config->transport_count; i++) {
        if (showid->asked[i].child == NULL)
            continue;
        log_error("%s: no address within %d s", showid->asked[i].config->name,
                  SHOWID_WAIT_MS / 1000);
        child_stop(showid->asked[i].child, CHILD_SHUTDOWN);
    }
}

static void ask(struct showid *showid, struct asked *asked)
{
    struct child_options options = {
        .loop = showid->loop,
        .role = ROLE_SIGNAL,
        .name = asked->config->name,
        .argv = asked->config->command,
        .on_hello = on_hello,
        .on_message = on_message,
        .on_down = on_down,
        .on_exit = on_exit_told,
        .data = asked,
    };
    struct error err;

    if (child_start(&asked->child, &options, &err) == 0)
        showid->running++;
    else
        log_error("%s: %s", asked->config->name, err.message);
}

static void print_addresses(const struct showid *showid)
{
    const char *comma = "";

    for (size_t i = 0; i < showid->config->transport_count; i++) {
        char *name = json_quote(showid->asked[i].config->name);
        char *address = showid->asked[i].address ? json_quote(showid->asked[i].address) : NULL;

        if (name != NULL && address != NULL && showid->asked[i].address[0] != '\0') {
            printf("%s%s:%s", comma, name, address);
            comma = ",";
        }
        free(name);
        free(address);
    }
}

static int print_all(const struct showid *showid, const struct identity *identity)
{
    char id[ID_TEXT_LENGTH + 1], text6[PREFIX_TEXT_SIZE], text4[PREFIX_TEXT_SIZE];
    struct prefix ipv6, ipv4;

    id_encode(identity->public, id);
    id_overlay(identity->public, &ipv6, &ipv4);
    prefix_format(&ipv6, text6);
    prefix_format(&ipv4, text4);
    printf("{\"id\":\"%s\",\"addresses\":{", id);
    print_addresses(showid);
    printf("},\"overlay\":[\"%s\",\"%s\"]}\n", text6, text4);
    return fflush(stdout) == 0 ? 0 : 1;
}

int showid_run(uv_loop_t *loop, const struct config *config, const struct identity *identity)
{
    struct showid showid = {.loop = loop, .config = config};
    int rc = 1;

    showid.asked = calloc(config->transport_count + 1, sizeof *showid.asked);
    if (showid.asked == NULL)
        return 1;
    uv_timer_init(loop, &showid.timer);
    showid.timer.data = &showid;
    for (size_t i = 0; i < config->transport_count; i++) {
        showid.asked[i].showid = &showid;
        showid.asked[i].config = &config->transports[i];
        ask(&showid, &showid.asked[i]);
    }
    if (showid.running > 0)
        uv_timer_start(&showid.timer, on_timeout, SHOWID_WAIT_MS, 0);
    else
        uv_close((uv_handle_t *)&showid.timer, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    rc = print_all(&showid, identity);
    for (size_t i = 0; i < config->transport_count; i++) {
        rc |= showid.asked[i].address == NULL;
        free(showid.asked[i].address);
    }
    free(showid.asked);
    return rc;
}
