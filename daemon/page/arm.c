/* SPDX-License-Identifier: MIT */
/*
 * arm.c: the interpreter told to call the page, and told to stop it.
 *
 * 3.8 to 3.11, with all threads stopped, for each thread state: c_tracefunc, then
 * what makes the eval loop look at it (Python/ceval.c: use_tracing of the thread or
 * of its running C frame; _PyRuntime.ceval or interp->ceval.tracing_possible up to
 * 3.9). Each write alone is harmless: a trace function that nobody looks for yet,
 * or a look that finds none. c_traceobj stays as it is: its reference and what
 * sys.gettrace() shows are the program's, and we need no object. A thread that is
 * inside a trace function (tracing > 0) has use_tracing set by call_trace() itself
 * when it leaves.
 *
 * A thread may be stopped where it holds a copy in a register (the prologue of
 * _PyEval_EvalFrameDefault copies use_tracing, PyEval_SetTrace writes at its end).
 * So what was written is looked at again a moment later, and written anew.
 *
 * 3.12 and later: call.c.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>

#include "page/fault.h"
#include "page/inject_private.h"
#include "util/err.h"
#include "util/io.h"

#define INTERPRETERS_MAX 256
#define LOOKS 3			/* at a thread state before it counts as not armed */
#define ROUNDS 5
#define SETTLE_NS 1000000	/* from letting go to looking again */
#define BATCH 512		/* writes of one call; below IOV_MAX */

int page_tstates(struct page *p, struct page_tstate *to, unsigned max)
{
	uint64_t interp, tstate, back;
	unsigned n = 0;

	if (page_read(p, p->runtime + p->l.runtime_interpreters_head, &interp, 8) < 0)
		return err_set(ERR_TARGET_LAYOUT, "the list of interpreters can't be read");
	for (int i = 0; interp && i < INTERPRETERS_MAX; i++) {
		if (page_read(p, interp + p->l.interp_threads_head, &tstate, 8) < 0)
			return err_set(ERR_TARGET_LAYOUT, "an interpreter can't be read");
		while (tstate && n < max) {
			if (page_read(p, tstate + p->l.tstate_interp, &back, 8) < 0 || back != interp)
				return err_set(ERR_TARGET_LAYOUT, "a thread state of another interpreter");
			to[n++] = (struct page_tstate){ tstate, interp };
			if (page_read(p, tstate + p->l.tstate_next, &tstate, 8) < 0)
				return err_set(ERR_TARGET_LAYOUT, "the list of threads can't be read");
		}
		if (page_read(p, interp + p->l.interp_next, &interp, 8) < 0)
			break;
	}
	return n;
}

/* ---- writes, collected and made in order ---- */

struct writes {
	struct { uint64_t at, value[3]; unsigned len; } *w;
	unsigned n, cap;
	bool oom;
};

static void put(struct writes *ws, uint64_t at, const void *value, unsigned len)
{
	if (ws->n == ws->cap) {
		void *w = realloc(ws->w, (ws->cap + 256) * sizeof(*ws->w));

		if (!w) {
			ws->oom = true;
			return;
		}
		ws->w = w;
		ws->cap += 256;
	}
	ws->w[ws->n].at = at;
	ws->w[ws->n].len = len;
	memcpy(ws->w[ws->n++].value, value, len);
}

static int write_all(struct page *p, struct writes *ws)
{
	struct iovec local[BATCH], remote[BATCH];

	if (ws->oom)
		return err_set(ERR_NOMEM, "%u writes", ws->n);
	for (unsigned from = 0; from < ws->n; from += BATCH) {
		unsigned n = ws->n - from < BATCH ? ws->n - from : BATCH;
		ssize_t total = 0;

		for (unsigned i = 0; i < n; i++) {
			local[i] = (struct iovec){ ws->w[from + i].value, ws->w[from + i].len };
			remote[i] = (struct iovec){ (void *)(uintptr_t)ws->w[from + i].at,
						    ws->w[from + i].len };
			total += ws->w[from + i].len;
		}
		if (process_vm_writev(p->t->pid, local, n, remote, n, 0) != total)
			return err_set(ERR_TARGET_MEMORY, "thread states of process %d: %m",
				       (int)p->t->pid);
		fault_point("arm-batch");
	}
	ws->n = 0;
	return 0;
}

