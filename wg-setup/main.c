/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * punchguard-wg-setup: makes and keeps the WireGuard interface. The only process with
 * CAP_NET_ADMIN; it treats what it is told as hostile where a configuration says what is granted.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "protocol/file.h"
#include "protocol/helper.h"
#include "protocol/log.h"
#include "wg-setup/clock.h"
#include "wg-setup/forward.h"
#include "wg-setup/grants.h"
#include "wg-setup/limits.h"
#include "wg-setup/names.h"
#include "wg-setup/tunnel.h"
#include "wg-setup/watch.h"

static const char usage[] =
    "usage: punchguard-wg-setup [-c conf.json]\n"
    "       punchguard-wg-setup [--interface NAME] [--address PREFIX]... [--mtu N]\n"
    "                           [--listen-port N] [--backend auto|kernel|userspace]\n"
    "                           [--forward none|routed|masquerade] [--state-dir DIR]\n"
    "Makes a WireGuard interface and keeps its peers on the ports that ICE punched. Speaks\n"
    "punchguard-protocol(7), role wg, on standard input and output.\n"
    "\n"
    "  -c, --config FILE   read interface and peers there; nothing wider is granted to a peer\n"
    "      --interface …   the interface, instead of a `configure`\n"
    "      --state-dir DIR where wg.key is kept (default: /var/lib/punchguard)\n"
    "      --user NAME     whose packets go beside the tunnel (default: punchguard)\n"
    "      --describe      print the messages of this role as JSON, end\n"
    "      --version, --help\n"
    "\n"
    "`shutdown` and SIGTERM undo everything; the end of standard input leaves it standing.\n";

struct program {
    struct helper *helper;
    struct tunnel *tunnel;
    struct watch *watch;
    const char *config;    /* path; NULL without a configuration */
    struct grants *grants; /* likewise */
    struct names *names;   /* likewise */
    struct interface interface;
    struct key key;
    const char *state_dir;
    const char *user; /* that the other helpers run as; NULL: not told */
    struct sysctls *sysctls;
    struct forward *forward;
    int64_t restore_at; /* not before */
    bool links_changed; /* and the interface may be gone */
    bool by_options, failed;
};

static volatile sig_atomic_t terminated;

/* A signal that comes before poll() must end that poll() too. */
static int wakers[2] = {-1, -1};

static void on_signal(int signal)
{
    int saved = errno;

    (void)signal;
    terminated = 1;
    if (write(wakers[1], "", 1) < 0)
        errno = saved;
}

static void touch_names(struct program *program)
{
    if (program->names != NULL)
        names_touch(program->names, clock_ms());
}

/* Answers */

static void say_ready(struct program *program)
{
    char key[KEY_TEXT_LENGTH + 1];
    struct message m;

    key_to_text(program->key.public, key);
    message_init(&m, MESSAGE_wg_ready);
    m.wg_ready.interface = program->interface.name;
    m.wg_ready.wg_public_key = key;
    m.wg_ready.listen_port = tunnel_listen_port(program->tunnel);
    m.wg_ready.backend = (char *)(uintptr_t)tunnel_backend(program->tunnel);
    helper_send(program->helper, &m);
}

static void answer(struct program *program, int64_t ref, int rc, const struct error *err)
{
    struct message m;

    if (rc < 0) {
        helper_error(program->helper, ref, false, err);
        return;
    }
    message_init(&m, MESSAGE_done);
    m.done.ref = ref;
    helper_send(program->helper, &m);
}

static void fatal(struct program *program, const struct error *err)
{
    log_error("%s", err->message);
    helper_error(program->helper, MESSAGE_ABSENT, true, err);
    program->failed = true;
}

static void on_status(void *data, const char *peer, const struct device_status *status,
                      const struct endpoint *base)
{
    struct message m;

    message_init(&m, MESSAGE_peer_status);
    m.peer_status.peer = (char *)(uintptr_t)peer;
    m.peer_status.latest_handshake = status->latest_handshake;
    m.peer_status.rx_bytes = status->rx_bytes;
    m.peer_status.tx_bytes = status->tx_bytes;
    m.peer_status.endpoint = status->endpoint;
    m.peer_status.base = *base;
    helper_send(((struct program *)data)->helper, &m);
}

