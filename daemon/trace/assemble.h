/* SPDX-License-Identifier: MIT */
/*
 * assemble.h: from records to the timeline of a trace: frames, steps, values
 * carried forward, calls, output. Incremental: feed records, finish once.
 */
#ifndef TRACE_ASSEMBLE_H
#define TRACE_ASSEMBLE_H

#include "ctrec/event.h"
#include "trace/writer.h"

struct assembler;

struct assemble_summary {
	uint64_t steps, calls, events;
	uint64_t threads;
	uint64_t lost;			/* records */
	uint64_t gaps[EVG_MAX];		/* by reason, cuts at limits included */
	uint64_t no_values;		/* events whose values were not read (EVF_NOVALUES) */
	uint64_t truncated;		/* values cut at a limit */
	uint64_t cut_events;		/* events some of whose variables were not re-read (EVF_CUT) */
	uint64_t duration_ns;
};

/* The writer stays the caller's and must outlive the assembler. */
int assembler_new(struct assembler **ret, struct trace_writer *w);
int assembler_define(struct assembler *a, const struct ev_header *definition);
int assembler_feed(struct assembler *a, const struct ev_header *record);
/* Closes open calls and the root (with the exit status of EV_END), writes cx.meta,
 * cx.loss, cx.thread, cx.time, cx.src. The caller then finishes the writer. */
int assembler_finish(struct assembler *a, struct assemble_summary *summary);
struct assembler *assembler_free(struct assembler *a);

/* The whole way: journal in journal_fd to a .ct in out_fd. */
int assemble_journal(int journal_fd, int out_fd, int spool_dir_fd, struct assemble_summary *summary,
		     struct trace_counts *counts);

#endif
