/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * arm.h: threads that start while the page is armed, 3.8 to 3.11, from inside the target.
 *
 * Called by the trace function, so with the GIL held. A new thread state is linked in
 * front of its interpreter's list (new_threadstate(), Python/pystate.c) and taken out with
 * the GIL held; its fields are written by its own thread only, with the GIL held.
 */
#ifndef PAGE_CODE_ARM_H
#define PAGE_CODE_ARM_H

#include "page/page.h"

#define ARM_TSTATES 4096
#define ARM_AT(type, base, offset) ((volatile type *)((__UINTPTR_TYPE__)(base) + (offset)))

static inline void arm_one(struct page_arming *a, ev_u64 tstate, ev_u64 interp, ev_u64 tracefunc)
{
	const struct page_tracing *t = &a->tracing;
	ev_u64 use = t->tstate_use_tracing ? tstate + t->tstate_use_tracing :
					     *ARM_AT(ev_u64, tstate, t->tstate_cframe) + t->cframe_use_tracing;

	/* what an earlier thread's state at this address had */
	for (ev_u32 i = 0; i < a->nchain && i < PAGE_CHAINED; i++)
		if (a->chain[i].tstate == tstate)
			a->chain[i].tracefunc = 0;
	*ARM_AT(ev_u64, tstate, t->tstate_c_tracefunc) = tracefunc;
	if (t->runtime_tracing_possible)
		++*ARM_AT(ev_u32, a->api.runtime, t->runtime_tracing_possible);
	else if (t->interp_tracing_possible)
		++*ARM_AT(ev_u32, interp, t->interp_tracing_possible);
	if (*ARM_AT(ev_u32, tstate, t->tstate_tracing) || use < 4096)
		return;
	if (t->use_size == 1)
		*ARM_AT(ev_u8, use, 0) = t->use_value;
	else
		*ARM_AT(ev_u32, use, 0) = t->use_value;
}

/* tstate: the running thread's; tracefunc: the page's own. Cheap where nothing is new. */
static inline void page_arm_new(struct page_arming *a, ev_u64 tstate, ev_u64 tracefunc)
{
	const struct page_tracing *t = &a->tracing;
	ev_u64 interp = *ARM_AT(ev_u64, tstate, t->tstate_interp);
	ev_u64 head = *ARM_AT(ev_u64, interp, t->interp_threads_head);

	/* the same address may be another thread's by now */
	if (__builtin_expect(head == a->head && *ARM_AT(ev_u64, head, t->tstate_c_tracefunc), 1))
		return;
	tstate = head;
	for (int n = 0; tstate && n < ARM_TSTATES && *(volatile ev_u32 *)&a->want; n++) {
		if (!*ARM_AT(ev_u64, tstate, t->tstate_c_tracefunc))
			arm_one(a, tstate, interp, tracefunc);
		tstate = *ARM_AT(ev_u64, tstate, t->tstate_next);
	}
	a->head = head;
}

#endif
