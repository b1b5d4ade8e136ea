/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * plan.bpf.h: code objects and types seen for the first time.
 *
 * Capture gives the id, announces (address, id) on the control ring and waits,
 * bounded, until the daemon has read the object and answered with a plan. The
 * object can't go away meanwhile: this thread holds the GIL. A generation ends
 * when the interpreter frees the object (a probe on its tp_dealloc drops the
 * entry); without that probe the fingerprint is compared at each use.
 */
#ifndef PLAN_BPF_H
#define PLAN_BPF_H

struct wait_ctx {
	__u64 key;
	__u64 start;
	__u32 type;
	__u32 ready;
};

/* A kernel without preemption (PREEMPT_NONE) keeps the CPU from the daemon while
 * a program spins. No helper yields as such; this one passes a cond_resched() on
 * its way through get_user_pages() (mm/gup.c, Linux 6.18). */
static __always_inline void yield(void)
{
	__u64 w;

	bpf_copy_from_user_task(&w, sizeof(w), (void *)cfg.runtime, bpf_get_current_task_btf(), 0);
}

static long wait_plan(__u32 i, struct wait_ctx *w)
{
	if (w->type) {
		struct ctrec_typeplan *p = bpf_map_lookup_elem(&types, &w->key);

		if (!p || p->state != PLAN_PENDING) {
			w->ready = 1;
			return 1;
		}
	} else {
		struct ctrec_codeplan *p = bpf_map_lookup_elem(&codes, &w->key);

		if (!p || p->state != PLAN_PENDING) {
			w->ready = 1;
			return 1;
		}
	}
	if ((i & 255) != 255)
		return 0;
	yield();
	return bpf_ktime_get_ns() - w->start > cfg.plan_ns;
}

static __always_inline int await_plan(__u64 key, __u32 type)
{
	struct wait_ctx w = { .key = key, .start = bpf_ktime_get_ns(), .type = type };

	/* one loop ends after its turns, which a busy machine may need many times over */
	for (int i = 0; i < 32 && !w.ready && bpf_ktime_get_ns() - w.start < cfg.plan_ns; i++)
		bpf_loop(1 << 22, wait_plan, &w, 0);
	return w.ready;
}

static __always_inline __u64 now(void)
{
	return bpf_ktime_get_ns();
}

static __always_inline struct ctrec_codeplan *code_known(__u64 code)
{
	return bpf_map_lookup_elem(&codes, &code);
}

static __always_inline struct ctrec_typeplan *type_known(__u64 type)
{
	return bpf_map_lookup_elem(&types, &type);
}

static __always_inline void type_forget(__u64 type)
{
	bpf_map_delete_elem(&types, &type);
}

static __always_inline struct ctrec_stores *stores_of(__u32 code)
{
	return bpf_map_lookup_elem(&stores, &code);
}

/* Names' first bytes, line and sizes: what a reused address would have to match. */
__noinline int code_fingerprint(struct scratch *s, __u64 code)
{
	__u64 h = 1, name, file;

	if (!s)
		return 0;
	name = ld(s, code + L.code_name);
	file = ld(s, code + L.code_filename);
	h = mix(h, ld(s, code + L.code_localsplusnames));
	h = mix(h, ld(s, code + L.code_linetable));
	h = mix(h, ld(s, code + L.code_consts));
	h = mix(h, ld32(s, code + L.code_firstlineno));
	h = mix(h, ld(s, code + L.code_size));
	h = mix(h, ld32(s, code + L.code_nlocalsplus));
	h = mix(h, name);
	h = mix(h, ld(s, name + L.str_length));
	h = mix(h, ld(s, name + L.str_ascii_data));
	h = mix(h, ld(s, name + L.str_ascii_data + 8));
	h = mix(h, file);
	h = mix(h, ld(s, file + L.str_length));
	h = mix(h, ld(s, file + L.str_ascii_data));
	h = mix(h, ld(s, file + L.str_ascii_data + 8));
	return (__u32)(h ^ (h >> 32)) & 0x7fffffff;
}

static __always_inline int announce(__u8 type, __u64 addr, __u32 id, __u64 fp)
{
	struct ev_newcode e = {
		.h = { .size = sizeof(e), .type = type },
		.addr = addr, .fingerprint = fp, .code = id,
		.pid = bpf_get_current_pid_tgid() >> 32,
	};

	return bpf_ringbuf_output(&control, &e, sizeof(e), BPF_RB_FORCE_WAKEUP);
}

/* The plan of a code object; NULL when none came in time. */
static __always_inline struct ctrec_codeplan *code_plan(struct scratch *s, __u64 code)
{
	struct ctrec_codeplan *p = bpf_map_lookup_elem(&codes, &code);
	struct ctrec_codeplan new = {};

	if (p && cfg.verify_code &&
	    p->fingerprint != (__u32)code_fingerprint(s, code)) {
		bpf_map_delete_elem(&codes, &code);
		p = 0;
	}
	if (!p) {
		if (cfg.verify_code)
			new.fingerprint = (__u32)code_fingerprint(s, code);
		new.id = __sync_fetch_and_add(&next_code, 1);
		if (bpf_map_update_elem(&codes, &code, &new, BPF_NOEXIST))
			return 0;
		if (announce(EV_NEWCODE, code, new.id, new.fingerprint))
			return 0;
	} else if (p->state != PLAN_PENDING) {
		return p;
	}
	if (!await_plan(code, 0))
		return 0;
	return bpf_map_lookup_elem(&codes, &code);
}

__noinline int type_fingerprint(struct scratch *s, __u64 type)
{
	__u64 h = 2;

	if (!s)
		return 0;
	h = mix(h, ld(s, type + L.type_name));
	h = mix(h, ld(s, type + L.type_basicsize));
	h = mix(h, ld(s, type + L.type_dict));
	h = mix(h, ld(s, type + L.type_mro));
	return (__u32)(h ^ (h >> 32)) & 0x7fffffff;
}

static __always_inline struct ctrec_typeplan *type_plan(struct scratch *s, __u64 type)
{
	struct ctrec_typeplan *p = bpf_map_lookup_elem(&types, &type);
	struct ctrec_typeplan new = {};

	if (p && cfg.verify_code && p->fingerprint != (__u32)type_fingerprint(s, type)) {
		bpf_map_delete_elem(&types, &type);
		p = 0;
	}
	if (!p) {
		if (cfg.verify_code)
			new.fingerprint = (__u32)type_fingerprint(s, type);
		new.id = __sync_fetch_and_add(&next_type, 1);
		if (bpf_map_update_elem(&types, &type, &new, BPF_NOEXIST))
			return 0;
		if (announce(EV_NEWTYPE, type, new.id, new.fingerprint))
			return 0;
	} else if (p->state != PLAN_PENDING) {
		return p;
	}
	if (!await_plan(type, 1)) {
		gap(EVG_TYPE_LATE);
		return 0;
	}
	return bpf_map_lookup_elem(&types, &type);
}

#endif
