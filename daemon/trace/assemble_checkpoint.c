/* SPDX-License-Identifier: MIT */
/*
 * assemble_checkpoint.c: stacks put right after a loss.
 *
 * A checkpoint lists the frames that are open, of deep stacks only the
 * innermost. As long as nothing was lost the stacks are known better than that,
 * so it is believed only after a loss: frames it does not have have ended
 * unseen, frames it has beyond them began unseen. What a stack shares with it stays.
 */
#include "trace/assemble_timeline.h"

static int close_above(struct assembler *a, struct thread *t, uint32_t n)
{
	int rc = 0;

	while (t->n > n && rc == 0)
		rc = timeline_pop(a, t, NULL, false);
	return rc;
}

/* How many of t's frames stay below the checkpoint's first one. */
static uint32_t base_of(const struct thread *t, uint64_t serial)
{
	uint32_t least = t->n > SEARCH_DEPTH ? t->n - SEARCH_DEPTH : 0;

	for (uint32_t i = t->n; i-- > least;)
		if (t->frames[i]->serial == serial)
			return i;
	return 0;
}

/* open[0..n): the frames of t, from the bottom up. */
static int restore_thread(struct assembler *a, struct thread *t, const struct ev_openframe *open,
			  uint32_t n)
{
	uint32_t at = base_of(t, open[0].frame);
	int rc = 0;

	for (uint32_t i = 0; i < n && rc == 0; i++, at++) {
		struct frame *f;

		if (at < t->n && t->frames[at]->serial == open[i].frame)
			continue;
		rc = close_above(a, t, at);
		if (rc < 0)
			return rc;
		f = timeline_push(a, t, open[i].frame, codes_get(&a->codes, open[i].code), &rc);
		if (!f)
			return rc;
		a->late_frames++;
		if (f->code->is_module)
			rc = timeline_name_module(a, t, f, NULL);
	}
	return rc < 0 ? rc : close_above(a, t, at);
}

int checkpoint_take(struct assembler *a, const struct ev_checkpoint *e)
{
	const struct ev_openframe *open = (const void *)(e + 1);
	uint32_t n;
	int rc = 0;

	if (e->h.size < sizeof(*e) || e->nframes > (e->h.size - sizeof(*e)) / sizeof(*open))
		return 1;
	if (!a->lossy)
		return 0;
	a->lossy = false;
	for (uint32_t i = 0; i < e->nframes && rc == 0; i += n) {
		struct thread *t = timeline_thread(a, open[i].thread, &rc);

		for (n = 1; i + n < e->nframes && open[i + n].thread == open[i].thread; n++)
			;
		if (!t)
			return rc;
		t->restored = true;
		rc = restore_thread(a, t, open + i, n);
	}
	for (size_t i = 0; i < a->threads.cap && rc == 0; i++) {
		struct thread *t = a->threads.entries[i].value;

		if (t && !t->restored)
			rc = close_above(a, t, 0);
		if (t)
			t->restored = false;
	}
	return rc;
}
