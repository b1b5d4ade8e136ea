/* SPDX-License-Identifier: MIT */
/*
 * inject_private.h: what inject.c, arm.c and call.c share.
 */
#ifndef PAGE_INJECT_PRIVATE_H
#define PAGE_INJECT_PRIVATE_H

#include "page/inject.h"
#include "page/remote.h"
#include "page/threads.h"

#define PAGE_OLDEST_MONITORING (3 << 8 | 12)

struct page {
	struct target *t;
	struct ctrec_layout l;
	uint64_t runtime;
	struct page_api api;
	uint64_t add_pending_call;	   /* 3.12+ */
	uint64_t eval_start, eval_end;	   /* _PyEval_EvalFrameDefault */
	uint8_t *text;			   /* PAGE_TEXT bytes: the blob, zeros, the stub */
	struct page_entry entry;
	size_t data_size;
	struct gadgets g;
	uint64_t base;
	void *data;
	struct page_stats stats;
};

void page_count_stop(struct page *p, uint64_t ns);

static inline int page_read(struct page *p, uint64_t at, void *to, size_t len)
{
	return p->t->mem.read(&p->t->mem, (remote_t){ at }, to, len);
}

/* use_tracing: int and 1, in 3.11 a byte and 255 (Include/cpython/pystate.h) */
static inline unsigned page_use_size(const struct page *p) { return p->l.python == (3 << 8 | 11) ? 1 : 4; }
static inline unsigned page_use_value(const struct page *p) { return p->l.python == (3 << 8 | 11) ? 255 : 1; }

/* Thread states of all interpreters, bounded and checked; how many, -ERR_TARGET_LAYOUT. */
#define PAGE_TSTATES THREADS_MAX
struct page_tstate {
	uint64_t addr, interp;
};
int page_tstates(struct page *p, struct page_tstate *to, unsigned max);

#define PAGE_NAME "ctrec-page" /* of the memfd, as /proc/PID/maps shows it; something may follow */
/* map.c: maps the page (base 0), or new data for the one at base; sets p->base, p->data. */
int map_page(struct page *p, struct tracee *stopped, uint64_t base);

/* arm.c: 3.8 to 3.11 */
int arm_trace(struct page *p, struct tracee *stopped);
int disarm_trace(struct page *p);
/* call.c: 3.12+. Runs function(base + PAGE_DATA) in the target soon (1), or now in a stopped thread (0). */
int call_queue(struct page *p, uint64_t function);
int call_now(struct page *p, struct tracee *stopped, uint64_t function);

/* Its address in the target; 0: none. */
uint64_t page_vdso_clock(struct target *t);

#endif
