/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * trace.h: the C trace function (Include/cpython/pystate.h, Py_tracefunc), 3.8 to 3.11.
 *
 * The interpreter hides the exception in flight while it calls a trace function.
 * So what left a frame is kept from the EXCEPTION event before, and whether a
 * generator was entered by throw() shows in what comes next: EXCEPTION at the same
 * instruction. Its entry is written then.
 */
#ifndef PAGE_TRACE_H
#define PAGE_TRACE_H

#include "page/code/arm.h"

int page_tracefunc(__u64 self, __u64 frame, int what, __u64 arg);

#define TRACE_CALL 0
#define TRACE_EXCEPTION 1
#define TRACE_LINE 2
#define TRACE_RETURN 3

static __always_inline __u64 tstate_traced(struct scratch *s)
{
	return ld(s, cfg.runtime + L.runtime_tstate_current);
}

static __always_inline int is_resumed(struct scratch *s, __u64 frame)
{
	__u64 code = frame_code(s, frame);
	struct ctrec_codeplan *plan;
	__s32 lasti = frame_lasti(s, frame, code);

	if (L.frame_kind == CTL_FRAME_OBJECT)
		return lasti >= 0;
	plan = code_known(code);
	return plan && lasti != (__s32)plan->firsttraceable * 2;
}

/* The entry of a generator, which waits for what comes next. */
static __always_inline void flush_entry(struct scratch *s, struct thread *t, __u64 type, __u64 value)
{
	__u64 frame = t->late_entry;
	struct act *a = t->sp ? act_at(t, t->sp - 1) : 0;

	t->late_entry = 0;
	if (!a || a->frame != frame)
		return;
	s->lasti = t->late_lasti;
	s->has_lasti = 1;
	entry_event(s, t, a, frame, t->late_flags, type, value);
	s->has_lasti = 0;
}

static __always_inline void trace_call(struct scratch *s, struct thread *t, __u64 frame)
{
	struct act *a = enter(s, t, frame);

	if (!a || a->flags & ACT_SKIP)
		return;
	if (a->flags & ACT_GENERATOR) {
		t->late_entry = frame;
		t->late_flags = is_resumed(s, frame) ? EVF_RESUME : 0;
		t->late_lasti = frame_lasti(s, frame, frame_code(s, frame));
		return;
	}
	entry_event(s, t, a, frame, 0, 0, 0);
}

/* Keeps the exception as it would be written, for the frame's return. */
static __always_inline void trace_exception(struct scratch *s, struct thread *t, __u64 frame, __u64 arg)
{
	__u64 type = ld(s, arg + L.tuple_items), value = ld(s, arg + L.tuple_items + 8);
	struct act *a;
	__u32 n;

	if (t->late_entry) {
		if (t->late_entry == frame && frame_lasti(s, frame, frame_code(s, frame)) == t->late_lasti)
			flush_entry(s, t, type, value);
		else
			flush_entry(s, t, 0, 0);
	}
	a = act_find(s, t, frame);
	if (!a || a->flags & ACT_SKIP)
		return;
	event_begin(s);
	put_exception(s, type, value);
	n = s->out - sizeof(struct ev_frame);
	t->exc_serial = 0;
	if (n > sizeof(t->exc)) {
		gap(EVG_BUDGET);
		return;
	}
	copy_words(t->exc, s->rec + sizeof(struct ev_frame), n);
	t->exc_len = n;
	t->exc_vars = s->nvars;
	t->exc_serial = a->serial;
}

/* Who traced this thread before us goes on doing so. */
__noinline int chained(__u64 self, __u64 frame, int what, __u64 arg)
{
	__u64 tstate = *(__u64 *)(uintptr_t)(arming()->api.runtime + L.runtime_tstate_current);
	struct page_arming *a = arming();

	for (__u32 i = 0; i < a->nchain && i < PAGE_CHAINED; i++)
		if (a->chain[i].tstate == tstate && a->chain[i].tracefunc)
			return ((int (*)(__u64, __u64, int, __u64))(uintptr_t)a->chain[i].tracefunc)(self, frame,
												      what, arg);
	return 0;
}

static void traced(__u64 frame, int what, __u64 arg)
{
	struct scratch *s = scratch_get();
	__u64 tstate = tstate_traced(s);
	struct thread *t = thread_get(tstate);
	struct act *a;

	if (!t)
		return;
	/* one made by a thread that runs no recorded code is found by the daemon, later */
	page_arm_new(arming(), tstate, (__u64)(uintptr_t)page_tracefunc);
	if (L.frame_kind == CTL_FRAME_INTERP)
		frame = ld(s, frame + L.frameobj_frame);
	if (t->fresh)
		late_frames(s, t, frame);
	if (what == TRACE_CALL) {
		if (t->late_entry)
			flush_entry(s, t, 0, 0);
		trace_call(s, t, frame);
		return;
	}
	if (what == TRACE_EXCEPTION) {
		trace_exception(s, t, frame, arg);
		return;
	}
	if (t->late_entry)
		flush_entry(s, t, 0, 0);
	a = act_find(s, t, frame);
	if (!a)
		return;
	if (what == TRACE_LINE) {
		if (!(a->flags & ACT_SKIP))
			line_event(s, t, a, frame);
	} else if (a->flags & ACT_SKIP) {
		act_pop(t);
	} else {
		return_event(s, t, a, frame, arg, 0, 0);
	}
}

__attribute__((used)) int page_tracefunc(__u64 self, __u64 frame, int what, __u64 arg)
{
	if (what <= TRACE_RETURN && is_on())
		traced(frame, what, arg);
	return arming()->nchain ? chained(self, frame, what, arg) : 0;
}

#endif
