/* SPDX-License-Identifier: MIT */
/*
 * guard.h: the watchdog. A tiny process that holds pidfds of every process a
 * session may have stopped, and lets them continue when the daemon dies.
 *
 * It is forked before the daemon has threads, holds nothing but its socket and
 * the pidfds, and ends with the daemon. kill -9 of the daemon at any moment
 * leaves no program stopped.
 */
#ifndef SESSION_GUARD_H
#define SESSION_GUARD_H

#include <sys/types.h>

struct guard;

int guard_new(struct guard **ret);
struct guard *guard_free(struct guard *g); /* returns NULL */
/* From any thread. Failures are logged: recording goes on without the net. */
void guard_add(struct guard *g, pid_t pid, int pidfd);
void guard_remove(struct guard *g, pid_t pid);

#endif
