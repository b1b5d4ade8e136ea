/* SPDX-License-Identifier: MIT */
/*
 * launch.c: processes followed through exec and fork until one is a Python.
 *
 * Each thread we trace is a task. A process gets a breakpoint at its ELF entry
 * point when it execs (the libraries are mapped there), and if a CPython is found
 * then, one at Py_RunMain. Waits are by thread id: another's children are none
 * of our business, and a child of ours that has ended is left for who waits for it.
 */
#include "page/launch.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "page/breakpoint.h"
#include "page/fault.h"
#include "python/resolve.h"
#include "target/maps.h"
#include "util/err.h"
#include "util/io.h"

#define TASKS_MAX 4096
#define LEAVE_NS 5000000000ull
#define NAP_MIN_NS 20000
#define NAP_MAX_NS 1000000
#define OPTIONS (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | \
		 PTRACE_O_TRACECLONE)

struct task {
	struct tracee t;
	struct breakpoint entry, run_main;
};

struct page_launch {
	struct task *tasks;
	unsigned n, cap;
	pid_t child;
	bool leaving;
	struct err why_not; /* of the last Python that can't be recorded */
	page_launch_fn found;
	void *ctx;
	int result; /* of page_launch_step(), once not 0 */
};

static struct task *add(struct page_launch *l, pid_t pid, pid_t tid)
{
	if (l->n == TASKS_MAX)
		return NULL;
	if (l->n == l->cap) {
		struct task *tasks = realloc(l->tasks, (l->cap + 16) * sizeof(*tasks));

		if (!tasks)
			return NULL;
		l->tasks = tasks;
		l->cap += 16;
	}
	l->tasks[l->n] = (struct task){ .t = { .pid = pid, .tid = tid } };
	return &l->tasks[l->n++];
}

static struct task *task_of(struct page_launch *l, pid_t tid)
{
	for (unsigned i = 0; i < l->n; i++)
		if (l->tasks[i].t.tid == tid)
			return &l->tasks[i];
	return NULL;
}

static void drop(struct page_launch *l, pid_t tid)
{
	struct task *task = task_of(l, tid);

	if (task)
		*task = l->tasks[--l->n];
}

static void let_go(struct page_launch *l, struct task *task, int signal)
{
	breakpoint_clear(&task->entry, &task->t);
	breakpoint_clear(&task->run_main, &task->t);
	ptrace(PTRACE_DETACH, task->t.tid, 0, signal);
	drop(l, task->t.tid);
}

/* Goes on with whatever it was; in the end it is let go instead. */
static void go_on(struct page_launch *l, struct task *task, int signal)
{
	if (l->leaving)
		let_go(l, task, signal);
	else
		tracee_resume(&task->t, PTRACE_CONT, signal);
}

/* ---- a process that execs ---- */

/* The program's entry point in memory, from what the kernel told it; 0: unknown. */
static uint64_t entry_point(pid_t pid)
{
	char path[64];
	Elf64_auxv_t aux[64];
	_cleanup_fd_ int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/auxv", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, aux, sizeof(aux));
	for (ssize_t i = 0; i < n / (ssize_t)sizeof(aux[0]); i++)
		if (aux[i].a_type == AT_ENTRY)
			return aux[i].a_un.a_val;
	return 0;
}

static bool is_64_bit(pid_t pid)
{
	_cleanup_fd_ int fd = exe_open(pid);
	unsigned char ident[EI_NIDENT];

	return fd >= 0 && pread(fd, ident, sizeof(ident), 0) == (ssize_t)sizeof(ident) &&
	       memcmp(ident, ELFMAG, SELFMAG) == 0 && ident[EI_CLASS] == ELFCLASS64;
}

static void on_exec(struct page_launch *l, struct task *task)
{
	uint64_t at;

	/* other threads of the process are gone, and so is all its memory */
	for (unsigned i = 0; i < l->n;)
		if (l->tasks[i].t.pid == task->t.pid && l->tasks[i].t.tid != task->t.tid) {
			l->tasks[i] = l->tasks[--l->n];
			if (task == &l->tasks[l->n])
				task = &l->tasks[i];
		} else {
			i++;
		}
	task->entry.at = task->run_main.at = 0;
	if (!l->leaving && is_64_bit(task->t.pid) && (at = entry_point(task->t.pid)) != 0)
		breakpoint_set(&task->entry, &task->t, at);
	fault_point("launch-exec");
	go_on(l, task, 0);
}

