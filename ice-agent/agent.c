/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ice-agent/agent.h"

#include <errno.h>
#include <gio/gio.h>
#include <nice/nice.h>
#include <sodium.h>
#include <string.h>

#include "ice-agent/probe.h"
#include "ice-agent/remote.h"
#include "ice-agent/resolver.h"
#include "ice-agent/stun.h"
#include "protocol/log.h"

#define COMPONENT NICE_COMPONENT_TYPE_RTP

/* RFC 8839 section 5.4 asks for 24 and 128 bits of randomness at least; 6 bits a character. */
#define UFRAG_LENGTH 8
#define PWD_LENGTH   24

/* New descriptions of the peer in a minute, as DESIGN.md section 5 has it for sessions. */
#define RESTARTS_PER_MINUTE 6
#define MINUTE_MS           60000

/* Before there is a pair, NATs forget the mapping that STUN told us: after 30 s where they are
 * hasty (RFC 4787 section 4.3 asks for 2 minutes). */
#define KEEP_MAPPING_S 15

/* libnice, as measured: TRAPS of 0.1.21. */
#define CHECK_RETRANSMISSIONS  7
#define CHECK_FIRST_TIMEOUT_MS 200
#define CHECKS_MAX             100
#define IDLE_TIMEOUT_MS        5000

struct agent {
    const struct settings *settings;
    struct agent_events events;
    NiceAgent *nice;
    guint stream;
    struct resolver *resolver;
    char ufrag[UFRAG_LENGTH + 1], pwd[PWD_LENGTH + 1];
    struct remote remote;
    bool gathered;      /* all local candidates are out */
    bool awaits_answer; /* we restarted: the next new description is not the peer's restart */
    int64_t restarts[RESTARTS_PER_MINUTE]; /* times of the peer's restarts, a ring */
    unsigned restart_count;
    const char *state;
    struct endpoint stun_server;
    guint keep_mapping; /* GLib source ids, 0: none */
    guint probe_timer;
    struct probe probe;
    struct message selected; /* the present pair; type MESSAGE_NONE without one */
    bool selected_sent;
    uint8_t held[PROBE_BYTES]; /* the answer to an ask that came before we had a pair */
    bool holds;
};

static int64_t now_ms(void)
{
    return g_get_monotonic_time() / 1000;
}

static void send_message(struct agent *agent, const struct message *message)
{
    agent->events.send(agent->events.data, message);
}

static void send_state(struct agent *agent, const char *state)
{
    struct message message;

    if (agent->state == state)
        return;
    agent->state = state;
    message_init(&message, MESSAGE_state);
    message.state.state = (char *)(uintptr_t)state;
    send_message(agent, &message);
}

static const char gathering[] = "gathering", connecting[] = "connecting", connected[] = "connected",
                  lost[] = "lost", failed[] = "failed";

/* Local candidates */

static void send_candidate(struct agent *agent, NiceCandidate *candidate)
{
    struct message message;
    char *text;

    if (candidate->type == NICE_CANDIDATE_TYPE_PEER_REFLEXIVE)
        return;
    text = nice_agent_generate_local_candidate_sdp(agent->nice, candidate);
    if (text == NULL)
        return;
    message_init(&message, MESSAGE_candidate);
    message.candidate.ufrag = agent->ufrag;
    message.candidate.candidate = g_str_has_prefix(text, "a=") ? text + 2 : text;
    send_message(agent, &message);
    g_free(text);
}

static void send_candidates_done(struct agent *agent)
{
    struct message message;

    message_init(&message, MESSAGE_candidates_done);
    message.candidates_done.ufrag = agent->ufrag;
    send_message(agent, &message);
}

static void gathering_end(struct agent *agent)
{
    if (agent->gathered)
        return;
    agent->gathered = true;
    send_candidates_done(agent);
}

static void on_candidate(NiceAgent *nice, NiceCandidate *candidate, gpointer data)
{
    (void)nice;
    send_candidate(data, candidate);
}

static void on_gathering_done(NiceAgent *nice, guint stream, gpointer data)
{
    (void)nice;
    (void)stream;
    gathering_end(data);
}

static void random_text(char *out, size_t length)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < length; i++)
        out[i] = digits[randombytes_uniform(sizeof digits - 1)];
    out[length] = '\0';
}

