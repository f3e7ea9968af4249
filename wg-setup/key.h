/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * WireGuard's private key: made on first start, kept in STATE_DIR/wg.key, told to nobody but WireGuard.
 */
#ifndef WG_SETUP_KEY_H
#define WG_SETUP_KEY_H

#include <stdint.h>

#include "protocol/error.h"

#define KEY_FILE          "wg.key"
#define KEY_PREVIOUS_FILE "wg.key.previous" /* a copy, for when the file is torn or lost */
#define KEY_BYTES         32
#define KEY_TEXT_LENGTH   44 /* base64, as wg(8) prints it */

struct key {
    uint8_t secret[KEY_BYTES];
    uint8_t public[KEY_BYTES];
};

/* Reads it, or makes it where neither it nor its copy is there. The files must be ours (our effective user's), regular,
 * and closed to others; the folder is made where it is missing. A torn file is an error, or gives the copy, never a new
 * key. 0, or -errno with `err` filled and nothing in `key`. */
int key_load(const char *state_dir, struct key *key, struct error *err);
void key_wipe(struct key *key);

/* 0 or -EINVAL. */
int key_from_text(const char *text, uint8_t out[KEY_BYTES]);
void key_to_text(const uint8_t key[KEY_BYTES], char out[KEY_TEXT_LENGTH + 1]);

#endif
