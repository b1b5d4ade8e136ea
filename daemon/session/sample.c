/* SPDX-License-Identifier: MIT */
/*
 * sample.c: how a recording goes, for `ctrec status`: taken by the control
 * thread, which owns capture, so that who asks never waits and never meets a
 * capture that is being freed.
 */
#include "session/internal.h"
#include "util/io.h"

#define SAMPLE_NS 250000000u
#define RATE_NS 1000000000u

void session_sample(struct session *s)
{
	uint64_t now = io_now_ns(), events = s->events;
	struct capture_stats st;

	if (now - s->taken < SAMPLE_NS || capture_stats(s->capture, &st) < 0)
		return;
	s->taken = now;
	pthread_mutex_lock(&s->lock);
	s->status.capture = st;
	if (now - s->rated >= RATE_NS) {
		if (s->rated)
			s->status.rate = (events - s->rated_events) * 1000000000u / (now - s->rated);
		s->rated = now;
		s->rated_events = events;
	}
	pthread_mutex_unlock(&s->lock);
}