static void credentials_renew(struct agent *agent)
{
    random_text(agent->ufrag, UFRAG_LENGTH);
    random_text(agent->pwd, PWD_LENGTH);
    nice_agent_set_local_credentials(agent->nice, agent->stream, agent->ufrag, agent->pwd);
}

static void send_description(struct agent *agent)
{
    struct message message;

    message_init(&message, MESSAGE_description);
    message.description.ufrag = agent->ufrag;
    message.description.pwd = agent->pwd;
    send_message(agent, &message);
}

/* The STUN server */

static gboolean on_keep_mapping(gpointer data)
{
    struct agent *agent = data;
    GPtrArray *sockets = nice_agent_get_sockets(agent->nice, agent->stream, COMPONENT);
    GSocketAddress *server =
        g_inet_socket_address_new_from_string(agent->stun_server.address, agent->stun_server.port);
    uint8_t packet[STUN_HEADER_BYTES];

    for (guint i = 0; sockets != NULL && i < sockets->len; i++) {
        GSocket *socket = g_ptr_array_index(sockets, i);

        if (g_socket_get_family(socket) != g_socket_address_get_family(server))
            continue;
        stun_make_indication(packet);
        g_socket_send_to(socket, server, (const char *)packet, sizeof packet, NULL, NULL);
    }
    g_clear_pointer(&sockets, g_ptr_array_unref);
    g_object_unref(server);
    return G_SOURCE_CONTINUE;
}

static void on_race_decided(void *data, const struct endpoint *winner)
{
    struct agent *agent = data;
    char text[ENDPOINT_TEXT_SIZE];

    if (winner == NULL) {
        log_warn("no STUN server answered: only this host's own addresses are candidates");
        gathering_end(agent);
        return;
    }
    endpoint_format(winner, text);
    log_info("STUN server: %s", text);
    agent->stun_server = *winner;
    g_object_set(agent->nice, "stun-server-port", (guint)winner->port, NULL);
    if (agent->selected.type == MESSAGE_NONE && agent->keep_mapping == 0)
        agent->keep_mapping = g_timeout_add_seconds(KEEP_MAPPING_S, on_keep_mapping, agent);
}

/* The probe */

static void probe_pump(struct agent *agent);

static gboolean on_probe_time(gpointer data)
{
    struct agent *agent = data;

    agent->probe_timer = 0;
    probe_pump(agent);
    return G_SOURCE_REMOVE;
}

static bool send_packet(struct agent *agent, const uint8_t packet[PROBE_BYTES])
{
    return nice_agent_send(agent->nice, agent->stream, COMPONENT, PROBE_BYTES,
                           (const char *)packet) == PROBE_BYTES;
}

static void note_dead(struct agent *agent)
{
    if (agent->state != connected)
        return;
    log_warn("the pair is dead: %d probes in a row without an answer", PROBE_DEAD_MISSES);
    send_state(agent, lost);
}

static void note_alive(struct agent *agent)
{
    send_state(agent, connected);
    if (agent->selected_sent)
        return;
    agent->selected_sent = true;
    agent->selected.selected.rtt_ms = agent->probe.rtt_ms;
    send_message(agent, &agent->selected);
}

static void probe_pump(struct agent *agent)
{
    uint8_t packet[PROBE_BYTES];
    int64_t deadline, now = now_ms();

    if (probe_ask(&agent->probe, now, packet))
        send_packet(agent, packet);
    if (agent->probe.state == PROBE_DEAD)
        note_dead(agent);
    g_clear_handle_id(&agent->probe_timer, g_source_remove);
    deadline = probe_deadline(&agent->probe);
    if (deadline != INT64_MAX)
        agent->probe_timer =
            g_timeout_add(deadline > now ? (guint)(deadline - now) : 0, on_probe_time, agent);
}

static void on_datagram(NiceAgent *nice, guint stream, guint component, guint length, gchar *data,
                        gpointer user)
{
    struct agent *agent = user;
    uint8_t answer[PROBE_BYTES];

    (void)nice;
    (void)stream;
    (void)component;
    if (probe_receive(&agent->probe, now_ms(), data, length, answer) &&
        !send_packet(agent, answer)) {
        memcpy(agent->held, answer, sizeof agent->held);
        agent->holds = true;
    }
    if (agent->probe.state == PROBE_ALIVE)
        note_alive(agent);
    probe_pump(agent);
}

