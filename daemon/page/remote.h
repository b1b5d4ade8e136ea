/* SPDX-License-Identifier: MIT */
/*
 * remote.h: system calls and calls of functions run by a stopped thread of the target.
 *
 * While the thread is diverted, its stack holds a signal frame with everything
 * it had (registers, floating point, signal mask), and each diversion ends in
 * rt_sigreturn: should we die, it finds back by itself. As long as we live it
 * never gets there; then its registers are put back as they were and the kernel
 * restarts what it interrupted, exactly as after a stop without diversion.
 */
#ifndef PAGE_REMOTE_H
#define PAGE_REMOTE_H

#include "page/tracee.h"
#include "target/target.h"

/* Instructions that the target's own libraries have. */
struct gadgets {
	uint64_t syscall;   /* `syscall; ret`, or only `syscall` */
	uint64_t sigreturn; /* the C library's signal restorer; 0: none, so no way back without us */
	bool returns;	    /* `ret` follows */
};

/* Looks for them, without stopping anything. 0, -ERR_TARGET_GONE, -ERR_NO_PRIVILEGE,
 * -ERR_TARGET_LAYOUT (no system call instruction anywhere). */
int gadgets_find(struct gadgets *g, struct target *t);

#define REMOTE_XSTATE 16384 /* XSAVE area, with AMX 11 KB */

struct remote {
	struct tracee *t;
	const struct gadgets *g;
	struct user_regs_struct saved;
	uint64_t mask;
	uint64_t sp;	/* of the diverted thread: the restorer's address stands there */
	uint64_t text;	/* room for REMOTE_TEXT bytes below */
	size_t xsize;
	uint8_t xstate[REMOTE_XSTATE];
};

#define REMOTE_TEXT 64

/* Diverts a stopped thread; nothing has run yet. -ERR_TARGET_GONE, -ERR_TARGET_MEMORY (no
 * room on its stack, or in a restartable sequence: try another thread, or later),
 * -ERR_UNSUPPORTED_PYTHON (a 32-bit program). */
int remote_begin(struct remote *r, struct tracee *t, const struct gadgets *g);
/* One system call: *ret is what the kernel gives (-errno). -ERR_TARGET_GONE, -ERR_BUSY. */
int remote_syscall(struct remote *r, long *ret, long nr, const uint64_t args[6]);
/*
 * Calls a function of up to four arguments through the stub (remote_stub() at
 * address stub); its rax is written to address `result`. -ERR_TARGET_GONE; -ERR_BUSY: it has not
 * returned in time, was let go in it and finds back by itself, the tracee is detached.
 */
int remote_call(struct remote *r, uint64_t stub, uint64_t function, const uint64_t args[4],
		uint64_t result, uint64_t until_ns);
/*
 * The same, but the thread is let go at once, and finds back by itself: nothing has
 * to wait until it gets a processor, again and again. Only where remote_can_leave()
 * says that this puts back everything. The tracee is detached.
 */
bool remote_can_leave(const struct remote *r);
int remote_leave(struct remote *r, uint64_t stub, uint64_t function, const uint64_t args[4], uint64_t result);
/* A system call in the same way; stub 0: there is none yet, and what it gave must show otherwise. */
int remote_leave_syscall(struct remote *r, uint64_t stub, long nr, const uint64_t args[6], uint64_t result);
/* Puts everything back. The thread stands in a stop (PTRACE_EVENT_STOP) from which
 * detaching or continuing leaves no trace. -ERR_TARGET_GONE. */
int remote_end(struct remote *r);

/* The code remote_call() needs in the target, position independent. */
const void *remote_stub(size_t *len);

#endif
