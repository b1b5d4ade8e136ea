/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * late.bpf.h: the frames that a thread had before its first event.
 *
 * The thread itself tells of them, at the first line it runs once the gate is
 * open: it holds the GIL then, so neither the frames nor what they hold can move.
 * Each becomes an activation and an EV_ENTRY with EVF_LATE and all of its
 * variables, from the bottom up, before that line's own event. Returns before
 * that first line go by untold; the frames they leave are gone by then.
 */
#ifndef LATE_BPF_H
#define LATE_BPF_H

#define LATE_FRAMES 4096 /* frames a thread may bring along; the innermost ones are kept */
#define LATE_TURNS (1 << 20)

struct late_ctx {
	struct scratch *s;
	struct thread *t;
};

/* A frame that has not come to its first traceable instruction will be entered yet. */
static __always_inline int is_entered(struct scratch *s, __u64 frame)
{
	__u64 code = frame_code(s, frame);

	return frame_lasti(s, frame, code) >= (__s32)ld32(s, code + L.code_firsttraceable) * 2;
}

static long late_find(__u32 i, struct late_ctx *c)
{
	struct scratch *s = c->s;
	struct act *a;
	__u64 frame = s->late.frame;

	if (!frame)
		return 1;
	if (is_entered(s, frame)) {
		a = act_push(c->t);
		if (!a)
			return 1;
		a->frame = frame;
	}
	s->late.frame = ld(s, frame + L.frame_previous);
	return s->fault != 0;
}

/* They were found from the top down. */
static long late_turn_over(__u32 i, struct late_ctx *c)
{
	struct act *low = act_at(c->t, i), *high;
	__u64 frame;

	if (i >= c->s->late.nframes / 2)
		return 1;
	high = act_at(c->t, c->s->late.nframes - 1 - i);
	if (!low || !high)
		return 1;
	frame = low->frame;
	low->frame = high->frame;
	high->frame = frame;
	return 0;
}

static __always_inline void late_begin(struct scratch *s, struct thread *t, struct act *a)
{
	struct vars_ctx v = { .s = s, .t = t };
	__u64 code = frame_code(s, a->frame);

	act_begin(t, a, a->frame, code, code_plan(s, code), ACT_LATE);
	if (a->flags & ACT_SKIP)
		return;
	event_begin(s);
	s->late.flags = vars_begin(s, t, a, a->frame, 1, &v);
	s->late.base = v.base;
	s->late.n = v.n;
	s->late.from = v.from;
	s->late.stride = v.stride;
	s->late.koff = v.koff;
	s->late.changed = v.changed;
	s->late.live = v.live;
	s->late.last = s->late.at = 0;
	s->late.end = s->late.flags & VARS_NONE ? 0 : a->flags & ACT_NAMES ? NAMES_PER_EVENT : VARS_PER_EVENT;
	s->late.under_way = 1;
}

/* One variable of a frame, or the frame's record, or the next frame: a loop in a
 * loop would be one call deeper than a program may be. */
static long late_step(__u32 i, struct late_ctx *c)
{
	struct scratch *s = c->s;
	struct thread *t = c->t;
	struct vars_ctx v = { .s = s, .t = t };
	struct act *a;

	if (!s->late.under_way) {
		if (t->sp >= s->late.nframes)
			return 1;
		t->sp++;
	}
	a = act_at(t, t->sp - 1);
	if (!a)
		return 1;
	if (!s->late.under_way) {
		late_begin(s, t, a);
		return 0;
	}
	v.base = s->late.base;
	v.n = s->late.n;
	v.from = s->late.from;
	v.last = s->late.last;
	v.flags = 1;
	v.stride = s->late.stride;
	v.koff = s->late.koff;
	v.changed = s->late.changed;
	v.live = s->late.live;
	if (s->late.at < s->late.end) {
		if (a->flags & ACT_NAMES ? name_at(s->late.at, &v) : local_at(s->late.at, &v))
			s->late.end = 0;
		s->late.last = v.last;
		s->late.at++;
		return 0;
	}
	if (!(s->late.flags & VARS_NONE))
		s->late.flags |= vars_end(s, a, &v);
	frame_event(s, t, a, a->frame, EV_ENTRY, s->late.flags & 0xff);
	s->late.under_way = 0;
	return 0;
}

/* Enters the frames below the running one. */
static __always_inline void late_frames(struct scratch *s, struct thread *t, __u64 running)
{
	struct late_ctx c = { .s = s, .t = t };

	t->late = 0;
	s->late.frame = ld(s, running + L.frame_previous);
	s->late.under_way = 0;
	bpf_loop(LATE_FRAMES, late_find, &c, 0);
	t->below = s->late.frame != 0;
	s->late.nframes = t->sp;
	bpf_loop(LATE_FRAMES / 2, late_turn_over, &c, 0);
	t->sp = t->depth = 0;
	bpf_loop(LATE_TURNS, late_step, &c, 0);
}

#endif
