/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "protocol/contact.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Packed: a byte of the name's length, the name, a byte of how many addresses follow; of each: a
 * byte with the length of the transport's name and in its upper bits the form, that name, a byte of
 * the address's packed length, the address. */
#define FORM_SHIFT  6
#define LENGTH_MASK 0x3f

/* An address that is all hex digits of one case is packed as the bytes that they are. */
enum form { FORM_TEXT, FORM_LOWER, FORM_UPPER };

static const char *const form_digits[] = {
    [FORM_LOWER] = "0123456789abcdef", [FORM_UPPER] = "0123456789ABCDEF"};

static const char transport_characters[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";

/* What can be read from, until nothing is left. */
struct reader {
    const uint8_t *at;
    size_t left;
};

static bool take(struct reader *reader, void *out, size_t length)
{
    if (reader->left < length)
        return false;
    memcpy(out, reader->at, length);
    reader->at += length;
    reader->left -= length;
    return true;
}

static bool is_printable(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text <= ' ' || *text > '~')
            return false;
    return true;
}

void contact_set_name(struct contact *contact, const char *text)
{
    size_t length = 0;

    for (; *text != '\0' && length < PEER_NAME_MAX; text++) {
        char one[2] = {*text, '\0'};

        contact->name[length++] = peer_name_check(one, NULL) == 0 ? *text : '-';
    }
    contact->name[length] = '\0';
    if (length == 0)
        snprintf(contact->name, sizeof contact->name, "device");
}

static bool has_transport(const struct contact *contact, const char *transport)
{
    for (size_t i = 0; i < contact->count; i++)
        if (strcmp(contact->items[i].transport, transport) == 0)
            return true;
    return false;
}

int contact_add(struct contact *contact, const char *transport, const char *address,
                struct error *err)
{
    struct contact_address *item = &contact->items[contact->count];
    size_t length = strlen(transport);

    if (length == 0 || length > CONTACT_TRANSPORT_MAX ||
        strspn(transport, transport_characters) != length || has_transport(contact, transport)) {
        error_set(err, "bad-transport-name",
                  "'%.40s' is no transport's name, or there twice; small letters, digits, '_' and "
                  "'-' are right",
                  transport);
        return -EINVAL;
    }
    if (address[0] == '\0' || strlen(address) > CONTACT_ADDRESS_MAX || !is_printable(address)) {
        error_set(err, "bad-address",
                  "the address on %s can't be passed on: 1 to %d printable characters are right",
                  transport, CONTACT_ADDRESS_MAX);
        return -EINVAL;
    }
    if (contact->count == CONTACT_TRANSPORTS_MAX) {
        error_set(err, "too-many", "at most %d transports are right", CONTACT_TRANSPORTS_MAX);
        return -EINVAL;
    }
    strcpy(item->transport, transport);
    strcpy(item->address, address);
    contact->count++;
    return 0;
}

int contact_read_addresses(struct contact *contact, const struct json_at *at, struct error *err)
{
    const char *transport, *address;
    struct json_at item;
    struct error why;

    if (json_as_object(at, NULL, err) < 0)
        return -EINVAL;
    for (size_t i = 0; (transport = json_key(at, i)) != NULL; i++) {
        json_member(at, transport, &item);
        if (json_as_string(&item, &address, err) < 0)
            return -EINVAL;
        if (contact_add(contact, transport, address, &why) < 0)
            return json_fail(&item, err, why.code, "%s", why.message);
    }
    return 0;
}

char *contact_addresses_text(const struct contact *contact)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL)
        return NULL;
    fputc('{', out);
    for (size_t i = 0; i < contact->count; i++) {
        char *address = json_quote(contact->items[i].address);

        fprintf(out, "%s\"%s\": %s", i > 0 ? ", " : "", contact->items[i].transport,
                address != NULL ? address : "null");
        free(address);
    }
    fputc('}', out);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

static enum form form_of(const char *address)
{
    size_t length = strlen(address);

    if (length % 2 == 0 && strspn(address, form_digits[FORM_UPPER]) == length)
        return FORM_UPPER;
    if (length % 2 == 0 && strspn(address, form_digits[FORM_LOWER]) == length)
        return FORM_LOWER;
    return FORM_TEXT;
}

static size_t address_pack(const char *address, enum form form, uint8_t *out)
{
    const char *digits = form_digits[form];
    size_t length = strlen(address);

    if (form == FORM_TEXT) {
        memcpy(out, address, length);
        return length;
    }
    for (size_t i = 0; i < length / 2; i++)
        out[i] = (uint8_t)((strchr(digits, address[2 * i]) - digits) << 4 |
                           (strchr(digits, address[2 * i + 1]) - digits));
    return length / 2;
}

static bool address_unpack(const uint8_t *packed, size_t length, enum form form,
                           char out[CONTACT_ADDRESS_MAX + 1])
{
    if ((form == FORM_TEXT ? length : 2 * length) > CONTACT_ADDRESS_MAX)
        return false;
    if (form == FORM_TEXT) {
        memcpy(out, packed, length);
        out[length] = '\0';
        return strlen(out) == length && form_of(out) == FORM_TEXT;
    }
    for (size_t i = 0; i < length; i++) {
        out[2 * i] = form_digits[form][packed[i] >> 4];
        out[2 * i + 1] = form_digits[form][packed[i] & 15];
    }
    out[2 * length] = '\0';
    return form_of(out) == form;
}

size_t contact_pack(const struct contact *contact, uint8_t out[CONTACT_PACKED_MAX])
{
    size_t name = strlen(contact->name);
    uint8_t *at = out;

    *at++ = (uint8_t)name;
    memcpy(at, contact->name, name);
    at += name;
    *at++ = (uint8_t)contact->count;
    for (size_t i = 0; i < contact->count; i++) {
        const struct contact_address *item = &contact->items[i];
        size_t transport = strlen(item->transport), length;
        enum form form = form_of(item->address);

        *at++ = (uint8_t)(transport | (size_t)form << FORM_SHIFT);
        memcpy(at, item->transport, transport);
        at += transport;
        length = address_pack(item->address, form, at + 1);
        *at = (uint8_t)length;
        at += 1 + length;
    }
    return (size_t)(at - out);
}

static bool item_unpack(struct contact *contact, struct reader *reader)
{
    char transport[CONTACT_TRANSPORT_MAX + 1] = "", address[CONTACT_ADDRESS_MAX + 1];
    uint8_t head, length, packed[CONTACT_ADDRESS_MAX];

    if (!take(reader, &head, 1) || (head & LENGTH_MASK) > CONTACT_TRANSPORT_MAX ||
        head >> FORM_SHIFT > FORM_UPPER || !take(reader, transport, head & LENGTH_MASK) ||
        strlen(transport) != (head & LENGTH_MASK))
        return false;
    if (!take(reader, &length, 1) || !take(reader, packed, length) ||
        !address_unpack(packed, length, (enum form)(head >> FORM_SHIFT), address))
        return false;
    return contact_add(contact, transport, address, NULL) == 0;
}

int contact_unpack(struct contact *contact, const uint8_t *data, size_t length)
{
    struct reader reader = {data, length};
    uint8_t name, count;

    memset(contact, 0, sizeof *contact);
    if (!take(&reader, &name, 1) || name > PEER_NAME_MAX || !take(&reader, contact->name, name) ||
        strlen(contact->name) != name || peer_name_check(contact->name, NULL) < 0)
        return -EINVAL;
    if (!take(&reader, &count, 1))
        return -EINVAL;
    while (count-- > 0)
        if (!item_unpack(contact, &reader))
            return -EINVAL;
    return (int)(length - reader.left);
}
