// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * recorder.bpf.c: the probes.
 *
 * line, function__entry and function__return of CPython's USDT, attached for one
 * process. Each finds the running frame, its activation on the thread's stack,
 * and writes one record. The frame is the current one of the interpreter's
 * thread state; the register that always held the same value is learned over
 * the first events of a probe, used instead, and checked again at every 64th.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/config.h"
#include "bpf/state.bpf.h"
#include "bpf/memory.bpf.h"
#include "bpf/plan.bpf.h"
#include "bpf/ring.bpf.h"
#include "bpf/snapshot.h"
#include "bpf/frame.h"
#include "bpf/late.bpf.h"
#include "bpf/stdio.bpf.h"
#include "bpf/process.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define REG_LEARN 64

/* Each load in assembly of its own: merged into one, the context pointer would
 * be modified, which the verifier forbids. */
#define REG(r, offset)                                                                             \
	case r:                                                                                    \
		asm volatile("%0 = *(u64 *)(%1 + " #offset ")" : "=r"(v) : "r"(c));               \
		return v

/* The first 15 words of pt_regs: r15 r14 r13 r12 bp bx r11 r10 r9 r8 ax cx dx si di. */
static __always_inline __u64 reg(struct pt_regs *c, __u32 r)
{
	__u64 v;

	switch (r) {
	REG(0, 0);
	REG(1, 8);
	REG(2, 16);
	REG(3, 24);
	REG(4, 32);
	REG(5, 40);
	REG(6, 48);
	REG(7, 56);
	REG(8, 64);
	REG(9, 72);
	REG(10, 80);
	REG(11, 88);
	REG(12, 96);
	REG(13, 104);
	REG(14, 112);
	}
	return 0;
}

static __always_inline __u32 regs_equal(struct pt_regs *c, __u64 v)
{
	return (c->r15 == v) | (c->r14 == v) << 1 | (c->r13 == v) << 2 | (c->r12 == v) << 3 |
	       (c->bp == v) << 4 | (c->bx == v) << 5 | (c->r11 == v) << 6 | (c->r10 == v) << 7 |
	       (c->r9 == v) << 8 | (c->r8 == v) << 9 | (c->ax == v) << 10 | (c->cx == v) << 11 |
	       (c->dx == v) << 12 | (c->si == v) << 13 | (c->di == v) << 14;
}

static __always_inline __u32 lowest(__u32 m)
{
	__u32 r = 0;

	if (!(m & 0xff)) { r += 8; m >>= 8; }
	if (!(m & 0xf)) { r += 4; m >>= 4; }
	if (!(m & 3)) { r += 2; m >>= 2; }
	return r + !(m & 1);
}

static __always_inline __u64 current_tstate(struct scratch *s)
{
	return ld(s, cfg.runtime + L.runtime_tstate_current);
}

static __always_inline __u64 current_frame(struct pt_regs *ctx, struct scratch *s, struct thread *t,
					   __u32 probe)
{
	__u32 seen = reg_seen[probe & 3], mask = reg_mask[probe & 3];
	__u64 ts, f;

	if (mask && seen >= REG_LEARN && t->count & 63)
		return reg(ctx, lowest(mask));
	ts = current_tstate(s);
	f = ts ? ld(s, ld(s, ts + L.tstate_cframe) + L.cframe_current_frame) : 0;
	if (f && !s->fault) {
		reg_mask[probe & 3] = mask & regs_equal(ctx, f);
		if (seen < REG_LEARN)
			reg_seen[probe & 3] = seen + 1;
	}
	return s->fault ? 0 : f;
}

static __always_inline struct thread *thread_get(struct task_struct *task)
{
	struct thread *t = bpf_task_storage_get(&threads, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	struct ev_thread e = { .h = { .size = sizeof(e), .type = EV_THREAD } };
	__u64 id;

	if (!t || t->index)
		return t;
	t->index = __sync_fetch_and_add(&next_thread, 1);
	t->late = cfg.late;
	id = bpf_get_current_pid_tgid();
	e.h.order = next_order();
	e.thread = t->index;
	e.tid = id;
	e.pid = id >> 32;
	e.start = task->start_boottime;
	bpf_get_current_comm(e.comm, sizeof(e.comm));
	if (bpf_ringbuf_output(&events, &e, sizeof(e), BPF_RB_NO_WAKEUP))
		gap(EVG_RING_FULL);
	return t;
}

static __always_inline struct scratch *scratch_get(struct task_struct *task)
{
	struct scratch *s = bpf_task_storage_get(&scratches, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (s) {
		if (++s->turn == LINE) {
			__builtin_memset(s->tag, 0, sizeof(s->tag));
			s->turn = 1;
		}
		s->fault = 0;
	}
	return s;
}

/* The exception being propagated: its class, then its value, as one variable. */
__noinline int put_exception(struct scratch *s, __u64 ts)
{
	__u64 type, value;
	__u32 start;

	if (!s)
		return 0;
	start = s->out & (REC_BYTES - 8);
	type = ld(s, ts + L.tstate_curexc_type);
	value = ld(s, ts + L.tstate_curexc_value);
	s->out = start + 8;
	s->varnodes = s->nodes;
	tree(s, type, 0);
	tree(s, value, 0);
	*(__u64 *)(s->rec + start) = EV_SLOT_EXC | (__u64)EVV_NAMED << 16 |
				     (__u64)(s->out - start - 8) << 32;
	s->nvars++;
	return 0;
}

/* How a generator's frame is entered: EVF_RESUME, EVF_THROW. */
__noinline int resumed(struct scratch *s, __u64 frame)
{
	struct ctrec_codeplan *plan;
	__u64 code, prev, ts;

	if (!s)
		return 0;
	code = ld(s, frame + L.frame_code);
	prev = ld(s, frame + L.frame_prev_instr);
	ts = current_tstate(s);
	plan = bpf_map_lookup_elem(&codes, &code);
	if (ts && ld(s, ts + L.tstate_curexc_type))
		return EVF_THROW | EVF_RESUME;
	if (plan && prev - code - L.code_code != plan->firsttraceable * 2)
		return EVF_RESUME;
	return 0;
}

SEC("uprobe.s")
int on_line(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct scratch *s;
	struct thread *t;
	struct act *a;
	__u32 flags;
	__u64 f;

	if (cfg.gate != GATE_OPEN)
		return 0;
	t = thread_get(task);
	s = scratch_get(task);
	if (!t || !s)
		return 0;
	f = current_frame(ctx, s, t, 0);
	if (!f) {
		gap(EVG_BAD_FRAME);
		return 0;
	}
	if (t->late)
		late_frames(s, t, f);
	a = act_find(s, t, f);
	if (!a || a->flags & ACT_SKIP)
		return 0;
	event_begin(s);
	flags = variables(s, t, f, 0);
	frame_event(s, t, a, f, EV_LINE, flags);
	return 0;
}

SEC("uprobe.s")
int on_entry(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 flags;
	__u64 f;
	struct scratch *s;
	struct thread *t;
	struct act *a;

	if (cfg.gate != GATE_OPEN)
		return 0;
	t = thread_get(task);
	s = scratch_get(task);
	if (!t || !s)
		return 0;
	f = current_frame(ctx, s, t, 1);
	if (!f) {
		gap(EVG_BAD_FRAME);
		return 0;
	}
	if (t->late) {
		/* that of a thread which began just now; others begin with a line */
		if (ld(s, f + L.frame_previous))
			return 0;
		t->late = 0;
	}
	if (act_enter(s, t, f, 0))
		return 0;
	a = act_at(t, t->sp - 1);
	if (!a || a->flags & ACT_SKIP)
		return 0;
	event_begin(s);
	flags = variables(s, t, f, 1);
	if (a->flags & ACT_GENERATOR)
		flags |= resumed(s, f);
	if (flags & EVF_THROW)
		put_exception(s, current_tstate(s));
	frame_event(s, t, a, f, EV_ENTRY, flags);
	return 0;
}

SEC("uprobe.s")
int on_return(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct scratch *s;
	struct thread *t;
	struct act *a;
	__u32 flags = 0, start;
	__u64 f, ts, p;

	if (cfg.gate != GATE_OPEN)
		return 0;
	t = thread_get(task);
	s = scratch_get(task);
	if (!t || !s)
		return 0;
	if (t->late)
		return 0;
	f = current_frame(ctx, s, t, 2);
	if (!f || (!t->sp && !t->below)) {
		gap(EVG_BAD_FRAME);
		return 0;
	}
	a = act_find(s, t, f);
	if (!a)
		return 0;
	if (a->flags & ACT_SKIP) {
		act_pop(t);
		return 0;
	}
	event_begin(s);
	ts = current_tstate(s);
	if (ts && ld(s, ts + L.tstate_curexc_type))
		flags |= EVF_UNWIND;
	if (a->flags & ACT_NOPLAN) {
		flags |= EVF_NOVALUES;
	} else if (flags & EVF_UNWIND) {
		put_exception(s, ts);
	} else {
		p = f + L.frame_localsplus + (__u64)ld32(s, f + L.frame_stacktop) * 8;
		p = ld(s, p);
		start = s->out & (REC_BYTES - 8);
		s->out = start + 8;
		s->varnodes = s->nodes;
		tree(s, p, 0);
		*(__u64 *)(s->rec + start) = EV_SLOT_RETURN | (__u64)(s->out - start - 8) << 32;
		s->nvars++;
	}
	frame_event(s, t, a, f, EV_RETURN, flags);
	act_pop(t);
	return 0;
}

/* A code object or type is freed: the next one at its address is another. */
SEC("uprobe.s")
int on_code_dealloc(struct pt_regs *ctx)
{
	__u64 p = ctx->di;

	bpf_map_delete_elem(&codes, &p);
	return 0;
}

SEC("uprobe.s")
int on_type_dealloc(struct pt_regs *ctx)
{
	__u64 p = ctx->di;

	bpf_map_delete_elem(&types, &p);
	return 0;
}

/* Interpreter start-up is over: the user's program begins. */
SEC("uprobe.s")
int on_run_main(struct pt_regs *ctx)
{
	if (cfg.gate == GATE_CLOSED)
		cfg.gate = GATE_OPEN;
	process_event(EVP_RUNMAIN, bpf_get_current_pid_tgid() >> 32, 0, 0, 0);
	return 0;
}

/* The ELF entry point of a program that may load a Python: libraries are mapped. */
SEC("uprobe.s")
int on_entry_point(struct pt_regs *ctx)
{
	bpf_send_signal(19 /* SIGSTOP */);
	process_event(EVP_ENTRYPOINT, bpf_get_current_pid_tgid() >> 32, 0, 0, 0);
	return 0;
}
