/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/genetlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include "punchguard/capture.h"
#include "punchguard/clock.h"
#include "punchguard/doctor.h"
#include "punchguard/firewall.h"

#define RUN_MS 10000

/* WireGuard */

struct family_request {
    struct nlmsghdr head;
    struct genlmsghdr generic;
    struct nlattr attribute;
    char name[16];
};

static int ask_family(int fd, const char *name)
{
    struct family_request request = {
        .head = {.nlmsg_type = GENL_ID_CTRL, .nlmsg_flags = NLM_F_REQUEST},
        .generic = {.cmd = CTRL_CMD_GETFAMILY, .version = 1},
        .attribute = {.nla_type = CTRL_ATTR_FAMILY_NAME},
    };
    struct nlmsghdr answer[256];

    snprintf(request.name, sizeof request.name, "%s", name);
    request.attribute.nla_len = (uint16_t)(sizeof request.attribute + strlen(name) + 1);
    request.head.nlmsg_len = sizeof request;
    if (send(fd, &request, sizeof request, 0) < 0 ||
        recv(fd, answer, sizeof answer, 0) < (ssize_t)sizeof answer[0])
        return -errno;
    return answer[0].nlmsg_type == GENL_ID_CTRL ? 0 : -ENOENT;
}

/* The kernel loads the module where it has one and nobody has asked before. */
static bool kernel_has_wireguard(void)
{
    const struct timeval patience = {.tv_sec = 2};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC), rc;

    if (fd < 0)
        return false;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    rc = ask_family(fd, "wireguard");
    close(fd);
    return rc == 0;
}

static bool in_path(const char *name)
{
    const char *path = getenv("PATH");
    char *copy = strdup(path != NULL ? path : "/usr/bin:/usr/sbin"), *rest = copy, *folder;
    char file[4096];
    bool found = false;

    while (copy != NULL && !found && (folder = strsep(&rest, ":")) != NULL) {
        snprintf(file, sizeof file, "%s/%s", folder, name);
        found = access(file, X_OK) == 0;
    }
    free(copy);
    return found;
}

static void look_at_tun(struct doctor *doctor)
{
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    int saved = errno;

    if (fd >= 0) {
        close(fd);
        findings_add(&doctor->findings, LEVEL_OK, "tun", NULL, "/dev/net/tun can be opened");
    } else if ((saved == EACCES || saved == EPERM) && geteuid() != 0) {
        findings_add(&doctor->findings, LEVEL_SKIP, "tun", "ask as root",
                     "/dev/net/tun can't be tried by this user");
    } else {
        findings_add(&doctor->findings, LEVEL_FAIL, "tun",
                     "modprobe tun; a container has to be given the device",
                     "/dev/net/tun can't be opened: %s", strerror(saved));
    }
}

static void look_at_userspace(struct doctor *doctor)
{
    if (in_path("wireguard-go"))
        findings_add(&doctor->findings, LEVEL_OK, "wireguard-go", NULL, "it is installed");
    else
        findings_add(&doctor->findings, LEVEL_FAIL, "wireguard-go",
                     "apt install wireguard-go, or a kernel with WireGuard",
                     "it is not in PATH, and there is no WireGuard in the kernel to be used");
    look_at_tun(doctor);
}

void doctor_look_at_wireguard(struct doctor *doctor)
{
    enum interface_backend backend = doctor->interface.backend;
    bool kernel = kernel_has_wireguard();

    if (backend == BACKEND_USERSPACE)
        findings_add(&doctor->findings, LEVEL_OK, "kernel", NULL,
                     "the configuration wants a userspace WireGuard");
    else if (kernel)
        findings_add(&doctor->findings, LEVEL_OK, "kernel", NULL, "it has WireGuard");
    else if (backend == BACKEND_KERNEL)
        findings_add(&doctor->findings, LEVEL_FAIL, "kernel",
                     "modprobe wireguard; or \"backend\": \"auto\" in $.interface",
                     "it has no WireGuard, and the configuration wants no other");
    else
        findings_add(&doctor->findings, LEVEL_WARN, "kernel",
                     "modprobe wireguard, where there is such a module",
                     "it has no WireGuard; one in user space is used, which is slower");
    if (backend == BACKEND_USERSPACE || (!kernel && backend == BACKEND_AUTO))
        look_at_userspace(doctor);
}

/* nftables */

/* What wg-setup's table needs, tried without doing it. */
#define TRIAL(fib)                                                                                 \
    "table inet punchguard_doctor {\n"                                                             \
    "  map learned { type ipv4_addr . inet_service : inet_service; flags dynamic,timeout; "        \
    "size 1024; timeout 180s; }\n"                                                                 \
    "  chain ingress { type filter hook prerouting priority -90;\n"                                \
    "    " fib "udp dport 1 @th,64,32 0x01000000 udp dport set 2; }\n"                             \
    "  chain egress { type route hook output priority -310; udp sport 2 udp sport set 1; }\n"      \
    "}\n"

