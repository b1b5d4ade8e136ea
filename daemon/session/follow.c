/* SPDX-License-Identifier: MIT */
/*
 * follow.c: the control thread: what capture asks while the program waits.
 *
 * A code object's or type's definition is in the journal before its plan is in
 * capture's map, so that no event can come before the definition it needs.
 * Requests for a process that is no longer ours are dropped: capture's wait is
 * bounded.
 */
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctrec/protocol.h"
#include "page/inject.h"
#include "page/launch.h"
#include "python/stores.h"
#include "session/internal.h"
#include "util/io.h"
#include "util/log.h"

#define POLL_MS 20
/* After the process's end its EVP_EXIT may still be in a ring. */
#define EXIT_GRACE_NS 1000000000u
/* The program's first moments, when most plans are asked for, have the machine to themselves. */
#define SPARE_AFTER_NS 1000000000u

static int on_newcode(struct session *s, const struct ev_newcode *e)
{
	struct ctrec_codeplan plan = { 0 };
	struct ctrec_stores stores;
	int rc;

	if (!s->resolver || (pid_t)e->pid != s->target->pid)
		return 0;
	buf_clear(&s->defs);
	rc = resolve_code(s->resolver, e->addr, e->code, &plan, &s->defs);
	if (rc == 0)
		rc = buf_check(&s->defs);
	if (rc == 0 && s->page)
		((struct ev_defcode *)s->defs.data)->plan |= EVC_EXACT;
	if (rc == 0)
		rc = journal_define(s->journal, s->defs.data, s->defs.len);
	if (rc < 0)
		return rc;
	line_stores((const struct ev_defcode *)s->defs.data, &stores);
	rc = capture_stores(s->capture, e->code, &stores);
	if (rc < 0)
		return rc;
	plan.id = e->code;
	plan.fingerprint = e->fingerprint;
	return capture_plan_code(s->capture, e->addr, &plan);
}

static int on_newtype(struct session *s, const struct ev_newtype *e)
{
	struct ctrec_typeplan plan = { 0 };
	int rc;

	if (!s->resolver || (pid_t)e->pid != s->target->pid)
		return 0;
	buf_clear(&s->defs);
	rc = resolve_type(s->resolver, e->addr, e->type_id, &plan, &s->defs);
	if (rc == 0)
		rc = buf_check(&s->defs);
	if (rc == 0)
		rc = journal_define(s->journal, s->defs.data, s->defs.len);
	if (rc < 0)
		return rc;
	plan.id = e->type_id;
	plan.fingerprint = e->fingerprint;
	return capture_plan_type(s->capture, e->addr, &plan);
}

/* From the first instruction on only eBPF records. */
static bool searches_by_bpf(const struct session *s)
{
	return s->probe == PROBE_USDT || (s->probe == PROBE_AUTO && s->all && !s->no_bpf);
}

static void on_process(struct session *s, const struct ev_process *e)
{
	switch (e->h.flags) {
	case EVP_EXEC:
		if (searches_by_bpf(s))
			session_on_exec(s, e->pid);
		else if (s->target && (pid_t)e->pid == s->target->pid && !s->end_reason &&
			 e->time > s->found_at) /* the exec that made it a Python may be told of late */
			s->end_reason = CTREC_REASON_EXEC;
		break;
	case EVP_ENTRYPOINT:
		session_on_entry(s, e->pid);
		break;
	case EVP_FORK:
		session_add_process(s, e->other);
		break;
	case EVP_EXIT:
		if ((int)e->pid == s->python_pid)
			session_saw_exit(s, e->status);
		break;
	case EVP_FULLRING:
		s->full_pid = e->pid;
		session_relieve(s);
		break;
	}
}

static int on_control(void *ctx, const struct ev_header *h, size_t len)
{
	struct session *s = ctx;

	if (len < sizeof(*h) || h->size > len || h->size < sizeof(struct ev_process))
		return 0; /* every record of this ring is at least that long */
	if (h->order) {
		pthread_mutex_lock(&s->lock);
		order_seen(&s->order, h->order, false, io_now_ns());
		pthread_mutex_unlock(&s->lock);
	}
	switch (h->type) {
	case EV_NEWCODE:
		return on_newcode(s, (const struct ev_newcode *)h);
	case EV_NEWTYPE:
		return on_newtype(s, (const struct ev_newtype *)h);
	case EV_STOPPED:
	case EV_PROCESS:
		on_process(s, (const struct ev_process *)h);
	}
	return 0;
}

