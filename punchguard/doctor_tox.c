/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "punchguard/capture.h"
#include "punchguard/doctor.h"
#include "punchguard/service.h"

#define NODES_MAX    64
#define LIST_WAIT_MS 5000
#define NODE_WAIT_MS 5000
/* So many are enough to find everybody else: the rest need not be waited for. */
#define NODES_ENOUGH 4

struct nodes {
    struct endpoint endpoints[NODES_MAX];
    size_t count;
};

static void add_node(struct nodes *nodes, const struct json_at *node)
{
    struct endpoint *endpoint = &nodes->endpoints[nodes->count];
    struct json_at at, port;
    const char *address;
    int64_t number;
    size_t count;

    if (nodes->count == NODES_MAX || json_as_object(node, NULL, NULL) < 0 ||
        !json_member(node, "address", &at) || json_as_string(&at, &address, NULL) < 0 ||
        !json_member(node, "tcp_ports", &at) || json_as_array(&at, SIZE_MAX, &count, NULL) < 0 ||
        count == 0)
        return;
    port = json_item(&at, 0);
    if (json_as_integer(&port, 1, 65535, &number, NULL) < 0)
        return;
    snprintf(endpoint->address, sizeof endpoint->address, "%s", address);
    endpoint->port = (uint16_t)number;
    nodes->count++;
}

static void add_nodes(struct nodes *nodes, const struct json_at *list)
{
    size_t count;

    if (json_as_array(list, SIZE_MAX, &count, NULL) < 0)
        return;
    for (size_t i = 0; i < count; i++) {
        struct json_at node = json_item(list, i);

        add_node(nodes, &node);
    }
}

static void add_default_nodes(struct nodes *nodes)
{
    char program[PATH_MAX];
    char *argv[] = {program, (char *)(uintptr_t) "--nodes", NULL};
    struct capture capture;
    struct json *document;
    struct json_at root;

    service_program("punchguard-signal-tox", program, sizeof program);
    if (capture_run(&capture, argv, "", LIST_WAIT_MS) < 0)
        return;
    document = json_parse(capture.out, strlen(capture.out), NULL);
    if (document != NULL) {
        root = json_root(document);
        add_nodes(nodes, &root);
    }
    json_destroy(document);
    capture_clear(&capture);
}

static bool is_tox(const struct json_at *transport)
{
    struct json_at at, first;
    const char *program, *slash;
    size_t count;

    if (json_as_object(transport, NULL, NULL) < 0 || !json_member(transport, "command", &at) ||
        json_as_array(&at, SIZE_MAX, &count, NULL) < 0 || count == 0)
        return false;
    first = json_item(&at, 0);
    if (json_as_string(&first, &program, NULL) < 0)
        return false;
    slash = strrchr(program, '/');
    return strcmp(slash != NULL ? slash + 1 : program, "punchguard-signal-tox") == 0;
}

static void add_transport(struct nodes *nodes, const struct json_at *transport)
{
    struct json_at options, bootstrap;

    if (!is_tox(transport))
        return;
    if (json_member(transport, "options", &options) && json_as_object(&options, NULL, NULL) == 0 &&
        json_member(&options, "bootstrap", &bootstrap))
        add_nodes(nodes, &bootstrap);
    else
        add_default_nodes(nodes);
}

/* False where Tox is no transport. */
static bool find_nodes(const struct doctor *doctor, struct nodes *nodes)
{
    struct json_at root, list;
    bool tox = false;
    size_t count;

    if (!doctor_setting(doctor, "signalling", &root, &list)) {
        add_default_nodes(nodes);
        return true;
    }
    if (json_as_array(&list, SIZE_MAX, &count, NULL) < 0)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct json_at transport = json_item(&list, i);

        tox = tox || is_tox(&transport);
        add_transport(nodes, &transport);
    }
    return tox;
}

/* A socket that connects, or -1. */
static int node_connect(const struct endpoint *endpoint)
{
    struct sockaddr_storage to;
    int length = endpoint_to_sockaddr(endpoint, &to), fd;

    if (length < 0)
        return -1;
    fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (connect(fd, (struct sockaddr *)&to, (socklen_t)length) == 0 || errno == EINPROGRESS)
        return fd;
    close(fd);
    return -1;
}

static bool node_answers(int fd)
{
    socklen_t length = sizeof(int);
    int error = 0;

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0;
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* How many answer, up to NODES_ENOUGH. */
static size_t try_nodes(const struct nodes *nodes)
{
    struct pollfd fds[NODES_MAX];
    int64_t until = now_ms() + NODE_WAIT_MS, left;
    size_t answered = 0, open = 0;

    for (size_t i = 0; i < nodes->count; i++) {
        fds[i] = (struct pollfd){.fd = node_connect(&nodes->endpoints[i]), .events = POLLOUT};
        open += fds[i].fd >= 0;
    }
    while (open > 0 && answered < NODES_ENOUGH && (left = until - now_ms()) > 0 &&
           poll(fds, nodes->count, (int)left) > 0) {
        for (size_t i = 0; i < nodes->count; i++) {
            if (fds[i].fd < 0 || fds[i].revents == 0)
                continue;
            answered += node_answers(fds[i].fd);
            close(fds[i].fd);
            fds[i].fd = -1;
            open--;
        }
    }
    for (size_t i = 0; i < nodes->count; i++)
        if (fds[i].fd >= 0)
            close(fds[i].fd);
    return answered;
}

void doctor_look_at_tox(struct doctor *doctor)
{
    struct nodes nodes = {.count = 0};
    size_t answered;

    if (!find_nodes(doctor, &nodes))
        return;
    answered = try_nodes(&nodes);
    if (answered > 0)
        findings_add(&doctor->findings, LEVEL_OK, "Tox", NULL, "%s%zu of %zu nodes answer",
                     answered >= NODES_ENOUGH ? "at least " : "", answered, nodes.count);
    else if (nodes.count == 0)
        findings_add(&doctor->findings, LEVEL_SKIP, "Tox", NULL,
                     "no node with a TCP port is known that could be tried");
    else
        findings_add(&doctor->findings, LEVEL_FAIL, "Tox",
                     "let TCP out to their ports; or name other nodes in the transport's options",
                     "none of %zu nodes answers over TCP", nodes.count);
}
