/* SPDX-License-Identifier: MIT */
/*
 * fold_guess.c: what the next record will most likely be about: the frame on top
 * of the thread's stack, or a new one above it.
 */
#include <string.h>

#include "journal/fold.h"

void guess_reset(struct fold_guess *g)
{
	memset(g, 0, sizeof(*g));
	g->now = g->threads;
}

void guess_thread(struct fold_guess *g, uint32_t thread)
{
	g->now = &g->threads[thread % FOLD_THREADS];
	if (g->now->thread != thread)
		g->now->n = 0;
	g->now->thread = thread;
}

struct fold_frame guess_frame(const struct fold_guess *g, unsigned type)
{
	const struct fold_thread *t = g->now;
	struct fold_frame f = { 0 };

	if (t->n)
		f = t->stack[t->n - 1];
	if (type == EV_ENTRY) {
		f.frame = g->next_frame;
		f.depth++;
	}
	return f;
}

void guess_seen(struct fold_guess *g, const struct ev_frame *e)
{
	struct fold_thread *t = g->now;
	bool top = t->n && t->stack[t->n - 1].frame == e->frame;

	if (e->h.type == EV_RETURN) {
		t->n -= top;
		return;
	}
	if (e->h.type == EV_ENTRY)
		g->next_frame = e->frame + 1;
	else if (top)
		return;
	else if (t->n)
		t->n--; /* another frame stands where this one was expected */
	if (t->n == FOLD_STACK) {
		t->n /= 2;
		memmove(t->stack, t->stack + t->n, t->n * sizeof(*t->stack));
	}
	t->stack[t->n++] = (struct fold_frame){ e->frame, e->code, e->depth };
}
