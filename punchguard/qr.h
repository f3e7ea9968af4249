/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A text as a QR code for a terminal.
 */
#ifndef PUNCHGUARD_QR_H
#define PUNCHGUARD_QR_H

#include <stdio.h>

/* Two modules a character (U+2580 and others), light on dark as terminals mostly are, with the
 * quiet zone that ISO/IEC 18004 asks for. 0; -E2BIG for a text that no code holds; -ENOMEM. */
int qr_print(const char *text, FILE *out);

#endif
