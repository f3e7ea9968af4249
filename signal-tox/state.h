/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Tox's save data on disk, with a checksum and a previous copy: toxcore itself makes a new identity out of a
 * torn file, and we must never.
 */
#ifndef SIGNAL_TOX_STATE_H
#define SIGNAL_TOX_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/error.h"

#define STATE_FILE     "tox.save"
#define STATE_PREVIOUS "tox.save.previous"
#define STATE_MAX      (1024 * 1024)

/* Reads the last good copy. *data is the caller's to wipe and free, NULL where neither file exists: only then a
 * new identity may be made. 0; 1 where it was the previous copy, which is then to be saved; -errno with `err`
 * filled when files are there and neither is whole. */
int state_load(int folder, uint8_t **data, size_t *length, struct error *err);

/* Writes the data; the file before becomes the previous copy. 0 or -errno with `err` filled, both files as before. */
int state_save(int folder, const uint8_t *data, size_t length, struct error *err);

#endif
