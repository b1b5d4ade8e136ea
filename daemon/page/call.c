/* SPDX-License-Identifier: MIT */
/*
 * call.c: a function of the page run by the interpreter, 3.12 and later.
 *
 * _PyEval_AddPendingCall(interp, func, arg, 0) queues it; a thread of the program
 * runs it at its next eval breaker, with the GIL held. The queueing itself runs in
 * a thread that we stop anywhere, so it must not need a lock that this very thread
 * holds: the queue's (3.12: a semaphore, 3.13+: PyMutex) and, from 3.13 on, gil->mutex
 * (signal_active_thread(), Python/ceval_gil.c). The locks tell, read while the thread
 * stands: the queue's is free, and gil->mutex is free or has another owner. Nor may the
 * owner of gil->mutex wait for this thread: pthread_cond_signal() waits until the
 * woken ones have left pthread_cond_wait(), so from 3.13 on the thread must not be in a
 * wait for the GIL: it holds it, is the only one, or is in the eval loop or the page, or in a system call
 * other than a futex of the GIL's. Else it runs on, and we try again. Neither malloc
 * nor the GIL is needed, so one that sleeps in the kernel will do.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <time.h>

#include "page/fault.h"
#include "page/inject_private.h"
#include "util/err.h"
#include "util/io.h"

#define PICK_NS 2000000000ull	/* how long a thread is looked for */
#define CALL_NS 2000000000ull	/* how long the queueing may take */
#define NOW_NS 10000000000ull	/* the same of `install` itself */
#define ROUND_NS 1000000
#define NO_RESULT 0xfeedfacefeedfaceull /* no int is returned so */
#define STOP_NS 100000000ull	/* for one thread to stop: there are others */

#define GIL_SIZE 512 /* more than struct _gil_runtime_state has */

/* The thread's id as it sees it itself (in its pid namespace). */
static pid_t inner_tid(pid_t pid, pid_t tid)
{
	char path[64], text[4096], *at, *end;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", (int)pid, (int)tid);
	if (io_read_file(path, text, sizeof(text)) < 0)
		return 0;
	at = strstr(text, "\nNSpid:");
	end = at ? strchr(at + 1, '\n') : NULL;
	if (!end)
		return tid;
	*end = 0;
	at = strrchr(at, '\t');
	return at ? atoi(at + 1) : tid;
}

static uint64_t main_interpreter(struct page *p)
{
	uint64_t interp = 0;

	page_read(p, p->runtime + p->l.runtime_interpreters_main, &interp, 8);
	return interp;
}

static bool queue_free(struct page *p, uint64_t interp)
{
	uint64_t at = interp + p->l.interp_gil + p->l.gil_to_pending_lock, lock;
	uint32_t value;

	if (page_read(p, at, &lock, 8) < 0)
		return false;
	if (p->l.python > PAGE_OLDEST_MONITORING)
		return !(lock & 0xff); /* PyMutex: one byte, 0 is free */
	return page_read(p, lock, &value, 4) == 0 && value == 1; /* sem_t of glibc */
}

static bool gil_mutex_free(struct page *p, uint64_t interp, pid_t inner)
{
	/* glibc: lock, count (0), owner; musl: type (0), lock, waiters */
	struct { int lock; unsigned count; int owner; } mutex;
	uint64_t gil;

	if (page_read(p, interp + p->l.interp_gil, &gil, 8) < 0 ||
	    page_read(p, gil + p->l.gil_mutex, &mutex, sizeof(mutex)) < 0)
		return false;
	if (mutex.count)
		return false;
	return !mutex.lock || (mutex.owner && mutex.owner != inner);
}

/* The id of the thread that holds the GIL, as it sees it itself; 0: none. */
static uint64_t gil_holder(struct page *p, uint64_t interp)
{
	uint64_t gil, tstate = 0, native = 0;
	int locked = 0;

	if (page_read(p, interp + p->l.interp_gil, &gil, 8) < 0 ||
	    page_read(p, gil + p->l.gil_locked, &locked, 4) < 0 || locked != 1 ||
	    page_read(p, gil + p->l.gil_last_holder, &tstate, 8) < 0 || !tstate ||
	    page_read(p, tstate + p->l.tstate_native_thread_id, &native, 8) < 0)
		return 0;
	return native;
}

static bool is_alone(pid_t pid)
{
	pid_t tids[2];

	return tracee_list(pid, tids, 2) == 1;
}

/* From 3.13 on: does it surely not wait for the GIL? */
static bool outside_gil(struct page *p, struct tracee *t, uint64_t interp, pid_t inner)
{
	struct user_regs_struct regs;
	uint64_t gil;

	if (tracee_get_regs(t, &regs) < 0 || page_read(p, interp + p->l.interp_gil, &gil, 8) < 0)
		return false;
	if ((regs.rip >= p->eval_start && regs.rip < p->eval_end) ||
	    (regs.rip >= p->base && regs.rip < p->base + PAGE_TEXT))
		return true;
	if ((long)regs.orig_rax >= 0) /* the cond and mutex words lie in struct _gil_runtime_state */
		return regs.orig_rax != SYS_futex || regs.rdi - gil >= GIL_SIZE;
	return gil_holder(p, interp) == (uint64_t)inner || is_alone(p->t->pid);
}

/* May this stopped thread run the call? */
static bool may_call(struct page *p, struct tracee *t, uint64_t interp)
{
	pid_t inner = inner_tid(t->pid, t->tid);

	if (!queue_free(p, interp))
		return false;
	return p->l.python == PAGE_OLDEST_MONITORING ||
	       (gil_mutex_free(p, interp, inner) && outside_gil(p, t, interp, inner));
}

