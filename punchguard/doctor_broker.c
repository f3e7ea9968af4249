/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "punchguard/client.h"
#include "punchguard/doctor.h"

static void take_transport(struct doctor *doctor, const struct message_status_transport *transport)
{
    if (strcmp(transport->state, "ready") == 0)
        findings_add(&doctor->findings, LEVEL_OK, "signalling", NULL, "%s is ready",
                     transport->transport);
    else
        findings_add(&doctor->findings, LEVEL_FAIL, "signalling", "the broker's log says more",
                     "%s is %s%s%s", transport->transport, transport->state,
                     transport->reason != NULL ? ": " : "",
                     transport->reason != NULL ? transport->reason : "");
}

static void take_snapshot(struct doctor *doctor, const struct snapshot *snapshot)
{
    const struct message_status_device *device = &snapshot->device.status_device;

    if (device->ready)
        findings_add(&doctor->findings, LEVEL_OK, "broker", NULL,
                     "it runs, with interface %s and %s WireGuard", device->interface,
                     device->backend != NULL ? device->backend : "some");
    else
        findings_add(&doctor->findings, LEVEL_FAIL, "broker", "its log says why",
                     "it runs, but has no interface");
    for (size_t i = 0; i < snapshot->transport_count; i++)
        take_transport(doctor, &snapshot->transports[i].status_transport);
}

static void look_at_socket(struct doctor *doctor)
{
    const char *path = doctor->settings.socket;
    struct stat about;

    if (stat(path, &about) < 0)
        return;
    if ((about.st_mode & 06) != 0)
        findings_add(&doctor->findings, LEVEL_WARN, "control socket",
                     "start the broker anew, which makes it with mode 660",
                     "%s is open to every user of this machine (mode %o)", path,
                     (unsigned)about.st_mode & 0777);
    else
        findings_add(&doctor->findings, LEVEL_OK, "control socket", NULL,
                     "%s is for its owner and its group", path);
}

void doctor_ask_broker(struct doctor *doctor)
{
    struct client *client;

    doctor->asked = client_open(&client, doctor->settings.socket, &doctor->why_not);
    if (doctor->asked != OUTCOME_OK)
        return;
    if (snapshot_take(&doctor->snapshot, client, NULL, &doctor->why_not) != OUTCOME_OK)
        doctor->asked = OUTCOME_FAILED;
    client_close(client);
}

void doctor_look_at_broker(struct doctor *doctor)
{
    switch (doctor->asked) {
    case OUTCOME_OK:
        take_snapshot(doctor, &doctor->snapshot);
        look_at_socket(doctor);
        break;
    case OUTCOME_NOT_RUNNING:
        findings_add(&doctor->findings, LEVEL_WARN, "broker", "punchguard up starts it", "%s",
                     doctor->why_not.message);
        break;
    case OUTCOME_NOT_PERMITTED:
        findings_add(&doctor->findings, LEVEL_SKIP, "broker",
                     "ask as root, or as a member of the socket's group", "%s",
                     doctor->why_not.message);
        break;
    default:
        findings_add(&doctor->findings, LEVEL_FAIL, "broker", "its log may say why", "%s",
                     doctor->why_not.message);
        look_at_socket(doctor);
        break;
    }
}
