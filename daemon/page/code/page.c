// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * page.c: the probes of the page: what the interpreter calls in the target.
 *
 * Up to 3.11 a C trace function, in place of the one sys.settrace would install;
 * from 3.12 on callbacks of sys.monitoring. Both run with the GIL held and make
 * the same records as the BPF programs. Lines are those sys.settrace reports, so
 * that none is corrected afterwards (EV_META says probe: page).
 */
#include "page/code/platform.h"

#include "bpf/snapshot.h"
#include "bpf/frame.h"

/* gcc may make calls of these from loops and initialisers. */
__attribute__((used)) void *memset(void *to, int c, __SIZE_TYPE__ n)
{
	void *start = to;

	__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(c) : "memory");
	return start;
}

__attribute__((used)) void *memcpy(void *to, const void *from, __SIZE_TYPE__ n)
{
	void *start = to;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
	return start;
}

static __always_inline int is_on(void)
{
	return *(volatile __u64 *)(page_base + PAGE_ALIVE) && page()->public.state == PAGE_ON;
}

/* ---- threads ---- */

static void thread_begin(struct thread *t, __u64 tstate, __u32 tid)
{
	struct ev_thread e = { .h = { .size = sizeof(e), .type = EV_THREAD } };

	t->tstate = tstate;
	t->tid = tid;
	t->index = __atomic_add_fetch(&page()->public.next_thread, 1, __ATOMIC_RELAXED);
	t->sp = t->depth = t->count = 0;
	t->serial = 0;
	t->late_entry = t->exc_serial = 0;
	t->fresh = 1;
	for (int i = 0; i < CACHE; i++)
		t->cache[i].hash = t->cache[i].same = 0;
	e.h.order = next_order();
	e.thread = t->index;
	e.tid = tid;
	e.pid = 0; /* the daemon knows */
	send(t, &e, sizeof(e));
}

/* A slot whose thread has ended is used again; tid: of the one that asks. */
__noinline struct thread *thread_new(__u64 tstate)
{
	struct thread *threads = page()->threads, *t = 0;

	for (__u32 i = 0; i < PAGE_THREADS && !t; i++)
		if (!threads[i].tstate)
			t = &threads[i];
	/* one with nothing on its stack: it ended, or is described again when it goes on */
	for (__u32 i = 0; i < PAGE_THREADS && !t; i++)
		if (!threads[i].sp)
			t = &threads[i];
	if (!t) {
		page()->public.deferred++;
		return 0;
	}
	thread_begin(t, tstate, syscall6(NR_gettid, 0, 0, 0, 0, 0, 0));
	return t;
}

static __always_inline struct thread *thread_get(__u64 tstate)
{
	struct page_private *p = page();
	struct thread *t = &p->threads[p->public.last_thread & (PAGE_THREADS - 1)];

	if (t->tstate == tstate)
		return t;
	for (__u32 i = 0; i < PAGE_THREADS && p->threads[i].tstate; i++)
		if (p->threads[i].tstate == tstate) {
			p->public.last_thread = i;
			return &p->threads[i];
		}
	t = thread_new(tstate);
	if (t)
		p->public.last_thread = t - p->threads;
	return t;
}

static __always_inline struct scratch *scratch_get(void)
{
	struct scratch *s = &page()->scratch;

	if (++s->turn == KNOWN_EVENTS) {
		s->turn = 0;
		for (int i = 0; i < KNOWN; i++)
			s->known[i] = 0;
	}
	s->fault = 0;
	return s;
}

/* ---- records ---- */

/* A thread state may be a new thread's at the address of one that ended. */
static __always_inline void thread_check(struct thread *t)
{
	__u32 tid;

	if (t->sp)
		return;
	tid = syscall6(NR_gettid, 0, 0, 0, 0, 0, 0);
	if (tid != t->tid)
		thread_begin(t, t->tstate, tid);
}

