/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "punchguard/doctor.h"

/* What WireGuard and IPv6 put around a packet: 40 bytes IPv6, 8 UDP, 32 WireGuard. */
#define OVERHEAD 80

static int mtu_of(const char *interface)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_mtu = 0};
    int rc = -1;

    if (fd < 0)
        return -1;
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", interface);
    rc = ioctl(fd, SIOCGIFMTU, &request);
    close(fd);
    return rc < 0 ? -1 : request.ifr_mtu;
}

/* The interface that a line of /proc/net/route or ipv6_route sends everything by; false where it is
 * of another network. */
static bool default_interface(const char *line, bool ipv6, char interface[IFNAMSIZ])
{
    char destination[33], mask[33];

    if (ipv6)
        return sscanf(line, "%32s %2s %*s %*s %*s %*s %*s %*s %*s %15s", destination, mask,
                      interface) == 3 &&
               strspn(destination, "0") == 32 && strcmp(mask, "00") == 0 &&
               strcmp(interface, "lo") != 0;
    return sscanf(line, "%15s %32s %*s %*s %*s %*s %*s %32s", interface, destination, mask) == 3 &&
           strspn(destination, "0") == 8 && strspn(mask, "0") == 8;
}

/* True where there is such a route. */
static bool look_at_route(struct doctor *doctor, const char *path, bool ipv6)
{
    char line[256], interface[IFNAMSIZ], remedy[128];
    FILE *file = fopen(path, "re");
    bool found = false;
    int mtu = -1, least = doctor->interface.mtu + OVERHEAD;

    while (!found && file != NULL && fgets(line, sizeof line, file) != NULL)
        found = default_interface(line, ipv6, interface) &&
                strcmp(interface, doctor->interface.name) != 0;
    if (file != NULL)
        fclose(file);
    if (found)
        mtu = mtu_of(interface);
    if (mtu < 0)
        return found;
    if (mtu >= least) {
        findings_add(&doctor->findings, LEVEL_OK, "MTU", NULL,
                     "packets of %d bytes fit through %s (%d), over IPv%c", doctor->interface.mtu,
                     interface, mtu, ipv6 ? '6' : '4');
        return true;
    }
    snprintf(remedy, sizeof remedy, "\"mtu\": %d in $.interface, on both devices", mtu - OVERHEAD);
    findings_add(&doctor->findings, LEVEL_WARN, "MTU", remedy,
                 "packets of %d bytes and what is around them are %d, more than %s takes (%d): "
                 "they are cut up on the way",
                 doctor->interface.mtu, least, interface, mtu);
    return true;
}

void doctor_look_at_mtu(struct doctor *doctor)
{
    bool ipv4 = look_at_route(doctor, "/proc/net/route", false);
    bool ipv6 = look_at_route(doctor, "/proc/net/ipv6_route", true);

    if (!ipv4 && !ipv6)
        findings_add(&doctor->findings, LEVEL_WARN, "route", "connect this host to a network",
                     "there is no default route: only devices on its own networks can be reached");
}
