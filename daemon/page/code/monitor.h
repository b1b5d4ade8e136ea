/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * monitor.h: callbacks of sys.monitoring (METH_FASTCALL), 3.12 to 3.14.
 *
 * Code outside the recording answers DISABLE, and is not seen again at that place.
 * PY_THROW and PY_UNWIND must never do so (Python/instrumentation.c raises then).
 */
#ifndef PAGE_MONITOR_H
#define PAGE_MONITOR_H

#include "page/code/install.h"

#define NONE (arming()->api.none)
#define DISABLE (arming()->callbacks.disable)

struct monitored {
	struct scratch *s;
	struct thread *t;
	struct ctrec_codeplan *plan;
	__u64 frame;
};

/* A small non-negative int object. */
static __always_inline __u32 small(struct scratch *s, __u64 p)
{
	return long_digits(ld(s, p + L.long_size)) ? ld(s, p + L.long_digit) & 0x3fffffff : 0;
}

static __always_inline __u64 running_frame(struct scratch *s, __u64 tstate)
{
	__u64 f = L.tstate_frame ? ld(s, tstate + L.tstate_frame) :
				   ld(s, ld(s, tstate + L.tstate_cframe) + L.cframe_current_frame);

	for (int i = 0; i < 8 && f && L.frame_owner_none &&
			(ld(s, f + L.frame_owner) >> (L.frame_owner & 7) * 8 & 0xff) >= L.frame_owner_none; i++)
		f = ld(s, f + L.frame_previous);
	return f;
}

/* 1: the event is recorded; 0: its code is not, or nothing is. start: where a frame
 * starts another code object may have taken the address of the one that was known. */
static __always_inline int monitored(struct monitored *m, __u64 code, int start)
{
	__u64 tstate = ((__u64 (*)(void))(uintptr_t)arming()->api.current_tstate)();

	m->s = scratch_get();
	m->plan = code_known(code);
	if (m->plan && start && m->plan->fingerprint != code_fingerprint(m->s, code))
		m->plan = 0;
	if (m->plan && m->plan->state != PLAN_PENDING && m->plan->flags & PLANC_SKIP)
		return 0;
	m->t = thread_get(tstate);
	m->frame = running_frame(m->s, tstate);
	if (!m->t || !m->frame || frame_code(m->s, m->frame) != code)
		return 0;
	if (m->t->fresh)
		late_frames(m->s, m->t, m->frame);
	return 1;
}

static __always_inline __u64 skipped(struct monitored *m)
{
	return m->plan && m->plan->flags & PLANC_SKIP ? DISABLE : NONE;
}

static __always_inline void at(struct monitored *m, __u32 lasti)
{
	m->s->lasti = lasti;
	m->s->has_lasti = 1;
}

static __always_inline __u64 started(__u64 *args, __u32 flags, __u64 exc)
{
	struct monitored m;
	struct act *a;

	if (!is_on())
		return NONE;
	if (!monitored(&m, args[0], 1))
		return exc ? NONE : skipped(&m);
	a = enter(m.s, m.t, m.frame);
	if (!a)
		return NONE;
	if (a->flags & ACT_SKIP) {
		act_pop(m.t);
		return exc ? NONE : DISABLE;
	}
	at(&m, small(m.s, args[1]));
	entry_event(m.s, m.t, a, m.frame, flags, exc ? ld(m.s, exc + 8) : 0, exc);
	m.s->has_lasti = 0;
	return NONE;
}

__attribute__((used)) __u64 page_start(__u64 self, __u64 *args, __s64 n)
{
	(void)self;
	return n < 2 ? NONE : started(args, 0, 0);
}

__attribute__((used)) __u64 page_resume(__u64 self, __u64 *args, __s64 n)
{
	(void)self;
	return n < 2 ? NONE : started(args, EVF_RESUME, 0);
}

__attribute__((used)) __u64 page_throw(__u64 self, __u64 *args, __s64 n)
{
	(void)self;
	return n < 3 ? NONE : started(args, EVF_RESUME, args[2]);
}

/* The activation of a frame seen inside: one whose start was not may be left out. */
static __always_inline struct act *inside(struct monitored *m)
{
	struct act *a = act_find(m->s, m->t, m->frame);

	if (a && a->flags & ACT_SKIP) {
		act_pop(m->t);
		return 0;
	}
	return a;
}

__attribute__((used)) __u64 page_line(__u64 self, __u64 *args, __s64 n)
{
	struct monitored m;
	struct act *a;

	(void)self;
	if (n < 2 || !is_on())
		return NONE;
	if (!monitored(&m, args[0], 0))
		return skipped(&m);
	a = inside(&m);
	if (!a)
		return skipped(&m);
	line_event(m.s, m.t, a, m.frame);
	return NONE;
}