/* ---- one thread state ---- */

struct traced {
	uint64_t c_profilefunc, c_tracefunc, c_profileobj, c_traceobj; /* as they follow one another */
	int32_t tracing;
	uint64_t use_at; /* where use_tracing is; 0: not known now */
	uint32_t use;
};

static int read_traced(struct page *p, uint64_t tstate, struct traced *t)
{
	const struct ctrec_layout *l = &p->l;
	memset(t, 0, sizeof(*t));
	if (page_read(p, tstate + l->tstate_c_tracefunc - 8u, &t->c_profilefunc, 32) < 0 ||
	    page_read(p, tstate + l->tstate_tracing, &t->tracing, 4) < 0)
		return -ERR_TARGET_MEMORY;
	if (l->tstate_use_tracing)
		t->use_at = tstate + l->tstate_use_tracing;
	else if (page_read(p, tstate + l->tstate_cframe, &t->use_at, 8) < 0)
		return -ERR_TARGET_MEMORY;
	if (t->use_at && l->tstate_cframe && !l->tstate_use_tracing)
		t->use_at += l->cframe_use_tracing;
	if (t->use_at && page_read(p, t->use_at, &t->use, page_use_size(p)) < 0)
		return -ERR_TARGET_MEMORY;
	return 0;
}

static void put_use(struct page *p, struct writes *ws, const struct traced *t, bool on)
{
	uint32_t value = on ? page_use_value(p) : 0;

	if (t->use_at && t->tracing == 0)
		put(ws, t->use_at, &value, page_use_size(p));
}

static uint64_t possible_at(struct page *p, const struct page_tstate *ts)
{
	return p->l.runtime_tracing_possible ? p->runtime + p->l.runtime_tracing_possible :
	       p->l.interp_tracing_possible  ? ts->interp + p->l.interp_tracing_possible : 0;
}

/* Adds to the counter of an interpreter (3.8: of the runtime), by reading it now. */
static void put_possible(struct page *p, struct writes *ws, uint64_t at, int by)
{
	int32_t now;

	if (!at || !by || page_read(p, at, &now, 4) < 0)
		return;
	now = now + by > 0 ? now + by : 0;
	put(ws, at, &now, 4);
}

/* ---- the table of who traced before ---- */

static struct page_chain *chain_find(struct page_arming *a, uint64_t tstate)
{
	for (unsigned i = 0; i < a->nchain && i < PAGE_CHAINED; i++)
		if (a->chain[i].tstate == tstate)
			return &a->chain[i];
	return NULL;
}

/* Sets the entry of a thread state; tracefunc 0 frees it. False: the table is full. */
static bool chain_set(struct page *p, struct writes *ws, struct page_arming *a, uint64_t tstate,
		      uint64_t tracefunc, uint64_t traceobj)
{
	struct page_chain *c = chain_find(a, tstate);
	uint64_t table = p->base + PAGE_ARMING + offsetof(struct page_arming, chain);

	if (!c && !tracefunc)
		return true;
	for (unsigned i = 0; !c && i < a->nchain && i < PAGE_CHAINED; i++)
		if (!a->chain[i].tracefunc)
			c = &a->chain[i];
	if (!c && a->nchain >= PAGE_CHAINED)
		return false;
	if (!c)
		c = &a->chain[a->nchain++];
	*c = (struct page_chain){ tracefunc ? tstate : 0, tracefunc, traceobj };
	put(ws, table + (c - a->chain) * sizeof(*c), c, sizeof(*c));
	put(ws, p->base + PAGE_ARMING + offsetof(struct page_arming, nchain), &a->nchain, 4);
	return true;
}

/* ---- arming and disarming with everything stopped ---- */

struct work {
	struct page_tstate ts[PAGE_TSTATES];
	struct traced tr[PAGE_TSTATES];
	struct page_arming a;
	struct writes ws;
	int n;
};

