/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Invitations, and the contacts in them. What decodes must encode to a text that decodes to the
 * same; a contact has one packed form only.
 */
#include <stdlib.h>
#include <string.h>

#include "protocol/invitation.h"
#include "tests/fuzz/fuzz.h"

static const char tox[] =
    "ABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABAB";

static void seed_make(struct invitation *invitation, size_t addresses)
{
    memset(invitation, 0, sizeof *invitation);
    memset(invitation->key, 7, sizeof invitation->key);
    invitation->expires = 1800000000;
    contact_set_name(&invitation->inviter, "alice");
    if (addresses > 0)
        INVARIANT(contact_add(&invitation->inviter, "tox", tox, NULL) == 0);
    if (addresses > 1)
        INVARIANT(contact_add(&invitation->inviter, "mesh", "0a", NULL) == 0);
    if (addresses > 2)
        INVARIANT(contact_add(&invitation->inviter, "net", "node:7", NULL) == 0);
}

/* Texts, and packed contacts, which check digits do not guard. */
size_t fuzz_seed(size_t index, uint8_t *out, size_t space)
{
    char text[INVITATION_TEXT_SIZE];
    uint8_t packed[CONTACT_PACKED_MAX];
    struct invitation invitation;
    size_t length;

    if (index >= 8)
        return 0;
    seed_make(&invitation, index % 4);
    invitation_encode(&invitation, text);
    length = index < 4 ? strlen(text) : contact_pack(&invitation.inviter, packed);
    INVARIANT(length <= space);
    memcpy(out, index < 4 ? (const void *)text : (const void *)packed, length);
    return length;
}

static void decode(const char *text)
{
    char again[INVITATION_TEXT_SIZE];
    struct invitation invitation, other;
    struct error err = {0};

    if (invitation_decode(text, &invitation, &err) < 0) {
        invariant_error_told(&err);
        return;
    }
    invitation_encode(&invitation, again);
    INVARIANT(invitation_decode(again, &other, NULL) == 0);
    INVARIANT(memcmp(&invitation, &other, sizeof other) == 0);
}

static void unpack(const uint8_t *data, size_t size)
{
    uint8_t again[CONTACT_PACKED_MAX];
    struct contact contact;
    int used = contact_unpack(&contact, data, size);

    if (used < 0)
        return;
    INVARIANT(peer_name_check(contact.name, NULL) == 0);
    INVARIANT((size_t)used <= size);
    INVARIANT(contact_pack(&contact, again) == (size_t)used);
    INVARIANT(memcmp(again, data, (size_t)used) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    INVARIANT(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    decode(text);
    unpack(data, size);
    free(text);
    return 0;
}