/* The selected pair */

static void endpoint_from_nice(struct endpoint *endpoint, const NiceAddress *address)
{
    struct sockaddr_storage storage;

    nice_address_copy_to_sockaddr(address, (struct sockaddr *)&storage);
    endpoint_from_sockaddr(endpoint, (struct sockaddr *)&storage);
}

static const char *pair_kind(const NiceCandidate *local, const NiceCandidate *remote)
{
    if (local->type == NICE_CANDIDATE_TYPE_RELAYED)
        return "turn";
    return local->transport == NICE_CANDIDATE_TRANSPORT_UDP &&
                   remote->transport == NICE_CANDIDATE_TRANSPORT_UDP
               ? "direct"
               : "tcp";
}

static void on_selected_pair(NiceAgent *nice, guint stream, guint component, NiceCandidate *local,
                             NiceCandidate *remote, gpointer data)
{
    struct agent *agent = data;
    struct message pair;

    (void)nice;
    (void)stream;
    (void)component;
    message_init(&pair, MESSAGE_selected);
    pair.selected.kind = (char *)(uintptr_t)pair_kind(local, remote);
    endpoint_from_nice(&pair.selected.base, &local->base_addr);
    endpoint_from_nice(&pair.selected.remote, &remote->addr);
    if (agent->holds)
        send_packet(agent, agent->held);
    agent->holds = false;
    if (agent->selected.type == MESSAGE_selected &&
        endpoint_equal(&pair.selected.base, &agent->selected.selected.base) &&
        endpoint_equal(&pair.selected.remote, &agent->selected.selected.remote)) {
        probe_hurry(&agent->probe, now_ms());
        probe_pump(agent);
        return;
    }
    agent->selected = pair;
    agent->selected_sent = false;
    g_clear_handle_id(&agent->keep_mapping, g_source_remove);
    probe_start(&agent->probe, now_ms());
    probe_pump(agent);
}

static void on_state(NiceAgent *nice, guint stream, guint component, guint state, gpointer data)
{
    struct agent *agent = data;
    bool alive = agent->probe.state == PROBE_ALIVE;

    (void)nice;
    (void)stream;
    (void)component;
    log_debug("libnice: %s", nice_component_state_to_string(state));
    if (state == NICE_COMPONENT_STATE_CONNECTING && !alive)
        send_state(agent, connecting);
    else if (state == NICE_COMPONENT_STATE_FAILED && !alive)
        send_state(agent, failed);
}

/* The peer's side */

static void take_candidate(struct agent *agent, const struct candidate *candidate)
{
    static const NiceCandidateType types[] = {[CANDIDATE_HOST] = NICE_CANDIDATE_TYPE_HOST,
                                              [CANDIDATE_SERVER_REFLEXIVE] =
                                                  NICE_CANDIDATE_TYPE_SERVER_REFLEXIVE,
                                              [CANDIDATE_RELAYED] = NICE_CANDIDATE_TYPE_RELAYED};
    NiceCandidate *nice = nice_candidate_new(types[candidate->kind]);
    GSList list = {.data = nice, .next = NULL};

    nice->stream_id = agent->stream;
    nice->component_id = COMPONENT;
    nice->transport = NICE_CANDIDATE_TRANSPORT_UDP;
    nice->priority = candidate->priority;
    g_strlcpy(nice->foundation, candidate->foundation, sizeof nice->foundation);
    if (nice_address_set_from_string(&nice->addr, candidate->endpoint.address)) {
        nice_address_set_port(&nice->addr, candidate->endpoint.port);
        nice_agent_set_remote_candidates(agent->nice, agent->stream, COMPONENT, &list);
    }
    nice_candidate_free(nice);
}

static void take_waiting(struct agent *agent)
{
    struct candidate candidate;
    struct error err;
    int rc;

    while ((rc = remote_take_waiting(&agent->remote, &candidate, &err)) != 0) {
        if (rc > 0)
            take_candidate(agent, &candidate);
        else
            agent->events.fail(agent->events.data, &err);
    }
}

