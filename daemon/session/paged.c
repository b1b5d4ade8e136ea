/* SPDX-License-Identifier: MIT */
/*
 * paged.c: a session whose events come from a probe page instead of eBPF.
 *
 * The control thread alone deals with the page and with ptrace. It looks now and
 * then for threads that the page does not trace (a program's own sys.settrace took
 * its place, or a thread was made unseen) and arms them again.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "ctrec/protocol.h"
#include "page/inject.h"
#include "page/launch.h"
#include "probe/page_source.h"
#include "page/shared.h"
#include "session/claim.h"
#include "session/internal.h"
#include "session/permission.h"
#include "util/io.h"
#include "util/log.h"

#define LOOK_NS 500000000u /* between two looks for threads that lost us */
#define LAUNCH_STEP_NS 50000000u
#define DISARM_NS 2000000000u /* for a thread of the program to run the callback's removal */

extern const uint8_t page_blob[], page_blob_end[];

/* Everything about the Python in s->target, which `stopped` (or nobody) holds still. */
static int begin(struct session *s, struct tracee *stopped)
{
	struct resolve_options o = { .all = s->all, .max_slots = CTREC_MAX_SLOTS };
	int rc = python_layout_live(s->target, &s->info, &s->layout);

	if (rc == 0)
		rc = claim_process(s->target->pid, &s->claim_fd);
	if (rc == 0)
		rc = permission_owner(s->target->pid, &o.uid, &o.gid);
	if (rc == 0)
		rc = resolver_new(&s->resolver, s->target, &s->info, &s->layout, &o);
	if (rc == 0)
		rc = page_new(&s->page, s->target, &s->info, &s->layout, page_blob, page_blob_end - page_blob,
			      page_shared_size());
	if (rc == 0)
		rc = page_map(s->page, stopped);
	if (rc < 0)
		return rc;
	rc = session_write_meta(s);
	if (rc == 0)
		rc = capture_page(s->capture, page_data(s->page), page_base(s->page) + PAGE_DATA, s->target->pid,
				  &s->info, &s->layout);
	if (rc == 0)
		rc = capture_output(s->capture, s->target->pid, s->attach);
	if (rc == 0)
		rc = page_arm(s->page, stopped);
	return rc < 0 ? rc : 0;
}

int session_page_begin(struct session *s, struct tracee *stopped)
{
	int rc = begin(s, stopped);

	if (rc == 0) {
		s->python_pid = s->target->pid;
		session_clear_error(s);
		session_set_state(s, SESSION_RECORDING);
		return 0;
	}
	session_set_error(s, false);
	io_close(&s->claim_fd);
	s->page = page_free(s->page);
	s->resolver = resolver_free(s->resolver);
	return rc;
}

/* What page_launch_step() calls for a Python at Py_RunMain. */
static int found(void *ctx, struct target *t, struct python_info *info, const struct ctrec_layout *layout,
		 struct tracee *stopped, bool *keep)
{
	struct session *s = ctx;
	int rc = permission_to_record(s->uid, s->gid, t->pid);

	(void)layout; /* read again, from this very process, by begin() */
	if (rc < 0) {
		session_set_error(s, false);
		return 1;
	}
	s->target = t;
	s->info = *info;
	s->found_at = io_now_ns();
	session_add_process(s, t->pid);
	rc = session_has_probes(s) ? session_record_usdt(s) : session_page_begin(s, stopped);
	*keep = rc == 0;
	if (rc == 0)
		return 0;
	s->target = NULL;
	return 1;
}

void session_page_launch(struct session *s)
{
	int rc = 0;

	while (rc == 0 && !s->stop && !s->drain_failed)
		rc = page_launch_step(s->launch, LAUNCH_STEP_NS, found, s);
	if (rc < 0) {
		if (!s->status.error.code) /* why one that was found is not recorded says more */
			session_set_error(s, false);
		s->end_reason = CTREC_REASON_EXIT;
	}
	s->launch = page_launch_free(s->launch);
}

void session_page_end(struct session *s)
{
	int rc;

	if (!s->page)
		return;
	if (io_pidfd_signal(s->target->pidfd, 0) == 0) {
		rc = page_disarm(s->page);
		if (rc == 1)
			rc = page_wait_armed(s->page, 0, DISARM_NS);
		/* the page records nothing more in any case */
		if (rc < 0)
			log_line(LOG_WARNING, "session %lu: taking the probes off: %s", (unsigned long)s->id,
				 err_last()->context);
	}
}

/* The exit status of a process that nobody has waited for yet; -1: not known. */
static int zombie_status(pid_t pid)
{
	char path[64], text[1024], *at;
	int state = 0, status = -1;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (io_read_file(path, text, sizeof(text)) < 0)
		return -1;
	at = strrchr(text, ')');
	if (!at || at[1] != ' ' || (at[2] != 'Z' && at[2] != 'X'))
		return -1;
	/* the 52nd field of proc(5), the state being the third */
	for (at += 2; *at && state < 49; at++)
		state += *at == ' ';
	if (state == 49)
		status = strtol(at, NULL, 10);
	return status;
}

void session_page_look(struct session *s)
{
	int status;

	uint64_t magic = 0, now = io_now_ns();

	if (s->exited || !s->page)
		return;
	if (now - s->looked > LOOK_NS) {
		s->looked = now;
		if (page_unarmed(s->page) > 0 && page_arm(s->page, NULL) < 0)
			log_line(LOG_WARNING, "session %lu: arming again: %s", (unsigned long)s->id,
				 err_last()->context);
	}
	/* another image has other memory */
	if (s->target->mem.read(&s->target->mem, (remote_t){ page_base(s->page) }, &magic, 8) == 0 &&
	    magic != PAGE_MAGIC && !s->end_reason)
		s->end_reason = CTREC_REASON_EXEC;
	status = zombie_status(s->target->pid);
	if (status >= 0)
		session_saw_exit(s, status);
}
