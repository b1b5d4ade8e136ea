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

/* Whether this Python can be recorded; its layout if so. */
static int check_python(const struct python_info *info, const struct ctrec_layout **layout)
{
	*layout = python_layout(info->version);
	if (info->free_threaded)
		return err_set(ERR_UNSUPPORTED_PYTHON, "%s is free-threaded: %s",
			       info->version_text, info->exe.path);
	if (info->debug_build)
		return err_set(ERR_UNSUPPORTED_PYTHON, "%s is a debug build: %s",
			       info->version_text, info->exe.path);
	if (!*layout) {
		err_set(ERR_UNSUPPORTED_PYTHON, "%s: %s",
			info->version ? info->version_text : "a Python of unknown version",
			info->exe.path);
		return err_hint("use one of these: %s", python_supported());
	}
	if (!info->has_usdt)
		return err_set(ERR_NO_PROBES, "Python %s: %s", info->version_text, info->exe.path);
	/* the BPF walker knows frames of 3.11 only */
	if ((*layout)->python != (3 << 8 | 11))
		return err_set(ERR_UNSUPPORTED_PYTHON, "probes of %s: %s", info->version_text,
			       info->exe.path);
	return 0;
}

static int record(struct session *s)
{
	struct resolve_options o = { .all = s->all, .max_slots = CTREC_MAX_SLOTS };
	const struct ctrec_layout *layout;
	int rc = check_python(&s->info, &layout);

	if (rc == 0)
		rc = permission_owner(s->target->pid, &o.uid, &o.gid);
	if (rc == 0)
		rc = resolver_new(&s->resolver, s->target, &s->info, layout, &o);
	if (rc == 0)
		rc = capture_python(s->capture, s->target->pid, &s->info, layout);
	if (rc == 0)
		rc = capture_output(s->capture, s->target->pid);
	if (rc == 0 && s->launch)
		capture_at_main(s->capture);
	/* The process is held: no event can come before the journal's first record. */
	if (rc == 0)
		rc = session_write_meta(s);
	if (rc == 0)
		s->python_pid = s->target->pid;
	return rc;
}

bool session_has_probes(const struct session *s)
{
	return s->probe != PROBE_PAGE && !s->no_bpf && s->info.has_usdt && s->info.version == (3 << 8 | 11);
}

int session_record_usdt(struct session *s)
{
	int rc = record(s);

	if (rc == 0) {
		session_clear_error(s);
		session_set_state(s, SESSION_RECORDING);
		return 0;
	}
	session_set_error(s, false);
	s->resolver = resolver_free(s->resolver);
	return rc;
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
		if (session_record_usdt(s) == 0)
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
