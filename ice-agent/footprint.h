/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How much memory the process keeps for itself while it idles.
 */
#ifndef ICE_AGENT_FOOTPRINT_H
#define ICE_AGENT_FOOTPRINT_H

/* Unmaps what start-up has touched of the program's and its libraries' read-only parts: symbol
 * tables and initialisers of 40 libraries, 8 MB, of which idling needs a tenth. What is needed
 * again comes back from the page cache by itself. Gives the heap's free pages back, too. */
void footprint_trim(void);

#endif
