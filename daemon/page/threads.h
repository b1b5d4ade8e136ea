/* SPDX-License-Identifier: MIT */
/*
 * threads.h: all threads of a process stopped at once.
 */
#ifndef PAGE_THREADS_H
#define PAGE_THREADS_H

#include "page/tracee.h"

#define THREADS_MAX 4096 /* threads of a target */

struct threads {
	struct tracee *t; /* those that we stopped */
	unsigned n, cap;
	uint64_t since;	  /* when the first one was asked to stop, io_now_ns() */
};

/*
 * Stops every thread but `but` (stopped by the caller, or NULL); none can start
 * any more when it returns. -ERR_NO_PRIVILEGE, -ERR_TARGET_GONE, -ERR_BUSY: then
 * all run on as before.
 */
int threads_stop(struct threads *ts, pid_t pid, const struct tracee *but);
/* Lets all go on, and gives the time they stood still, ns. */
uint64_t threads_release(struct threads *ts);

#endif