static bool is_gone(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static bool all_gone(struct session *s)
{
	for (unsigned i = 0; i < s->nprocesses; i++)
		if (s->processes[i].pidfd >= 0 && !is_gone(s->processes[i].pidfd))
			return false;
	return true;
}

/* NULL: the session goes on. */
static const char *why_over(struct session *s)
{
	if (s->end_reason)
		return s->end_reason;
	if (s->drain_failed) {
		struct session_status st;

		session_status(s, &st);
		return st.error.code == ERR_NO_SPACE ? CTREC_REASON_DISK : CTREC_REASON_ERROR;
	}
	if (s->stop)
		return CTREC_REASON_STOPPED;
	if (s->enough || (s->deadline && io_now_ns() >= s->deadline))
		return CTREC_REASON_LIMIT;
	if (!s->target)
		return all_gone(s) ? CTREC_REASON_EXIT : NULL;
	if (s->page && !s->exited)
		session_page_look(s);
	if (!s->exited) {
		if (!is_gone(s->target->pidfd))
			return NULL;
		if (!s->gone_since)
			s->gone_since = io_now_ns();
		if (io_now_ns() - s->gone_since < EXIT_GRACE_NS)
			return NULL;
		return CTREC_REASON_EXIT;
	}
	return WIFSIGNALED(s->exit_status) ? CTREC_REASON_SIGNAL : CTREC_REASON_EXIT;
}

/* Without eBPF a page can do all but see the program's output. */
static int take_capture(struct session *s)
{
	int rc = spare_take(s->spare, &s->capture);

	if ((rc != -ERR_NO_PRIVILEGE && rc != -ERR_NO_BPF) || s->probe == PROBE_USDT)
		return rc;
	log_line(LOG_NOTICE, "session %lu: without eBPF: %s", (unsigned long)s->id, err_last()->context);
	s->no_bpf = true;
	return capture_new_bare(&s->capture);
}

static int watch(struct session *s)
{
	int rc = capture_watch(s->capture, s->pid);

	return rc < 0 ? rc : page_launch_new(&s->launch, s->pid);
}

static int session_start(struct session *s)
{
	struct capture_options o = { .limits = s->limits, .all = s->all };
	int rc = journal_new(&s->journal, s->journal_fd);

	if (rc == 0)
		rc = take_capture(s);
	if (rc == 0)
		rc = capture_begin(s->capture, &o);
	if (rc == 0 && s->attach)
		rc = session_attach(s);
	else if (rc == 0 && searches_by_bpf(s))
		rc = capture_follow(s->capture, s->pid, false);
	else if (rc == 0)
		rc = watch(s);
	if (rc == 0 && pthread_create(&s->drain_thread, NULL, session_drain, s))
		rc = err_set(ERR_BUSY, "a thread: %m");
	if (rc == 0 && s->attach && !s->page)
		capture_open(s->capture);
	if (s->duration_ns)
		s->deadline = io_now_ns() + s->duration_ns;
	return rc;
}

/* Probes off, program on its way, then everything that is left into the journal. */
static void session_finish(struct session *s)
{
	session_set_state(s, SESSION_ENDING);
	/* of programs that are gone nothing more can come; taking probes off takes a while */
	if (!all_gone(s) || s->page)
		capture_detach(s->capture);
	session_page_end(s);
	session_release_all(s);
	while (!s->drain_failed && capture_control(s->capture, on_control, s, 0) > 0)
		;
	session_release_all(s);
	s->drain_ends = true;
	pthread_join(s->drain_thread, NULL);
	session_relieve(s);
	if (s->target && session_write_end(s) < 0)
		session_set_error(s, true);
	session_release_all(s);
}

static void *reap(void *capture)
{
	capture_free(capture);
	return NULL;
}

/* Each probe's removal waits for the kernel's readers, 0.3 s in all: where no
 * process is left that it could hold up, nobody else needs to wait for that. */
static void free_capture(struct session *s)
{
	pthread_attr_t attr;
	pthread_t thread;

	if (s->page) {
		s->capture = capture_free(s->capture);
		s->page = page_free(s->page);
	}
	if (s->capture && !all_gone(s)) {
		session_leave(s);
		return;
	}
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (s->capture && pthread_create(&thread, &attr, reap, s->capture))
		capture_free(s->capture);
	s->capture = NULL;
	pthread_attr_destroy(&attr);
}

void *session_control(void *session)
{
	struct session *s = session;
	uint64_t begun;

	/* A program waits for what this thread answers. Not permitted is no harm. */
	setpriority(PRIO_PROCESS, gettid(), -15);
	if (session_start(s) < 0) {
		session_set_error(s, true);
		s->end_reason = CTREC_REASON_ERROR;
	} else {
		session_set_state(s, s->attach ? SESSION_RECORDING : SESSION_READY);
		if (s->launch)
			session_page_launch(s);
		begun = io_now_ns();
		while (!(s->end_reason = why_over(s))) {
			if (capture_control(s->capture, on_control, s, POLL_MS) < 0)
				session_set_error(s, true);
			session_sample(s);
			if (begun && io_now_ns() - begun > SPARE_AFTER_NS) {
				spare_prepare(s->spare);
				begun = 0;
			}
		}
		session_finish(s);
	}
	spare_prepare(s->spare);
	free_capture(s);
	if (s->journal) {
		pthread_mutex_lock(&s->lock);
		s->status.bytes = journal_bytes(s->journal);
		pthread_mutex_unlock(&s->lock);
	}
	s->journal = journal_free(s->journal);
	s->resolver = resolver_free(s->resolver);
	if (s->target) {
		python_info_deinit(&s->info);
		s->target = target_free(s->target);
	}
	session_set_state(s, SESSION_ENDED);
	return NULL;
}
