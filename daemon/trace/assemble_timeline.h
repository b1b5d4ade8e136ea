/* SPDX-License-Identifier: MIT */
/*
 * assemble_timeline.h: the state of an assembler, and the one timeline it
 * writes. Private to assemble*.c.
 *
 * What must hold: the calls open in the trace are the root and then, in order,
 * the frames of the current thread that are marked open; those are always the
 * lowest ones of its stack. Another thread's frames are never open, the root
 * apart.
 *
 * A thread becomes current with a step of its own, and a call is entered at its
 * first step or, having none, as it returns: a call without steps takes over
 * the stop before it, which may be another thread's. (Such a return alone may
 * still do that.) What returns after its thread was left ends the call record
 * it had.
 */
#ifndef TRACE_ASSEMBLE_TIMELINE_H
#define TRACE_ASSEMBLE_TIMELINE_H

#include "trace/assemble.h"
#include "trace/assemble_cache.h"
#include "trace/assemble_frame.h"
#include "trace/assemble_time.h"

/* Frames one thread may have open; what is above is not followed. */
#define THREAD_MAX_FRAMES 1000000u
/* Threads that are told apart. */
#define MAX_THREADS 65536u
/* How far below the top a record's frame is looked for. */
#define SEARCH_DEPTH 4096u

struct thread {
	uint32_t index; /* as in the records */
	uint32_t tid, pid;
	char comm[17];
	struct frame **frames;
	uint32_t n, cap;
	uint64_t last_step; /* + 1; 0: none */
	uint32_t last_line, last_path;
	bool restored; /* while a checkpoint is taken in: it has frames of this thread */
};

struct assembler {
	struct trace_writer *w;
	struct codes codes;
	struct value_encoder *values;
	struct cache cache;
	struct frame_pool pool;
	struct map threads;
	uint32_t nthreads;
	struct thread *current; /* whose frames are open */
	bool root_open, main_named;
	struct buf value, name, module; /* scratch */
	struct buf root_exc;	 /* the exception the root's frame left by */
	struct times times;	 /* cx.time */
	struct buf runs;	 /* cx.thread, not yet handed on */
	uint32_t run_thread;	 /* of the last run */
	uint64_t first_time, last_time;
	uint64_t steps, calls, events;
	uint64_t gaps[EVG_MAX], truncated, cut_events, no_values, late_frames;
	char *meta_json, *end_json; /* bodies of EV_META and EV_END */
	bool torn;
	bool lossy; /* records were lost since the last checkpoint: stacks may be wrong */
};

/* The thread of an index; NULL with 1 in *rc: too many; -code. */
struct thread *timeline_thread(struct assembler *a, uint32_t index, int *rc);
/* A new frame on top of t, its call not yet entered. NULL: *rc is 1 (too deep) or -code. */
struct frame *timeline_push(struct assembler *a, struct thread *t, uint64_t serial,
			    struct code *code, int *rc);
/* Makes t's top frame the root, if it is the program's module. */
int timeline_try_root(struct assembler *a, struct thread *t);
/* Makes t current and enters the calls of its frames. */
int timeline_open(struct assembler *a, struct thread *t);
/* Takes the top frame off, leaving its call if it has one. ret NULL: void. */
int timeline_pop(struct assembler *a, struct thread *t, const struct buf *ret, bool exception);
/* A step of t's top frame. */
int timeline_step(struct assembler *a, struct thread *t, uint32_t line);
/* The synthetic root, if there is none yet. */
int timeline_need_root(struct assembler *a);
/* Leaves all calls but the root. */
int timeline_suspend(struct assembler *a);
/* Names a module's frame; name: its __name__ if known. */
int timeline_name_module(struct assembler *a, struct thread *t, struct frame *f, const char *name);

/* assemble_checkpoint.c. 0; 1: the record makes no sense; -code */
int checkpoint_take(struct assembler *a, const struct ev_checkpoint *e);

/* assemble_finish.c */
int finish_runs(struct assembler *a); /* what there is of cx.thread */
int finish_internal(struct assembler *a, const struct assemble_summary *s);
int finish_workdir(struct assembler *a); /* from EV_META */
int finish_exit(struct assembler *a); /* leaves the root with the exit status */

/* assemble_vars.c: takes in a record's variables. ret, exc: where the values of
 * EV_SLOT_RETURN and EV_SLOT_EXC go, or NULL. frame NULL: only these are wanted.
 * A module's __name__ is not shown: it goes to a->module. */
#define VARS_NOT_READ "<not read: the plan came too late>"
struct vars_request {
	struct frame *frame;
	struct buf *ret, *exc;
	bool got_ret, got_exc;
	bool got_module; /* a->module holds it, zero-terminated */
};
int vars_take(struct assembler *a, const struct ev_frame *e, struct vars_request *q);

#endif
