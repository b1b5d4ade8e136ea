/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * state.bpf.h: maps and per-thread state.
 *
 * Sleepable programs migrate between CPUs, so all scratch belongs to the task.
 * All loop state lives in map memory: the verifier then sees the same state at
 * each turn and converges.
 */
#ifndef STATE_BPF_H
#define STATE_BPF_H

#define NLINES 64	   /* cached lines of target memory, valid for one event */
#define LINE 512	   /* never crosses a page */
#define LINE_SLACK 128	   /* longest object looked at within one line */
#define STACK 256	   /* activations held in task storage, deeper ones in `deep` */

/* Where the loop over frames from before a thread's first event stands (late.bpf.h). */
struct late {
	__u64 frame, base;
	__u32 nframes;
	__u32 under_way;
	__u32 at, end; /* of the variables of the top activation */
	__u32 flags;
	__u32 n, from, last, stride, koff, changed, live; /* as in struct vars_ctx */
};

#define SCRATCH_HEAD                                                                               \
	__u64 tag[NLINES]; /* address of the line held | the event's turn */                      \
	__u64 turn;	   /* 1..LINE-1, so that lines of earlier events do not match */
#define SCRATCH_TAIL                                                                               \
	struct late late;                                                                          \
	__u8 line[NLINES * LINE + LINE_SLACK];
#define THREAD_HEAD                                                                                \
	__u64 io_buf, io_len, io_offset, io_total;                                                \
	__u32 io_nr, io_fd, io_stream, io_wake;                                                   \
	__u32 late;  /* its frames from before its first event are still to be entered */         \
	__u32 below; /* there are more of them than were */                                       \
	struct act none; /* where an index out of range leads */

/* The USDT probes of 3.12 are gone: shapes are 3.11's. */
#define VERSIONED 0
#define WALK_INLINE static __always_inline /* eight calls deep at most */
#define LOOP(n, fn, ctx) bpf_loop(n, fn, ctx, 0)
#define STR_LENGTH 16
#define STR_STATE 32
#define STR_DATA 48

#include "bpf/state.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 24);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} control SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct scratch);
} scratches SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct thread);
} threads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 18);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64); /* thread index << 32 | position */
	__type(value, struct act);
} deep SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, struct ctrec_codeplan);
} codes SEC(".maps");

/* By code id; code objects beyond have none and all their variables are read. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, REC_STORES);
	__type(key, __u32);
	__type(value, struct ctrec_stores);
} stores SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct ctrec_typeplan);
} types SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, struct rec_proc);
} procs SEC(".maps");

struct rec_config cfg SEC(".data");
struct rec_stats stats SEC(".data.stats");
__u32 next_code SEC(".data.ids") = 1;
__u32 next_type SEC(".data.ids") = 1;
__u32 next_thread SEC(".data.ids") = 1;
/* Bit r: register r held the frame each time so far; [0] line, [1] entry, [2] return. */
__u32 reg_mask[4] SEC(".data.ids") = { 0x7fff, 0x7fff, 0x7fff, 0 };
__u32 reg_seen[4] SEC(".data.ids") = {};

static __always_inline void gap(__u32 reason)
{
	if (reason < EVG_MAX)
		__sync_fetch_and_add(&stats.gaps[reason], 1);
}

static __always_inline __u64 next_order(void)
{
	return __sync_fetch_and_add(&stats.order, 1) + 1;
}

#endif