static __always_inline __u64 left(__u64 *args, __u64 value, __u64 exc)
{
	struct monitored m;
	struct act *a;

	if (!is_on())
		return NONE;
	if (!monitored(&m, args[0], 0))
		return exc ? NONE : skipped(&m);
	a = inside(&m);
	if (!a)
		return exc ? NONE : skipped(&m);
	at(&m, small(m.s, args[1]));
	return_event(m.s, m.t, a, m.frame, value, exc ? ld(m.s, exc + 8) : 0, exc);
	m.s->has_lasti = 0;
	return NONE;
}

/* PY_RETURN and PY_YIELD */
__attribute__((used)) __u64 page_return(__u64 self, __u64 *args, __s64 n)
{
	(void)self;
	return n < 3 ? NONE : left(args, args[2], 0);
}

__attribute__((used)) __u64 page_unwind(__u64 self, __u64 *args, __s64 n)
{
	(void)self;
	return n < 3 ? NONE : left(args, 0, args[2]);
}

static __u32 location_delta(const __u8 *p, const __u8 *end, __s32 *line)
{
	__u64 v = 0;
	__u32 code = *p >> 3 & 15, shift = 0;

	if (code == 13 || code == 14) {
		for (p++; p < end && shift < 36; p++, shift += 6) {
			v |= (__u64)(*p & 63) << shift;
			if (!(*p & 64))
				break;
		}
		*line += v & 1 ? -(__s32)(v >> 1) : (__s32)(v >> 1);
	} else if (code >= 10 && code <= 12) {
		*line += code - 10;
	}
	return code;
}

/* Are two instructions of one line? (Objects/locations.md, 3.11+) */
static int same_line(struct scratch *s, __u64 code, __u32 a, __u32 b)
{
	__u64 table = ld(s, code + L.code_linetable), n = ld(s, table + L.bytes_size);
	const __u8 *p = (const __u8 *)(uintptr_t)(table + L.bytes_data), *end = p + n;
	__s32 line = ld32(s, code + L.code_firstlineno), la = -1, lb = -2;
	__u64 to = 0, from;

	if (s->fault || n > 1 << 24)
		return 0;
	for (__u64 q = (__u64)p & ~4095ULL; q < (__u64)end; q += 4096)
		if (!known(s, q))
			return 0;
	while (p < end && (to <= a || to <= b)) {
		from = to;
		to += ((*p & 7u) + 1) * 2;
		if (location_delta(p, end, &line) != 15) {
			if (a >= from && a < to)
				la = line;
			if (b >= from && b < to)
				lb = line;
		}
		do
			p++;
		while (p < end && !(*p & 128));
	}
	return la == lb;
}

/* A jump back within a line is a line event for sys.settrace, and no LINE here. */
__attribute__((used)) __u64 page_jump(__u64 self, __u64 *args, __s64 n)
{
	struct monitored m;
	struct act *a;
	__u32 from, to;

	(void)self;
	if (n < 3 || !is_on())
		return NONE;
	if (!monitored(&m, args[0], 0))
		return skipped(&m);
	from = small(m.s, args[1]);
	to = small(m.s, args[2]);
	if (to > from || !same_line(m.s, args[0], from, to))
		return DISABLE;
	a = inside(&m);
	if (!a)
		return skipped(&m);
	at(&m, to);
	line_event(m.s, m.t, a, m.frame);
	m.s->has_lasti = 0;
	return NONE;
}

__attribute__((used)) int page_install_entry(void *arg)
{
	struct page_arming *a = arming();
	ev_u64 *f = a->callbacks.function;

	(void)arg;
	f[PAGE_EV_LINE] = (ev_u64)(uintptr_t)page_line;
	f[PAGE_EV_JUMP] = (ev_u64)(uintptr_t)page_jump;
	f[PAGE_EV_PY_START] = (ev_u64)(uintptr_t)page_start;
	f[PAGE_EV_PY_RESUME] = (ev_u64)(uintptr_t)page_resume;
	f[PAGE_EV_PY_THROW] = (ev_u64)(uintptr_t)page_throw;
	f[PAGE_EV_PY_RETURN] = (ev_u64)(uintptr_t)page_return;
	f[PAGE_EV_PY_YIELD] = (ev_u64)(uintptr_t)page_return;
	f[PAGE_EV_PY_UNWIND] = (ev_u64)(uintptr_t)page_unwind;
	return page_follow_want(a);
}

__attribute__((used)) int page_uninstall_entry(void *arg)
{
	(void)arg;
	return page_follow_want(arming());
}

#endif