static void take_done(struct agent *agent)
{
    if (remote_is_done(&agent->remote))
        nice_agent_peer_candidate_gathering_done(agent->nice, agent->stream);
}

/* New credentials, the same sockets and candidates: libnice gathers once. */
static void restart(struct agent *agent)
{
    GSList *candidates;

    nice_agent_restart_stream(agent->nice, agent->stream);
    credentials_renew(agent);
    send_description(agent);
    candidates = nice_agent_get_local_candidates(agent->nice, agent->stream, COMPONENT);
    for (GSList *at = candidates; at != NULL; at = at->next)
        send_candidate(agent, at->data);
    g_slist_free_full(candidates, (GDestroyNotify)nice_candidate_free);
    if (agent->gathered)
        send_candidates_done(agent);
}

/* A second `restart` before the peer has answered the first would make it take one of the two
 * answers for a restart of its own. */
static void on_restart(struct agent *agent, const struct message *message)
{
    (void)message;
    if (agent->remote.ufrag[0] == '\0' || agent->awaits_answer)
        return;
    agent->awaits_answer = true;
    restart(agent);
}

static bool restart_is_allowed(struct agent *agent)
{
    int64_t *oldest = &agent->restarts[agent->restart_count % RESTARTS_PER_MINUTE], now = now_ms();

    if (agent->restart_count >= RESTARTS_PER_MINUTE && now - *oldest < MINUTE_MS)
        return false;
    *oldest = now;
    agent->restart_count++;
    return true;
}

/* Whether there may be a new description; answers a restart of the peer. 0 or -errno. */
static int answer_restart(struct agent *agent, struct error *err)
{
    if (agent->awaits_answer) {
        agent->awaits_answer = false;
        return 0;
    }
    if (!restart_is_allowed(agent)) {
        error_set(err, "too-many-restarts", "description: more than %d new ones in a minute",
                  RESTARTS_PER_MINUTE);
        return -EBUSY;
    }
    restart(agent);
    return 0;
}

static void on_description(struct agent *agent, const struct message *message)
{
    const struct message_description *m = &message->description;
    struct error err;
    int rc = remote_look(&agent->remote, m->ufrag, m->pwd, &err);

    if (rc > 0 && agent->remote.ufrag[0] != '\0')
        rc = answer_restart(agent, &err);
    if (rc >= 0)
        rc = remote_describe(&agent->remote, m->ufrag, m->pwd, &err);
    if (rc < 0)
        agent->events.fail(agent->events.data, &err);
    if (rc <= 0)
        return;
    probe_set_passwords(&agent->probe, agent->pwd, m->pwd);
    nice_agent_set_remote_credentials(agent->nice, agent->stream, m->ufrag, m->pwd);
    take_waiting(agent);
    take_done(agent);
    probe_pump(agent);
}

static void on_remote_candidate(struct agent *agent, const struct message *message)
{
    struct candidate candidate;
    struct error err;
    int rc = remote_add(&agent->remote, message->candidate.ufrag, message->candidate.candidate,
                        &candidate, &err);

    if (rc > 0)
        take_candidate(agent, &candidate);
    else if (rc < 0)
        agent->events.fail(agent->events.data, &err);
}

static void on_remote_done(struct agent *agent, const struct message *message)
{
    remote_done(&agent->remote, message->candidates_done.ufrag);
    take_done(agent);
}

void agent_take(struct agent *agent, const struct message *message)
{
    static const struct {
        enum message_type type;
        void (*handle)(struct agent *agent, const struct message *message);
    } handlers[] = {
        {MESSAGE_description, on_description},
        {MESSAGE_candidate, on_remote_candidate},
        {MESSAGE_candidates_done, on_remote_done},
        {MESSAGE_restart, on_restart},
    };

    for (size_t i = 0; i < sizeof handlers / sizeof handlers[0]; i++)
        if (handlers[i].type == message->type)
            handlers[i].handle(agent, message);
}

/* Life */

static int add_local_addresses(struct agent *agent, struct addresses *found, struct error *err)
{
    const struct settings *settings = agent->settings;

    if (settings->local_count > 0) {
        memcpy(found->items, settings->local, sizeof found->items);
        found->count = settings->local_count;
    } else if (addresses_list(found, settings->exclude, settings->exclude_count, err) < 0) {
        return -EADDRNOTAVAIL;
    }
    for (size_t i = 0; i < found->count; i++) {
        NiceAddress address;

        nice_address_init(&address);
        if (nice_address_set_from_string(&address, found->items[i].address))
            nice_agent_add_local_address(agent->nice, &address);
    }
    return 0;
}

