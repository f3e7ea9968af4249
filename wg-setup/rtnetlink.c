/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wg-setup/rtnetlink.h"

#include <errno.h>
#include <sys/socket.h>
#include <time.h>

struct nlmsghdr *rtnetlink_begin(void *buffer, uint16_t type, uint16_t flags)
{
    struct nlmsghdr *head = mnl_nlmsg_put_header(buffer);

    head->nlmsg_type = type;
    head->nlmsg_flags = flags;
    return head;
}

int rtnetlink_talk(struct nlmsghdr *request, mnl_cb_t callback, void *data)
{
    char buffer[16384];
    struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    int rc = -1;
    ssize_t n;

    if (socket == NULL)
        return -errno;
    request->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
    request->nlmsg_seq = (unsigned)time(NULL);
    if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
        mnl_socket_sendto(socket, request, request->nlmsg_len) < 0)
        goto out;
    do {
        n = mnl_socket_recvfrom(socket, buffer, sizeof buffer);
        rc = n < 0 ? -1
                   : mnl_cb_run(buffer, (size_t)n, request->nlmsg_seq,
                                mnl_socket_get_portid(socket), callback, data);
    } while (rc > 0);
out:
    rc = rc < 0 ? -errno : 0;
    mnl_socket_close(socket);
    return rc;
}
