/* SPDX-License-Identifier: MIT */
/*
 * capture.h: the eBPF side of one session: load, attach, drain, answer.
 *
 * Two rings come up from the kernel: the main ring (frame events, output,
 * threads, processes), drained by the session's drain thread, and the control
 * ring (EV_NEWCODE, EV_NEWTYPE, EV_STOPPED, EV_PROCESS exec/fork/entry point),
 * served by the session's control thread at once, because the target may be
 * waiting on it.
 */
#ifndef PROBE_CAPTURE_H
#define PROBE_CAPTURE_H

#include <stdbool.h>

#include "ctrec/layout.h"
#include "target/target.h"

struct capture;

struct capture_options {
	struct ctrec_limits limits;
	int all; /* events from the interpreter's start, not from Py_RunMain */
};

/* Opens and loads everything, which takes the kernel's verifier a while; nothing
 * is attached yet. -ERR_NO_BPF, -ERR_NO_PRIVILEGE. */
int capture_new(struct capture **ret);
/* One without eBPF: events can only come from a probe page, see capture_page(). */
int capture_new_bare(struct capture **ret);
struct capture *capture_free(struct capture *c); /* detaches everything; returns NULL */
/* Begins to follow processes and output (no Python yet). */
int capture_begin(struct capture *c, const struct capture_options *o);

/* Knows this process and what it starts, and stops none of them: where its output
 * goes, and its end (for capture_output() later). */
int capture_watch(struct capture *c, pid_t pid);
/* Follows this process: its exec, forks, exit come on the control ring (an exec
 * leaves it stopped by SIGSTOP until the session sends SIGCONT). running: it is
 * the one to be recorded: never stopped, no forks, and its exec closes the gate for good. */
int capture_follow(struct capture *c, pid_t pid, bool running);
/* Stops the process again (SIGSTOP, EV_PROCESS EVP_ENTRYPOINT) at its ELF entry point. */
int capture_stop_at_entry(struct capture *c, pid_t pid, int exe_fd, uint64_t file_offset);
/* Prepares the Python part for this interpreter and attaches its probes to pid.
 * running: it has frames already; nothing is recorded before capture_open(). */
int capture_python(struct capture *c, pid_t pid, const struct python_info *info,
		   const struct ctrec_layout *l, bool running);
/* The gate opens: the program begins, or one that runs is recorded from here on. */
void capture_open(struct capture *c);
/* Nothing is recorded any more, at once; probes stay until capture_detach(). */
void capture_shut(struct capture *c);
/* Whose writes are output: takes the open files behind pid's fds 1 and 2, as they
 * were at its exec or, of one that is running, as they are. */
int capture_output(struct capture *c, pid_t pid, bool running);
/*
 * Events come from this page's shared data from now on, mapped here by the caller
 * until capture_free(), and at `remote` in the target. Capture writes its configuration
 * there and lets the page record. eBPF, where capture has it, still sees processes
 * and output. The drain and the control thread may run meanwhile.
 * -ERR_NOMEM, -ERR_TARGET_LAYOUT.
 */
struct page_public;
int capture_page(struct capture *c, struct page_public *pub, uint64_t remote, pid_t pid, const struct python_info *info,
		 const struct ctrec_layout *l);
/* Takes the probes off; what is in the rings can still be drained. */
void capture_detach(struct capture *c);

/* Answers EV_NEWCODE / EV_NEWTYPE; the plan's fingerprint and id are those asked for. */
int capture_plan_code(struct capture *c, uint64_t addr, const struct ctrec_codeplan *plan);
/* What the code's lines may store: before its plan. */
int capture_stores(struct capture *c, uint32_t code, const struct ctrec_stores *s);
int capture_plan_type(struct capture *c, uint64_t addr, const struct ctrec_typeplan *plan);

typedef int (*capture_fn)(void *ctx, const struct ev_header *record, size_t len);
/* Calls fn for what is there; waits up to timeout_ms for more when there is
 * nothing. Returns the number of records, or -code. fn's negative return ends it. */
int capture_drain(struct capture *c, capture_fn fn, void *ctx, int timeout_ms);
int capture_control(struct capture *c, capture_fn fn, void *ctx, int timeout_ms);

struct capture_stats {
	uint64_t events, values, waits, stops;
	uint64_t gaps[EVG_MAX];	/* counted in the kernel, by reason */
	uint64_t ring_used, ring_size;
};
int capture_stats(struct capture *c, struct capture_stats *s);
/* Makes every frame's next event carry full values (after a gap, at a checkpoint). */
void capture_new_epoch(struct capture *c);
/* For a test: slows the drain by this many ns a record ($CTREC_TEST_SLOW_DRAIN). */

#endif
