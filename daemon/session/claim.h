/* SPDX-License-Identifier: MIT */
/*
 * claim.h: one recording a process, whichever daemon makes it.
 *
 * A claim is a lock on the byte of the process's number in one file that all
 * daemons of root's know: it ends with the descriptor, so with the daemon too.
 */
#ifndef SESSION_CLAIM_H
#define SESSION_CLAIM_H

#include <sys/types.h>

#define CLAIM_PATH "/run/ctrec/recorded"

/* *fd: what holds the claim; -1 where there is no such place, and then only this
 * daemon's own sessions are told apart. -ERR_ALREADY_TRACING. */
int claim_process(pid_t pid, int *fd);

#endif
