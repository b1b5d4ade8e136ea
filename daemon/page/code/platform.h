/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * platform.h: the probe page's side of what bpf/state.h asks of a platform.
 *
 * Code inside the target, called with the GIL held: no libc, no allocation, no
 * lock, no relocation; system calls only where it waits or meets a page of
 * memory it has not read before. Objects are alive, so that a pointer is nearly
 * always good; one that is not must not hurt the target all the same.
 */
#ifndef PAGE_PLATFORM_H
#define PAGE_PLATFORM_H

#include <stdint.h>

typedef uint8_t __u8;
typedef uint16_t __u16;
typedef uint32_t __u32;
typedef int32_t __s32;
typedef int64_t __s64;
typedef uint64_t __u64;

#define __always_inline inline __attribute__((always_inline))
#define __noinline __attribute__((noinline)) static

#include "page/shared.h"

#define STACK 8192
#define LATE_FRAMES 4096 /* frames a thread brings along when it is first seen */
#define KNOWN 512	   /* pages of memory known to be readable */
#define KNOWN_EVENTS 4096 /* after so many events nothing is known again: memory may go */

#define SCRATCH_HEAD                                                                               \
	__u64 known[KNOWN];                                                                       \
	__u64 turn;
#define SCRATCH_TAIL
#define THREAD_HEAD                                                                                \
	__u64 tstate;                                                                             \
	__u64 late_entry; /* generator's frame that starts: its entry is written with its next event */      \
	__u64 exc_serial; /* activation of the exception in exc, 0: none */                       \
	__u32 tid, fresh, exc_len, exc_vars, late_flags;                                       \
	__s32 late_lasti;                                                                         \
	__u8 exc[2048];

#define VERSIONED 1
#define WALK_INLINE __noinline
#define LOOP(n, fn, ctx)                                                                           \
	do {                                                                                      \
		for (__u32 loop_ = 0; loop_ < (__u32)(n); loop_++)                                \
			if (fn(loop_, ctx))                                                       \
				break;                                                            \
	} while (0)
#define STR_LENGTH 16
#define STR_STATE 32
#define STR_DATA L.str_ascii_data

#define cfg (page()->public.cfg)
#define stats (page()->public.stats)

#include "bpf/state.h"

struct page_private {
	struct page_public public;
	__u64 below[LATE_FRAMES];
	struct scratch scratch;
	struct thread threads[PAGE_THREADS];
};

_Static_assert(sizeof(struct page_private) - sizeof(struct page_public) <= PAGE_PRIVATE, "PAGE_PRIVATE");

/* The text's first byte, from which everything else has its distance. */
extern __u8 page_base[] __attribute__((visibility("hidden")));

static __always_inline struct page_private *page(void)
{
	return (struct page_private *)(uintptr_t)(page_base + PAGE_DATA);
}

static __always_inline struct page_arming *arming(void)
{
	return (struct page_arming *)(uintptr_t)(page_base + PAGE_ARMING);
}

static __always_inline long syscall6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long r;

	__asm__ volatile("syscall" : "=a"(r) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return r;
}

#define NR_rt_sigprocmask 14
#define NR_gettid 186
#define NR_clock_gettime 228
#define NR_futex 202
#define FUTEX_WAIT 0
#define FUTEX_WAKE 1
#define EFAULT 14

static __always_inline void gap(__u32 reason)
{
	if (reason < EVG_MAX)
		stats.gaps[reason]++;
}

static __always_inline __u64 next_order(void)
{
	return __atomic_add_fetch(&stats.order, 1, __ATOMIC_RELAXED);
}

static __always_inline __u64 now(void)
{
	__u64 fn = arming()->api.clock_gettime;
	__s64 ts[2] = { 0, 0 };

	if (!fn)
		syscall6(NR_clock_gettime, 1, (long)ts, 0, 0, 0, 0);
	else
		((int (*)(int, __s64 *))(uintptr_t)fn)(1 /* CLOCK_MONOTONIC */, ts);
	return ts[0] * 1000000000 + ts[1];
}