static int work_read(struct page *p, struct work *w)
{
	w->n = page_tstates(p, w->ts, PAGE_TSTATES);
	if (w->n < 0)
		return w->n;
	if (page_read(p, p->base + PAGE_ARMING, &w->a, sizeof(w->a)) < 0 || w->a.nchain > PAGE_CHAINED)
		return err_set(ERR_TARGET_MEMORY, "the page of process %d", (int)p->t->pid);
	for (int i = 0; i < w->n; i++)
		if (read_traced(p, w->ts[i].addr, &w->tr[i]) < 0)
			return err_set(ERR_TARGET_LAYOUT, "a thread state can't be read");
	return 0;
}

static void put_want(struct page *p, struct writes *ws, uint32_t want)
{
	put(ws, p->base + PAGE_ARMING + offsetof(struct page_arming, want), &want, sizeof(want));
}

static int arm_stopped(struct page *p, struct work *w)
{
	const uint64_t ours = p->base + p->entry.tracefunc;
	int r = work_read(p, w);

	put_want(p, &w->ws, 1);

	for (int i = 0; r == 0 && i < w->n; i++)
		if (w->tr[i].c_tracefunc != ours &&
		    !chain_set(p, &w->ws, &w->a, w->ts[i].addr, w->tr[i].c_tracefunc, w->tr[i].c_traceobj))
			return err_set(ERR_BUSY, "more than %d threads are traced already", PAGE_CHAINED);
	if (r == 0)
		r = write_all(p, &w->ws);
	for (int i = 0; r == 0 && i < w->n; i++) {
		if (w->tr[i].c_tracefunc != ours)
			put(&w->ws, w->ts[i].addr + p->l.tstate_c_tracefunc, &ours, 8);
		/* one at a time, as each reads what the last one wrote */
		if (!w->tr[i].c_tracefunc)
			put_possible(p, &w->ws, possible_at(p, &w->ts[i]), 1);
		r = write_all(p, &w->ws);
	}
	for (int i = 0; r == 0 && i < w->n; i++)
		put_use(p, &w->ws, &w->tr[i], true);
	return r == 0 ? write_all(p, &w->ws) : r;
}

static int disarm_stopped(struct page *p, struct work *w)
{
	const uint64_t ours = p->base + p->entry.tracefunc;
	int r = work_read(p, w);

	put_want(p, &w->ws, 0);

	for (int i = 0; r == 0 && i < w->n; i++) {
		struct page_chain *c = chain_find(&w->a, w->ts[i].addr);
		uint64_t before = c ? c->tracefunc : 0;
		bool is_ours = w->tr[i].c_tracefunc == ours;

		if (is_ours) {
			put(&w->ws, w->ts[i].addr + p->l.tstate_c_tracefunc, &before, 8);
			if (!before)
				put_possible(p, &w->ws, possible_at(p, &w->ts[i]), -1);
		}
		if ((is_ours && !before) || !w->tr[i].c_tracefunc)
			put_use(p, &w->ws, &w->tr[i], w->tr[i].c_profilefunc != 0);
		r = write_all(p, &w->ws);
	}
	w->a.nchain = 0;
	if (r == 0)
		put(&w->ws, p->base + PAGE_ARMING + offsetof(struct page_arming, nchain), &w->a.nchain, 4);
	return r == 0 ? write_all(p, &w->ws) : r;
}

/* Does a thread state look as it should? The target runs, so "no" may be a moment's. */
static bool looks(struct page *p, uint64_t tstate, bool armed)
{
	const uint64_t ours = p->base + p->entry.tracefunc;

	for (int i = 0; i < LOOKS; i++) {
		struct traced t;

		if (read_traced(p, tstate, &t) < 0 || t.tracing)
			return true; /* it is gone, or leaves call_trace() soon */
		if (armed ? t.c_tracefunc == ours && (t.use || !t.use_at) :
			    t.c_tracefunc != ours && (!t.use || t.c_tracefunc || t.c_profilefunc))
			return true;
	}
	return false;
}

static bool all_look(struct page *p, struct work *w, bool armed)
{
	struct timespec settle = { .tv_nsec = SETTLE_NS };
	int n;

	nanosleep(&settle, NULL);
	n = page_tstates(p, w->ts, PAGE_TSTATES);
	for (int i = 0; i < n; i++)
		if (!looks(p, w->ts[i].addr, armed))
			return false;
	return true;
}