static uint64_t result_at(const struct page *p)
{
	return p->base + PAGE_ARMING + offsetof(struct page_arming, result);
}

/* In a stopped thread, which stands in a stop again afterwards. 0: *ret is the result. */
static int call_traced(struct page *p, struct remote *r, uint64_t function, const uint64_t args[4],
		       uint64_t limit, uint64_t *ret)
{
	int rc = remote_call(r, p->base + PAGE_STUB, function, args, result_at(p), io_now_ns() + limit), ended;

	if (rc == -ERR_BUSY || rc == -ERR_TARGET_GONE)
		return rc;
	ended = remote_end(r);
	if (rc == 0)
		rc = ended;
	if (rc == 0 && page_read(p, result_at(p), ret, sizeof(*ret)) < 0)
		rc = err_set(ERR_TARGET_GONE, "process %d", (int)p->t->pid);
	return rc;
}

/* Begins _PyEval_AddPendingCall(); the result shows in the page. */
static int begin_queueing(struct page *p, struct tracee *t, uint64_t interp, uint64_t function)
{
	const uint64_t args[4] = { interp, function, p->base + PAGE_DATA, 0 }, none = NO_RESULT;
	struct remote r;
	uint64_t ret;
	int rc = remote_begin(&r, t, &p->g);

	if (rc == 0 && remote_write(p->t->pid, result_at(p), &none, sizeof(none)) < 0)
		rc = err_set(ERR_TARGET_GONE, "process %d", (int)p->t->pid);
	if (rc < 0)
		return rc;
	return remote_can_leave(&r) ?
		remote_leave(&r, p->base + PAGE_STUB, p->add_pending_call, args, result_at(p)) :
		call_traced(p, &r, p->add_pending_call, args, CALL_NS, &ret);
}

/* 1: queued; -ERR_BUSY: the queue is full, or the thread has not come to run in time. */
static int wait_queued(struct page *p)
{
	uint64_t until = io_now_ns() + CALL_NS, ret;
	struct timespec between = { .tv_nsec = 50000 };

	for (;;) {
		if (page_read(p, result_at(p), &ret, sizeof(ret)) < 0)
			return err_set(ERR_TARGET_GONE, "process %d", (int)p->t->pid);
		if (ret != NO_RESULT)
			return (int)ret == 0 ? 1 : err_set(ERR_BUSY, "the queue of pending calls is full");
		if (io_now_ns() > until)
			return err_set(ERR_BUSY, "process %d does not run", (int)p->t->pid);
		nanosleep(&between, NULL);
	}
}

/* 1: queued; 0: not by this thread; -code. */
static int try_thread(struct page *p, pid_t tid, uint64_t interp, uint64_t function)
{
	struct tracee t;
	uint64_t begun;
	bool called;
	int r = tracee_seize(&t, p->t->pid, tid, PTRACE_O_TRACESYSGOOD);

	if (r < 0)
		return r == -ERR_TARGET_GONE ? 0 : r;
	begun = io_now_ns();
	r = tracee_interrupt(&t);
	if (r == 0)
		r = tracee_wait_stop(&t, begun + STOP_NS);
	called = r == 0 && may_call(p, &t, interp);
	if (called)
		r = begin_queueing(p, &t, interp, function);
	tracee_detach(&t);
	page_count_stop(p, io_now_ns() - begun);
	if (r == 0 && called)
		return wait_queued(p);
	if (r == -ERR_TARGET_GONE || r == -ERR_TARGET_MEMORY || (r == -ERR_BUSY && !called))
		return 0; /* this thread can't; another one may */
	return r;
}

/* Threads of the process: the GIL's holder first, then running ones, then the others. */
static int by_merit(struct page *p, uint64_t interp, pid_t *tids, unsigned max)
{
	int n = tracee_list(p->t->pid, tids, max), front = 0;
	uint64_t native = gil_holder(p, interp);

	for (int pass = 0; pass < 2; pass++)
		for (int i = front; i < n; i++) {
			pid_t tid = tids[i];

			if (pass == 0 ? (uint64_t)inner_tid(p->t->pid, tid) != native :
					tracee_state(p->t->pid, tid) != 'R')
				continue;
			tids[i] = tids[front];
			tids[front++] = tid;
		}
	return n;
}

int call_queue(struct page *p, uint64_t function)
{
	uint64_t until = io_now_ns() + PICK_NS;
	struct timespec between = { .tv_nsec = ROUND_NS };

	do {
		pid_t tids[THREADS_MAX];
		uint64_t interp = main_interpreter(p);
		int n = interp ? by_merit(p, interp, tids, THREADS_MAX) : 0;

		if (n < 0)
			return n;
		for (int i = 0; i < n; i++) {
			int r = try_thread(p, tids[i], interp, function);

			if (r)
				return r;
			p->stats.retries++;
		}
		nanosleep(&between, NULL);
	} while (io_now_ns() < until);
	return err_set(ERR_BUSY, "no thread of process %d stands where it could be called", (int)p->t->pid);
}

int call_now(struct page *p, struct tracee *stopped, uint64_t function)
{
	const uint64_t args[4] = { p->base + PAGE_DATA };
	struct remote r;
	uint64_t ret = 0;
	int rc = remote_begin(&r, stopped, &p->g);

	if (rc == 0)
		rc = call_traced(p, &r, function, args, NOW_NS, &ret);
	if (rc == 0 && (int)ret != 0)
		return err_set(ERR_TARGET_LAYOUT, "install failed");
	return rc;
}
