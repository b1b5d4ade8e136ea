/* SPDX-License-Identifier: MIT */
/*
 * launch.h: from a process that waits before its exec to a Python about to run its program.
 *
 * Follows the process and all it starts (shells, env, shims, forks) until one has
 * become a CPython that can be recorded and comes to Py_RunMain: initialised, its
 * main thread holding the GIL, no line of the program run. Takes no privilege for
 * one's own child. Signals, job control, exit statuses and the terminal are as
 * without us, but: a set-user-id program that is started gains nothing unless we
 * have CAP_SYS_PTRACE, and none of the processes can be traced by another.
 *
 * If this process dies they run on; one that has exec'd and not come to its entry
 * point or to Py_RunMain yet is killed by the breakpoint there (SIGTRAP).
 */
#ifndef PAGE_LAUNCH_H
#define PAGE_LAUNCH_H

#include "ctrec/layout.h"
#include "page/tracee.h"
#include "target/target.h"

struct page_launch;

/*
 * Called for a Python at Py_RunMain. `stopped` is its main thread, for page_map() and
 * page_arm(). The target and info are given away with *keep = true, else they end with the call.
 * 0: it is recorded, all others are let go; 1: not this one, look on; -code: give up.
 */
typedef int (*page_launch_fn)(void *ctx, struct target *t, struct python_info *info,
			      const struct ctrec_layout *layout, struct tracee *stopped, bool *keep);

/* Takes hold of a process that has not exec'd yet. -ERR_NO_PRIVILEGE, -ERR_TARGET_GONE, -ERR_NOMEM. */
int page_launch_new(struct page_launch **ret, pid_t pid);
/*
 * Goes on for about timeout_ns (0: does what there is to do). To be called again and
 * again, by the thread that made it: the processes stand still at their forks and execs until then.
 * 1: the callback has said 0, nobody is traced any more; 0: nothing yet; -ERR_NOT_PYTHON: all have
 * ended without; -code of the callback; the last Python's -ERR_UNSUPPORTED_PYTHON or -ERR_TARGET_LAYOUT
 * when all have ended.
 */
int page_launch_step(struct page_launch *l, uint64_t timeout_ns, page_launch_fn found, void *ctx);
/* Lets all go. Returns NULL. The process itself, if our child, remains to be waited for. */
struct page_launch *page_launch_free(struct page_launch *l);

#endif