/* Is there memory? A call that fails for its first argument says so once it has
 * read its second (kernel/signal.c, rt_sigprocmask). */
__noinline int readable(struct scratch *s, __u64 addr)
{
	__u64 pg = addr >> 12;

	if (!pg || addr >> 47 || syscall6(NR_rt_sigprocmask, -1, pg << 12, 0, 8, 0, 0) == -EFAULT) {
		s->fault = 1;
		return 0;
	}
	s->known[pg & (KNOWN - 1)] = pg;
	return 1;
}

static __always_inline int known(struct scratch *s, __u64 addr)
{
	__u64 pg = addr >> 12;

	return s->known[pg & (KNOWN - 1)] == pg || readable(s, addr);
}

static __always_inline __u64 ld(struct scratch *s, __u64 addr)
{
	addr &= ~7ULL;
	return known(s, addr) ? *(volatile __u64 *)(uintptr_t)addr : 0;
}

static __always_inline __u32 ld32(struct scratch *s, __u64 addr)
{
	__u64 w = ld(s, addr);

	return addr & 4 ? w >> 32 : (__u32)w;
}

static __always_inline int near_fits(__u64 addr, __u64 n)
{
	return (addr & 4095) + n <= 4096;
}

static __always_inline __u8 *near(struct scratch *s, __u64 addr, __u32 need)
{
	addr &= ~7ULL;
	return near_fits(addr, need) && known(s, addr) ? (__u8 *)(uintptr_t)addr : 0;
}

typedef __u64 unaligned __attribute__((aligned(1)));

__noinline int copy_bytes(struct scratch *s, __u64 addr, __u32 n)
{
	struct cursor c = cursor(s);
	__u32 i, left;
	__u64 w;
	int bad = 0;

	if (n > 4096)
		n = 4096;
	for (i = 0; i < n; i += 8) {
		left = n - i;
		w = 0;
		if (!bad && left >= 8 && near_fits(addr + i, 8) && known(s, addr + i)) {
			w = *(volatile unaligned *)(uintptr_t)(addr + i);
		} else {
			for (__u32 k = 0; k < 8 && k < left && !bad; k++) {
				if (known(s, addr + i + k))
					w |= (__u64)*(volatile __u8 *)(uintptr_t)(addr + i + k) << k * 8;
				else
					bad = -1;
			}
		}
		word(s, &c, w);
	}
	cursor_end(s, &c);
	return bad;
}

static __always_inline __u32 text_length(__u64 addr)
{
	struct scratch *s = &page()->scratch;
	__u32 n = 0;

	while (n < 63 && known(s, addr + n) && *(volatile __u8 *)(uintptr_t)(addr + n))
		n++;
	return n;
}

/* ---- a thread's activations ---- */

static __always_inline struct act *act_at(struct thread *t, __u32 i)
{
	return i < STACK ? &t->stack[i] : 0;
}

static __always_inline struct act *act_push(struct thread *t)
{
	return t->sp < STACK ? &t->stack[t->sp++] : 0;
}

static __always_inline void act_pop(struct thread *t)
{
	struct act *a = &t->stack[--t->sp];

	if (!(a->flags & ACT_SKIP) && t->depth)
		t->depth--;
}

/* ---- rings ---- */

/* Bytes for one record, after the pad that may be needed; NULL: no room. */
static __always_inline __u8 *ring_at(struct page_ring *r, __u8 *bytes, __u32 size, __u32 n)
{
	__u64 head = r->head, tail = __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE);
	__u32 at = head & (size - 1), end = size - at;

	if (head - tail + n + (end < n ? end : 0) > size)
		return 0;
	if (end < n) {
		struct ev_header pad = { .size = end, .type = PAGE_PAD };

		*(struct ev_header *)(bytes + at) = pad;
		__atomic_store_n(&r->head, head + end, __ATOMIC_RELEASE);
		at = 0;
	}
	return bytes + at;
}

