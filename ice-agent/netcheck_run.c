/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ice-agent/netcheck_run.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ice-agent/netcheck.h"
#include "ice-agent/netcheck_report.h"
#include "ice-agent/sandbox.h"

static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Those of the settings, else those that the agent would use. None is a finding, no error. */
static int locals_find(const struct settings *settings, struct addresses *locals, struct error *err)
{
    int rc;

    memcpy(locals->items, settings->local, sizeof locals->items);
    locals->count = settings->local_count;
    if (locals->count > 0)
        return 0;
    rc = addresses_list(locals, settings->exclude, settings->exclude_count, err);
    return rc == -EADDRNOTAVAIL ? 0 : rc;
}

static void check_wait(const struct netcheck *check)
{
    struct pollfd ready = {.fd = netcheck_fd(check), .events = POLLIN};
    int64_t left = netcheck_deadline(check) - now_us();

    if (left > 0)
        poll(&ready, 1, (int)((left + 999) / 1000));
}

/* Not through stdio, which asks the descriptor what the sandbox may forbid. */
static int text_write(const char *text, size_t length, struct error *err)
{
    while (length > 0) {
        ssize_t n = write(STDOUT_FILENO, text, length);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            error_set(err, "no-output", "cannot write to standard output: %s", strerror(errno));
            return -1;
        }
        text += n;
        length -= (size_t)n;
    }
    return 0;
}

static int report(const struct netcheck_result *result, const struct settings *settings,
                  struct error *err)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    int rc = -1;

    error_set(err, "no-memory", "out of memory");
    if (out == NULL)
        return -1;
    if (settings->json)
        netcheck_report_json(out, result, settings->stun);
    else
        netcheck_report_text(out, result, settings->stun);
    if (fclose(out) == 0)
        rc = text_write(text, length, err);
    free(text);
    return rc;
}

int netcheck_run(const struct settings *settings, struct error *err)
{
    struct netcheck_result result;
    struct addresses locals;
    struct netcheck *check;

    if (sandbox_enter(err) < 0 || locals_find(settings, &locals, err) < 0)
        return -1;
    check = netcheck_new(settings->stun, settings->stun_count, locals.items, locals.count,
                         settings->port, now_us(), err);
    if (check == NULL)
        return -1;
    while (!netcheck_advance(check, now_us()))
        check_wait(check);
    netcheck_tell(check, &result);
    netcheck_destroy(check);
    if (report(&result, settings, err) < 0)
        return -1;
    return netcheck_punch(&result, AF_UNSPEC) > BEHAVIOUR_PUNCH_NOBODY ? 0 : 1;
}
