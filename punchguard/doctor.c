/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "punchguard/doctor.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/file.h"

#define CONFIG_BYTES_MAX (1024 * 1024)

bool doctor_setting(const struct doctor *doctor, const char *key, struct json_at *root,
                    struct json_at *out)
{
    if (doctor->document == NULL)
        return false;
    *root = json_root(doctor->document);
    return json_as_object(root, NULL, NULL) == 0 && json_member(root, key, out);
}

/* What is wrong with it is the broker's to say. */
static void read_config(struct doctor *doctor)
{
    struct json_at root, at;
    size_t length;
    void *text;

    interface_init(&doctor->interface);
    if (!doctor->settings.there ||
        file_read(AT_FDCWD, doctor->settings.config, CONFIG_BYTES_MAX, &text, &length, NULL) < 0)
        return;
    doctor->document = json_parse(text, length, NULL);
    sodium_memzero(text, length); /* a TURN server's password may be in it */
    free(text);
    if (doctor_setting(doctor, "interface", &root, &at) &&
        interface_read(&doctor->interface, &at, NULL) < 0)
        interface_init(&doctor->interface);
}

static void look(struct doctor *doctor, bool offline)
{
    doctor_look_at_config(doctor);
    doctor_look_at_state(doctor);
    doctor_look_at_wireguard(doctor);
    doctor_look_at_nftables(doctor);
    doctor_look_at_clock(doctor);
    doctor_look_at_addresses(doctor);
    doctor_look_at_mtu(doctor);
    doctor_look_at_broker(doctor);
    if (offline)
        return;
    doctor_look_at_nat(doctor);
    doctor_look_at_tox(doctor);
}

static enum outcome run(struct context *context, int argc, char **argv)
{
    static const struct option options[] = {{"offline", no_argument, NULL, OPTION_OWN},
                                            {NULL, 0, NULL, 0}};
    struct doctor doctor = {.context = context};
    bool offline = false;
    enum outcome outcome;
    enum level worst;
    struct error err;

    while (command_option(context, argc, argv, "", options, 0, 0) == OPTION_OWN)
        offline = true;
    /* A wrong one is among what is looked for; one that is named must be there all the same. */
    outcome = settings_read(context, false, &doctor.settings, &err);
    if (outcome != OUTCOME_OK && !doctor.settings.there)
        return command_fail(outcome, &err);
    doctor.findings.aloud = !context->json;
    read_config(&doctor);
    doctor_ask_broker(&doctor);
    look(&doctor, offline);
    worst = findings_worst(&doctor.findings);
    if (context->json)
        findings_print_json(&doctor.findings);
    findings_clear(&doctor.findings);
    snapshot_clear(&doctor.snapshot);
    json_destroy(doctor.document);
    return worst == LEVEL_FAIL ? OUTCOME_FAILED : OUTCOME_OK;
}

const struct command command_doctor = {
    .name = "doctor",
    .arguments = "[--offline]",
    .summary = "Look for what stands in the way of a tunnel, and say what to do",
    .help = "  --offline  send nothing to the network\n",
    .run = run,
};
