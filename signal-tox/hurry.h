/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A faster clock for toxcore at the start. Of the 8 s until a friend is online toxcore works for
 * less than one: it waits 3 s before it announces itself, another 3 s before it counts that as
 * done, and takes each step between at a full second of its clock (onion_client.c of 0.2.18:
 * first_run, ONION_CONNECTION_SECONDS, last_run). None of this can be set. But it asks the C
 * library for the time, and a program's own clock_gettime() goes before the C library's. If it some
 * day does not, all that is lost is the hurry.
 *
 * While it lasts toxcore's time-outs are shorter as well: a node has 5 / 3 s to answer, a new path
 * of six hops 4 / 3 s. What they cut off is tried again at the normal pace. Afterwards toxcore's
 * clock stays ahead by the same amount in each run, so that its time stamps, which friends refuse
 * when they go back, keep going forward.
 */
#ifndef SIGNAL_TOX_HURRY_H
#define SIGNAL_TOX_HURRY_H

/* From now on, for `ms`, CLOCK_MONOTONIC runs `pace` times as fast; then as before. Other clocks,
 * and a build with sanitizers, know no hurry. */
void hurry_begin(int pace, int ms);

#endif
