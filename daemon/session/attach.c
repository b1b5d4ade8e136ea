/* SPDX-License-Identifier: MIT */
/*
 * attach.c: recording a Python that runs already.
 *
 * Nothing is stopped. The process is watched for its exec and exit before it is
 * looked at, so that what was found out is still true of it when the gate opens;
 * the pidfd that the client gave says that it is still the process it meant.
 */
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "session/internal.h"
#include "session/permission.h"
#include "util/io.h"

static int no_python(pid_t pid)
{
	char path[64], exe[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	n = readlink(path, exe, sizeof(exe) - 1);
	exe[n < 0 ? 0 : n] = 0;
	err_set(ERR_NOT_PYTHON, "process %d is %s", pid, exe);
	return err_hint("give the process id of the interpreter itself ('pgrep -a python')");
}

int session_attach(struct session *s)
{
	int rc = capture_follow(s->capture, s->pid, true);

	s->python_pid = s->pid; /* its exit may come at any time from here on */
	if (rc == 0)
		rc = target_open(&s->target, s->pid);
	if (rc == 0 && io_pidfd_signal(s->processes[0].pidfd, 0) < 0)
		rc = err_set(ERR_NO_PROCESS, "process %d has ended", s->pid);
	if (rc == 0)
		rc = permission_to_record(s->uid, s->gid, s->pid);
	if (rc == 0)
		rc = python_find(s->target, &s->info);
	if (rc == 0)
		return no_python(s->pid);
	if (rc <= 0)
		return rc;
	return session_has_probes(s) ? session_record_python(s) : session_page_begin(s, NULL);
}