/* Configuring */

/* Whose packets must not go into the tunnel, -1 where that can't be told. */
static int64_t helpers_user(const struct program *program)
{
    const struct passwd *entry;

    if (program->user == NULL && getuid() != 0)
        return getuid();
    entry = getpwnam(program->user ? program->user : "punchguard");
    return entry ? (int64_t)entry->pw_uid : -1;
}

static int forward_open(struct program *program, struct error *err)
{
    program->forward = forward_new(program->interface.name, program->sysctls);
    if (program->forward != NULL)
        return forward_apply(program->forward, program->interface.forward, err);
    error_set(err, "no-memory", "out of memory");
    return -ENOMEM;
}

/* Watches first, so that nothing is missed between making it and watching it. */
static void open_tunnel(struct program *program)
{
    struct error err;

    program->watch = watch_new(program->interface.name, &err);
    if (program->watch != NULL && forward_open(program, &err) == 0)
        program->tunnel = tunnel_open(&program->interface, &program->key, clock_ms(), &err);
    if (program->tunnel == NULL) {
        if (program->forward != NULL)
            forward_undo(program->forward);
        fatal(program, &err);
        return;
    }
    tunnel_routing_set(program->tunnel, helpers_user(program), program->sysctls);
    if (program->grants != NULL)
        tunnel_adopted_check(program->tunnel, grants_cover, program->grants);
    tunnel_inbound_set(program->tunnel, grants_of, program->grants);
    touch_names(program);
    say_ready(program);
}

static int read_configure(struct program *program, const char *text, struct error *err)
{
    struct json *document = json_parse(text, strlen(text), err);
    struct interface told;
    struct json_at root;
    int rc;

    if (document == NULL)
        return -EINVAL;
    interface_init(&told);
    root = json_root(document);
    rc = interface_read(&told, &root, err);
    json_destroy(document);
    if (rc < 0)
        error_prefix(err, "configure: interface: ");
    else if (program->grants == NULL)
        program->interface = told;
    else
        rc = grants_complete_interface(program->grants, &program->interface, &told, err);
    return rc;
}

static void configure(struct program *program, const struct message_wg_configure *m)
{
    struct error err;

    if (program->tunnel != NULL) {
        error_set(&err, "configured",
                  "configure came before, or options; a new process takes others");
        helper_error(program->helper, MESSAGE_ABSENT, false, &err);
        return;
    }
    if (read_configure(program, m->interface, &err) < 0)
        fatal(program, &err);
    else
        open_tunnel(program);
}

/* Requests */

/* Of the interface nothing is changed while it stands. */
static int reload(struct program *program, struct error *err)
{
    struct interface ignored;
    struct grants_change change = {.before = program->grants};
    struct grants *after;

    if (program->grants == NULL) {
        error_set(err, "no-configuration",
                  "reload: it was started without a configuration; -c names one");
        return -ENOENT;
    }
    interface_init(&ignored);
    change.after = after = grants_load(program->config, &ignored, err);
    if (after == NULL)
        return -EINVAL;
    tunnel_granted_check(program->tunnel, grants_still, &change);
    grants_keep_learned(after, program->grants);
    tunnel_adopted_check(program->tunnel, grants_cover, after);
    tunnel_inbound_set(program->tunnel, grants_of, after);
    grants_destroy(program->grants);
    program->grants = after;
    touch_names(program);
    return 0;
}

static int peer_set(struct program *program, const struct message_peer_set *m, struct error *err)
{
    int rc = program->grants ? grants_check(program->grants, m, err) : 0;

    if (rc == 0)
        rc = tunnel_peer_set(program->tunnel, m, err);
    if (rc == 0)
        touch_names(program);
    return rc;
}

static int peer_remove(struct program *program, const char *peer, struct error *err)
{
    int rc = tunnel_peer_remove(program->tunnel, peer, err);

    if (rc == 0)
        touch_names(program);
    return rc;
}

