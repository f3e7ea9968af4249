/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Text that came from anywhere.
 */
#ifndef PROTOCOL_TEXT_H
#define PROTOCOL_TEXT_H

/* Replaces by '?' each byte that is not part of a character in UTF-8 (RFC 3629 section 4), such as
 * where a text was cut, so that it can be sent as JSON. */
void text_clean(char *text);

#endif
