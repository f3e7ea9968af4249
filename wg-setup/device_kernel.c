/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The kernel's WireGuard: rtnetlink for the link, generic netlink (linux/wireguard.h) for the rest.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/wireguard.h>
#include <net/if.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "wg-setup/address.h"
#include "wg-setup/device.h"

/* One message carries so many allowed IPs; more follow in further messages of the same peer. */
#define ALLOWED_A_MESSAGE 64
#define MESSAGE_BYTES     16384
/* The kernel fills at most so much of a buffer in a dump. */
#define ANSWER_BYTES 32768

static int fail(struct error *err, int rc, const char *what, const char *name)
{
    error_set(err, "kernel", "interface %s: cannot %s: %s", name, what, strerror(-rc));
    return rc;
}

/* Generic netlink */

static int talk(struct mnl_socket *socket, struct nlmsghdr *request, mnl_cb_t callback, void *data)
{
    char *buffer = malloc(ANSWER_BYTES);
    int rc = -1;
    ssize_t n;

    if (buffer == NULL)
        return -ENOMEM;
    request->nlmsg_seq = (unsigned)time(NULL);
    if (mnl_socket_sendto(socket, request, request->nlmsg_len) >= 0) {
        do {
            n = mnl_socket_recvfrom(socket, buffer, ANSWER_BYTES);
            rc = n < 0 ? -1
                       : mnl_cb_run(buffer, (size_t)n, request->nlmsg_seq,
                                    mnl_socket_get_portid(socket), callback, data);
        } while (rc > 0);
    }
    rc = rc < 0 ? -errno : 0;
    sodium_memzero(buffer, ANSWER_BYTES);
    free(buffer);
    return rc;
}

static struct nlmsghdr *begin(void *buffer, uint16_t family, uint8_t command, uint8_t version,
                              uint16_t flags)
{
    struct nlmsghdr *head = mnl_nlmsg_put_header(buffer);
    struct genlmsghdr *generic;

    head->nlmsg_type = family;
    head->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
    generic = mnl_nlmsg_put_extra_header(head, sizeof *generic);
    generic->cmd = command;
    generic->version = version;
    return head;
}

static int on_family_attribute(const struct nlattr *attribute, void *data)
{
    if (mnl_attr_get_type(attribute) == CTRL_ATTR_FAMILY_ID)
        *(uint16_t *)data = mnl_attr_get_u16(attribute);
    return MNL_CB_OK;
}

static int on_family(const struct nlmsghdr *head, void *data)
{
    return mnl_attr_parse(head, sizeof(struct genlmsghdr), on_family_attribute, data);
}

/* Opens a socket and finds WireGuard's family. NULL with *rc set. */
static struct mnl_socket *dial(uint16_t *family, int *rc)
{
    char buffer[512];
    struct mnl_socket *socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
    struct nlmsghdr *head = begin(buffer, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1, 0);

    *rc = socket && mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) == 0 ? 0 : -errno;
    mnl_attr_put_strz(head, CTRL_ATTR_FAMILY_NAME, WG_GENL_NAME);
    if (*rc == 0)
        *rc = talk(socket, head, on_family, family);
    if (*rc < 0 && socket != NULL) {
        mnl_socket_close(socket);
        socket = NULL;
    }
    return socket;
}

/* Setting */

static void put_endpoint(struct nlmsghdr *head, const struct endpoint *endpoint)
{
    struct sockaddr_storage address;
    int size = endpoint_to_sockaddr(endpoint, &address);

    if (size > 0)
        mnl_attr_put(head, WGPEER_A_ENDPOINT, (size_t)size, &address);
}

static void put_allowed(struct nlmsghdr *head, const struct device_peer *peer, size_t from,
                        size_t to)
{
    struct nlattr *list = mnl_attr_nest_start(head, WGPEER_A_ALLOWEDIPS);

    for (size_t i = from; i < to; i++) {
        const struct prefix *prefix = &peer->allowed[i];
        struct nlattr *item = mnl_attr_nest_start(head, 0);

        mnl_attr_put_u16(head, WGALLOWEDIP_A_FAMILY, (uint16_t)prefix->family);
        mnl_attr_put(head, WGALLOWEDIP_A_IPADDR, prefix->family == AF_INET ? 4 : 16,
                     prefix->address);
        mnl_attr_put_u8(head, WGALLOWEDIP_A_CIDR_MASK, prefix->length);
        mnl_attr_nest_end(head, item);
    }
    mnl_attr_nest_end(head, list);
}

