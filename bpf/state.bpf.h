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
#define QUEUE 512	   /* objects waiting to be visited */
#define REC_BYTES 16384	   /* EV_MAX_RECORD */
#define REC_SLACK 4104	   /* one longest piece beyond any masked offset */
#define STACK 256	   /* activations held in task storage, deeper ones in `deep` */
#define CACHE 2048	   /* hashes of variables as last sent */
#define VARS_PER_EVENT 256 /* variables read in one event; the rest in turns */

struct qent {
	__u64 ptr;
	__u64 meta; /* depth | QM_NAME */
};
#define QM_NAME 0x100 /* a name: outside depth and object budget */

struct scratch {
	__u64 tag[NLINES]; /* address of the line held | the event's turn */
	__u64 turn;	   /* 1..LINE-1, so that lines of earlier events do not match */
	__u64 hash;
	__u64 salt;
	__u64 cellmask;
	__u64 slots; /* address of localsplus */
	__u32 out;   /* bytes of rec in use */
	__u32 nvars;
	__u32 qh, qt;
	__u32 nodes;	/* objects this event may still visit */
	__u32 varnodes; /* objects this variable may still visit */
	__u32 fault;
	__u32 varcut;
	__u32 full;
	__u32 cbase;
	__u32 changed; /* slots below 32 bound anew since this frame's last event, perhaps */
	__u32 mutables; /* objects of this tree that may change */
	__u32 visits[2]; /* names seen before that this event may still read: of mutables, of others */
	__u32 cut;	 /* variables were left out, first_cut the first of them (names) */
	__u32 first_cut;
	/* a walk over a dict's entries */
	__u64 entries, values, stride, koff;
	__u32 want, got;
	__u64 first;
	struct qent q[QUEUE];
	__u8 rec[REC_BYTES + REC_SLACK];
	__u8 line[NLINES * LINE + LINE_SLACK];
};

struct act {
	__u64 frame;
	__u64 serial;
	__u64 cellmask;
	__u64 version; /* NAMES: of the dict at the last event */
	__u32 code;
	__u32 epoch;
	__u16 flags; /* ACT_* */
	__u16 nslots; /* NAMES: entries at the last event */
	__u32 cursor;
	__u32 stores; /* slots its last event's line may bind anew */
	__u32 unproven; /* variables were left out: nothing says that they stayed */
};
#define ACT_SKIP 1
#define ACT_NAMES 2
#define ACT_MODULE 4
#define ACT_LATE 8
#define ACT_NOPLAN 16
#define ACT_SENT 32 /* an event of this activation went out */
#define ACT_GENERATOR 64

/* A variable as last sent. */
struct sent {
	__u64 hash; /* of all bytes */
	__u64 same; /* of what proves them unchanged unread; 0: nothing does */
};

struct thread {
	__u32 index;
	__u32 sp;    /* activations on the stack */
	__u32 depth; /* recorded ones among them */
	__u32 count; /* events, for the timestamps' turn */
	__u64 serial;
	__u64 io_buf, io_len, io_offset, io_total;
	__u32 io_nr, io_fd, io_stream, io_wake;
	struct act none; /* where an index out of range leads */
	struct act stack[STACK];
	struct sent cache[CACHE];
};

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

#define L (cfg.layout)

#endif