/* Where a file offset of the interpreter's module is mapped; 0: nowhere. */
static uint64_t mapped_at(pid_t pid, const struct module *exe, uint64_t offset)
{
	struct maps maps;
	uint64_t at = 0;

	if (maps_read(&maps, pid) < 0)
		return 0;
	for (size_t i = 0; i < maps.n && !at; i++) {
		const struct mapping *m = &maps.m[i];

		if (m->exec && m->dev == exe->dev && m->ino == exe->ino && offset >= m->offset &&
		    offset - m->offset < m->end - m->start)
			at = m->start + (offset - m->offset);
	}
	maps_deinit(&maps);
	return at;
}

/* 0; or why this Python is none for us. */
static int aim_at_run_main(struct task *task, const struct python_info *info)
{
	uint64_t at;

	if (info->free_threaded || info->debug_build || !python_layout(info->version)) {
		err_set(ERR_UNSUPPORTED_PYTHON, "%s%s: %s", info->version ? info->version_text : "unknown version",
			info->free_threaded ? ", free-threaded" : info->debug_build ? ", debug" : "",
			info->exe.path);
		return err_hint("use one of these: %s", python_supported());
	}
	at = info->run_main_offset ? mapped_at(task->t.pid, &info->exe, info->run_main_offset) : 0;
	if (!at)
		return err_set(ERR_TARGET_LAYOUT, "%s has no Py_RunMain", info->exe.path);
	return breakpoint_set(&task->run_main, &task->t, at);
}

/* At the entry point: is there a Python among what is mapped? */
static void on_entry(struct page_launch *l, struct task *task)
{
	struct python_info info = { .exe.fd = -1 };
	struct target *t = NULL;
	int r;

	breakpoint_clear(&task->entry, &task->t);
	r = l->leaving ? 0 : target_open(&t, task->t.pid);
	if (r == 0 && t)
		r = python_find(t, &info);
	if (r == 1) {
		r = aim_at_run_main(task, &info);
		if (r < 0)
			l->why_not = *err_last();
	}
	python_info_deinit(&info);
	target_free(t);
	fault_point("launch-entry");
	go_on(l, task, 0);
}

/* ---- a Python about to run its program ---- */

static int offer(struct page_launch *l, struct task *task)
{
	struct python_info *info = calloc(1, sizeof(*info));
	struct target *t = NULL;
	struct ctrec_layout layout;
	bool keep = false;
	int r = info ? target_open(&t, task->t.pid) : err_set(ERR_NOMEM, "a target");

	if (info)
		info->exe.fd = -1;
	if (r == 0)
		r = python_find(t, info);
	if (r == 0)
		r = err_set(ERR_NOT_PYTHON, "process %d", (int)task->t.pid);
	if (r == 1)
		r = python_layout_live(t, info, &layout);
	if (r < 0) {
		l->why_not = *err_last();
		r = 1;
	} else {
		r = l->found(l->ctx, t, info, &layout, &task->t, &keep);
	}
	if (!keep) {
		if (info)
			python_info_deinit(info);
		target_free(t);
	}
	free(info); /* the callback has copied it */
	return r;
}

static void on_run_main(struct page_launch *l, struct task *task)
{
	pid_t tid = task->t.tid;
	int r;

	breakpoint_clear(&task->run_main, &task->t);
	r = l->leaving ? 1 : offer(l, task);
	if (task->t.ended) {
		drop(l, tid);
	} else if (r == 1) {
		go_on(l, task, 0);
	} else {
		let_go(l, task, 0);
	}
	if (r != 1) {
		l->leaving = true;
		l->result = r == 0 ? 1 : r;
	}
}

/* ---- events ---- */

static pid_t process_of(pid_t tid)
{
	char path[64], text[4096], *at;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	if (io_read_file(path, text, sizeof(text)) < 0)
		return tid;
	at = strstr(text, "\nTgid:");
	return at ? atoi(at + 6) : tid;
}

/* The kernel has attached us to the new one; it stops by itself. */
static void on_fork(struct page_launch *l, struct task *task)
{
	struct breakpoint entry = task->entry, run_main = task->run_main;
	pid_t tid = task->t.tid, pid = task->t.pid;
	unsigned long born = 0;
	struct task *new;

	if (ptrace(PTRACE_GETEVENTMSG, tid, 0, &born) == 0 && born && !task_of(l, born)) {
		new = add(l, process_of(born), born);
		if (!new) {
			ptrace(PTRACE_DETACH, born, 0, 0);
		} else if (new->t.pid != pid) { /* its memory is a copy, breakpoints and all */
			new->entry = entry;
			new->run_main = run_main;
		}
	}
	task = task_of(l, tid); /* add() may have moved it */
	go_on(l, task, 0);
}

static void on_stop(struct page_launch *l, struct task *task, int signal)
{
	if (l->leaving) {
		let_go(l, task, 0);
	} else if (signal == SIGTRAP) {
		tracee_resume(&task->t, PTRACE_CONT, 0);
	} else { /* a stopped job stays so and tells us when it goes on */
		tracee_resume(&task->t, PTRACE_LISTEN, 0);
	}
}

