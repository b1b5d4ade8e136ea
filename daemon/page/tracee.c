/* SPDX-License-Identifier: MIT */
/*
 * tracee.c: seizing, stopping and letting go of one thread.
 *
 * A stop that was asked for shows as PTRACE_EVENT_STOP in get_signal(), the one
 * place where the kernel afterwards delivers signals and restarts interrupted
 * system calls as if nothing had been. A signal that comes first is delivered,
 * then the thread stops: the request stays pending.
 */
#include "page/tracee.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "util/err.h"
#include "util/io.h"

#define SPIN_NS 20000u	  /* a thread on another processor stops in a few microseconds */
#define NAP_NS 20000	  /* one that waits for a processor needs ours perhaps */
#define LONG_NS 5000000u  /* it sleeps in the kernel: from here on look less often */
#define LONG_NAP_NS 200000
#define SLACK_NS 1000
#define END_NS 1000000000ull /* for a killed thread to end */
#define SIGNALS_MAX 1000 /* delivered to a thread while it is waited for */

static long trace(int request, const struct tracee *t, unsigned long addr, unsigned long data)
{
	return ptrace(request, t->tid, addr, data);
}

/* A number in /proc/PID/status, -1: none. */
static long status_field(pid_t pid, const char *name)
{
	char path[64], text[4096], *at;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (io_read_file(path, text, sizeof(text)) < 0)
		return -1;
	at = strstr(text, name);
	return at ? strtol(at + strlen(name), NULL, 10) : -1;
}

static void command_name(pid_t pid, char *to, size_t len)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	n = io_read_file(path, to, len);
	if (n > 0 && to[n - 1] == '\n')
		to[--n] = 0;
	if (n <= 0)
		snprintf(to, len, "?");
	for (char *c = to; *c; c++)
		if (!isprint((unsigned char)*c))
			*c = '?';
}

char tracee_state(pid_t pid, pid_t tid)
{
	char path[64], text[512], *at;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", (int)pid, (int)tid);
	if (io_read_file(path, text, sizeof(text)) < 0)
		return 0;
	at = strrchr(text, ')');
	return at && at[1] == ' ' ? at[2] : 0;
}

static int gone(const struct tracee *t)
{
	return err_set(ERR_TARGET_GONE, "thread %d of process %d", (int)t->tid, (int)t->pid);
}

/* Why PTRACE_SEIZE said no. */
static int refused(const struct tracee *t, int error)
{
	char yama[16] = "", name[64];
	char state = tracee_state(t->pid, t->tid);
	long tracer;

	if (!state || state == 'Z' || state == 'X' || error == ESRCH)
		return state == 'Z' ? err_set(ERR_TARGET_GONE, "process %d has ended (a zombie)",
					      (int)t->pid) :
				      gone(t);
	tracer = status_field(t->tid, "\nTracerPid:");
	if (tracer > 0) {
		command_name(tracer, name, sizeof(name));
		err_set(ERR_NO_PRIVILEGE, "process %d is traced by process %ld (%s)", (int)t->pid,
			tracer, name);
		return err_hint("a program can have one tracer: end process %ld, or detach it",
				tracer);
	}
	io_read_file("/proc/sys/kernel/yama/ptrace_scope", yama, sizeof(yama));
	if (yama[0] >= '1' && yama[0] <= '3') {
		err_set(ERR_NO_PRIVILEGE, "process %d: ptrace is restricted (kernel.yama.ptrace_scope is %c)",
			(int)t->pid, yama[0]);
		return err_hint(yama[0] == '3' ? "this system forbids ptrace until it is restarted" :
				"start the program with 'ctrec run', or attach as root");
	}
	errno = error;
	return err_set(ERR_NO_PRIVILEGE, "ptrace of process %d: %m", (int)t->pid);
}

int tracee_seize(struct tracee *t, pid_t pid, pid_t tid, unsigned long options)
{
	*t = (struct tracee){ .pid = pid, .tid = tid };
	if (trace(PTRACE_SEIZE, t, 0, options) < 0)
		return refused(t, errno);
	return 0;
}

int tracee_interrupt(struct tracee *t)
{
	return trace(PTRACE_INTERRUPT, t, 0, 0) < 0 ? gone(t) : 0;
}

/* Not sched_yield(): among busy threads it costs a whole time slice. */
static void pause_between(uint64_t waited)
{
	struct timespec ts = { .tv_nsec = waited < LONG_NS ? NAP_NS : LONG_NAP_NS };
	int slack;

	if (waited < SPIN_NS)
		return;
	slack = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
	if (slack > SLACK_NS)
		prctl(PR_SET_TIMERSLACK, SLACK_NS, 0, 0, 0);
	nanosleep(&ts, NULL);
	if (slack > SLACK_NS)
		prctl(PR_SET_TIMERSLACK, slack, 0, 0, 0);
}

bool tracee_is_child(pid_t pid)
{
	return status_field(pid, "\nPPid:") == getpid();
}

/*
 * An ended thread is a zombie until its tracer has waited for it, then its parent.
 * Where we are both, nothing is taken from the parent.
 */
