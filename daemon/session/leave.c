/* SPDX-License-Identifier: MIT */
/*
 * leave.c: taking capture off processes that go on without us: a launcher whose
 * Python has ended, a program whose recording was stopped, children left behind.
 *
 * Until capture is gone each exec of theirs is still stopped, and when nobody
 * reads the rings any more nobody is told. So who stands still already is noted
 * (those are not ours: all of ours were let go), and whoever stands still after
 * capture has gone, and did not before, goes on. Children that were forked
 * meanwhile are found below those that are known.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session/internal.h"
#include "util/io.h"

#define MAX_STANDING 64
#define MAX_GENERATIONS 32

struct standing {
	pid_t pids[MAX_STANDING];
	unsigned n;
};

static bool is_stopped(pid_t pid)
{
	char path[64], text[512], *at;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (io_read_file(path, text, sizeof(text)) < 0)
		return false;
	at = strrchr(text, ')'); /* the name before it may hold anything */
	return at && !strncmp(at, ") T", 3);
}

static bool was_standing(const struct standing *s, pid_t pid)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->pids[i] == pid)
			return true;
	return false;
}

static void note_standing(const struct session *s, struct standing *to)
{
	for (unsigned i = 0; i < s->nprocesses && to->n < MAX_STANDING; i++)
		if (is_stopped(s->processes[i].pid))
			to->pids[to->n++] = s->processes[i].pid;
}

static void go_on(pid_t pid, int pidfd, const struct standing *before)
{
	if (pidfd >= 0 && is_stopped(pid) && !was_standing(before, pid))
		io_pidfd_signal(pidfd, SIGCONT);
}

/* The children of one process, and theirs. */
static void children_go_on(pid_t parent, const struct standing *before, int generations)
{
	char path[64], text[4096], *at = text;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", parent, parent);
	if (!generations || io_read_file(path, text, sizeof(text)) < 0)
		return;
	for (;;) {
		char *end;
		pid_t pid = strtol(at, &end, 10);
		_cleanup_fd_ int pidfd = -1;

		if (end == at || pid <= 0)
			return;
		at = end;
		pidfd = io_pidfd_open(pid);
		go_on(pid, pidfd, before);
		children_go_on(pid, before, generations - 1);
	}
}

void session_leave(struct session *s)
{
	struct standing before = { 0 };

	note_standing(s, &before);
	s->capture = capture_free(s->capture);
	for (unsigned i = 0; i < s->nprocesses; i++) {
		const struct process *p = &s->processes[i];

		if (p->pidfd < 0 || io_pidfd_signal(p->pidfd, 0) < 0)
			continue;
		go_on(p->pid, p->pidfd, &before);
		children_go_on(p->pid, &before, MAX_GENERATIONS);
	}
}