static void on_signal(struct page_launch *l, struct task *task, int signal)
{
	if (signal == SIGTRAP && breakpoint_met(&task->entry, &task->t))
		on_entry(l, task);
	else if (signal == SIGTRAP && breakpoint_met(&task->run_main, &task->t))
		on_run_main(l, task);
	else
		go_on(l, task, signal);
}

static void on_event(struct page_launch *l, struct task *task, int status)
{
	int event = status >> 16;

	task->t.stopped = true;
	if (event == PTRACE_EVENT_EXEC)
		on_exec(l, task);
	else if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE)
		on_fork(l, task);
	else if (event == PTRACE_EVENT_STOP)
		on_stop(l, task, WSTOPSIG(status));
	else if (event)
		go_on(l, task, 0);
	else
		on_signal(l, task, WSTOPSIG(status));
}

/* Looks once at a thread. True: something was there. */
static bool poll_task(struct page_launch *l, pid_t tid)
{
	struct task *task = task_of(l, tid);
	siginfo_t si = { 0 };
	int status;

	if (!task)
		return false;
	if (waitid(P_PID, tid, &si, WEXITED | WSTOPPED | WNOHANG | WNOWAIT | __WALL) < 0) {
		drop(l, tid); /* gone: an exec by another thread, or reaped by its parent */
		return true;
	}
	if (si.si_pid != tid)
		return false;
	if (si.si_code == CLD_TRAPPED || si.si_code == CLD_STOPPED) {
		if (waitpid(tid, &status, __WALL | WNOHANG) == tid && WIFSTOPPED(status))
			on_event(l, task, status);
		return true;
	}
	/* Ended. Our own child is left for its parent to wait for; of another's we reap only the trace. */
	if (tid != l->child || !tracee_is_child(tid))
		waitpid(tid, &status, __WALL | WNOHANG);
	drop(l, tid);
	return true;
}

static bool poll_all(struct page_launch *l)
{
	pid_t tids[TASKS_MAX];
	unsigned n = l->n;
	bool some = false;

	for (unsigned i = 0; i < n; i++)
		tids[i] = l->tasks[i].t.tid;
	for (unsigned i = 0; i < n; i++)
		some |= poll_task(l, tids[i]);
	return some;
}

static void nap(uint64_t *ns)
{
	struct timespec ts = { .tv_nsec = *ns };

	nanosleep(&ts, NULL);
	*ns = *ns * 3 / 2 < NAP_MAX_NS ? *ns * 3 / 2 : NAP_MAX_NS;
}

/* Stops whoever runs, and lets each go from its next stop. */
static void leave(struct page_launch *l)
{
	uint64_t until = io_now_ns() + LEAVE_NS, ns = NAP_MIN_NS;

	l->leaving = true;
	for (unsigned i = 0; i < l->n; i++)
		ptrace(PTRACE_INTERRUPT, l->tasks[i].t.tid, 0, 0);
	while (l->n && io_now_ns() < until)
		if (!poll_all(l))
			nap(&ns);
}

int page_launch_new(struct page_launch **ret, pid_t pid)
{
	struct page_launch *l = calloc(1, sizeof(*l));
	struct task *task = l ? add(l, pid, pid) : NULL;
	int r;

	if (!task) {
		page_launch_free(l);
		return err_set(ERR_NOMEM, "a launch");
	}
	l->child = pid;
	r = tracee_seize(&task->t, pid, pid, OPTIONS);
	if (r < 0) {
		l->n = 0;
		page_launch_free(l);
		return r;
	}
	*ret = l;
	return 0;
}

int page_launch_step(struct page_launch *l, uint64_t timeout_ns, page_launch_fn found, void *ctx)
{
	uint64_t until = io_now_ns() + timeout_ns, ns = NAP_MIN_NS;

	l->found = found;
	l->ctx = ctx;
	while (!l->result) {
		if (!l->n) {
			const struct err *e = &l->why_not;

			return e->code ? err_take(err_name(e->code), e->context, e->hint) :
					 err_set(ERR_NOT_PYTHON, "process %d", (int)l->child);
		}
		if (poll_all(l)) {
			ns = NAP_MIN_NS;
			continue;
		}
		if (io_now_ns() >= until)
			return 0;
		nap(&ns);
	}
	if (l->n) {
		struct err e = *err_last();

		leave(l);
		if (l->result < 0)
			return err_take(err_name(e.code), e.context, e.hint);
	}
	return l->result;
}

struct page_launch *page_launch_free(struct page_launch *l)
{
	if (!l)
		return NULL;
	leave(l);
	free(l->tasks);
	free(l);
	return NULL;
}