static void put_peer(struct nlmsghdr *head, const struct device_peer *peer, size_t from, size_t to)
{
    uint32_t flags = 0;

    mnl_attr_put(head, WGPEER_A_PUBLIC_KEY, KEY_BYTES, peer->public_key);
    if (peer->remove)
        flags |= WGPEER_F_REMOVE_ME;
    if (peer->set_allowed && from == 0)
        flags |= WGPEER_F_REPLACE_ALLOWEDIPS;
    mnl_attr_put_u32(head, WGPEER_A_FLAGS, flags);
    if (peer->remove)
        return;
    if (from == 0 && peer->set_preshared)
        mnl_attr_put(head, WGPEER_A_PRESHARED_KEY, KEY_BYTES, peer->preshared_key);
    if (from == 0 && peer->set_endpoint)
        put_endpoint(head, &peer->endpoint);
    if (from == 0 && peer->set_keepalive)
        mnl_attr_put_u16(head, WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, peer->keepalive);
    if (peer->set_allowed)
        put_allowed(head, peer, from, to);
}

static int set_part(struct mnl_socket *socket, uint16_t family, const char *name,
                    const struct device_peer *peer, size_t from, size_t to)
{
    char buffer[MESSAGE_BYTES];
    struct nlmsghdr *head = begin(buffer, family, WG_CMD_SET_DEVICE, WG_GENL_VERSION, 0);
    struct nlattr *list, *item;
    int rc;

    mnl_attr_put_strz(head, WGDEVICE_A_IFNAME, name);
    list = mnl_attr_nest_start(head, WGDEVICE_A_PEERS);
    item = mnl_attr_nest_start(head, 0);
    put_peer(head, peer, from, to);
    mnl_attr_nest_end(head, item);
    mnl_attr_nest_end(head, list);
    rc = talk(socket, head, NULL, NULL);
    sodium_memzero(buffer, sizeof buffer);
    return rc;
}

static int kernel_set_peer(const char *name, const struct device_peer *peer, struct error *err)
{
    size_t from = 0, count = peer->set_allowed && !peer->remove ? peer->allowed_count : 0;
    uint16_t family = 0;
    struct mnl_socket *socket;
    int rc;

    socket = dial(&family, &rc);
    if (socket == NULL)
        return fail(err, rc, "reach the kernel's WireGuard", name);
    do {
        size_t to = count - from > ALLOWED_A_MESSAGE ? from + ALLOWED_A_MESSAGE : count;

        rc = set_part(socket, family, name, peer, from, to);
        from = to;
    } while (rc == 0 && from < count);
    mnl_socket_close(socket);
    return rc < 0 ? fail(err, rc, "set a peer", name) : 0;
}

static int kernel_set_mark(const char *name, uint32_t mark, struct error *err)
{
    char buffer[512];
    uint16_t family = 0;
    struct mnl_socket *socket;
    struct nlmsghdr *head;
    int rc;

    socket = dial(&family, &rc);
    if (socket == NULL)
        return fail(err, rc, "reach the kernel's WireGuard", name);
    head = begin(buffer, family, WG_CMD_SET_DEVICE, WG_GENL_VERSION, 0);
    mnl_attr_put_strz(head, WGDEVICE_A_IFNAME, name);
    mnl_attr_put_u32(head, WGDEVICE_A_FWMARK, mark);
    rc = talk(socket, head, NULL, NULL);
    mnl_socket_close(socket);
    return rc < 0 ? fail(err, rc, "set its mark", name) : 0;
}

static int kernel_set(const char *name, const uint8_t secret[KEY_BYTES], uint16_t port,
                      struct error *err)
{
    char buffer[512];
    uint16_t family = 0;
    struct mnl_socket *socket;
    struct nlmsghdr *head;
    int rc;