static __always_inline void ring_ring(struct page_ring *r)
{
	__atomic_add_fetch(&r->bell, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&r->asleep, __ATOMIC_SEQ_CST))
		syscall6(NR_futex, (long)&r->bell, FUTEX_WAKE, 1, 0, 0, 0);
}

/* Waits a slice of 10 ms on a futex; 0: the daemon is gone, the probes are off. */
static int wait_slice(__u32 *word_at, __u32 value)
{
	struct page_public *pub = &page()->public;
	__s64 slice[2] = { 0, 10000000 };
	__u64 t;

	syscall6(NR_futex, (long)word_at, FUTEX_WAIT, value, (long)slice, 0, 0);
	t = now();
	if (t - __atomic_load_n(&pub->heartbeat, __ATOMIC_RELAXED) <= PAGE_QUIET_NS ||
	    t < pub->heartbeat)
		return pub->state == PAGE_ON;
	pub->state = PAGE_ORPHAN;
	return 0;
}

__noinline __u8 *ring_wait(struct page_ring *r, __u8 *bytes, __u32 size, __u32 n)
{
	__u8 *at;
	__u32 room;

	stats.waits++;
	for (;;) {
		room = __atomic_load_n(&r->room, __ATOMIC_SEQ_CST);
		__atomic_store_n(&r->waiting, 1, __ATOMIC_SEQ_CST);
		ring_ring(r);
		at = ring_at(r, bytes, size, n);
		if (at || !wait_slice(&r->room, room))
			break;
	}
	__atomic_store_n(&r->waiting, 0, __ATOMIC_SEQ_CST);
	return at;
}

static __always_inline void copy_words(__u8 *to, const __u8 *from, __u32 n)
{
	for (__u32 i = 0; i < n; i += 8)
		*(__u64 *)(to + i) = *(const __u64 *)(from + i);
}

__noinline int ring_put(struct page_ring *r, __u8 *bytes, __u32 size, const void *rec, __u32 n)
{
	__u8 *at = ring_at(r, bytes, size, n);

	if (!at)
		at = ring_wait(r, bytes, size, n);
	if (!at)
		return -1;
	copy_words(at, rec, n);
	__atomic_store_n(&r->head, r->head + n, __ATOMIC_RELEASE);
	if (r->head - r->tail > size / 2 && __atomic_load_n(&r->asleep, __ATOMIC_RELAXED))
		ring_ring(r);
	return 0;
}

static __always_inline void send(struct thread *t, void *rec, __u32 size)
{
	struct page_public *pub = &page()->public;

	(void)t;
	if (ring_put(&pub->events, pub->event_bytes, PAGE_RING, rec, size))
		gap(EVG_RING_FULL);
}

/* ---- plans ---- */

static int announce(__u8 type, __u64 addr, __u32 id, __u64 fp)
{
	struct page_public *pub = &page()->public;
	struct ev_newcode e = { .h = { .size = sizeof(e), .type = type }, .addr = addr,
				.fingerprint = fp, .code = id };

	if (ring_put(&pub->control, pub->control_bytes, PAGE_CONTROL, &e, sizeof(e)))
		return -1;
	ring_ring(&pub->control);
	return 0;
}

static int await_plan(__u32 *state)
{
	__u64 start = now();

	while (__atomic_load_n(state, __ATOMIC_ACQUIRE) == PLAN_PENDING)
		if (!wait_slice(state, PLAN_PENDING) || now() - start > cfg.plan_ns)
			return __atomic_load_n(state, __ATOMIC_ACQUIRE) != PLAN_PENDING;
	return 1;
}

static __always_inline struct page_code *code_slot(__u64 code)
{
	struct page_code *codes = page()->public.codes;
	__u32 i = page_hash(code, PAGE_CODES);

	for (__u32 n = 0; n < 64; n++, i = (i + 1) & (PAGE_CODES - 1))
		if (codes[i].addr == code || !codes[i].addr)
			return &codes[i];
	return 0;
}

