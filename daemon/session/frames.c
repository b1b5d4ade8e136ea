/* SPDX-License-Identifier: MIT */
#include "session/frames.h"

#include <stdlib.h>
#include <string.h>

#define MAX_THREADS 4096u
#define MAX_DEPTH 65536u
#define MAX_OPEN ((EV_MAX_RECORD - sizeof(struct ev_checkpoint)) / sizeof(struct ev_openframe))

void frames_deinit(struct frames *f)
{
	for (uint32_t i = 0; i < f->nthreads; i++)
		free(f->threads[i].frames);
	free(f->threads);
	*f = (struct frames){ 0 };
}

static struct frames_stack *stack_of(struct frames *f, uint32_t thread)
{
	if (thread >= MAX_THREADS)
		return NULL;
	if (thread >= f->nthreads) {
		uint32_t n = thread < 8 ? 8 : thread * 2;
		struct frames_stack *p = realloc(f->threads, n * sizeof(*p));

		if (!p)
			return NULL;
		memset(p + f->nthreads, 0, (n - f->nthreads) * sizeof(*p));
		f->threads = p;
		f->nthreads = n;
	}
	return &f->threads[thread];
}

static void push(struct frames_stack *s, const struct ev_frame *e)
{
	if (s->n == s->cap) {
		uint32_t cap = s->cap ? s->cap * 2 : 32;
		struct ev_openframe *p;

		p = cap <= MAX_DEPTH ? realloc(s->frames, cap * sizeof(*p)) : NULL;
		if (!p)
			return;
		s->frames = p;
		s->cap = cap;
	}
	s->frames[s->n++] = (struct ev_openframe){ .frame = e->frame, .code = e->code,
						   .thread = e->thread, .lasti = e->lasti };
}

void frames_event(struct frames *f, const struct ev_frame *e)
{
	struct frames_stack *s = stack_of(f, e->thread);
	uint32_t at;

	if (!s)
		return;
	if (e->h.type == EV_ENTRY) {
		if (s->n > e->depth)
			s->n = e->depth;
		push(s, e);
		return;
	}
	for (at = s->n; at > 0 && s->frames[at - 1].frame != e->frame; at--)
		;
	if (e->h.type == EV_RETURN) {
		if (at)
			s->n = at - 1;
	} else if (at) {
		s->n = at;
		s->frames[at - 1].lasti = e->lasti;
	} else {
		push(s, e);
	}
}

void frames_checkpoint(const struct frames *f, uint64_t time, struct buf *to)
{
	struct ev_checkpoint c = { .h.type = EV_CHECKPOINT, .time = time };
	uint32_t busy = 0, share, total = 0;

	for (uint32_t i = 0; i < f->nthreads; i++) {
		busy += f->threads[i].n != 0;
		total += f->threads[i].n;
	}
	share = total <= MAX_OPEN ? UINT32_MAX : MAX_OPEN / busy;
	for (uint32_t i = 0; i < f->nthreads; i++)
		c.nframes += f->threads[i].n < share ? f->threads[i].n : share;
	c.h.size = sizeof(c) + c.nframes * sizeof(struct ev_openframe);
	buf_append(to, &c, sizeof(c));
	for (uint32_t i = 0; i < f->nthreads; i++) {
		const struct frames_stack *s = &f->threads[i];
		uint32_t n = s->n < share ? s->n : share;

		buf_append(to, s->frames + (s->n - n), n * sizeof(*s->frames));
	}
}
