/* SPDX-License-Identifier: MIT */
/*
 * drain.c: the drain thread: from the main ring to the journal.
 *
 * A loss is written as EV_GAP where it is noticed. After a gap, and every
 * CHECKPOINT_BYTES, capture is told to send full values again (a new epoch); the
 * EV_CHECKPOINT that promises them is written only when everything that was in
 * the ring at that moment, and some slack for events being made just then, has
 * passed, because those may still be deltas.
 */
#include <signal.h>
#include <string.h>
#include <time.h>

#include "session/internal.h"
#include "util/io.h"
#include "util/log.h"

#define DRAIN_MS 50
#define FLUSH_NS 1000000000u
#define CHECKPOINT_BYTES (16u << 20)
#define EPOCH_SLACK (64u << 10)
/* How often a program that waits for room is looked after while draining. */
#define RELIEVE_EVERY 256u

void session_relieve(struct session *s)
{
	struct capture_stats st;
	int pid = s->full_pid;

	if (!pid)
		return;
	if (!s->drain_ends &&
	    (capture_stats(s->capture, &st) < 0 || st.ring_used * 4 >= st.ring_size))
		return;
	if (atomic_compare_exchange_strong(&s->full_pid, &pid, 0))
		kill(pid, SIGCONT);
}

static int write_gap(struct session *s, uint32_t reason, uint64_t count)
{
	struct ev_gap g = { .h = { .size = sizeof(g), .type = EV_GAP }, .reason = reason,
			    .count = count };

	return journal_event(s->journal, &g.h);
}

static void new_epoch(struct session *s)
{
	struct capture_stats st = { 0 };

	capture_new_epoch(s->capture);
	if (capture_stats(s->capture, &st) < 0)
		st.ring_used = st.ring_size;
	s->checkpoint_after = st.ring_used + EPOCH_SLACK;
	s->since_checkpoint = 0;
}

static int write_checkpoint(struct session *s)
{
	s->checkpoint_after = 0;
	buf_clear(&s->scratch);
	frames_checkpoint(&s->frames, s->last_time, &s->scratch);
	if (buf_check(&s->scratch) < 0)
		return -ERR_NOMEM;
	return journal_event(s->journal, (const struct ev_header *)s->scratch.data);
}

static int declare_loss(struct session *s, uint64_t count)
{
	int rc = write_gap(s, EVG_RING_FULL, count);

	s->ring_losses += count;
	new_epoch(s);
	return rc;
}

/* A hole was seen. When capture itself counted a loss the gap is written at
 * once, in its place; otherwise the number may be on its way on the other ring. */
static int on_hole(struct session *s)
{
	struct capture_stats st;

	if (capture_stats(s->capture, &st) < 0 || st.gaps[EVG_RING_FULL] <= s->ring_losses)
		return 0;
	return declare_loss(s, st.gaps[EVG_RING_FULL] - s->ring_losses);
}

/* Losses that capture did not count: holes that nobody filled. */
static int late_losses(struct session *s, bool at_end)
{
	struct capture_stats st;
	uint64_t lost;

	pthread_mutex_lock(&s->lock);
	lost = at_end ? order_finish(&s->order) : order_losses(&s->order, io_now_ns());
	pthread_mutex_unlock(&s->lock);
	if (!lost)
		return 0;
	/* Those declared by capture's own count left their holes behind. */
	if (capture_stats(s->capture, &st) == 0 && st.gaps[EVG_RING_FULL])
		return on_hole(s);
	return declare_loss(s, lost);
}

static void sleep_for_test(struct session *s)
{
	struct timespec t;

	s->slow_debt += s->slow_drain_ns;
	if (s->slow_debt < 1000000)
		return;
	t.tv_sec = s->slow_debt / 1000000000u;
	t.tv_nsec = s->slow_debt % 1000000000u;
	nanosleep(&t, NULL);
	s->slow_debt = 0;
}

static size_t least_size(const struct ev_header *h)
{
	switch (h->type) {
	case EV_LINE:
	case EV_ENTRY:
	case EV_RETURN:
		return sizeof(struct ev_frame);
	case EV_OUTPUT:
		return sizeof(struct ev_output);
	case EV_THREAD:
		return sizeof(struct ev_thread);
	case EV_PROCESS:
		return sizeof(struct ev_process);
	}
	return SIZE_MAX; /* nothing else may come up this ring */
}

static void note_event(struct session *s, const struct ev_header *h)
{
	const struct ev_process *p = (const void *)h;
	const struct ev_frame *f = (const void *)h;

	switch (h->type) {
	case EV_LINE:
	case EV_ENTRY:
	case EV_RETURN:
		frames_event(&s->frames, f);
		if (f->time)
			s->last_time = f->time;
		break;
	case EV_PROCESS:
		if (h->flags == EVP_EXIT && (int)p->pid == s->python_pid)
			session_saw_exit(s, p->status);
		break;
	}
}