static int take_end(struct tracee *t)
{
	int status;

	t->ended = true;
	if (t->tid != t->pid || !tracee_is_child(t->pid))
		waitpid(t->tid, &status, __WALL | WNOHANG);
	return gone(t);
}

static int classify(struct tracee *t, int *signal)
{
	int status, event;

	if (waitpid(t->tid, &status, __WALL | WNOHANG) != t->tid || !WIFSTOPPED(status))
		return gone(t); /* killed in between */
	event = status >> 16;
	t->stopped = true;
	*signal = WSTOPSIG(status);
	if (event == PTRACE_EVENT_STOP) {
		t->job_stop = *signal != SIGTRAP;
		return TRACEE_STOPPED;
	}
	if (event) {
		*signal = event;
		return TRACEE_EVENT;
	}
	return WSTOPSIG(status) == (SIGTRAP | 0x80) ? TRACEE_SYSCALL : TRACEE_SIGNAL;
}

int tracee_wait(struct tracee *t, uint64_t until_ns, int *signal)
{
	uint64_t begun = io_now_ns(), now = begun;

	for (;;) {
		siginfo_t si = { 0 };
		int r = waitid(P_PID, t->tid, &si, WEXITED | WSTOPPED | WNOHANG | WNOWAIT | __WALL);

		if (r < 0 && errno != EINTR) {
			t->ended = true;
			return gone(t);
		}
		if (r == 0 && si.si_pid == t->tid)
			return si.si_code == CLD_TRAPPED || si.si_code == CLD_STOPPED ? classify(t, signal) :
											take_end(t);
		now = io_now_ns();
		if (now >= until_ns)
			break;
		pause_between(now - begun);
	}
	return err_set(ERR_BUSY, "thread %d of process %d does not stop (state %c)", (int)t->tid,
		       (int)t->pid, tracee_state(t->pid, t->tid));
}

int tracee_wait_stop(struct tracee *t, uint64_t until_ns)
{
	for (int i = 0; i < SIGNALS_MAX; i++) {
		int signal, r = tracee_wait(t, until_ns, &signal);

		if (r < 0)
			return r;
		if (r == TRACEE_STOPPED)
			return 0;
		r = tracee_resume(t, PTRACE_CONT, r == TRACEE_SIGNAL ? signal : 0);
		if (r < 0)
			return r;
	}
	return err_set(ERR_BUSY, "thread %d gets signals without end", (int)t->tid);
}

int tracee_resume(struct tracee *t, int how, int signal)
{
	if (trace(how, t, 0, signal) < 0)
		return gone(t);
	t->stopped = false;
	return 0;
}

/* It has been killed: its end is waited for, or its parent could not. */
static void bury(struct tracee *t)
{
	uint64_t until = io_now_ns() + END_NS;
	int signal;

	while (!t->ended && io_now_ns() < until && tracee_wait(t, until, &signal) >= 0)
		tracee_resume(t, PTRACE_CONT, 0);
}

void tracee_detach(struct tracee *t)
{
	if (!t->tid || t->ended)
		return;
	/* A running thread can't be detached from; one that can't be stopped now stays ours. */
	if (!t->stopped) {
		int r = trace(PTRACE_INTERRUPT, t, 0, 0) < 0 ?
			-ERR_TARGET_GONE : tracee_wait_stop(t, io_now_ns() + TRACEE_STOP_NS);

		if (r == -ERR_TARGET_GONE)
			bury(t);
		if (r < 0)
			return;
	}
	if (trace(PTRACE_DETACH, t, 0, 0) < 0)
		bury(t);
	t->tid = 0;
	t->stopped = false;
}

int tracee_get_regs(const struct tracee *t, struct user_regs_struct *regs)
{
	return trace(PTRACE_GETREGS, t, 0, (unsigned long)regs) < 0 ? gone(t) : 0;
}

int tracee_set_regs(const struct tracee *t, const struct user_regs_struct *regs)
{
	return trace(PTRACE_SETREGS, t, 0, (unsigned long)regs) < 0 ? gone(t) : 0;
}

int tracee_get_mask(const struct tracee *t, uint64_t *mask)
{
	return trace(PTRACE_GETSIGMASK, t, sizeof(*mask), (unsigned long)mask) < 0 ? gone(t) : 0;
}

int tracee_set_mask(const struct tracee *t, uint64_t mask)
{
	return trace(PTRACE_SETSIGMASK, t, sizeof(mask), (unsigned long)&mask) < 0 ? gone(t) : 0;
}

int remote_write(pid_t pid, uint64_t to, const void *from, size_t len)
{
	struct iovec local = { (void *)(uintptr_t)from, len };
	struct iovec remote = { (void *)(uintptr_t)to, len };

	return process_vm_writev(pid, &local, 1, &remote, 1, 0) == (ssize_t)len ? 0 :
										   -ERR_TARGET_MEMORY;
}

int tracee_list(pid_t pid, pid_t *tids, unsigned max)
{
	char path[64];
	struct dirent *e;
	unsigned n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	if (!dir)
		return err_set(ERR_TARGET_GONE, "process %d", (int)pid);
	while (n < max && (e = readdir(dir)))
		if (isdigit((unsigned char)e->d_name[0]))
			tids[n++] = atoi(e->d_name);
	closedir(dir);
	return n;
}
