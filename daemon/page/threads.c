/* SPDX-License-Identifier: MIT */
/*
 * threads.c: stopping all threads, those too that start meanwhile.
 *
 * A thread can only be started by one that runs: once a whole pass over
 * /proc/PID/task finds no thread that is not stopped, there is none and there
 * will be none.
 */
#include "page/threads.h"

#include <stdlib.h>

#include "util/err.h"
#include "util/io.h"

static struct tracee *find(struct threads *ts, pid_t tid)
{
	for (unsigned i = 0; i < ts->n; i++)
		if (ts->t[i].tid == tid)
			return &ts->t[i];
	return NULL;
}

static int grow(struct threads *ts)
{
	struct tracee *t;

	if (ts->n < ts->cap)
		return 0;
	t = realloc(ts->t, (ts->cap + 64) * sizeof(*t));
	if (!t)
		return err_set(ERR_NOMEM, "%u threads", ts->cap);
	ts->t = t;
	ts->cap += 64;
	return 0;
}

/* A thread that ends under our hands is no error, unless it was the last. */
static bool has_ended(pid_t pid, pid_t tid)
{
	char state = tracee_state(pid, tid);

	return !state || state == 'Z' || state == 'X';
}

/* Asks each thread that is new to us to stop: how many, or an error. */
static int ask_new(struct threads *ts, pid_t pid, const struct tracee *but)
{
	pid_t tids[THREADS_MAX];
	int n = tracee_list(pid, tids, THREADS_MAX), asked = 0;

	if (n < 0)
		return n;
	for (int i = 0; i < n; i++) {
		int r;

		if ((but && but->tid == tids[i]) || find(ts, tids[i]))
			continue;
		r = grow(ts);
		if (r < 0)
			return r;
		r = tracee_seize(&ts->t[ts->n], pid, tids[i], 0);
		if (r < 0 && has_ended(pid, tids[i]))
			continue;
		if (r < 0)
			return r;
		ts->n++;
		if (tracee_interrupt(&ts->t[ts->n - 1]) == 0)
			asked++;
	}
	return asked;
}

static int wait_all(struct threads *ts, uint64_t until)
{
	for (unsigned i = 0; i < ts->n;) {
		struct tracee *t = &ts->t[i];
		int r = t->stopped ? 0 : tracee_wait_stop(t, until);

		if (r == -ERR_TARGET_GONE) {
			ts->t[i] = ts->t[--ts->n];
			continue;
		}
		if (r < 0)
			return r;
		i++;
	}
	return 0;
}

int threads_stop(struct threads *ts, pid_t pid, const struct tracee *but)
{
	uint64_t until = io_now_ns() + TRACEE_STOP_NS;
	int r;

	*ts = (struct threads){ 0 };
	r = grow(ts);
	ts->since = io_now_ns();
	while (r >= 0) {
		r = ask_new(ts, pid, but);
		if (r <= 0)
			break;
		r = wait_all(ts, until);
	}
	if (r == 0 && ts->n == 0 && !but)
		r = err_set(ERR_TARGET_GONE, "process %d has no running thread", (int)pid);
	if (r < 0)
		threads_release(ts);
	return r;
}

uint64_t threads_release(struct threads *ts)
{
	uint64_t stood;

	for (unsigned i = 0; i < ts->n; i++)
		tracee_detach(&ts->t[i]);
	stood = io_now_ns() - ts->since;
	free(ts->t);
	*ts = (struct threads){ 0 };
	return stood;
}