/* 0 where the kernel would take the rules; else *why is the first line of what nft(8) says, to be
 * freed. */
static int try_rules(const char *rules, char **why)
{
    char *argv[] = {(char *)(uintptr_t) "nft", (char *)(uintptr_t) "--check",
                    (char *)(uintptr_t) "-f", (char *)(uintptr_t) "-", NULL};
    struct capture capture;
    int status;

    *why = NULL;
    if (capture_run(&capture, argv, rules, RUN_MS) < 0)
        return -1;
    status = capture.status;
    capture.err[strcspn(capture.err, "\n")] = '\0';
    if (status != 0)
        *why = strdup(capture.err);
    capture_clear(&capture);
    return status;
}

static void look_at_kernel_rules(struct doctor *doctor)
{
    char *why, *fib_why = NULL;

    if (try_rules(TRIAL(""), &why) != 0)
        findings_add(&doctor->findings, LEVEL_FAIL, "nftables",
                     "modprobe nf_tables; without it no path is direct",
                     "the kernel does not take the rules of a direct path: %s",
                     why != NULL ? why : "");
    else if (try_rules(TRIAL("fib daddr type local "), &fib_why) != 0)
        findings_add(&doctor->findings, LEVEL_FAIL, "nftables",
                     "modprobe nft_fib_inet; without it no path is direct",
                     "the kernel has no fib expression: %s", fib_why != NULL ? fib_why : "");
    else
        findings_add(&doctor->findings, LEVEL_OK, "nftables", NULL,
                     "the kernel takes the rules of a direct path");
    free(why);
    free(fib_why);
}

static void take_ruleset(struct doctor *doctor, const char *ruleset)
{
    char chain[FIREWALL_CHAIN];
    struct error err;
    const char *hook;
    int rc = firewall_find_dropping(ruleset, chain, &hook, &err);

    if (rc > 0)
        findings_add(&doctor->findings, LEVEL_WARN, "firewall",
                     "let in what belongs to a connection: ct state established,related accept",
                     "the chain '%s' (%s) drops, and its table looks at no connection's state: "
                     "answers of peers and STUN servers may be dropped",
                     chain, hook);
    else if (rc < 0)
        findings_add(&doctor->findings, LEVEL_SKIP, "firewall", NULL,
                     "what nft(8) prints can't be read: %s", err.message);
    else
        findings_add(&doctor->findings, LEVEL_OK, "firewall", NULL,
                     "no chain of nftables drops answers");
}

static void look_at_firewall(struct doctor *doctor)
{
    char *argv[] = {(char *)(uintptr_t) "nft", (char *)(uintptr_t) "--json",
                    (char *)(uintptr_t) "list", (char *)(uintptr_t) "ruleset", NULL};
    struct capture capture;

    if (capture_run(&capture, argv, "", RUN_MS) < 0)
        return;
    if (capture.status == 0)
        take_ruleset(doctor, capture.out);
    capture_clear(&capture);
}

void doctor_look_at_nftables(struct doctor *doctor)
{
    if (geteuid() != 0) {
        findings_add(&doctor->findings, LEVEL_SKIP, "nftables", "ask as root",
                     "it can't be tried by this user");
    } else if (!in_path("nft")) {
        findings_add(&doctor->findings, LEVEL_SKIP, "nftables", "apt install nftables",
                     "nft(8) is not installed; PunchGuard does without, but it can't be tried");
    } else {
        look_at_kernel_rules(doctor);
        look_at_firewall(doctor);
    }
}

/* The clock */

void doctor_look_at_clock(struct doctor *doctor)
{
    struct timex state = {.modes = 0};
    int rc = adjtimex(&state), saved = errno;

    switch (clock_judge(time(NULL), rc, state.status)) {
    case CLOCK_BEHIND:
        findings_add(&doctor->findings, LEVEL_FAIL, "clock", "set it: timedatectl set-ntp true",
                     "it is years behind: peers may refuse this device's handshakes");
        break;
    case CLOCK_UNKNOWN:
        findings_add(&doctor->findings, LEVEL_SKIP, "clock", NULL,
                     "whether it is synchronised can't be seen: %s", strerror(saved));
        break;
    case CLOCK_UNKEPT:
        findings_add(&doctor->findings, LEVEL_WARN, "clock", "timedatectl set-ntp true",
                     "nothing keeps it right; one that is set back makes peers refuse handshakes "
                     "for a while");
        break;
    case CLOCK_KEPT:
        findings_add(&doctor->findings, LEVEL_OK, "clock", NULL, "it is synchronised");
        break;
    }
}