__noinline void put_exception(struct scratch *s, __u64 type, __u64 value)
{
	__u32 start = s->out & (REC_BYTES - 8);

	s->out = start + 8;
	s->varnodes = s->nodes;
	tree(s, type, 0);
	tree(s, value, 0);
	*(__u64 *)(s->rec + start) = EV_SLOT_EXC | (__u64)EVV_NAMED << 16 | (__u64)(s->out - start - 8) << 32;
	s->nvars++;
}

__noinline void put_return(struct scratch *s, __u64 value)
{
	__u32 start = s->out & (REC_BYTES - 8);

	s->out = start + 8;
	s->varnodes = s->nodes;
	tree(s, value, 0);
	*(__u64 *)(s->rec + start) = EV_SLOT_RETURN | (__u64)(s->out - start - 8) << 32;
	s->nvars++;
}

/* The activation that an entry makes. What still stands at its frame's address is gone. */
__noinline struct act *enter(struct scratch *s, struct thread *t, __u64 frame)
{
	struct act *a;

	thread_check(t);
	while (t->sp && (a = act_at(t, t->sp - 1))->frame == frame)
		act_pop(t);
	if (act_enter(s, t, frame, 0))
		return 0;
	return act_at(t, t->sp - 1);
}

/* value, type: of the exception thrown in, or 0. */
__noinline void entry_event(struct scratch *s, struct thread *t, struct act *a, __u64 frame, __u32 flags,
			__u64 type, __u64 value)
{
	event_begin(s);
	flags |= variables(s, t, frame, 1);
	if (value) {
		put_exception(s, type, value);
		flags |= EVF_THROW | EVF_RESUME;
	}
	frame_event(s, t, a, frame, EV_ENTRY, flags);
}

__noinline void line_event(struct scratch *s, struct thread *t, struct act *a, __u64 frame)
{
	event_begin(s);
	frame_event(s, t, a, frame, EV_LINE, variables(s, t, frame, 0));
}

/* value 0: it leaves by the exception (type, exc), or the one kept in t->exc. */
__noinline void return_event(struct scratch *s, struct thread *t, struct act *a, __u64 frame, __u64 value,
			 __u64 type, __u64 exc)
{
	__u32 flags = value ? 0 : EVF_UNWIND;

	event_begin(s);
	if (a->flags & ACT_NOPLAN) {
		flags |= EVF_NOVALUES;
	} else if (value) {
		put_return(s, value);
	} else if (exc) {
		put_exception(s, type, exc);
	} else if (t->exc_serial == a->serial) {
		copy_words(s->rec + s->out, t->exc, t->exc_len);
		s->out += t->exc_len;
		s->nvars += t->exc_vars;
	}
	frame_event(s, t, a, frame, EV_RETURN, flags);
	act_pop(t);
}

/* Frames that run no code: entry frames (3.12+), and those that have not begun (3.11+). */
static __always_inline int is_entered(struct scratch *s, __u64 frame)
{
	__u64 code;

	if (L.frame_owner_none &&
	    (ld(s, frame + L.frame_owner) >> (L.frame_owner & 7) * 8 & 0xff) >= L.frame_owner_none)
		return 0;
	if (L.frame_kind == CTL_FRAME_OBJECT)
		return 1;
	code = frame_code(s, frame);
	return frame_lasti(s, frame, code) >= (__s32)ld32(s, code + L.code_firsttraceable) * 2;
}

/* What was on a thread's stack before its first event, from the bottom up, each with
 * all of its variables: the thread holds the GIL, so that none of them can move. */
__noinline void late_frames(struct scratch *s, struct thread *t, __u64 running)
{
	__u64 *below = page()->below, frame = running;
	struct act *a;
	int n = 0;

	t->fresh = 0;
	while (n < LATE_FRAMES && (frame = ld(s, frame + L.frame_previous)))
		if (is_entered(s, frame))
			below[n++] = frame;
	while (n--) {
		if (act_enter(s, t, below[n], ACT_LATE))
			return;
		a = act_at(t, t->sp - 1);
		if (!(a->flags & ACT_SKIP))
			entry_event(s, t, a, below[n], 0, 0, 0);
	}
}

#include "page/code/trace.h"
#include "page/code/monitor.h"
