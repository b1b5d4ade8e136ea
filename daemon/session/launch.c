/* SPDX-License-Identifier: MIT */
/*
 * launch.c: from a process that has just become a program to a recorded Python.
 *
 * A process stands still at its exec (held) until it was looked at. An
 * interpreter that is the executable itself is found there; one in a shared
 * library only at the program's entry point, when the libraries are mapped.
 * What is no Python goes on at once: a launcher may become one, or start one.
 * The first Python that can be recorded is the session's; one that can't be
 * leaves its error behind, and that is the session's unless another one works.
 */
#include <signal.h>
#include <unistd.h>

#include "ctrec/protocol.h"
#include "session/internal.h"
#include "session/permission.h"
#include "util/io.h"
#include "util/log.h"

static struct process *find_process(struct session *s, pid_t pid)
{
	for (unsigned i = 0; i < s->nprocesses; i++)
		if (s->processes[i].pid == pid)
			return &s->processes[i];
	return NULL;
}

/* A place for one more: where a process is gone, or at the end. */
static struct process *free_place(struct session *s)
{
	if (s->nprocesses < SESSION_MAX_PROCESSES)
		return &s->processes[s->nprocesses++];
	for (unsigned i = 1; i < s->nprocesses; i++) {
		struct process *p = &s->processes[i];

		if (io_pidfd_signal(p->pidfd, 0) == 0)
			continue;
		guard_remove(s->guard, p->pid);
		io_close(&p->pidfd);
		return p;
	}
	return NULL;
}

void session_add_process(struct session *s, pid_t pid)
{
	struct process *p = find_process(s, pid);
	int pidfd;

	if (p && io_pidfd_signal(p->pidfd, 0) == 0)
		return;
	pidfd = io_pidfd_open(pid);
	if (pidfd < 0)
		return; /* gone already */
	if (p) {
		io_close(&p->pidfd);
	} else {
		p = free_place(s);
	}
	if (!p) {
		log_line(LOG_WARNING, "session %lu: too many processes", (unsigned long)s->id);
		io_close(&pidfd);
		return;
	}
	*p = (struct process){ .pid = pid, .pidfd = pidfd };
	guard_add(s->guard, pid, pidfd);
}

void session_hold(struct session *s, pid_t pid)
{
	struct process *p;

	session_add_process(s, pid);
	p = find_process(s, pid);
	if (p)
		p->held = true;
}

static void let_go(struct process *p)
{
	if (p->held)
		io_pidfd_signal(p->pidfd, SIGCONT);
	p->held = false;
}

void session_release(struct session *s, pid_t pid)
{
	struct process *p = find_process(s, pid);

	if (p)
		let_go(p);
}

void session_release_all(struct session *s)
{
	for (unsigned i = 0; i < s->nprocesses; i++)
		let_go(&s->processes[i]);
}

/* Looks for a Python in a held process. True: one was found. */
static bool look(struct session *s, pid_t pid, bool libraries_mapped)
{
	int rc = target_open(&s->target, pid);
	bool found = false;

	if (rc < 0) {
		session_set_error(s, false);
		return false;
	}
	rc = python_find(s->target, &s->info);
	if (rc == 1) {
		found = true;
		rc = session_record_usdt(s);
		if (rc == 0)
			return true;
		python_info_deinit(&s->info);
	}
	if (rc < 0 && libraries_mapped)
		session_set_error(s, false);
	if (!found && !libraries_mapped) {
		uint64_t offset;
		int fd = -1;

		if (exe_entry(s->target, &offset, &fd) == 0) {
			if (capture_stop_at_entry(s->capture, pid, fd, offset) < 0)
				session_set_error(s, false);
			io_close(&fd);
		}
	}
	s->target = target_free(s->target);
	return found;
}

void session_on_exec(struct session *s, pid_t pid)
{
	if (s->attach) { /* was not stopped, and may stand still for reasons of its own */
		if (pid == s->pid && !s->end_reason)
			s->end_reason = CTREC_REASON_EXEC;
		return;
	}
	session_hold(s, pid);
	if (s->target) {
		/* A second Python is not recorded; the first one ends by becoming another. */
		if (pid == s->target->pid && !s->end_reason)
			s->end_reason = CTREC_REASON_EXEC;
	} else if (!s->end_reason && !s->stop) {
		if (permission_to_record(s->uid, s->gid, pid) < 0)
			session_set_error(s, false);
		else
			look(s, pid, false);
	}
	session_release(s, pid);
}

void session_on_entry(struct session *s, pid_t pid)
{
	session_hold(s, pid);
	if (!s->target && !s->end_reason && !s->stop &&
	    permission_to_record(s->uid, s->gid, pid) == 0)
		look(s, pid, true);
	session_release(s, pid);
}