static __always_inline struct page_type *type_slot(__u64 type)
{
	struct page_type *types = page()->public.types;
	__u32 i = page_hash(type, PAGE_TYPES);

	for (__u32 n = 0; n < 64; n++, i = (i + 1) & (PAGE_TYPES - 1))
		if (types[i].addr == type || !types[i].addr)
			return &types[i];
	return 0;
}

static __always_inline struct ctrec_codeplan *code_known(__u64 code)
{
	struct page_code *c = code_slot(code);

	return c && c->addr ? &c->plan : 0;
}

static __always_inline struct ctrec_typeplan *type_known(__u64 type)
{
	struct page_type *t = type_slot(type);

	return t && t->addr ? &t->plan : 0;
}

/* Described anew at its next use, under another id. */
static __always_inline void type_forget(__u64 type)
{
	struct page_type *t = type_slot(type);

	if (t && t->addr)
		t->plan.fingerprint = 0;
}

static __always_inline struct ctrec_stores *stores_of(__u32 code)
{
	return code < REC_STORES ? &page()->public.stores[code] : 0;
}

/* What a reused address would have to match; offset 0: no such field. */
static __always_inline __u64 code_fingerprint(struct scratch *s, __u64 code)
{
	__u64 h = 3, name = ld(s, code + L.code_name), file = ld(s, code + L.code_filename);

	h = mix(h, L.code_localsplusnames ? ld(s, code + L.code_localsplusnames) : ld(s, code + L.code_varnames));
	h = mix(h, ld(s, code + L.code_linetable));
	h = mix(h, ld(s, code + L.code_consts));
	h = mix(h, ld32(s, code + L.code_firstlineno));
	h = mix(h, name);
	h = mix(h, ld(s, name + L.str_length));
	h = mix(h, ld(s, name + L.str_ascii_data));
	h = mix(h, file);
	h = mix(h, ld(s, file + L.str_length));
	return h | 1;
}

static __always_inline __u64 type_fingerprint(struct scratch *s, __u64 type)
{
	__u64 h = mix(4, ld(s, type + L.type_name));

	h = mix(h, ld(s, type + L.type_basicsize));
	h = mix(h, ld(s, type + L.type_mro));
	return h | 1;
}

/* The plan of a code object; NULL when none came in time, or there is no room for it. */
__noinline struct ctrec_codeplan *code_plan(struct scratch *s, __u64 code)
{
	struct page_code *c = code_slot(code);
	__u64 fp;

	if (!c)
		return 0;
	fp = code_fingerprint(s, code);
	if (c->addr && c->plan.fingerprint == fp) {
		if (c->plan.state != PLAN_PENDING)
			return &c->plan;
	} else {
		c->plan.state = PLAN_PENDING;
		c->plan.fingerprint = fp;
		c->plan.id = __atomic_fetch_add(&page()->public.next_code, 1, __ATOMIC_RELAXED);
		__atomic_store_n(&c->addr, code, __ATOMIC_RELEASE);
		if (announce(EV_NEWCODE, code, c->plan.id, fp))
			return 0;
	}
	return await_plan(&c->plan.state) ? &c->plan : 0;
}

__noinline struct ctrec_typeplan *type_plan(struct scratch *s, __u64 type)
{
	struct page_type *t = type_slot(type);
	__u64 fp;

	if (!t)
		return 0;
	fp = type_fingerprint(s, type);
	if (t->addr && t->plan.fingerprint == fp) {
		if (t->plan.state != PLAN_PENDING)
			return &t->plan;
	} else {
		t->plan.state = PLAN_PENDING;
		t->plan.fingerprint = fp;
		t->plan.outgrown = 0;
		t->plan.id = __atomic_fetch_add(&page()->public.next_type, 1, __ATOMIC_RELAXED);
		__atomic_store_n(&t->addr, type, __ATOMIC_RELEASE);
		if (announce(EV_NEWTYPE, type, t->plan.id, fp))
			return 0;
	}
	if (await_plan(&t->plan.state))
		return &t->plan;
	gap(EVG_TYPE_LATE);
	return 0;
}

#endif