/* The broker asks every few seconds: often enough to see who else writes the names' file. */
static int status(struct program *program, struct error *err)
{
    if (program->names != NULL && names_were_disturbed(program->names))
        touch_names(program);
    return tunnel_status(program->tunnel, on_status, program, err);
}

static void request(struct program *program, const struct message *m)
{
    struct tunnel *tunnel = program->tunnel;
    int64_t ref = MESSAGE_ABSENT;
    struct error err;
    int rc = 0;

    switch (m->type) {
    case MESSAGE_peer_set:
        ref = m->peer_set.ref;
        rc = peer_set(program, &m->peer_set, &err);
        break;
    case MESSAGE_wg_peer_remove:
        ref = m->wg_peer_remove.ref;
        rc = peer_remove(program, m->wg_peer_remove.peer, &err);
        break;
    case MESSAGE_port_open:
        ref = m->port_open.ref;
        rc = tunnel_port_open(tunnel, m->port_open.peer, &m->port_open.base, &err);
        break;
    case MESSAGE_port_close:
        ref = m->port_close.ref;
        rc = tunnel_port_close(tunnel, m->port_close.peer, &m->port_close.base, &err);
        break;
    case MESSAGE_path_set:
        ref = m->path_set.ref;
        rc = tunnel_path_set(tunnel, &m->path_set, &err);
        break;
    case MESSAGE_reload:
        ref = m->reload.ref;
        rc = reload(program, &err);
        break;
    case MESSAGE_status:
        ref = m->status.ref;
        rc = status(program, &err);
        break;
    default:
        return;
    }
    answer(program, ref, rc, &err);
}

static void on_message(void *data, const struct message *m)
{
    struct program *program = data;
    struct error err;

    if (m->type == MESSAGE_wg_configure) {
        configure(program, &m->wg_configure);
    } else if (program->tunnel == NULL) {
        error_set(&err, "not-configured", "%s: configure must come first",
                  message_type_name(m->type));
        helper_error(program->helper, MESSAGE_ABSENT, false, &err);
    } else {
        request(program, m);
    }
}

/* The loop */

/* An interface that is lost at once, every time, is made once a second. */
#define RESTORE_INTERVAL_MS 1000

/* In how many ms it may be made again; -1 for at once. */
static int restore_pause(const struct program *program)
{
    int64_t left = program->restore_at - clock_ms();

    return left > 0 ? (int)left : -1;
}

static void on_restored(struct program *program, const char *why, int rc, const struct error *err)
{
    if (rc < 0)
        fatal(program, err);
    else if (rc > 0)
        log_warn("%s: interface %s is made again", why, program->interface.name);
    if (rc != 0)
        program->restore_at = clock_ms() + RESTORE_INTERVAL_MS;
}

static void on_backend_ended(struct program *program)
{
    struct error err;
    int rc = tunnel_restore(program->tunnel, &err);

    on_restored(program, "the userspace WireGuard ended", rc < 0 ? rc : 1, &err);
}

static void on_links(struct program *program)
{
    struct error err;
    int rc = tunnel_link_check(program->tunnel, &err);

    program->links_changed = false;
    on_restored(program, "somebody removed it", rc, &err);
}

/* Must not wait for things to settle: packets leave with an address that is gone. */
static void on_addresses(struct program *program)
{
    struct error err;

    if (tunnel_addresses_check(program->tunnel, &err) < 0)
        log_error("%s", err.message);
}

static void on_rules(struct program *program)
{
    struct error err;

    if (tunnel_rules_check(program->tunnel, &err) < 0)
        log_error("routing rules that somebody removed can't be put back: %s", err.message);
}

static void on_ruleset(struct program *program)
{
    struct error err;
    int rc;

    if (!watch_ruleset_read(program->watch))
        return;
    rc = forward_check(program->forward, &err);
    if (rc < 0)
        log_error("%s", err.message);
    rc = tunnel_tables_check(program->tunnel, &err);
    if (rc > 0)
        log_warn("somebody removed our nftables table: it is back");
    else if (rc < 0)
        log_error("our nftables table can't be put back: %s", err.message);
}

static void on_network(struct program *program)
{
    struct message m;

    if (!watch_network_changed(program->watch))
        return;
    tunnel_settled(program->tunnel);
    message_init(&m, MESSAGE_network_changed);
    helper_send(program->helper, &m);
}