static int once(struct page *p, struct tracee *stopped, struct work *w, bool arm)
{
	struct threads ts;
	int r = threads_stop(&ts, p->t->pid, stopped);

	if (r < 0)
		return r;
	r = arm ? arm_stopped(p, w) : disarm_stopped(p, w);
	page_count_stop(p, threads_release(&ts));
	return r;
}

static int trace_all(struct page *p, struct tracee *stopped, bool arm)
{
	struct work *w = calloc(1, sizeof(*w));
	int r = w ? 0 : err_set(ERR_NOMEM, "thread states");

	for (int i = 0; r == 0 && i < ROUNDS; i++) {
		r = once(p, stopped, w, arm);
		if (stopped || (r == 0 && all_look(p, w, arm)))
			break;
	}
	if (w)
		free(w->ws.w);
	free(w);
	return r;
}

/* ---- for all versions ---- */

static int read_install_state(struct page *p, struct page_arming *a)
{
	if (page_read(p, p->base + PAGE_ARMING, a, offsetof(struct page_arming, api)) == 0)
		return 0;
	return err_set(ERR_TARGET_GONE, "process %d", (int)p->t->pid);
}

static int set_word(struct page *p, size_t offset, uint32_t value)
{
	if (remote_write(p->t->pid, p->base + PAGE_ARMING + offset, &value, sizeof(value)) == 0)
		return 0;
	return err_set(ERR_TARGET_GONE, "process %d", (int)p->t->pid);
}

/* 3.12+: the page's functions obey `want`, so one still queued from before does no harm. */
static int monitor(struct page *p, struct tracee *stopped, bool arm)
{
	uint64_t function = p->base + (arm ? p->entry.install : p->entry.uninstall);
	struct page_arming a;
	int r = set_word(p, offsetof(struct page_arming, want), arm);

	if (r == 0)
		r = read_install_state(p, &a);
	if (r == 0 && a.state == PAGE_REFUSED) /* once more */
		r = set_word(p, offsetof(struct page_arming, state), PAGE_UNINSTALLED);
	if (r < 0)
		return r;
	if (!stopped)
		return (a.state == PAGE_INSTALLED) == arm ? 0 : call_queue(p, function);
	r = call_now(p, stopped, function);
	return r < 0 ? r : (r = page_armed(p)) < 0 ? r : r == arm ? 0 : 1;
}

static int change(struct page *p, struct tracee *stopped, bool arm)
{
	if (!p->base)
		return err_set(ERR_USAGE, "the page is not mapped");
	if (p->l.python < PAGE_OLDEST_MONITORING)
		return trace_all(p, stopped, arm);
	return monitor(p, stopped, arm);
}

int page_arm(struct page *p, struct tracee *stopped) { return change(p, stopped, true); }
int page_disarm(struct page *p) { return change(p, NULL, false); }

int page_unarmed(struct page *p)
{
	struct page_tstate *ts;
	int n, missing = 0;

	if (p->l.python >= PAGE_OLDEST_MONITORING)
		return 0;
	ts = calloc(PAGE_TSTATES, sizeof(*ts));
	if (!ts)
		return err_set(ERR_NOMEM, "thread states");
	n = page_tstates(p, ts, PAGE_TSTATES);
	for (int i = 0; i < n; i++)
		missing += !looks(p, ts[i].addr, true);
	free(ts);
	return n < 0 ? n : missing;
}

int page_armed(struct page *p)
{
	struct page_arming a;
	int r = read_install_state(p, &a);

	if (r < 0)
		return r;
	if (a.state == PAGE_REFUSED)
		return err_set(ERR_TARGET_LAYOUT, "sys.monitoring refused (step %u)", a.failed);
	return a.state == PAGE_INSTALLED;
}

int page_wait_armed(struct page *p, int armed, uint64_t timeout_ns)
{
	uint64_t until = io_now_ns() + timeout_ns;
	struct timespec between = { .tv_nsec = 500000 };

	if (p->l.python < PAGE_OLDEST_MONITORING)
		return 0;
	for (;;) {
		int r = page_armed(p);

		if (r < 0 || r == armed)
			return r < 0 ? r : 0;
		if (io_now_ns() >= until)
			return err_set(ERR_BUSY, "process %d has run no bytecode yet", (int)p->t->pid);
		nanosleep(&between, NULL);
	}
}
