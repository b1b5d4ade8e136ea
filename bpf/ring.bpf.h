/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * ring.bpf.h: a thread's activations, and records into the ring.
 */
#ifndef RING_BPF_H
#define RING_BPF_H

static __always_inline struct act *act_at(struct thread *t, __u32 i)
{
	__u64 key;

	if (i < STACK)
		return &t->stack[i & (STACK - 1)];
	key = (__u64)t->index << 32 | i;
	return bpf_map_lookup_elem(&deep, &key);
}

static __always_inline struct act *act_push(struct thread *t)
{
	__u32 i = t->sp;
	struct act *a;
	__u64 key;

	if (i >= STACK) {
		key = (__u64)t->index << 32 | i;
		__builtin_memset(&t->none, 0, sizeof(t->none));
		if (bpf_map_update_elem(&deep, &key, &t->none, BPF_ANY))
			return 0;
		a = bpf_map_lookup_elem(&deep, &key);
		if (!a)
			return 0;
	} else {
		a = &t->stack[i & (STACK - 1)];
	}
	t->sp = i + 1;
	return a;
}

static __always_inline void act_pop(struct thread *t)
{
	__u32 i = t->sp - 1;
	struct act *a = act_at(t, i);
	__u64 key = (__u64)t->index << 32 | i;

	if (a && !(a->flags & ACT_SKIP) && t->depth)
		t->depth--;
	t->sp = i;
	if (i >= STACK)
		bpf_map_delete_elem(&deep, &key);
}

struct ring_ctx {
	__u64 start;
};

static long wait_ring(__u32 i, struct ring_ctx *c)
{
	if (bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) <= cfg.ring_high)
		return 1;
	if ((i & 255) != 255)
		return 0;
	yield();
	return bpf_ktime_get_ns() - c->start > cfg.wait_ns;
}

/* Above the mark the target waits: a bounded spin, then a stop until drained.
 * What is above the mark is room for events on their way to that stop. */
static __always_inline void backpressure(void)
{
	struct ring_ctx c;
	struct ev_process e = {
		.h = { .size = sizeof(e), .type = EV_STOPPED, .flags = EVP_FULLRING },
	};

	if (bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) <= cfg.ring_high)
		return;
	__sync_fetch_and_add(&stats.waits, 1);
	c.start = bpf_ktime_get_ns();
	bpf_loop(1 << 20, wait_ring, &c, 0);
	if (bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) <= cfg.ring_high)
		return;
	__sync_fetch_and_add(&stats.stops, 1);
	e.pid = bpf_get_current_pid_tgid() >> 32;
	e.time = bpf_ktime_get_ns();
	bpf_send_signal(19 /* SIGSTOP */);
	bpf_ringbuf_output(&control, &e, sizeof(e), BPF_RB_FORCE_WAKEUP);
}

static __always_inline void send(struct thread *t, void *rec, __u32 size)
{
	__u64 flags = BPF_RB_NO_WAKEUP;

	if (!(++t->io_wake & 63) && bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) > cfg.ring_wake)
		flags = BPF_RB_FORCE_WAKEUP;
	if (bpf_ringbuf_output(&events, rec, size, flags))
		gap(EVG_RING_FULL);
	backpressure();
}

#endif