static int earlier(int a, int b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* How long poll may wait, in ms; -1 for ever. */
static int patience(const struct program *program)
{
    int network = watch_timeout(program->watch);
    int tunnel = tunnel_timeout(program->tunnel, clock_ms());

    int names = program->names != NULL ? names_timeout(program->names, clock_ms()) : -1;

    return earlier(earlier(earlier(network, tunnel), restore_pause(program)), names);
}

static void on_turn(struct program *program, const struct pollfd *network,
                    const struct pollfd *ruleset, const struct pollfd *backend)
{
    if (backend->revents != 0)
        on_backend_ended(program);
    if (network->revents != 0 && watch_network_read(program->watch)) {
        program->links_changed = true;
        on_addresses(program);
    }
    if (program->links_changed && restore_pause(program) < 0)
        on_links(program);
    if (watch_rules_removed(program->watch))
        on_rules(program);
    if (ruleset->revents != 0)
        on_ruleset(program);
    on_network(program);
    tunnel_tick(program->tunnel, clock_ms());
    if (program->names != NULL)
        names_tick(program->names, program->grants, program->tunnel, &program->interface,
                   clock_ms());
}

static void turn(struct program *program)
{
    struct helper *helper = program->helper;
    bool ready = program->tunnel != NULL;
    struct pollfd fds[] = {
        {.fd = helper_congested(helper) ? -1 : helper_fd_in(helper), .events = POLLIN},
        {.fd = helper_wants_write(helper) ? helper_fd_out(helper) : -1, .events = POLLOUT},
        {.fd = ready ? watch_network_fd(program->watch) : -1, .events = POLLIN},
        {.fd = ready ? watch_ruleset_fd(program->watch) : -1, .events = POLLIN},
        {.fd = ready && restore_pause(program) < 0 ? tunnel_watch(program->tunnel) : -1,
         .events = POLLIN},
        {.fd = wakers[0], .events = POLLIN},
    };

    if (poll(fds, sizeof fds / sizeof fds[0], ready ? patience(program) : -1) < 0)
        return;
    if (ready)
        on_turn(program, &fds[2], &fds[3], &fds[4]);
    if (fds[1].revents != 0)
        helper_flush(helper);
    if (fds[0].revents != 0)
        helper_read(helper);
}

/* Options */

enum {
    OPTION_INTERFACE = 256,
    OPTION_ADDRESS,
    OPTION_MTU,
    OPTION_LISTEN_PORT,
    OPTION_BACKEND,
    OPTION_FORWARD,
    OPTION_USER,
    OPTION_STATE_DIR,
};

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"interface", required_argument, NULL, OPTION_INTERFACE},
    {"address", required_argument, NULL, OPTION_ADDRESS},
    {"mtu", required_argument, NULL, OPTION_MTU},
    {"listen-port", required_argument, NULL, OPTION_LISTEN_PORT},
    {"backend", required_argument, NULL, OPTION_BACKEND},
    {"forward", required_argument, NULL, OPTION_FORWARD},
    {"user", required_argument, NULL, OPTION_USER},
    {"state-dir", required_argument, NULL, OPTION_STATE_DIR},
    {NULL, 0, NULL, 0},
};

static int read_number(const char *text, long min, long max, int *out, struct error *err)
{
    char *end;
    long value = strtol(text, &end, 10);

    if (*text == '\0' || *end != '\0' || value < min || value > max) {
        error_set(err, "bad-option", "'%s' is no number from %ld to %ld", text, min, max);
        return -EINVAL;
    }
    *out = (int)value;
    return 0;
}