static int gather(struct agent *agent, struct error *err)
{
    struct addresses locals;

    if (add_local_addresses(agent, &locals, err) < 0)
        return -EADDRNOTAVAIL;
    if (agent->settings->stun_count > 0) {
        agent->resolver = resolver_install(agent->settings->stun, agent->settings->stun_count,
                                           locals.items, locals.count, on_race_decided, agent, err);
        if (agent->resolver == NULL)
            return -EIO;
        g_object_set(agent->nice, "stun-server", RESOLVER_NAME, NULL);
    }
    if (nice_agent_gather_candidates(agent->nice, agent->stream))
        return 0;
    error_set(err, "no-candidates",
              "no socket could be bound: port %u may be in use, or a local address be gone",
              (unsigned)agent->settings->port);
    return -EADDRINUSE;
}

void agent_start(struct agent *agent)
{
    struct error err;

    send_description(agent);
    send_state(agent, gathering);
    if (gather(agent, &err) == 0)
        return;
    agent->events.fail(agent->events.data, &err);
    gathering_end(agent);
    send_state(agent, failed);
}

static void properties_set(struct agent *agent)
{
    g_object_set(agent->nice, "controlling-mode", (gboolean)agent->settings->controlling, "upnp",
                 FALSE, "ice-tcp", FALSE, "keepalive-conncheck", TRUE, "stun-max-retransmissions",
                 (guint)CHECK_RETRANSMISSIONS, "stun-initial-timeout",
                 (guint)CHECK_FIRST_TIMEOUT_MS, "max-connectivity-checks", (guint)CHECKS_MAX,
                 "idle-timeout", (guint)IDLE_TIMEOUT_MS, NULL);
}

struct agent *agent_new(const struct settings *settings, const struct agent_events *events,
                        struct error *err)
{
    struct agent *agent = g_new0(struct agent, 1);

    agent->settings = settings;
    agent->events = *events;
    remote_init(&agent->remote, settings->exclude, settings->exclude_count);
    probe_init(&agent->probe);
    message_init(&agent->selected, MESSAGE_NONE);
    agent->nice = nice_agent_new_full(g_main_context_default(), NICE_COMPATIBILITY_RFC5245,
                                      NICE_AGENT_OPTION_ICE_TRICKLE);
    properties_set(agent);
    agent->stream = nice_agent_add_stream(agent->nice, 1);
    if (agent->stream == 0) {
        error_set(err, "libnice", "libnice gives no stream");
        agent_destroy(agent);
        return NULL;
    }
    if (settings->port != 0)
        nice_agent_set_port_range(agent->nice, agent->stream, COMPONENT, settings->port,
                                  settings->port);
    credentials_renew(agent);
    g_signal_connect(agent->nice, "new-candidate-full", G_CALLBACK(on_candidate), agent);
    g_signal_connect(agent->nice, "candidate-gathering-done", G_CALLBACK(on_gathering_done), agent);
    g_signal_connect(agent->nice, "new-selected-pair-full", G_CALLBACK(on_selected_pair), agent);
    g_signal_connect(agent->nice, "component-state-changed", G_CALLBACK(on_state), agent);
    nice_agent_attach_recv(agent->nice, agent->stream, COMPONENT, g_main_context_default(),
                           on_datagram, agent);
    return agent;
}

bool agent_gathered(const struct agent *agent)
{
    return agent->gathered;
}

void agent_destroy(struct agent *agent)
{
    if (agent == NULL)
        return;
    g_clear_handle_id(&agent->keep_mapping, g_source_remove);
    g_clear_handle_id(&agent->probe_timer, g_source_remove);
    resolver_destroy(agent->resolver);
    g_signal_handlers_disconnect_by_data(agent->nice, agent);
    g_object_unref(agent->nice);
    remote_clear(&agent->remote);
    probe_clear(&agent->probe);
    sodium_memzero(agent, sizeof *agent);
    g_free(agent);
}