/* True: the record came after all that were wanted. */
static bool is_beyond(struct session *s, const struct ev_header *h)
{
	if (!s->max_steps || h->type == EV_PROCESS)
		return false;
	if (s->enough)
		return true;
	if (h->type == EV_LINE || (h->type == EV_ENTRY && h->flags & EVF_LATE))
		s->steps++;
	if (s->steps == s->max_steps) {
		capture_shut(s->capture);
		s->enough = true;
	}
	return false;
}

static int on_record(void *ctx, const struct ev_header *h, size_t len)
{
	struct session *s = ctx;
	bool hole = false;
	int rc;

	if (s->slow_drain_ns)
		sleep_for_test(s);
	if (len < sizeof(*h) || h->size > len || h->size > EV_MAX_RECORD || h->size % 8 ||
	    h->size < least_size(h))
		return write_gap(s, EVG_BAD_RECORD, 1);
	if (h->order) {
		pthread_mutex_lock(&s->lock);
		hole = order_seen(&s->order, h->order, true, io_now_ns());
		pthread_mutex_unlock(&s->lock);
	}
	if (is_beyond(s, h))
		return 0;
	rc = hole ? on_hole(s) : 0;
	if (rc == 0) {
		note_event(s, h);
		rc = journal_event(s->journal, h);
	}
	s->since_checkpoint += h->size;
	if (rc == 0 && s->checkpoint_after) {
		s->checkpoint_after -= h->size < s->checkpoint_after ? h->size : s->checkpoint_after;
		if (!s->checkpoint_after)
			rc = write_checkpoint(s);
	} else if (s->since_checkpoint > CHECKPOINT_BYTES) {
		new_epoch(s);
	}
	if (++s->events % RELIEVE_EVERY == 0)
		session_relieve(s);
	return rc < 0 ? rc : 0;
}

/* Between two rounds: what time asks for. n: records of the last round. */
static int drain_chores(struct session *s, int n)
{
	uint64_t now = io_now_ns();
	int rc = late_losses(s, false);

	session_relieve(s);
	if (rc == 0 && n == 0 && s->checkpoint_after)
		rc = write_checkpoint(s); /* nothing came for a while: the ring is empty */
	if (rc == 0 && now - s->last_flush > FLUSH_NS) {
		rc = journal_flush(s->journal);
		s->last_flush = now;
		pthread_mutex_lock(&s->lock);
		s->status.bytes = journal_bytes(s->journal);
		pthread_mutex_unlock(&s->lock);
	}
	return rc;
}

void *session_drain(void *session)
{
	struct session *s = session;

	for (;;) {
		bool last = s->drain_ends;
		int n = capture_drain(s->capture, on_record, s, last ? 0 : DRAIN_MS);
		int rc = n < 0 ? n : drain_chores(s, n);

		if (rc < 0) {
			session_set_error(s, true);
			return NULL;
		}
		if (last && n == 0)
			return NULL;
	}
}

int session_write_end(struct session *s)
{
	struct capture_stats st = { 0 };
	cJSON *json = cJSON_CreateObject();
	uint32_t status = s->exit_status;
	int rc = late_losses(s, true);

	if (capture_stats(s->capture, &st) == 0)
		for (uint32_t i = 1; i < EVG_MAX && rc == 0; i++) {
			uint64_t n = st.gaps[i];

			if (i == EVG_RING_FULL)
				n = n > s->ring_losses ? n - s->ring_losses : 0;
			if (n)
				rc = write_gap(s, i, n);
		}
	if (s->no_bpf && s->python_pid && rc == 0)
		rc = write_gap(s, EVG_OUTPUT_UNSEEN, 1); /* nobody saw what the program wrote */
	cJSON_AddStringToObject(json, "reason", s->end_reason);
	if (s->exited && (status & 0x7f))
		cJSON_AddNumberToObject(json, "signal", status & 0x7f);
	else if (s->exited)
		cJSON_AddNumberToObject(json, "status", (status >> 8) & 0xff);
	buf_clear(&s->scratch);
	if (rc == 0)
		rc = journal_flush(s->journal); /* the end stands after the events */
	if (rc == 0)
		rc = session_text_record(&s->scratch, EV_END, json);
	if (rc == 0)
		rc = journal_define(s->journal, s->scratch.data, s->scratch.len);
	if (rc == 0)
		rc = journal_flush(s->journal);
	cJSON_Delete(json);
	return rc;
}
