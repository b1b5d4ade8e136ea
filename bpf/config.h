/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * config.h: what the daemon writes into the BPF programs' memory, and reads back.
 * Both live in mmap-able sections of the skeleton; sizes are shared at compile time.
 */
#ifndef BPF_CONFIG_H
#define BPF_CONFIG_H

#include "ctrec/layout.h"

/* One slot of the table that tells static objects and types apart. */
struct rec_static {
	ev_u64 addr;
	ev_u64 kind; /* enum ctrec_static + 1 */
};
#define REC_STATICS 128 /* slots; the multiplier is chosen so that none collide */

struct rec_config {
	struct ctrec_layout layout;
	struct ctrec_limits limits;
	ev_u64 runtime; /* address of _PyRuntime */
	ev_u64 small_ints; /* address of the static ints; ~0: none */
	ev_u64 static_mul;
	struct rec_static statics[REC_STATICS];
	ev_u64 ring_high;   /* bytes in the ring from which on the target waits */
	ev_u64 ring_wake;   /* bytes from which on the drain is woken */
	ev_u64 wait_ns;	    /* longest spin for room in the ring, before a stop */
	ev_u64 plan_ns;	    /* longest spin for a plan: far above what the daemon needs */
	ev_u32 gate;	    /* GATE_* */
	ev_u32 all;	    /* 1: the gate is open from the start */
	ev_u32 epoch;	    /* raised: every frame's next event is full */
	ev_u64 page_order;  /* address of the count of events in the target's page; 0: events are ours */
	ev_u32 verify_code; /* 1: no dealloc probe, compare fingerprints at each entry */
	ev_u32 late;	    /* 1: threads have frames already when the gate opens */
};

#define REC_STORES 16384 /* code objects whose lines' stores are known */

#define GATE_CLOSED 0 /* the interpreter starts up */
#define GATE_OPEN 1   /* events are recorded */
#define GATE_OVER 2   /* the recorded program became another */

struct rec_stats {
	ev_u64 order; /* records handed out so far */
	ev_u64 values;
	ev_u64 waits;
	ev_u64 stops;
	ev_u64 gaps[EVG_MAX];
};

/* Value of the map `procs`, keyed by thread-group id. */
struct rec_proc {
	ev_u64 out_file, err_file; /* struct file behind fds 1 and 2 at its exec, or PROC_FILES */
	ev_u32 flags;		   /* PROC_* */
	ev_u32 pad;
};
#define PROC_SEARCH 1	/* stop at exec: the daemon looks for a Python */
#define PROC_RECORDED 2 /* a Python with probes on it */
#define PROC_OUTPUT 4	/* its output is recorded */
#define PROC_FILES 8	/* out_file and err_file are not known: what its next write finds */
#define PROC_WATCH 16	/* not stopped, but known: with its files, its children, its end */

#endif
