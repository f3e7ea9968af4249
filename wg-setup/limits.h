/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What wg-setup may do at most, once it has read its files.
 */
#ifndef WG_SETUP_LIMITS_H
#define WG_SETUP_LIMITS_H

#include "protocol/error.h"

/* 0, or -EPERM with `err` saying which capability is missing. */
int limits_check(struct error *err);
/* Keeps CAP_NET_ADMIN alone, in the bounding set too, sets no_new_privs, and denies (EPERM) system calls that nothing
 * here needs; children inherit all of it. 0, or -errno with `err` filled. */
int limits_apply(struct error *err);

#endif