static int read_option(struct program *program, int option, struct error *err)
{
    struct interface *interface = &program->interface;

    program->by_options |=
        option != 'c' && option != OPTION_STATE_DIR && option != OPTION_USER;
    switch (option) {
    case 'c':
        program->config = optarg;
        return 0;
    case OPTION_INTERFACE:
        return interface_set_name(interface, optarg, err);
    case OPTION_ADDRESS:
        return interface_add_address(interface, optarg, err);
    case OPTION_MTU:
        return read_number(optarg, 576, 8920, &interface->mtu, err);
    case OPTION_LISTEN_PORT:
        return read_number(optarg, 0, 65535, &interface->listen_port, err);
    case OPTION_BACKEND:
        return interface_set_backend(interface, optarg, err);
    case OPTION_FORWARD:
        return interface_set_forward(interface, optarg, err);
    case OPTION_USER:
        program->user = optarg;
        return 0;
    case OPTION_STATE_DIR:
        program->state_dir = optarg;
        return 0;
    default:
        error_set(err, "bad-option", "--help lists the options");
        return -EINVAL;
    }
}

static int read_options(struct program *program, int argc, char **argv, struct error *err)
{
    int option;

    while ((option = getopt_long(argc, argv, "c:", long_options, NULL)) != -1)
        if (read_option(program, option, err) < 0)
            return -EINVAL;
    if (optind < argc) {
        error_set(err, "bad-option", "'%s': --help lists the options", argv[optind]);
        return -EINVAL;
    }
    if (program->config != NULL && program->by_options) {
        error_set(err, "bad-option",
                  "-c says all of the interface; other options do not go with it");
        return -EINVAL;
    }
    return 0;
}

/* Files are read while we may read any; afterwards only the configuration is, where root may without
 * CAP_DAC_OVERRIDE. */
static int prepare(struct program *program, struct error *err)
{
    const char *state_dir = program->state_dir;
    int rc = limits_check(err);

    if (rc == 0 && program->config != NULL) {
        program->grants = grants_load(program->config, &program->interface, err);
        if (program->grants == NULL)
            return -EINVAL;
        rc = grants_read_learned(program->grants, err);
        state_dir = grants_state_dir(program->grants);
        program->names = names_new(NAMES_PATH, program->interface.name);
    }
    if (rc == 0)
        rc = key_load(state_dir, &program->key, err);
    if (rc == 0) {
        program->sysctls = sysctls_new("/proc/sys", SYSCTL_SHARED, state_dir, err);
        rc = program->sysctls ? 0 : -EIO;
    }
    if (rc == 0)
        rc = limits_apply(err);
    if (rc == 0 && program->grants != NULL)
        grants_learn(program->grants);
    return rc;
}

/* Settings that the tunnel changed are put back with it, the others last. */
static void undo(struct program *program)
{
    if (program->names != NULL)
        names_remove(program->names);
    tunnel_undo(program->tunnel);
    forward_undo(program->forward);
}

static int run(struct program *program)
{
    while (!terminated && !program->failed && helper_end(program->helper) == HELPER_OPEN)
        turn(program);
    if (program->tunnel != NULL && (terminated || helper_end(program->helper) == HELPER_SHUTDOWN))
        undo(program);
    helper_drain(program->helper, 500);
    return program->failed ? 1 : 0;
}

int main(int argc, char **argv)
{
    struct program program = {.state_dir = "/var/lib/punchguard"};
    struct helper_options options = {
        .role = ROLE_WG, .name = "wg-setup", .on_message = on_message, .data = &program};
    struct error err;
    int rc = 1;

    helper_common_options(argc, argv, usage, ROLE_WG);
    log_open("punchguard-wg-setup", false);
    interface_init(&program.interface);
    if (read_options(&program, argc, argv, &err) < 0) {
        log_error("%s", err.message);
        return 2;
    }
    if (sodium_init() < 0)
        return 1;
    if (pipe2(wakers, O_CLOEXEC | O_NONBLOCK) < 0)
        return 1;
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    program.helper = helper_new(&options, &err);
    if (program.helper == NULL) {
        log_error("%s", err.message);
        return 1;
    }
    if (prepare(&program, &err) < 0)
        fatal(&program, &err);
    else if (program.by_options)
        open_tunnel(&program);
    rc = run(&program);
    tunnel_destroy(program.tunnel);
    forward_destroy(program.forward);
    sysctls_destroy(program.sysctls);
    watch_destroy(program.watch);
    names_destroy(program.names);
    grants_destroy(program.grants);
    key_wipe(&program.key);
    helper_destroy(program.helper);
    return rc;
}