    socket = dial(&family, &rc);
    if (socket == NULL)
        return fail(err, rc, "reach the kernel's WireGuard", name);
    head = begin(buffer, family, WG_CMD_SET_DEVICE, WG_GENL_VERSION, 0);
    mnl_attr_put_strz(head, WGDEVICE_A_IFNAME, name);
    mnl_attr_put(head, WGDEVICE_A_PRIVATE_KEY, KEY_BYTES, secret);
    if (port != 0)
        mnl_attr_put_u16(head, WGDEVICE_A_LISTEN_PORT, port);
    rc = talk(socket, head, NULL, NULL);
    sodium_memzero(buffer, sizeof buffer);
    mnl_socket_close(socket);
    return rc < 0 ? fail(err, rc, "set its key and port", name) : 0;
}

/* Reading */

struct reading {
    struct device_about *about;
    device_peer_seen *seen;
    void *data;
    struct device_status peer; /* one peer's allowed IPs may fill several messages */
    bool in_peer;
};

static void read_endpoint(const struct nlattr *attribute, struct endpoint *endpoint)
{
    struct sockaddr_storage address;
    size_t size = mnl_attr_get_payload_len(attribute);

    if (size < sizeof(struct sockaddr_in) || size > sizeof address)
        return;
    memset(&address, 0, sizeof address);
    memcpy(&address, mnl_attr_get_payload(attribute), size);
    endpoint_from_sockaddr(endpoint, (struct sockaddr *)&address);
}

/* One allowed IP of a peer, its three attributes in any order. */
static int on_allowed_attribute(const struct nlattr *attribute, void *data)
{
    struct prefix *prefix = data;
    size_t size = mnl_attr_get_payload_len(attribute);

    switch (mnl_attr_get_type(attribute)) {
    case WGALLOWEDIP_A_FAMILY:
        prefix->family = mnl_attr_get_u16(attribute);
        break;
    case WGALLOWEDIP_A_IPADDR:
        if (size <= sizeof prefix->address)
            memcpy(prefix->address, mnl_attr_get_payload(attribute), size);
        break;
    case WGALLOWEDIP_A_CIDR_MASK:
        prefix->length = mnl_attr_get_u8(attribute);
        break;
    default:
        break;
    }
    return MNL_CB_OK;
}

static int on_allowed(const struct nlattr *attribute, void *data)
{
    struct device_status *peer = data;
    size_t i = peer->allowed_count++;

    if (i < PEER_ALLOWED_MAX)
        mnl_attr_parse_nested(attribute, on_allowed_attribute, &peer->allowed[i]);
    return MNL_CB_OK;
}

static int on_peer_attribute(const struct nlattr *attribute, void *data)
{
    struct device_status *peer = data;
    const void *payload = mnl_attr_get_payload(attribute);
    size_t size = mnl_attr_get_payload_len(attribute);

    switch (mnl_attr_get_type(attribute)) {
    case WGPEER_A_PUBLIC_KEY:
        if (size == KEY_BYTES)
            memcpy(peer->public_key, payload, KEY_BYTES);
        break;
    case WGPEER_A_PRESHARED_KEY:
        if (size == KEY_BYTES)
            memcpy(peer->preshared_key, payload, KEY_BYTES);
        break;
    case WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL:
        peer->keepalive = mnl_attr_get_u16(attribute);
        break;
    case WGPEER_A_ALLOWEDIPS:
        mnl_attr_parse_nested(attribute, on_allowed, peer);
        break;
    case WGPEER_A_ENDPOINT:
        read_endpoint(attribute, &peer->endpoint);
        break;
    case WGPEER_A_LAST_HANDSHAKE_TIME:
        if (size >= sizeof(int64_t))
            memcpy(&peer->latest_handshake, payload, sizeof(int64_t));
        break;
    case WGPEER_A_RX_BYTES:
        peer->rx_bytes = (int64_t)mnl_attr_get_u64(attribute);
        break;
    case WGPEER_A_TX_BYTES:
        peer->tx_bytes = (int64_t)mnl_attr_get_u64(attribute);
        break;
    default:
        break;
    }
    return MNL_CB_OK;
}

static void peer_done(struct reading *reading)
{
    if (reading->in_peer && reading->seen != NULL)
        reading->seen(reading->data, &reading->peer);
    reading->in_peer = false;
}

