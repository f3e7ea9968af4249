/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The text of WireGuard's cross-platform configuration protocol (www.wireguard.com/xplatform):
 * pure.
 */
#ifndef WG_SETUP_UAPI_H
#define WG_SETUP_UAPI_H

#include <stdio.h>

#include "wg-setup/device.h"

/* Writes a set operation. */
void uapi_write_device(FILE *out, const uint8_t secret[KEY_BYTES], uint16_t port);
void uapi_write_mark(FILE *out, uint32_t mark);
void uapi_write_peer(FILE *out, const struct device_peer *peer);

/* Reads the answer to a get operation; `text` is changed. 0, or -errno as the answer says; -EBADMSG
 * where it can't be read. */
int uapi_read(char *text, struct device_about *about, device_peer_seen *seen, void *data);

#endif
