/* SPDX-License-Identifier: MIT */
/*
 * tracee.h: one thread of a target, under ptrace.
 *
 * All calls for one target come from one thread of ours (the kernel knows the
 * tracer by its thread). PTRACE_SEIZE is used throughout: it sends no SIGSTOP,
 * leaves job control alone, and a thread whose tracer dies runs on.
 */
#ifndef PAGE_TRACEE_H
#define PAGE_TRACEE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#define TRACEE_STOP_NS 2000000000ull /* a thread that does not stop for so long waits in the kernel */

struct tracee {
	pid_t pid, tid;
	bool stopped; /* it stands in a ptrace stop */
	bool job_stop; /* that stop is the job's as well: it does not run when let go */
	bool ended;   /* its end was seen. Our own child is left for its parent to wait for */
};

/* What a wait can end with. */
enum tracee_event {
	TRACEE_STOPPED = 1, /* the stop that was asked for (PTRACE_EVENT_STOP), or a job-control stop */
	TRACEE_SYSCALL,	    /* entry or exit of a system call */
	TRACEE_SIGNAL,	    /* a signal is about to be delivered: *signal */
	TRACEE_EVENT,	    /* PTRACE_EVENT_*: *signal */
};

/* Becomes the tracer, stops nothing. options: PTRACE_O_*. -ERR_NO_PRIVILEGE (with the
 * pid of who traces it, or what forbids it), -ERR_TARGET_GONE (also a zombie). */
int tracee_seize(struct tracee *t, pid_t pid, pid_t tid, unsigned long options);
/* Asks for a stop, returns at once. -ERR_TARGET_GONE. */
int tracee_interrupt(struct tracee *t);
/* Waits until the thread stops: enum tracee_event, -ERR_TARGET_GONE, -ERR_BUSY (time is up). */
int tracee_wait(struct tracee *t, uint64_t until_ns, int *signal);
/* Waits for the stop that tracee_interrupt() asked for; signals on the way are
 * delivered. 0, -ERR_TARGET_GONE, -ERR_BUSY. */
int tracee_wait_stop(struct tracee *t, uint64_t until_ns);
/* Lets a stopped thread go on: PTRACE_CONT or PTRACE_SYSCALL, with a signal or 0. */
int tracee_resume(struct tracee *t, int how, int signal);
/* Lets it go for good, stopped or not (a running one is stopped first). */
void tracee_detach(struct tracee *t);

int tracee_get_regs(const struct tracee *t, struct user_regs_struct *regs);
/* All registers at once, orig_rax too. */
int tracee_set_regs(const struct tracee *t, const struct user_regs_struct *regs);
int tracee_get_mask(const struct tracee *t, uint64_t *mask);
int tracee_set_mask(const struct tracee *t, uint64_t mask);

/* Writes len bytes, in order; needs no stop. 0, -ERR_TARGET_MEMORY without text. */
int remote_write(pid_t pid, uint64_t to, const void *from, size_t len);
/* Is it a child of this process? Whoever else's it is waits for it only once we have. */
bool tracee_is_child(pid_t pid);
/* The state letter of /proc/PID/task/TID/stat, 0: gone. */
char tracee_state(pid_t pid, pid_t tid);
/* Threads of a process; how many (at most max), -ERR_TARGET_GONE. */
int tracee_list(pid_t pid, pid_t *tids, unsigned max);

#endif