static int on_peer(const struct nlattr *attribute, void *data)
{
    struct reading *reading = data;
    struct device_status before = reading->peer;

    /* The rest of a peer comes with its key and further allowed IPs alone. */
    mnl_attr_parse_nested(attribute, on_peer_attribute, &reading->peer);
    if (reading->in_peer && memcmp(reading->peer.public_key, before.public_key, KEY_BYTES) == 0)
        return MNL_CB_OK;
    reading->peer = before;
    peer_done(reading);
    memset(&reading->peer, 0, sizeof reading->peer);
    reading->in_peer = true;
    mnl_attr_parse_nested(attribute, on_peer_attribute, &reading->peer);
    return MNL_CB_OK;
}

static int on_device_attribute(const struct nlattr *attribute, void *data)
{
    struct reading *reading = data;
    uint16_t type = mnl_attr_get_type(attribute);

    if (type == WGDEVICE_A_PEERS)
        mnl_attr_parse_nested(attribute, on_peer, reading);
    else if (type == WGDEVICE_A_LISTEN_PORT && reading->about != NULL)
        reading->about->listen_port = mnl_attr_get_u16(attribute);
    else if (type == WGDEVICE_A_PUBLIC_KEY && reading->about != NULL &&
             mnl_attr_get_payload_len(attribute) == KEY_BYTES)
        memcpy(reading->about->public_key, mnl_attr_get_payload(attribute), KEY_BYTES);
    return MNL_CB_OK;
}

static int on_device(const struct nlmsghdr *head, void *data)
{
    return mnl_attr_parse(head, sizeof(struct genlmsghdr), on_device_attribute, data);
}

static int kernel_read(const char *name, struct device_about *about, device_peer_seen *seen,
                       void *data, struct error *err)
{
    char buffer[512];
    struct reading reading = {.about = about, .seen = seen, .data = data};
    uint16_t family = 0;
    struct mnl_socket *socket;
    struct nlmsghdr *head;
    int rc;

    if (about != NULL)
        memset(about, 0, sizeof *about);
    socket = dial(&family, &rc);
    if (socket == NULL)
        return fail(err, rc, "reach the kernel's WireGuard", name);
    head = begin(buffer, family, WG_CMD_GET_DEVICE, WG_GENL_VERSION, NLM_F_DUMP);
    mnl_attr_put_strz(head, WGDEVICE_A_IFNAME, name);
    rc = talk(socket, head, on_device, &reading);
    mnl_socket_close(socket);
    peer_done(&reading);
    return rc < 0 ? fail(err, rc, "read its state", name) : 0;
}

/* The link */

static int kernel_create(const char *name, struct error *err)
{
    char kind[32];
    int rc = address_link_kind(name, kind);

    if (rc == 0 && strcmp(kind, "wireguard") == 0)
        return 1;
    if (rc == 0 && strcmp(kind, "tun") == 0) {
        /* Perhaps a userspace WireGuard's: it will tell. */
        error_set(err, "interface-taken",
                  "the interface name %s is taken by a link of kind 'tun', which backend 'kernel' "
                  "can't use; another interface.name or backend 'auto' is right",
                  name);
        return -EOPNOTSUPP;
    }
    if (rc == 0) {
        error_set(
            err, "interface-taken",
            "the interface name %s is taken by a link of kind '%s'; it is left alone: another "
            "interface.name is right",
            name, kind[0] ? kind : "device");
        return -EEXIST;
    }
    rc = address_link_add(name, "wireguard", err);
    if (rc == -EOPNOTSUPP || rc == -ENODEV) {
        error_set(err, "no-wireguard",
                  "this kernel has no WireGuard: the module 'wireguard' is missing; backend "
                  "'userspace' or 'auto' works without it");
        return -EOPNOTSUPP;
    }
    return rc;
}

static int kernel_watch(const char *name)
{
    (void)name;
    return -1;
}

const struct device_ops device_kernel = {
    .name = "kernel",
    .create = kernel_create,
    .set = kernel_set,
    .set_mark = kernel_set_mark,
    .set_peer = kernel_set_peer,
    .read = kernel_read,
    .watch = kernel_watch,
    .destroy = address_link_delete,
};
