/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One process with pipes to its standard input and output. Knows no event loop.
 *
 * libuv's uv_spawn() can set no parent-death signal, so fork and exec are done here. A process
 * started here is a session of its own (a terminal's ^C and ^\ reach the broker alone, which then
 * says to each helper what is meant), gets SIGKILL when the thread that started it ends, holds no
 * descriptor but 0, 1 and 2, and has default signal dispositions.
 */
#ifndef BROKER_PROCESS_H
#define BROKER_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "protocol/error.h"

struct process {
    pid_t pid; /* 0: none runs */
    int pidfd; /* polls readable once the process has ended */
    int in;  /* write end of its standard input, non-blocking; the caller may take it (set it to -1)
              */
    int out; /* read end of its standard output, non-blocking; likewise */
    int log; /* read end of its standard error, non-blocking; likewise; -1 where it is inherited */
};

#define PROCESS_NONE                                                                               \
    {                                                                                              \
        .pid = 0, .pidfd = -1, .in = -1, .out = -1, .log = -1                                      \
    }

/* Runs the program `path`; argv[0] is free. `env` is its environment, as execve(2) has it; NULL: this
 * process's own. With `own_log` its standard error is a pipe, whose
 * write end never blocks: a process must not stand still because its reader does. Descriptors 0, 1
 * and 2 of the caller must be open. 0, or -errno with `err` filled and *process none. */
int process_start(struct process *process, const char *path, char *const argv[], char *const env[],
                  bool own_log, struct error *err);

/* With `group` also to what the process started itself, unless that left its process group. */
void process_signal(const struct process *process, int signal, bool group);

/* 1 with the wait status (waitpid(2)) and *process none, its pipes closed, if it has ended; else 0.
 * With `group` what is left of its process group is killed. */
int process_reap(struct process *process, int *status, bool group);

/* "exit status 1" or "signal 9 (Killed)". */
void process_describe(int status, char *text, size_t size);

/* Closes what *process holds; does not end it. */
void process_close(struct process *process);

#endif
