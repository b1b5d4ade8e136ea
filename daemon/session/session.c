/* SPDX-License-Identifier: MIT */
#include "session/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "session/internal.h"
#include "util/io.h"

const char *const session_state_names[] = { "starting", "waiting for Python", "recording", "ending",
					    "ended" };

static void wake(struct session *s)
{
	uint64_t one = 1;

	/* A full counter wakes as well. */
	if (write(s->wake_fd, &one, sizeof(one)) < 0)
		return;
}

void session_set_state(struct session *s, enum session_state state)
{
	pthread_mutex_lock(&s->lock);
	s->status.state = state;
	if (state == SESSION_RECORDING) {
		s->status.recorded = true;
		s->status.python = s->target->pid;
	}
	if (s->end_reason)
		s->status.reason = s->end_reason;
	pthread_mutex_unlock(&s->lock);
	wake(s);
}

void session_set_error(struct session *s, bool fatal)
{
	pthread_mutex_lock(&s->lock);
	if (!s->drain_failed)
		s->status.error = *err_last();
	if (fatal)
		s->drain_failed = true;
	pthread_mutex_unlock(&s->lock);
}

void session_clear_error(struct session *s)
{
	pthread_mutex_lock(&s->lock);
	if (!s->drain_failed)
		s->status.error = (struct err){ 0 };
	pthread_mutex_unlock(&s->lock);
}

void session_saw_exit(struct session *s, uint32_t status)
{
	s->exit_status = status;
	s->exited = true;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* For the tests of backpressure: a consumer that is too slow on purpose. */
static unsigned slow_drain(void)
{
	const char *v = getenv("CTREC_TEST_SLOW_DRAIN");

	return v ? strtoul(v, NULL, 10) : 0;
}

static struct session *session_destroy(struct session *s)
{
	for (unsigned i = 0; i < s->nprocesses; i++) {
		guard_remove(s->guard, s->processes[i].pid);
		io_close(&s->processes[i].pidfd);
	}
	io_close(&s->claim_fd);
	io_close(&s->journal_fd);
	cJSON_Delete(s->args);
	free(s->program);
	free(s->workdir);
	free(s->trace);
	buf_deinit(&s->defs);
	buf_deinit(&s->scratch);
	frames_deinit(&s->frames);
	pthread_mutex_destroy(&s->lock);
	free(s);
	return NULL;
}

int session_new(struct session **ret, const struct session_request *q, struct guard *guard,
		struct spare *spare, int wake_fd)
{
	static uint64_t last_id;
	struct session *s = calloc(1, sizeof(*s));
	int rc;

	if (!s) {
		close(q->journal_fd);
		close(q->pidfd);
		return err_set(ERR_NOMEM, "a session");
	}
	s->id = ++last_id;
	s->uid = q->uid;
	s->gid = q->gid;
	s->pid = q->pid;
	s->journal_fd = q->journal_fd;
	s->wake_fd = wake_fd;
	s->guard = guard;
	s->spare = spare;
	s->claim_fd = -1;
	s->limits = q->limits;
	s->all = q->all;
	s->probe = q->probe;
	s->attach = q->attach;
	s->max_steps = q->max_steps;
	s->duration_ns = q->duration_ns;
	s->program = strdup(q->program);
	s->workdir = strdup(q->workdir);
	s->trace = strdup(q->trace);
	s->args = cJSON_Duplicate(q->args, 1);
	s->since_ms = now_ms();
	s->slow_drain_ns = slow_drain();
	s->processes[s->nprocesses++] = (struct process){ .pid = q->pid, .pidfd = q->pidfd };
	pthread_mutex_init(&s->lock, NULL);
	guard_add(guard, q->pid, q->pidfd);
	if (!s->program || !s->workdir || !s->trace || !s->args) {
		session_destroy(s);
		return err_set(ERR_NOMEM, "a session");
	}
	rc = pthread_create(&s->control_thread, NULL, session_control, s);
	if (rc) {
		session_destroy(s);
		return err_set(ERR_BUSY, "a thread: %s", strerror(rc));
	}
	*ret = s;
	return 0;
}

void session_stop(struct session *s)
{
	s->stop = true;
}

struct session *session_free(struct session *s)
{
	if (!s)
		return NULL;
	pthread_join(s->control_thread, NULL);
	return session_destroy(s);
}

void session_status(struct session *s, struct session_status *to)
{
	pthread_mutex_lock(&s->lock);
	*to = s->status;
	pthread_mutex_unlock(&s->lock);
	to->events = s->events;
}

uint64_t session_id(const struct session *s) { return s->id; }
uid_t session_uid(const struct session *s) { return s->uid; }
pid_t session_pid(const struct session *s) { return s->pid; }
const char *session_program(const struct session *s) { return s->program; }
const char *session_trace(const struct session *s) { return s->trace; }
int64_t session_since(const struct session *s) { return s->since_ms / 1000; }
